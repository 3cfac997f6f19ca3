//! How objects are named on the command line: `TYPE NAME…`, `TYPE/NAME`, `NAME`, with flux's words for the types.

use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::pipeline::explain::Subject;
use crate::pipeline::request::{Named, NamespaceScope};

/// The words for each kind: the CRD's names and short names, and flux's.
const WORDS: [(Kind, &[&str]); 3] = [
    (
        Kind::ImageRepository,
        &[
            "imagerepository",
            "imagerepositories",
            "imgrepo",
            "imagerepo",
            "repository",
            "repositories",
        ],
    ),
    (
        Kind::ImagePolicy,
        &[
            "imagepolicy",
            "imagepolicies",
            "imgpol",
            "imagepol",
            "policy",
            "policies",
        ],
    ),
    (
        Kind::ImageUpdateAutomation,
        &[
            "imageupdateautomation",
            "imageupdateautomations",
            "iua",
            "imgupd",
            "imgauto",
            "update",
            "updates",
        ],
    ),
];

/// The kind that a word means, if it is one for a type; a group or version behind a dot is allowed.
pub fn kind_of(word: &str) -> Option<Kind> {
    let (first, rest) = word.split_once('.').unwrap_or((word, ""));
    if !rest.is_empty() && !rest.ends_with("image.toolkit.fluxcd.io") {
        return None;
    }
    let first = first.to_ascii_lowercase();
    let means = |(_, words): &&(Kind, &[&str])| words.contains(&first.as_str());
    WORDS.iter().find(means).map(|(kind, _)| *kind)
}

/// The words for the kinds that run images.
const WORKLOAD_WORDS: [(Kind, &[&str]); 4] = [
    (Kind::Deployment, &["deploy", "deployment", "deployments"]),
    (Kind::StatefulSet, &["sts", "statefulset", "statefulsets"]),
    (Kind::DaemonSet, &["ds", "daemonset", "daemonsets"]),
    (Kind::CronJob, &["cj", "cronjob", "cronjobs"]),
];

/// The kind of workload that a word means; a group behind a dot is allowed.
pub fn workload_kind(word: &str) -> Option<Kind> {
    let (first, group) = word.split_once('.').unwrap_or((word, ""));
    let first = first.to_ascii_lowercase();
    let means = |(_, words): &&(Kind, &[&str])| words.contains(&first.as_str());
    let (kind, _) = WORKLOAD_WORDS.iter().find(means)?;
    (group.is_empty() || group.split('.').next_back() == kind.group().split('.').next_back())
        .then_some(*kind)
}

/// Where objects are looked for, for sentences: `in namespace shop`.
pub fn place(scope: &NamespaceScope) -> String {
    match scope {
        NamespaceScope::One(namespace) => format!("in namespace {namespace}"),
        NamespaceScope::All => "in any namespace".into(),
    }
}

/// Reads the arguments of `explain`: image objects, workloads, and anything else. Empty: nothing is named.
///
/// # Errors
///
/// A type that stands alone where it needs a name, or an empty argument.
pub fn subjects(arguments: &[String]) -> Result<Vec<Subject>, Failure> {
    let image_objects =
        |words: &[String]| Ok(parse(words)?.into_iter().map(Subject::Named).collect());
    let arguments = without_flux_prefix(arguments);
    let Some(first) = arguments.first() else {
        return Ok(Vec::new());
    };
    if let Some(kind) = workload_kind(first) {
        return match &arguments[1..] {
            [] => Err(Failure::usage(format!(
                "{first}: name one, as in {first}/NAME"
            ))),
            names => Ok(names
                .iter()
                .map(|name| Subject::Workload(kind, name.clone()))
                .collect()),
        };
    }
    if first == "all" || kinds(first).is_ok_and(|kinds| kinds.is_some()) {
        return image_objects(arguments);
    }
    arguments.iter().map(|argument| subject(argument)).collect()
}

fn subject(argument: &str) -> Result<Subject, Failure> {
    if argument.is_empty() {
        return Err(Failure::usage("an argument is empty"));
    }
    if let Some((kind, name)) = argument.split_once('/')
        && !name.is_empty()
        && !name.contains(['/', ':', '@'])
    {
        if let Some(kind) = kind_of(kind) {
            return Ok(Subject::Named(Named::One(kind, name.to_owned())));
        }
        if let Some(kind) = workload_kind(kind) {
            return Ok(Subject::Workload(kind, name.to_owned()));
        }
    }
    Ok(Subject::Word(argument.to_owned()))
}

/// Reads the arguments; empty: nothing is named.
///
/// # Errors
///
/// A type that isn't one, or an empty name.
pub fn parse(arguments: &[String]) -> Result<Vec<Named>, Failure> {
    let arguments = without_flux_prefix(arguments);
    let Some(first) = arguments.first() else {
        return Ok(Vec::new());
    };
    if first == "all" {
        return match arguments {
            [_] => Ok(Named::IMAGE_KINDS.map(Named::All).into()),
            _ => Err(Failure::usage(
                "all takes no names: name a type, as in policies NAME",
            )),
        };
    }
    if let Some(kinds) = kinds(first)? {
        let names = &arguments[1..];
        if names.is_empty() {
            return Ok(kinds.into_iter().map(Named::All).collect());
        }
        let of = |name: &String| match name.split_once('/') {
            None if !name.is_empty() => Ok(kinds
                .iter()
                .map(|kind| Named::One(*kind, name.clone()))
                .collect::<Vec<_>>()),
            _ => Err(Failure::usage(format!(
                "{name:?}: behind a type come bare names"
            ))),
        };
        let named = names.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        return Ok(named.concat());
    }
    arguments.iter().map(|argument| single(argument)).collect()
}

/// flux says `image policy`, or `images policy`, where kubectl says `imagepolicy`.
fn without_flux_prefix(arguments: &[String]) -> &[String] {
    match arguments {
        [prefix, rest @ ..]
            if (prefix == "image" || prefix == "images")
                && rest
                    .first()
                    .is_some_and(|next| next == "all" || kind_of(next).is_some()) =>
        {
            rest
        }
        other => other,
    }
}

/// Whether a word is a type, or `all` of them.
pub fn is_type(word: &str) -> bool {
    word == "all" || kind_of(word).is_some()
}

/// The kinds of `TYPE` or `TYPE,TYPE`; `None`: the word is no type.
fn kinds(word: &str) -> Result<Option<Vec<Kind>>, Failure> {
    if word.contains('/') {
        return Ok(None);
    }
    if !word.contains(',') {
        return Ok(kind_of(word).map(|kind| vec![kind]));
    }
    let kinds = word.split(',').map(|part| {
        kind_of(part).ok_or_else(|| Failure::usage(format!("{part:?} is none of {}", types())))
    });
    kinds.collect::<Result<Vec<_>, _>>().map(Some)
}

fn single(argument: &str) -> Result<Named, Failure> {
    match argument.split_once('/') {
        None if !argument.is_empty() => Ok(Named::Any(argument.to_owned())),
        Some((kind, name)) if !name.is_empty() && !name.contains('/') => match kind_of(kind) {
            Some(kind) => Ok(Named::One(kind, name.to_owned())),
            None => Err(Failure::usage(format!(
                "{argument}: {kind:?} is none of {}",
                types()
            ))),
        },
        _ => Err(Failure::usage(format!(
            "{argument:?}: is neither NAME nor TYPE/NAME"
        ))),
    }
}

fn types() -> &'static str {
    "repository, policy and update (imagerepository, imagepolicy, imageupdateautomation)"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(arguments: &[&str]) -> Result<Vec<Named>, Failure> {
        let owned: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        parse(&owned)
    }

    fn one(kind: Kind, name: &str) -> Named {
        Named::One(kind, name.to_owned())
    }

    #[test]
    fn objects_are_named_as_kubectl_users_do() {
        use Kind::{ImagePolicy, ImageRepository, ImageUpdateAutomation};
        assert_eq!(named(&[]).unwrap(), []);
        assert_eq!(named(&["a"]).unwrap(), [Named::Any("a".into())]);
        assert_eq!(
            named(&["policy", "a", "b"]).unwrap(),
            [one(ImagePolicy, "a"), one(ImagePolicy, "b")]
        );
        assert_eq!(
            named(&[
                "imgrepo/a",
                "ImageUpdateAutomations.image.toolkit.fluxcd.io/c"
            ])
            .unwrap(),
            [one(ImageRepository, "a"), one(ImageUpdateAutomation, "c")]
        );
        assert_eq!(
            named(&["images", "policy", "a"]).unwrap(),
            [one(ImagePolicy, "a")]
        );
        assert_eq!(named(&["image"]).unwrap(), [Named::Any("image".into())]);
        assert_eq!(
            named(&["repositories,policies"]).unwrap(),
            [Named::All(ImageRepository), Named::All(ImagePolicy)]
        );
        assert_eq!(named(&["images", "all"]).unwrap().len(), 3);
    }

    #[test]
    fn other_words_are_refused() {
        for arguments in [
            &["pod/a"][..],
            &["policy/"],
            &["policy", "update/a"],
            &["policies,pods"],
            &["all", "a"],
            &["a/b/c"],
            &[""],
        ] {
            assert!(named(arguments).is_err(), "{arguments:?}");
        }
    }
}
