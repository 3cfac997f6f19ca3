//! Fetches and stores; decides nothing, prints nothing, knows no flags.

pub mod git;
pub mod manifests;
pub mod recording;
