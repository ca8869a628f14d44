//! One-time codes: six digits to a phone, for one purpose, five minutes, five attempts.
//!
//! Asking gives a *ticket*, which the page carries back with the code; the code fits that ticket alone. What was
//! asked for (an ID number, a new phone) is sealed in the ticket's row, so that nothing personal travels in a form.
//! Where nobody is to be texted (no such person) there is a ticket all the same, and no code fits it.

use super::database::Db;
use super::person::id_blind;
use super::{Result, Vault};
use crate::seal::{Keys, Place, Sensitive, equal_in_constant_time, from_base64url, random, random_below, sm3, to_base64url};

/// A code is good for five minutes.
pub const CODE_MS: i64 = 5 * 60_000;
pub const CODE_ATTEMPTS_MAX: u32 = 5;
/// One text a minute, ten in 24 hours, counted by ID number and by phone.
pub const RESEND_MS: i64 = 60_000;
pub const CODES_PER_DAY_MAX: u32 = 10;
const DAY_MS: i64 = 24 * 3_600_000;

/// What a code was asked for. One asked for to log in sets no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    Register,
    LogIn,
    ForgotPassword,
    /// Consent to a relative who opens and acts on behalf.
    OnBehalf,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::LogIn => "log-in",
            Self::ForgotPassword => "forgot-password",
            Self::OnBehalf => "on-behalf",
        }
    }
}

/// Asks for a code.
#[derive(Debug, Clone)]
pub struct CodeAsk<'ask> {
    pub purpose: Purpose,
    /// Whom it concerns, known or not: the limits count by it.
    pub id_number: &'ask str,
    /// A phone that the person typed: its limits are told.
    pub typed_phone: Option<&'ask str>,
    /// A phone on file: when its limit is reached no text is sent, and nothing is said, since the asker may not know it.
    pub phone_on_file: Option<&'ask str>,
    /// Comes back, sealed meanwhile, with the right code.
    pub payload: &'ask str,
    /// Whether anybody is to be texted. If not, everything looks the same and no code fits.
    pub is_deliverable: bool,
}

/// The answer to everyone who asks.
#[derive(Debug, Clone)]
pub struct StartedCode {
    /// For the form; good with the right code only.
    pub ticket: String,
    /// To be sent as a text, if anyone is to be texted. Never shown to the asker.
    pub code: Option<Sensitive>,
    pub expires_ms: i64,
}

/// Too many codes were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLimit {
    /// When the next may be asked for.
    pub retry_ms: i64,
}

/// Why a code is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeError {
    Wrong {
        attempts_left: u32,
    },
    /// Expired, used, tried too often, or never given out: ask for a new one.
    Gone,
}

impl Vault {
    /// Makes a code and its ticket.
    pub fn start_code(&self, ask: &CodeAsk<'_>, now_ms: i64) -> Result<Result<StartedCode, CodeLimit>> {
        let part = self.partition_of(ask.id_number);
        let mut ticket = [0; 18];
        ticket[..2].copy_from_slice(&part.to_be_bytes());
        ticket[2..].copy_from_slice(&random::<16>());
        let ticket = to_base64url(&ticket);
        let code = Sensitive::new(format!("{:06}", random_below(1_000_000)));
        let expires_ms = now_ms + CODE_MS;
        self.write(|tx, keys| {
            let by_id = (part, id_blind(keys, ask.id_number));
            let by_phone = |phone: &str| (self.partition_of(phone), keys.blind("phone", &[phone.as_bytes()]));
            let typed = ask.typed_phone.map(by_phone);
            for (part, asker) in [Some(by_id), typed].iter().flatten() {
                if let Some(limit) = limit_of(tx, *part, asker, now_ms)? {
                    return Ok(Err(limit));
                }
            }
            let on_file = ask.phone_on_file.map(by_phone);
            let is_quiet = match &on_file {
                Some((part, asker)) => asked_in_a_day(tx, *part, asker, now_ms)?.0 >= CODES_PER_DAY_MAX,
                None => false,
            };
            for (part, asker) in [Some(by_id), typed, on_file].iter().flatten() {
                tx.execute("insert into code_asked (part, asker_blind, asked_ms) values (?1, ?2, ?3) on conflict do nothing", (part, asker, now_ms))?;
            }
            let is_sent = ask.is_deliverable && !is_quiet;
            let code_mac = if is_sent { code_mac(keys, &ticket, code.reveal()) } else { random() };
            let row_id = u64::from_be_bytes(random()) >> 1;
            tx.execute(
                "insert into one_time_code (part, ticket_sm3, purpose, row_id, sealed_payload, code_mac, attempts_left, expires_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (
                    part,
                    sm3(ticket.as_bytes()),
                    ask.purpose.as_str(),
                    row_id as i64,
                    keys.seal(Place::new("one_time_code", "payload", row_id), ask.payload),
                    code_mac,
                    CODE_ATTEMPTS_MAX,
                    expires_ms,
                ),
            )?;
            Ok(Ok(StartedCode { ticket: ticket.clone(), code: is_sent.then(|| code.clone()), expires_ms }))
        })
    }

    /// Uses a code up. The right one gives back the payload, once.
    pub fn use_code(&self, ticket: &str, purpose: Purpose, code: &Sensitive, now_ms: i64) -> Result<Result<Sensitive, CodeError>> {
        self.try_code(ticket, purpose, code, true, now_ms)
    }

    /// As [`Vault::use_code`], but the right code stays good: for looking at the payload before the rest of a form is
    /// checked. A wrong one counts all the same.
    pub fn open_code(&self, ticket: &str, purpose: Purpose, code: &Sensitive, now_ms: i64) -> Result<Result<Sensitive, CodeError>> {
        self.try_code(ticket, purpose, code, false, now_ms)
    }

    fn try_code(&self, ticket: &str, purpose: Purpose, code: &Sensitive, is_used_up: bool, now_ms: i64) -> Result<Result<Sensitive, CodeError>> {
        let Some(bytes) = from_base64url(ticket).filter(|bytes| bytes.len() == 18) else {
            return Ok(Err(CodeError::Gone));
        };
        let part = u16::from_be_bytes([bytes[0], bytes[1]]);
        let ticket_sm3 = sm3(ticket.as_bytes());
        self.write(|tx, keys| {
            let found = tx.row(
                "select row_id, sealed_payload, code_mac, attempts_left, expires_ms from one_time_code
                     where part = ?1 and ticket_sm3 = ?2 and purpose = ?3",
                (part, ticket_sm3, purpose.as_str()),
                |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?, row.get::<[u8; 32]>(2)?, row.get::<u32>(3)?, row.get::<i64>(4)?)),
            )?;
            let Some((row_id, sealed, expected, attempts_left, expires_ms)) = found else {
                return Ok(Err(CodeError::Gone));
            };
            if now_ms >= expires_ms || attempts_left == 0 {
                return Ok(Err(CodeError::Gone));
            }
            if equal_in_constant_time(&expected, &code_mac(keys, ticket, code.reveal())) {
                if is_used_up {
                    tx.execute("delete from one_time_code where part = ?1 and ticket_sm3 = ?2", (part, ticket_sm3))?;
                }
                return Ok(Ok(keys.unseal(Place::new("one_time_code", "payload", row_id as u64), &sealed)?));
            }
            let attempts_left = attempts_left - 1;
            tx.execute("update one_time_code set attempts_left = ?3 where part = ?1 and ticket_sm3 = ?2", (part, ticket_sm3, attempts_left))?;
            Ok(Err(if attempts_left == 0 { CodeError::Gone } else { CodeError::Wrong { attempts_left } }))
        })
    }
}

fn code_mac(keys: &Keys, ticket: &str, code: &str) -> [u8; 32] {
    keys.token_mac("one-time-code", &[ticket.as_bytes(), code.as_bytes()])
}

/// How many in the last 24 hours, the first and the last of them.
fn asked_in_a_day(tx: &Db<'_>, part: u16, asker: &[u8; 32], now_ms: i64) -> Result<(u32, i64, i64)> {
    let counted = tx.row(
        "select count(*), coalesce(min(asked_ms), 0), coalesce(max(asked_ms), 0) from code_asked
             where part = ?1 and asker_blind = ?2 and asked_ms > ?3",
        (part, asker, now_ms - DAY_MS),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    Ok(counted.expect("a count has a row"))
}

fn limit_of(tx: &Db<'_>, part: u16, asker: &[u8; 32], now_ms: i64) -> Result<Option<CodeLimit>> {
    let (count, first_ms, last_ms) = asked_in_a_day(tx, part, asker, now_ms)?;
    if count >= CODES_PER_DAY_MAX {
        return Ok(Some(CodeLimit { retry_ms: first_ms + DAY_MS }));
    }
    Ok((count > 0 && now_ms < last_ms + RESEND_MS).then_some(CodeLimit { retry_ms: last_ms + RESEND_MS }))
}

pub(super) fn sweep(tx: &Db<'_>, now_ms: i64) -> Result<usize> {
    let codes = tx.execute("delete from one_time_code where expires_ms <= ?1", (now_ms,))?;
    Ok(codes + tx.execute("delete from code_asked where asked_ms <= ?1", (now_ms - DAY_MS,))?)
}
