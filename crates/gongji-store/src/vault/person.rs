//! Persons: from a sealed row to a name, and from an ID number to a holder.

use gongji_wallet::citizen::CitizenNumber;
use gongji_wallet::day::Day;

use super::database::{Db, Row};
use super::mask::{KeepLast, mask_id_number, mask_name, mask_phone};
use super::memory::ReadThrough;
use super::{Result, Vault, VaultError, from_sql_id, next_id, part_of, sql_id, unseal_some};
use crate::seal::{Keys, Place, Sensitive, equal_in_constant_time, normal_id_number};

/// Bound of the look-up memory: 1 M persons at about 100 bytes.
const CACHE_LEN_MAX: usize = 1_000_000;

/// A person as an enrolment file tells it.
#[derive(Debug, Clone)]
pub struct NewPerson {
    pub id_number: Sensitive,
    pub name: Sensitive,
    pub phone: Option<Sensitive>,
}

/// What [`Vault::put_person`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutPerson {
    Added(u64),
    Changed(u64),
    Unchanged(u64),
}

impl PutPerson {
    /// The holder, whatever happened.
    pub fn holder(self) -> u64 {
        match self {
            Self::Added(holder) | Self::Changed(holder) | Self::Unchanged(holder) => holder,
        }
    }
}

/// An opened person. `Debug` shows the holder's number and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub holder: u64,
    pub name: Sensitive,
    pub id_number: Sensitive,
    /// Where messages go: the phone proven at registration, else the one in the enrolment file.
    pub phone: Option<Sensitive>,
    /// Has set a password with a proven phone.
    pub is_registered: bool,
}

impl Person {
    pub fn masked_name(&self) -> String {
        mask_name(self.name.reveal())
    }

    pub fn masked_id_number(&self, keep: KeepLast) -> String {
        mask_id_number(self.id_number.reveal(), keep)
    }

    pub fn masked_phone(&self) -> Option<String> {
        self.phone.as_ref().map(|phone| mask_phone(phone.reveal()))
    }

    /// Under eighteen on a business day. 依据：民法典第十七条.
    pub fn is_minor_on(&self, day: Day) -> bool {
        CitizenNumber::parse(self.id_number.reveal()).is_ok_and(|number| number.is_minor_on(day))
    }
}

/// ID number to holder and name digest, for those asked for before. Digests are keyed: a memory dump names nobody.
pub(super) struct PersonCache(ReadThrough<[u8; 32], Known>);

#[derive(Clone, Copy)]
pub(super) struct Known {
    holder: u64,
    name_blind: [u8; 32],
}

impl PersonCache {
    pub(super) fn forget_all(&self) {
        self.0.forget_all();
    }
}

impl Default for PersonCache {
    fn default() -> Self {
        Self(ReadThrough::new(CACHE_LEN_MAX))
    }
}

impl Vault {
    /// Adds a person from an enrolment file, or brings name and phone on file up to date.
    ///
    /// A phone proven at registration stays: only the person (or the office, with two operators) changes that one.
    /// An import that leaves the phone out does not delete it.
    pub fn put_person(&self, person: &NewPerson, now_ms: i64) -> Result<PutPerson> {
        let done = self.put_persons(std::slice::from_ref(person), now_ms)?;
        Ok(done[0])
    }

    /// As [`Vault::put_person`] for many, in one transaction: all or none. Answers are in the order of `people`.
    pub fn put_persons(&self, people: &[NewPerson], now_ms: i64) -> Result<Vec<PutPerson>> {
        let count = self.partition_count();
        let is_changed = |put: &PutPerson| matches!(put, PutPerson::Changed(_));
        self.revoke(
            |tx, keys| {
                let done = people.iter().map(|person| put_person(tx, keys, count, person, now_ms)).collect::<Result<Vec<_>>>()?;
                let are_any = done.iter().any(is_changed);
                Ok((done, are_any))
            },
            // A changed name must not be answered from memory.
            |done| {
                let changed = people.iter().zip(done).filter(|(_, put)| is_changed(put));
                self.0.people.0.forget(changed.map(|(person, _)| id_blind(self.keys(), person.id_number.reveal())));
            },
        )
    }

    /// Opens one person.
    pub fn person(&self, holder: u64) -> Result<Option<Person>> {
        self.read(|db, keys| {
            let sealed = sealed_person_of(db, holder)?;
            sealed.map(|sealed| sealed.open(keys)).transpose()
        })
    }

    /// Opens several persons (a page of a statement); unknown numbers are left out.
    pub fn people(&self, holders: &[u64]) -> Result<Vec<Person>> {
        self.read(|db, keys| {
            let mut people = Vec::with_capacity(holders.len());
            for &holder in holders {
                if let Some(sealed) = sealed_person_of(db, holder)? {
                    people.push(sealed.open(keys)?);
                }
            }
            Ok(people)
        })
    }

    /// The holder of an ID number. For callers who may know that the person exists (imports, the person's own
    /// login); anyone else asks with the name too: [`Vault::match_person`].
    pub fn find_by_id_number(&self, id_number: &str) -> Result<Option<u64>> {
        let id_blind = id_blind(&self.0.keys, id_number);
        Ok(self.known(&id_blind, id_number)?.map(|known| known.holder))
    }

    /// The holder with this ID number *and* this name; `None` for either being wrong, in the same time.
    pub fn match_person(&self, id_number: &str, name: &str) -> Result<Option<u64>> {
        let id_blind = id_blind(&self.0.keys, id_number);
        let name_blind = name_blind(&self.0.keys, &id_blind, name);
        let known = self.known(&id_blind, id_number)?;
        let expected = known.map_or([0; 32], |known| known.name_blind);
        Ok(known.filter(|_| equal_in_constant_time(&expected, &name_blind)).map(|known| known.holder))
    }

    /// As [`Vault::match_person`], without memory, which knows those who exist and nobody else: whoever may not learn who exists is answered in the time
    /// that the disk takes.
    pub fn match_person_on_disk(&self, id_number: &str, name: &str) -> Result<Option<u64>> {
        let id_blind = id_blind(&self.0.keys, id_number);
        let name_blind = name_blind(&self.0.keys, &id_blind, name);
        let known = self.load(&id_blind, id_number)?;
        let expected = known.map_or([0; 32], |known| known.name_blind);
        Ok(known.filter(|_| equal_in_constant_time(&expected, &name_blind)).map(|known| known.holder))
    }

    /// As [`Vault::match_person`], but only if memory knows: `None` means "ask the disk", `Some` is the answer.
    /// For the write path, which should not leave the async thread for what memory knows.
    pub fn match_person_in_memory(&self, id_number: &str, name: &str) -> Option<Option<u64>> {
        let id_blind = id_blind(&self.0.keys, id_number);
        let known = self.may_remember().then(|| self.0.people.0.get(&id_blind))??;
        let name_blind = name_blind(&self.0.keys, &id_blind, name);
        Some(equal_in_constant_time(&known.name_blind, &name_blind).then_some(known.holder))
    }

    /// All holders of a partition with numbers above `after`, at most `limit`: for exports and the sandbox.
    pub fn holders_after(&self, part: u16, after: u64, limit: usize) -> Result<Vec<u64>> {
        self.read(|db, _| {
            let rows =
                db.rows("select holder from person where part = ?1 and holder > ?2 order by holder limit ?3", (part, sql_id(after), limit as i64), |row| {
                    Ok(from_sql_id(row.get(0)?))
                })?;
            Ok(rows)
        })
    }

    fn known(&self, id_blind: &[u8; 32], id_number: &str) -> Result<Option<Known>> {
        let loaded = self.0.people.0.get_or_load(*id_blind, self.may_remember(), || self.load(id_blind, id_number))?;
        Ok(loaded.map(|(known, _)| known))
    }

    fn load(&self, id_blind: &[u8; 32], id_number: &str) -> Result<Option<Known>> {
        let part = self.partition_of(id_number);
        self.read(|db, _| {
            db.row("select holder, name_blind from person where part = ?1 and id_blind = ?2", (part, id_blind), |row| {
                Ok(Known { holder: from_sql_id(row.get(0)?), name_blind: row.get(1)? })
            })
        })
    }
}

/// Digest by which an ID number is found.
pub(super) fn id_blind(keys: &Keys, id_number: &str) -> [u8; 32] {
    keys.blind("id-number", &[normal_id_number(id_number).as_bytes()])
}

/// Bound to the ID number, so that equal names of two people do not look equal in the table.
fn name_blind(keys: &Keys, id_blind: &[u8; 32], name: &str) -> [u8; 32] {
    keys.blind("name", &[id_blind, normal_name(name).as_bytes()])
}

/// Names are compared without spaces, and with one kind of middle dot: keyboards offer several.
/// Everything else counts, rare characters included.
fn normal_name(name: &str) -> String {
    name.chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| match letter {
            '•' | '・' | '･' | '‧' | '∙' | '⋅' | '.' | '．' => '·',
            letter => letter,
        })
        .collect()
}

fn sealed_person_of(db: &Db<'_>, holder: u64) -> Result<Option<SealedPerson>> {
    let sql = format!("select {PERSON_COLUMNS} from person where part = ?1 and holder = ?2");
    db.row(&sql, (part_of(holder), sql_id(holder)), sealed_person)
}

const PERSON_COLUMNS: &str = "holder, sealed_name, sealed_id_number, sealed_phone, sealed_registered_phone, registered_ms";

struct SealedPerson {
    holder: u64,
    name: Vec<u8>,
    id_number: Vec<u8>,
    phone: Option<Vec<u8>>,
    registered_phone: Option<Vec<u8>>,
    registered_ms: Option<i64>,
}

fn sealed_person(row: &Row<'_>) -> Result<SealedPerson> {
    Ok(SealedPerson {
        holder: from_sql_id(row.get(0)?),
        name: row.get(1)?,
        id_number: row.get(2)?,
        phone: row.get(3)?,
        registered_phone: row.get(4)?,
        registered_ms: row.get(5)?,
    })
}

impl SealedPerson {
    fn open(self, keys: &Keys) -> Result<Person> {
        let holder = self.holder;
        let place = |column| Place::new("person", column, holder);
        let phone = match self.registered_phone {
            Some(sealed) => Some(keys.unseal(place("registered_phone"), &sealed)?),
            None => unseal_some(keys, place("phone"), self.phone)?,
        };
        Ok(Person {
            holder,
            name: keys.unseal(place("name"), &self.name)?,
            id_number: keys.unseal(place("id_number"), &self.id_number)?,
            phone,
            is_registered: self.registered_ms.is_some(),
        })
    }
}

fn put_person(tx: &Db<'_>, keys: &Keys, partition_count: u16, person: &NewPerson, now_ms: i64) -> Result<PutPerson> {
    let id_number = normal_id_number(person.id_number.reveal());
    let part = keys.partition_of(&id_number, partition_count);
    let id_blind = id_blind(keys, &id_number);
    let name = person.name.reveal().trim();
    let name_blind = name_blind(keys, &id_blind, name);
    let phone = person.phone.as_ref().map(Sensitive::reveal);
    let seal = |holder, column, text: &str| keys.seal(Place::new("person", column, holder), text);

    let found = tx.row("select holder, sealed_name, sealed_phone from person where part = ?1 and id_blind = ?2", (part, id_blind), |row| {
        Ok((from_sql_id(row.get(0)?), row.get::<Vec<u8>>(1)?, row.get::<Option<Vec<u8>>>(2)?))
    })?;
    let Some((holder, sealed_name, sealed_phone)) = found else {
        let holder = next_id(tx, part, "holder")?;
        tx.execute(
            "insert into person (part, holder, id_blind, name_blind, sealed_name, sealed_id_number, sealed_phone,
                                 created_ms, updated_ms)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
            (
                part,
                sql_id(holder),
                id_blind,
                name_blind,
                seal(holder, "name", name),
                seal(holder, "id_number", &id_number),
                phone.map(|phone| seal(holder, "phone", phone)),
                now_ms,
            ),
        )?;
        return Ok(PutPerson::Added(holder));
    };

    let place = |column| Place::new("person", column, holder);
    let known_name = keys.unseal(place("name"), &sealed_name)?;
    let known_phone = unseal_some(keys, place("phone"), sealed_phone)?;
    let same_phone = phone.is_none() || phone == known_phone.as_ref().map(Sensitive::reveal);
    if known_name.reveal() == name && same_phone {
        return Ok(PutPerson::Unchanged(holder));
    }
    tx.execute(
        "update person set name_blind = ?3, sealed_name = ?4, sealed_phone = coalesce(?5, sealed_phone),
                           updated_ms = ?6
         where part = ?1 and holder = ?2",
        (part, sql_id(holder), name_blind, seal(holder, "name", name), phone.map(|phone| seal(holder, "phone", phone)), now_ms),
    )?;
    Ok(PutPerson::Changed(holder))
}

/// Stores the proven phone; part of registering.
pub(super) fn register(tx: &Db<'_>, keys: &Keys, holder: u64, phone: &str, now_ms: i64) -> Result<()> {
    let changed = tx.execute(
        "update person set sealed_registered_phone = ?3, registered_ms = coalesce(registered_ms, ?4),
                               updated_ms = ?4
             where part = ?1 and holder = ?2",
        (part_of(holder), sql_id(holder), keys.seal(Place::new("person", "registered_phone", holder), phone), now_ms),
    )?;
    if changed == 1 { Ok(()) } else { Err(VaultError::Missing("the holder")) }
}
