//! One place where errors get their kind and with it their exit code.

use std::fmt;

use crate::exit_code;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// A flag or an argument.
    Usage,
    /// The cluster.
    Cluster,
    /// A registry.
    Registry,
    /// Git or a work tree.
    Git,
    /// Manifests, recordings, or objects named that are not in them.
    InvalidInput,
    /// We don't do it.
    Refused,
}

impl FailureKind {
    /// The process's exit code for it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => exit_code::USAGE,
            Self::Cluster => exit_code::CLUSTER,
            Self::Registry => exit_code::REGISTRY,
            Self::Git => exit_code::GIT,
            Self::InvalidInput => exit_code::INVALID_INPUT,
            Self::Refused => exit_code::REFUSED,
        }
    }
}

/// A failure of ours to find out or to do something: what it concerns, what was wrong and what to do, in one paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: FailureKind,
    /// The paragraph.
    pub message: String,
}

impl Failure {
    /// A flag or argument that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Usage,
            message: message.into(),
        }
    }

    /// The cluster can't be reached, refuses, or lacks what is named.
    pub fn cluster(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Cluster,
            message: message.into(),
        }
    }

    /// A registry refuses or can't be reached.
    pub fn registry(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Registry,
            message: message.into(),
        }
    }

    /// Git or a work tree refuses.
    pub fn git(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Git,
            message: message.into(),
        }
    }

    /// The input can't be used.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::InvalidInput,
            message: message.into(),
        }
    }

    /// Something that could be done and that we don't do.
    pub fn refused(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Refused,
            message: message.into(),
        }
    }

    /// The process's exit code for it.
    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<crate::io::git::GitError> for Failure {
    fn from(error: crate::io::git::GitError) -> Self {
        Self::git(error.to_string())
    }
}

impl From<crate::io::cluster::ClusterError> for Failure {
    fn from(error: crate::io::cluster::ClusterError) -> Self {
        Self::cluster(error.to_string())
    }
}
