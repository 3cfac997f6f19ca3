//! The files that each automation starts from: a local work tree that stands for its source, or a clone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;

use crate::controllers::automation::{self, AutomationFailure};
use crate::controllers::checkout::{self, Switch, Target};
use crate::controllers::flux::{GitRepository, ImageUpdateAutomation, ObjectKey};
use crate::controllers::git_access::{self, Access};
use crate::facts::git::{GitAccess, GitHubApp, GitLogin, WorkTree};
use crate::facts::snapshot::ClonedHeads;
use crate::failure::{Failure, FailureKind};
use crate::io::git::{self, Clone as GitClone, CloneError, CloneRequest, TreeFiles};
use crate::io::observer::Event;

use super::credentials::Credentials;
use super::git_token::Tokens;
use super::request::{Request, WorktreeSetting};
use super::session::Session;
use super::signer::{self, Signer};
use super::stages::Inputs;

/// The files of one source at the commit that is rewritten.
#[derive(Debug)]
pub struct Checkout {
    /// Where they are read.
    pub files: TreeFiles,
    /// Every entry.
    pub tree: WorkTree,
    /// The clone, where it is one.
    pub clone: Option<Arc<GitClone>>,
    /// What was cloned, where it is one.
    pub request: Option<CloneRequest>,
    /// What the clone told, where there was one and is none any more.
    pub heads: Option<ClonedHeads>,
    /// Whose git credentials were used instead of the object's, and why.
    pub users_own: Option<String>,
}

impl Checkout {
    /// What a clone tells besides its files; `None`: they are those of a local folder.
    pub fn heads(&self) -> Option<ClonedHeads> {
        let told = self.clone.as_ref().map(|clone| ClonedHeads {
            checkout_commit: clone.checkout_commit.clone(),
            push_branch_exists: clone.push_branch_exists,
            branch: clone.branch.clone(),
        });
        told.or_else(|| self.heads.clone())
    }

    /// The same without a clone to push from.
    pub(super) fn for_reading(&self) -> Self {
        Self {
            files: self.files.clone(),
            tree: self.tree.clone(),
            clone: None,
            request: None,
            heads: self.heads(),
            users_own: self.users_own.clone(),
        }
    }
}

/// Why there are no files.
#[derive(Clone, Debug)]
pub enum CheckoutFailure {
    /// The controller fails before it clones.
    Controllers(AutomationFailure),
    /// The clone fails, and with it the controller's unless the login was not its own.
    Clone {
        /// What went wrong.
        error: Arc<CloneError>,
        /// Whose git credentials were used instead of the object's, and why.
        users_own: Option<String>,
    },
    /// There is no token to log in with.
    NoToken {
        /// What the controller says, where it fails too.
        controllers: Option<AutomationFailure>,
        /// Whether it is the server that gives none.
        by_server: bool,
        /// What went wrong.
        ours: Failure,
    },
    /// We could not find out.
    Ours(Failure),
    /// As it was when it was tried.
    Recorded {
        /// What the controller says, where it fails too.
        predicted: Option<AutomationFailure>,
        /// Our part in it.
        ours: Option<Failure>,
    },
}

/// The files of each automation; one whose source isn't known from the objects has no entry.
#[derive(Debug, Default)]
pub struct Checkouts {
    by_automation: BTreeMap<ObjectKey, Result<Arc<Checkout>, CheckoutFailure>>,
    signers: BTreeMap<ObjectKey, Signer>,
}

impl Checkouts {
    /// What is known already.
    pub(super) fn new(
        by_automation: BTreeMap<ObjectKey, Result<Arc<Checkout>, CheckoutFailure>>,
        signers: BTreeMap<ObjectKey, Signer>,
    ) -> Self {
        Self {
            by_automation,
            signers,
        }
    }

    /// The files of an automation.
    pub fn of(&self, automation: &ObjectKey) -> Option<&Result<Arc<Checkout>, CheckoutFailure>> {
        self.by_automation.get(automation)
    }

    /// What signs the commits of an automation.
    pub fn signer_of(&self, automation: &ObjectKey) -> &Signer {
        self.signers.get(automation).unwrap_or(&Signer::Nobody)
    }
}

/// Where an automation's files come from.
enum Origin<'a> {
    Folder(PathBuf),
    Clone(&'a GitRepository, Wanted),
}

/// What of a source is wanted; automations that want the same share a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    target: Target,
    switch: Option<Switch>,
}

/// Gets the files of every automation of the run: sources side by side, each read or cloned once.
///
/// # Errors
///
/// The flags name no work tree for a source where they should, or the cluster can't be asked for credentials.
pub fn checkouts(
    request: &Request,
    inputs: &Inputs,
    session: &Session,
) -> Result<Checkouts, Failure> {
    if let Some(replay) = session.replay().filter(|_| request.worktrees.is_empty()) {
        return Ok(replay.checkouts(inputs));
    }
    check_bare_worktree(request, inputs)?;
    let mut origins: BTreeMap<ObjectKey, Origin<'_>> = BTreeMap::new();
    for key in &inputs.automations {
        let Some(automation) = inputs.objects.automations.get(key) else {
            continue;
        };
        if let Some(origin) = origin(request, inputs, automation)? {
            origins.insert(key.clone(), origin);
        }
    }
    let credentials = credentials(&origins, inputs, session)?;
    let signers = signer::signers(inputs, &credentials, session.now);
    let jobs = jobs(origins, inputs, &credentials);
    let mut checkouts = carry_out(jobs, session);
    checkouts.signers = signers;
    Ok(checkouts)
}

fn check_bare_worktree(request: &Request, inputs: &Inputs) -> Result<(), Failure> {
    let source_of = |key: &ObjectKey| {
        let automation = inputs.objects.automations.get(key)?;
        automation::source_key(automation).ok()
    };
    let sources: BTreeSet<ObjectKey> = inputs.automations.iter().filter_map(source_of).collect();
    let named = |source: &&ObjectKey| {
        let mut worktrees = request.worktrees.iter();
        worktrees.any(|setting| setting.source.as_ref() == Some(source))
    };
    let unnamed: Vec<String> = sources
        .iter()
        .filter(|source| !named(source))
        .map(ToString::to_string)
        .collect();
    let is_bare = |setting: &WorktreeSetting| setting.source.is_none();
    if request.worktrees.iter().any(is_bare) && unnamed.len() > 1 {
        return Err(Failure::usage(format!(
            "--worktree DIR stands for one GitRepository, and the automations have several ({}): name each as --worktree NAMESPACE/NAME=DIR",
            unnamed.join(", ")
        )));
    }
    Ok(())
}

/// Where the files of `automation` come from; `None` where the preview ends before it needs them.
fn origin<'a>(
    request: &Request,
    inputs: &'a Inputs,
    automation: &ImageUpdateAutomation,
) -> Result<Option<Origin<'a>>, Failure> {
    let Ok(key) = automation::source_key(automation) else {
        return Ok(None);
    };
    if let Some(folder) = worktree(request, &key) {
        return Ok(Some(Origin::Folder(folder.to_owned())));
    }
    let controller = inputs.automation_controller(automation);
    let blocked = controller.is_some_and(|controller| controller.no_cross_namespace_refs);
    if blocked && key.namespace != automation.key.namespace {
        return Ok(None);
    }
    let Some(source) = inputs.objects.git_repositories.get(&key) else {
        return if inputs.live {
            Ok(None)
        } else {
            let top = current_work_tree(request, &key)?;
            if top.is_none() && request.needs_files {
                return Err(Failure::usage(format!(
                    "GitRepository {key} is not in the input and the current directory is no work tree: name one with --worktree DIR"
                )));
            }
            Ok(top.map(Origin::Folder))
        };
    };
    let rules = inputs.automation_rules(automation);
    let Ok(branches) = automation::branches(automation, Some(source), rules) else {
        return Ok(None);
    };
    let all_branches =
        controller.is_none_or(|controller| controller.gate("GitAllBranchReferences", true));
    let switch = branches.switched.then(|| Switch {
        branch: branches.push_branch.clone(),
        all_branches,
    });
    let target = Target::of(&branches.checkout, rules);
    Ok(Some(Origin::Clone(source, Wanted { target, switch })))
}

/// The work tree that the flags name for a source.
fn worktree<'a>(request: &'a Request, source: &ObjectKey) -> Option<&'a Path> {
    let named = |setting: &&WorktreeSetting| setting.source.as_ref() == Some(source);
    let bare = |setting: &&WorktreeSetting| setting.source.is_none();
    let setting = request
        .worktrees
        .iter()
        .find(named)
        .or_else(|| request.worktrees.iter().find(bare));
    setting.map(|setting| setting.folder.as_path())
}

fn current_work_tree(request: &Request, source: &ObjectKey) -> Result<Option<PathBuf>, Failure> {
    if !request.worktrees.is_empty() {
        return Err(Failure::usage(format!(
            "GitRepository {source} is not in the input, and no --worktree names it: use --worktree {source}=DIR"
        )));
    }
    Ok(git::top_of(Path::new("."))?)
}

/// Reads the Secrets that the controller would read to clone, and no others.
fn credentials(
    origins: &BTreeMap<ObjectKey, Origin<'_>>,
    inputs: &Inputs,
    session: &Session,
) -> Result<Credentials, Failure> {
    let cloned = origins.values().filter_map(|origin| match origin {
        Origin::Clone(source, _) => Some(*source),
        Origin::Folder(_) => None,
    });
    let mut keys: BTreeSet<ObjectKey> = cloned.flat_map(git_access::needed).collect();
    keys.extend(signer::needed(inputs, origins.keys()));
    let mut credentials = Credentials::default();
    let cluster = if inputs.live {
        Some(session.cluster()?)
    } else {
        None
    };
    let reading = credentials.look_up_secrets(keys, &inputs.objects, cluster);
    session.wait(FailureKind::Cluster, "reading the cluster", reading)??;
    session.remember_forbidden(credentials.forbidden());
    Ok(credentials)
}

/// One folder to read or repository to clone, for all automations that start from it.
struct Job {
    automations: Vec<ObjectKey>,
    work: Work,
    users_own: Option<String>,
}

#[derive(PartialEq, Eq)]
enum Work {
    Folder(PathBuf),
    Clone(Box<CloneRequest>),
    /// A clone by a token of an app.
    CloneAs(Box<GitHubApp>, Box<CloneRequest>),
    Fail(AutomationFailure),
}

fn jobs(
    origins: BTreeMap<ObjectKey, Origin<'_>>,
    inputs: &Inputs,
    credentials: &Credentials,
) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for (automation, origin) in origins {
        let (work, users_own) = match origin {
            Origin::Folder(folder) => (Work::Folder(folder), None),
            Origin::Clone(source, wanted) => {
                let identity = inputs
                    .objects
                    .automations
                    .get(&automation)
                    .and_then(|automation| inputs.automation_controller(automation))
                    .is_some_and(|controller| {
                        controller.gate("ObjectLevelWorkloadIdentity", false)
                    });
                clone_work(source, wanted, identity, credentials)
            }
        };
        match jobs.iter_mut().find(|job| job.work == work) {
            Some(job) => job.automations.push(automation),
            None => jobs.push(Job {
                automations: vec![automation],
                work,
                users_own,
            }),
        }
    }
    jobs
}

fn clone_work(
    source: &GitRepository,
    wanted: Wanted,
    object_identity: bool,
    credentials: &Credentials,
) -> (Work, Option<String>) {
    let mut by = None;
    let (access, users_own) =
        match git_access::access(source, object_identity, |key| credentials.secret(key)) {
            Access::Known(access) => (access, None),
            Access::App { app, access } => {
                by = Some(app);
                (access, None)
            }
            Access::Fails(failure) => return (Work::Fail(failure), None),
            Access::Hidden { why } => {
                let access = GitAccess {
                    login: GitLogin::UserOwn,
                    ..GitAccess::default()
                };
                (access, Some(why))
            }
        };
    let request = CloneRequest {
        url: source.spec.url.clone(),
        access,
        target: wanted.target,
        switch: wanted.switch,
        timeout: checkout::timeout(&source.spec),
    };
    let request = Box::new(request);
    let work = match by {
        Some(app) => Work::CloneAs(app, request),
        None => Work::Clone(request),
    };
    (work, users_own)
}

/// Repositories that are cloned at once.
const SIDE_BY_SIDE: usize = 8;

fn carry_out(jobs: Vec<Job>, session: &Session) -> Checkouts {
    let total = jobs.len();
    let queue = Mutex::new(jobs.into_iter());
    let done = Mutex::new((0, Checkouts::default()));
    let tokens = Tokens::default();
    let next = || queue.lock().ok()?.next();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(total) {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let outcome = job.carry_out(&tokens, session);
                    let Ok(mut done) = done.lock() else { return };
                    done.0 += 1;
                    session.observer.tell(Event::Progress {
                        what: "sources read",
                        done: done.0,
                        total,
                    });
                    for automation in job.automations {
                        done.1.by_automation.insert(automation, outcome.clone());
                    }
                }
            });
        }
    });
    done.into_inner()
        .map_or_else(|_| Checkouts::default(), |(_, checkouts)| checkouts)
}

impl Job {
    fn carry_out(
        &self,
        tokens: &Tokens,
        session: &Session,
    ) -> Result<Arc<Checkout>, CheckoutFailure> {
        match &self.work {
            Work::Folder(folder) => {
                let (files, tree) = local(folder).map_err(CheckoutFailure::Ours)?;
                Ok(self.checkout(files, tree, None))
            }
            Work::Fail(failure) => Err(CheckoutFailure::Controllers(failure.clone())),
            Work::Clone(request) => self.cloned(request, session),
            Work::CloneAs(app, request) => {
                self.cloned(&tokens.logged_in(app, request, session)?, session)
            }
        }
    }

    fn cloned(
        &self,
        request: &CloneRequest,
        session: &Session,
    ) -> Result<Arc<Checkout>, CheckoutFailure> {
        let clone = self.clone_repository(request, session)?;
        let tree = clone
            .tree()
            .map_err(|error| CheckoutFailure::Ours(error.into()))?;
        let files = TreeFiles::Clone(Arc::clone(&clone));
        Ok(self.checkout(files, tree, Some((clone, request.clone()))))
    }

    fn checkout(
        &self,
        files: TreeFiles,
        tree: WorkTree,
        from: Option<(Arc<GitClone>, CloneRequest)>,
    ) -> Arc<Checkout> {
        let (clone, request) = from.unzip();
        Arc::new(Checkout {
            files,
            tree,
            clone,
            request,
            heads: None,
            users_own: self.users_own.clone(),
        })
    }

    fn clone_repository(
        &self,
        request: &CloneRequest,
        session: &Session,
    ) -> Result<Arc<GitClone>, CheckoutFailure> {
        let left = session.left();
        let limited = CloneRequest {
            timeout: request.timeout.min(left),
            ..request.clone()
        };
        match git::clone(&limited, &session.observer) {
            Ok(clone) => Ok(Arc::new(clone)),
            Err(_) if limited.timeout < request.timeout && session.left().is_zero() => Err(
                CheckoutFailure::Ours(session.out_of_time(FailureKind::Git, "cloning")),
            ),
            Err(error) => Err(CheckoutFailure::Clone {
                error: Arc::new(error),
                users_own: self.users_own.clone(),
            }),
        }
    }
}

fn local(folder: &Path) -> Result<(TreeFiles, WorkTree), Failure> {
    if !folder.is_dir() {
        return Err(Failure::git(format!(
            "--worktree {}: is not a folder",
            folder.display()
        )));
    }
    Ok(TreeFiles::local(folder)?)
}
