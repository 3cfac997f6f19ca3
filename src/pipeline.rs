//! The story: load, scan, decide, rewrite, preview.
//!
//! Every command is this pipeline, stopped at a different place. It is the only file that calls both `io` and
//! `controllers`; each stage takes the value of the one before and gives a new one.

pub mod request;
pub mod stages;

mod decide;
mod load;
mod preview;

pub use decide::{decide, scan};
pub use load::load;
pub use preview::preview;
