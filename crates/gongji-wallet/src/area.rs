//! A medical-insurance region by its six-digit code.
//!
//! Only the shape of the code is known here. Whether a region exists, what it is called and whether it is open are
//! dated facts of the region table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Six digits, the first not zero: 370100 is 济南市, 370000 山东省, 660800 the eighth division of 新疆生产建设兵团.
///
/// 依据：GB/T 2260 with the additions of the medical-insurance region list (XX9900, 66xxxx).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Area(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region code has six digits and does not start with 0")]
pub struct AreaError;

impl AreaError {
    pub fn message_zh(self) -> &'static str {
        "地区编码应该是 6 位数字,比如济南市是 370100。"
    }
}

impl Area {
    pub const fn new(code: u32) -> Result<Area, AreaError> {
        if code >= 100_000 && code <= 999_999 { Ok(Area(code)) } else { Err(AreaError) }
    }

    /// Exactly six ASCII digits; nothing is trimmed or normalised, since codes come from files and forms of ours.
    pub fn parse(text: &str) -> Result<Area, AreaError> {
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AreaError);
        }
        Area::new(text.parse().map_err(|_| AreaError)?)
    }

    pub const fn get(self) -> u32 {
        self.0
    }

    /// The provincial unit this region belongs to: 370100 → 370000, 660800 → 660000.
    pub const fn province(self) -> Area {
        Area(self.0 / 10_000 * 10_000)
    }

    pub const fn is_province(self) -> bool {
        self.0.is_multiple_of(10_000)
    }

    pub const fn is_same_province(self, other: Area) -> bool {
        self.0 / 10_000 == other.0 / 10_000
    }
}

impl TryFrom<u32> for Area {
    type Error = AreaError;
    fn try_from(code: u32) -> Result<Area, AreaError> {
        Area::new(code)
    }
}

impl From<Area> for u32 {
    fn from(area: Area) -> u32 {
        area.0
    }
}

impl FromStr for Area {
    type Err = AreaError;
    fn from_str(text: &str) -> Result<Area, AreaError> {
        Area::parse(text)
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl fmt::Debug for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Area({:06})", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_region_knows_its_province() {
        for (code, province) in [("370100", "370000"), ("660800", "660000"), ("627000", "620000"), ("139802", "130000")] {
            let area = Area::parse(code).unwrap();
            assert_eq!(area.province().to_string(), province);
            assert!(!area.is_province());
            assert!(area.province().is_province());
            assert!(area.is_same_province(area.province()));
        }
    }

    #[test]
    fn only_six_plain_digits_are_a_region_code() {
        for text in ["", "37010", "3701000", "037010", "37010a", " 370100", "３７０１００", "+37010", "-37010"] {
            assert_eq!(Area::parse(text), Err(AreaError), "{text:?}");
        }
        assert_eq!(Area::new(99_999), Err(AreaError));
        assert_eq!(Area::new(1_000_000), Err(AreaError));
        assert_eq!(u32::from(Area::try_from(510_500).unwrap()), 510_500);
    }
}
