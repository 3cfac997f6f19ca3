//! Exit codes, each with the moment it stands for. The largest of a run wins.

/// Nothing to report.
pub const FINE: u8 = 0;
/// Differences, findings, or a predicted failure of a controller.
pub const DIFFERENCES: u8 = 1;
/// A flag or argument that makes no sense.
pub const USAGE: u8 = 2;
/// The cluster can't be reached, forbids it, or lacks a named object.
pub const CLUSTER: u8 = 3;
/// The registry refuses, times out or can't be reached.
pub const REGISTRY: u8 = 4;
/// Git, a work tree or a git server refuses.
pub const GIT: u8 = 5;
/// Invalid input, or with `-f` a named object that isn't there.
pub const INVALID_INPUT: u8 = 6;
/// We refuse to do it.
pub const REFUSED: u8 = 7;
/// The API server rejects the change.
pub const REJECTED: u8 = 8;
/// Interrupted from the keyboard.
pub const INTERRUPTED: u8 = 130;
