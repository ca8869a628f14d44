//! Codes of institutions: the medical-insurance code and the unified social credit code.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::half_width;
use crate::area::Area;

/// The code of a designated institution: H (hospital) or P (pharmacy), six digits of its region, five of its serial.
///
/// 依据：the national coding rule of designated medical institutions and pharmacies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstitutionCode([u8; 12]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstitutionKind {
    Hospital,
    Pharmacy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("an institution code is H or P followed by 11 digits")]
    Institution,
    #[error("a unified social credit code has 18 characters of its alphabet")]
    SocialCredit,
    #[error("the check character of the unified social credit code is wrong")]
    SocialCreditCheck,
}

impl CodeError {
    pub fn message_zh(self) -> &'static str {
        match self {
            CodeError::Institution => "机构编码应该是 H(医院)或 P(药店)加 11 位数字。",
            CodeError::SocialCredit => "统一社会信用代码应该是 18 位数字或大写字母(没有 I、O、S、V、Z)。",
            CodeError::SocialCreditCheck => "统一社会信用代码第 18 位不对,请再核对一遍。",
        }
    }
}

impl InstitutionKind {
    pub fn label(self) -> &'static str {
        match self {
            InstitutionKind::Hospital => "医院",
            InstitutionKind::Pharmacy => "药店",
        }
    }
}

impl InstitutionCode {
    /// Lower case and full-width characters are brought to the plain form; surrounding spaces go.
    pub fn parse(text: &str) -> Result<InstitutionCode, CodeError> {
        let code = InstitutionCode(plain(text).ok_or(CodeError::Institution)?);
        let is_shape_right = matches!(code.0[0], b'H' | b'P') && code.0[1..].iter().all(u8::is_ascii_digit);
        if is_shape_right && Area::parse(&code.as_str()[1..7]).is_ok() { Ok(code) } else { Err(CodeError::Institution) }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an institution code is ASCII")
    }

    pub fn kind(&self) -> InstitutionKind {
        if self.0[0] == b'H' { InstitutionKind::Hospital } else { InstitutionKind::Pharmacy }
    }

    /// Where the institution was registered: often a county, so not always the pooling area that pays it.
    pub fn region(&self) -> Area {
        Area::parse(&self.as_str()[1..7]).expect("parse checked the region digits")
    }
}

impl TryFrom<String> for InstitutionCode {
    type Error = CodeError;
    fn try_from(text: String) -> Result<InstitutionCode, CodeError> {
        InstitutionCode::parse(&text)
    }
}

impl FromStr for InstitutionCode {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<InstitutionCode, CodeError> {
        InstitutionCode::parse(text)
    }
}

impl From<InstitutionCode> for String {
    fn from(code: InstitutionCode) -> String {
        code.as_str().to_owned()
    }
}

impl fmt::Display for InstitutionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InstitutionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstitutionCode({self})")
    }
}

/// The unified social credit code of an organisation. 依据：GB 32100.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocialCreditCode([u8; 18]);

const CREDIT_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

impl SocialCreditCode {
    /// Lower case and full-width characters are brought to the plain form; surrounding spaces go.
    pub fn parse(text: &str) -> Result<SocialCreditCode, CodeError> {
        let characters: [u8; 18] = plain(text).ok_or(CodeError::SocialCredit)?;
        let mut sum = 0;
        let mut weight = 1;
        for (at, character) in characters.iter().enumerate() {
            let value = CREDIT_ALPHABET.iter().position(|letter| letter == character).ok_or(CodeError::SocialCredit)?;
            // The check character weighs one: a right code adds up to a multiple of 31.
            sum += value * if at == 17 { 1 } else { weight };
            weight = weight * 3 % 31;
        }
        if sum % 31 == 0 { Ok(SocialCreditCode(characters)) } else { Err(CodeError::SocialCreditCheck) }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a social credit code is ASCII")
    }
}

impl fmt::Display for SocialCreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SocialCreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocialCreditCode({self})")
    }
}

/// Exactly `N` ASCII characters after trimming, in half width and upper case.
fn plain<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut characters = [0; N];
    let mut count = 0;
    for character in text.trim().chars().map(half_width) {
        if count == N || !character.is_ascii() {
            return None;
        }
        characters[count] = character.to_ascii_uppercase() as u8;
        count += 1;
    }
    (count == N).then_some(characters)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_institution_code_tells_kind_and_region() {
        let hospital = InstitutionCode::parse(" h44020300006").unwrap();
        assert_eq!(hospital.to_string(), "H44020300006");
        assert_eq!((hospital.kind(), hospital.region().get()), (InstitutionKind::Hospital, 440203));
        assert_eq!(InstitutionCode::parse("Ｐ51050000001").unwrap().kind(), InstitutionKind::Pharmacy);
        for text in ["", "H4402030000", "H440203000061", "K44020300006", "H4402O300006", "H04020300006", "医44020300006", "H44020300006;"] {
            assert_eq!(InstitutionCode::parse(text), Err(CodeError::Institution), "{text:?}");
        }
    }

    #[test]
    fn the_social_credit_vector_passes_and_each_single_slip_fails() {
        let good = "91350100M000100Y43";
        assert_eq!(SocialCreditCode::parse(good).unwrap().as_str(), good);
        assert_eq!(SocialCreditCode::parse("91350100m000100y43").unwrap().as_str(), good);
        for at in 0..18 {
            for letter in CREDIT_ALPHABET {
                let mut wrong = good.as_bytes().to_vec();
                if wrong[at] == *letter {
                    continue;
                }
                wrong[at] = *letter;
                assert_eq!(SocialCreditCode::parse(std::str::from_utf8(&wrong).unwrap()), Err(CodeError::SocialCreditCheck));
            }
        }
        for text in ["", "91350100M000100Y4", "91350100M000100Y4I", "91350100M000100Y43 1", "９１３５０１００汉０００１００Ｙ４３"] {
            assert_eq!(SocialCreditCode::parse(text), Err(CodeError::SocialCredit), "{text:?}");
        }
    }
}
