//! The 医保码 password: six digits, argon2id with a pepper, few attempts.
//!
//! One password serves login, step-up before money moves and payment without a phone, so all three draw on *one* budget
//! of wrong attempts. Five wrong ones lock it: thirty minutes, then twice as long each time, at most a day. The way back
//! before that is a one-time code to the phone ([`Vault::clear_attempts`]).
//!
//! An attempt is counted *before* the password is hashed and taken back when it was right: a thousand parallel guesses
//! are five guesses. Unknown ID numbers are counted, locked and hashed exactly like known ones.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use gongji_wallet::citizen::CitizenNumber;

use super::database::Db;
use super::person::id_blind;
use super::{Result, Vault, VaultError, from_sql_id, part_of, person, recovery, sql_id};
use crate::seal::{Keys, Sensitive};

/// Wrong attempts before the lock.
pub const ATTEMPTS_MAX: u32 = 5;
const LOCK_MS: i64 = 30 * 60_000;
const LOCK_MS_MAX: i64 = 24 * 3_600_000;
/// Wrong attempts are forgotten after a day without any, earlier locks after a week.
const FAILURES_KEPT_MS: i64 = 24 * 3_600_000;
const LOCKOUTS_KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// Argon2id with 19 MiB and two passes: first choice of current guidance. Another setting gets another name, and a hash
/// under an older name is renewed at the next right password.
const ALGORITHM: &str = "argon2id-19m-2-1-pepper";
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A stored hash: PHC string and the name of how it was made. A review may one day ask for PBKDF2 with HMAC-SM3.
#[derive(Clone)]
pub(super) struct Hashed {
    algorithm: String,
    phc: String,
}

impl Hashed {
    /// Hashes; takes about 25 ms and 19 MiB.
    pub(super) fn of(keys: &Keys, password: &str) -> Self {
        let phc = argon2(keys).hash_password(password.as_bytes()).expect("the parameters are lawful").to_string();
        Self { algorithm: ALGORITHM.to_owned(), phc }
    }

    fn fits(&self, keys: &Keys, password: &str) -> bool {
        // The parameters of the stored string count, so that older ones stay verifiable.
        PasswordHash::new(&self.phc).is_ok_and(|hash| argon2(keys).verify_password(password.as_bytes(), &hash).is_ok())
    }
}

fn argon2(keys: &Keys) -> Argon2<'_> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters are lawful");
    Argon2::new_with_secret(keys.pepper(), Algorithm::Argon2id, Version::V0x13, params).expect("a pepper of 32 bytes")
}

/// Outcome of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordAnswer {
    Right {
        holder: u64,
    },
    /// Wrong password, no password set, or no such person: never said which.
    Wrong {
        attempts_left: u32,
    },
    /// Too many wrong ones. Known and unknown persons lock alike.
    Locked {
        until_ms: i64,
    },
}

/// Why a password may not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WeakPassword {
    NotSixDigits,
    /// 111111
    AllSame,
    /// 123456, 987654, 789012
    Straight,
    /// 123123, 121212
    Repeating,
    /// Any common way to write the birthday in six digits.
    Birthday,
    /// Six digits in a row of the ID number.
    InIdNumber,
    /// Six digits in a row of the phone number.
    InPhone,
}

/// Refuses passwords that are tried first. `phone` is the one on file or just proven, if any.
pub fn check_password_rules(password: &str, id_number: &str, phone: Option<&str>) -> Result<(), WeakPassword> {
    let digits = password.as_bytes();
    if digits.len() != 6 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(WeakPassword::NotSixDigits);
    }
    if digits.iter().all(|digit| *digit == digits[0]) {
        return Err(WeakPassword::AllSame);
    }
    // 9 is followed by 0, as on a keypad.
    let all_steps = |step: u8| digits.windows(2).all(|pair| (pair[1] + 10 - pair[0]) % 10 == step);
    if all_steps(1) || all_steps(9) {
        return Err(WeakPassword::Straight);
    }
    if digits[..3] == digits[3..] || (digits[..2] == digits[2..4] && digits[2..4] == digits[4..]) {
        return Err(WeakPassword::Repeating);
    }
    if let Ok(number) = CitizenNumber::parse(id_number) {
        let (year, month, day) = number.birth_date();
        let short = year % 100;
        let forms = [
            format!("{short:02}{month:02}{day:02}"),
            format!("{month:02}{day:02}{short:02}"),
            format!("{day:02}{month:02}{short:02}"),
            format!("{year:04}{month:02}"),
            format!("{month:02}{year:04}"),
        ];
        if forms.iter().any(|form| form == password) {
            return Err(WeakPassword::Birthday);
        }
    }
    if id_number.contains(password) {
        return Err(WeakPassword::InIdNumber);
    }
    if phone.is_some_and(|phone| phone.contains(password)) {
        return Err(WeakPassword::InPhone);
    }
    Ok(())
}

impl Vault {
    /// Tries a password for an ID number: the one way any password is ever checked. Takes about 25 ms of a core
    /// whoever is asked for, unless locked. No lock is held meanwhile; the caller bounds how many run at once.
    pub fn check_password(&self, id_number: &str, password: &Sensitive, now_ms: i64) -> Result<PasswordAnswer> {
        let keys = self.keys();
        let part = self.partition_of(id_number);
        let blind = id_blind(keys, id_number);
        let (attempts_left, locked_until_ms, found) = match self.write(|tx, _| begin_attempt(tx, part, &blind, now_ms))? {
            Begun::Locked { until_ms } => return Ok(PasswordAnswer::Locked { until_ms }),
            Begun::Counted { attempts_left, locked_until_ms, found } => (attempts_left, locked_until_ms, found),
        };
        let is_right = found.as_ref().map_or(&self.0.dummy, |(_, hashed)| hashed).fits(keys, password.reveal());
        match found {
            Some((holder, hashed)) if is_right => {
                let renewed = (hashed.algorithm != ALGORITHM).then(|| Hashed::of(keys, password.reveal()));
                self.write(|tx, _| {
                    forget_attempts(tx, part, &blind)?;
                    renewed.map_or(Ok(()), |hashed| put_hash(tx, holder, &hashed, now_ms))
                })?;
                Ok(PasswordAnswer::Right { holder })
            }
            _ => Ok(locked_until_ms.map_or(PasswordAnswer::Wrong { attempts_left }, |until_ms| PasswordAnswer::Locked { until_ms })),
        }
    }

    /// Sets the password and forgets wrong attempts. The rules are the caller's to check first
    /// ([`check_password_rules`]), and so is ending the sessions.
    pub fn set_password(&self, holder: u64, password: &Sensitive, now_ms: i64) -> Result<()> {
        let hashed = Hashed::of(self.keys(), password.reveal());
        self.write(|tx, _| {
            put_hash(tx, holder, &hashed, now_ms)?;
            forget_attempts_of(tx, holder)
        })
    }

    /// Registers: stores the proven phone and the password in one commit, and uses up the office's `recovery` if the
    /// phone was changed by one.
    pub fn register(&self, holder: u64, phone: &str, password: &Sensitive, recovery: Option<u64>, now_ms: i64) -> Result<()> {
        let hashed = Hashed::of(self.keys(), password.reveal());
        self.write(|tx, keys| {
            person::register(tx, keys, holder, phone, now_ms)?;
            put_hash(tx, holder, &hashed, now_ms)?;
            forget_attempts_of(tx, holder)?;
            recovery.map_or(Ok(()), |id| recovery::mark_used(tx, id, holder, now_ms))
        })
    }

    /// When the password was set (ms), if there is one.
    pub fn password_since(&self, holder: u64) -> Result<Option<i64>> {
        let sql = "select changed_ms from credential where part = ?1 and holder = ?2";
        self.read(|db, _| db.row(sql, (part_of(holder), sql_id(holder)), |row| row.get(0)))
    }

    pub fn has_password(&self, holder: u64) -> Result<bool> {
        self.read(|db, _| Ok(db.row("select 1 from credential where part = ?1 and holder = ?2", (part_of(holder), sql_id(holder)), |_| Ok(()))?.is_some()))
    }

    /// How many ID numbers are locked now.
    pub fn locked_count(&self, now_ms: i64) -> Result<u64> {
        let count = self.read(|db, _| db.row("select count(*) from password_attempt where locked_until_ms > ?1", (now_ms,), |row| row.get::<i64>(0)))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// The way back from a lock, after the person has proven the phone with a one-time code.
    pub fn clear_attempts(&self, holder: u64) -> Result<()> {
        self.write(|tx, _| forget_attempts_of(tx, holder))
    }
}

enum Begun {
    Locked { until_ms: i64 },
    Counted { attempts_left: u32, locked_until_ms: Option<i64>, found: Option<(u64, Hashed)> },
}

fn begin_attempt(tx: &Db<'_>, part: u16, blind: &[u8; 32], now_ms: i64) -> Result<Begun> {
    let (mut failures, mut lockouts, until_ms, last_ms) = tx
        .row("select failures, lockouts, locked_until_ms, last_ms from password_attempt where part = ?1 and id_blind = ?2", (part, blind), |row| {
            Ok((row.get::<u32>(0)?, row.get::<u32>(1)?, row.get::<i64>(2)?, row.get::<i64>(3)?))
        })?
        .unwrap_or((0, 0, 0, now_ms));
    if now_ms < until_ms {
        return Ok(Begun::Locked { until_ms });
    }
    if now_ms - last_ms >= FAILURES_KEPT_MS {
        failures = 0;
    }
    if now_ms - last_ms >= LOCKOUTS_KEPT_MS {
        lockouts = 0;
    }
    failures += 1;
    let attempts_left = ATTEMPTS_MAX.saturating_sub(failures);
    let mut locked_until_ms = None;
    if attempts_left == 0 {
        locked_until_ms = Some(now_ms + (LOCK_MS << lockouts.min(16)).min(LOCK_MS_MAX));
        lockouts += 1;
        failures = 0;
    }
    tx.execute(
        "insert into password_attempt (part, id_blind, failures, lockouts, locked_until_ms, last_ms) values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict (part, id_blind) do update set failures = ?3, lockouts = ?4, locked_until_ms = ?5, last_ms = ?6",
        (part, blind, failures, lockouts, locked_until_ms.unwrap_or(0), now_ms),
    )?;
    let found = tx.row(
        "select c.holder, c.algorithm, c.hash from person p join credential c on c.part = p.part and c.holder = p.holder
             where p.part = ?1 and p.id_blind = ?2",
        (part, blind),
        |row| Ok((from_sql_id(row.get(0)?), Hashed { algorithm: row.get(1)?, phc: row.get(2)? })),
    )?;
    Ok(Begun::Counted { attempts_left, locked_until_ms, found })
}

fn put_hash(tx: &Db<'_>, holder: u64, hashed: &Hashed, now_ms: i64) -> Result<()> {
    tx.execute(
        "insert into credential (part, holder, algorithm, hash, changed_ms) values (?1, ?2, ?3, ?4, ?5)
         on conflict (part, holder) do update set algorithm = ?3, hash = ?4, changed_ms = ?5",
        (part_of(holder), sql_id(holder), &hashed.algorithm, &hashed.phc, now_ms),
    )?;
    Ok(())
}

fn forget_attempts(tx: &Db<'_>, part: u16, blind: &[u8; 32]) -> Result<()> {
    tx.execute("delete from password_attempt where part = ?1 and id_blind = ?2", (part, blind))?;
    Ok(())
}

fn forget_attempts_of(tx: &Db<'_>, holder: u64) -> Result<()> {
    let part = part_of(holder);
    let blind: Option<[u8; 32]> = tx.row("select id_blind from person where part = ?1 and holder = ?2", (part, sql_id(holder)), |row| row.get(0))?;
    forget_attempts(tx, part, &blind.ok_or(VaultError::Missing("the holder"))?)
}

pub(super) fn sweep(tx: &Db<'_>, now_ms: i64) -> Result<usize> {
    let oldest_ms = now_ms - LOCKOUTS_KEPT_MS;
    tx.execute("delete from password_attempt where last_ms <= ?1 and locked_until_ms <= ?2", (oldest_ms, now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_tried_first_are_refused() {
        let check = |password| check_password_rules(password, "990101199003040019", Some("19900005678"));
        for (password, expected) in [
            ("12345", Err(WeakPassword::NotSixDigits)),
            ("1234567", Err(WeakPassword::NotSixDigits)),
            ("12345a", Err(WeakPassword::NotSixDigits)),
            ("１２３４５６", Err(WeakPassword::NotSixDigits)),
            ("000000", Err(WeakPassword::AllSame)),
            ("123456", Err(WeakPassword::Straight)),
            ("654321", Err(WeakPassword::Straight)),
            ("789012", Err(WeakPassword::Straight)),
            ("123123", Err(WeakPassword::Repeating)),
            ("121212", Err(WeakPassword::Repeating)),
            ("900304", Err(WeakPassword::Birthday)),
            ("030490", Err(WeakPassword::Birthday)),
            ("040390", Err(WeakPassword::Birthday)),
            ("199003", Err(WeakPassword::Birthday)),
            ("040019", Err(WeakPassword::InIdNumber)),
            ("005678", Err(WeakPassword::InPhone)),
            ("258036", Ok(())),
        ] {
            assert_eq!(check(password), expected, "{password}");
        }
    }
}
