//! Mirrors `git/gogit/clone.go` and `client.go` of fluxcd/pkg (git 0.52, on go-git 5.19), as image-automation-controller 1.2 uses them:
//! what a checkout ref means on a remote, where the push branch then starts, and what is said when something isn't there.

use std::time::Duration;

use super::flux::{FluxVersion, GitReference, GitRepositorySpec};
use crate::facts::git::RemoteRefs;
use crate::go::number::parse_duration;

mod names;
mod semver;

pub use names::{is_valid_ref, unusable_path};
pub use semver::{Choice, RemoteTag, TagTarget, latest_tag, parse_range};

/// What stands for the path of the controller's temporary clone in its texts.
const CLONE: &str = "<clone>";

/// What is checked out, by the controller's precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A commit, looked for in all branches, or only in `branch`.
    Commit {
        /// Its id, as the object says it.
        commit: String,
        /// The branch beside it.
        branch: Option<String>,
    },
    /// A full ref name.
    Name {
        /// The name.
        name: String,
        /// The branch beside it: where the commit of a ref that is neither branch nor tag is looked for.
        branch: Option<String>,
    },
    /// A tag.
    Tag(String),
    /// The latest tag in a range.
    Semver(String),
    /// A branch.
    Branch(String),
}

impl Target {
    /// What `reference` means to the controllers of `rules`.
    pub fn of(reference: &GitReference, rules: FluxVersion) -> Self {
        let set = |text: &String| (!text.is_empty()).then(|| text.clone());
        let branch = set(&reference.branch);
        if let Some(commit) = set(&reference.commit) {
            return Self::Commit { commit, branch };
        }
        if let Some(name) = set(&reference.name).filter(|_| rules >= FluxVersion::V2_7) {
            return Self::Name { name, branch };
        }
        if let Some(tag) = set(&reference.tag) {
            return Self::Tag(tag);
        }
        if let Some(range) = set(&reference.semver) {
            return Self::Semver(range);
        }
        Self::Branch(branch.unwrap_or_else(|| "master".into()))
    }

    /// The branch that is checked out; `None` when it is not a branch.
    pub fn checked_out_branch(&self) -> Option<&str> {
        match self {
            Self::Branch(branch) => Some(branch),
            Self::Name { name, .. } => name.strip_prefix(HEADS),
            _ => None,
        }
    }

    /// What is wrong with it before anything is asked of the remote.
    ///
    /// # Errors
    ///
    /// What the controller says.
    pub fn check(&self) -> Result<(), Said> {
        match self {
            Self::Name { name, .. } if name.starts_with('/') || name.ends_with('/') => {
                Err(Said::Plain(format!(
                    "ref {name} is invalid; Git refs cannot begin or end with a slash '/'"
                )))
            }
            Self::Semver(range) => parse_range(range).map(drop).map_err(Said::Plain),
            _ => Ok(()),
        }
    }
}

/// The limit of the controller's clone: `spec.timeout` of the GitRepository, else a minute.
pub fn timeout(source: &GitRepositorySpec) -> Duration {
    let named = source.timeout.as_deref().map(parse_duration);
    match named {
        Some(Ok(nanoseconds)) => Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)),
        _ => Duration::from_secs(60),
    }
}

/// What the controller says of a checkout that fails, as far as it doesn't hang on the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Just this.
    Plain(String),
    /// The cause of a failed clone.
    Cloning(String),
    /// The cause of a failed listing of the remote's refs, before the clone.
    Listing(String),
    /// The repository isn't there, or is empty: the cause, and then its URL.
    NoRepository(String),
    /// Nothing: it panics, is caught, and tries again, the automation's Ready condition staying as it was.
    Panics,
}

impl Said {
    /// The text behind `failed to checkout source: `, the repository's URL being `url`; `None` where the controller panics.
    pub fn text(&self, url: &str) -> Option<String> {
        match self {
            Self::Plain(text) => Some(text.clone()),
            Self::Cloning(cause) => Some(format!("unable to clone '{url}': {cause}")),
            Self::Listing(cause) => Some(format!("unable to list remote for '{url}': {cause}")),
            Self::NoRepository(cause) => {
                Some(format!("unable to clone: {cause}: git repository: '{url}'"))
            }
            Self::Panics => None,
        }
    }

    /// What is said when the connection or the server fails with `cause`. `listed_first`: see [`lists_first`](super::automation::lists_first).
    pub fn of_transport(target: &Target, listed_first: bool, cause: String) -> Self {
        match target {
            _ if listed_first => Self::Listing(cause),
            Target::Name { .. } => Self::Listing(cause),
            _ => Self::Cloning(cause),
        }
    }

    /// What is said when an ssh server doesn't know the repository, or a server's repository is empty.
    fn of_no_repository(target: &Target, listed_first: bool, cause: &str) -> Self {
        match Self::of_transport(target, listed_first, cause.into()) {
            Self::Cloning(cause) => Self::NoRepository(cause),
            other => other,
        }
    }

    /// What is said of an ssh key, or of known hosts, that can't be used.
    pub fn unusable_key(cause: &str) -> Self {
        Self::Plain(format!(
            "unable to construct auth method with options: {cause}"
        ))
    }

    /// What is said when an ssh server doesn't know the repository.
    pub fn repository_not_found(target: &Target, listed_first: bool) -> Self {
        Self::of_no_repository(target, listed_first, "repository not found")
    }
}

/// Where the work tree is switched to before the update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The push branch.
    pub branch: String,
    /// Whether the remote's state of it counts: the feature gate `GitAllBranchReferences`.
    pub all_branches: bool,
}

/// What has to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// This ref, without history.
    Ref(String),
    /// This commit, which may stand anywhere in the history of these branches (full names).
    Commit {
        /// Its id.
        id: String,
        /// As the controller names it when it isn't found.
        named: String,
        /// The branches.
        heads: Vec<String>,
    },
    /// The latest of all tags in a range.
    LatestTag(String),
}

/// The way from a remote's refs to the commit that is rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is checked out.
    pub start: Start,
    /// The remote's ref (full name) that the work tree is then switched to; `None`: it stays where it is.
    pub switch: Option<String>,
}

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
const PEELED: &str = "^{}";
const NO_REFERENCE: &str = "reference not found";

/// Plans the clone of a remote that advertises `refs`.
///
/// # Errors
///
/// What the controller says instead.
pub fn plan(
    target: &Target,
    switch: Option<&Switch>,
    listed_first: bool,
    refs: &RemoteRefs,
) -> Result<Plan, Said> {
    target.check()?;
    if refs.is_empty() {
        return Err(of_empty(target, switch, listed_first));
    }
    let all = switch.is_some_and(|switch| switch.all_branches);
    let (start, local, sees_branches) = match target {
        Target::Branch(branch) => branch_start(branch, all, refs)?,
        Target::Tag(tag) => tag_start(tag, refs)?,
        Target::Semver(range) => {
            let local = default_branch(refs)?;
            (Start::LatestTag(range.clone()), local, true)
        }
        Target::Commit { commit, branch } => {
            commit_start(commit, commit_id(commit), branch.as_deref(), all, refs)?
        }
        Target::Name { name, branch } => name_start(name, branch.as_deref(), all, refs)?,
    };
    let switch = match switch {
        Some(switch) => switched(&switch.branch, local.as_deref(), sees_branches, refs)?,
        None => None,
    };
    Ok(Plan { start, switch })
}

/// What is fetched, the local branch that the clone makes, and whether it knows the remote's other branches.
type Started = (Start, Option<String>, bool);

fn branch_start(branch: &str, all: bool, refs: &RemoteRefs) -> Result<Started, Said> {
    let name = format!("{HEADS}{branch}");
    if refs.ids.contains_key(&name) {
        return Ok((Start::Ref(name), Some(branch.to_owned()), all));
    }
    Err(if all {
        Said::Cloning(NO_REFERENCE.into())
    } else {
        missing(HEADS, branch, refs)
    })
}

fn tag_start(tag: &str, refs: &RemoteRefs) -> Result<Started, Said> {
    let name = format!("{TAGS}{tag}");
    if refs.ids.contains_key(&name) {
        // Of a tag's clone nothing but the tag is fetched: the push branch is made anew whatever the remote's is.
        return Ok((Start::Ref(name), None, false));
    }
    Err(missing(TAGS, tag, refs))
}

fn commit_start(
    named: &str,
    id: String,
    branch: Option<&str>,
    all: bool,
    refs: &RemoteRefs,
) -> Result<Started, Said> {
    let heads = || refs.ids.keys().filter(|name| name.starts_with(HEADS));
    let commit = |heads: Vec<String>| Start::Commit {
        id,
        named: named.to_owned(),
        heads,
    };
    let Some(branch) = branch else {
        let local = default_branch(refs)?;
        return Ok((commit(heads().cloned().collect()), local, true));
    };
    let (start, local, _) = branch_start(branch, all, refs)?;
    let Start::Ref(name) = start else {
        return Err(Said::Cloning(NO_REFERENCE.into()));
    };
    let fetched = if all {
        heads().cloned().collect()
    } else {
        vec![name]
    };
    Ok((commit(fetched), local, all))
}

fn name_start(
    name: &str,
    branch: Option<&str>,
    all: bool,
    refs: &RemoteRefs,
) -> Result<Started, Said> {
    let Some(id) = resolved(name, refs) else {
        return Err(Said::Plain(format!(
            "unable to resolve ref '{name}' to a specific commit"
        )));
    };
    if let Some(branch) = name.strip_prefix(HEADS) {
        return branch_start(branch, all, refs);
    }
    if let Some(tag) = name.strip_prefix(TAGS) {
        return tag_start(tag.strip_suffix(PEELED).unwrap_or(tag), refs);
    }
    commit_start(&id, id.clone(), branch, all, refs)
}

/// The commit that a full ref name stands for in the controller's eyes.
fn resolved(name: &str, refs: &RemoteRefs) -> Option<String> {
    if name == "HEAD" {
        // A symbolic ref has no id of its own there, and HEAD is one whenever a branch stands where it does.
        let id = refs.head.as_ref()?;
        let symbolic = refs
            .ids
            .iter()
            .any(|(name, other)| name.starts_with(HEADS) && other == id);
        return Some(if symbolic { "0".repeat(40) } else { id.clone() });
    }
    match name.strip_suffix(PEELED) {
        Some(tag) => refs.peeled.get(tag).cloned(),
        None => {
            let peeled = refs.peeled.get(name);
            peeled.or_else(|| refs.ids.get(name)).cloned()
        }
    }
}

/// The local branch of a clone that names none: the remote's HEAD must lead somewhere.
fn default_branch(refs: &RemoteRefs) -> Result<Option<String>, Said> {
    let Some(id) = &refs.head else {
        return Err(Said::Cloning(NO_REFERENCE.into()));
    };
    if let Some(branch) = &refs.default_branch {
        return Ok(Some(branch.clone()));
    }
    let standing = |branch: &&str| refs.ids.get(&format!("{HEADS}{branch}")) == Some(id);
    let preferred = ["master", "main"].into_iter().find(standing);
    let any = || {
        let mut heads = refs.ids.iter().filter(|(_, other)| *other == id);
        heads.find_map(|(name, _)| name.strip_prefix(HEADS))
    };
    Ok(preferred.or_else(any).map(str::to_owned))
}

fn missing(folder: &str, name: &str, refs: &RemoteRefs) -> Said {
    let cause = match name.matches('*').count() {
        _ if name.contains(':') => "malformed refspec, separators are wrong".into(),
        0 => {
            // The library reads a ref's short name up to the first blank.
            let short = name.split_whitespace().next().unwrap_or_default();
            let asked = format!("{folder}{short}");
            if refs.ids.contains_key(&asked) {
                NO_REFERENCE.into()
            } else {
                format!("couldn't find remote ref \"{asked}\"")
            }
        }
        1 => NO_REFERENCE.into(),
        _ => "malformed refspec, mismatched number of wildcards".into(),
    };
    Said::Cloning(cause)
}

/// Where the push branch starts: at the remote's ref of this name, or (`None`) where the checkout stands.
fn switched(
    branch: &str,
    local: Option<&str>,
    sees_branches: bool,
    refs: &RemoteRefs,
) -> Result<Option<String>, Said> {
    if local == Some(branch) {
        return Ok(None);
    }
    let name = format!("{HEADS}{branch}");
    if sees_branches && refs.ids.contains_key(&name) {
        return Ok(Some(name));
    }
    let refused = |cause: String| {
        Err(Said::Plain(format!(
            "could not checkout to branch '{branch}': {cause}"
        )))
    };
    if !is_valid_ref(&name) {
        return refused("invalid reference name".into());
    }
    match local {
        Some(local) if is_below(branch, local) => refused(format!(
            "mkdir {CLONE}/.git/{HEADS}{local}: not a directory"
        )),
        Some(local) if is_below(local, branch) => {
            refused(format!("open {CLONE}/.git/{name}: is a directory"))
        }
        _ => Ok(None),
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn of_empty(target: &Target, switch: Option<&Switch>, listed_first: bool) -> Said {
    const EMPTY: &str = "remote repository is empty";
    match (target, switch) {
        (Target::Branch(_), None) if !listed_first => Said::Panics,
        (Target::Branch(_), Some(switch)) if !listed_first => {
            let valid = is_valid_ref(&format!("{HEADS}{}", switch.branch));
            let cause = if valid {
                NO_REFERENCE
            } else {
                "invalid reference name"
            };
            Said::Plain(format!(
                "could not checkout to branch '{}': {cause}",
                switch.branch
            ))
        }
        _ => Said::of_no_repository(target, listed_first, EMPTY),
    }
}

/// The id that a text stands for: the hexadecimal digits that it starts with, filled up with zeros, never more than 40.
fn commit_id(text: &str) -> String {
    let digits = text
        .bytes()
        .take_while(u8::is_ascii_hexdigit)
        .take(40)
        .count();
    format!("{:0<40}", text[..digits / 2 * 2].to_ascii_lowercase())
}

/// What is said of a commit that isn't in what was fetched.
pub fn commit_not_found(named: &str) -> Said {
    Said::Plain(format!(
        "unable to resolve commit object for '{named}': object not found"
    ))
}

/// What is said of a tag that leads to no commit.
pub fn tag_without_commit() -> Said {
    Said::Cloning("unable to resolve commit".into())
}

#[cfg(test)]
mod tests;
