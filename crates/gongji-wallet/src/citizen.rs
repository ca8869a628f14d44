//! What identifies a person or an institution, read strictly and printed carefully.
//!
//! Each type can only be made by its `parse`, which brings the many ways people type to one form and refuses the rest
//! with one plain sentence. What belongs to a person ([`CitizenNumber`], [`Phone`], [`PersonName`]) has a silent
//! `Debug`, no `Display` and no serde, so that it cannot reach a log, a URL or the journal by accident: the full value
//! leaves only through `as_str`, the screen gets `masked`.

mod code;
mod name;
mod number;
mod phone;

pub use code::{CodeError, InstitutionCode, InstitutionKind, SocialCreditCode};
pub use name::{NAME_CHARS_MAX, PersonName, PersonNameError};
pub use number::{CitizenNumber, CitizenNumberError, Sex};
pub use phone::{Phone, PhoneError};

/// Longest text any parser here looks at; beyond it the answer is "too long" without reading on.
const TEXT_BYTES_MAX: usize = 1024;

/// Full-width digits and letters become ASCII: the usual slip of a Chinese input method.
fn half_width(character: char) -> char {
    match character {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(character as u32 - 0xFEE0).expect("the full-width block maps onto ASCII"),
        '\u{3000}' => ' ',
        other => other,
    }
}

/// Spaces, dashes and the invisible marks that come along when a number is copied from a chat or a table.
fn is_number_filler(character: char) -> bool {
    character.is_whitespace() || matches!(character, '-' | '\u{2010}'..='\u{2015}') || is_invisible(character)
}

/// Zero-width, direction and variation marks: they change what a reader sees, or nothing at all. No text of ours may hold them.
pub fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}
