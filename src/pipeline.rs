//! The story: load, fetch (scan and check out), decide, rewrite, preview, commit.
//!
//! Every command is this pipeline, stopped at a different place. It is the only file that calls both `io` and
//! `controllers`; each stage takes the value of the one before and gives a new one.

pub mod diagnose;
pub mod explain;
pub mod forecast;
pub mod local;
pub mod mark;
pub mod reformat;
pub mod relay;
pub mod replay;
pub mod request;
pub mod session;
pub mod snapshot;
pub mod stages;
pub mod standing;
pub mod tags;
pub mod trigger;
pub mod watch;

mod checkout;
mod commit;
mod credentials;
mod decide;
mod downgrade;
mod dry_run;
mod fetch;
mod files;
mod gate;
mod git_token;
mod inspect;
mod live;
mod load;
mod preview;
mod registry;
mod round;
mod scan;
mod signer;
mod survey;

pub use commit::{
    Attempt, Identity, Refusal, before_push, check, check_all, identity, is_branch_name, push,
};
pub use decide::decide;
pub use downgrade::downgrades;
pub use dry_run::{DryRun, dry_run};
pub use fetch::fetch;
pub use inspect::inspect;
pub use load::load;
pub use preview::preview;
pub use round::{Round, round};
pub use session::settle;
pub use survey::survey;
pub use tags::{await_tags, list_tags, load_repositories};
