//! Durations, and dates as far as they don't hang on the clock.

use super::arguments::text;
use super::times::{TIME_TYPE, time_of, value_of};
use crate::go::number::{format_duration, parse_duration};
use crate::go::template::characters::lossy;
use crate::go::template::function::{Function, Outcome, fixed};
use crate::go::template::limits::Limits;
use crate::go::template::number::parse_signed;
use crate::go::template::value::{Type, Value};
use crate::go::time::Time;

const ANY: Type = Type::Any;
const TEXT: Type = Type::String;
const TIME: Type = Type::Struct(&TIME_TYPE);
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
    fixed("durationRound", &[ANY], TEXT, |limits, values| {
        let nanoseconds = match &values[0] {
            Value::Int64(nanoseconds) => *nanoseconds,
            Value::String(text) => parse_duration(&lossy(text)).unwrap_or(0),
            value if is_time(value) => since(limits, "durationRound", time_of(&values, 0).unix()),
            _ => 0,
        };
        Ok(Value::text(rounded(nanoseconds.unsigned_abs())))
    }),
    fixed("ago", &[ANY], TEXT, |limits, values| {
        let nanoseconds = match &values[0] {
            Value::Int(seconds) | Value::Int64(seconds) => since(limits, "ago", *seconds),
            value if is_time(value) => since(limits, "ago", time_of(&values, 0).unix()),
            _ => 0,
        };
        Ok(Value::text(format_duration(nanoseconds)))
    }),
    fixed("toDate", &[TEXT, TEXT], TIME, |_, values| {
        let time = Time::parse(&text(&values, 0), &text(&values, 1));
        Ok(value_of(&time.unwrap_or_default()))
    }),
    fixed(
        "mustToDate",
        &[TEXT, TEXT],
        TIME,
        |_, values| match Time::parse(&text(&values, 0), &text(&values, 1)) {
            Ok(time) => Ok(value_of(&time)),
            Err(error) => Err(error.text().into()),
        },
    ),
    fixed("mustDateModify", &[TEXT, TIME], TIME, later),
    fixed("must_date_modify", &[TEXT, TIME], TIME, later),
    fixed("unixEpoch", &[TIME], TEXT, |_, values| {
        Ok(Value::text(time_of(&values, 0).unix().to_string()))
    }),
];

fn is_time(value: &Value) -> bool {
    value.type_name() == "time.Time"
}

/// The time with a span added.
fn later(_: &mut Limits, values: Vec<Value>) -> Outcome {
    let span = parse_duration(&lossy(&text(&values, 0))).map_err(|error| error.to_string())?;
    Ok(value_of(&time_of(&values, 1).plus(span)))
}

/// The nanoseconds from a second since 1970 until the controller runs, which is some time in a year from the beginning of
/// 2026; what goes beyond is the longest span.
fn since(limits: &mut Limits, what: &'static str, seconds: i64) -> i64 {
    const BEGIN: i64 = 1_767_225_600;
    let now = BEGIN + limits.below(what, 365 * 86_400) as i64;
    let span = i128::from(now) - i128::from(seconds);
    let nanoseconds = span * i128::from(SECOND);
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

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
