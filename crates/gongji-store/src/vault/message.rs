//! Messages: texts to a phone and notices in the app, kept sealed and shown in the holder's inbox.

use super::database::{Db, Row};
use super::{Result, Vault, from_sql_id, next_id, part_of, sql_id, unseal_some};
use crate::seal::{Keys, Place, Sensitive};

/// Messages on one page at most.
pub const MESSAGES_PAGE_MAX: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A text to the phone.
    Sms,
    /// A notice inside the pages.
    Notice,
}

impl Channel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Notice => "notice",
        }
    }
}

/// A message, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: u64,
    pub holder: u64,
    pub channel: Channel,
    pub phone: Option<Sensitive>,
    pub text: Sensitive,
    pub created_ms: i64,
    pub is_read: bool,
}

/// A notice made from the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub holder: u64,
    pub text: Sensitive,
    pub created_ms: i64,
}

impl Vault {
    /// Keeps the notices of the journal records after `after` up to `last` of a partition, in one commit with that mark: each record is
    /// told once. Nothing is kept, and `false` returned, if another has told them meanwhile.
    pub fn put_notices(&self, part: u16, after: u64, last: u64, notices: &[Notice]) -> Result<bool> {
        self.write(|tx, keys| {
            if noticed(tx, part)? != after {
                return Ok(false);
            }
            for notice in notices {
                let part = part_of(notice.holder);
                let id = next_id(tx, part, "message")?;
                tx.execute(
                    "insert into message (part, message_id, holder, channel, sealed_phone, sealed_text, created_ms) values (?1, ?2, ?3, ?4, null, ?5, ?6)",
                    (
                        part,
                        sql_id(id),
                        sql_id(notice.holder),
                        Channel::Notice.as_str(),
                        keys.seal(Place::new("message", "text", id), notice.text.reveal()),
                        notice.created_ms,
                    ),
                )?;
            }
            tx.execute(
                "insert into vault_meta (part, name, value) values (?1, 'noticed', ?2) on conflict (part, name) do update set value = ?2",
                (part, last.to_be_bytes().to_vec()),
            )?;
            Ok(true)
        })
    }

    /// The last journal record of a partition whose notices are kept.
    pub fn noticed(&self, part: u16) -> Result<u64> {
        self.read(|db, _| noticed(db, part))
    }

    /// Keeps a message for a holder; the phone is given for texts.
    pub fn put_message(&self, holder: u64, channel: Channel, phone: Option<&str>, text: &str, now_ms: i64) -> Result<u64> {
        let part = part_of(holder);
        self.write(|tx, keys| {
            let id = next_id(tx, part, "message")?;
            let seal = |column, text: &str| keys.seal(Place::new("message", column, id), text);
            tx.execute(
                "insert into message (part, message_id, holder, channel, sealed_phone, sealed_text, created_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (part, sql_id(id), sql_id(holder), channel.as_str(), phone.map(|phone| seal("phone", phone)), seal("text", text), now_ms),
            )?;
            Ok(id)
        })
    }

    /// A holder's messages, newest first; `before` is the last id of the page before.
    pub fn messages(&self, holder: u64, before: Option<u64>, limit: usize) -> Result<Vec<Message>> {
        self.read(|db, keys| {
            let rows = db.rows(
                &format!("select {COLUMNS} from message where part = ?1 and holder = ?2 and message_id < ?3 order by message_id desc limit ?4"),
                (part_of(holder), sql_id(holder), before.map_or(i64::MAX, sql_id), limit.min(MESSAGES_PAGE_MAX) as i64),
                sealed,
            )?;
            rows.into_iter().map(|row| row.open(keys)).collect()
        })
    }

    /// The newest messages of everyone: the sandbox's inbox page shows what would reach the phones. Never in production.
    pub fn newest_messages(&self, limit: usize) -> Result<Vec<Message>> {
        let limit = limit.min(MESSAGES_PAGE_MAX);
        let mut messages = Vec::new();
        for part in 1..=self.partition_count() {
            messages.extend(self.read(|db, keys| {
                let rows =
                    db.rows(&format!("select {COLUMNS} from message where part = ?1 order by message_id desc limit ?2"), (part, limit as i64), sealed)?;
                rows.into_iter().map(|row| row.open(keys)).collect::<Result<Vec<_>>>()
            })?);
        }
        messages.sort_by_key(|message| std::cmp::Reverse((message.created_ms, message.id)));
        messages.truncate(limit);
        Ok(messages)
    }

    /// Marks one message as read; false when the holder has no such message.
    pub fn mark_read(&self, holder: u64, message_id: u64, now_ms: i64) -> Result<bool> {
        self.write(|tx, _| {
            let changed = tx.execute(
                "update message set read_ms = coalesce(read_ms, ?4) where part = ?1 and holder = ?2 and message_id = ?3",
                (part_of(holder), sql_id(holder), sql_id(message_id), now_ms),
            )?;
            Ok(changed == 1)
        })
    }

    pub fn mark_all_read(&self, holder: u64, now_ms: i64) -> Result<usize> {
        self.write(|tx, _| {
            tx.execute("update message set read_ms = ?3 where part = ?1 and holder = ?2 and read_ms is null", (part_of(holder), sql_id(holder), now_ms))
        })
    }

    /// Notices not read yet; a text is read on the phone.
    pub fn unread_count(&self, holder: u64) -> Result<u32> {
        self.read(|db, _| {
            Ok(db
                .row(
                    "select count(*) from message where part = ?1 and holder = ?2 and channel = 'notice' and read_ms is null",
                    (part_of(holder), sql_id(holder)),
                    |row| row.get(0),
                )?
                .unwrap_or(0))
        })
    }
}

fn noticed(db: &Db<'_>, part: u16) -> Result<u64> {
    let kept: Option<Vec<u8>> = db.row("select value from vault_meta where part = ?1 and name = 'noticed'", (part,), |row| row.get(0))?;
    Ok(kept.and_then(|value| <[u8; 8]>::try_from(value).ok()).map_or(0, u64::from_be_bytes))
}

const COLUMNS: &str = "message_id, holder, channel, sealed_phone, sealed_text, created_ms, read_ms is not null";

struct SealedMessage {
    id: u64,
    holder: u64,
    channel: String,
    phone: Option<Vec<u8>>,
    text: Vec<u8>,
    created_ms: i64,
    is_read: bool,
}

fn sealed(row: &Row<'_>) -> Result<SealedMessage> {
    Ok(SealedMessage {
        id: from_sql_id(row.get(0)?),
        holder: from_sql_id(row.get(1)?),
        channel: row.get(2)?,
        phone: row.get(3)?,
        text: row.get(4)?,
        created_ms: row.get(5)?,
        is_read: row.get(6)?,
    })
}

impl SealedMessage {
    fn open(self, keys: &Keys) -> Result<Message> {
        Ok(Message {
            id: self.id,
            holder: self.holder,
            channel: if self.channel == Channel::Sms.as_str() { Channel::Sms } else { Channel::Notice },
            phone: unseal_some(keys, Place::new("message", "phone", self.id), self.phone)?,
            text: keys.unseal(Place::new("message", "text", self.id), &self.text)?,
            created_ms: self.created_ms,
            is_read: self.is_read,
        })
    }
}
