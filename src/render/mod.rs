//! Finished values and a writer in, bytes out.

pub mod console;
pub mod diff_report;
pub mod json_v1;
pub mod unified_diff;
