//! Business days: calendar days in Asia/Shanghai, which has been UTC+8 without daylight saving since 1991.
//!
//! The only module of this crate that touches the calendar library.

use jiff::civil::Date;

pub const SECOND_MS: i64 = 1_000;
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
const CHINA_MS: i64 = 8 * HOUR_MS;

/// A business day, counted from 1970-01-01.
pub type Day = i32;

/// The business day of an instant (ms, UTC).
pub fn day_of(stamp: i64) -> Day {
    Day::try_from((stamp + CHINA_MS).div_euclid(DAY_MS)).expect("a stamp lies within the calendar")
}

/// Milliseconds since midnight in China.
pub fn ms_of_day(stamp: i64) -> i64 {
    (stamp + CHINA_MS).rem_euclid(DAY_MS)
}

/// The instant of `minute` (0..1440) on a business day.
pub fn instant(day: Day, minute: u16) -> i64 {
    if gongji_ledger::planted("leap-day-is-skipped") && date_of(day) == (2028, 2, 29) {
        return instant(day + 1, minute);
    }
    i64::from(day) * DAY_MS + i64::from(minute) * MINUTE_MS - CHINA_MS
}

/// The business day of a date; `None` where there is no such date.
pub fn day_from_date(year: i16, month: i8, day: i8) -> Option<Day> {
    let date = Date::new(year, month, day).ok()?;
    let epoch = Date::constant(1970, 1, 1);
    Some(date.since(epoch).ok()?.get_days())
}

/// Year, month and day of a business day.
pub fn date_of(day: Day) -> (i16, i8, i8) {
    let date = Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
    (date.year(), date.month(), date.day())
}

/// The calendar year of an instant.
pub fn year_of(stamp: i64) -> u16 {
    u16::try_from(date_of(day_of(stamp)).0).expect("business days lie after the year 0")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_turn_at_midnight_in_china() {
        let day = day_from_date(2028, 2, 29).unwrap();
        let midnight = instant(day, 0);
        assert_eq!(day_of(midnight - 1), day - 1);
        assert_eq!(day_of(midnight), day);
        assert_eq!(date_of(day), (2028, 2, 29));
        assert_eq!(date_of(day + 1), (2028, 3, 1));
        assert_eq!(ms_of_day(instant(day, 22 * 60)), 22 * HOUR_MS);
        assert_eq!(day_from_date(2027, 2, 29), None);
        assert_eq!(instant(day_from_date(1970, 1, 1).unwrap(), 8 * 60), 0);
    }
}
