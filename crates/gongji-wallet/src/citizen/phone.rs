//! The mobile phone a person registers with.

use std::fmt;

use super::{TEXT_BYTES_MAX, half_width, is_number_filler};

/// A mainland mobile number: 11 digits, 13… to 19….
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone([u8; 11]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    #[error("the phone number is missing")]
    Missing,
    #[error("a mobile number has 11 digits, this has {0}")]
    Length(usize),
    #[error("a phone number consists of digits")]
    Character,
    #[error("a mobile number starts with 13 to 19")]
    NotMobile,
}

impl PhoneError {
    pub fn message_zh(self) -> String {
        match self {
            PhoneError::Missing => "请填手机号。".to_owned(),
            PhoneError::Length(count) => format!("手机号应该是 11 位数字,现在是 {count} 位。"),
            PhoneError::Character => "手机号里只能有数字,请再核对一遍。".to_owned(),
            PhoneError::NotMobile => "这不是手机号,手机号以 13 到 19 开头。".to_owned(),
        }
    }
}

impl Phone {
    /// Spaces, dashes, full-width digits and the country code (+86, 0086) are brought to the plain form.
    pub fn parse(text: &str) -> Result<Phone, PhoneError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(PhoneError::Length(text.chars().count()));
        }
        let plain: String = text.chars().filter(|character| !is_number_filler(*character)).map(half_width).collect();
        let local = plain.strip_prefix("+86").or_else(|| plain.strip_prefix("0086")).unwrap_or(&plain);
        if local.is_empty() {
            return Err(PhoneError::Missing);
        }
        if !local.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PhoneError::Character);
        }
        let digits: [u8; 11] = local.as_bytes().try_into().map_err(|_| PhoneError::Length(local.len()))?;
        match digits {
            [b'1', b'3'..=b'9', ..] => Ok(Phone(digits)),
            _ => Err(PhoneError::NotMobile),
        }
    }

    /// The full number: to seal, to send to, to compare; not to log or show.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }

    /// First three and last four: `199****0001`.
    pub fn masked(&self) -> String {
        format!("{}****{}", &self.as_str()[..3], &self.as_str()[7..])
    }
}

/// Silent: a phone number is personal data.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_people_type_comes_to_one_form() {
        let plain = Phone::parse("19900000001").unwrap();
        for text in [
            "199 0000 0001",
            "199-0000-0001",
            "+86 19900000001",
            "+86-199-0000-0001",
            "008619900000001",
            "１９９０００００００１",
            "\u{202d}19900000001\u{202c}",
        ] {
            assert_eq!(Phone::parse(text), Ok(plain), "{text:?}");
        }
        assert_eq!(plain.masked(), "199****0001");
        assert_eq!(format!("{plain:?}"), "Phone(…)");
    }

    #[test]
    fn each_slip_has_its_own_sentence() {
        for (text, error, sentence) in [
            ("  ", PhoneError::Missing, "请填手机号。"),
            ("+86", PhoneError::Missing, "请填手机号。"),
            ("1990000000", PhoneError::Length(10), "手机号应该是 11 位数字,现在是 10 位。"),
            ("1990000000a", PhoneError::Character, "手机号里只能有数字,请再核对一遍。"),
            ("12900000001", PhoneError::NotMobile, "这不是手机号,手机号以 13 到 19 开头。"),
            ("05318888888", PhoneError::NotMobile, "这不是手机号,手机号以 13 到 19 开头。"),
        ] {
            assert_eq!(Phone::parse(text), Err(error), "{text:?}");
            assert_eq!(error.message_zh(), sentence);
        }
        assert!(Phone::parse(&"1".repeat(1_000_000)).is_err());
    }

    #[test]
    fn the_second_digit_decides_what_is_a_mobile_number() {
        for second in 0..=9 {
            assert_eq!(Phone::parse(&format!("1{second}900000001")).is_ok(), second >= 3, "1{second}");
        }
    }
}
