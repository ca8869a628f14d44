//! What a screen shows of a person: enough to recognise, too little to use.

/// How much of an ID number's tail stays: four for the person and for those who act for them, two for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepLast {
    Two,
    Four,
}

/// Stars after the first letter are capped, so that a long ethnic name does not fill the line.
const NAME_STARS_MAX: usize = 3;

/// `李秀兰` → `李**`. Keeps the first character, whatever plane of Unicode it is from.
pub fn mask_name(name: &str) -> String {
    let mut letters = name.chars();
    let Some(first) = letters.next() else {
        return String::new();
    };
    let stars = letters.count().clamp(1, NAME_STARS_MAX);
    format!("{first}{}", "*".repeat(stars))
}

/// `990101199001010019` → `990101********0019`.
pub fn mask_id_number(id_number: &str, keep: KeepLast) -> String {
    let keep_last = match keep {
        KeepLast::Two => 2,
        KeepLast::Four => 4,
    };
    mask_middle(id_number, 6, keep_last)
}

/// `19900000001` → `199****0001`.
pub fn mask_phone(phone: &str) -> String {
    mask_middle(phone, 3, 4)
}

fn mask_middle(text: &str, head: usize, tail: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= head + tail {
        // Too short to hide a middle: show nothing of it.
        return "*".repeat(letters.len());
    }
    let hidden = letters.len() - head - tail;
    letters[..head].iter().copied().chain(std::iter::repeat_n('*', hidden)).chain(letters[head + hidden..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_first_character_only() {
        assert_eq!(mask_name("李秀兰"), "李**");
        assert_eq!(mask_name("王芳"), "王*");
        assert_eq!(mask_name("阿卜杜热合曼·买买提"), "阿***");
        assert_eq!(mask_name("𬭚"), "𬭚*");
        assert_eq!(mask_name(""), "");
    }

    #[test]
    fn id_numbers_and_phones_hide_their_middle() {
        let id_number = "99010119900101001X";
        assert_eq!(mask_id_number(id_number, KeepLast::Four), "990101********001X");
        assert_eq!(mask_id_number(id_number, KeepLast::Two), "990101**********1X");
        assert_eq!(mask_phone("19900000001"), "199****0001");
        assert_eq!(mask_phone("1234567"), "*******");
    }
}
