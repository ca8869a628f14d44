//! The structured fields of a signed message, read strictly.
//!
//! Strictly means: only the one spelling that RFC 9651 gives a value when it writes it. Then the text that arrived *is* the text that was signed,
//! and nothing is written anew before it is compared.

use base64ct::{Base64, Encoding as _};

/// Longest field (letters).
pub const FIELD_LEN_MAX: usize = 2_048;

/// Most components that a signature may cover.
pub const COMPONENTS_MAX: usize = 20;

/// Letters of a nonce.
pub const NONCE_LEN_MIN: usize = 16;
pub const NONCE_LEN_MAX: usize = 64;

/// Longest label or name of a component.
const NAME_LEN_MAX: usize = 64;

/// Members of a dictionary of bytes.
const MEMBERS_MAX: usize = 4;

/// What a signature covers: a field, or a part of the message whose name begins with `@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub name: String,
    /// Of the request, in an answer's signature.
    pub of_request: bool,
}

/// A `Signature-Input` with one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    pub label: &'a str,
    pub components: Vec<Component>,
    /// Seconds since 1970 UTC.
    pub created: Option<i64>,
    pub expires: Option<i64>,
    pub key_id: Option<String>,
    pub nonce: Option<String>,
    pub algorithm: Option<String>,
    /// The list with its parameters as it came: the last line of what is signed.
    pub params: &'a str,
}

/// Reads `label=("a" "b";req);created=1;keyid="k"`: one member, canonical, nothing unknown.
pub fn input(text: &str) -> Option<Input<'_>> {
    let mut reader = Reader::new(text)?;
    let label = reader.name()?;
    reader.take("=(")?;
    let params = &text[text.len() - reader.rest.len() - 1..];
    let mut components: Vec<Component> = Vec::new();
    while !reader.takes(")") {
        if !components.is_empty() {
            reader.take(" ")?;
        }
        let name = reader.string()?;
        let of_request = reader.takes(";req");
        let component = Component { name, of_request };
        if components.len() == COMPONENTS_MAX || !is_component(&component.name) || components.contains(&component) {
            return None;
        }
        components.push(component);
    }
    let mut input = Input { label, components, created: None, expires: None, key_id: None, nonce: None, algorithm: None, params };
    while reader.takes(";") {
        let name = reader.name()?;
        reader.take("=")?;
        match name {
            "created" => once(&mut input.created, reader.integer()?)?,
            "expires" => once(&mut input.expires, reader.integer()?)?,
            "keyid" => once(&mut input.key_id, reader.string()?)?,
            "nonce" => once(&mut input.nonce, reader.string()?)?,
            "alg" => once(&mut input.algorithm, reader.string()?)?,
            _ => return None,
        }
    }
    reader.rest.is_empty().then_some(input)
}

/// Reads `a=:base64:, b=:base64:`, up to [`MEMBERS_MAX`] names, none twice.
pub fn byte_sequences(text: &str) -> Option<Vec<(&str, Vec<u8>)>> {
    let mut reader = Reader::new(text)?;
    let mut members: Vec<(&str, Vec<u8>)> = Vec::new();
    loop {
        let name = reader.name()?;
        reader.take("=:")?;
        let (base64, rest) = reader.rest.split_once(':')?;
        reader.rest = rest;
        if members.len() == MEMBERS_MAX || members.iter().any(|(known, _)| *known == name) {
            return None;
        }
        members.push((name, Base64::decode_vec(base64).ok()?));
        if reader.rest.is_empty() {
            return Some(members);
        }
        reader.take(", ")?;
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// A derived component, or a field in lower case.
fn is_component(name: &str) -> bool {
    let field = name.strip_prefix('@').unwrap_or(name);
    (1..=NAME_LEN_MAX).contains(&field.len()) && field.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_')
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Only ASCII is cut into pieces here.
    fn new(text: &'a str) -> Option<Reader<'a>> {
        (text.len() <= FIELD_LEN_MAX && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())).then_some(Reader { rest: text })
    }

    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.takes(token).then_some(())
    }

    /// A key of RFC 9651, 3.1.2.
    fn name(&mut self) -> Option<&'a str> {
        let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
        let len = self.rest.bytes().take_while(|byte| is_inside(*byte)).count();
        let (name, rest) = self.rest.split_at(len);
        let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '*');
        self.rest = rest;
        (begins && len <= NAME_LEN_MAX).then_some(name)
    }

    /// A string of RFC 9651, 3.3.3: `\"` and `\\` are its only escapes.
    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut value = String::new();
        let mut letters = self.rest.char_indices();
        loop {
            match letters.next()? {
                (at, '"') => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                (_, '\\') => value.push(letters.next().map(|(_, letter)| letter).filter(|letter| matches!(letter, '"' | '\\'))?),
                (_, letter) => value.push(letter),
            }
        }
    }

    /// An integer of at most 15 digits, without zeros in front.
    fn integer(&mut self) -> Option<i64> {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        let is_plain = (1..=15).contains(&len) && (len == 1 || !digits.starts_with('0'));
        if is_plain { digits.parse().ok() } else { None }
    }
}

#[cfg(test)]
mod tests;
