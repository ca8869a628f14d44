//! What people typed into a form, as it came.

use super::frame::Trouble;
use super::views::Problem;
use crate::service::key::IdempotencyKey;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use gongji_ledger::{Fen, HolderId};
use gongji_store::seal::Sensitive;

/// Fields of one form at most.
const FIELDS_MAX: usize = 64;

/// Bytes of one field at most; each parser has its own, smaller limit.
const FIELD_LEN_MAX: usize = 4096;

/// A posted form. Fields that are missing read as empty.
pub struct Typed(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Typed {
    type Rejection = Trouble;

    async fn from_request(request: Request, state: &S) -> Result<Typed, Trouble> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Trouble::Malformed);
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|_| Trouble::Malformed)?;
        Typed::parse(&bytes).ok_or(Trouble::Malformed)
    }
}

impl Typed {
    fn parse(bytes: &[u8]) -> Option<Typed> {
        let mut fields = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.iter().position(|byte| *byte == b'=').map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if fields.len() == FIELDS_MAX || name.len() > FIELD_LEN_MAX || value.len() > FIELD_LEN_MAX {
                return None;
            }
            fields.push((name, value));
        }
        Some(Typed(fields))
    }

    /// The first value of a field.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// A copy of a field, to show it again.
    pub fn text(&self, name: &str) -> String {
        self.get(name).to_owned()
    }

    /// Whether a box is ticked.
    pub fn yes(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// A password or code.
    pub fn secret(&self, name: &str) -> Sensitive {
        Sensitive::new(self.get(name).trim())
    }

    /// Yuan as typed; what is wrong goes to `problems` under the field's name.
    pub fn yuan(&self, name: &str, problems: &mut Vec<Problem>) -> Fen {
        match gongji_files::parse_typed_yuan(self.get(name)) {
            Ok(amount) => amount,
            Err(error) => {
                problems.push(Problem::of(name, error.message_zh()));
                Fen::ZERO
            }
        }
    }

    /// The key hidden in the form, scoped by who sends it and for what. `fields` are those that matter: the same key with others is refused.
    pub fn key(&self, caller: HolderId, operation: &str, fields: &[&str]) -> Result<IdempotencyKey, Trouble> {
        self.key_of(&format!("citizen {}", caller.0), operation, fields)
    }

    /// As [`Typed::key`], for a caller who is not a person.
    pub fn key_of(&self, caller: &str, operation: &str, fields: &[&str]) -> Result<IdempotencyKey, Trouble> {
        let mut body = Vec::new();
        for field in fields {
            let value = self.get(field);
            body.extend_from_slice(format!("{}:{field}{}:", field.len(), value.len()).as_bytes());
            body.extend_from_slice(value.as_bytes());
        }
        Ok(IdempotencyKey::new(caller, operation, self.get("key"), &body)?)
    }
}

/// Percent and plus decoded; `None` where it is not UTF-8.
fn decoded(bytes: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'+', ..) => out.push(b' '),
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_browsers_send_them() {
        let typed = Typed::parse("name=%E5%88%98%F0%AC%AD%9A&amount=1%2C234.50&note=a+b&consent=yes&empty=".as_bytes()).unwrap();
        assert_eq!(typed.get("name"), "刘𬭚");
        assert_eq!(typed.get("note"), "a b");
        assert!(typed.yes("consent") && !typed.yes("empty") && !typed.yes("none"));
        let mut problems = Vec::new();
        assert_eq!(typed.yuan("amount", &mut problems), Fen(123_450));
        typed.yuan("name", &mut problems);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].field.as_deref(), Some("name"));
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        assert!(Typed::parse(b"name=%FF").is_none());
        assert!(Typed::parse(b"name=a%00b").is_none());
        assert!(Typed::parse(format!("name={}", "x".repeat(FIELD_LEN_MAX + 1)).as_bytes()).is_none());
        assert!(Typed::parse("a=1&".repeat(FIELDS_MAX + 1).as_bytes()).is_none());
        assert_eq!(Typed::parse(b"%zz=1&%").unwrap().get("%zz"), "1");
    }

    #[test]
    fn a_key_is_bound_to_what_matters() {
        let typed = |text: &str| Typed::parse(text.as_bytes()).unwrap();
        let key = |text: &str| typed(text).key(HolderId(1), "transfer", &["amount", "receiver"]).map_err(|_| ()).unwrap();
        assert_eq!(key("key=k&amount=1&receiver=2&other=3").fingerprint, key("key=k&amount=1&receiver=2").fingerprint);
        assert_ne!(key("key=k&amount=1&receiver=2").fingerprint, key("key=k&amount=12&receiver=").fingerprint);
        assert!(typed("amount=1").key(HolderId(1), "transfer", &[]).is_err());
    }
}
