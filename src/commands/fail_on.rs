//! `--fail-on`: from which severity on the exit status says that something was found.

use clap::ValueEnum;

use crate::findings::Severity;

/// `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Something does not work.
    Error,
    /// Something is probably not what was meant.
    Warning,
    /// Something is good to know.
    Note,
    /// Nothing is a failure.
    Never,
}

impl FailOn {
    /// Whether a finding of this severity is a failure.
    pub fn includes(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity >= Severity::Error,
            Self::Warning => severity >= Severity::Warning,
            Self::Note => true,
            Self::Never => false,
        }
    }
}
