//! Numbers and durations as Go's `strconv` and `time` read and write them.

mod duration;
mod float;

pub use duration::{DurationError, format_duration, parse_duration};
pub use float::{FloatError, FloatErrorKind, parse_float};
