//! Black-box tests of the binary: real files, real `git`, an empty environment, no network.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

mod cluster;
mod completion;
mod diff;
mod environment;
mod explain;
mod get;
mod git;
mod help;
mod invalid_input;
mod live;
mod readme;
mod registry;
mod schema;
mod server;
mod tags;
mod worktree;
