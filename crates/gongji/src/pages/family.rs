//! Names of people on a page, and what they are to its reader.

use super::frame::Trouble;
use super::views::Party;
use super::words;
use crate::app::App;
use gongji_ledger::HolderId;
use gongji_store::vault::Person;
use gongji_wallet::citizen::{CitizenNumber, Sex};
use gongji_wallet::directory::Directory;
use gongji_wallet::object::Holder;
use gongji_wallet::relation::RelationCode;
use std::collections::HashMap;

/// People whose names this page may show: the reader and those whom the reader deals with.
#[derive(Default)]
pub struct Family(HashMap<u64, Person>);

impl Family {
    pub async fn load(app: &App, ids: impl IntoIterator<Item = HolderId>) -> Result<Family, Trouble> {
        let mut ids: Vec<u64> = ids.into_iter().filter(|id| !id.is_nobody()).map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let people = app.vault(move |vault| vault.people(&ids)).await?;
        Ok(Family(people.into_iter().map(|person| (person.holder, person)).collect()))
    }

    /// Everybody whom `holder` is or was related to, themselves, and `more`.
    pub async fn of(app: &App, holder: &Holder, more: impl IntoIterator<Item = HolderId>) -> Result<Family, Trouble> {
        let related = holder.relations.iter().map(|relation| relation.other);
        let givers = holder.wallet.iter().flat_map(|wallet| wallet.lots.as_slice()).map(|lot| lot.origin.contributor);
        Family::load(app, related.chain(givers).chain(holder.agents.iter().copied()).chain([holder.id]).chain(more)).await
    }

    pub fn person(&self, id: HolderId) -> Option<&Person> {
        self.0.get(&id.0)
    }

    /// The whole name; "家人" for nobody on file.
    pub fn name(&self, id: HolderId) -> String {
        self.person(id).map_or_else(|| "家人".to_owned(), |person| person.name.reveal().to_owned())
    }

    pub fn sex(&self, id: HolderId) -> Option<Sex> {
        self.person(id).and_then(|person| CitizenNumber::parse(person.id_number.reveal()).ok()).map(|number| number.sex())
    }

    /// What `other` is to `holder`, as far as they have confirmed it.
    pub fn relation(&self, holder: &Holder, other: HolderId) -> Option<RelationCode> {
        let relation = holder.relation(other)?;
        let code = RelationCode::try_new(relation.code).ok()?;
        Some(if relation.declared_here { code } else { code.mirror(self.sex(other).unwrap_or(Sex::Male)) })
    }

    /// What `sender` is to `receiver`, where the sender said what the receiver is to them.
    pub fn mirrored(&self, code: u8, sender: HolderId) -> String {
        RelationCode::try_new(code).map(|code| code.mirror(self.sex(sender).unwrap_or(Sex::Male)).label().to_owned()).unwrap_or_default()
    }

    /// `other` as `holder` sees them.
    pub fn party(&self, holder: &Holder, other: HolderId, area: &str) -> Party {
        if other == holder.id {
            return self.me(holder.id, area);
        }
        let relation = self.relation(holder, other).map_or("", |code| code.label());
        Party::new(self.name(other), relation, area)
    }

    /// The reader.
    pub fn me(&self, id: HolderId, area: &str) -> Party {
        Party::me(self.name(id), area)
    }
}

/// Where a relative is insured; told only once the relation is confirmed.
pub fn area_of(app: &App, directory: &Directory, holder: &Holder, other: HolderId) -> Result<String, Trouble> {
    if other != holder.id && !holder.has_confirmed(other) {
        return Ok(String::new());
    }
    let enrolment = app.engine.holder(other).map_err(crate::service::ServiceError::from)?.and_then(|other| other.enrolment);
    Ok(enrolment.map(|enrolment| words::place(directory, enrolment.area)).unwrap_or_default())
}

/// Own area in short: "四川泸州".
pub fn own_area(directory: &Directory, holder: &Holder) -> String {
    holder.enrolment.map(|enrolment| words::place(directory, enrolment.area)).unwrap_or_default()
}
