//! The story: load, fetch (scan and check out), decide, rewrite, preview.
//!
//! Every command is this pipeline, stopped at a different place. It is the only file that calls both `io` and
//! `controllers`; each stage takes the value of the one before and gives a new one.

pub mod explain;
pub mod request;
pub mod session;
pub mod stages;
pub mod tags;

mod checkout;
mod credentials;
mod decide;
mod fetch;
mod gate;
mod inspect;
mod live;
mod load;
mod preview;
mod registry;
mod scan;
mod survey;

pub use decide::decide;
pub use fetch::fetch;
pub use inspect::inspect;
pub use load::load;
pub use preview::preview;
pub use session::settle;
pub use survey::survey;
pub use tags::{await_tags, list_tags, load_repositories};
