//! What was learned from the outside, as plain structs in the words of the field.

pub mod cluster;
pub mod dry_run;
pub mod git;
pub mod network;
pub mod registry;
pub mod snapshot;
