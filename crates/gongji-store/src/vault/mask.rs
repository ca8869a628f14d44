//! What a screen shows of a person: enough to recognise, too little to use.
//!
//! The parsers of `gongji-wallet` say how a lawful value is masked; here is what that needs from a sealed row.

use gongji_wallet::citizen::{CitizenNumber, PersonName, Phone};

/// How much of an ID number's tail stays: four for the person and for those who act for them, two for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepLast {
    Two,
    Four,
}

/// `李秀兰` → `李**`. Keeps the first character, whatever plane of Unicode it is from.
pub fn mask_name(name: &str) -> String {
    PersonName::parse(name).map_or_else(|_| "**".to_owned(), |name| name.masked())
}

/// `990101199001010019` → `990101********0019`, or with two less.
pub fn mask_id_number(id_number: &str, keep: KeepLast) -> String {
    let Ok(number) = CitizenNumber::parse(id_number) else {
        // Not one we know how to cut: show nothing of it.
        return "*".repeat(18);
    };
    match keep {
        KeepLast::Four => number.masked(),
        KeepLast::Two => format!("{}**{}", &number.masked()[..14], &number.as_str()[16..]),
    }
}

/// `19900000001` → `199****0001`.
pub fn mask_phone(phone: &str) -> String {
    Phone::parse(phone).map_or_else(|_| "*".repeat(11), |phone| phone.masked())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_first_character_only() {
        assert_eq!(mask_name("李秀兰"), "李**");
        assert_eq!(mask_name("王芳"), "王*");
        assert_eq!(mask_name("阿卜杜热合曼·买买提"), "阿**");
        assert_eq!(mask_name("𬭚林"), "𬭚*");
        assert_eq!(mask_name(""), "**");
    }

    #[test]
    fn id_numbers_and_phones_hide_their_middle() {
        let id_number = "11010519491231002X";
        assert_eq!(mask_id_number(id_number, KeepLast::Four), "110105********002X");
        assert_eq!(mask_id_number(id_number, KeepLast::Two), "110105**********2X");
        assert_eq!(mask_id_number("990101", KeepLast::Two), "*".repeat(18));
        assert_eq!(mask_phone("19900000001"), "199****0001");
        assert_eq!(mask_phone("1234567"), "*".repeat(11));
    }
}
