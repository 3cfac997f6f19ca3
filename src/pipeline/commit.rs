//! The last stage: the commit that a preview shows, and its push. The only place that writes to a git server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::controllers::automation::Branches;
use crate::controllers::checkout::{self, Target};
use crate::controllers::commit::Commit;
use crate::controllers::flux::ImageUpdateAutomation;
use crate::controllers::refspec::{self, LocalRefs, RefPush, Unusable};
use crate::facts::git::{GitLogin, without_secrets};
use crate::failure::Failure;
use crate::findings::{self, Finding};
use crate::io::git::{
    Clone as GitClone, CloneRequest, Expected, NewFile, Push, PushError, PushErrorKind, Pushed,
    Pushing,
};

use super::checkout::{Checkout, Checkouts};
use super::request::SignBy;
use super::session::Session;
use super::signer::Signer;
use super::stages::{CommitReceipt, Inputs, Preview};

/// What came of an attempt to push.
#[derive(Debug)]
pub enum Attempt {
    /// It went through.
    Pushed(CommitReceipt),
    /// Somebody else pushed first, and nothing was changed: their words.
    Lost(String),
    /// It failed; what was done all the same.
    Failed {
        /// What went through.
        receipt: CommitReceipt,
        /// Why the rest didn't.
        failure: Failure,
        /// The same as a finding, where it is one.
        finding: Option<Finding>,
    },
}

/// Why a push is not tried.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// In words.
    pub failure: Failure,
    /// The same as a finding, where it is one.
    pub finding: Option<Box<Finding>>,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            finding: None,
        }
    }
}

/// Who pushes, as words for a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Where to: without anything secret.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// The author's name.
    pub author: String,
    /// Whose credentials: `Secret flux-system/deploy-key`, `your own git configuration`, `no credentials`.
    pub credentials: String,
}

/// One automation's way to its git server.
struct Pushes<'a> {
    automation: &'a ImageUpdateAutomation,
    preview: &'a Preview,
    branches: &'a Branches,
    checkout: &'a Checkout,
    clone: &'a Arc<GitClone>,
    request: &'a CloneRequest,
    forces: bool,
}

impl<'a> Pushes<'a> {
    fn new(
        inputs: &'a Inputs,
        checkouts: &'a Checkouts,
        preview: &'a Preview,
    ) -> Result<Self, Failure> {
        let missing = || Failure::git(format!("{}: there is no clone to push from", preview.key));
        let automation = inputs.objects.automations.get(&preview.key);
        let checkout = match checkouts.of(&preview.key) {
            Some(Ok(checkout)) => checkout,
            _ => return Err(missing()),
        };
        let forces = automation
            .and_then(|automation| inputs.automation_controller(automation))
            .is_none_or(|controller| controller.gate("GitForcePushBranch", true));
        Ok(Self {
            automation: automation.ok_or_else(missing)?,
            preview,
            branches: preview.branches.as_ref().ok_or_else(missing)?,
            checkout,
            clone: checkout.clone.as_ref().ok_or_else(missing)?,
            request: checkout.request.as_ref().ok_or_else(missing)?,
            forces,
        })
    }

    fn branch(&self) -> Result<&'a str, Failure> {
        self.clone.branch.as_deref().ok_or_else(|| {
            Failure::git(format!(
                "{}: the commit would be on no branch",
                self.preview.key
            ))
        })
    }

    fn target(&self) -> Result<String, Failure> {
        Ok(format!("refs/heads/{}", self.branch()?))
    }

    fn open(&self, session: &Session) -> Result<Pushing<'a>, PushError> {
        let limit = self.request.timeout.min(session.left());
        Pushing::new(self.clone, self.request, limit, &session.observer)
    }

    /// Whether the push may replace what the branch has.
    fn forced(&self) -> bool {
        self.branches.switched && self.forces
    }

    /// What the remote has on the push branch.
    fn seen(&self) -> Option<&'a str> {
        if self.branches.switched {
            self.clone.push_branch_head.as_deref()
        } else {
            Some(self.clone.head_commit.as_str())
        }
    }

    fn finding_of(&self, error: &PushError) -> Option<Finding> {
        let words = error.server.clone().unwrap_or_else(|| error.to_string());
        let key = &self.preview.key;
        match error.kind {
            PushErrorKind::NotAllowed => Some(findings::automations::push_credential_read_only(
                key, &words,
            )),
            PushErrorKind::Rejected => {
                let branch = self.clone.branch.as_deref().unwrap_or_default();
                Some(findings::automations::push_rejected(key, branch, &words))
            }
            _ => None,
        }
    }

    fn failure_of(&self, error: &PushError) -> Failure {
        let source = &self.preview.source.key;
        let advice = match error.kind {
            PushErrorKind::NotAllowed => ": give the account or key of its Secret write access",
            PushErrorKind::Rejected => {
                ": let the account push to the branch, or push to another with --push-branch"
            }
            _ => "",
        };
        let users_own = match &self.checkout.users_own {
            Some(why) => format!(" (with your own git configuration, since {why})"),
            None => String::new(),
        };
        Failure::git(format!(
            "GitRepository {source}: {error}{users_own}{advice}"
        ))
    }
}

/// Who would push a preview's commit, and where.
///
/// # Errors
///
/// There is no clone to push from.
pub fn identity(
    inputs: &Inputs,
    checkouts: &Checkouts,
    preview: &Preview,
) -> Result<Identity, Failure> {
    let pushes = Pushes::new(inputs, checkouts, preview)?;
    let source = inputs.objects.git_repositories.get(&preview.source.key);
    let secret = source.and_then(|source| source.spec.secret_ref.as_ref());
    let credentials = match (&pushes.request.access.login, secret) {
        (GitLogin::UserOwn, _) => "your own git configuration".into(),
        (GitLogin::Anonymous, None) => "no credentials".into(),
        (_, Some(secret)) => format!("Secret {}/{}", preview.source.key.namespace, secret.name),
        (_, None) => "the login in its URL".into(),
    };
    Ok(Identity {
        url: without_secrets(&pushes.request.url),
        branch: pushes.branch()?.to_owned(),
        author: preview.author.name.clone(),
        credentials,
    })
}

/// Finds out whether the server would take a push of this login at all, from what it says before anything is sent.
///
/// # Errors
///
/// It would not, or can't be asked.
pub fn check(
    inputs: &Inputs,
    checkouts: &Checkouts,
    preview: &Preview,
    session: &Session,
) -> Result<(), Refusal> {
    let pushes = Pushes::new(inputs, checkouts, preview)?;
    let target = pushes.target()?;
    let asked = pushes
        .open(session)
        .and_then(|mut pushing| pushing.check(&target));
    asked.map_err(|error| Refusal {
        failure: pushes.failure_of(&error),
        finding: pushes.finding_of(&error).map(Box::new),
    })
}

/// Conversations with git servers at once.
const SIDE_BY_SIDE: usize = 8;

/// The same as [`check`] for several previews, in their order: side by side, and each login asked about once for each repository.
pub fn check_all(
    inputs: &Inputs,
    checkouts: &Checkouts,
    previews: &[&Preview],
    session: &Session,
) -> Vec<Result<(), Refusal>> {
    let ways: Vec<Result<Pushes<'_>, Failure>> = previews
        .iter()
        .map(|preview| Pushes::new(inputs, checkouts, preview))
        .collect();
    let mut asking: Vec<&Pushes<'_>> = Vec::new();
    let places: Vec<Option<usize>> = ways
        .iter()
        .map(|way| {
            let way = way.as_ref().ok()?;
            let same = |other: &&Pushes<'_>| {
                (&other.request.url, &other.request.access)
                    == (&way.request.url, &way.request.access)
            };
            let known = asking.iter().position(same);
            Some(known.unwrap_or_else(|| {
                asking.push(way);
                asking.len() - 1
            }))
        })
        .collect();
    let answers = ask_side_by_side(&asking, session);
    ways.iter()
        .zip(places)
        .map(|(way, place)| {
            let way = way.as_ref().map_err(|failure| failure.clone())?;
            match place.and_then(|place| answers.get(place)) {
                Some(Err(error)) => Err(Refusal {
                    failure: way.failure_of(error),
                    finding: way.finding_of(error).map(Box::new),
                }),
                _ => way.target().map(drop).map_err(Refusal::from),
            }
        })
        .collect()
}

fn ask_side_by_side(asking: &[&Pushes<'_>], session: &Session) -> Vec<Result<(), PushError>> {
    let next = AtomicUsize::new(0);
    let ask = || {
        let mut answers = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(way) = asking.get(at) else {
                return answers;
            };
            // One that would be on no branch is told without asking.
            let Ok(target) = way.target() else {
                answers.push((at, Ok(())));
                continue;
            };
            let opened = way.open(session);
            answers.push((at, opened.and_then(|mut pushing| pushing.check(&target))));
        }
    };
    let mut answers: Vec<(usize, Result<(), PushError>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SIDE_BY_SIDE.min(asking.len()))
            .map(|_| scope.spawn(ask))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// What there is to say of a push before it is tried.
pub fn before_push(inputs: &Inputs, checkouts: &Checkouts, preview: &Preview) -> Vec<Finding> {
    let Ok(pushes) = Pushes::new(inputs, checkouts, preview) else {
        return Vec::new();
    };
    let seen = pushes.seen();
    let replaced = seen.filter(|seen| *seen != pushes.clone.head_commit && pushes.forced());
    let diverged = replaced.map(|head| {
        findings::automations::push_branch_diverged(
            &preview.key,
            &pushes.branches.push_branch,
            head,
        )
    });
    diverged
        .into_iter()
        .filter(|_| !preview.files.is_empty())
        .collect()
}

/// Whether git takes a name for a branch.
pub fn is_branch_name(name: &str) -> bool {
    !name.starts_with('-') && checkout::is_valid_ref(&format!("refs/heads/{name}"))
}

/// Makes the commit of a preview and pushes it, against the state of the branch that the preview was made from.
///
/// # Errors
///
/// The commit can't be made: its signing key can't be used, or the disk is full.
pub fn push(
    inputs: &Inputs,
    checkouts: &Checkouts,
    preview: &Preview,
    sign_by: SignBy,
    session: &Session,
) -> Result<Attempt, Failure> {
    let pushes = Pushes::new(inputs, checkouts, preview)?;
    let signer = checkouts.signer_of(&preview.key);
    let (commit, signed_by) = pushes.commit(signer, sign_by)?;
    pushes.push(commit, signed_by, session)
}

impl Pushes<'_> {
    fn commit(
        &self,
        signer: &Signer,
        sign_by: SignBy,
    ) -> Result<(String, Option<String>), Failure> {
        let files: Vec<NewFile<'_>> = self
            .preview
            .files
            .iter()
            .map(|file| NewFile {
                path: &file.path,
                bytes: &file.new,
            })
            .collect();
        let commit = Commit {
            tree: self.clone.write_tree(&files)?,
            parent: self.clone.head_commit.clone(),
            author: self.preview.author.clone(),
            seconds: jiff::Timestamp::now().as_second(),
            message: self.preview.message.clone().unwrap_or_default(),
        };
        if sign_by == SignBy::User {
            let id = self.clone.commit_as_user(&commit)?;
            return Ok((id, Some("your own git configuration".into())));
        }
        let signature = signature(self.preview, sign_by, signer, &commit)?;
        let signed_by = match signer {
            Signer::Key(key) if signature.is_some() => Some(key.name()),
            _ => None,
        };
        let id = self
            .clone
            .write_commit(commit.encode(signature.as_deref()))?;
        Ok((id, signed_by))
    }

    fn push(
        &self,
        commit: String,
        signed_by: Option<String>,
        session: &Session,
    ) -> Result<Attempt, Failure> {
        let mut receipt = CommitReceipt {
            commit: Some(commit.clone()),
            pushed: false,
            refspec_pushed: false,
            signed_by,
        };
        let target = self.target()?;
        let options = options(self.automation);
        let seen = self.seen();
        if let Some(seen) = seen.filter(|seen| *seen != self.clone.head_commit)
            && !self.forced()
        {
            let message = format!(
                "{}: {target} is at {seen}, which the commit doesn't follow, and the controller's gate GitForcePushBranch is off: merge or delete the branch",
                self.preview.key
            );
            return Ok(self.failed(receipt, Failure::git(message), None));
        }
        let mut pushing = match self.open(session) {
            Ok(pushing) => pushing,
            Err(error) => return Ok(self.failed_by(receipt, &error)),
        };
        let outcome = pushing.push(&Push {
            commit: &commit,
            to: &target,
            expected: Expected::Commit(seen),
            options: &options,
        });
        match outcome {
            Ok(Pushed::Done | Pushed::UpToDate) => receipt.pushed = true,
            Err(error) if error.kind == PushErrorKind::Lost => {
                return Ok(Attempt::Lost(error.to_string()));
            }
            Err(error) => return Ok(self.failed_by(receipt, &error)),
        }
        let Some(refspec) = &self.branches.refspec else {
            return Ok(Attempt::Pushed(receipt));
        };
        let pushes = refspec_pushes(
            self.branches,
            self.clone,
            self.request,
            self.forces,
            &commit,
        );
        let pushes = match pushes {
            Ok(pushes) => pushes,
            Err(why) => {
                let finding = refspec_finding(self.preview, refspec, &why);
                let failure = Failure::git(finding.message.clone());
                return Ok(self.failed(receipt, failure, Some(finding)));
            }
        };
        match self.push_refs(&mut pushing, &pushes, &options) {
            Ok(()) => {
                receipt.refspec_pushed = true;
                Ok(Attempt::Pushed(receipt))
            }
            Err(error) if error.kind == PushErrorKind::Lost => {
                let why = Unusable::Fails(format!(
                    "{error}: what its target has is not below the pushed commit, as far as a shallow clone tells"
                ));
                let finding = refspec_finding(self.preview, refspec, &why);
                let failure = Failure::git(format!(
                    "ImageUpdateAutomation {}: {}: merge or delete the target, or put a + before the refspec",
                    self.preview.key, finding.message
                ));
                Ok(self.failed(receipt, failure, Some(finding)))
            }
            Err(error) => Ok(self.failed_by(receipt, &error)),
        }
    }

    fn push_refs(
        &self,
        pushing: &mut Pushing<'_>,
        pushes: &[RefPush],
        options: &[String],
    ) -> Result<(), PushError> {
        for push in pushes {
            let there = if push.forced {
                pushing.head(&push.to)?
            } else {
                None
            };
            let expected = if push.forced {
                Expected::Commit(there.as_deref())
            } else {
                Expected::Ancestor
            };
            pushing.push(&Push {
                commit: push.commit.as_deref().unwrap_or_default(),
                to: &push.to,
                expected,
                options,
            })?;
        }
        Ok(())
    }

    fn failed_by(&self, receipt: CommitReceipt, error: &PushError) -> Attempt {
        self.failed(receipt, self.failure_of(error), self.finding_of(error))
    }

    fn failed(
        &self,
        receipt: CommitReceipt,
        failure: Failure,
        finding: Option<Finding>,
    ) -> Attempt {
        Attempt::Failed {
            receipt,
            failure,
            finding,
        }
    }
}

/// The signature of the automation's key over a commit; `None` where it is not signed.
///
/// # Errors
///
/// The key can't be used from here.
pub(super) fn signature(
    preview: &Preview,
    sign_by: SignBy,
    signer: &Signer,
    commit: &Commit,
) -> Result<Option<String>, Failure> {
    match (sign_by, signer) {
        (SignBy::User | SignBy::Nobody, _) | (SignBy::Automation, Signer::Nobody) => Ok(None),
        (SignBy::Automation, Signer::Key(key)) => {
            let signature = key.sign(&commit.encode(None));
            let signature =
                signature.map_err(|problem| unusable_key(preview, &format!("{problem:?}")));
            signature.map(Some)
        }
        (SignBy::Automation, Signer::Hidden(why)) => Err(unusable_key(preview, why)),
        (SignBy::Automation, Signer::Withheld) => {
            Err(unusable_key(preview, "a snapshot holds no keys"))
        }
        (SignBy::Automation, Signer::Fails(failure) | Signer::FailsToSign(failure)) => {
            Err(unusable_key(preview, &failure.message))
        }
    }
}

/// A key that is set but can't be used.
fn unusable_key(preview: &Preview, why: &str) -> Failure {
    Failure::refused(format!(
        "ImageUpdateAutomation {}: its commits are signed, and its key can't be used from here: {why}: sign with your own with --sign user, or leave the signature out with --sign none",
        preview.key
    ))
}

fn options(automation: &ImageUpdateAutomation) -> Vec<String> {
    let push = automation
        .spec
        .git
        .as_ref()
        .and_then(|git| git.push.as_ref());
    let options = push.into_iter().flat_map(|push| &push.options);
    options
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}

/// What the refspec pushes once `commit` stands on the push branch.
pub(super) fn refspec_pushes(
    branches: &Branches,
    clone: &GitClone,
    request: &CloneRequest,
    forces: bool,
    commit: &str,
) -> Result<Vec<RefPush>, Unusable> {
    let Some(refspec) = &branches.refspec else {
        return Ok(Vec::new());
    };
    let Some(branch) = &clone.branch else {
        return Ok(Vec::new());
    };
    let mut heads = vec![(format!("refs/heads/{branch}"), commit.to_owned())];
    let mut more = false;
    if branches.switched {
        match &request.target {
            Target::Branch(checked_out) if checked_out != branch => {
                let name = format!("refs/heads/{checked_out}");
                heads.push((name, clone.checkout_commit.clone()));
            }
            Target::Branch(_) | Target::Tag(_) => {}
            _ => more = true,
        }
    }
    refspec::pushes(
        refspec,
        branches.switched && forces,
        &LocalRefs { heads, more },
    )
}

/// What there is to say of a refspec that pushes nothing.
pub(super) fn refspec_finding(preview: &Preview, refspec: &str, why: &Unusable) -> Finding {
    let why = match why {
        Unusable::Fails(text) | Unusable::Unknown(text) => text,
    };
    findings::automations::refspec_unusable(&preview.key, refspec, why)
}
