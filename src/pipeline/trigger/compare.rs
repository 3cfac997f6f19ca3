//! A run of an automation beside what was predicted of it, field by field.

use std::collections::BTreeMap;

use sha1::{Digest as _, Sha1};

use crate::controllers::conditions;
use crate::findings;
use crate::io::git::History;
use crate::pipeline::stages::Preview;

use super::{Fact, Turn, Verdict};

/// What became of an automation's run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A commit was pushed.
    Pushed(Box<PushFacts>),
    /// Nothing was to be done.
    Nothing,
    /// It failed.
    Failed {
        /// The condition's reason.
        reason: String,
        /// The condition's message.
        message: String,
    },
}

/// A push, as far as it can be foretold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushFacts {
    /// The commit; none before it is made.
    pub commit: Option<String>,
    /// The branch.
    pub branch: String,
    /// The commit that it follows.
    pub parent: Option<String>,
    /// `NAME <MAIL>`
    pub author: String,
    /// `NAME <MAIL>`
    pub committer: String,
    /// The message.
    pub message: Vec<u8>,
    /// The paths that change, with the blobs that they then hold.
    pub files: BTreeMap<String, Option<String>>,
    /// In how many commits; more than one where policies moved one after the other.
    pub commits: usize,
}

/// A field in which prediction and deed differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub field: &'static str,
    /// What was predicted.
    pub predicted: String,
    /// What was done.
    pub actual: String,
}

impl Difference {
    pub(super) fn new(field: &'static str, predicted: &str, actual: &str) -> Self {
        Self {
            field,
            predicted: predicted.to_owned(),
            actual: actual.to_owned(),
        }
    }
}

/// What a preview says of the push.
pub(super) fn predicted(preview: &Preview) -> PushFacts {
    let author = format!("{} <{}>", preview.author.name, preview.author.email);
    let branch = preview
        .branches
        .as_ref()
        .map(|branches| branches.push_branch.clone());
    PushFacts {
        commit: None,
        branch: branch.unwrap_or_default(),
        parent: preview.parent.clone(),
        committer: author.clone(),
        author,
        message: preview.message.clone().unwrap_or_default(),
        files: preview
            .files
            .iter()
            .map(|file| (file.path.clone(), Some(blob_id(&file.new))))
            .collect(),
        commits: 1,
    }
}

/// The id that git gives to a file of these bytes.
fn blob_id(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands on the branch from `parent` up to `commit`.
pub(super) fn read(
    history: &History,
    branch: &str,
    commit: &str,
    parent: Option<&str>,
) -> Option<PushFacts> {
    let commits = &history.commits;
    let head = commits.iter().position(|found| found.id == commit)?;
    let after = &commits[head..];
    // The commit itself where the prediction's parent isn't below it.
    let count = after
        .iter()
        .position(|found| found.parents.first().map(String::as_str) == parent)
        .map_or(1, |place| place + 1);
    let newest = after.first()?;
    let oldest = after.get(count - 1)?;
    let before = oldest.parents.first()?;
    Some(PushFacts {
        commit: Some(newest.id.clone()),
        branch: branch.to_owned(),
        parent: Some(before.clone()),
        author: newest.author.clone(),
        committer: newest.committer.clone(),
        message: newest.message.clone(),
        files: history.changed(before, &newest.id).ok()?,
        commits: count,
    })
}

/// Compares what was predicted with what was done.
pub(super) fn judge(preview: &Preview, turn: &mut Turn) {
    let (Fact::Run(predicted), Fact::Run(actual)) = (turn.predicted.clone(), turn.actual.clone())
    else {
        turn.verdict = Verdict::Unknown;
        turn.text = match &turn.actual {
            Fact::Run(deed) => told(deed),
            _ => "what was done can't be read from here".into(),
        };
        return;
    };
    turn.text = told(&actual);
    turn.differences = match (&predicted, &actual) {
        (Deed::Pushed(predicted), Deed::Pushed(actual)) => differences(predicted, actual),
        (Deed::Nothing, Deed::Nothing) => Vec::new(),
        (
            Deed::Failed { reason, message },
            Deed::Failed {
                reason: theirs,
                message: said,
            },
        ) => {
            let mut found = Vec::new();
            if reason != theirs {
                found.push(Difference::new("reason", reason, theirs));
            }
            if conditions::without_clone(said) != *message {
                found.push(Difference::new("message", message, said));
            }
            found
        }
        _ => vec![Difference::new("run", &told(&predicted), &told(&actual))],
    };
    turn.verdict = if turn.differences.is_empty() {
        Verdict::AsPredicted
    } else {
        Verdict::Different
    };
    if let (Deed::Pushed(predicted), Deed::Failed { message, .. }) = (&predicted, &actual)
        && message.starts_with("failed to update source: failed to push")
    {
        turn.findings.push(findings::automations::push_rejected(
            &preview.key,
            &predicted.branch,
            message,
        ));
    }
}

fn differences(predicted: &PushFacts, actual: &PushFacts) -> Vec<Difference> {
    let none = || "none".to_owned();
    let mut found = Vec::new();
    let mut compare = |field: &'static str, predicted: String, actual: String| {
        if predicted != actual {
            found.push(Difference::new(field, &predicted, &actual));
        }
    };
    compare("branch", predicted.branch.clone(), actual.branch.clone());
    compare(
        "parent",
        predicted.parent.clone().unwrap_or_else(none),
        actual.parent.clone().unwrap_or_else(none),
    );
    compare("author", predicted.author.clone(), actual.author.clone());
    compare(
        "committer",
        predicted.committer.clone(),
        actual.committer.clone(),
    );
    // Several commits have a message each, and none is that of the whole change.
    if actual.commits == 1 {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        compare("message", text(&predicted.message), text(&actual.message));
    }
    let paths = |files: &BTreeMap<String, Option<String>>| {
        let paths: Vec<&str> = files.keys().map(String::as_str).collect();
        paths.join(", ")
    };
    compare("files", paths(&predicted.files), paths(&actual.files));
    for (path, id) in &predicted.files {
        if let Some(theirs) = actual.files.get(path).filter(|theirs| *theirs != id) {
            let shown =
                |id: &Option<String>| format!("{path} as blob {}", id.as_deref().unwrap_or("none"));
            found.push(Difference::new("content", &shown(id), &shown(theirs)));
        }
    }
    found
}

fn told(deed: &Deed) -> String {
    match deed {
        Deed::Nothing => "nothing to push".into(),
        Deed::Failed { reason, message } => format!("{reason}: \"{message}\""),
        Deed::Pushed(push) => {
            let files = match push.files.len() {
                1 => "1 file".to_owned(),
                count => format!("{count} files"),
            };
            let commit = push.commit.as_deref().map_or(String::new(), |commit| {
                format!("{} ", commit.get(..7).unwrap_or(commit))
            });
            let commits = match push.commits {
                0 | 1 => String::new(),
                count => format!(" in {count} commits, since policies moved one after the other"),
            };
            format!("pushed {commit}to {}: {files}{commits}", push.branch)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_have_gits_ids() {
        assert_eq!(blob_id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }

    #[test]
    fn each_field_is_compared() {
        let predicted = PushFacts {
            branch: "main".into(),
            files: BTreeMap::from([("a".to_owned(), Some("1".to_owned()))]),
            commits: 1,
            ..PushFacts::default()
        };
        assert_eq!(differences(&predicted, &predicted), []);
        let actual = PushFacts {
            branch: "auto".into(),
            message: b"x".to_vec(),
            files: BTreeMap::from([("a".to_owned(), Some("2".to_owned()))]),
            ..predicted.clone()
        };
        let fields: Vec<&str> = differences(&predicted, &actual)
            .iter()
            .map(|difference| difference.field)
            .collect();
        assert_eq!(fields, ["branch", "message", "content"]);
    }
}
