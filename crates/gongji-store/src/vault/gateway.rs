//! What the national-style gateway keeps of an institution: who has signed in, every message with its answer, files on their way.
//!
//! A message stands here before anything is done for it, and its answer before anybody sees it: whoever asks again with the same number gets
//! the same words. Whether money moved is never decided here; that is the journal's.

use super::database::{Db, Row};
use super::{Result, Vault, from_sql_id, next_id, sql_id};
use crate::seal::{Keys, Place, Sensitive, equal_in_constant_time};

/// Messages are kept at least this long (days): network logs six months by law, counted generously.
/// 依据：网络安全法第二十一条（留存不少于六个月）。
pub const GATEWAY_MESSAGE_DAYS_MIN: u16 = 200;

/// Rows that go in one sweep at most; the next one takes more.
const SWEPT_MAX: i64 = 50_000;

/// A message as it was received, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayMessage {
    pub id: u64,
    pub institution: String,
    pub msgid: String,
    pub infno: String,
    pub request: Sensitive,
    /// `None` while it is being worked on, or where the program stopped before its end.
    pub answer: Option<Sensitive>,
    /// The answer counts for good; another one only says that nothing was decided yet.
    pub is_final: bool,
    pub received_ms: i64,
    pub answered_ms: Option<i64>,
}

/// What a message number stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunMessage {
    /// Nothing was decided under it yet: do it, now or once more.
    Open { id: u64 },
    /// It was answered; this is the answer.
    Answered(Sensitive),
    /// It was used for something else.
    Other,
}

/// A new message.
#[derive(Debug, Clone, Copy)]
pub struct NewGatewayMessage<'text> {
    /// The institution's partition.
    pub part: u16,
    pub institution: &'text str,
    pub msgid: &'text str,
    pub infno: &'text str,
    /// Keyed digest of what is asked.
    pub fingerprint: &'text [u8; 32],
    /// Without the password that somebody typed.
    pub request: &'text str,
}

/// A sign-in of an operator at an institution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySign {
    pub institution: String,
    pub opter: String,
    pub ends_ms: i64,
}

/// A file of an institution.
#[derive(Debug, Clone, Copy)]
pub struct GatewayFile<'text> {
    pub institution: &'text str,
    pub file_no: &'text str,
    pub name: &'text str,
    pub body: &'text str,
    /// Until then it is kept.
    pub ends_ms: i64,
}

impl Vault {
    /// Writes a message down, or says what became of the one with its number.
    pub fn begin_gateway_message(&self, new: &NewGatewayMessage<'_>, now_ms: i64) -> Result<BegunMessage> {
        self.write(|tx, keys| {
            if let Some((known, fingerprint)) = message_of(tx, keys, new.part, new.institution, new.msgid)? {
                if !equal_in_constant_time(&fingerprint, new.fingerprint) || known.infno != new.infno {
                    return Ok(BegunMessage::Other);
                }
                return Ok(match known.answer {
                    Some(answer) if known.is_final => BegunMessage::Answered(answer),
                    _ => BegunMessage::Open { id: known.id },
                });
            }
            let id = next_id(tx, new.part, "gateway-message")?;
            let sealed = keys.seal(Place::new("gateway_message", "request", id), new.request);
            tx.execute(
                "insert into gateway_message (part, institution, msgid, message_id, infno, fingerprint, sealed_request, is_final, received_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
                (new.part, new.institution, new.msgid, sql_id(id), new.infno, new.fingerprint, sealed, now_ms),
            )?;
            Ok(BegunMessage::Open { id })
        })
    }

    /// Keeps the answer to a message and gives back the one that counts: where two were at work, that of the first.
    pub fn answer_gateway_message(&self, part: u16, institution: &str, msgid: &str, answer: &str, is_final: bool, now_ms: i64) -> Result<Sensitive> {
        self.write(|tx, keys| {
            let Some((known, _)) = message_of(tx, keys, part, institution, msgid)? else { return Ok(answer.into()) };
            if let Some(first) = known.answer.filter(|_| known.is_final) {
                return Ok(first);
            }
            let sealed = keys.seal(Place::new("gateway_message", "answer", known.id), answer);
            tx.execute(
                "update gateway_message set sealed_answer = ?4, is_final = ?5, answered_ms = ?6 where part = ?1 and institution = ?2 and msgid = ?3",
                (part, institution, msgid, sealed, i64::from(is_final), now_ms),
            )?;
            Ok(answer.into())
        })
    }

    /// Takes a number out of use before its message arrives; false where it has arrived.
    pub fn bar_gateway_message(&self, new: &NewGatewayMessage<'_>, now_ms: i64) -> Result<bool> {
        Ok(match self.begin_gateway_message(new, now_ms)? {
            // A bar that was put up before is the same bar.
            BegunMessage::Open { .. } => true,
            BegunMessage::Answered(_) | BegunMessage::Other => false,
        })
    }

    /// A message of an institution.
    pub fn gateway_message(&self, part: u16, institution: &str, msgid: &str) -> Result<Option<GatewayMessage>> {
        self.read(|db, keys| Ok(message_of(db, keys, part, institution, msgid)?.map(|(message, _)| message)))
    }

    /// An operator signs in.
    pub fn put_gateway_sign(&self, part: u16, sign_no: &str, sign: &GatewaySign, now_ms: i64) -> Result<()> {
        self.write(|tx, _| {
            tx.execute(
                "insert into gateway_sign (part, sign_no, institution, opter, signed_ms, ends_ms) values (?1, ?2, ?3, ?4, ?5, ?6)
                 on conflict (part, sign_no) do nothing",
                (part, sign_no, &sign.institution, &sign.opter, now_ms, sign.ends_ms),
            )?;
            Ok(())
        })
    }

    pub fn gateway_sign(&self, part: u16, sign_no: &str) -> Result<Option<GatewaySign>> {
        self.read(|db, _| {
            db.row("select institution, opter, ends_ms from gateway_sign where part = ?1 and sign_no = ?2", (part, sign_no), |row| {
                Ok(GatewaySign { institution: row.get(0)?, opter: row.get(1)?, ends_ms: row.get(2)? })
            })
        })
    }

    /// Ends a sign-in at once.
    pub fn end_gateway_sign(&self, part: u16, sign_no: &str, now_ms: i64) -> Result<()> {
        self.write(|tx, _| {
            tx.execute("update gateway_sign set ends_ms = ?3 where part = ?1 and sign_no = ?2 and ends_ms > ?3", (part, sign_no, now_ms))?;
            Ok(())
        })
    }

    /// Keeps a file of an institution for a while. The same number again changes nothing.
    pub fn put_gateway_file(&self, part: u16, file: &GatewayFile<'_>, now_ms: i64) -> Result<()> {
        let GatewayFile { institution, file_no, name, body, ends_ms } = *file;
        self.write(|tx, keys| {
            if file_of(tx, keys, part, institution, file_no)?.is_some() {
                return Ok(());
            }
            let id = next_id(tx, part, "gateway-file")?;
            let sealed = keys.seal(Place::new("gateway_file", "body", id), body);
            tx.execute(
                "insert into gateway_file (part, institution, file_no, file_id, name, sealed_body, made_ms, ends_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (part, institution, file_no, sql_id(id), name, sealed, now_ms, ends_ms),
            )?;
            Ok(())
        })
    }

    /// Name and body of a file, while it is kept.
    pub fn gateway_file(&self, part: u16, institution: &str, file_no: &str, now_ms: i64) -> Result<Option<(String, Sensitive)>> {
        self.read(|db, keys| {
            let found = file_of(db, keys, part, institution, file_no)?;
            Ok(found.filter(|(_, _, ends_ms)| now_ms < *ends_ms).map(|(name, body, _)| (name, body)))
        })
    }

    /// Drops messages received before `before_ms`, and sign-ins and files that are over. Returns how many rows went.
    pub fn sweep_gateway(&self, before_ms: i64, now_ms: i64) -> Result<usize> {
        self.write(|tx, _| {
            let oldest = tx.row(
                "select max(received_ms) from (select received_ms from gateway_message where received_ms < ?1 order by received_ms limit ?2) oldest",
                (before_ms, SWEPT_MAX),
                |row| row.get::<Option<i64>>(0),
            )?;
            let mut gone = match oldest.flatten() {
                Some(last) => tx.execute("delete from gateway_message where received_ms <= ?1", (last,))?,
                None => 0,
            };
            gone += tx.execute("delete from gateway_sign where ends_ms <= ?1", (now_ms,))?;
            gone += tx.execute("delete from gateway_file where ends_ms <= ?1", (now_ms,))?;
            Ok(gone)
        })
    }
}

const COLUMNS: &str = "message_id, infno, fingerprint, sealed_request, sealed_answer, is_final, received_ms, answered_ms";

struct Sealed {
    id: u64,
    infno: String,
    fingerprint: [u8; 32],
    request: Vec<u8>,
    answer: Option<Vec<u8>>,
    is_final: bool,
    received_ms: i64,
    answered_ms: Option<i64>,
}

fn sealed(row: &Row<'_>) -> Result<Sealed> {
    Ok(Sealed {
        id: from_sql_id(row.get(0)?),
        infno: row.get(1)?,
        fingerprint: row.get(2)?,
        request: row.get(3)?,
        answer: row.get(4)?,
        is_final: row.get(5)?,
        received_ms: row.get(6)?,
        answered_ms: row.get(7)?,
    })
}

/// A message and the digest of what it asked.
fn message_of(db: &Db<'_>, keys: &Keys, part: u16, institution: &str, msgid: &str) -> Result<Option<(GatewayMessage, [u8; 32])>> {
    let sql = format!("select {COLUMNS} from gateway_message where part = ?1 and institution = ?2 and msgid = ?3");
    let Some(found) = db.row(&sql, (part, institution, msgid), sealed)? else { return Ok(None) };
    let Sealed { id, infno, fingerprint, request, answer, is_final, received_ms, answered_ms } = found;
    let place = |column| Place::new("gateway_message", column, id);
    let message = GatewayMessage {
        id,
        institution: institution.to_owned(),
        msgid: msgid.to_owned(),
        infno,
        request: keys.unseal(place("request"), &request)?,
        answer: super::unseal_some(keys, place("answer"), answer)?,
        is_final,
        received_ms,
        answered_ms,
    };
    Ok(Some((message, fingerprint)))
}

fn file_of(db: &Db<'_>, keys: &Keys, part: u16, institution: &str, file_no: &str) -> Result<Option<(String, Sensitive, i64)>> {
    let sql = "select file_id, name, sealed_body, ends_ms from gateway_file where part = ?1 and institution = ?2 and file_no = ?3";
    let found =
        db.row(sql, (part, institution, file_no), |row| Ok((from_sql_id(row.get(0)?), row.get::<String>(1)?, row.get::<Vec<u8>>(2)?, row.get::<i64>(3)?)))?;
    let Some((id, name, body, ends_ms)) = found else { return Ok(None) };
    Ok(Some((name, keys.unseal(Place::new("gateway_file", "body", id), &body)?, ends_ms)))
}
