//! Numbers in the form of the national interface: capital letters and digits that fit into its fields.

use gongji_ledger::{HolderId, InstitutionId};
use gongji_store::seal::Keys;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A person's number at one institution. Another institution sees another one, so that two lists cannot be laid together.
pub fn psn_no(keys: &Keys, institution: InstitutionId, holder: HolderId) -> String {
    letters(&keys.blind("psn_no", &[institution.to_string().as_bytes(), &holder.0.to_be_bytes()])[..15])
}

/// Five bits a letter; the last letter has what is left.
pub fn letters(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut count) = (String::with_capacity(bytes.len() * 8 / 5 + 1), 0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(ALPHABET[(bits >> count & 31) as usize]));
        }
    }
    if count > 0 {
        text.push(char::from(ALPHABET[(bits << (5 - count) & 31) as usize]));
    }
    text
}

/// The bytes behind [`letters`]; `None` where they are not `LEN` bytes, written in the one way there is.
pub fn bytes_of<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(LEN), 0_u32, 0);
    for letter in text.bytes() {
        let five = ALPHABET.iter().position(|known| *known == letter)?;
        bits = bits << 5 | u32::try_from(five).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    let bytes: [u8; LEN] = bytes.try_into().ok()?;
    (letters(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for seed in 0..=255_u8 {
            let bytes: [u8; 16] = std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(at as u8));
            let text = letters(&bytes);
            assert_eq!((text.len(), bytes_of(&text)), (26, Some(bytes)));
        }
        assert_eq!(letters(&[0; 20]).len(), 32);
        assert_eq!(bytes_of::<16>("0000000000000000000000000"), None);
        assert_eq!(bytes_of::<16>("0000000000000000000000000I"), None);
        assert_eq!(bytes_of::<16>("00000000000000000000000001"), None, "bits that no byte has");
    }
}
