//! Reading what an institution wrote: nodes of JSON, field by field, with the lengths and spellings of the national interface.
//!
//! Numbers are read as they are written (`100.10`, with or without quotes) and never pass through a floating-point number.

use super::refusal::{Refusal, Wrong};
use gongji_files::parse_yuan;
use gongji_ledger::Fen;
use gongji_wallet::day::{Day, day_from_date, instant};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// An object of the message. Fields that nobody reads are kept in the message's text and otherwise left alone: regions add their own.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    /// Path to this node, for telling where something is wrong.
    path: String,
    fields: Named<'a>,
}

/// Fields by name; none stands twice, so that nobody can read another one than we do.
#[derive(Clone, Debug, Default)]
struct Named<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named<'a>, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(M::Error::custom("a field stands twice"));
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Once).map(Named)
    }
}

impl<'a> Fields<'a> {
    /// The whole message; `None` where it is no JSON object.
    pub fn of_message(text: &'a str) -> Option<Fields<'a>> {
        Some(Fields { path: String::new(), fields: serde_json::from_str(text).ok()? })
    }

    /// An object inside the message, such as a line of a list.
    pub fn of_node(text: &'a str, path: &str) -> Option<Fields<'a>> {
        Some(Fields { path: path.to_owned(), fields: serde_json::from_str(text).ok()? })
    }

    fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    pub fn wrong(&self, field: &str, wrong: Wrong) -> Refusal {
        Refusal::field(wrong, &self.name(field))
    }

    /// The text of a field as it was written; `None` where it is missing, `null` or empty.
    pub fn raw(&self, field: &str) -> Option<&'a RawValue> {
        self.fields.0.get(field).copied().filter(|value| !matches!(value.get(), "null" | "\"\""))
    }

    /// A node inside this one.
    ///
    /// # Errors
    /// It is there, and is no object.
    pub fn node_if(&self, field: &str) -> Result<Option<Fields<'a>>, Refusal> {
        let Some(value) = self.raw(field) else { return Ok(None) };
        match serde_json::from_str(value.get()) {
            Ok(fields) => Ok(Some(Fields { path: self.name(field), fields })),
            Err(_) => Err(self.wrong(field, Wrong::FieldFormat)),
        }
    }

    pub fn node(&self, field: &str) -> Result<Fields<'a>, Refusal> {
        self.node_if(field)?.ok_or_else(|| self.wrong(field, Wrong::FieldMissing))
    }

    /// A string or a number, as text of at most `max` characters.
    pub fn text_if(&self, field: &str, max: usize) -> Result<Option<String>, Refusal> {
        let Some(value) = self.raw(field) else { return Ok(None) };
        let text = match value.get().as_bytes()[0] {
            b'"' => serde_json::from_str::<String>(value.get()).map_err(|_| self.wrong(field, Wrong::FieldFormat))?,
            b'-' | b'0'..=b'9' => value.get().to_owned(),
            _ => return Err(self.wrong(field, Wrong::FieldFormat)),
        };
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if text.chars().count() > max {
            return Err(self.wrong(field, Wrong::FieldLength));
        }
        if text.chars().any(char::is_control) {
            return Err(self.wrong(field, Wrong::FieldFormat));
        }
        Ok(Some(text.to_owned()))
    }

    pub fn text(&self, field: &str, max: usize) -> Result<String, Refusal> {
        self.text_if(field, max)?.ok_or_else(|| self.wrong(field, Wrong::FieldMissing))
    }

    /// One of a code table.
    pub fn code_if(&self, field: &str, table: &[&str]) -> Result<Option<String>, Refusal> {
        let text = self.text_if(field, CODE_LEN_MAX)?;
        match text {
            Some(text) if !table.contains(&text.as_str()) => Err(self.wrong(field, Wrong::CodeTable)),
            text => Ok(text),
        }
    }

    pub fn code(&self, field: &str, table: &[&str]) -> Result<String, Refusal> {
        self.code_if(field, table)?.ok_or_else(|| self.wrong(field, Wrong::FieldMissing))
    }

    /// Six digits of a region.
    pub fn area_if(&self, field: &str) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.text_if(field, 6)? else { return Ok(None) };
        let is_area = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_area { Ok(text.parse().ok()) } else { Err(self.wrong(field, Wrong::FieldFormat)) }
    }

    pub fn area(&self, field: &str) -> Result<u32, Refusal> {
        self.area_if(field)?.ok_or_else(|| self.wrong(field, Wrong::FieldMissing))
    }

    /// Yuan with at most two decimals, not negative, as fen.
    pub fn yuan_if(&self, field: &str) -> Result<Option<Fen>, Refusal> {
        let Some(text) = self.text_if(field, 17)? else { return Ok(None) };
        parse_yuan(&text).map(Some).map_err(|_| self.wrong(field, Wrong::AmountFormat))
    }

    pub fn yuan(&self, field: &str) -> Result<Fen, Refusal> {
        self.yuan_if(field)?.ok_or_else(|| self.wrong(field, Wrong::FieldMissing))
    }

    /// A whole number of at most ten digits.
    pub fn count(&self, field: &str) -> Result<u64, Refusal> {
        let text = self.text(field, 10)?;
        text.parse().map_err(|_| self.wrong(field, Wrong::FieldFormat))
    }

    /// `2026-11-23`; a time behind it is ignored.
    pub fn day(&self, field: &str) -> Result<Day, Refusal> {
        let text = self.text(field, 19)?;
        text.get(..10).and_then(parse_day).ok_or_else(|| self.wrong(field, Wrong::FieldFormat))
    }

    /// `2026-11-23 10:00:00` in China (ms, UTC).
    pub fn time(&self, field: &str) -> Result<i64, Refusal> {
        let text = self.text(field, 19)?;
        parse_time(&text).ok_or_else(|| self.wrong(field, Wrong::FieldFormat))
    }
}

/// Longest value of any code table.
const CODE_LEN_MAX: usize = 16;

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub fn parse_day(text: &str) -> Option<Day> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    day_from_date(digits(year)?.try_into().ok()?, digits(month)?.try_into().ok()?, digits(day)?.try_into().ok()?)
}

pub fn parse_time(text: &str) -> Option<i64> {
    let (day, clock) = text.split_once(' ')?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || (hour.len(), minute.len(), second.len()) != (2, 2, 2) {
        return None;
    }
    let (hour, minute, second) = (digits(hour)?, digits(minute)?, digits(second)?);
    let is_clock = hour < 24 && minute < 60 && second < 60;
    is_clock.then_some(instant(parse_day(day)?, 0) + ((hour * 60 + minute) * 60 + second) * 1_000)
}

/// The day of `yyyyMMddHHmmss`.
pub fn compact_day(text: &str) -> Option<Day> {
    let parts = [(0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14)].map(|(from, to)| text.get(from..to).unwrap_or_default());
    let [year, month, day, hour, minute, second] = parts;
    let is_whole = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| parse_time(&format!("{year}-{month}-{day} {hour}:{minute}:{second}")).map(gongji_wallet::day::day_of)).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_written() {
        let text = r#"{"a":100.1,"b":"100.10","c":0.07,"d":1e2,"e":-1,"f":"1.234","g":90071992547409.93,"h":null,"i":""}"#;
        let fields = Fields::of_message(text).unwrap();
        assert_eq!([fields.yuan("a"), fields.yuan("b"), fields.yuan("c")].map(Result::unwrap), [Fen(10_010), Fen(10_010), Fen(7)]);
        for wrong in ["d", "e", "f", "g"] {
            assert!(fields.yuan(wrong).unwrap_err().told().starts_with("[AMOUNT_FORMAT]"), "{wrong}");
        }
        assert_eq!((fields.yuan_if("h").unwrap(), fields.yuan_if("i").unwrap(), fields.yuan_if("j").unwrap()), (None, None, None));
    }

    #[test]
    fn a_field_that_stands_twice_is_no_message() {
        assert!(Fields::of_message(r#"{"a":1,"a":2}"#).is_none());
        let fields = Fields::of_message(r#"{"input":{"data":{"a":1,"a":2}}}"#).unwrap();
        assert!(fields.node("input").unwrap().node("data").is_err());
        assert!(Fields::of_message("[]").is_none() && Fields::of_message("").is_none());
    }

    #[test]
    fn times_are_real_ones() {
        assert_eq!(parse_time("1970-01-01 08:00:01"), Some(1_000));
        for wrong in ["2026-02-29 10:00:00", "2026-11-23", "2026-11-23 24:00:00", "2026-11-23 1:00:00", "2026-11-23T10:00:00"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
        assert_eq!(compact_day("20261123100000"), parse_day("2026-11-23"));
        assert_eq!((compact_day("20261323100000"), compact_day("2026112310000"), compact_day("2026中中中中")), (None, None, None));
    }
}
