//! A person's name as the register writes it.

use std::fmt;

use super::{TEXT_BYTES_MAX, half_width, is_invisible};

/// Longest name, in characters. 依据：the register's own field holds 50.
pub const NAME_CHARS_MAX: usize = 50;

/// 1 to 50 characters: Chinese characters of every plane (𬭚 is a name), the middle dot of ethnic names, and Latin
/// letters with space, hyphen and apostrophe for foreigners.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName(Box<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonNameError {
    #[error("the name is missing")]
    Missing,
    #[error("a name has at most {NAME_CHARS_MAX} characters")]
    TooLong,
    #[error("a name has no digits")]
    Digit,
    #[error("the name contains invisible or control characters")]
    Invisible,
    #[error("the name contains the character {0:?}")]
    Character(char),
    #[error("the dot, space or mark in the name is misplaced")]
    Mark,
}

impl PersonNameError {
    pub fn message_zh(self) -> String {
        match self {
            PersonNameError::Missing => "请填姓名。".to_owned(),
            PersonNameError::TooLong => format!("姓名最多 {NAME_CHARS_MAX} 个字,请再核对一遍。"),
            PersonNameError::Digit => "姓名里不能有数字,请再核对一遍。".to_owned(),
            PersonNameError::Invisible => "姓名里有看不见的字符,请删掉后手动再输入一遍。".to_owned(),
            PersonNameError::Character(character) => format!("姓名里不能有“{character}”,请再核对一遍。"),
            PersonNameError::Mark => "姓名里的间隔点“·”位置不对,它只能在两个字之间。".to_owned(),
        }
    }
}

impl PersonName {
    /// Spaces inside a Chinese name go (张　三), every look-alike of the middle dot becomes `·` (U+00B7), full-width
    /// letters become plain ones. Nothing else is changed: two names are equal only if the register writes them so.
    pub fn parse(text: &str) -> Result<PersonName, PersonNameError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(PersonNameError::TooLong);
        }
        let mut characters: Vec<char> = Vec::new();
        let mut space_waits = false;
        for raw in text.chars() {
            if matches!(raw, ' ' | '\u{3000}' | '\u{a0}' | '\t' | '\r' | '\n') {
                space_waits = true;
                continue;
            }
            if is_dot(raw) {
                characters.push('·');
                space_waits = false;
                continue;
            }
            let character = half_width(raw);
            check(character)?;
            // Only between two Latin words does a space mean anything.
            if space_waits && is_latin(character) && characters.last().is_some_and(|last| is_latin(*last)) {
                characters.push(' ');
            }
            space_waits = false;
            characters.push(if character == '\u{2019}' { '\'' } else { character });
        }
        // A full stop typed for the middle dot (买买提.吐尔逊) stands between two Chinese characters.
        for at in 0..characters.len() {
            let neighbours = (at.checked_sub(1).map(|before| characters[before]), characters.get(at + 1).copied());
            if characters[at] == '.' {
                match neighbours {
                    (Some(before), Some(after)) if is_han(before) && is_han(after) => characters[at] = '·',
                    _ => return Err(PersonNameError::Character('.')),
                }
            }
        }
        match characters.len() {
            0 => return Err(PersonNameError::Missing),
            1..=NAME_CHARS_MAX => {}
            _ => return Err(PersonNameError::TooLong),
        }
        let is_letter = |character: Option<&char>| character.is_some_and(|letter| is_han(*letter) || is_latin(*letter));
        for (at, character) in characters.iter().enumerate() {
            if is_han(*character) || is_latin(*character) {
                continue;
            }
            let before = at.checked_sub(1).and_then(|before| characters.get(before));
            if !is_letter(before) || !is_letter(characters.get(at + 1)) {
                return Err(PersonNameError::Mark);
            }
        }
        Ok(PersonName(characters.into_iter().collect::<String>().into_boxed_str()))
    }

    /// The full name: to seal, to compare, to show to its owner.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One character stays: 王**. The number of stars does not tell the length of a long name.
    pub fn masked(&self) -> String {
        let mut characters = self.0.chars();
        let first = characters.next().expect("a name has at least one character");
        match characters.count() {
            0 => "*".to_owned(),
            1 => format!("{first}*"),
            _ => format!("{first}**"),
        }
    }

    /// What an avatar shows: the surname, two characters for the well-known double ones; otherwise the first character.
    pub fn surname(&self) -> &str {
        const DOUBLE: [&str; 16] =
            ["欧阳", "司马", "上官", "诸葛", "司徒", "东方", "独孤", "南宫", "夏侯", "尉迟", "皇甫", "公孙", "慕容", "令狐", "长孙", "宇文"];
        let count = if self.0.chars().count() > 2 && DOUBLE.iter().any(|surname| self.0.starts_with(surname)) { 2 } else { 1 };
        let end = self.0.char_indices().nth(count).map_or(self.0.len(), |(at, _)| at);
        &self.0[..end]
    }
}

/// Silent: a name is personal data.
impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(…)")
    }
}

fn check(character: char) -> Result<(), PersonNameError> {
    if is_han(character) || is_latin(character) || matches!(character, '-' | '\'' | '\u{2019}' | '.') {
        Ok(())
    } else if character.is_control() || is_invisible(character) || character.is_whitespace() {
        Err(PersonNameError::Invisible)
    } else if character.is_numeric() {
        Err(PersonNameError::Digit)
    } else {
        Err(PersonNameError::Character(character))
    }
}

/// Unified ideographs of every plane, assigned or yet to be, compatibility ideographs, and 〇.
///
/// Private-use characters are refused: they look different on every machine.
fn is_han(character: char) -> bool {
    match character {
        '\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAD9}' => true,
        '\u{20000}'..='\u{3FFFD}' => (character as u32) & 0xFFFF < 0xFFFE,
        _ => false,
    }
}

fn is_latin(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}')
}

/// Look-alikes of the middle dot that input methods, fonts and old systems put into names.
fn is_dot(character: char) -> bool {
    matches!(
        character,
        '\u{B7}'
            | '\u{387}'
            | '\u{2022}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{2219}'
            | '\u{22C5}'
            | '\u{25CF}'
            | '\u{25E6}'
            | '\u{2E31}'
            | '\u{2E33}'
            | '\u{30FB}'
            | '\u{FE52}'
            | '\u{FF65}'
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn real_names_pass_unchanged() {
        for name in [
            "李强",
            "王秀兰",
            "欧阳若兰",
            "曾",
            "刘𬭚",
            "𠮷田",
            "㛃",
            "李〇",
            "朱䶮",
            "古丽娜尔·买买提",
            "阿依古丽·麦麦提·吐尔逊",
            "Anne-Marie O'Neil",
            "José Núñez",
            "Nguyễn Văn",
        ] {
            assert_eq!(PersonName::parse(name).unwrap().as_str(), name);
        }
        assert!(PersonName::parse(&"王".repeat(50)).is_ok());
    }

    #[test]
    fn what_people_type_comes_to_one_form() {
        for (typed, name) in [
            (" 张　三 ", "张三"),
            ("李 强\n", "李强"),
            ("古丽娜尔•买买提", "古丽娜尔·买买提"),
            ("古丽娜尔・买买提", "古丽娜尔·买买提"),
            ("古丽娜尔 · 买买提", "古丽娜尔·买买提"),
            ("古丽娜尔.买买提", "古丽娜尔·买买提"),
            ("古丽娜尔．买买提", "古丽娜尔·买买提"),
            ("ＪＯＨＮ　　ＳＭＩＴＨ", "JOHN SMITH"),
            ("O’Neil", "O'Neil"),
        ] {
            let parsed = PersonName::parse(typed).unwrap();
            assert_eq!(parsed.as_str(), name, "{typed:?}");
            assert_eq!(PersonName::parse(parsed.as_str()).unwrap(), parsed, "one form is final");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_a_sentence() {
        use PersonNameError::*;
        for (text, error) in [
            ("", Missing),
            (" \u{3000}", Missing),
            ("李强1", Digit),
            ("李强１", Digit),
            ("李①", Digit),
            ("李\u{0}强", Invisible),
            ("李\u{200b}强", Invisible),
            ("\u{202e}强李", Invisible),
            ("李强\u{fe0f}", Invisible),
            ("李\u{e0100}", Invisible),
            ("李😀", Character('😀')),
            ("李强!", Character('!')),
            ("<b>李强</b>", Character('<')),
            ("李\u{e000}", Character('\u{e000}')),
            ("Zoe\u{301}", Character('\u{301}')),
            ("·李强", Mark),
            ("李强·", Mark),
            ("阿依··古丽", Mark),
            ("·", Mark),
            ("李强.", Character('.')),
            ("=李强", Character('=')),
        ] {
            assert_eq!(PersonName::parse(text), Err(error), "{text:?}");
            assert!(error.message_zh().ends_with('。'));
        }
        assert_eq!(PersonName::parse(&"王".repeat(51)), Err(TooLong));
        assert_eq!(PersonName::parse(&"王".repeat(1_000_000)), Err(TooLong));
    }

    #[test]
    fn a_mask_keeps_one_character() {
        for (name, masked, surname) in [
            ("曾", "*", "曾"),
            ("李强", "李*", "李"),
            ("王秀兰", "王**", "王"),
            ("欧阳若兰", "欧**", "欧阳"),
            ("古丽娜尔·买买提", "古**", "古"),
            ("𬭚之", "𬭚*", "𬭚"),
        ] {
            let name = PersonName::parse(name).unwrap();
            assert_eq!((name.masked().as_str(), name.surname()), (masked, surname));
            assert_eq!(format!("{name:?}"), "PersonName(…)");
        }
    }
}
