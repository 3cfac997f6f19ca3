//! What `reconcile` says besides what `diff` says: the question, and what was done.

use crate::pipeline::Identity;
use crate::pipeline::stages::{CommitReceipt, Preview};

use super::console::{Talk, Tone};

/// How many files a preview changes, in words.
fn files(preview: &Preview) -> String {
    match preview.files.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    }
}

/// The question before a push.
pub fn question(preview: &Preview, identity: &Identity, suspended: bool) -> String {
    let Identity {
        url,
        branch,
        author,
        credentials,
    } = identity;
    let author = if author.is_empty() {
        "nobody named"
    } else {
        author
    };
    let suspended = if suspended {
        " (the automation is suspended)"
    } else {
        ""
    };
    format!(
        "Push {} to {branch} of {url} as {author} with {credentials}{suspended}?",
        files(preview)
    )
}

/// What was pushed.
pub fn pushed(
    preview: &Preview,
    identity: &Identity,
    receipt: &CommitReceipt,
    attempts: u32,
) -> Talk {
    let commit = receipt.commit.as_deref().unwrap_or_default();
    let refspec = preview
        .branches
        .as_ref()
        .and_then(|branches| branches.refspec.as_ref())
        .filter(|_| receipt.refspec_pushed)
        .map_or(String::new(), |refspec| {
            format!(" and with refspec {refspec}")
        });
    let signed = receipt
        .signed_by
        .as_ref()
        .map_or(String::new(), |signer| format!(", signed by {signer}"));
    let attempts = match attempts {
        0 | 1 => String::new(),
        count => format!(" at attempt {count}"),
    };
    Talk::new(
        Tone::Success,
        format!(
            "update/{} ({}): pushed {commit} to {} of {}{refspec}{signed}{attempts}",
            preview.key.name, preview.key.namespace, identity.branch, identity.url
        ),
    )
}

/// The question before a work tree is changed.
pub fn local_question(
    preview: &Preview,
    folder: &str,
    branch: Option<&str>,
    commits: bool,
) -> String {
    let files = files(preview);
    if !commits {
        return format!("Change {files} in {folder}?");
    }
    let branch = branch.unwrap_or("no branch (HEAD is detached)");
    format!(
        "Commit {files} on {branch} in {folder} as {}?",
        preview.author.name
    )
}

/// What was changed in a work tree.
pub fn changed(preview: &Preview, folder: &str, receipt: &CommitReceipt) -> Talk {
    let files = files(preview);
    let what = match &receipt.commit {
        Some(commit) => format!("committed {files} as {commit} in {folder}"),
        None => format!("changed {files} in {folder}"),
    };
    let signed = receipt
        .signed_by
        .as_ref()
        .map_or(String::new(), |signer| format!(", signed by {signer}"));
    let key = &preview.key;
    Talk::new(
        Tone::Success,
        format!("update/{} ({}): {what}{signed}", key.name, key.namespace),
    )
}
