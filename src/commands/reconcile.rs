//! `reconcile`: commit and push what the automation would.

use clap::{Args, ValueEnum};

use crate::controllers::flux::{CommitUser, ObjectKey};
use crate::exit_code;
use crate::failure::{Failure, FailureKind};
use crate::pipeline::request::{Overrides, Request, SignBy};
use crate::pipeline::session::Session;
use crate::pipeline::stages::{CommitReceipt, Preview};
use crate::pipeline::{self, Attempt, Identity, Round, local, round};
use crate::render::console::{Talk, Tone};
use crate::render::json_v1_reconcile::{self, Reconciled};
use crate::render::{self, diff_report, reconcile_report};

use super::diff::{Rewrite, say_nothing_matches, talk_about, talk_about_inputs, update_names};
use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Commit and push what the automation would: the same commit, from here and now
///
/// Shows the diff, asks, and pushes: with the author, message, signature, branch, refspec and push options of the automation, and with
/// the credentials of its GitRepository. What is pushed is made from a fresh clone, and pushed only if the branch is still what it was:
/// a push that lost a race is redone from the new head, and nobody's work is ever overwritten unseen. A suspended automation is carried
/// out too.
///
/// Exit status: 0 done or nothing to do, 1 the automation itself would fail, above that an error (2 usage, 3 cluster, 4 registry, 5 git
/// or a refused push, 6 invalid input, 7 not confirmed or refused by a flag, 8 the API server rejects the change); the largest wins.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Automations by name, as NAME or TYPE/NAME [default: all of the namespace]
    #[arg(value_name = "UPDATE")]
    updates: Vec<String>,

    /// With --worktree: commit on the branch that is checked out there, and push nothing
    #[arg(long, conflicts_with = "no_commit", help_heading = "Push")]
    no_push: bool,

    /// With --worktree: change the files there, and commit nothing
    #[arg(long, help_heading = "Push")]
    no_commit: bool,

    /// Don't ask
    #[arg(short = 'y', long, help_heading = "Push")]
    yes: bool,

    /// With `client`, show what would be pushed and push nothing; with `server`, also ask the API server what it would say of the
    /// changed objects (with -f it is asked all the same)
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "none",
        help_heading = "Push"
    )]
    dry_run: DryRunMode,

    /// Push to this branch instead
    #[arg(long, value_name = "BRANCH", help_heading = "Push")]
    push_branch: Option<String>,

    /// How often a push that lost a race is tried, the first time included
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Push")]
    attempts: u32,

    /// Refuse a change that would move a marker to a lower version by its policy's own order
    #[arg(long, help_heading = "Push")]
    no_downgrade: bool,

    /// How files are changed: `exact` as the controller does, byte for byte; `minimal` touches nothing but the marked values
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = Rewrite::Exact,
        hide_possible_values = true,
        help_heading = "Commit"
    )]
    rewrite: Rewrite,

    /// Author and committer instead of the automation's
    #[arg(long, value_name = "NAME <MAIL>", help_heading = "Commit")]
    author: Option<String>,

    /// What signs the commit: the automation's own key, the configuration of your own git, or nothing
    #[arg(
        long,
        value_enum,
        value_name = "WHO",
        default_value = "automation",
        help_heading = "Commit"
    )]
    sign: Sign,
}

/// `--dry-run`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRunMode {
    /// Push.
    None,
    /// Push nothing.
    Client,
    /// Push nothing, and ask the API server.
    Server,
}

/// `--sign`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sign {
    /// As the automation does.
    Automation,
    /// As your own git is configured.
    User,
    /// Not at all.
    None,
}

impl From<Sign> for SignBy {
    fn from(sign: Sign) -> Self {
        match sign {
            Sign::Automation => Self::Automation,
            Sign::User => Self::User,
            Sign::None => Self::Nobody,
        }
    }
}

/// Examples for the help, in the caller's dialect.
pub fn examples(invocation: Invocation) -> String {
    let caller = invocation.caller();
    format!(
        "Examples:
  # push what the automation would, after a look and a question
  {caller} reconcile flux-images -n flux-system

  # the same in a script, to a branch for a pull request
  {caller} reconcile flux-images --push-branch image-updates --yes

  # what would be pushed
  {caller} reconcile flux-images --dry-run=client

  # what would be pushed, and whether the API server would accept what follows from it
  {caller} reconcile flux-images --dry-run=server"
    )
}

/// Carries the automations out, one after the other.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &ReconcileArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("reconcile")?;
    let place = args.place(!global.worktree.is_empty())?;
    let overrides = args.overrides()?;
    let mut ground = global.ground(*invocation)?;
    if args.dry_run == DryRunMode::Server {
        global.add_cluster(&mut ground)?;
    }
    let request = Request {
        objects: ground.objects.clone(),
        tags: global.tags()?,
        worktrees: global.worktrees()?,
        assumptions: global.assumptions()?,
        updates: update_names("reconcile", &args.updates)?,
        needs_files: true,
        forgives: false,
        messages: true,
        losses: true,
        minimal: args.rewrite == Rewrite::Minimal,
    };
    let session = global.session(&ground, terminal)?;
    talk_about(&local::recover(&request)?, terminal);
    let first = round(&request, &overrides, None, &session)?;
    talk_about_inputs(&first.inputs, terminal);
    if first.inputs.automations.is_empty() {
        say_nothing_matches(&request, &first.inputs, terminal);
    }
    talk_about(&first.notes, terminal);
    let problems = if first.inputs.problems.is_empty() {
        exit_code::FINE
    } else {
        FailureKind::InvalidInput.exit_code()
    };
    let dry_runs = match args.dry_run {
        DryRunMode::None | DryRunMode::Client => Vec::new(),
        DryRunMode::Server => {
            let namespace = ground.cluster_namespace();
            first.dry_run(namespace, &session)?
        }
    };
    let mut dry_runs = dry_runs.into_iter();
    let mut run = Run {
        args,
        request: &request,
        overrides: &overrides,
        session: &session,
        place,
        shows_patch: global.output.is_none(),
        written: Vec::new(),
        changed: Vec::new(),
    };
    let mut rows = Vec::new();
    for preview in &first.previews {
        let (mut row, mut code) = run.carry_out(&first, preview, terminal)?;
        row.dry_run = dry_runs.next();
        if let Some(dry_run) = &row.dry_run {
            code = code.max(dry_run.exit_code());
            for talk in render::dry_run::talk(preview, dry_run) {
                terminal.say(&talk);
            }
        }
        rows.push((row, code));
    }
    let code = rows.iter().map(|(_, code)| *code).fold(problems, u8::max);
    if global.output == Some(OutputFormat::Json) {
        let rows: Vec<Reconciled> = rows.into_iter().map(|(row, _)| row).collect();
        terminal.result(&json_v1_reconcile::reconcile(&rows, session.context()));
    }
    Ok(code)
}

/// Where a commit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To the git server.
    Remote,
    /// On the branch of a work tree.
    Branch,
    /// Nowhere: only the files of a work tree change.
    Files,
}

impl ReconcileArgs {
    fn place(&self, worktree: bool) -> Result<Place, Failure> {
        let usage = |message: &str| Err(Failure::usage(message));
        match (worktree, self.no_push, self.no_commit) {
            (false, false, false) => Ok(Place::Remote),
            (false, true, _) => usage("--no-push needs --worktree DIR, where to commit"),
            (false, false, true) => {
                usage("--no-commit needs --worktree DIR, whose files to change")
            }
            (true, false, false) => usage(
                "--worktree needs --no-push (commit there) or --no-commit (change the files): what is pushed is always made from a fresh clone",
            ),
            (true, ..) if self.push_branch.is_some() => {
                usage("--push-branch does not fit --worktree, with which nothing is pushed")
            }
            (true, true, _) => Ok(Place::Branch),
            (true, false, true) => Ok(Place::Files),
        }
    }

    fn overrides(&self) -> Result<Overrides, Failure> {
        if let Some(branch) = &self.push_branch
            && !pipeline::is_branch_name(branch)
        {
            return Err(Failure::usage(format!(
                "--push-branch {branch}: git has no such branch names"
            )));
        }
        Ok(Overrides {
            author: self.author.as_deref().map(author).transpose()?,
            push_branch: self.push_branch.clone(),
            unsigned: self.sign != Sign::Automation,
        })
    }
}

/// `NAME <MAIL>`
fn author(text: &str) -> Result<CommitUser, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "--author {text}: is not NAME <MAIL>, such as \"Jane Doe <jane@example.com>\""
        ))
    };
    let (name, rest) = text.split_once('<').ok_or_else(wrong)?;
    let email = rest.strip_suffix('>').ok_or_else(wrong)?;
    let name = name.trim();
    let plain = |text: &str| !text.is_empty() && !text.contains(['<', '>', '\n']);
    if !plain(name) || !plain(email) {
        return Err(wrong());
    }
    Ok(CommitUser {
        name: name.to_owned(),
        email: email.to_owned(),
    })
}

/// One run over several automations.
struct Run<'a> {
    args: &'a ReconcileArgs,
    request: &'a Request,
    overrides: &'a Overrides,
    session: &'a Session,
    place: Place,
    shows_patch: bool,
    /// The files that were changed in a work tree.
    changed: Vec<String>,
    /// The sources that were pushed to: what was seen of them before is old.
    written: Vec<ObjectKey>,
}

impl Run<'_> {
    /// Carries out one automation; `first` is the round that all of them were seen in.
    fn carry_out(
        &mut self,
        first: &Round,
        preview: &Preview,
        terminal: &mut Terminal,
    ) -> Result<(Reconciled, u8), Failure> {
        let mut newer: Option<Round> = None;
        if self.written.contains(&preview.source.key) {
            newer = Some(self.again(first, &preview.key)?);
        }
        let mut agreed: Option<Preview> = None;
        let mut attempts = 0;
        loop {
            let current = newer.as_ref().unwrap_or(first);
            let mut shown = current
                .previews
                .iter()
                .find(|shown| shown.key == preview.key)
                .cloned()
                .unwrap_or_else(|| preview.clone());
            if self.place != Place::Remote {
                return self.change(current, shown, terminal);
            }
            shown.findings.extend(pipeline::before_push(
                &current.inputs,
                &current.checkouts,
                &shown,
            ));
            let same = agreed.as_ref().is_some_and(|agreed| {
                agreed.files == shown.files && agreed.message == shown.message
            });
            if !same {
                self.show(&shown, terminal);
            }
            if let Some(ended) = self.without_push(current, &shown, attempts, terminal) {
                return Ok(ended);
            }
            let identity = match self.ready(current, &mut shown, same, terminal) {
                Ok(identity) => identity,
                Err(failure) => return Ok(self.failed(shown, None, attempts, failure, terminal)),
            };
            attempts += 1;
            let sign = self.args.sign.into();
            let attempt = pipeline::push(
                &current.inputs,
                &current.checkouts,
                &shown,
                sign,
                self.session,
            );
            match attempt {
                Ok(Attempt::Pushed(receipt)) => {
                    self.written.push(shown.source.key.clone());
                    terminal.say(&reconcile_report::pushed(
                        &shown, &identity, &receipt, attempts,
                    ));
                    let code = trouble_code(&shown);
                    return Ok((reconciled(shown, receipt, attempts, None), code));
                }
                Ok(Attempt::Lost(words)) if attempts < self.args.attempts => {
                    terminal.say(&Talk::new(
                        Tone::Warning,
                        format!("{}: {words}; from the new head again", shown.key),
                    ));
                    newer = Some(self.again(first, &preview.key)?);
                    agreed = Some(shown);
                }
                Ok(Attempt::Lost(words)) => {
                    let failure = Failure::git(format!(
                        "ImageUpdateAutomation {}: {words}; given up after {attempts} of {attempts} attempts: allow more with --attempts",
                        shown.key
                    ));
                    return Ok(self.failed(shown, None, attempts, failure, terminal));
                }
                Ok(Attempt::Failed {
                    receipt,
                    failure,
                    finding,
                }) => {
                    if receipt.pushed {
                        self.written.push(shown.source.key.clone());
                    }
                    shown.findings.extend(finding);
                    return Ok(self.failed(shown, Some(receipt), attempts, failure, terminal));
                }
                Err(failure) => return Ok(self.failed(shown, None, attempts, failure, terminal)),
            }
        }
    }

    /// Changes a work tree instead.
    fn change(
        &mut self,
        current: &Round,
        preview: Preview,
        terminal: &mut Terminal,
    ) -> Result<(Reconciled, u8), Failure> {
        self.show(&preview, terminal);
        if let Some(ended) = self.without_push(current, &preview, 0, terminal) {
            return Ok(ended);
        }
        let commits = self.place == Place::Branch;
        let outcome = local::check(&current.checkouts, &preview, &self.changed)
            .and_then(|()| local::place(&current.checkouts, &preview))
            .and_then(|(folder, branch)| {
                let question =
                    reconcile_report::local_question(&preview, &folder, branch.as_deref(), commits);
                self.confirm(&preview, &question, terminal)?;
                let sign = self.args.sign.into();
                let receipt = local::change(&current.checkouts, &preview, commits, sign)?;
                terminal.say(&reconcile_report::changed(&preview, &folder, &receipt));
                Ok(receipt)
            });
        match outcome {
            Ok(receipt) => {
                self.written.push(preview.source.key.clone());
                let paths = preview.files.iter().map(|file| file.path.clone());
                self.changed.extend(paths);
                let code = trouble_code(&preview);
                Ok((reconciled(preview, receipt, 0, None), code))
            }
            Err(failure) => Ok(self.failed(preview, None, 0, failure, terminal)),
        }
    }

    /// Asks, unless it was said beforehand.
    fn confirm(
        &self,
        preview: &Preview,
        question: &str,
        terminal: &Terminal,
    ) -> Result<(), Failure> {
        if self.args.yes {
            return Ok(());
        }
        match terminal.confirm(question) {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::refused(format!("{}: not done", preview.key))),
            None => Err(Failure::refused(format!(
                "{}: not done, since there is no terminal to ask on: {question} Say --yes to do it without a question",
                preview.key
            ))),
        }
    }

    fn again(&self, first: &Round, key: &ObjectKey) -> Result<Round, Failure> {
        let only = Some((key, &first.inputs));
        round(self.request, self.overrides, only, self.session)
    }

    fn show(&self, preview: &Preview, terminal: &mut Terminal) {
        for talk in diff_report::opening(preview) {
            terminal.say(&talk);
        }
        if self.shows_patch {
            terminal.result(&diff_report::patch(preview, 3, terminal.colors_results()));
        }
        for talk in diff_report::closing(preview) {
            terminal.say(&talk);
        }
    }

    /// Ends where there is nothing to push, or it must not be.
    fn without_push(
        &self,
        current: &Round,
        preview: &Preview,
        attempts: u32,
        terminal: &Terminal,
    ) -> Option<(Reconciled, u8)> {
        let ended = |failure: Option<Failure>, code: u8| {
            let row = reconciled(preview.clone(), CommitReceipt::default(), attempts, failure);
            Some((row, code.max(trouble_code(preview))))
        };
        if let Some(unknown) = &preview.unknown {
            return ended(None, unknown.exit_code());
        }
        if let Some(error) = &preview.error {
            // A key that can't be used is something that a flag gets around.
            if preview
                .findings
                .iter()
                .any(|finding| finding.id == "signing-key-invalid")
            {
                let failure = Failure::refused(format!(
                    "ImageUpdateAutomation {}: {}: sign with your own key with --sign user, or leave the signature out with --sign none",
                    preview.key, error.message
                ));
                terminal.failure(&failure.message);
                let code = failure.exit_code();
                return ended(Some(failure), code);
            }
            return ended(None, exit_code::DIFFERENCES);
        }
        if preview.files.is_empty() {
            terminal.say(&Talk::new(
                Tone::Success,
                format!("{}: nothing to push", preview.key),
            ));
            return ended(None, exit_code::FINE);
        }
        if self.args.no_downgrade {
            let lower = pipeline::downgrades(&current.inputs, preview);
            if let Some(first) = lower.first() {
                let failure = Failure::refused(format!(
                    "ImageUpdateAutomation {}: --no-downgrade: {}: {}",
                    preview.key, first.subject, first.message
                ));
                terminal.failure(&failure.message);
                let mut row = preview.clone();
                row.findings.extend(lower);
                let code = failure.exit_code();
                let row = reconciled(row, CommitReceipt::default(), attempts, Some(failure));
                return Some((row, code));
            }
        }
        if self.args.dry_run != DryRunMode::None {
            return ended(None, exit_code::FINE);
        }
        None
    }

    /// Makes sure that the push may be tried: the server takes this login's pushes, and whoever is asked agrees.
    fn ready(
        &self,
        current: &Round,
        preview: &mut Preview,
        agreed: bool,
        terminal: &Terminal,
    ) -> Result<Identity, Failure> {
        let identity = pipeline::identity(&current.inputs, &current.checkouts, preview)?;
        if agreed {
            return Ok(identity);
        }
        let checked = pipeline::check(&current.inputs, &current.checkouts, preview, self.session);
        checked.map_err(|refusal| {
            preview
                .findings
                .extend(refusal.finding.map(|finding| *finding));
            refusal.failure
        })?;
        let automation = current.inputs.objects.automations.get(&preview.key);
        let suspended = automation.is_some_and(|automation| automation.spec.suspend);
        let question = reconcile_report::question(preview, &identity, suspended);
        self.confirm(preview, &question, terminal)?;
        Ok(identity)
    }

    fn failed(
        &self,
        preview: Preview,
        receipt: Option<CommitReceipt>,
        attempts: u32,
        failure: Failure,
        terminal: &Terminal,
    ) -> (Reconciled, u8) {
        for finding in &preview.findings {
            if ["push-rejected", "push-credential-read-only"].contains(&finding.id) {
                terminal.say(&Talk::new(
                    Tone::Error,
                    format!("error[{}]: {}", finding.id, finding.message),
                ));
            }
        }
        terminal.failure(&failure.message);
        let code = failure.exit_code().max(trouble_code(&preview));
        let receipt = receipt.unwrap_or_default();
        (reconciled(preview, receipt, attempts, Some(failure)), code)
    }
}

fn reconciled(
    preview: Preview,
    receipt: CommitReceipt,
    attempts: u32,
    failure: Option<Failure>,
) -> Reconciled {
    Reconciled {
        preview,
        receipt,
        attempts,
        failure,
        dry_run: None,
    }
}

/// The code of registries and servers that had no answer on the way.
fn trouble_code(preview: &Preview) -> u8 {
    let codes = preview.troubles.iter().map(Failure::exit_code);
    codes.fold(exit_code::FINE, u8::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_has_a_name_and_an_address() {
        let read = author("Jane Doe <jane@example.com>").unwrap();
        assert_eq!(
            (read.name.as_str(), read.email.as_str()),
            ("Jane Doe", "jane@example.com")
        );
        for wrong in [
            "Jane",
            "<jane@example.com>",
            "Jane <>",
            "Jane <a",
            "J <a>b>",
        ] {
            assert!(author(wrong).is_err(), "{wrong}");
        }
    }
}
