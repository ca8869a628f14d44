//! The citizen identification number (公民身份号码).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{TEXT_BYTES_MAX, half_width, is_number_filler};
use crate::day::{Day, date_of, day_from_date};

/// 依据：GB 11643, with the same check over residence permits of Hong Kong, Macao and Taiwan residents (81, 82, 83) and
/// permanent-residence cards of foreigners (first digit 9).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [u8; 11] = *b"10X98765432";

/// Nobody alive was born before; an earlier year is a slip of the pen.
const BIRTH_YEAR_MIN: i16 = 1890;
/// 依据：民法典第十七条: a person under 18 is a minor.
const ADULT_AGE: i16 = 18;

/// An 18-character number that passed the check: region prefix, real birth date, check character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CitizenNumber([u8; 18]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    Male,
    Female,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CitizenNumberError {
    #[error("the ID number is missing")]
    Missing,
    #[error("this is a 15-digit ID number of the first generation")]
    FifteenDigits,
    #[error("an ID number has 18 characters, this has {0}")]
    Length(usize),
    #[error("character {0} of the ID number is not a digit")]
    Character(usize),
    #[error("the region at the start of the ID number does not exist")]
    Region,
    #[error("the birth date in the ID number does not exist")]
    Date,
    #[error("the birth date in the ID number lies in the future")]
    Future,
    #[error("the check character of the ID number is wrong")]
    Check,
}

impl CitizenNumberError {
    /// One plain sentence; never repeats what was typed.
    pub fn message_zh(self) -> String {
        match self {
            CitizenNumberError::Missing => "请填身份证号。".to_owned(),
            CitizenNumberError::FifteenDigits => "这是 15 位的旧身份证号,请填现在身份证上的 18 位号码。".to_owned(),
            CitizenNumberError::Length(count) => format!("身份证号应该是 18 位,现在是 {count} 位,请再核对一遍。"),
            CitizenNumberError::Character(18) => "身份证号第 18 位应该是数字或 X,请再核对一遍。".to_owned(),
            CitizenNumberError::Character(at) => format!("身份证号第 {at} 位应该是数字,请再核对一遍。"),
            CitizenNumberError::Region => "身份证号开头两位不对,请再核对一遍。".to_owned(),
            CitizenNumberError::Date => "身份证号第 7 到 14 位是出生日期,没有这一天,请再核对一遍。".to_owned(),
            CitizenNumberError::Future => "身份证号里的出生日期还没有到,请再核对一遍。".to_owned(),
            CitizenNumberError::Check => "身份证号第 18 位不对,请再核对一遍。".to_owned(),
        }
    }
}

impl CitizenNumber {
    /// Full-width digits, lower-case x, spaces and dashes are brought to the plain form. A birth date in the future is
    /// accepted here, because today is not known: forms and imports use [`CitizenNumber::parse_on`].
    pub fn parse(text: &str) -> Result<CitizenNumber, CitizenNumberError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CitizenNumberError::Length(text.chars().count()));
        }
        let mut characters = [0u8; 18];
        let mut count = 0;
        let mut first_wrong = None;
        for character in text.chars().filter(|character| !is_number_filler(*character)).map(half_width) {
            count += 1;
            match character {
                '0'..='9' if count <= 18 => characters[count - 1] = character as u8,
                'x' | 'X' if count == 18 => characters[17] = b'X',
                '0'..='9' => {}
                _ => first_wrong = first_wrong.or(Some(count)),
            }
        }
        match (count, first_wrong) {
            (0, _) => return Err(CitizenNumberError::Missing),
            (15, None) => return Err(CitizenNumberError::FifteenDigits),
            (18, None) => {}
            (18, Some(at)) => return Err(CitizenNumberError::Character(at)),
            _ => return Err(CitizenNumberError::Length(count)),
        }
        let number = CitizenNumber(characters);
        if !is_region_prefix(number.digits(0, 2)) {
            return Err(CitizenNumberError::Region);
        }
        let (year, month, day) = number.birth_date();
        if year < BIRTH_YEAR_MIN || day_from_date(year, month, day).is_none() {
            return Err(CitizenNumberError::Date);
        }
        if check_character(&characters) != characters[17] {
            return Err(CitizenNumberError::Check);
        }
        Ok(number)
    }

    /// As [`CitizenNumber::parse`], and born on `today` at the latest.
    pub fn parse_on(text: &str, today: Day) -> Result<CitizenNumber, CitizenNumberError> {
        let number = CitizenNumber::parse(text)?;
        if number.birth_day() > today {
            return Err(CitizenNumberError::Future);
        }
        Ok(number)
    }

    /// The full 18 characters: to seal, to look up, to compare; not to log or show.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and X are ASCII")
    }

    /// First six and last four: `110105********002X`.
    pub fn masked(&self) -> String {
        format!("{}********{}", &self.as_str()[..6], &self.as_str()[14..])
    }

    /// Year, month, day.
    pub fn birth_date(&self) -> (i16, i8, i8) {
        (self.digits(6, 10), self.digits(10, 12) as i8, self.digits(12, 14) as i8)
    }

    /// The business day of birth.
    pub fn birth_day(&self) -> Day {
        let (year, month, day) = self.birth_date();
        day_from_date(year, month, day).expect("the birth date was checked by parse")
    }

    /// Completed years on a day. Who is born on 29 February completes a common year on 1 March.
    pub fn age_on(&self, day: Day) -> i16 {
        let (birth_year, birth_month, birth_day_of_month) = self.birth_date();
        let (year, month, day_of_month) = date_of(day);
        let had_birthday = (month, day_of_month) >= (birth_month, birth_day_of_month);
        year - birth_year - if had_birthday { 0 } else { 1 }
    }

    pub fn is_minor_on(&self, day: Day) -> bool {
        self.age_on(day) < ADULT_AGE
    }

    /// Digit 17, odd for male.
    pub fn sex(&self) -> Sex {
        if self.digits(16, 17) % 2 == 1 { Sex::Male } else { Sex::Female }
    }

    /// At most four digits of the number as a value.
    fn digits(&self, from: usize, to: usize) -> i16 {
        self.0[from..to].iter().fold(0, |value, digit| value * 10 + i16::from(digit - b'0'))
    }
}

/// Silent: an ID number is personal data.
impl fmt::Debug for CitizenNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CitizenNumber(…)")
    }
}

fn check_character(characters: &[u8; 18]) -> u8 {
    let sum: u32 = WEIGHTS.iter().zip(characters).map(|(weight, digit)| weight * u32::from(digit - b'0')).sum();
    CHECKS[(sum % 11) as usize]
}

fn is_region_prefix(two_digits: i16) -> bool {
    matches!(two_digits, 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=66 | 71 | 81..=83 | 90..=99)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Completes 17 digits with their check character.
    fn number(seventeen: &str) -> String {
        let mut characters = [b'0'; 18];
        characters[..17].copy_from_slice(seventeen.as_bytes());
        format!("{seventeen}{}", check_character(&characters) as char)
    }

    #[test]
    fn the_vector_of_the_standard_passes() {
        let number = CitizenNumber::parse("11010519491231002X").unwrap();
        assert_eq!(number.birth_date(), (1949, 12, 31));
        assert_eq!(number.sex(), Sex::Female);
        assert_eq!(number.masked(), "110105********002X");
        assert_eq!(format!("{number:?}"), "CitizenNumber(…)");
    }

    #[test]
    fn what_people_type_comes_to_one_form() {
        let plain = CitizenNumber::parse("11010519491231002X").unwrap();
        for text in [
            "11010519491231002x",
            " 110105 19491231 002X ",
            "110105-19491231-002x",
            "１１０１０５１９４９１２３１００２Ｘ",
            "１１０１０５１９４９１２３１００２ｘ",
            "\u{feff}11010519491231002X\u{200b}",
            "\u{202d}11010519491231002X\u{202c}",
            "110105\u{3000}19491231\u{a0}002X\r\n",
        ] {
            assert_eq!(CitizenNumber::parse(text), Ok(plain), "{text:?}");
        }
    }

    #[test]
    fn each_slip_has_its_own_sentence() {
        use CitizenNumberError::*;
        for (text, error, sentence) in [
            ("", Missing, "请填身份证号。"),
            (" \u{3000}", Missing, "请填身份证号。"),
            ("110105491231002", FifteenDigits, "这是 15 位的旧身份证号,请填现在身份证上的 18 位号码。"),
            ("1101051949123100", Length(16), "身份证号应该是 18 位,现在是 16 位,请再核对一遍。"),
            ("11010519491231002X1", Length(19), "身份证号应该是 18 位,现在是 19 位,请再核对一遍。"),
            ("1101051949123100XX", Character(17), "身份证号第 17 位应该是数字,请再核对一遍。"),
            ("11010519491231002Y", Character(18), "身份证号第 18 位应该是数字或 X,请再核对一遍。"),
            ("O1010519491231002X", Character(1), "身份证号第 1 位应该是数字,请再核对一遍。"),
            ("00010519491231002X", Region, "身份证号开头两位不对,请再核对一遍。"),
            ("11010519491331002X", Date, "身份证号第 7 到 14 位是出生日期,没有这一天,请再核对一遍。"),
            ("110105194912310021", Check, "身份证号第 18 位不对,请再核对一遍。"),
        ] {
            assert_eq!(CitizenNumber::parse(text), Err(error), "{text:?}");
            assert_eq!(error.message_zh(), sentence);
        }
        assert!(matches!(CitizenNumber::parse(&"1".repeat(1_000_000)), Err(Length(1_000_000))));
        assert!(matches!(CitizenNumber::parse("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X"), Err(Character(1))), "other scripts' digits are not digits here");
    }

    #[test]
    fn any_single_wrong_digit_is_found() {
        let good = "11010519491231002X".as_bytes();
        for at in 0..18 {
            for digit in b'0'..=b'9' {
                let mut wrong = good.to_vec();
                if wrong[at] == digit {
                    continue;
                }
                wrong[at] = digit;
                let text = String::from_utf8(wrong).unwrap();
                assert!(CitizenNumber::parse(&text).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn a_leap_day_exists_only_in_leap_years() {
        for (year, exists) in [(1904, true), (1900, false), (2000, true), (2020, true), (2023, false), (2024, true)] {
            let parsed = CitizenNumber::parse(&number(&format!("990101{year}0229001")));
            assert_eq!(parsed.is_ok(), exists, "{year}");
            if !exists {
                assert_eq!(parsed, Err(CitizenNumberError::Date));
            }
        }
    }

    #[test]
    fn the_future_is_measured_against_the_day_given() {
        let text = number("99010120261123001");
        let born = day_from_date(2026, 11, 23).unwrap();
        assert!(CitizenNumber::parse_on(&text, born).is_ok());
        assert_eq!(CitizenNumber::parse_on(&text, born - 1), Err(CitizenNumberError::Future));
        assert_eq!(CitizenNumber::parse_on(&number("99010118891231001"), born), Err(CitizenNumberError::Date));
    }

    #[test]
    fn a_minor_is_one_until_the_eighteenth_birthday() {
        let leap = CitizenNumber::parse(&number("99010120080229001")).unwrap();
        let day = |year, month, day| day_from_date(year, month, day).unwrap();
        assert!(leap.is_minor_on(day(2026, 2, 28)));
        assert!(!leap.is_minor_on(day(2026, 3, 1)));
        assert_eq!(leap.age_on(day(2024, 2, 28)), 15);
        assert_eq!(leap.age_on(day(2024, 2, 29)), 16);
        let plain = CitizenNumber::parse(&number("99010120081124001")).unwrap();
        assert!(plain.is_minor_on(day(2026, 11, 23)));
        assert!(!plain.is_minor_on(day(2026, 11, 24)));
        assert_eq!(plain.age_on(day(2008, 11, 24)), 0);
    }

    #[test]
    fn permits_of_hong_kong_macao_taiwan_and_foreigners_are_accepted() {
        for prefix in ["810000", "820000", "830000", "911156", "990101", "710000", "659001"] {
            assert!(CitizenNumber::parse(&number(&format!("{prefix}19800101001"))).is_ok(), "{prefix}");
        }
        for prefix in ["000000", "100000", "160000", "240000", "380000", "470000", "550000", "670000", "720000", "840000"] {
            assert_eq!(CitizenNumber::parse(&number(&format!("{prefix}19800101001"))), Err(CitizenNumberError::Region), "{prefix}");
        }
    }
}
