//! The e-code: what the QR says, and the token that the platform makes of it.
//!
//! | what | characters |
//! | --- | --- |
//! | QR value | 28: `424`, the 19 of the payment code (17 + 2), two digits of the province, `0000` |
//! | token (`ecToken`) | 38: six digits of the payer's region, 32 letters |
//!
//! The token is the payment code once more, sealed for one institution and one kind of business. Making it reads the code ([`crate::service::payment::decode`]):
//! from then on the code pays nowhere else, and lives as long as the region gives a decoded code. It pays as often as the code: once. Sealing is deterministic (a tag over everything, which also makes the key stream): codes are random, and
//! the same code decoded twice is the same token.

use crate::service::national::{bytes_of, letters};
use crate::service::payment::{CODE_LEN, parse_code};
use gongji_ledger::{AreaCode, InstitutionId};
use gongji_store::seal::{Keys, equal_in_constant_time};
use gongji_wallet::object::Business;

pub const TOKEN_LEN: usize = 38;

/// Letters of the sealed part.
const SEALED_LEN: usize = 32;

/// Nineteen letters of five bits.
const CODE_BYTES: usize = 12;

const TAG_BYTES: usize = 8;

/// What the tag is bound to.
fn bound(institution: InstitutionId, business: Business) -> Vec<u8> {
    [institution.to_string().as_bytes(), format!("{business:?}").as_bytes()].join(&b'/')
}

fn tag(keys: &Keys, bound: &[u8], area: AreaCode, code: &[u8; CODE_BYTES]) -> [u8; TAG_BYTES] {
    let mac = keys.token_mac("e-code tag", &[bound, &area.to_be_bytes(), code]);
    std::array::from_fn(|at| mac[at])
}

fn stream(keys: &Keys, tag: &[u8; TAG_BYTES]) -> [u8; CODE_BYTES] {
    let mac = keys.token_mac("e-code stream", &[tag]);
    std::array::from_fn(|at| mac[at])
}

/// The token of a payment code for this institution and business. `area` is the payer's region.
///
/// `None` where the text is no payment code.
pub fn token(keys: &Keys, institution: InstitutionId, business: Business, area: AreaCode, code: &str) -> Option<String> {
    parse_code(code)?;
    // Twelve bytes are one bit more than nineteen letters: a letter is put behind.
    let code: [u8; CODE_BYTES] = bytes_of_code(code)?;
    let tag = tag(keys, &bound(institution, business), area, &code);
    let mut sealed = [0; TAG_BYTES + CODE_BYTES];
    sealed[..TAG_BYTES].copy_from_slice(&tag);
    for (at, byte) in stream(keys, &tag).iter().enumerate() {
        sealed[TAG_BYTES + at] = byte ^ code[at];
    }
    Some(format!("{area:06}{}", letters(&sealed)))
}

/// The payment code behind a token of this institution and business.
pub fn code_of(keys: &Keys, institution: InstitutionId, business: Business, token: &str) -> Option<String> {
    if token.len() != TOKEN_LEN {
        return None;
    }
    let (area, sealed) = token.split_at_checked(TOKEN_LEN - SEALED_LEN)?;
    let area: AreaCode = area.parse().ok()?;
    let sealed: [u8; TAG_BYTES + CODE_BYTES] = bytes_of(sealed)?;
    let given: [u8; TAG_BYTES] = std::array::from_fn(|at| sealed[at]);
    let stream = stream(keys, &given);
    let code: [u8; CODE_BYTES] = std::array::from_fn(|at| sealed[TAG_BYTES + at] ^ stream[at]);
    let is_right = equal_in_constant_time(&tag(keys, &bound(institution, business), area, &code), &given);
    is_right.then(|| letters(&code)[..CODE_LEN].to_owned())
}

fn bytes_of_code(code: &str) -> Option<[u8; CODE_BYTES]> {
    bytes_of(&format!("{code}0"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::service::payment::CodeText;

    const AREA: AreaCode = 370_100;

    #[test]
    fn a_token_is_for_one_institution_and_one_business() {
        let keys = Keys::for_tests(1);
        let (one, other) = (InstitutionId::parse("H51050000001").unwrap(), InstitutionId::parse("H51050000002").unwrap());
        for part in [1, 31, 1_023, 4_096] {
            let code = CodeText::fresh(part).0;
            let made = token(&keys, one, Business::Outpatient, AREA, &code).unwrap();
            assert_eq!(made.len(), TOKEN_LEN);
            assert!(made.starts_with("370100") && !made.contains(&code[3..]));
            assert_eq!(token(&keys, one, Business::Outpatient, AREA, &code).unwrap(), made, "the same again");
            assert_eq!(code_of(&keys, one, Business::Outpatient, &made).unwrap(), code);
            assert_eq!(code_of(&keys, other, Business::Outpatient, &made), None);
            assert_eq!(code_of(&keys, one, Business::Pharmacy, &made), None);
            assert_eq!(code_of(&Keys::for_tests(2), one, Business::Outpatient, &made), None);
        }
    }

    #[test]
    fn no_letter_of_a_token_can_be_changed() {
        let (keys, one) = (Keys::for_tests(1), InstitutionId::parse("H51050000001").unwrap());
        let made = token(&keys, one, Business::Pharmacy, AREA, &CodeText::fresh(7).0).unwrap();
        for at in 0..TOKEN_LEN {
            let mut changed = made.clone().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(code_of(&keys, one, Business::Pharmacy, std::str::from_utf8(&changed).unwrap()), None, "{at}");
        }
        for wrong in ["", "370100", &made[1..], "中文中文中文中文中文中文12"] {
            assert_eq!(code_of(&keys, one, Business::Pharmacy, wrong), None);
        }
        assert_eq!(token(&keys, one, Business::Pharmacy, AREA, "no code"), None);
    }
}
