//! Layouts: the parts of Go's reference time, and what stands between.

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    /// `PM` or `pm`.
    Half {
        capital: bool,
    },
    /// `MST`
    ZoneName,
    Offset(Offset),
    /// Digits behind the second's point: how many, and whether zeros at the end are left out.
    Fraction {
        point: u8,
        digits: usize,
        trimmed: bool,
    },
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// `Z` for UTC.
    pub z: bool,
    pub colons: bool,
    pub minutes: bool,
    pub seconds: bool,
}

/// What the layout begins with: text, a part with its own text, and the rest.
pub(super) struct Chunk<'l> {
    pub before: &'l [u8],
    pub part: Option<Part>,
    pub text: &'l [u8],
    pub rest: &'l [u8],
}

/// Finds the first part of the layout.
pub(super) fn next(layout: &[u8]) -> Chunk<'_> {
    for start in 0..layout.len() {
        if let Some((part, skipped, length)) = part_at(&layout[start..]) {
            let begin = start + skipped;
            return Chunk {
                before: &layout[..begin],
                part: Some(part),
                text: &layout[begin..begin + length],
                rest: &layout[begin + length..],
            };
        }
    }
    Chunk {
        before: layout,
        part: None,
        text: b"",
        rest: b"",
    }
}

/// The part that the text begins with: bytes before it that are text all the same, and its length.
fn part_at(text: &[u8]) -> Option<(Part, usize, usize)> {
    let found = |part, length| Some((part, 0, length));
    let starts = |with: &str| text.starts_with(with.as_bytes());
    // `Janet` isn't `Jan`.
    let word =
        |with: &str| starts(with) && !text.get(with.len()).is_some_and(u8::is_ascii_lowercase);
    match text[0] {
        b'J' if starts("January") => found(Part::LongMonth, 7),
        b'J' if word("Jan") => found(Part::Month, 3),
        b'M' if starts("Monday") => found(Part::LongWeekday, 6),
        b'M' if word("Mon") => found(Part::Weekday, 3),
        b'M' if starts("MST") => found(Part::ZoneName, 3),
        b'0' => match text.get(1)? {
            b'1' => found(Part::ZeroMonth, 2),
            b'2' => found(Part::ZeroDay, 2),
            b'3' => found(Part::ZeroHour12, 2),
            b'4' => found(Part::ZeroMinute, 2),
            b'5' => found(Part::ZeroSecond, 2),
            b'6' => found(Part::Year, 2),
            b'0' if starts("002") => found(Part::ZeroYearDay, 3),
            _ => None,
        },
        b'1' if starts("15") => found(Part::Hour, 2),
        b'1' => found(Part::NumberMonth, 1),
        b'2' if starts("2006") => found(Part::LongYear, 4),
        b'2' => found(Part::Day, 1),
        b'_' if starts("_2006") => Some((Part::LongYear, 1, 4)),
        b'_' if starts("_2") => found(Part::UnderDay, 2),
        b'_' if starts("__2") => found(Part::UnderYearDay, 3),
        b'3' => found(Part::Hour12, 1),
        b'4' => found(Part::Minute, 1),
        b'5' => found(Part::Second, 1),
        b'P' if starts("PM") => found(Part::Half { capital: true }, 2),
        b'p' if starts("pm") => found(Part::Half { capital: false }, 2),
        b'-' | b'Z' => offset_at(text).map(|(offset, length)| (Part::Offset(offset), 0, length)),
        b'.' | b',' => fraction_at(text).map(|(part, length)| (part, 0, length)),
        _ => None,
    }
}

fn offset_at(text: &[u8]) -> Option<(Offset, usize)> {
    const FORMS: [(&str, bool, bool, bool); 5] = [
        ("070000", false, true, true),
        ("07:00:00", true, true, true),
        ("0700", false, true, false),
        ("07:00", true, true, false),
        ("07", false, false, false),
    ];
    let (form, colons, minutes, seconds) = FORMS
        .into_iter()
        .find(|(form, ..)| text[1..].starts_with(form.as_bytes()))?;
    let z = text[0] == b'Z';
    let offset = Offset {
        z,
        colons,
        minutes,
        seconds,
    };
    Some((offset, form.len() + 1))
}

/// A point with zeros or nines, if no other digit follows.
fn fraction_at(text: &[u8]) -> Option<(Part, usize)> {
    let digit = *text.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = text[1..].iter().take_while(|byte| **byte == digit).count();
    let ends = !text.get(1 + digits).is_some_and(u8::is_ascii_digit);
    let part = Part::Fraction {
        point: text[0],
        // More digits than there are bits for count as fewer.
        digits: digits & 0xfff,
        trimmed: digit == b'9',
    };
    ends.then_some((part, 1 + digits))
}
