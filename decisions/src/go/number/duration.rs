//! `time.ParseDuration` and `time.Duration.String`.

/// Why a text is no duration; displays as Go's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It has another form or is out of range.
    #[error("time: invalid duration {}", quote(.0))]
    Invalid(String),
    /// A number has no unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    /// A unit isn't one of `ns`, `us`, `ms`, `s`, `m`, `h`.
    #[error("time: unknown unit {} in duration {}", quote(.unit), quote(.duration))]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        duration: String,
    },
}

/// Just beyond the greatest number of nanoseconds.
const LIMIT: u64 = 1 << 63;

/// Reads a duration such as `1h30m` or `-1.5s`: its nanoseconds.
///
/// # Errors
///
/// The text is no duration in Go's notation, or it doesn't fit in 64 bits.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::Invalid(text.into());
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Ok(0);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    let mut rest = unsigned;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after
            .find(|character: char| character == '.' || character.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        // Go notices a whole part that is out of range before it looks at the unit.
        let whole = whole_part(whole).ok_or_else(invalid)?;
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(text.into()));
        }
        let scale = nanoseconds(unit).ok_or_else(|| DurationError::UnknownUnit {
            unit: unit.into(),
            duration: text.into(),
        })?;
        let part = whole
            .checked_mul(scale)
            .filter(|part| *part <= LIMIT)
            .map(|part| part + fraction_part(fraction, scale))
            .filter(|part| *part <= LIMIT)
            .ok_or_else(invalid)?;
        // Two parts of the limit each add up to zero, in Go too.
        total = total.wrapping_add(part);
        if total > LIMIT {
            return Err(invalid());
        }
        rest = after;
    }
    if negative {
        return Ok((total as i64).wrapping_neg());
    }
    i64::try_from(total).map_err(|_| invalid())
}

/// Writes a number of nanoseconds as Go does: `1h0m0s`, `1.5s`, `250ms`, `0s`.
pub fn format_duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let magnitude = nanoseconds.unsigned_abs();
    let text = match magnitude {
        0 => "0s".into(),
        1..1_000 => format!("{magnitude}ns"),
        1_000..1_000_000 => format!("{}\u{b5}s", with_fraction(magnitude, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", with_fraction(magnitude, 6)),
        _ => {
            let whole = magnitude / 1_000_000_000;
            let (hours, minutes) = (whole / 3_600, whole / 60 % 60);
            let seconds = with_fraction(magnitude - (whole - whole % 60) * 1_000_000_000, 9);
            match (hours, minutes) {
                (0, 0) => format!("{seconds}s"),
                (0, _) => format!("{minutes}m{seconds}s"),
                _ => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

fn with_fraction(value: u64, places: u32) -> String {
    let unit = 10_u64.pow(places);
    let fraction = format!("{:0width$}", value % unit, width = places as usize);
    match fraction.trim_end_matches('0') {
        "" => (value / unit).to_string(),
        digits => format!("{}.{digits}", value / unit),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn whole_part(digits: &str) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse().ok().filter(|value| *value <= LIMIT)
}

/// The nanoseconds of a fraction of a unit, with the floating point that Go uses.
fn fraction_part(digits: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1_f64);
    for digit in digits.bytes() {
        if value > (LIMIT - 1) / 10 {
            break;
        }
        let next = value * 10 + u64::from(digit - b'0');
        if next > LIMIT {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn nanoseconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Quotes as the `time` package does, which escapes every byte of a character that isn't plain ASCII.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=0x7f => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match parse_duration(text) {
            Ok(nanoseconds) => format_duration(nanoseconds),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        for (text, written) in [
            ("0", "0s"),
            ("-0", "0s"),
            ("5m", "5m0s"),
            ("1h", "1h0m0s"),
            ("90m", "1h30m0s"),
            ("1h1h", "2h0m0s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("1m30.5s", "1m30.5s"),
            ("-1.5s", "-1.5s"),
            ("1500us", "1.5ms"),
            ("1500ns", "1.5\u{b5}s"),
            ("999ns", "999ns"),
            ("2\u{b5}s", "2\u{b5}s"),
            ("2\u{3bc}s", "2\u{b5}s"),
            ("61.000000001s", "1m1.000000001s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
            ("-9223372036854775808ns", "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(parsed(text), written, "{text}");
        }
    }

    #[test]
    fn refusals_have_gos_words() {
        for (text, error) in [
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            ("3", "time: missing unit in duration \"3\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("1 h", "time: unknown unit \" h\" in duration \"1 h\""),
            (".s", "time: invalid duration \".s\""),
            ("h", "time: invalid duration \"h\""),
            (
                "9223372036854775808ns",
                "time: invalid duration \"9223372036854775808ns\"",
            ),
            (
                "99999999999999999999",
                "time: invalid duration \"99999999999999999999\"",
            ),
            (
                "9999999999999h",
                "time: invalid duration \"9999999999999h\"",
            ),
            (
                "1\u{e9}\"",
                "time: unknown unit \"\\xc3\\xa9\\\"\" in duration \"1\\xc3\\xa9\\\"\"",
            ),
        ] {
            assert_eq!(parsed(text), error, "{text}");
        }
    }
}
