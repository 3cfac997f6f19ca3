//! Mirrors no file of image-automation-controller 1.2: the fields of a file in which an image stands, and how a marker is put behind
//! them. The controller leaves that to people.

use super::markers::MARKER_KEY;
use super::minimal;
use super::outcome::SourceFile;
use crate::yaml::{CommentSlot, Kind, NodeId, SplitText, View, normalize};

/// What of an image a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePart {
    /// `NAME:TAG`, perhaps with a digest.
    Whole,
    /// The name alone.
    Name,
    /// The tag alone.
    Tag,
    /// The digest alone.
    Digest,
}

impl ImagePart {
    /// What stands behind the policy in a marker.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Name => ":name",
            Self::Tag => ":tag",
            Self::Digest => ":digest",
        }
    }
}

/// A field of a custom kind that holds an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomField {
    /// The kind.
    pub kind: String,
    /// The names of the fields on the way; `*` stands for all items of a list.
    pub path: Vec<String>,
}

impl CustomField {
    /// Reads `KIND=a.b[*].c`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, path) = text.split_once('=')?;
        let path: Vec<String> = path
            .trim_start_matches('.')
            .replace("[*]", ".*")
            .split('.')
            .map(str::to_owned)
            .collect();
        let is_whole = !kind.is_empty() && path.iter().all(|name| !name.is_empty());
        is_whole.then(|| Self {
            kind: kind.to_owned(),
            path,
        })
    }
}

/// A field in which an image, or a part of one, stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageField {
    /// The name of the image, without tag and digest.
    pub image: String,
    /// What of it the field holds.
    pub part: ImagePart,
    /// The line, from 1.
    pub line: usize,
    /// Where a marker can stand.
    pub place: MarkerPlace,
}

/// Where a marker can stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerPlace {
    /// At this offset in the file.
    At(usize),
    /// One stands there.
    Marked,
    /// Nowhere, and why.
    Nowhere(&'static str),
}

/// The image fields of a file; of one that can't be read, or of the items of a `List`, none.
pub fn image_fields(file: &SourceFile<'_>, custom: &[CustomField]) -> Vec<ImageField> {
    let text = normalize(file.bytes);
    let Ok(split) = SplitText::new(&text) else {
        return Vec::new();
    };
    let Ok(read) = split.read(Some(file.path)) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    for document in read
        .documents
        .iter()
        .filter(|document| !document.is_list_item)
    {
        let view = read.view(document);
        let chunk_start = read.split.chunk_start(document.chunk);
        for (node, image, part) in images(view, file.path, custom) {
            let start = view.start(node);
            let place = match place(view, node) {
                MarkerPlace::At(end) => {
                    MarkerPlace::At(minimal::file_offset(file.bytes, &text, chunk_start + end))
                }
                other => other,
            };
            fields.push(ImageField {
                image,
                part,
                line: read.split.place_in(document, start).0,
                place,
            });
        }
    }
    fields
}

type Found = (NodeId, String, ImagePart);

fn images(view: View<'_>, path: &str, custom: &[CustomField]) -> Vec<Found> {
    let identity = view.identity().unwrap_or_default();
    let mut found = Vec::new();
    let base = path.rsplit('/').next().unwrap_or(path);
    let is_kustomization = identity.api_version.starts_with("kustomize.config.k8s.io/")
        || identity.kind.is_empty()
            && matches!(
                base,
                "kustomization.yaml" | "kustomization.yml" | "Kustomization"
            );
    if is_kustomization {
        kustomization(view, &mut found);
        return found;
    }
    let pod: Option<&[&str]> = match identity.kind {
        "Pod" => Some(&["spec"]),
        "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "ReplicationController" => Some(&["spec", "template", "spec"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        "PodTemplate" => Some(&["template", "spec"]),
        _ => None,
    };
    for containers in ["initContainers", "containers", "ephemeralContainers"] {
        if let Some(pod) = pod {
            let path = [pod, &[containers, "*", "image"]].concat();
            whole(view, &path, &mut found);
        }
    }
    if identity.kind == "HelmRelease" {
        for values in at(view, view.root(), &["spec", "values"]) {
            helm_values(view, values, &mut found);
        }
    }
    for field in custom.iter().filter(|field| field.kind == identity.kind) {
        let path: Vec<&str> = field.path.iter().map(String::as_str).collect();
        whole(view, &path, &mut found);
    }
    found.sort_by_key(|(node, ..)| *node);
    found
}

/// The nodes at the end of a path.
fn at(view: View<'_>, from: NodeId, path: &[&str]) -> Vec<NodeId> {
    let mut here = vec![from];
    for name in path {
        here = here
            .into_iter()
            .flat_map(|node| match *name {
                "*" if view.kind(node) == Kind::Sequence => view.children(node).collect(),
                "*" => Vec::new(),
                name => view.field(node, name).into_iter().collect::<Vec<_>>(),
            })
            .collect();
    }
    here
}

fn whole(view: View<'_>, path: &[&str], found: &mut Vec<Found>) {
    for node in at(view, view.root(), path) {
        if view.kind(node) == Kind::Scalar && !view.value(node).is_empty() {
            found.push((node, name_of(view.value(node)).to_owned(), ImagePart::Whole));
        }
    }
}

/// An image without its tag and digest.
fn name_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// `images` of a kustomization: `newTag` and `digest` of an image, and `newName` where it is renamed.
fn kustomization(view: View<'_>, found: &mut Vec<Found>) {
    for item in at(view, view.root(), &["images", "*"]) {
        let text = |name| {
            view.field(item, name)
                .filter(|node| view.kind(*node) == Kind::Scalar)
        };
        let renamed = text("newName");
        let Some(image) = renamed
            .or(text("name"))
            .map(|node| view.value(node).to_owned())
        else {
            continue;
        };
        for (name, part) in [
            ("newName", ImagePart::Name),
            ("newTag", ImagePart::Tag),
            ("digest", ImagePart::Digest),
        ] {
            found.extend(text(name).map(|node| (node, image.clone(), part)));
        }
    }
}

/// `image` anywhere in the values of a chart: one text, or `repository` and `tag`.
fn helm_values(view: View<'_>, from: NodeId, found: &mut Vec<Found>) {
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for (key, value) in view.fields(node) {
            if view.kind(value) == Kind::Mapping {
                open.push(value);
            }
            if view.value(key) != "image" {
                continue;
            }
            let text = |name| {
                view.field(value, name)
                    .filter(|node| view.kind(*node) == Kind::Scalar)
            };
            match view.kind(value) {
                Kind::Scalar if view.value(value).contains([':', '/']) => {
                    found.push((
                        value,
                        name_of(view.value(value)).to_owned(),
                        ImagePart::Whole,
                    ));
                }
                Kind::Mapping => {
                    let Some(repository) = text("repository") else {
                        continue;
                    };
                    let name = view.value(repository);
                    let registry = text("registry")
                        .map(|node| view.value(node))
                        .filter(|text| !text.is_empty());
                    let image = match registry {
                        Some(registry) => format!("{registry}/{name}"),
                        None => {
                            // A name that is put together from two fields can't be set by one marker.
                            found.push((repository, name.to_owned(), ImagePart::Name));
                            name.to_owned()
                        }
                    };
                    found.extend(text("tag").map(|node| (node, image, ImagePart::Tag)));
                }
                _ => {}
            }
        }
    }
}

/// Where a marker of a scalar can stand: the offset in the document's text.
fn place(view: View<'_>, node: NodeId) -> MarkerPlace {
    if let Some(comment) = view.comment_for_readers(node)
        && comment.text.contains(MARKER_KEY)
    {
        return MarkerPlace::Marked;
    }
    if view.comment(node, CommentSlot::Line).is_some() {
        return MarkerPlace::Nowhere(
            "another comment stands behind the value: move it to a line of its own",
        );
    }
    let Some(end) = minimal::end(view, node) else {
        return MarkerPlace::Nowhere("the value has no place of its own: write it on one line");
    };
    let text = view.source_text().as_bytes();
    let line_end = memchr::memchr(b'\n', &text[end..]).map_or(text.len(), |at| end + at);
    let behind = text[end..line_end].trim_ascii();
    if behind.is_empty() {
        MarkerPlace::At(end)
    } else if behind.starts_with(b"#") {
        MarkerPlace::Nowhere(
            "another comment stands behind the value: move it to a line of its own",
        )
    } else {
        MarkerPlace::Nowhere("the value is inside of braces: write it on a line of its own")
    }
}

/// The comment that has a field set.
pub fn marker_comment(policy: &str, part: ImagePart) -> String {
    format!(" # {{\"$imagepolicy\": \"{policy}{}\"}}", part.suffix())
}

/// A file with texts put in at offsets, which are in order.
pub fn insert(bytes: &[u8], texts: &[(usize, String)]) -> Vec<u8> {
    let mut made = Vec::with_capacity(bytes.len() + 64 * texts.len());
    let mut copied = 0;
    for (at, text) in texts {
        made.extend_from_slice(&bytes[copied..*at]);
        made.extend_from_slice(text.as_bytes());
        copied = *at;
    }
    made.extend_from_slice(&bytes[copied..]);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(String, ImagePart, usize, bool)> {
        let custom = CustomField::parse("Widget=spec.parts[*].picture").unwrap();
        let file = SourceFile {
            path,
            bytes: text.as_bytes(),
        };
        image_fields(&file, &[custom])
            .into_iter()
            .map(|field| {
                let can_stand = matches!(field.place, MarkerPlace::At(_));
                (field.image, field.part, field.line, can_stand)
            })
            .collect()
    }

    #[test]
    fn fields_of_the_known_kinds_are_found() {
        let pod = "kind: Pod\nspec:\n  containers:\n  - image: a:1\n  - image: host:5000/b\n  initContainers: [{image: c@sha256:1}]\n";
        assert_eq!(
            found("x.yaml", pod),
            [
                ("a".into(), ImagePart::Whole, 4, true),
                ("host:5000/b".into(), ImagePart::Whole, 5, true),
                ("c".into(), ImagePart::Whole, 6, false),
            ]
        );
        let cron = "kind: CronJob\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n          - image: 'a:1'  \n";
        assert_eq!(
            found("x.yaml", cron),
            [("a".into(), ImagePart::Whole, 8, true)]
        );
        let release = "kind: HelmRelease\nspec:\n  values:\n    image:\n      repository: r/a\n      tag: \"1\" # why\n    web: {image: {registry: q, repository: b, tag: 2}}\n";
        assert_eq!(
            found("x.yaml", release),
            [
                ("r/a".into(), ImagePart::Name, 5, true),
                ("r/a".into(), ImagePart::Tag, 6, false),
                ("q/b".into(), ImagePart::Tag, 7, false),
            ]
        );
        let images =
            "images:\n- name: a\n  newName: b\n  newTag: v1\n- name: c\n  digest: sha256:1\n";
        assert_eq!(
            found("d/kustomization.yaml", images),
            [
                ("b".into(), ImagePart::Name, 3, true),
                ("b".into(), ImagePart::Tag, 4, true),
                ("c".into(), ImagePart::Digest, 6, true),
            ]
        );
        assert_eq!(found("other.yaml", images), []);
        let widget = "kind: Widget\nspec:\n  parts:\n  - picture: a:1\n  - {}\n";
        assert_eq!(
            found("x.yaml", widget),
            [("a".into(), ImagePart::Whole, 4, true)]
        );
    }

    #[test]
    fn a_marker_is_all_that_comes_in() {
        let text = "kind: Pod\r\nspec:\r\n  containers:\r\n  - image: a:1\r\n";
        let file = SourceFile {
            path: "x.yaml",
            bytes: text.as_bytes(),
        };
        let fields = image_fields(&file, &[]);
        let MarkerPlace::At(at) = fields[0].place else {
            panic!("{fields:?}");
        };
        let made = insert(
            text.as_bytes(),
            &[(at, marker_comment("ns:p", ImagePart::Whole))],
        );
        assert_eq!(
            String::from_utf8(made).unwrap(),
            text.replace("a:1", "a:1 # {\"$imagepolicy\": \"ns:p\"}")
        );
    }
}
