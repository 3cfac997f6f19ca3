//! Black-box tests of the binary: real files, real `git`, an empty environment, no network.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

mod completion;
mod diff;
mod environment;
mod help;
mod invalid_input;
mod readme;
mod schema;
mod worktree;
