//! Times to text.

use super::calendar::{MONTHS, WEEKDAYS};
use super::layout::{self, Offset, Part};
use super::{Time, Zone};

/// The time in the layout.
pub(super) fn format(time: &Time, layout: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = layout;
    while !rest.is_empty() {
        let chunk = layout::next(rest);
        out.extend_from_slice(chunk.before);
        let Some(part) = chunk.part else { break };
        out.extend_from_slice(written(time, part).as_bytes());
        rest = chunk.rest;
    }
    out
}

fn written(time: &Time, part: Part) -> String {
    let date = time.date();
    let [hour, minute, second] = time.clock();
    let name = |names: &[&'static str], index: i64| names[index as usize];
    let hour_12 = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    match part {
        Part::LongMonth => name(&MONTHS, date.month - 1).into(),
        Part::Month => name(&MONTHS, date.month - 1)[..3].into(),
        Part::NumberMonth => date.month.to_string(),
        Part::ZeroMonth => padded(date.month, 2),
        Part::LongWeekday => name(&WEEKDAYS, time.weekday()).into(),
        Part::Weekday => name(&WEEKDAYS, time.weekday())[..3].into(),
        Part::Day => date.day.to_string(),
        Part::UnderDay => format!("{:2}", date.day),
        Part::ZeroDay => padded(date.day, 2),
        Part::UnderYearDay => format!("{:3}", time.year_day()),
        Part::ZeroYearDay => padded(time.year_day(), 3),
        Part::Hour => padded(hour, 2),
        Part::Hour12 => hour_12.to_string(),
        Part::ZeroHour12 => padded(hour_12, 2),
        Part::Minute => minute.to_string(),
        Part::ZeroMinute => padded(minute, 2),
        Part::Second => second.to_string(),
        Part::ZeroSecond => padded(second, 2),
        Part::LongYear => padded(date.year, 4),
        Part::Year => padded(date.year.wrapping_abs() % 100, 2),
        Part::Half { capital } => match (hour >= 12, capital) {
            (true, true) => "PM",
            (false, true) => "AM",
            (true, false) => "pm",
            (false, false) => "am",
        }
        .into(),
        Part::ZoneName => zone_name(&time.zone),
        Part::Offset(form) => offset(time.zone.offset(), form),
        Part::Fraction {
            point,
            digits,
            trimmed,
        } => fraction(time.nanosecond, point, digits, trimmed),
    }
}

/// The number with zeros before it; the sign doesn't count as a digit.
fn padded(number: i64, digits: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0digits$}", number.unsigned_abs())
}

fn zone_name(zone: &Zone) -> String {
    match zone.name() {
        "" => offset(
            zone.offset(),
            Offset {
                z: false,
                colons: false,
                minutes: true,
                seconds: false,
            },
        ),
        name => name.into(),
    }
}

fn offset(offset: i32, form: Offset) -> String {
    if form.z && offset == 0 {
        return "Z".into();
    }
    // Less than a minute west is written with a plus, but its seconds keep their own sign.
    let minutes = offset / 60;
    let (sign, seconds) = match minutes < 0 {
        true => ("-", -offset % 60),
        false => ("+", offset % 60),
    };
    let minutes = minutes.abs();
    let colon = if form.colons { ":" } else { "" };
    let mut out = format!("{sign}{:02}", minutes / 60);
    if form.minutes {
        out += &format!("{colon}{:02}", minutes % 60);
    }
    if form.seconds {
        out += &format!("{colon}{}", padded(i64::from(seconds), 2));
    }
    out
}

fn fraction(nanosecond: u32, point: u8, digits: usize, trimmed: bool) -> String {
    if trimmed && (digits == 0 || nanosecond == 0) {
        return String::new();
    }
    let point = char::from(point);
    let mut out = format!("{point}{nanosecond:09}");
    out.truncate(1 + digits.min(9));
    if trimmed {
        let kept = out.trim_end_matches('0').len();
        out.truncate(kept);
        if out.len() == 1 {
            out.clear();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::go::time::{Date, Time, Zone};

    #[test]
    fn layouts_are_filled() {
        let date = Date {
            year: 2026,
            month: 6,
            day: 1,
        };
        let zone = Zone::Fixed {
            name: String::new(),
            offset: -5400,
        };
        let time = Time::of(date, [15, 4, 5], 120_000_000, zone);
        for (layout, text) in [
            ("2006-01-02", "2026-06-01"),
            ("Mon Jan _2 3:04pm MST", "Mon Jun  1 3:04pm -0130"),
            (".000 .999 .99999", ".120 .12 .12"),
            ("Z07:00 -0700 Z07", "-01:30 -0130 -01"),
            ("Janet _2006 002 __2", "Janet _2026 152 152"),
            ("05.00x", "05.12x"),
            ("", ""),
        ] {
            let written = String::from_utf8(time.format(layout.as_bytes()));
            assert_eq!(written.as_deref(), Ok(text), "{layout}");
        }
    }
}
