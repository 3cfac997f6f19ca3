//! Flux objects from manifests on disk or standard input: YAML or JSON, several documents, `List`s.

mod folder;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::controllers::flux::ObjectKey;
use crate::controllers::kustomization;
use crate::facts::cluster::{Kind, Objects};
use crate::io::error_text;
use crate::io::files::{read_up_to, visit_files_up_to};
use crate::io::objects::{self, Metadata, text_at};

use folder::Listed;
pub use folder::PassedOver;

/// Where manifests come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestSource {
    /// Standard input.
    Stdin,
    /// A file, whatever its extension, or a folder.
    Path(PathBuf),
    /// The same in a tree that was put somewhere else: no link leads out of it.
    Within {
        /// The top of the tree.
        top: PathBuf,
        /// The file or folder.
        path: PathBuf,
    },
}

/// What was read, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The objects.
    pub objects: Objects,
    /// Objects that named no namespace, as `Kind name`, in the order of reading.
    pub without_namespace: Vec<String>,
    /// Files, documents and objects that can't be used; the others still count.
    pub problems: Vec<ManifestProblem>,
    /// Kustomizations of Flux, as they stand there: many folders hold one of the same name for each cluster.
    pub kustomizations: Vec<LocatedObject>,
    /// The files that name something of Flux, in the order of reading.
    pub flux_files: Vec<PathBuf>,
    /// What has the name of a manifest in a folder and is none, in the order of reading.
    pub passed_over: Vec<PassedOver>,
    /// Each object as it stands there, with its namespace filled in.
    pub contents: BTreeMap<(Kind, ObjectKey), Value>,
}

/// An object and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LocatedObject {
    /// The file as it was named, `-` for standard input.
    pub file: String,
    /// The object, with its namespace filled in.
    pub object: Value,
}

/// Something in a manifest that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestProblem {
    /// The file as it was named, `-` for standard input.
    pub file: String,
    /// The line, from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for ManifestProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.file, self.message),
            None => write!(formatter, "{}: {}", self.file, self.message),
        }
    }
}

/// Reads `sources`; objects without a namespace get `default_namespace`.
pub fn read(sources: &[ManifestSource], recursive: bool, default_namespace: &str) -> Manifests {
    let mut reading = Reading::new(default_namespace);
    for source in sources {
        match source {
            ManifestSource::Stdin => reading.stdin(),
            ManifestSource::Path(path) if path.is_dir() => reading.folder(path, None, recursive),
            ManifestSource::Path(path) => reading.file(path, Screening::Off),
            ManifestSource::Within { top, path } if path.is_dir() => {
                reading.folder(path, Some(top), recursive);
            }
            ManifestSource::Within { top, path } => match folder::obstacle_to(path, top) {
                None => reading.file(path, Screening::Off),
                Some(passed_over) => reading.manifests.passed_over.push(passed_over),
            },
        }
    }
    reading.manifests
}

/// The YAML documents of a text with their first lines, from 1.
pub fn documents_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    documents(text)
        .into_iter()
        .map(|document| (document.line, document.text))
}

/// One document as JSON.
///
/// # Errors
///
/// It is not readable; why, in one sentence.
pub fn parse_document(text: &str) -> Result<Value, String> {
    parse(text).map_err(|(_, message)| message)
}

/// What every object of Flux names.
const FLUX: &[u8] = b"toolkit.fluxcd.io";

/// No file of objects is longer: a cluster's worth of them, and no device without an end.
const LONGEST: usize = 256 << 20;

/// How many files of a folder are in memory at a time, at most.
const AT_A_TIME: usize = 1024;

/// Whether texts that name nothing of interest are passed over unparsed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Screening {
    On,
    Off,
}

struct Reading<'a> {
    default_namespace: &'a str,
    manifests: Manifests,
    /// Kind and key to the place of the first such object.
    places: BTreeMap<(Kind, ObjectKey), String>,
}

/// One YAML document of a text.
struct Document<'a> {
    /// Its first line in the text, from 1.
    line: usize,
    text: &'a str,
}

impl<'a> Reading<'a> {
    fn new(default_namespace: &'a str) -> Self {
        Self {
            default_namespace,
            manifests: Manifests::default(),
            places: BTreeMap::new(),
        }
    }

    fn problem(&mut self, file: &str, line: Option<usize>, message: impl Into<String>) {
        let problem = ManifestProblem {
            file: file.to_owned(),
            line,
            message: message.into(),
        };
        self.manifests.problems.push(problem);
    }

    fn stdin(&mut self) {
        match read_up_to(LONGEST, std::io::stdin().lock()) {
            Ok(bytes) => self.text("-", &bytes, Screening::Off),
            Err(error) => self.problem(
                "-",
                None,
                format!("standard input can't be read: {}", error_text(&error)),
            ),
        }
    }

    fn file(&mut self, path: &Path, screening: Screening) {
        let name = path.display().to_string();
        let read = fs::File::open(path).and_then(|file| {
            let is_plain = file.metadata()?.is_file();
            Ok((is_plain, read_up_to(LONGEST, file)?))
        });
        match read {
            Ok((is_plain, bytes)) => {
                // What comes through a pipe comes once.
                if is_plain {
                    self.remember(path, &bytes);
                }
                self.text(&name, &bytes, screening);
            }
            Err(error) => self.problem(
                &name,
                None,
                format!("can't be read: {}", error_text(&error)),
            ),
        }
    }

    /// Reads what is in a folder: looked through side by side, and read in order.
    fn folder(&mut self, folder: &Path, top: Option<&Path>, recursive: bool) {
        let (entries, passed_over) = folder::list(folder, top, recursive);
        self.manifests.passed_over.extend(passed_over);
        for part in entries.chunks(AT_A_TIME) {
            self.part_of_folder(part);
        }
    }

    fn part_of_folder(&mut self, entries: &[Listed]) {
        let paths: Vec<&Path> = entries
            .iter()
            .map(|entry| match entry {
                Ok(path) | Err((path, _)) => path.as_path(),
            })
            .collect();
        let look = |at: usize, read: Result<&[u8], String>| match (&entries[at], read) {
            (Err((_, why)), _) => Some(Err(format!("can't be listed: {why}"))),
            (Ok(_), Err(why)) => Some(Err(format!("can't be read: {why}"))),
            (Ok(_), Ok(bytes)) => names_something_of_interest(bytes).then(|| Ok(bytes.to_vec())),
        };
        for (at, found) in visit_files_up_to(LONGEST, &paths, &look) {
            let name = paths[at].display().to_string();
            match found {
                Ok(bytes) => {
                    self.remember(paths[at], &bytes);
                    self.text(&name, &bytes, Screening::On);
                }
                Err(why) => self.problem(&name, None, why),
            }
        }
    }

    fn remember(&mut self, path: &Path, bytes: &[u8]) {
        if memchr::memmem::find(bytes, FLUX).is_some() {
            self.manifests.flux_files.push(path.to_owned());
        }
    }

    fn text(&mut self, file: &str, bytes: &[u8], screening: Screening) {
        if screening == Screening::On && !names_something_of_interest(bytes) {
            return;
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}'),
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                return self.problem(file, Some(line), "is not UTF-8 text");
            }
        };
        for document in documents(text) {
            if screening == Screening::On && !names_something_of_interest(document.text.as_bytes())
            {
                continue;
            }
            match parse(document.text) {
                Ok(Value::Null) => {}
                Ok(value) => self.value(file, document.line, value),
                Err((line, message)) => {
                    let line = line.map(|line| document.line + line - 1);
                    self.problem(
                        file,
                        line.or(Some(document.line)),
                        format!("is not readable YAML: {message}"),
                    );
                }
            }
        }
    }

    fn value(&mut self, file: &str, line: usize, value: Value) {
        let api_version = text_at(&value, "apiVersion");
        let kind = text_at(&value, "kind");
        if kind.ends_with("List")
            && let Some(Value::Array(items)) = value.get("items")
        {
            for item in items {
                self.value(file, line, item.clone());
            }
            return;
        }
        let Some(kind) = Kind::of(api_version, kind) else {
            self.kustomization(file, &value);
            return;
        };
        if let Err(message) = self.object(file, kind, &value) {
            let name = value
                .pointer("/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or("without a name");
            self.problem(
                file,
                Some(line),
                format!("{} {name}: {message}", text_at(&value, "kind")),
            );
        }
    }

    fn kustomization(&mut self, file: &str, value: &Value) {
        let group = text_at(value, "apiVersion").split('/').next();
        if group != Some(kustomization::GROUP) || text_at(value, "kind") != "Kustomization" {
            return;
        }
        let mut value = value.clone();
        objects::remove_nulls(&mut value);
        let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        let namespace = metadata
            .entry("namespace")
            .or_insert_with(|| self.default_namespace.into());
        let is_plain = namespace
            .as_str()
            .is_some_and(|name| objects::check_name(name, "").is_ok());
        if is_plain && objects::metadata(&value).is_ok() {
            self.manifests.kustomizations.push(LocatedObject {
                file: file.to_owned(),
                object: value,
            });
        }
    }

    fn object(&mut self, file: &str, kind: Kind, value: &Value) -> Result<(), String> {
        objects::check_version(kind, text_at(value, "apiVersion"))?;
        let mut value = value.clone();
        objects::remove_nulls(&mut value);
        let metadata = objects::metadata(&value)?;
        let key = self.key(kind, &metadata)?;
        let content = objects::comparable(&value, &key);
        let identity = (kind, key.clone());
        if let Some(seen) = self.manifests.contents.get(&identity) {
            return if *seen == content {
                Ok(())
            } else {
                let first = &self.places[&identity];
                Err(format!(
                    "stands here and, with another content, in {first}: keep one"
                ))
            };
        }
        objects::store(&mut self.manifests.objects, kind, &key, &metadata, &value)?;
        self.places.insert(identity.clone(), file.to_owned());
        self.manifests.contents.insert(identity, content);
        Ok(())
    }

    fn key(&mut self, kind: Kind, metadata: &Metadata) -> Result<ObjectKey, String> {
        if kind == Kind::Namespace {
            return Ok(ObjectKey::new("", &metadata.name));
        }
        if metadata.namespace.is_empty() {
            self.manifests
                .without_namespace
                .push(format!("{kind:?} {}", metadata.name));
            return Ok(ObjectKey::new(self.default_namespace, &metadata.name));
        }
        objects::check_name(&metadata.namespace, "metadata.namespace")?;
        Ok(ObjectKey::new(&metadata.namespace, &metadata.name))
    }
}

/// Whether a file in a folder is read.
pub fn is_manifest_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

fn names_something_of_interest(bytes: &[u8]) -> bool {
    [FLUX, b"Secret", b"Namespace"]
        .iter()
        .any(|word| memchr::memmem::find(bytes, word).is_some())
}

/// Cuts `text` before each line that starts a document (`---` and then nothing, a blank, or a comment).
fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && offset > start {
            found.push(Document {
                line: start_line,
                text: &text[start..offset],
            });
            (start, start_line) = (offset, index + 1);
        }
        offset += line.len();
    }
    found.push(Document {
        line: start_line,
        text: &text[start..],
    });
    found
}

/// The document as JSON; the error has its line in the document, from 1, where it is known.
fn parse(text: &str) -> Result<Value, (Option<usize>, String)> {
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(value);
    }
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.starts_with('#') || line.trim_end() == "---")
    {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options::<Value>(text, yaml_options(text.len())).map_err(|error| {
        let place = error.location();
        let line = place.map(|place| usize::try_from(place.line()).unwrap_or(usize::MAX));
        let message = too_much(&error).unwrap_or_else(|| {
            let told = first_sentence(&error.to_string());
            // The place is told beside it, and counted in the file; here it is counted in the document.
            let place = place
                .map(|place| format!("error: line {} column {}: ", place.line(), place.column()));
            let reason = place.and_then(|place| told.strip_prefix(&place).map(str::to_owned));
            reason.unwrap_or(told)
        });
        (line, message)
    })
}

/// How deep a document may be nested.
const DEEPEST: usize = 64;

/// The bounds of a document of `length` bytes. What stands in it may be as much as a cluster's objects are in a text of that length; what
/// aliases repeat is bounded whatever the length is.
fn yaml_options(length: usize) -> serde_saphyr::Options {
    let usual = serde_saphyr::Budget::default();
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            // A key and its value take eight bytes or more, but in texts that are made for it.
            max_nodes: usual.max_nodes.max(length / 4),
            max_events: usual.max_events.max(length),
            max_total_scalar_bytes: usual.max_total_scalar_bytes.max(length),
            max_total_comment_bytes: usual.max_total_comment_bytes.max(length),
        },
    }
}

/// What a document has too much of, in words, where that is the error.
fn too_much(error: &serde_saphyr::Error) -> Option<String> {
    use serde_saphyr::Error;
    use serde_saphyr::budget::BudgetBreach;
    let mut error = error;
    while let Error::AliasError { error: inner, .. } | Error::WithSnippet { error: inner, .. } =
        error
    {
        error = inner;
    }
    let told = match error {
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => {
                return Some(format!(
                    "it is nested deeper than {DEEPEST} levels, as no object of Kubernetes needs to be: put less into each other, or leave the file out"
                ));
            }
            BudgetBreach::Nodes { .. }
            | BudgetBreach::Events { .. }
            | BudgetBreach::ScalarBytes { .. }
            | BudgetBreach::CommentBytes { .. } => {
                "it holds too many values for its length: split it into documents by lines of ---"
            }
            _ => {
                "it has too many anchors and aliases: write the values out, or split it into documents by lines of ---"
            }
        },
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "its aliases repeat too much: write out the values that are needed"
        }
        _ => return None,
    };
    Some(told.to_owned())
}

fn first_sentence(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_first_line() {
        let text = "a: 1\n---\nb: 2\n--- # c\nc: |\n  ---\n----\n";
        let lines: Vec<usize> = documents(text)
            .iter()
            .map(|document| document.line)
            .collect();
        assert_eq!(lines, [1, 2, 4]);
        assert_eq!(documents("").len(), 1);
    }

    #[test]
    fn as_much_is_read_as_a_cluster_has_and_no_more() {
        let item = "- kind: A\n  metadata:\n    name: b\n    labels: {c: d, e: f}\n  spec: {list: [g, h]}\n";
        let list = format!("items:\n{}", item.repeat(30_000));
        let read = parse(&list).unwrap();
        assert_eq!(read["items"].as_array().unwrap().len(), 30_000);
        let why = |text: &str| parse(text).unwrap_err().1;
        let deep = format!("{}a", "- ".repeat(70));
        assert!(
            why(&deep).contains("deeper than 64 levels"),
            "{}",
            why(&deep)
        );
        let full = format!("[{}]", "{},".repeat(500_000));
        assert!(why(&full).contains("too many values"), "{}", why(&full));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{},", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{before}]\n");
        }
        // Whatever comes behind it.
        bomb += &format!("b:\n{}", "- some text\n".repeat(500_000));
        assert!(why(&bomb).contains("aliases"), "{}", why(&bomb));
    }

    #[test]
    fn json_and_empty_documents_are_read() {
        assert_eq!(parse("{\"a\": \"\\/\"}"), Ok(serde_json::json!({"a": "/"})));
        assert_eq!(parse("---\n# nothing\n"), Ok(Value::Null));
    }
}
