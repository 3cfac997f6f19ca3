//! The steps of a chain from an image to the pods that run it, and what there is to say of each.

use jiff::Timestamp;

use crate::findings::{Finding, Severity};

/// A step of the chain, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// The ImageRepository is there and may be used.
    Repository,
    /// Its tags are listed.
    Scan,
    /// Tags that don't count are left out.
    Exclusion,
    /// The policy's filter.
    Filter,
    /// The policy's order.
    Order,
    /// The digest of the tag.
    Digest,
    /// What the policy's status says.
    Policy,
    /// An automation takes the policy.
    Automation,
    /// A marker receives its value.
    Marker,
    /// The commit is made and pushed.
    Commit,
    /// source-controller has fetched it.
    Source,
    /// kustomize-controller has applied it.
    Applied,
    /// Pods run it.
    Running,
}

impl StepKind {
    /// The word in JSON and on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Scan => "scan",
            Self::Exclusion => "exclusion",
            Self::Filter => "filter",
            Self::Order => "order",
            Self::Digest => "digest",
            Self::Policy => "policy",
            Self::Automation => "automation",
            Self::Marker => "marker",
            Self::Commit => "commit",
            Self::Source => "source",
            Self::Applied => "applied",
            Self::Running => "running",
        }
    }
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepVerdict {
    /// As it should be.
    Ok,
    /// It goes no further until somebody does something.
    Stuck,
    /// It goes on by itself.
    Waiting,
    /// There is nothing to do here.
    Skipped,
    /// It can't be seen from here.
    Unknown,
}

impl StepVerdict {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Stuck => "stuck",
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }
}

/// One step of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which one.
    pub kind: StepKind,
    /// How it stands.
    pub verdict: StepVerdict,
    /// The finding that says what is wrong or odd.
    pub finding: Option<(&'static str, Severity)>,
    /// What there is to say, in one sentence without a full stop.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The line of a file that it is about, with a part to underline.
    pub snippet: Option<Snippet>,
    /// Since when it stands so.
    pub since: Option<Timestamp>,
    /// When it goes on, where it waits.
    pub due: Option<Timestamp>,
}

/// A line of a text, with a part of it underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The number of the line, from 1; none for a text that is no file.
    pub line: Option<usize>,
    /// The line.
    pub text: String,
    /// The first column to underline, in characters from 1.
    pub column: usize,
    /// How many characters to underline; at least one.
    pub length: usize,
}

impl Step {
    /// A step that stands as `verdict` says.
    pub fn new(kind: StepKind, verdict: StepVerdict, text: impl Into<String>) -> Self {
        Self {
            kind,
            verdict,
            finding: None,
            text: text.into(),
            remedy: None,
            snippet: None,
            since: None,
            due: None,
        }
    }

    /// Whether it says that an automation ends its run with an error.
    pub fn is_failing_automation(&self) -> bool {
        self.kind == StepKind::Automation
            && self.verdict == StepVerdict::Stuck
            && self
                .finding
                .is_some_and(|(_, severity)| severity == Severity::Error)
    }

    /// A step that is as it should be.
    pub fn ok(kind: StepKind, text: impl Into<String>) -> Self {
        Self::new(kind, StepVerdict::Ok, text)
    }

    /// A step that goes no further.
    pub fn stuck(kind: StepKind, id: &'static str, text: impl Into<String>) -> Self {
        Self::new(kind, StepVerdict::Stuck, text).with(id)
    }

    /// A step that goes no further for what was found.
    pub fn found(kind: StepKind, finding: Finding) -> Self {
        Self::stuck(kind, finding.id, finding.message).remedy(finding.remedy)
    }

    /// The same step with a finding.
    pub fn with(mut self, id: &'static str) -> Self {
        self.finding = Some((id, Severity::of(id)));
        self
    }

    /// The same step with what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same step with the moment at which it goes on.
    pub fn due(mut self, due: Option<Timestamp>) -> Self {
        self.due = due;
        self
    }

    /// The same step with the moment since which it stands so.
    pub fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }
}
