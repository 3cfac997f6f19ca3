//! What is asked: generated cases, the bulk questions to the running controllers, and the comparison with the library.

pub mod generator;
pub mod judgement;
pub mod manifests_as_written;
pub mod messages;
pub mod messages_in_bulk;
pub mod policies;
pub mod policies_as_written;
pub mod policies_in_bulk;
pub mod recorder;
pub mod recording;
pub mod regexps;
pub mod rewrites_in_bulk;
pub mod trees;
pub mod vectors;
pub mod yaml;
