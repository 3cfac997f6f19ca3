//! Text to times, with Go's complaints.

use super::calendar::{self, Date, MONTHS, WEEKDAYS};
use super::layout::{self, Offset, Part};
use super::{Time, Zone};

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    layout: Vec<u8>,
    text: Vec<u8>,
    /// The part of the layout and the rest of the text that don't fit, where there is no message.
    part: Vec<u8>,
    rest: Vec<u8>,
    message: String,
}

impl ParseError {
    /// Go's text.
    pub fn text(&self) -> String {
        let text = quoted(&self.text);
        match self.message.as_str() {
            "" => format!(
                "parsing time {text} as {}: cannot parse {} as {}",
                quoted(&self.layout),
                quoted(&self.rest),
                quoted(&self.part)
            ),
            message => format!("parsing time {text}{message}"),
        }
    }
}

/// Quotes as the `time` package does, which escapes every byte of what isn't plain ASCII.
fn quoted(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=0x7f => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out + "\""
}

/// What goes wrong with a part.
enum Bad {
    /// The text doesn't look like it.
    Form,
    /// It does, but is out of range.
    Range(&'static str),
}

type Read<T> = Result<T, Bad>;

/// What was read so far.
#[derive(Default)]
struct Parts {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    clock: [i64; 3],
    nanosecond: i64,
    /// Whether the hour is said to be of the morning, and of the afternoon, which wins.
    morning: bool,
    afternoon: bool,
    utc: bool,
    /// Seconds; -1 counts as none, as in Go.
    offset: Option<i32>,
    zone_name: Vec<u8>,
}

pub(super) fn parse(layout: &[u8], text: &[u8]) -> Result<Time, ParseError> {
    let error = |part: &[u8], rest: &[u8], message: String| ParseError {
        layout: layout.to_vec(),
        text: text.to_vec(),
        part: part.to_vec(),
        rest: rest.to_vec(),
        message,
    };
    let mut parts = Parts::default();
    let (mut layout_left, mut left) = (layout, text);
    loop {
        let chunk = layout::next(layout_left);
        left =
            skipped(left, chunk.before).map_err(|rest| error(chunk.before, rest, String::new()))?;
        let Some(part) = chunk.part else {
            if left.is_empty() {
                break;
            }
            return Err(error(b"", left, format!(": extra text: {}", quoted(left))));
        };
        layout_left = chunk.rest;
        let hold = left;
        match parts.read(part, &mut left, layout_left) {
            Ok(()) => {}
            Err(Bad::Form) => return Err(error(chunk.text, hold, String::new())),
            Err(Bad::Range(what)) => {
                return Err(error(chunk.text, left, format!(": {what} out of range")));
            }
        }
    }
    parts
        .time()
        .map_err(|what| error(b"", left, format!(": {what}")))
}

/// The text after the prefix, in which runs of spaces stand for each other; or from where it doesn't fit.
fn skipped<'t>(mut text: &'t [u8], mut prefix: &[u8]) -> Result<&'t [u8], &'t [u8]> {
    while let Some((first, rest)) = prefix.split_first() {
        if *first == b' ' {
            if text.first().is_some_and(|byte| *byte != b' ') {
                return Err(text);
            }
            prefix = without_spaces(prefix);
            text = without_spaces(text);
        } else {
            if text.first() != Some(first) {
                return Err(text);
            }
            prefix = rest;
            text = &text[1..];
        }
    }
    Ok(text)
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    &text[spaces..]
}

impl Parts {
    fn read(&mut self, part: Part, text: &mut &[u8], layout_left: &[u8]) -> Read<()> {
        match part {
            Part::Year => {
                let digits = taken(text, 2)?;
                let year = signed_number(digits).ok_or(Bad::Form)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Part::LongYear => {
                if text.len() < 4 || !text[0].is_ascii_digit() {
                    return Err(Bad::Form);
                }
                let digits = taken(text, 4)?;
                // Zero where it is no number, with the complaint that follows.
                self.year = signed_number(digits).ok_or(Bad::Form)?;
            }
            Part::Month => self.month = Some(name(text, &MONTHS, 3)? + 1),
            Part::LongMonth => self.month = Some(name(text, &MONTHS, usize::MAX)? + 1),
            Part::NumberMonth | Part::ZeroMonth => {
                let month = number(text, part == Part::ZeroMonth)?;
                self.month = Some(month);
                if !(1..=12).contains(&month) {
                    return Err(Bad::Range("month"));
                }
            }
            Part::Weekday => drop(name(text, &WEEKDAYS, 3)?),
            Part::LongWeekday => drop(name(text, &WEEKDAYS, usize::MAX)?),
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                if part == Part::UnderDay {
                    *text = text.strip_prefix(b" ").unwrap_or(text);
                }
                self.day = Some(number(text, part == Part::ZeroDay)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                if part == Part::UnderYearDay {
                    *text = text.strip_prefix(b" ").unwrap_or(text);
                    *text = text.strip_prefix(b" ").unwrap_or(text);
                }
                self.year_day = Some(three_digits(text, part == Part::ZeroYearDay)?);
            }
            Part::Hour => self.clock[0] = within(number(text, false)?, 23, "hour")?,
            Part::Hour12 | Part::ZeroHour12 => {
                let hour = number(text, part == Part::ZeroHour12)?;
                self.clock[0] = within(hour, 12, "hour")?;
            }
            Part::Minute | Part::ZeroMinute => {
                let minute = number(text, part == Part::ZeroMinute)?;
                self.clock[1] = within(minute, 59, "minute")?;
            }
            Part::Second | Part::ZeroSecond => {
                let second = number(text, part == Part::ZeroSecond)?;
                self.clock[2] = within(second, 59, "second")?;
                self.unannounced_fraction(text, layout_left)?;
            }
            Part::Half { capital } => {
                let half = taken(text, 2)?;
                match (half, capital) {
                    (b"PM", true) | (b"pm", false) => self.afternoon = true,
                    (b"AM", true) | (b"am", false) => self.morning = true,
                    _ => return Err(Bad::Form),
                }
            }
            Part::Offset(form) => self.offset(text, form)?,
            Part::ZoneName => {
                if let Some(rest) = text.strip_prefix(b"UTC") {
                    self.utc = true;
                    *text = rest;
                    return Ok(());
                }
                let length = zone_name_length(text).ok_or(Bad::Form)?;
                self.zone_name = taken(text, length)?.to_vec();
            }
            Part::Fraction {
                digits, trimmed, ..
            } => {
                let digits = match trimmed {
                    false => digits,
                    true => match fraction_digits(text) {
                        0 => return Ok(()),
                        digits => digits,
                    },
                };
                self.nanosecond = nanoseconds(taken(text, digits + 1)?)?;
            }
        }
        Ok(())
    }

    /// A second's fraction that the layout doesn't have.
    fn unannounced_fraction(&mut self, text: &mut &[u8], layout_left: &[u8]) -> Read<()> {
        let digits = fraction_digits(text);
        let announced = matches!(layout::next(layout_left).part, Some(Part::Fraction { .. }));
        if digits > 0 && !announced {
            self.nanosecond = nanoseconds(taken(text, digits + 1)?)?;
        }
        Ok(())
    }

    fn offset(&mut self, text: &mut &[u8], form: Offset) -> Read<()> {
        if form.z
            && let Some(rest) = text.strip_prefix(b"Z")
        {
            self.utc = true;
            *text = rest;
            return Ok(());
        }
        let length = match form {
            Offset { minutes: false, .. } => 3,
            Offset {
                colons,
                seconds: false,
                ..
            } => 5 + usize::from(colons),
            Offset { colons, .. } => 7 + 2 * usize::from(colons),
        };
        if text.len() < length {
            return Err(Bad::Form);
        }
        let given = &text[..length];
        let colons = [3, 6].into_iter().take_while(|place| *place < length);
        if form.colons && colons.into_iter().any(|place| given[place] != b':') {
            return Err(Bad::Form);
        }
        *text = &text[length..];
        let step = 2 + usize::from(form.colons);
        let mut numbers = [0; 3];
        let mut bad = None;
        for (index, number) in numbers.iter_mut().enumerate() {
            let place = 1 + index * step;
            match given.get(place..place + 2) {
                None => break,
                Some(mut digits) => match two_digits(&mut digits, true) {
                    Ok(read) => *number = read,
                    Err(error) => {
                        bad = Some(error);
                        break;
                    }
                },
            }
        }
        let [hours, minutes, seconds] = numbers;
        // The last one that is out of range is told.
        let ranges = [
            (seconds, 60, "time zone offset second"),
            (minutes, 60, "time zone offset minute"),
            (hours, 24, "time zone offset hour"),
        ];
        for (number, most, what) in ranges {
            if number > most {
                return Err(Bad::Range(what));
            }
        }
        if let Some(error) = bad {
            return Err(error);
        }
        let offset = ((hours * 60 + minutes) * 60 + seconds) as i32;
        self.offset = Some(match given[0] {
            b'+' => offset,
            b'-' => -offset,
            _ => return Err(Bad::Form),
        });
        Ok(())
    }

    /// The time of the parts, or what is wrong with them together.
    fn time(mut self) -> Result<Time, &'static str> {
        if self.afternoon && self.clock[0] < 12 {
            self.clock[0] += 12;
        } else if self.morning && self.clock[0] == 12 && !self.afternoon {
            self.clock[0] = 0;
        }
        let (month, day) = match self.year_day {
            Some(_) => self.month_and_day()?,
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if day < 1 || day > calendar::days_in(month, self.year) {
            return Err("day out of range");
        }
        let date = Date {
            year: self.year,
            month,
            day,
        };
        let at = |zone| Time::of(date, self.clock, self.nanosecond, zone);
        if self.utc {
            return Ok(at(Zone::Utc));
        }
        let name = String::from_utf8_lossy(&self.zone_name).into_owned();
        if let Some(offset) = self.offset.filter(|offset| *offset != -1) {
            if offset == 0 && (name.is_empty() || name == "UTC") {
                return Ok(at(Zone::Local));
            }
            return Ok(at(Zone::Fixed { name, offset }));
        }
        if !name.is_empty() {
            let hours = name.strip_prefix("GMT").filter(|hours| !hours.is_empty());
            let hours = hours.and_then(|hours| signed_number(hours.as_bytes()));
            let offset = hours.unwrap_or(0) as i32 * 3600;
            // The clock is taken for UTC's, whatever the zone.
            return Ok(at(Zone::Utc).shown_in(Zone::Fixed { name, offset }));
        }
        Ok(at(Zone::Local))
    }

    /// The month and the day of the day of the year.
    fn month_and_day(&self) -> Result<(i64, i64), &'static str> {
        let year_day = self.year_day.unwrap_or(0);
        let length = 365 + i64::from(calendar::is_leap(self.year));
        if !(1..=length).contains(&year_day) {
            return Err("day-of-year out of range");
        }
        let (mut month, mut day) = (1, year_day);
        while day > calendar::days_in(month, self.year) {
            day -= calendar::days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|given| given != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|given| given != day) {
            return Err("day-of-year does not match day");
        }
        Ok((month, day))
    }
}

fn taken<'t>(text: &mut &'t [u8], length: usize) -> Read<&'t [u8]> {
    let (taken, rest) = text.split_at_checked(length).ok_or(Bad::Form)?;
    *text = rest;
    Ok(taken)
}

fn within(number: i64, most: i64, what: &'static str) -> Read<i64> {
    match number > most {
        true => Err(Bad::Range(what)),
        false => Ok(number),
    }
}

/// The index of the name that the text begins with, in whatever letters; only so many letters of each name count.
fn name(text: &mut &[u8], names: &[&str], letters: usize) -> Read<i64> {
    for (index, name) in names.iter().enumerate() {
        let name = &name.as_bytes()[..letters.min(name.len())];
        if text.len() >= name.len() && text[..name.len()].eq_ignore_ascii_case(name) {
            *text = &text[name.len()..];
            return Ok(index as i64);
        }
    }
    Err(Bad::Form)
}

fn number(text: &mut &[u8], fixed: bool) -> Read<i64> {
    two_digits(text, fixed)
}

/// One digit or two, or two where that is fixed.
fn two_digits(text: &mut &[u8], fixed: bool) -> Read<i64> {
    let digit = |index: usize| text.get(index).filter(|byte| byte.is_ascii_digit());
    let value = |byte: &u8| i64::from(byte - b'0');
    let (number, length) = match (digit(0), digit(1)) {
        (None, _) => return Err(Bad::Form),
        (Some(_), None) if fixed => return Err(Bad::Form),
        (Some(one), None) => (value(one), 1),
        (Some(ten), Some(one)) => (value(ten) * 10 + value(one), 2),
    };
    *text = &text[length..];
    Ok(number)
}

fn three_digits(text: &mut &[u8], fixed: bool) -> Read<i64> {
    let digits = text.iter().take(3).take_while(|byte| byte.is_ascii_digit());
    let length = digits.count();
    if length == 0 || fixed && length != 3 {
        return Err(Bad::Form);
    }
    let digits = taken(text, length)?;
    Ok(digits
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Digits, perhaps with a sign before them, and nothing else.
fn signed_number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let number = digits.iter().try_fold(0i64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { -number } else { number })
}

/// How many digits follow a point or comma.
fn fraction_digits(text: &[u8]) -> usize {
    match text {
        [b'.' | b',', digits @ ..] => digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count(),
        _ => 0,
    }
}

/// A point with digits as nanoseconds; further digits are dropped.
fn nanoseconds(text: &[u8]) -> Read<i64> {
    if !matches!(text.first(), Some(b'.' | b',')) {
        return Err(Bad::Form);
    }
    let digits = &text[1..text.len().min(10)];
    let number = signed_number(digits).ok_or(Bad::Form)?;
    if number < 0 {
        return Err(Bad::Range("fractional second"));
    }
    Ok(number * 10i64.pow(9 - digits.len() as u32))
}

/// The length of the zone's abbreviation that the text begins with.
fn zone_name_length(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if text.starts_with(b"GMT") {
        return Some(3 + signed_hours_length(&text[3..]));
    }
    if matches!(text[0], b'+' | b'-') {
        return Some(signed_hours_length(text)).filter(|length| *length > 0);
    }
    let letters = text
        .iter()
        .take(6)
        .take_while(|byte| byte.is_ascii_uppercase());
    match letters.count() {
        3 => Some(3),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        5 if text[4] == b'T' => Some(5),
        _ => None,
    }
}

/// The length of a sign and hours up to 23; 0 for anything else.
fn signed_hours_length(text: &[u8]) -> usize {
    let [b'+' | b'-', rest @ ..] = text else {
        return 0;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match signed_number(&rest[..digits]) {
        Some(0..=23) if digits > 0 => 1 + digits,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::go::time::Time;

    fn read(layout: &str, text: &str) -> String {
        match Time::parse(layout.as_bytes(), text.as_bytes()) {
            Ok(time) => {
                let layout = b"2006-01-02 15:04:05.999999999 -0700 MST";
                String::from_utf8(time.format(layout)).expect("it is ASCII")
            }
            Err(error) => error.text(),
        }
    }

    #[test]
    fn texts_are_read_by_layouts() {
        for (layout, text, time) in [
            ("2006-01-02", "2026-06-01", "2026-06-01 00:00:00 +0000 UTC"),
            ("3:04pm", "3:07pm", "0000-01-01 15:07:00 +0000 UTC"),
            (
                "2006-01-02 MST",
                "2026-06-01 CET",
                "2026-06-01 00:00:00 +0000 CET",
            ),
            (
                "2006 -0700",
                "2026 +0130",
                "2026-01-01 00:00:00 +0130 +0130",
            ),
            ("06 002", "24 060", "2024-02-29 00:00:00 +0000 UTC"),
            (
                "15:04:05",
                "01:02:03,25",
                "0000-01-01 01:02:03.25 +0000 UTC",
            ),
            ("Jan  2", "FEB 3", "0000-02-03 00:00:00 +0000 UTC"),
        ] {
            assert_eq!(read(layout, text), time, "{layout} {text}");
        }
    }

    #[test]
    fn refusals_have_gos_words() {
        for (layout, text, error) in [
            (
                "2006-01-02",
                "x",
                "parsing time \"x\" as \"2006-01-02\": cannot parse \"x\" as \"2006\"",
            ),
            (
                "2006-01-02",
                "2023-02-29",
                "parsing time \"2023-02-29\": day out of range",
            ),
            ("15", "24", "parsing time \"24\": hour out of range"),
            ("15", "12x", "parsing time \"12x\": extra text: \"x\""),
            (
                "-0700",
                "+2561",
                "parsing time \"+2561\": time zone offset minute out of range",
            ),
        ] {
            assert_eq!(read(layout, text), error, "{layout} {text}");
        }
    }
}
