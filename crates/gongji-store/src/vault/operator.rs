//! How operators prove who they are: passkeys, codes of thirty seconds, recovery codes, the letter of the first time; and where they are signed in.
//!
//! Secrets are sealed, tokens stand as digests, recovery codes as keyed digests. What may be used once is used up in the transaction that finds it.
//! Wrong codes under a name are counted before they are compared, known name or not. Sessions are read from the tables at each request: there
//! are few, and one that is ended is over at once wherever it is used.

use super::database::{Db, Row};
use super::session::SessionToken;
use super::{Result, Vault, from_sql_id, next_id, sql_id};
use crate::seal::{Place, Sensitive, equal_in_constant_time, random, sm3, to_base64url};
use std::collections::BTreeMap;

/// Everything of the offices stands with the directory.
const PART: u16 = 0;

/// A session ends after this long without a request.
pub const OPERATOR_IDLE_MS: i64 = 15 * 60_000;
/// A session ends after this long in any case: a working day.
pub const OPERATOR_SESSION_MS: i64 = 9 * 3_600_000;
/// More at once: the one used longest ago ends.
pub const OPERATOR_SESSIONS_MAX: usize = 3;
/// The letter of the first time serves for this long.
pub const INVITE_MS: i64 = 3 * 24 * 3_600_000;
/// A passkey answers within this long.
pub const CEREMONY_MS: i64 = 5 * 60_000;
/// Passkeys of one operator.
pub const PASSKEYS_MAX: usize = 5;
/// Wrong codes under a name before the lock, which lasts longer each time.
pub const OPERATOR_ATTEMPTS_MAX: u32 = 5;
const LOCK_MS: i64 = 15 * 60_000;
const LOCK_MS_MAX: i64 = 24 * 3_600_000;
const FAILURES_KEPT_MS: i64 = 24 * 3_600_000;
const LABEL_LEN_MAX: usize = 60;
const SEEN_STEP_MS: i64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialKind {
    Passkey,
    Code,
    Recovery,
}

impl CredentialKind {
    fn word(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Code => "code",
            Self::Recovery => "recovery",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Passkey, Self::Code, Self::Recovery].into_iter().find(|kind| kind.word() == word)
    }
}

/// A credential as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: u64,
    pub kind: CredentialKind,
    pub label: String,
    pub made_ms: i64,
}

/// What the codes of thirty seconds are made of.
#[derive(Debug, Clone)]
pub struct CodeSecret {
    pub credential: u64,
    pub secret: Sensitive,
    /// The last step that was accepted.
    pub last_step: i64,
}

/// An operator's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorSession {
    pub id: u64,
    pub operator: u32,
    pub label: String,
    pub created_ms: i64,
    pub last_seen_ms: i64,
    pub ends_ms: i64,
}

/// Whether another try is compared at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Counted as wrong until [`Vault::clear_operator_attempts`] says otherwise; whether this was the last one before the lock.
    Counted {
        is_last: bool,
    },
    Locked {
        until_ms: i64,
    },
}

impl Vault {
    // Names.

    pub fn put_operator_name(&self, operator: u32, name: &str) -> Result<()> {
        self.write(|db, keys| {
            let sealed = keys.seal(Place::new("operator_name", "name", operator.into()), name);
            let sql = "insert into operator_name (part, operator, sealed_name) values (?1, ?2, ?3)
                       on conflict (part, operator) do update set sealed_name = excluded.sealed_name";
            db.execute(sql, (PART, i64::from(operator), sealed))?;
            Ok(())
        })
    }

    /// All names, by number.
    pub fn operator_names(&self) -> Result<BTreeMap<u32, Sensitive>> {
        self.read(|db, keys| {
            let rows =
                db.rows("select operator, sealed_name from operator_name where part = ?1", (PART,), |row| Ok((row.get::<u32>(0)?, row.get::<Vec<u8>>(1)?)))?;
            rows.into_iter().map(|(operator, sealed)| Ok((operator, keys.unseal(Place::new("operator_name", "name", operator.into()), &sealed)?))).collect()
        })
    }

    // The first time.

    /// Makes the letter with which this operator signs in for the first time; an older one serves no more. Shown once.
    pub fn invite_operator(&self, operator: u32, now_ms: i64) -> Result<Sensitive> {
        let secret = Sensitive::new(to_base64url(&random::<18>()));
        self.write(|db, _| {
            let sql = "insert into operator_invite (part, operator, secret_sm3, ends_ms) values (?1, ?2, ?3, ?4)
                       on conflict (part, operator) do update set secret_sm3 = excluded.secret_sm3, ends_ms = excluded.ends_ms";
            db.execute(sql, (PART, i64::from(operator), sm3(secret.reveal().as_bytes()), now_ms + INVITE_MS))?;
            Ok(())
        })?;
        Ok(secret)
    }

    /// Whether this is the right letter, and still good.
    pub fn is_operator_invite(&self, operator: u32, secret: &str, now_ms: i64) -> Result<bool> {
        self.read(|db, _| {
            let sql = "select secret_sm3 from operator_invite where part = ?1 and operator = ?2 and ends_ms > ?3";
            let known: Option<[u8; 32]> = db.row(sql, (PART, i64::from(operator), now_ms), |row| row.get(0))?;
            Ok(known.is_some_and(|known| equal_in_constant_time(&known, &sm3(secret.trim().as_bytes()))))
        })
    }

    /// Uses the letter up; false when it is not the right one or over.
    pub fn use_operator_invite(&self, operator: u32, secret: &str, now_ms: i64) -> Result<bool> {
        self.write(|db, _| {
            let known: Option<[u8; 32]> = db.row(
                "select secret_sm3 from operator_invite where part = ?1 and operator = ?2 and ends_ms > ?3",
                (PART, i64::from(operator), now_ms),
                |row| row.get(0),
            )?;
            let is_right = known.is_some_and(|known| equal_in_constant_time(&known, &sm3(secret.trim().as_bytes())));
            if is_right {
                db.execute("delete from operator_invite where part = ?1 and operator = ?2", (PART, i64::from(operator)))?;
            }
            Ok(is_right)
        })
    }

    // Credentials.

    /// Keeps a passkey (JSON); false when there are too many.
    pub fn put_operator_passkey(&self, operator: u32, label: &str, passkey: &Sensitive, now_ms: i64) -> Result<bool> {
        self.write(|db, keys| {
            let count = credentials(db, operator)?.iter().filter(|known| known.kind == CredentialKind::Passkey).count();
            if count >= PASSKEYS_MAX {
                return Ok(false);
            }
            let id = next_id(db, PART, "operator_credential")?;
            let sealed = keys.seal(Place::new("operator_credential", "secret", id), passkey.reveal());
            insert(db, id, operator, CredentialKind::Passkey, Some(sealed), None, label, now_ms)?;
            Ok(true)
        })
    }

    /// The passkeys of an operator: number and JSON.
    pub fn operator_passkeys(&self, operator: u32) -> Result<Vec<(u64, Sensitive)>> {
        self.secrets(operator, CredentialKind::Passkey)
    }

    /// Keeps what a passkey says after it was used (its counter).
    pub fn update_operator_passkey(&self, credential: u64, passkey: &Sensitive) -> Result<()> {
        self.write(|db, keys| {
            let sealed = keys.seal(Place::new("operator_credential", "secret", credential), passkey.reveal());
            db.execute("update operator_credential set sealed_secret = ?3 where part = ?1 and credential_id = ?2", (PART, sql_id(credential), sealed))?;
            Ok(())
        })
    }

    /// Keeps the secret of the codes of thirty seconds; an older one serves no more.
    pub fn put_operator_code(&self, operator: u32, secret: &Sensitive, now_ms: i64) -> Result<()> {
        self.write(|db, keys| {
            delete_kind(db, operator, CredentialKind::Code)?;
            let id = next_id(db, PART, "operator_credential")?;
            let sealed = keys.seal(Place::new("operator_credential", "secret", id), secret.reveal());
            insert(db, id, operator, CredentialKind::Code, Some(sealed), None, "", now_ms)
        })
    }

    /// The secret of the codes, and which of them were used.
    pub fn operator_code(&self, operator: u32) -> Result<Option<CodeSecret>> {
        let Some((credential, secret)) = self.secrets(operator, CredentialKind::Code)?.pop() else { return Ok(None) };
        let sql = "select last_step from operator_credential where part = ?1 and credential_id = ?2";
        let last_step = self.read(|db, _| db.row(sql, (PART, sql_id(credential)), |row| row.get(0)))?;
        Ok(last_step.map(|last_step| CodeSecret { credential, secret, last_step }))
    }

    /// Uses a step of thirty seconds up; false when it, or a later one, was used before.
    pub fn use_operator_step(&self, credential: u64, step: i64) -> Result<bool> {
        let sql = "update operator_credential set last_step = ?3 where part = ?1 and credential_id = ?2 and last_step < ?3";
        self.write(|db, _| Ok(db.execute(sql, (PART, sql_id(credential), step))? == 1))
    }

    /// Keeps new recovery codes in place of the old ones.
    pub fn put_operator_recovery(&self, operator: u32, codes: &[Sensitive], now_ms: i64) -> Result<()> {
        self.write(|db, keys| {
            delete_kind(db, operator, CredentialKind::Recovery)?;
            for code in codes {
                let id = next_id(db, PART, "operator_credential")?;
                let blind = keys.blind("operator-recovery", &[&operator.to_be_bytes(), code.reveal().as_bytes()]);
                insert(db, id, operator, CredentialKind::Recovery, None, Some(blind.to_vec()), "", now_ms)?;
            }
            Ok(())
        })
    }

    /// Uses a recovery code up; false when there is no such one.
    pub fn use_operator_recovery(&self, operator: u32, code: &str) -> Result<bool> {
        self.write(|db, keys| {
            let blind = keys.blind("operator-recovery", &[&operator.to_be_bytes(), code.as_bytes()]);
            let rows = db.rows(
                "select credential_id, blind from operator_credential where part = ?1 and operator = ?2 and kind = 'recovery'",
                (PART, i64::from(operator)),
                |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?)),
            )?;
            for (id, known) in rows {
                if equal_in_constant_time(&known, &blind) {
                    return Ok(db.execute("delete from operator_credential where part = ?1 and credential_id = ?2", (PART, id))? == 1);
                }
            }
            Ok(false)
        })
    }

    /// The credentials of an operator, oldest first; recovery codes one by one.
    pub fn operator_credentials(&self, operator: u32) -> Result<Vec<Credential>> {
        self.read(|db, _| credentials(db, operator))
    }

    /// Takes one passkey away; false when it is not this operator's.
    pub fn remove_operator_passkey(&self, operator: u32, credential: u64) -> Result<bool> {
        let sql = "delete from operator_credential where part = ?1 and operator = ?2 and credential_id = ?3 and kind = 'passkey'";
        self.write(|db, _| Ok(db.execute(sql, (PART, i64::from(operator), sql_id(credential)))? == 1))
    }

    /// Takes every credential, letter and session of an operator away.
    pub fn remove_operator_credentials(&self, operator: u32) -> Result<()> {
        self.write(|db, _| {
            for table in ["operator_credential", "operator_invite", "operator_session"] {
                db.execute(&format!("delete from {table} where part = ?1 and operator = ?2"), (PART, i64::from(operator)))?;
            }
            Ok(())
        })
    }

    fn secrets(&self, operator: u32, kind: CredentialKind) -> Result<Vec<(u64, Sensitive)>> {
        self.read(|db, keys| {
            let rows = db.rows(
                "select credential_id, sealed_secret from operator_credential where part = ?1 and operator = ?2 and kind = ?3 order by credential_id",
                (PART, i64::from(operator), kind.word()),
                |row| Ok((from_sql_id(row.get(0)?), row.get::<Vec<u8>>(1)?)),
            )?;
            rows.into_iter().map(|(id, sealed)| Ok((id, keys.unseal(Place::new("operator_credential", "secret", id), &sealed)?))).collect()
        })
    }

    // Attempts.

    /// Counts a try under a name as wrong before it is compared, or says that none is compared now.
    pub fn begin_operator_attempt(&self, login: &str, now_ms: i64) -> Result<Attempt> {
        self.write(|db, keys| {
            let blind = keys.blind("operator-login", &[login.as_bytes()]);
            let known = db.row(
                "select failures, lockouts, last_ms, locked_until_ms from operator_attempt where part = ?1 and login_blind = ?2",
                (PART, blind),
                |row| Ok((row.get::<u32>(0)?, row.get::<u32>(1)?, row.get::<i64>(2)?, row.get::<i64>(3)?)),
            )?;
            let (mut failures, mut lockouts, last_ms, locked_until_ms) = known.unwrap_or_default();
            if now_ms < locked_until_ms {
                return Ok(Attempt::Locked { until_ms: locked_until_ms });
            }
            if now_ms - last_ms > FAILURES_KEPT_MS {
                (failures, lockouts) = (0, 0);
            }
            failures += 1;
            let is_last = failures >= OPERATOR_ATTEMPTS_MAX;
            let mut until_ms = 0;
            if is_last {
                until_ms = now_ms + (LOCK_MS << lockouts.min(10)).min(LOCK_MS_MAX);
                (failures, lockouts) = (0, lockouts + 1);
            }
            let sql = "insert into operator_attempt (part, login_blind, failures, lockouts, last_ms, locked_until_ms) values (?1, ?2, ?3, ?4, ?5, ?6)
                       on conflict (part, login_blind) do update set failures = excluded.failures, lockouts = excluded.lockouts,
                       last_ms = excluded.last_ms, locked_until_ms = excluded.locked_until_ms";
            db.execute(sql, (PART, blind, failures, lockouts, now_ms, until_ms))?;
            Ok(Attempt::Counted { is_last })
        })
    }

    /// The try was right: nothing wrong is remembered under this name.
    pub fn clear_operator_attempts(&self, login: &str) -> Result<()> {
        self.write(|db, keys| {
            let blind = keys.blind("operator-login", &[login.as_bytes()]);
            db.execute("delete from operator_attempt where part = ?1 and login_blind = ?2", (PART, blind))?;
            Ok(())
        })
    }

    // What a passkey was asked.

    /// Keeps what was asked, for one answer; the token goes into the form.
    pub fn begin_ceremony(&self, operator: u32, state: &Sensitive, now_ms: i64) -> Result<String> {
        let token = to_base64url(&random::<32>());
        self.write(|db, keys| {
            db.execute("delete from operator_ceremony where part = ?1 and ends_ms <= ?2", (PART, now_ms))?;
            let id = next_id(db, PART, "operator_ceremony")?;
            let sealed = keys.seal(Place::new("operator_ceremony", "state", id), state.reveal());
            db.execute(
                "insert into operator_ceremony (part, token_sm3, ceremony_id, operator, sealed_state, ends_ms) values (?1, ?2, ?3, ?4, ?5, ?6)",
                (PART, sm3(token.as_bytes()), sql_id(id), i64::from(operator), sealed, now_ms + CEREMONY_MS),
            )?;
            Ok(())
        })?;
        Ok(token)
    }

    /// What was asked of this operator, once.
    pub fn end_ceremony(&self, operator: u32, token: &str, now_ms: i64) -> Result<Option<Sensitive>> {
        self.write(|db, keys| {
            let found = db.rows(
                "delete from operator_ceremony where part = ?1 and token_sm3 = ?2 and operator = ?3 returning ceremony_id, sealed_state, ends_ms",
                (PART, sm3(token.as_bytes()), i64::from(operator)),
                |row| Ok((from_sql_id(row.get(0)?), row.get::<Vec<u8>>(1)?, row.get::<i64>(2)?)),
            )?;
            match found.into_iter().next() {
                Some((id, sealed, ends_ms)) if now_ms < ends_ms => Ok(Some(keys.unseal(Place::new("operator_ceremony", "state", id), &sealed)?)),
                _ => Ok(None),
            }
        })
    }

    // Sessions.

    /// Begins a session; of too many the one used longest ago ends.
    pub fn start_operator_session(&self, operator: u32, label: &str, now_ms: i64) -> Result<SessionToken> {
        let token = SessionToken::new(PART);
        let label: String = label.chars().filter(|letter| !letter.is_control()).take(LABEL_LEN_MAX).collect();
        self.write(|db, keys| {
            let id = next_id(db, PART, "operator_session")?;
            let sealed = keys.seal(Place::new("operator_session", "label", id), &label);
            db.execute(
                "insert into operator_session (part, token_sm3, session_id, operator, sealed_label, created_ms, last_seen_ms, ends_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
                (PART, token.digest(), sql_id(id), i64::from(operator), sealed, now_ms, now_ms + OPERATOR_SESSION_MS),
            )?;
            db.execute(
                "delete from operator_session where part = ?1 and token_sm3 in
                 (select token_sm3 from operator_session where part = ?1 and operator = ?2 order by last_seen_ms desc, session_id desc
                  limit 1000 offset ?3)",
                (PART, i64::from(operator), OPERATOR_SESSIONS_MAX as i64),
            )?;
            Ok(())
        })?;
        Ok(token)
    }

    /// The session of a token, if it is not over. Notes that it was used.
    pub fn operator_session(&self, token: &SessionToken, now_ms: i64) -> Result<Option<OperatorSession>> {
        let digest = token.digest();
        let found = self.read(|db, keys| {
            let found = db.row(&format!("select {SESSION} from operator_session where part = ?1 and token_sm3 = ?2"), (PART, digest), session_row)?;
            found.map(|row| opened(keys, row)).transpose()
        })?;
        let Some(session) = found.filter(|session| is_alive(session, now_ms)) else { return Ok(None) };
        if now_ms - session.last_seen_ms >= SEEN_STEP_MS {
            let sql = "update operator_session set last_seen_ms = ?3 where part = ?1 and token_sm3 = ?2 and last_seen_ms < ?3";
            self.write(|db, _| db.execute(sql, (PART, digest, now_ms)))?;
        }
        Ok(Some(session))
    }

    /// Sessions that are not over: of one operator or of all, last used first.
    pub fn operator_sessions(&self, operator: Option<u32>, now_ms: i64) -> Result<Vec<OperatorSession>> {
        self.read(|db, keys| {
            let rows =
                db.rows(&format!("select {SESSION} from operator_session where part = ?1 order by last_seen_ms desc, session_id"), (PART,), session_row)?;
            let mut sessions = Vec::new();
            for row in rows {
                let session = opened(keys, row)?;
                if is_alive(&session, now_ms) && operator.is_none_or(|operator| operator == session.operator) {
                    sessions.push(session);
                }
            }
            Ok(sessions)
        })
    }

    pub fn end_operator_session(&self, token: &SessionToken) -> Result<()> {
        self.write(|db, _| {
            db.execute("delete from operator_session where part = ?1 and token_sm3 = ?2", (PART, token.digest()))?;
            Ok(())
        })
    }

    /// Ends the sessions of an operator: all of them, or one by its number. Returns how many.
    pub fn end_operator_sessions(&self, operator: u32, session: Option<u64>) -> Result<usize> {
        self.write(|db, _| match session {
            Some(id) => {
                db.execute("delete from operator_session where part = ?1 and operator = ?2 and session_id = ?3", (PART, i64::from(operator), sql_id(id)))
            }
            None => db.execute("delete from operator_session where part = ?1 and operator = ?2", (PART, i64::from(operator))),
        })
    }
}

const SESSION: &str = "session_id, operator, sealed_label, created_ms, last_seen_ms, ends_ms";

fn session_row(row: &Row<'_>) -> Result<(OperatorSession, Vec<u8>)> {
    let session = OperatorSession {
        id: from_sql_id(row.get(0)?),
        operator: row.get(1)?,
        label: String::new(),
        created_ms: row.get(3)?,
        last_seen_ms: row.get(4)?,
        ends_ms: row.get(5)?,
    };
    Ok((session, row.get(2)?))
}

fn opened(keys: &crate::seal::Keys, (session, sealed): (OperatorSession, Vec<u8>)) -> Result<OperatorSession> {
    let label = keys.unseal(Place::new("operator_session", "label", session.id), &sealed)?.reveal().to_owned();
    Ok(OperatorSession { label, ..session })
}

fn is_alive(session: &OperatorSession, now_ms: i64) -> bool {
    now_ms < session.ends_ms && now_ms - session.last_seen_ms < OPERATOR_IDLE_MS
}

fn credentials(db: &Db<'_>, operator: u32) -> Result<Vec<Credential>> {
    let rows = db.rows(
        "select credential_id, kind, label, made_ms from operator_credential where part = ?1 and operator = ?2 order by credential_id",
        (PART, i64::from(operator)),
        |row| Ok((from_sql_id(row.get(0)?), row.get::<String>(1)?, row.get::<String>(2)?, row.get::<i64>(3)?)),
    )?;
    let known = rows.into_iter().filter_map(|(id, kind, label, made_ms)| Some(Credential { id, kind: CredentialKind::of_word(&kind)?, label, made_ms }));
    Ok(known.collect())
}

fn delete_kind(db: &Db<'_>, operator: u32, kind: CredentialKind) -> Result<usize> {
    db.execute("delete from operator_credential where part = ?1 and operator = ?2 and kind = ?3", (PART, i64::from(operator), kind.word()))
}

#[allow(clippy::too_many_arguments, reason = "the columns of one row")]
fn insert(db: &Db<'_>, id: u64, operator: u32, kind: CredentialKind, sealed: Option<Vec<u8>>, blind: Option<Vec<u8>>, label: &str, now_ms: i64) -> Result<()> {
    let label: String = label.chars().filter(|letter| !letter.is_control()).take(LABEL_LEN_MAX).collect();
    db.execute(
        "insert into operator_credential (part, credential_id, operator, kind, sealed_secret, blind, label, last_step, made_ms)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
        (PART, sql_id(id), i64::from(operator), kind.word(), sealed, blind, label, now_ms),
    )?;
    Ok(())
}

/// Drops what has run out.
pub(super) fn sweep(tx: &Db<'_>, now_ms: i64) -> Result<usize> {
    let mut gone = tx.execute("delete from operator_session where ends_ms <= ?1 or last_seen_ms <= ?2", (now_ms, now_ms - OPERATOR_IDLE_MS))?;
    gone += tx.execute("delete from operator_ceremony where ends_ms <= ?1", (now_ms,))?;
    gone += tx.execute("delete from operator_invite where ends_ms <= ?1", (now_ms,))?;
    gone += tx.execute("delete from operator_attempt where locked_until_ms <= ?1 and last_ms <= ?2", (now_ms, now_ms - FAILURES_KEPT_MS))?;
    Ok(gone)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::seal::Keys;

    const NOW: i64 = 1_700_000_000_000;

    fn vault() -> (tempfile::TempDir, Vault) {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open_with(folder.path(), Keys::for_tests(1), 1).unwrap();
        (folder, vault)
    }

    #[test]
    fn what_serves_once_serves_once() {
        let (_folder, vault) = vault();
        let letter = vault.invite_operator(7, NOW).unwrap();
        assert!(!vault.use_operator_invite(8, letter.reveal(), NOW).unwrap(), "somebody else's");
        assert!(!vault.use_operator_invite(7, letter.reveal(), NOW + INVITE_MS).unwrap(), "over");
        assert!(vault.use_operator_invite(7, letter.reveal(), NOW).unwrap());
        assert!(!vault.use_operator_invite(7, letter.reveal(), NOW).unwrap());

        vault.put_operator_code(7, &"SECRET".into(), NOW).unwrap();
        let code = vault.operator_code(7).unwrap().unwrap();
        assert_eq!((code.secret.reveal(), code.last_step), ("SECRET", 0));
        let used = [10, 10, 9, 11].map(|step| vault.use_operator_step(code.credential, step).unwrap());
        assert_eq!((used, vault.operator_code(7).unwrap().unwrap().last_step), ([true, false, false, true], 11));

        vault.put_operator_recovery(7, &["aa-bb".into(), "cc-dd".into()], NOW).unwrap();
        let used = ["aa-bb", "aa-bb", "xx", "cc-dd"].map(|code| vault.use_operator_recovery(7, code).unwrap());
        assert_eq!(used, [true, false, false, true]);

        let token = vault.begin_ceremony(7, &"state".into(), NOW).unwrap();
        assert!(vault.end_ceremony(0, &token, NOW).unwrap().is_none(), "asked of somebody else");
        assert_eq!(vault.end_ceremony(7, &token, NOW).unwrap().unwrap().reveal(), "state");
        assert!(vault.end_ceremony(7, &token, NOW).unwrap().is_none());
    }

    #[test]
    fn wrong_codes_lock_a_name_known_or_not_and_longer_each_time() {
        let (_folder, vault) = vault();
        let attempt = |now| vault.begin_operator_attempt("nobody", now).unwrap();
        let first: Vec<Attempt> = (0..5).map(|_| attempt(NOW)).collect();
        assert_eq!(first[3..], [Attempt::Counted { is_last: false }, Attempt::Counted { is_last: true }]);
        let until = NOW + LOCK_MS;
        assert_eq!((attempt(NOW), attempt(until - 1)), (Attempt::Locked { until_ms: until }, Attempt::Locked { until_ms: until }));
        for _ in 0..5 {
            attempt(until);
        }
        assert_eq!(attempt(until), Attempt::Locked { until_ms: until + 2 * LOCK_MS });
        vault.clear_operator_attempts("nobody").unwrap();
        assert_eq!(attempt(until), Attempt::Counted { is_last: false });
    }

    #[test]
    fn a_session_ends_by_itself_and_when_it_is_ended() {
        let (_folder, vault) = vault();
        let token = vault.start_operator_session(7, "Chrome", NOW).unwrap();
        let session = vault.operator_session(&token, NOW).unwrap().unwrap();
        assert_eq!((session.operator, session.label.as_str()), (7, "Chrome"));
        assert!(vault.operator_session(&token, NOW + OPERATOR_IDLE_MS).unwrap().is_none());
        assert!(vault.operator_session(&token, NOW + OPERATOR_IDLE_MS - 1).unwrap().is_some());
        assert!(vault.operator_session(&token, NOW + OPERATOR_IDLE_MS).unwrap().is_some(), "it was used meanwhile");
        for at in 1..=3 {
            vault.start_operator_session(7, "other", NOW + OPERATOR_IDLE_MS + at).unwrap();
        }
        assert!(vault.operator_session(&token, NOW + OPERATOR_IDLE_MS + 9).unwrap().is_none(), "pushed out");
        assert_eq!(vault.end_operator_sessions(7, None).unwrap(), 3);
        assert!(vault.operator_sessions(None, NOW + OPERATOR_IDLE_MS).unwrap().is_empty());
    }
}
