//! The last commits of a branch, for what somebody else has pushed: read, never checked out.

use std::collections::BTreeMap;
use std::time::Instant;

use super::GitError;
use super::clone::CloneRequest;
use super::clone_error::CloneError;
use super::private::PrivateRepository;
use super::remote::{Call, NAME, Remote, Service};
use crate::facts::git::CommitFacts;
use crate::io::observer::Observer;

/// The last commits of a branch.
#[derive(Debug)]
pub struct History {
    repository: PrivateRepository,
    /// Newest first, by first parents.
    pub commits: Vec<CommitFacts>,
}

/// So many commits are read at most.
const DEPTH: usize = 32;
const PLACE: &str = "refs/imageauto/history";

impl History {
    /// Fetches the last commits of `branch` from where `request` clones from.
    ///
    /// # Errors
    ///
    /// The server can't be asked, or doesn't have the branch.
    pub fn fetch(
        request: &CloneRequest,
        branch: &str,
        observer: &Observer,
    ) -> Result<Self, CloneError> {
        let local = |error: &GitError| CloneError::of_git(&request.url, error);
        let repository = PrivateRepository::create().map_err(|error| local(&error))?;
        let fault = |fault| CloneError::of_fault(&request.url, fault, &request.target);
        let mut remote = Remote::new(
            &request.url,
            &request.access,
            request.timeout,
            repository.path(),
            observer,
        )
        .map_err(fault)?;
        let main = repository.main();
        let depth = format!("--depth={DEPTH}");
        let refspec = format!("+refs/heads/{branch}:{PLACE}");
        let arguments = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            depth.as_str(),
            "--",
            NAME,
            &refspec,
        ];
        let call = Call {
            service: Service::UploadPack,
            repository: &main,
            arguments: &arguments,
            deadline: Instant::now() + request.timeout,
        };
        remote.call(&call).map_err(fault)?;
        remote.rest();
        let commits = read(&repository).map_err(|error| local(&error))?;
        Ok(Self {
            repository,
            commits,
        })
    }

    /// The paths in which two commits differ, with the blob that the second has there; `None`: it has none.
    ///
    /// # Errors
    ///
    /// Git can't read them.
    pub fn changed(
        &self,
        before: &str,
        after: &str,
    ) -> Result<BTreeMap<String, Option<String>>, GitError> {
        let arguments = ["diff-tree", "-r", "-z", "--no-renames", before, after];
        let output = self.repository.run(&arguments, None)?;
        let mut fields = output.split(|byte| *byte == 0);
        let mut changed = BTreeMap::new();
        // `:MODE MODE ID ID STATUS`, then the path.
        while let (Some(facts), Some(path)) = (fields.next(), fields.next()) {
            let facts = String::from_utf8_lossy(facts).into_owned();
            let mut words = facts.split(' ').skip(3);
            let id = words.next().unwrap_or_default().to_owned();
            let gone = words.next() == Some("D");
            let path = String::from_utf8_lossy(path).into_owned();
            changed.insert(path, (!gone).then_some(id));
        }
        Ok(changed)
    }
}

fn read(repository: &PrivateRepository) -> Result<Vec<CommitFacts>, GitError> {
    let ids = repository.run(&["rev-list", "--first-parent", PLACE], None)?;
    let ids = String::from_utf8_lossy(&ids).into_owned();
    ids.lines()
        .map(|id| {
            let bytes = repository.run(&["cat-file", "commit", id], None)?;
            CommitFacts::parse(id, &bytes)
                .ok_or_else(|| GitError(format!("commit {id} can't be read")))
        })
        .collect()
}
