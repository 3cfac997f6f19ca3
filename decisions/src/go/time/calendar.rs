//! The calendar that goes on for ever in both directions, in the 64 bits that Go counts with.

/// A day on the calendar; the parts may go beyond their ranges where that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: i64,
    /// The month, January being 1.
    pub month: i64,
    /// The day of the month.
    pub day: i64,
}

/// The months' names.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days' names.
pub const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Days are counted from March of a year so far back that no count is negative: a multiple of the 400 years in which the
/// calendar repeats itself.
const YEARS_BACK: u64 = 292_277_022_400;

/// From that day to the first one of the year 1.
const SECONDS_BACK: u64 = (YEARS_BACK / 400 * 146_097 + 306) * 86_400;

/// Seconds since the year 1 as seconds since that day.
pub(super) fn absolute(seconds: i64) -> u64 {
    (seconds as u64).wrapping_add(SECONDS_BACK)
}

/// Seconds since the year 1 of the day's begin.
pub(super) fn seconds_of_date(date: Date) -> i64 {
    let (year, month) = super::carried(date.year, date.month.wrapping_sub(1), 12);
    // January and February belong to the year before.
    let (year, month) = match month {
        0 | 1 => (year.wrapping_sub(1), month + 13),
        _ => (year, month + 1),
    };
    let year = (year as u64).wrapping_add(YEARS_BACK);
    let (century, year) = (year / 100, year % 100);
    let before_year = (century.wrapping_mul(146_097) / 4).wrapping_add(1461 * year / 4);
    let before_month = (153 * month - 457) / 5;
    let days = before_year.wrapping_add((before_month + date.day.wrapping_sub(1)) as u64);
    days.wrapping_mul(86_400).wrapping_sub(SECONDS_BACK) as i64
}

/// A day's parts.
struct Day {
    century: u64,
    /// The year in the century, and the day in the year that begins in March.
    year: u64,
    year_day: u64,
}

impl Day {
    fn of(days: u64) -> Day {
        let quarters = days.wrapping_mul(4).wrapping_add(3);
        let in_century = (quarters % 146_097) | 3;
        Day {
            century: quarters / 146_097,
            year: in_century / 1461,
            year_day: in_century % 1461 / 4,
        }
    }

    /// January and February are the end of the year before.
    fn is_at_the_end(&self) -> bool {
        self.year_day >= 306
    }

    fn calendar_year(&self) -> i64 {
        let century = self.century.wrapping_mul(100).wrapping_sub(YEARS_BACK);
        (century as i64)
            .wrapping_add(self.year as i64)
            .wrapping_add(i64::from(self.is_at_the_end()))
    }

    /// Whether the March that it counts from is of a leap year.
    fn leaps(&self) -> bool {
        self.year.is_multiple_of(4) && (self.year != 0 || self.century.is_multiple_of(4))
    }
}

/// The date of a day.
pub(super) fn date(days: u64) -> Date {
    let day = Day::of(days);
    let month = (5 * day.year_day + 461) / 153;
    let before_month = (153 * month - 457) / 5;
    Date {
        year: day.calendar_year(),
        month: if month > 12 { month - 12 } else { month } as i64,
        day: (day.year_day - before_month + 1) as i64,
    }
}

/// The day in its calendar year, from 1.
pub(super) fn year_day(days: u64) -> i64 {
    let day = Day::of(days);
    let in_year = day.year_day as i64;
    match day.is_at_the_end() {
        true => in_year - 305,
        false => in_year + 60 + i64::from(day.leaps()),
    }
}

/// The day of the week, Sunday being 0.
pub(super) fn weekday(days: u64) -> i64 {
    // The first day was a Wednesday.
    (days.wrapping_add(3) % 7) as i64
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days the month has.
pub(super) fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
