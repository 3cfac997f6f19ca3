//! A clone as image-automation-controller makes it, of which nothing is ever checked out: the files are read from the repository.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Component, Path};
use std::time::{Duration, Instant};

use super::GitError;
use super::clone_error::CloneError;
use super::fault::{CloneErrorKind, Fault};
use super::objects::Listing;
use super::private::{PrivateRepository, started};
use super::remote::{Call, NAME, Remote, Service};
use crate::controllers::checkout::{
    self, Choice, Plan, RemoteTag, Said, Start, Switch, TagTarget, Target,
};
use crate::controllers::git_access;
use crate::facts::git::{GitAccess, RemoteRefs, WorkTree, without_user_info};
use crate::io::observer::Observer;

/// What to clone. Neither a login nor the URL's user information leaves by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct CloneRequest {
    /// The repository, as the GitRepository says it.
    pub url: String,
    /// How to log in.
    pub access: GitAccess,
    /// What is checked out.
    pub target: Target,
    /// The push branch, where it is another.
    pub switch: Option<Switch>,
    /// The limit of all that is asked of the server.
    pub timeout: Duration,
}

impl fmt::Debug for CloneRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CloneRequest")
            .field("url", &without_user_info(&self.url))
            .field("access", &self.access)
            .field("target", &self.target)
            .field("switch", &self.switch)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// A clone: a bare repository of our own, which goes with this value.
#[derive(Debug)]
pub struct Clone {
    /// The commit that was checked out.
    pub checkout_commit: String,
    /// The commit that is rewritten: that of the push branch where there is another, and it exists on the remote.
    pub head_commit: String,
    /// Whether the remote's state of the push branch was taken.
    pub push_branch_exists: bool,
    /// The commit that the remote has on the push branch, where that is another than the one that is checked out.
    pub push_branch_head: Option<String>,
    /// The branch that the files belong to; `None` with a detached head.
    pub branch: Option<String>,
    /// The tag that was chosen in a range.
    pub tag: Option<String>,
    pub(super) repository: PrivateRepository,
    pub(super) listing: Listing,
}

/// Clones a repository; blocks, for no longer than the request's limit and a moment.
///
/// # Errors
///
/// The server refuses or can't be reached, or what is asked for isn't there.
pub fn clone(request: &CloneRequest, observer: &Observer) -> Result<Clone, CloneError> {
    let work = Work { request };
    work.check()?;
    let repository = PrivateRepository::create().map_err(|error| work.local(&error))?;
    let remote = Remote::new(
        &request.url,
        &request.access,
        request.timeout,
        repository.path(),
        observer,
    );
    let mut session = Session {
        work,
        remote: remote.map_err(|fault| work.fault(fault))?,
        repository,
        deadline: Instant::now() + request.timeout,
        push_branch_head: None,
    };
    let found = session.fetch()?;
    session.remote.rest();
    session.finish(found)
}

impl Clone {
    /// The files that are rewritten.
    ///
    /// # Errors
    ///
    /// Git can't read the clone.
    pub fn tree(&self) -> Result<WorkTree, GitError> {
        Ok(WorkTree {
            commit: Some(self.head_commit.clone()),
            branch: self.branch.clone(),
            ..self.listing.tree(&self.repository)?
        })
    }

    /// Reads the files `paths` and keeps those in which `wanted` is true; a file that can't be read keeps its error.
    pub fn read_files(
        &self,
        paths: &[&str],
        wanted: fn(&[u8]) -> bool,
    ) -> BTreeMap<String, Result<Vec<u8>, String>> {
        self.listing.read_files(&self.repository, paths, wanted)
    }

    /// Looks at the files `paths` and keeps what `look` makes of them, with their numbers in `paths`, in order.
    pub fn visit_files<P: AsRef<str> + Sync, T: Send>(
        &self,
        paths: &[P],
        look: &(impl Fn(usize, Result<&[u8], String>) -> Option<T> + Sync),
    ) -> Vec<(usize, T)> {
        self.listing.visit_files(&self.repository, paths, look)
    }

    /// Those of `paths` that git would ignore as new files.
    ///
    /// # Errors
    ///
    /// The files that say what is ignored can't be read, or git fails.
    pub fn ignored(&self, paths: &[String]) -> Result<Vec<String>, GitError> {
        let new: Vec<&String> = paths
            .iter()
            .filter(|path| !self.listing.has(path))
            .collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let folder = tempfile::tempdir_in(self.repository.path())
            .map_err(|error| GitError(format!("no temporary folder can be made: {error}")))?;
        self.write_ignore_files(folder.path(), &new)?;
        let input = new
            .iter()
            .flat_map(|path| path.bytes().chain([0]))
            .collect();
        let arguments = ["check-ignore", "--no-index", "-z", "--stdin"];
        let mut command = self.repository.with_work_tree(folder.path(), &arguments);
        let output = started(&mut command, "check-ignore", Some(input))?;
        match output.code {
            Some(0 | 1) => {
                let listed = output.stdout.split(|byte| *byte == 0);
                let listed = listed.filter(|path| !path.is_empty());
                Ok(listed
                    .map(|path| String::from_utf8_lossy(path).into_owned())
                    .collect())
            }
            _ => Err(GitError(format!(
                "git check-ignore failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))),
        }
    }

    /// Writes the `.gitignore` of every folder above `paths`: the only files of a clone that are ever written, and git reads them as
    /// patterns only.
    fn write_ignore_files(&self, folder: &Path, paths: &[&String]) -> Result<(), GitError> {
        let mut wanted: Vec<String> = paths
            .iter()
            .flat_map(|path| folders_above(path))
            .map(|above| format!("{above}.gitignore"))
            .filter(|path| self.listing.has(path))
            .collect();
        wanted.sort();
        wanted.dedup();
        let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
        for (path, bytes) in self.read_files(&names, |_| true) {
            // A link or a folder of that name ignores nothing.
            let Ok(bytes) = bytes else { continue };
            let mut parts = Path::new(&path).components();
            if !parts.all(|part| matches!(part, Component::Normal(_))) {
                continue;
            }
            let place = folder.join(&path);
            let written = place
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&place, bytes));
            written.map_err(|error| {
                GitError(format!("{} can't be written: {error}", place.display()))
            })?;
        }
        Ok(())
    }
}

/// The folders above a path with a slash at the end, the top (empty) first; the clone's paths have no `..`.
fn folders_above(path: &str) -> Vec<&str> {
    let ends = path.match_indices('/').map(|(index, _)| index + 1);
    std::iter::once(0)
        .chain(ends)
        .map(|end| &path[..end])
        .collect()
}

/// A request and the ways in which it may fail.
#[derive(Clone, Copy)]
struct Work<'a> {
    request: &'a CloneRequest,
}

impl Work<'_> {
    /// What fails before anything is asked.
    fn check(self) -> Result<(), CloneError> {
        let CloneRequest {
            url,
            access,
            target,
            ..
        } = self.request;
        let fault = |listed_first| git_access::fault(access, url, target, listed_first);
        if let Some(said) = fault(false) {
            let listed = fault(true);
            return Err(self.said(CloneErrorKind::UnusableLogin, said, listed));
        }
        target.check().map_err(|said| self.missing(said))
    }

    fn fault(self, fault: Fault) -> CloneError {
        CloneError::of_fault(&self.request.url, fault, &self.request.target)
    }

    fn local(self, error: &GitError) -> CloneError {
        CloneError::of_git(&self.request.url, error)
    }

    fn missing(self, said: Said) -> CloneError {
        self.said(CloneErrorKind::MissingRef, said, None)
    }

    /// `listed`: what is said instead by a controller that lists the refs first.
    fn said(self, kind: CloneErrorKind, said: Said, listed: Option<Said>) -> CloneError {
        let url = &self.request.url;
        let shown = without_user_info(url);
        let message = said
            .text(&shown)
            .unwrap_or_else(|| "the repository is empty: push a first commit to it".into());
        CloneError::new(url, kind, Some(said), message).when_listed(listed)
    }

    /// The way from a remote's refs to the commit.
    fn plan(self, refs: &RemoteRefs) -> Result<Plan, CloneError> {
        let CloneRequest { target, switch, .. } = self.request;
        let plan = |listed_first| checkout::plan(target, switch.as_ref(), listed_first, refs);
        plan(false).map_err(|said| {
            let kind = if refs.is_empty() {
                CloneErrorKind::Empty
            } else {
                CloneErrorKind::MissingRef
            };
            self.said(kind, said, plan(true).err())
        })
    }
}

struct Session<'a> {
    work: Work<'a>,
    remote: Remote,
    repository: PrivateRepository,
    deadline: Instant,
    /// What the remote lists for the push branch.
    push_branch_head: Option<String>,
}

/// What was fetched.
struct Found {
    checkout_commit: String,
    /// The push branch's commit, where the remote has it.
    switched: Option<String>,
    tag: Option<String>,
}

const START: &str = "refs/imageauto/start";
const PUSH: &str = "refs/imageauto/push";
const HEADS: &str = "refs/heads/";
/// Where branches are kept whose whole history is fetched.
const KEPT: &str = "refs/imageauto/heads/";

impl Session<'_> {
    fn fetch(&mut self) -> Result<Found, CloneError> {
        let request = self.work.request;
        if let (Target::Branch(branch), None) = (&request.target, &request.switch) {
            let name = format!("{HEADS}{branch}");
            // A name that git refuses is on no remote; what is said of it hangs on what is.
            if checkout::is_valid_ref(&name) {
                return self.fetch_branch(&name);
            }
        }
        let refs = self.list()?;
        self.fetch_planned(&refs)
    }

    /// The ordinary case in one conversation: a branch that is also pushed to.
    fn fetch_branch(&mut self, name: &str) -> Result<Found, CloneError> {
        match self.shallow(&[(name, START)]) {
            Ok(()) => self.found(None, None),
            Err(fault) if fault.kind == CloneErrorKind::MissingRef => {
                // Whether that is all, or the repository is empty, is another question.
                let refs = self.list()?;
                self.fetch_planned(&refs)
            }
            Err(fault) => Err(self.work.fault(fault)),
        }
    }

    fn fetch_planned(&mut self, refs: &RemoteRefs) -> Result<Found, CloneError> {
        let plan = self.work.plan(refs)?;
        if let Some(switch) = &self.work.request.switch {
            let name = format!("{HEADS}{}", switch.branch);
            self.push_branch_head = refs.ids.get(&name).cloned();
        }
        self.follow(&plan)
    }

    fn follow(&mut self, plan: &Plan) -> Result<Found, CloneError> {
        let push = plan.switch.as_deref();
        match &plan.start {
            Start::Ref(name) => self.fetch_shallow(name, push, None),
            Start::LatestTag(range) => {
                let tag = self.latest_tag(range)?;
                self.fetch_shallow(&format!("refs/tags/{tag}"), push, Some(tag))
            }
            Start::Commit { id, named, heads } => self.fetch_commit(id, named, heads, push),
        }
    }

    fn fetch_shallow(
        &mut self,
        name: &str,
        push: Option<&str>,
        tag: Option<String>,
    ) -> Result<Found, CloneError> {
        let mut wanted = vec![(name, START)];
        wanted.extend(push.map(|push| (push, PUSH)));
        self.shallow(&wanted)
            .map_err(|fault| self.work.fault(fault))?;
        self.found(push.map(|_| PUSH.to_owned()), tag)
    }

    /// The commits behind what was fetched.
    fn found(&self, push: Option<String>, tag: Option<String>) -> Result<Found, CloneError> {
        let commit = self.resolve(START)?;
        let switched = match push {
            Some(name) => self.resolve(&name)?,
            None => None,
        };
        match commit {
            Some(checkout_commit) => Ok(Found {
                checkout_commit,
                switched,
                tag,
            }),
            None => Err(self.work.missing(checkout::tag_without_commit())),
        }
    }

    /// A commit with the history of the branches that it may be in.
    fn fetch_commit(
        &mut self,
        id: &str,
        named: &str,
        heads: &[String],
        push: Option<&str>,
    ) -> Result<Found, CloneError> {
        let kept = |name: &str| name.replacen(HEADS, KEPT, 1);
        let refspec = match heads {
            [only] => format!("+{only}:{}", kept(only)),
            _ => format!("+{HEADS}*:{KEPT}*"),
        };
        if !heads.is_empty() {
            self.fetch_refspecs(&[&refspec], false)
                .map_err(|fault| self.work.fault(fault))?;
        }
        let commit = self.resolve(id)?;
        let Some(checkout_commit) = commit.filter(|commit| commit == id) else {
            return Err(self.work.missing(checkout::commit_not_found(named)));
        };
        let switched = match push {
            Some(push) => self.resolve(&kept(push))?,
            None => None,
        };
        Ok(Found {
            checkout_commit,
            switched,
            tag: None,
        })
    }

    fn resolve(&self, revision: &str) -> Result<Option<String>, CloneError> {
        let resolved = self.repository.resolve(&format!("{revision}^{{commit}}"));
        resolved.map_err(|error| self.work.local(&error))
    }

    fn shallow(&mut self, refs: &[(&str, &str)]) -> Result<(), Fault> {
        let refspecs: Vec<String> = refs
            .iter()
            .map(|(name, place)| format!("+{name}:{place}"))
            .collect();
        let refspecs: Vec<&str> = refspecs.iter().map(String::as_str).collect();
        self.fetch_refspecs(&refspecs, true)
    }

    fn fetch_refspecs(&mut self, refspecs: &[&str], shallow: bool) -> Result<(), Fault> {
        let main = self.repository.main();
        let mut options = vec!["--quiet", "--no-tags", "--no-write-fetch-head"];
        if shallow {
            options.push("--depth=1");
        }
        self.fetch_into(&main, &options, refspecs)
    }

    fn fetch_into(
        &mut self,
        repository: &Path,
        options: &[&str],
        refspecs: &[&str],
    ) -> Result<(), Fault> {
        let arguments = [&["fetch"], options, &["--", NAME], refspecs].concat();
        let call = Call {
            service: Service::UploadPack,
            repository,
            arguments: &arguments,
            deadline: self.deadline,
        };
        self.remote.call(&call).map(drop)
    }

    /// The remote's refs: only its branches where nothing else matters and there are any.
    fn list(&mut self) -> Result<RemoteRefs, CloneError> {
        let branches_matter = match &self.work.request.target {
            Target::Branch(_) => true,
            Target::Name { name, .. } => name.starts_with(HEADS),
            _ => false,
        };
        if branches_matter {
            let refs = self.list_refs(&["ls-remote", "--quiet", "--heads", "--", NAME])?;
            if !refs.is_empty() {
                return Ok(refs);
            }
        }
        self.list_refs(&["ls-remote", "--quiet", "--symref", "--", NAME])
    }

    fn list_refs(&mut self, arguments: &[&str]) -> Result<RemoteRefs, CloneError> {
        let main = self.repository.main();
        let call = Call {
            service: Service::UploadPack,
            repository: &main,
            arguments,
            deadline: self.deadline,
        };
        let output = self.remote.call(&call);
        let output = output.map_err(|fault| self.work.fault(fault))?;
        Ok(parse_refs(&String::from_utf8_lossy(&output.stdout)))
    }

    /// All tags with their commits but without files, where the server can leave these out; then the latest in the range.
    fn latest_tag(&mut self, range: &str) -> Result<String, CloneError> {
        const FORMAT: &str = "%(refname)%00%(objecttype)%00%(type)%00%(objectname)%00%(object)%00%(committerdate:unix)%00%(*committerdate:unix)";
        let beside = self.repository.create_beside("tags");
        let beside = beside.map_err(|error| self.work.local(&error))?;
        let options = [
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--depth=1",
            "--filter=tree:0",
        ];
        self.fetch_into(&beside, &options, &["+refs/tags/*:refs/tags/*"])
            .map_err(|fault| self.work.fault(fault))?;
        let format = format!("--format={FORMAT}");
        let output = self
            .repository
            .run_in(&beside, &["for-each-ref", &format, "refs/tags"], None)
            .map_err(|error| self.work.local(&error))?;
        let text = String::from_utf8_lossy(&output);
        let tags: Vec<RemoteTag> = text.lines().filter_map(parse_tag).collect();
        match checkout::latest_tag(range, &tags) {
            Ok(Choice::Tag { name, .. }) => Ok(name.to_owned()),
            Ok(Choice::Random(names)) => Err(CloneError::new(
                &self.work.request.url,
                CloneErrorKind::NotDeterministic,
                None,
                format!(
                    "the latest tags in the range {range} are one version and were committed in the same second ({}): the controller takes any of them",
                    names.join(", ")
                ),
            )),
            Err(text) => Err(self.work.missing(Said::Plain(text))),
        }
    }

    fn finish(self, found: Found) -> Result<Clone, CloneError> {
        let request = self.work.request;
        let head_commit = found
            .switched
            .clone()
            .unwrap_or_else(|| found.checkout_commit.clone());
        let listing = Listing::read(&self.repository, &head_commit)
            .map_err(|error| self.work.local(&error))?;
        let unusable = listing
            .paths()
            .filter_map(|(path, is_link)| checkout::unusable_path(path, is_link));
        // The names at the top are looked at first.
        let unusable = unusable.min_by_key(|cause| !cause.starts_with("to: "));
        if let Some(cause) = unusable {
            let said = match (&request.switch, &found.switched) {
                (Some(switch), Some(_)) => Said::Plain(format!(
                    "could not checkout to branch '{}': {cause}",
                    switch.branch
                )),
                _ => Said::Cloning(cause),
            };
            return Err(self.work.missing(said));
        }
        let push = request.switch.as_ref().map(|switch| switch.branch.clone());
        Ok(Clone {
            checkout_commit: found.checkout_commit,
            head_commit,
            push_branch_exists: found.switched.is_some(),
            push_branch_head: self.push_branch_head,
            branch: push.or_else(|| request.target.checked_out_branch().map(str::to_owned)),
            tag: found.tag,
            repository: self.repository,
            listing,
        })
    }
}

/// Reads the lines of `git ls-remote --symref`.
fn parse_refs(text: &str) -> RemoteRefs {
    let mut refs = RemoteRefs::default();
    for line in text.lines() {
        let Some((id, name)) = line.split_once('\t') else {
            continue;
        };
        if let Some(target) = id.strip_prefix("ref: ") {
            if name == "HEAD" {
                refs.default_branch = target.strip_prefix(HEADS).map(str::to_owned);
            }
        } else if name == "HEAD" {
            refs.head = Some(id.to_owned());
        } else if let Some(tag) = name.strip_suffix("^{}") {
            refs.peeled.insert(tag.to_owned(), id.to_owned());
        } else {
            refs.ids.insert(name.to_owned(), id.to_owned());
        }
    }
    refs
}

/// Reads a line of the listing of tags.
fn parse_tag(line: &str) -> Option<RemoteTag> {
    let fields: Vec<&str> = line.split('\0').collect();
    let [name, kind, inner, id, inner_id, committed, inner_committed] = fields[..] else {
        return None;
    };
    let commit = |id: &str, committed: &str| TagTarget::Commit {
        id: id.to_owned(),
        committed: committed.parse().unwrap_or(0),
    };
    Some(RemoteTag {
        name: name.strip_prefix("refs/tags/")?.to_owned(),
        target: match (kind, inner) {
            ("commit", _) => commit(id, committed),
            ("tag", "commit") => commit(inner_id, inner_committed),
            ("tag", _) => TagTarget::AnnotatedOther,
            _ => TagTarget::Other,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_read_with_head_and_tags() {
        let refs = parse_refs(
            "ref: refs/heads/main\tHEAD\n1\tHEAD\n1\trefs/heads/main\n2\trefs/tags/v1\n3\trefs/tags/v1^{}\n",
        );
        assert_eq!(refs.default_branch.as_deref(), Some("main"));
        assert_eq!(refs.head.as_deref(), Some("1"));
        assert_eq!(refs.ids.len(), 2);
        assert_eq!(refs.peeled["refs/tags/v1"], "3");
        assert!(parse_refs("").is_empty());
    }

    #[test]
    fn tags_lead_to_commits_or_not() {
        let target = |line: &str| parse_tag(&line.replace('|', "\0")).unwrap().target;
        let commit = |id: &str, committed| TagTarget::Commit {
            id: id.into(),
            committed,
        };
        assert_eq!(target("refs/tags/a|commit||1||5|"), commit("1", 5));
        assert_eq!(target("refs/tags/a|tag|commit|1|2||6"), commit("2", 6));
        assert_eq!(
            target("refs/tags/a|tag|tag|1|2||"),
            TagTarget::AnnotatedOther
        );
        assert_eq!(target("refs/tags/a|blob||1|||"), TagTarget::Other);
    }

    #[test]
    fn the_folders_above_a_path_begin_at_the_top() {
        assert_eq!(folders_above("a/b/c.yaml"), ["", "a/", "a/b/"]);
        assert_eq!(folders_above("c.yaml"), [""]);
    }
}
