//! Times as people and programs read them: RFC 3339, at China's offset.

use gongji_wallet::day::{DAY_MS, date_of, day_of, ms_of_day};

/// `2026-03-02T10:00:00.000+08:00` of an instant (ms, UTC).
pub fn rfc3339(at: i64) -> String {
    let (year, month, day) = date_of(day_of(at));
    let ms = ms_of_day(at);
    debug_assert!((0..DAY_MS).contains(&ms), "a time of day lies within its day");
    let (hour, minute, second, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}+08:00")
}

/// Reads RFC 3339 with any offset; `None` where it is no time, or one that could not be written again: years have four digits.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let at = text.parse::<jiff::Timestamp>().ok()?.as_millisecond();
    (0..=9_999).contains(&date_of(day_of(at)).0).then_some(at)
}

/// `2026-03-02` of a business day.
pub fn date(day: gongji_wallet::day::Day) -> String {
    let (year, month, day) = date_of(day);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_china_and_read_back() {
        let text = rfc3339(1_772_416_800_123);
        assert_eq!(text, "2026-03-02T10:00:00.123+08:00");
        assert_eq!(parse_rfc3339(&text), Some(1_772_416_800_123));
        assert_eq!(parse_rfc3339("2026-03-02T02:00:00.123Z"), Some(1_772_416_800_123));
        assert_eq!(parse_rfc3339("2026-03-02"), None);
        // Found by fuzzing: a time was read that no answer could tell.
        assert_eq!(parse_rfc3339("-009999-12-31T00:00:00Z"), None);
        assert_eq!(parse_rfc3339("0000-01-01T00:00:00+23:00"), None);
    }
}
