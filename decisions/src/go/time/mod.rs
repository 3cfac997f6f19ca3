//! Points in time as Go's `time` package counts, reads and writes them, where the machine's own zone is UTC: the
//! controllers' image has no other one.

mod calendar;
mod layout;
mod parse;
mod write;

pub use calendar::{Date, MONTHS, WEEKDAYS};
pub use parse::ParseError;

use calendar::{absolute, seconds_of_date};

/// From the year 1, from which Go counts, to 1970.
const UNIX_EPOCH: i64 = 62_135_596_800;

const NANOSECONDS: i64 = 1_000_000_000;

/// A point in time with the zone that it is shown in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since the year 1, in UTC.
    pub seconds: i64,
    /// Nanoseconds after that, below 10^9.
    pub nanosecond: u32,
    /// Where it is shown.
    pub zone: Zone,
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// UTC by its name.
    Utc,
    /// The machine's zone, which is UTC.
    Local,
    /// A zone that was read with a time.
    Fixed {
        /// Its abbreviation; empty when only the offset was read.
        name: String,
        /// Seconds east of UTC.
        offset: i32,
    },
}

impl Zone {
    /// The abbreviation.
    pub fn name(&self) -> &str {
        match self {
            Zone::Utc | Zone::Local => "UTC",
            Zone::Fixed { name, .. } => name,
        }
    }

    /// Seconds east of UTC.
    pub fn offset(&self) -> i32 {
        match self {
            Zone::Utc | Zone::Local => 0,
            Zone::Fixed { offset, .. } => *offset,
        }
    }
}

impl Default for Time {
    /// Go's zero time: the year 1.
    fn default() -> Self {
        Time {
            seconds: 0,
            nanosecond: 0,
            zone: Zone::Utc,
        }
    }
}

impl Time {
    /// The text as a time in the machine's zone (`time.ParseInLocation`), by a layout of Go's.
    ///
    /// # Errors
    ///
    /// The text doesn't fit the layout, or a part of it is out of range.
    pub fn parse(layout: &[u8], text: &[u8]) -> Result<Time, ParseError> {
        parse::parse(layout, text)
    }

    /// The time in a layout of Go's.
    pub fn format(&self, layout: &[u8]) -> Vec<u8> {
        write::format(self, layout)
    }

    /// The time of a date and a clock, whose parts may go beyond their ranges.
    pub fn of(date: Date, clock: [i64; 3], nanosecond: i64, zone: Zone) -> Time {
        let [hour, minute, second] = clock;
        let (second, nanosecond) = carried(second, nanosecond, NANOSECONDS);
        let (minute, second) = carried(minute, second, 60);
        let (hour, minute) = carried(hour, minute, 60);
        let (day, hour) = carried(date.day, hour, 24);
        let in_day = hour * 3600 + minute * 60 + second;
        let seconds = seconds_of_date(Date { day, ..date }).wrapping_add(in_day);
        Time {
            seconds: seconds.wrapping_sub(i64::from(zone.offset())),
            nanosecond: nanosecond as u32,
            zone,
        }
    }

    /// The year, month and day in its zone.
    pub fn date(&self) -> Date {
        calendar::date(self.absolute() / 86_400)
    }

    /// The day of the year, from 1.
    pub fn year_day(&self) -> i64 {
        calendar::year_day(self.absolute() / 86_400)
    }

    /// The day of the week, Sunday being 0.
    pub fn weekday(&self) -> i64 {
        calendar::weekday(self.absolute() / 86_400)
    }

    /// Hour, minute and second in its zone.
    pub fn clock(&self) -> [i64; 3] {
        let second = (self.absolute() % 86_400) as i64;
        [second / 3600, second / 60 % 60, second % 60]
    }

    fn absolute(&self) -> u64 {
        absolute(self.seconds.wrapping_add(i64::from(self.zone.offset())))
    }

    /// Seconds since 1970.
    pub fn unix(&self) -> i64 {
        self.seconds.wrapping_sub(UNIX_EPOCH)
    }

    /// The time shown in another zone.
    pub fn shown_in(&self, zone: Zone) -> Time {
        Time {
            zone,
            ..self.clone()
        }
    }

    /// The time so many nanoseconds later; what goes beyond all time stays at its end.
    pub fn plus(&self, nanoseconds: i64) -> Time {
        let sum = i64::from(self.nanosecond) + nanoseconds % NANOSECONDS;
        let seconds = nanoseconds / NANOSECONDS + sum.div_euclid(NANOSECONDS);
        Time {
            seconds: self.plus_seconds(seconds),
            nanosecond: sum.rem_euclid(NANOSECONDS) as u32,
            zone: self.zone.clone(),
        }
    }

    fn plus_seconds(&self, seconds: i64) -> i64 {
        match self.seconds.checked_add(seconds) {
            Some(sum) => sum,
            None if seconds > 0 => i64::MAX,
            None => -i64::MAX,
        }
    }

    /// The nanoseconds from the other time to this one; what goes beyond is the longest span.
    pub fn since(&self, other: &Time) -> i64 {
        let wide = |time: &Time| {
            i128::from(time.seconds) * i128::from(NANOSECONDS) + i128::from(time.nanosecond)
        };
        let span = wide(self) - wide(other);
        i64::try_from(span).unwrap_or(if span < 0 { i64::MIN } else { i64::MAX })
    }

    /// The time with more years, months and days on its calendar.
    pub fn plus_date(&self, years: i64, months: i64, days: i64) -> Time {
        let date = self.date();
        let date = Date {
            year: date.year.wrapping_add(years),
            month: date.month.wrapping_add(months),
            day: date.day.wrapping_add(days),
        };
        let nanosecond = i64::from(self.nanosecond);
        Time::of(date, self.clock(), nanosecond, self.zone.clone())
    }

    /// The time down to a multiple of the span since the year 1.
    pub fn truncated(&self, span: i64) -> Time {
        match span {
            ..=0 => self.clone(),
            _ => self.plus(-self.beyond(span)),
        }
    }

    /// The time at the nearest multiple of the span since the year 1, the later one of two.
    pub fn rounded(&self, span: i64) -> Time {
        if span <= 0 {
            return self.clone();
        }
        let rest = self.beyond(span);
        match (rest as u64) * 2 < span as u64 {
            true => self.plus(-rest),
            false => self.plus(span - rest),
        }
    }

    /// What the time is beyond a multiple of the span.
    fn beyond(&self, span: i64) -> i64 {
        let time = i128::from(self.seconds) * i128::from(NANOSECONDS) + i128::from(self.nanosecond);
        time.rem_euclid(i128::from(span)) as i64
    }
}

/// Carries what `low` has beyond its base into `high`.
fn carried(high: i64, low: i64, base: i64) -> (i64, i64) {
    (
        high.wrapping_add(low.div_euclid(base)),
        low.rem_euclid(base),
    )
}

#[cfg(test)]
mod tests {
    use super::{Date, Time, Zone};

    fn time(year: i64, month: i64, day: i64) -> Time {
        Time::of(Date { year, month, day }, [0, 0, 0], 0, Zone::Utc)
    }

    #[test]
    fn dates_are_counted_both_ways() {
        assert_eq!(time(1970, 1, 1).unix(), 0);
        assert_eq!(time(1, 1, 1), Time::default());
        let leap = time(2024, 2, 29);
        assert_eq!(leap.weekday(), 4);
        assert_eq!(leap.year_day(), 60);
        for (year, month, day) in [(2024, 2, 29), (1900, 3, 1), (0, 12, 31), (-1, 1, 1)] {
            let date = time(year, month, day).date();
            assert_eq!((date.year, date.month, date.day), (year, month, day));
        }
    }

    #[test]
    fn parts_beyond_their_ranges_are_carried() {
        assert_eq!(time(2023, 14, 1), time(2024, 2, 1));
        assert_eq!(time(2023, 10, 31).plus_date(0, 1, 0), time(2023, 12, 1));
        assert_eq!(time(2024, 3, 0), time(2024, 2, 29));
    }

    #[test]
    fn spans_are_added_and_rounded() {
        let second = 1_000_000_000;
        let later = time(2024, 1, 1).plus(90 * second + 5);
        assert_eq!(later.since(&time(2024, 1, 1)), 90 * second + 5);
        assert_eq!(later.clock(), [0, 1, 30]);
        assert_eq!(later.truncated(60 * second).clock(), [0, 1, 0]);
        assert_eq!(later.rounded(60 * second).clock(), [0, 2, 0]);
        assert_eq!(time(1, 1, 1).since(&time(2024, 1, 1)), i64::MIN);
    }
}
