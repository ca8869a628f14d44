//! Money and instants as people read them.
//!
//! China has one time zone without daylight saving, so the offset is a constant, not a database.

/// Asia/Shanghai, fixed.
const SHANGHAI_OFFSET_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
const WEEKDAYS: [&str; 7] = ["周四", "周五", "周六", "周日", "周一", "周二", "周三"];

/// Fen as "¥1,234.56"; below zero as "−¥1,234.56" (U+2212, which reads as "minus").
#[must_use]
pub fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "−" } else { "" };
    let whole = (fen.unsigned_abs() / 100).to_string();
    let mut grouped = String::with_capacity(whole.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}¥{grouped}.{:02}", fen.unsigned_abs() % 100)
}

/// Fen with its direction always told: "+¥200.00", "−¥36.50".
#[must_use]
pub fn yuan_signed(fen: i64) -> String {
    if fen > 0 { format!("+{}", yuan(fen)) } else { yuan(fen) }
}

/// Fen as typed into a field: "1234.56".
#[must_use]
pub fn yuan_typed(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

/// Milliseconds since the epoch as "11月22日 周日 10:05".
#[must_use]
pub fn when(ms: i64) -> String {
    format!("{} {}", day(ms), clock(ms))
}

/// "11月22日 周日".
#[must_use]
pub fn day(ms: i64) -> String {
    let (_, month, day) = civil(ms);
    format!("{month}月{day}日 {}", weekday(ms))
}

/// "2026年11月22日".
#[must_use]
pub fn date(ms: i64) -> String {
    let (year, month, day) = civil(ms);
    format!("{year}年{month}月{day}日")
}

/// "2026年11月22日 10:05", for paper that is kept.
#[must_use]
pub fn date_and_clock(ms: i64) -> String {
    format!("{} {}", date(ms), clock(ms))
}

/// "2026年11月".
#[must_use]
pub fn month(ms: i64) -> String {
    let (year, month, _) = civil(ms);
    format!("{year}年{month}月")
}

/// "10:05".
#[must_use]
pub fn clock(ms: i64) -> String {
    let minutes = (ms + SHANGHAI_OFFSET_MS).rem_euclid(DAY_MS) / 60_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// "10:05:30".
#[must_use]
pub fn clock_seconds(ms: i64) -> String {
    let seconds = (ms + SHANGHAI_OFFSET_MS).rem_euclid(DAY_MS) / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// An instant as somebody thinking of `now` would say it: "今天 22:00", "明天 6:00", else [`when`].
#[must_use]
pub fn when_from(ms: i64, now_ms: i64) -> String {
    let days = (ms + SHANGHAI_OFFSET_MS).div_euclid(DAY_MS) - (now_ms + SHANGHAI_OFFSET_MS).div_euclid(DAY_MS);
    match days {
        0 => format!("今天 {}", clock(ms)),
        1 => format!("明天 {}", clock(ms)),
        -1 => format!("昨天 {}", clock(ms)),
        _ => when(ms),
    }
}

fn weekday(ms: i64) -> &'static str {
    let days = (ms + SHANGHAI_OFFSET_MS).div_euclid(DAY_MS);
    let index = usize::try_from(days.rem_euclid(7)).expect("a remainder of seven is below seven");
    WEEKDAYS[index]
}

/// Year, month and day of the proleptic Gregorian calendar (Howard Hinnant's `civil_from_days`).
fn civil(ms: i64) -> (i64, i64, i64) {
    let days = (ms + SHANGHAI_OFFSET_MS).div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_keeps_two_decimals() {
        assert_eq!(yuan(0), "¥0.00");
        assert_eq!(yuan(5), "¥0.05");
        assert_eq!(yuan(123_456), "¥1,234.56");
        assert_eq!(yuan(100_000_000), "¥1,000,000.00");
        assert_eq!(yuan(-3_650), "−¥36.50");
        assert_eq!(yuan(i64::MIN), "−¥92,233,720,368,547,758.08");
        assert_eq!(yuan_signed(20_000), "+¥200.00");
        assert_eq!(yuan_typed(123_456), "1234.56");
    }

    #[test]
    fn instants_are_told_in_china_time() {
        let ms = 1_795_313_100_000; // 2026-11-22T02:05:00Z
        assert_eq!(when(ms), "11月22日 周日 10:05");
        assert_eq!(date(ms), "2026年11月22日");
        assert_eq!(clock_seconds(ms + 7_000), "10:05:07");
        assert_eq!(when_from(ms + DAY_MS, ms), "明天 10:05");
        assert_eq!(date(1_709_136_000_000), "2024年2月29日"); // 2024-02-28T16:00:00Z
        assert_eq!(date(0), "1970年1月1日");
    }
}
