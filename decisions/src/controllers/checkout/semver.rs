//! Mirrors `cloneSemVer` of `git/gogit/clone.go` in fluxcd/pkg (git 0.52): the latest of a repository's tags in a range.

use std::cmp::Ordering;

use crate::go::semver::{Constraints, Version};

/// A tag of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTag {
    /// Its name without `refs/tags/`.
    pub name: String,
    /// What it leads to.
    pub target: TagTarget,
}

/// What a tag leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagTarget {
    /// A commit, and when it was committed, in seconds since 1970.
    Commit {
        /// Its id.
        id: String,
        /// The committer's time.
        committed: i64,
    },
    /// An annotated tag of something else than a commit, another tag included.
    AnnotatedOther,
    /// Directly something else than a commit.
    Other,
}

/// The tag that is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    /// This one.
    Tag {
        /// Its name.
        name: &'a str,
        /// Its commit.
        commit: &'a str,
    },
    /// Any one of these, which differ neither in precedence nor in time: the controller's choice is random.
    Random(Vec<&'a str>),
}

/// Reads the range.
///
/// # Errors
///
/// What the controller says, before it asks the remote.
pub fn parse_range(range: &str) -> Result<Constraints, String> {
    Constraints::parse(range).map_err(|error| format!("semver parse error: {error}"))
}

/// Chooses among all tags of a repository.
///
/// # Errors
///
/// What the controller says: of the range, of a tag (any, in the range or not) that leads to no commit, or that none matches.
pub fn latest_tag<'a>(range: &str, tags: &'a [RemoteTag]) -> Result<Choice<'a>, String> {
    let constraints = parse_range(range)?;
    let mut matching = Vec::new();
    for tag in tags {
        let (id, committed) = commit_of(tag)?;
        if let Ok(version) = Version::parse(&tag.name)
            && constraints.check(&version)
        {
            matching.push((version, committed, tag.name.as_str(), id));
        }
    }
    let later = |left: &(Version<'_>, i64, &str, &str), right: &(Version<'_>, i64, &str, &str)| {
        left.0.cmp(&right.0).then(left.1.cmp(&right.1))
    };
    let Some(last) = matching.iter().max_by(|left, right| later(left, right)) else {
        return Err(format!("no match found for semver: {range}"));
    };
    let tied: Vec<_> = matching
        .iter()
        .filter(|other| later(other, last) == Ordering::Equal)
        .collect();
    // Tags of one commit are the same to whoever reads its files.
    if tied.iter().all(|other| other.3 == last.3) {
        let (_, _, name, commit) = *last;
        return Ok(Choice::Tag { name, commit });
    }
    Ok(Choice::Random(tied.iter().map(|tag| tag.2).collect()))
}

fn commit_of(tag: &RemoteTag) -> Result<(&str, i64), String> {
    match &tag.target {
        TagTarget::Commit { id, committed } => Ok((id, *committed)),
        TagTarget::AnnotatedOther => {
            Err("unable to resolve tag revision: unsupported object type".into())
        }
        TagTarget::Other => Err("unable to resolve tag revision: reference not found".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str, id: &str, committed: i64) -> RemoteTag {
        RemoteTag {
            name: name.into(),
            target: TagTarget::Commit {
                id: id.into(),
                committed,
            },
        }
    }

    fn chosen<'a>(range: &str, tags: &'a [RemoteTag]) -> &'a str {
        match latest_tag(range, tags) {
            Ok(Choice::Tag { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_highest_version_in_the_range_wins() {
        let tags = [
            tag("v1.2.0", "a", 5),
            tag("1.10.0", "b", 1),
            tag("1.11.0-rc.1", "c", 9),
            tag("2.0.0", "d", 9),
            tag("1.99", "e", 9),
            tag("latest", "f", 9),
        ];
        assert_eq!(chosen("1.x", &tags), "1.10.0");
        assert_eq!(chosen(">=1.0.0-0 <2", &tags), "1.11.0-rc.1");
        assert_eq!(
            latest_tag(">=3", &tags),
            Err("no match found for semver: >=3".into())
        );
        assert_eq!(
            latest_tag("not a range", &tags),
            Err("semver parse error: improper constraint: \"not a range\"".into())
        );
    }

    #[test]
    fn equal_versions_go_by_the_time_of_their_commits() {
        let tags = [
            tag("1.9.0+a", "a", 20),
            tag("1.9.0+b", "b", 30),
            tag("v1.9.0", "c", 10),
        ];
        assert_eq!(chosen("1.x", &tags), "1.9.0+b");
        let same_commit = [tag("1.9.0", "a", 20), tag("v1.9.0", "a", 20)];
        assert!(matches!(
            latest_tag("1.x", &same_commit),
            Ok(Choice::Tag { commit: "a", .. })
        ));
        let same_time = [tag("1.9.0", "a", 20), tag("v1.9.0", "b", 20)];
        assert_eq!(
            latest_tag("1.x", &same_time),
            Ok(Choice::Random(vec!["1.9.0", "v1.9.0"]))
        );
    }

    #[test]
    fn one_tag_of_something_else_fails_the_run() {
        let mut tags = [tag("1.0.0", "a", 1), tag("zz", "b", 1)];
        tags[1].target = TagTarget::Other;
        assert_eq!(
            latest_tag("1.x", &tags),
            Err("unable to resolve tag revision: reference not found".into())
        );
        tags[1].target = TagTarget::AnnotatedOther;
        assert_eq!(
            latest_tag("1.x", &tags),
            Err("unable to resolve tag revision: unsupported object type".into())
        );
    }
}
