//! Markers and the values that they receive: what one automation run does to the files under its path.

pub mod changes;
pub mod discovery;
