//! Black-box tests of the binary: real files, real `git`, an empty environment, no network.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

mod cluster;
mod completion;
mod contexts;
mod diff;
mod doctor;
mod documentation;
mod dry_run;
mod environment;
mod explain;
mod fleets;
mod fmt;
mod forecast;
mod get;
mod git;
#[path = "../clone/server.rs"]
mod git_server;
mod github_app;
mod help;
mod invalid_input;
#[path = "../json_schema.rs"]
mod json_schema;
#[cfg(unix)]
mod links;
mod lint;
mod live;
mod mark;
mod memory;
#[cfg(target_os = "linux")]
mod output;
mod packaging;
mod readme;
mod reconcile;
mod reconcile_local;
mod reconcile_safety;
mod registry;
mod sarif;
mod schema;
mod server;
mod shop;
mod situation;
mod snapshot;
mod standing;
mod tags;
mod twins;
mod watch;
mod worktree;
