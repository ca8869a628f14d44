//! Webhooks of institutions: where to, the secret, the one message that is under way, and what became of the attempts.

use super::database::{Db, Row};
use super::{Result, Vault, from_sql_id, next_id, part_of, sql_id, unseal_some};
use crate::seal::{Keys, Place, Sensitive};

/// Webhooks of one institution.
pub const WEBHOOKS_MAX: i64 = 5;

/// Attempts that the log of one webhook keeps.
pub const ATTEMPTS_KEPT_MAX: i64 = 200;

/// After a change of secret, messages are signed with both for this long (ms).
pub const OLD_SECRET_MS: i64 = 24 * 3_600_000;

/// A webhook, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: u64,
    pub institution: String,
    pub url: Sensitive,
    pub secret: Sensitive,
    /// And until when (ms).
    pub old_secret: Option<(Sensitive, i64)>,
    pub created_ms: i64,
}

/// How far a webhook has come; nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookState {
    pub id: u64,
    pub institution: String,
    /// The receiver has confirmed to know that there is something up to here.
    pub told: Vec<u8>,
    pub under_way: Option<UnderWay>,
    /// When the next attempt is due, or the next message may begin (ms).
    pub next_ms: i64,
}

/// A message that has not been confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub message: String,
    pub made_ms: i64,
    pub position: Vec<u8>,
    /// Made so far.
    pub attempts: u32,
}

/// One attempt, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAttempt {
    pub message: String,
    /// From 1.
    pub attempt: u32,
    pub at_ms: i64,
    /// One word.
    pub outcome: String,
    /// Of the answer, if there was one.
    pub status: Option<u32>,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAttempt {
    /// The message is over: confirmed, or given up. The next one begins at this time (ms) at the earliest.
    Over(i64),
    /// Again at this time (ms).
    Again(i64),
}

const OPENED: &str = "select webhook_id, institution, sealed_url, sealed_secret, sealed_old_secret, old_until_ms, created_ms from webhook";

fn opened(row: &Row<'_>, keys: &Keys) -> Result<Webhook> {
    let id = from_sql_id(row.get(0)?);
    let old = unseal_some(keys, Place::new("webhook", "old_secret", id), row.get(4)?)?;
    Ok(Webhook {
        id,
        institution: row.get(1)?,
        url: keys.unseal(Place::new("webhook", "url", id), &row.get::<Vec<u8>>(2)?)?,
        secret: keys.unseal(Place::new("webhook", "secret", id), &row.get::<Vec<u8>>(3)?)?,
        old_secret: old.zip(row.get::<Option<i64>>(5)?),
        created_ms: row.get(6)?,
    })
}

impl Vault {
    /// Keeps a webhook of an institution whose data lies in `part`. `told` is where the feed stands now. `None` where it is one too many.
    pub fn put_webhook(&self, part: u16, institution: &str, url: &Sensitive, secret: &Sensitive, told: &[u8], now_ms: i64) -> Result<Option<u64>> {
        self.write(|tx, keys| {
            let count: Option<i64> = tx.row("select count(*) from webhook where part = ?1 and institution = ?2", (part, institution), |row| row.get(0))?;
            if count.unwrap_or(0) >= WEBHOOKS_MAX {
                return Ok(None);
            }
            let id = next_id(tx, part, "webhook")?;
            tx.execute(
                "insert into webhook (part, webhook_id, institution, sealed_url, sealed_secret, created_ms, told, attempts, next_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0)",
                (
                    part,
                    sql_id(id),
                    institution,
                    keys.seal(Place::new("webhook", "url", id), url.reveal()),
                    keys.seal(Place::new("webhook", "secret", id), secret.reveal()),
                    now_ms,
                    told.to_vec(),
                ),
            )?;
            Ok(Some(id))
        })
    }

    /// The webhooks of an institution, oldest first.
    pub fn webhooks(&self, part: u16, institution: &str) -> Result<Vec<Webhook>> {
        self.read(|db, keys| {
            db.rows(&format!("{OPENED} where part = ?1 and institution = ?2 order by webhook_id"), (part, institution), |row| opened(row, keys))
        })
    }

    pub fn webhook(&self, id: u64) -> Result<Option<Webhook>> {
        self.read(|db, keys| db.row(&format!("{OPENED} where part = ?1 and webhook_id = ?2"), (part_of(id), sql_id(id)), |row| opened(row, keys)))
    }

    /// Removes a webhook with its log; false where this institution has none of this number.
    pub fn remove_webhook(&self, id: u64, institution: &str) -> Result<bool> {
        self.write(|tx, _| {
            let gone = tx.execute("delete from webhook where part = ?1 and webhook_id = ?2 and institution = ?3", (part_of(id), sql_id(id), institution))?;
            if gone > 0 {
                tx.execute("delete from webhook_attempt where part = ?1 and webhook_id = ?2", (part_of(id), sql_id(id)))?;
            }
            Ok(gone > 0)
        })
    }

    /// Gives a webhook a new secret; the one before stays good for [`OLD_SECRET_MS`]. False where this institution has none of this number.
    pub fn change_webhook_secret(&self, id: u64, institution: &str, secret: &Sensitive, now_ms: i64) -> Result<bool> {
        self.write(|tx, keys| {
            let sql = format!("{OPENED} where part = ?1 and webhook_id = ?2 and institution = ?3");
            let Some(known) = tx.row(&sql, (part_of(id), sql_id(id), institution), |row| opened(row, keys))? else { return Ok(false) };
            tx.execute(
                "update webhook set sealed_secret = ?3, sealed_old_secret = ?4, old_until_ms = ?5 where part = ?1 and webhook_id = ?2",
                (
                    part_of(id),
                    sql_id(id),
                    keys.seal(Place::new("webhook", "secret", id), secret.reveal()),
                    keys.seal(Place::new("webhook", "old_secret", id), known.secret.reveal()),
                    now_ms + OLD_SECRET_MS,
                ),
            )?;
            Ok(true)
        })
    }

    /// How far each webhook has come.
    pub fn webhook_states(&self) -> Result<Vec<WebhookState>> {
        self.read(|db, _| {
            db.rows("select webhook_id, institution, told, message, message_ms, position, attempts, next_ms from webhook", (), |row| {
                let under_way = match (row.get::<Option<String>>(3)?, row.get::<Option<i64>>(4)?, row.get::<Option<Vec<u8>>>(5)?) {
                    (Some(message), Some(made_ms), Some(position)) => Some(UnderWay { message, made_ms, position, attempts: row.get(6)? }),
                    _ => None,
                };
                Ok(WebhookState { id: from_sql_id(row.get(0)?), institution: row.get(1)?, told: row.get(2)?, under_way, next_ms: row.get(7)? })
            })
        })
    }

    /// Begins a message; false, and nothing changed, where one is under way already.
    pub fn begin_webhook_message(&self, id: u64, message: &str, position: &[u8], now_ms: i64) -> Result<bool> {
        self.write(|tx, _| {
            let begun = tx.execute(
                "update webhook set message = ?3, message_ms = ?4, position = ?5, attempts = 0, next_ms = ?4
                 where part = ?1 and webhook_id = ?2 and message is null",
                (part_of(id), sql_id(id), message, now_ms, position.to_vec()),
            )?;
            Ok(begun > 0)
        })
    }

    /// Takes the next attempt of a message on, until `until_ms`: of several processes one gets it. It is due again then if nobody has written down what
    /// became of it.
    pub fn take_webhook_attempt(&self, id: u64, under_way: &UnderWay, now_ms: i64, until_ms: i64) -> Result<bool> {
        self.write(|tx, _| {
            let taken = tx.execute(
                "update webhook set next_ms = ?6 where part = ?1 and webhook_id = ?2 and message = ?3 and attempts = ?4 and next_ms <= ?5",
                (part_of(id), sql_id(id), &under_way.message, under_way.attempts, now_ms, until_ms),
            )?;
            Ok(taken > 0)
        })
    }

    /// Writes an attempt down, and what follows from it for the message under way, if it is that one.
    pub fn put_webhook_attempt(&self, id: u64, made: &WebhookAttempt, after: AfterAttempt) -> Result<()> {
        let (part, row_id) = (part_of(id), sql_id(id));
        self.write(|tx, _| {
            let changed = match after {
                AfterAttempt::Over(next_ms) => tx.execute(
                    "update webhook set told = position, message = null, message_ms = null, position = null, attempts = 0, next_ms = ?4
                     where part = ?1 and webhook_id = ?2 and message = ?3",
                    (part, row_id, &made.message, next_ms),
                )?,
                AfterAttempt::Again(next_ms) => tx.execute(
                    "update webhook set attempts = ?4, next_ms = ?5 where part = ?1 and webhook_id = ?2 and message = ?3",
                    (part, row_id, &made.message, made.attempt, next_ms),
                )?,
            };
            // A webhook that was removed in the meantime has no log.
            if changed > 0 { log(tx, id, made) } else { Ok(()) }
        })
    }

    /// Writes down an attempt that belongs to no message of the feed: one that was asked for to try the receiver.
    pub fn put_webhook_trial(&self, id: u64, made: &WebhookAttempt) -> Result<()> {
        self.write(|tx, _| log(tx, id, made))
    }

    /// The last attempts, newest first, at most `max`.
    pub fn webhook_attempts(&self, id: u64, max: usize) -> Result<Vec<WebhookAttempt>> {
        self.read(|db, _| {
            db.rows(
                "select message, attempt, at_ms, outcome, status from webhook_attempt where part = ?1 and webhook_id = ?2 order by number desc limit ?3",
                (part_of(id), sql_id(id), max as i64),
                |row| {
                    let status: Option<i64> = row.get(4)?;
                    let status = status.and_then(|status| u32::try_from(status).ok());
                    Ok(WebhookAttempt { message: row.get(0)?, attempt: row.get(1)?, at_ms: row.get(2)?, outcome: row.get(3)?, status })
                },
            )
        })
    }
}

fn log(tx: &Db<'_>, id: u64, made: &WebhookAttempt) -> Result<()> {
    let (part, row_id) = (part_of(id), sql_id(id));
    let last: Option<Option<i64>> = tx.row("select max(number) from webhook_attempt where part = ?1 and webhook_id = ?2", (part, row_id), |row| row.get(0))?;
    let number = last.flatten().unwrap_or(0) + 1;
    tx.execute(
        "insert into webhook_attempt (part, webhook_id, number, message, attempt, at_ms, outcome, status) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (part, row_id, number, &made.message, made.attempt, made.at_ms, &made.outcome, made.status.map(i64::from)),
    )?;
    tx.execute("delete from webhook_attempt where part = ?1 and webhook_id = ?2 and number <= ?3", (part, row_id, number - ATTEMPTS_KEPT_MAX))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;
    const HOSPITAL: &str = "H51050000001";

    fn vault() -> (tempfile::TempDir, Vault) {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), 1).unwrap();
        (dir, vault)
    }

    fn put(vault: &Vault, institution: &str) -> Option<u64> {
        vault.put_webhook(1, institution, &"http://hook.example/gongji".into(), &"whsec_one".into(), b"start", NOW).unwrap()
    }

    #[test]
    fn a_message_is_under_way_until_it_is_confirmed_or_given_up() {
        let (_dir, vault) = vault();
        let id = put(&vault, HOSPITAL).unwrap();
        assert!(vault.begin_webhook_message(id, "msg_1", b"one", NOW).unwrap());
        assert!(!vault.begin_webhook_message(id, "msg_2", b"two", NOW).unwrap());
        let state = || vault.webhook_states().unwrap().remove(0);
        assert_eq!(state().under_way.map(|under_way| under_way.message), Some("msg_1".to_owned()), "one at a time");
        let made = |attempt: u32, outcome: &str| WebhookAttempt {
            message: "msg_1".to_owned(),
            attempt,
            at_ms: NOW,
            outcome: outcome.to_owned(),
            status: (attempt == 2).then_some(204),
        };
        vault.put_webhook_attempt(id, &made(1, "timeout"), AfterAttempt::Again(NOW + 5_000)).unwrap();
        assert_eq!((state().under_way.map(|under_way| under_way.attempts), state().next_ms), (Some(1), NOW + 5_000));
        vault.put_webhook_attempt(id, &made(2, "delivered"), AfterAttempt::Over(NOW)).unwrap();
        assert_eq!((state().told, state().under_way), (b"one".to_vec(), None));
        assert_eq!(vault.webhook_attempts(id, 10).unwrap(), [made(2, "delivered"), made(1, "timeout")]);
        for _ in 0..ATTEMPTS_KEPT_MAX {
            vault.put_webhook_trial(id, &made(1, "trial")).unwrap();
        }
        assert_eq!(vault.webhook_attempts(id, 1_000).unwrap().len(), ATTEMPTS_KEPT_MAX as usize);
    }

    #[test]
    fn an_attempt_is_made_by_one_process_and_by_another_only_if_that_one_is_lost() {
        let (_dir, vault) = vault();
        let id = put(&vault, HOSPITAL).unwrap();
        vault.begin_webhook_message(id, "msg_1", b"one", NOW).unwrap();
        let due = || vault.webhook_states().unwrap().remove(0).under_way.unwrap();
        let take = |under_way: &UnderWay, now: i64| vault.take_webhook_attempt(id, under_way, now, now + 20_000).unwrap();
        let first = due();
        assert!(take(&first, NOW));
        assert!(!take(&first, NOW + 19_999), "somebody is at it");
        assert!(take(&first, NOW + 20_000), "nobody came back");
        let made = WebhookAttempt { message: "msg_1".to_owned(), attempt: 1, at_ms: NOW, outcome: "timeout".to_owned(), status: None };
        vault.put_webhook_attempt(id, &made, AfterAttempt::Again(NOW + 25_000)).unwrap();
        assert!(!take(&first, NOW + 30_000), "that attempt has been made");
        assert!(take(&due(), NOW + 30_000));
    }

    #[test]
    fn a_webhook_is_its_institutions_own_and_there_are_few() {
        let (_dir, vault) = vault();
        let ids: Vec<u64> = (0..WEBHOOKS_MAX).map(|_| put(&vault, HOSPITAL).unwrap()).collect();
        assert_eq!(put(&vault, HOSPITAL), None);
        assert!(put(&vault, "P37010000001").is_some());
        assert!(!vault.change_webhook_secret(ids[0], "P37010000001", &"whsec_two".into(), NOW).unwrap());
        assert!(!vault.remove_webhook(ids[0], "P37010000001").unwrap());
        assert!(vault.change_webhook_secret(ids[0], HOSPITAL, &"whsec_two".into(), NOW).unwrap());
        let changed = vault.webhook(ids[0]).unwrap().unwrap();
        assert_eq!(
            (changed.secret.reveal(), changed.old_secret.map(|(old, until)| (old.reveal().to_owned(), until))),
            ("whsec_two", Some(("whsec_one".to_owned(), NOW + OLD_SECRET_MS)))
        );
        assert!(vault.remove_webhook(ids[0], HOSPITAL).unwrap());
        assert_eq!((vault.webhook(ids[0]).unwrap(), vault.webhooks(1, HOSPITAL).unwrap().len()), (None, WEBHOOKS_MAX as usize - 1));
    }
}
