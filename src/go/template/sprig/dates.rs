//! Durations, and dates as far as they don't hang on the clock.

use super::arguments::text;
use crate::go::number::{format_duration, parse_duration};
use crate::go::template::characters::lossy;
use crate::go::template::function::{Function, fixed};
use crate::go::template::number::parse_signed;
use crate::go::template::value::{Type, Value};

const ANY: Type = Type::Any;
const TEXT: Type = Type::String;
const SECOND: i64 = 1_000_000_000;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("duration", &[ANY], TEXT, |_, values| {
        let seconds = match &values[0] {
            Value::Int64(seconds) => *seconds,
            Value::String(_) => seconds_of(&lossy(&text(&values, 0))),
            _ => 0,
        };
        let nanoseconds = seconds.wrapping_mul(SECOND);
        Ok(Value::text(format_duration(nanoseconds)))
    }),
    fixed("durationRound", &[ANY], TEXT, |_, values| {
        let nanoseconds = match &values[0] {
            Value::Int64(nanoseconds) => *nanoseconds,
            Value::String(text) => parse_duration(&lossy(text)).unwrap_or(0),
            _ => 0,
        };
        Ok(Value::text(rounded(nanoseconds.unsigned_abs())))
    }),
    fixed("ago", &[ANY], TEXT, |limits, values| {
        let nanoseconds = match &values[0] {
            Value::Int(_) | Value::Int64(_) => limits.below("ago", 1 << 30) as i64 * SECOND,
            _ => 0,
        };
        Ok(Value::text(format_duration(nanoseconds)))
    }),
];

/// `strconv.ParseInt` without its error: what doesn't fit is the nearest number.
fn seconds_of(text: &str) -> i64 {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return 0;
    }
    let nearest = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    parse_signed(text, 10).unwrap_or(nearest)
}

/// The largest unit that the duration is longer than.
fn rounded(nanoseconds: u64) -> String {
    const HOUR: u64 = 3600 * SECOND as u64;
    const UNITS: [(u64, &str); 6] = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (SECOND as u64, "s"),
    ];
    UNITS
        .iter()
        .find(|(unit, _)| nanoseconds > *unit)
        .map_or_else(
            || "0s".to_string(),
            |(unit, name)| format!("{}{name}", nanoseconds / unit),
        )
}
