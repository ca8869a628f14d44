//! Yuan as text and fen as integers, without a floating-point number in between.

use gongji_ledger::Fen;

/// Integer digits of the largest amount that is read; far above any, far below the limit of 64 bits.
const INTEGER_DIGITS_MAX: usize = 13;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("the amount is missing")]
    Missing,
    #[error("an amount is digits, with a point and at most two decimals")]
    Shape,
    #[error("an amount has at most two decimals")]
    Decimals,
    #[error("an amount is not negative")]
    Negative,
    #[error("the amount is too large")]
    TooLarge,
}

impl AmountError {
    pub fn message_zh(self) -> &'static str {
        match self {
            AmountError::Missing => "请填金额。",
            AmountError::Shape => "金额请只写数字,比如 200 或 200.50。",
            AmountError::Decimals => "金额最多写到分,也就是小数点后两位。",
            AmountError::Negative => "金额不能是负数。",
            AmountError::TooLarge => "金额太大了,请再核对一遍。",
        }
    }
}

/// `1234`, `1234.5` or `1234.56` yuan, exactly. No sign, space, separator or exponent: files are written by machines.
pub fn parse_yuan(text: &str) -> Result<Fen, AmountError> {
    if text.is_empty() {
        return Err(AmountError::Missing);
    }
    let unsigned = text.strip_prefix('-');
    let (integer, decimals) = match unsigned.unwrap_or(text).split_once('.') {
        Some((integer, decimals)) => (integer, Some(decimals)),
        None => (unsigned.unwrap_or(text), None),
    };
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(integer) || !decimals.is_none_or(are_digits) {
        return Err(AmountError::Shape);
    }
    if unsigned.is_some() {
        return Err(AmountError::Negative);
    }
    let decimals = decimals.unwrap_or("");
    if decimals.len() > 2 {
        return Err(AmountError::Decimals);
    }
    if integer.trim_start_matches('0').len() > INTEGER_DIGITS_MAX {
        return Err(AmountError::TooLarge);
    }
    let value = |digits: &str| digits.bytes().fold(0i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let fen_of_decimals = value(decimals) * if decimals.len() == 1 { 10 } else { 1 };
    Ok(Fen(value(integer.trim_start_matches('0')) * 100 + fen_of_decimals))
}

/// As [`parse_yuan`] for what people type: spaces, ¥, 元, full-width digits and thousands separators are understood.
pub fn parse_typed_yuan(text: &str) -> Result<Fen, AmountError> {
    if text.len() > 256 {
        return Err(AmountError::TooLarge);
    }
    let half: String = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| match character {
            '\u{FF10}'..='\u{FF19}' => char::from(b'0' + (character as u32 - 0xFF10) as u8),
            '．' | '。' => '.',
            '，' => ',',
            '－' | '−' => '-',
            '￥' => '¥',
            other => other,
        })
        .collect();
    let plain = half.strip_prefix('¥').unwrap_or(&half);
    let plain = plain.strip_suffix('元').unwrap_or(plain);
    if !plain.contains(',') {
        return parse_yuan(plain);
    }
    // A comma is only a thousands separator where it stands between groups of three: 1,23 may mean 1.23.
    let integer = plain.split('.').next().unwrap_or(plain);
    let mut groups = integer.split(',');
    let is_first_fine = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
    if !is_first_fine || !groups.all(|group| group.len() == 3) || plain[integer.len()..].contains(',') {
        return Err(AmountError::Shape);
    }
    parse_yuan(&plain.replace(',', ""))
}

/// `1,234.56`; negative amounts with a leading minus.
pub fn yuan(amount: Fen) -> String {
    let plain = amount.to_string();
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let (integer, decimals) = digits.split_once('.').expect("an amount prints with two decimals");
    let mut grouped = String::with_capacity(plain.len() + plain.len() / 3);
    for (at, digit) in integer.char_indices() {
        if at > 0 && (integer.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{decimals}")
}

/// `¥1,234.56`: how money is shown everywhere; negative as `-¥1,234.56`.
pub fn format_yuan(amount: Fen) -> String {
    let text = yuan(amount);
    match text.strip_prefix('-') {
        Some(positive) => format!("-¥{positive}"),
        None => format!("¥{text}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exact_decimals_are_read_and_everything_else_is_named() {
        for (text, fen) in [
            ("0", 0),
            ("0.01", 1),
            ("0.1", 10),
            ("6000.00", 600_000),
            ("2000.01", 200_001),
            ("007.50", 750),
            ("0.29", 29),
            ("1.15", 115),
            ("9999999999999.99", 999_999_999_999_999),
        ] {
            assert_eq!(parse_yuan(text), Ok(Fen(fen)), "{text}");
        }
        for (text, error) in [
            ("", AmountError::Missing),
            (".5", AmountError::Shape),
            ("5.", AmountError::Shape),
            ("1.2.3", AmountError::Shape),
            ("1e3", AmountError::Shape),
            ("+5", AmountError::Shape),
            (" 5", AmountError::Shape),
            ("1,000.00", AmountError::Shape),
            ("NaN", AmountError::Shape),
            ("５", AmountError::Shape),
            ("-", AmountError::Shape),
            ("-0.01", AmountError::Negative),
            ("0.001", AmountError::Decimals),
            ("2000.000", AmountError::Decimals),
            ("10000000000000", AmountError::TooLarge),
            ("99999999999999999999999999999999", AmountError::TooLarge),
        ] {
            assert_eq!(parse_yuan(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_people_type_is_understood_where_it_is_clear() {
        for (text, fen) in [
            ("¥1,234.56", 123_456),
            ("￥ 200", 20_000),
            ("200元", 20_000),
            ("２００．５０", 20_050),
            ("1，000", 100_000),
            ("200。5", 20_050),
            (" 1 000 ", 100_000),
        ] {
            assert_eq!(parse_typed_yuan(text), Ok(Fen(fen)), "{text:?}");
        }
        for text in ["1,23", ",5", "1,2345", "1,000,00", "5.1,000", "二百", "¥", "¥¥5", "1,,000"] {
            assert!(parse_typed_yuan(text).is_err(), "{text:?}");
        }
        assert_eq!(parse_typed_yuan("－5"), Err(AmountError::Negative));
        assert!(parse_typed_yuan(&"9".repeat(100_000)).is_err());
    }

    #[test]
    fn money_is_shown_with_separators() {
        for (fen, text) in [(0, "¥0.00"), (5, "¥0.05"), (99_999, "¥999.99"), (123_456, "¥1,234.56"), (100_000_000, "¥1,000,000.00"), (-123_456, "-¥1,234.56")]
        {
            assert_eq!(format_yuan(Fen(fen)), text);
        }
        assert_eq!(yuan(Fen(i64::MIN)), "-92,233,720,368,547,758.08");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(fen in 0..=999_999_999_999_999i64) {
            prop_assert_eq!(parse_yuan(&Fen(fen).to_string()), Ok(Fen(fen)));
            prop_assert_eq!(parse_typed_yuan(&format_yuan(Fen(fen))), Ok(Fen(fen)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[-0-9.,¥元e+ ]{0,20}") {
            let _ = parse_yuan(&text);
            let _ = parse_typed_yuan(&text);
        }
    }
}
