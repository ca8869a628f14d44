//! What several answers have in common: money, people, places, lots.

use crate::app::{App, AppError};
use crate::problem::{FieldBody, Problem};
use crate::time::rfc3339;
use crate::web::person_id;
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId, Lot};
use gongji_store::vault::Person;
use gongji_wallet::citizen::{CitizenNumber, PersonName, Sex};
use gongji_wallet::directory::Directory;
use gongji_wallet::object::{Holder, Purse};
use gongji_wallet::relation::RelationCode;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// No amount of the interface is larger (fen): ten thousand million yuan. Sums of such amounts stay far from 64 bits.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// Most rows of a list.
pub const PAGE_MAX: usize = 200;
/// Rows of a list unless asked otherwise.
pub const PAGE_LEN: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Currency {
    #[serde(rename = "CNY")]
    Cny,
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Fen (1/100 yuan), a whole number.
    #[schema(example = 123_456)]
    pub amount: i64,
    pub currency: Currency,
}

impl From<Fen> for Money {
    fn from(amount: Fen) -> Money {
        Money { amount: amount.0, currency: Currency::Cny }
    }
}

impl Money {
    /// # Errors
    /// The amount is beyond anything that exists; `field` is named.
    pub fn fen(self, field: &str) -> Result<Fen, Problem> {
        if (-AMOUNT_MAX..=AMOUNT_MAX).contains(&self.amount) {
            return Ok(Fen(self.amount));
        }
        Err(Problem::field(&format!("{field}.amount"), "金额太大了。", "the amount is out of range"))
    }
}

/// A person named by somebody who knows the number.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedPerson {
    #[schema(example = "王秀兰")]
    pub name: String,
    /// Citizen identity number (GB 11643).
    #[schema(example = "990151195203150023")]
    pub id_number: String,
}

impl NamedPerson {
    /// Reads both as people write them; whether they are on file together is never told.
    ///
    /// # Errors
    /// Either cannot be right; both are named at once.
    pub fn parse(&self, prefix: &str) -> Result<(PersonName, CitizenNumber), Problem> {
        let (name, number) = match (PersonName::parse(&self.name), CitizenNumber::parse(&self.id_number)) {
            (Ok(name), Ok(number)) => return Ok((name, number)),
            (name, number) => (name.err(), number.err()),
        };
        let field = |field: &str, message: String, message_en: String| FieldBody { field: format!("{prefix}{field}"), message, message_en };
        let name = name.map(|error| field("name", error.message_zh(), error.to_string()));
        let number = number.map(|error| field("id_number", error.message_zh(), error.to_string()));
        Err(Problem::fields(name.into_iter().chain(number).collect()))
    }
}

/// Which purse money comes from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    PersonalAccount,
    Wallet,
}

impl From<Purse> for Source {
    fn from(purse: Purse) -> Source {
        match purse {
            Purse::Personal { .. } => Source::PersonalAccount,
            Purse::Wallet => Source::Wallet,
        }
    }
}

/// The rules something was decided under.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Rule {
    #[schema(example = "wallet-rules")]
    pub id: &'static str,
    pub version: u32,
}

impl Rule {
    pub fn new(version: u32) -> Rule {
        Rule { id: "wallet-rules", version }
    }
}

/// A pooling area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AreaRef {
    #[schema(example = "510500")]
    pub code: String,
    #[schema(example = "四川省泸州市")]
    pub name: String,
}

impl AreaRef {
    pub fn new(directory: &Directory, code: AreaCode) -> AreaRef {
        AreaRef { code: format!("{code:06}"), name: directory.area_name(code) }
    }
}

/// Somebody this person deals with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PersonRef {
    /// Opaque; stays the same. `null` where the reader may not learn who it is, or whether there is anybody.
    pub id: Option<String>,
    /// Masked; `null` as above.
    #[schema(example = "王**")]
    pub name: Option<String>,
    pub is_self: bool,
    /// What this person is to the reader, once that is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<RelationRef>,
}

/// A near relative's relation.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct RelationRef {
    /// GB/T 4761.
    #[schema(example = 52)]
    pub code: u8,
    #[schema(example = "母亲")]
    pub label: &'static str,
}

impl RelationRef {
    pub fn of(code: u8) -> Option<RelationRef> {
        RelationCode::try_new(code).ok().map(|code| RelationRef { code: code.get(), label: code.label() })
    }
}

/// An amount with its origin.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LotBody {
    pub amount: Money,
    /// Whose personal account it came from.
    pub contributor: PersonRef,
    /// The area whose fund that account belongs to.
    pub area: AreaRef,
    pub kind: Kind,
    /// When its oldest part was granted.
    pub since: String,
}

/// On what terms money was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Still the person's own personal account.
    Own,
    /// Final once received; may be passed on.
    Transfer,
    /// A mutual-aid quota: the unused part goes back when the relation ends; may not be passed on.
    Quota,
}

impl From<GrantKind> for Kind {
    fn from(kind: GrantKind) -> Kind {
        match kind {
            GrantKind::Own => Kind::Own,
            GrantKind::Transfer => Kind::Transfer,
            GrantKind::Quota => Kind::Quota,
        }
    }
}

/// The people an answer names, loaded at once.
pub struct People<'app> {
    reader: &'app Holder,
    directory: &'app Directory,
    known: HashMap<u64, Person>,
}

impl<'app> People<'app> {
    /// # Errors
    /// The vault failed.
    pub async fn load(app: &App, reader: &'app Holder, directory: &'app Directory, ids: impl IntoIterator<Item = HolderId>) -> Result<People<'app>, AppError> {
        let mut ids: Vec<u64> = ids.into_iter().filter(|id| !id.is_nobody()).map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let people = if ids.is_empty() { Vec::new() } else { app.vault(move |vault| vault.people(&ids)).await? };
        Ok(People { reader, directory, known: people.into_iter().map(|person| (person.holder, person)).collect() })
    }

    pub fn of(&self, id: HolderId) -> PersonRef {
        let person = self.known.get(&id.0);
        let is_self = id == self.reader.id;
        let relation = self.reader.relation(id).and_then(|relation| self.code_towards(relation.code, relation.declared_here, id)).and_then(RelationRef::of);
        PersonRef { id: person.map(|_| person_id(id)), name: person.map(Person::masked_name), is_self, relation }
    }

    /// The receiver of a transfer that was refused, as its sender sees them: nothing, unless they have confirmed each other before.
    pub fn of_receiver(&self, id: HolderId, was_refused: bool) -> PersonRef {
        if was_refused && self.reader.relation(id).is_none() && id != self.reader.id {
            return PersonRef { id: None, name: None, is_self: false, relation: None };
        }
        self.of(id)
    }

    /// What `other` is to the reader. A relation that the other side declared is mirrored.
    fn code_towards(&self, code: u8, declared_here: bool, other: HolderId) -> Option<u8> {
        let code = RelationCode::try_new(code).ok()?;
        if declared_here {
            return Some(code.get());
        }
        let sex = CitizenNumber::parse(self.known.get(&other.0)?.id_number.reveal()).map_or(Sex::Male, |number| number.sex());
        Some(code.mirror(sex).get())
    }

    /// As seen from the receiver: what the sender is to them.
    pub fn mirrored(&self, code: u8, sender: HolderId) -> Option<RelationRef> {
        self.code_towards(code, false, sender).and_then(RelationRef::of)
    }

    pub fn lot(&self, lot: &Lot) -> LotBody {
        LotBody {
            amount: lot.amount.into(),
            contributor: self.of(lot.origin.contributor),
            area: AreaRef::new(self.directory, lot.origin.area),
            kind: lot.origin.kind.into(),
            since: rfc3339(lot.since),
        }
    }

    pub fn lots(&self, lots: &[Lot]) -> Vec<LotBody> {
        lots.iter().map(|lot| self.lot(lot)).collect()
    }
}

/// An area code as the interface writes it.
///
/// # Errors
/// It is no six-digit code of a region on file; `field` is named.
pub fn area(directory: &Directory, text: &str, field: &str) -> Result<AreaCode, Problem> {
    let code = gongji_wallet::area::Area::parse(text).ok().map(|area| area.get());
    code.filter(|code| directory.regions.contains_key(code)).ok_or_else(|| Problem::field(field, "没有这个地区。", "unknown region"))
}

/// Uuid of an id as it stands in answers and addresses.
pub fn id_text(id: [u8; 16]) -> String {
    uuid::Uuid::from_bytes(id).to_string()
}

/// An id from an address; what cannot be one names nothing.
pub fn id_from(text: &str) -> Result<[u8; 16], Problem> {
    let id = (text.len() == 36).then(|| uuid::Uuid::try_parse(text).ok()).flatten();
    id.map(uuid::Uuid::into_bytes).ok_or_else(Problem::not_found)
}

/// Where the next page of a list begins: opaque to the reader.
pub fn cursor(position: u64) -> String {
    gongji_store::seal::to_base64url(&position.to_be_bytes())
}

/// # Errors
/// It was not made here.
pub fn parse_cursor(text: Option<&str>) -> Result<Option<u64>, Problem> {
    let wrong = || Problem::field("cursor", "翻页的位置不对,请从第一页开始。", "this cursor was not given out here");
    let Some(text) = text else { return Ok(None) };
    let bytes = gongji_store::seal::from_base64url(text).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map(|bytes| Some(u64::from_be_bytes(bytes))).ok_or_else(wrong)
}

/// # Errors
/// It is 0 or above [`PAGE_MAX`].
pub fn page_len(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(PAGE_LEN);
    let wrong = || Problem::field("limit", format!("每页 1 到 {PAGE_MAX} 条。"), format!("limit is 1 to {PAGE_MAX}"));
    if (1..=PAGE_MAX).contains(&limit) { Ok(limit) } else { Err(wrong()) }
}
