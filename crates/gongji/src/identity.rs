//! Who is asking: registering, logging in, confirming before money moves, and the sessions in between.
//!
//! Pages and API call the same functions. Each takes the time as an argument and answers with a value or an
//! [`IdentityError`], which carries its words. Three rules hold throughout:
//!
//! - *Nobody learns who exists.* A start (of a registration, a login by code, a forgotten password) is answered the same
//!   way for everyone; whether a text goes out is seen on the phone alone. Unknown people cost and lock like known ones.
//! - *Hashing is bounded.* Two passwords are hashed at a time and a short queue waits; beyond it the answer is "busy",
//!   so that logins cannot take the machine away from payments.
//! - *Texts do not wait.* A real text is sent after the reply: its duration would tell what the reply does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gongji_store::seal::Sensitive;
use gongji_store::vault::{
    Channel, CodeAsk, CodeLimit, Device, InMemory, PasswordAnswer, Person, Purpose, RecoveryError, Session, SessionToken, StartedCode, Vault, VaultError,
    check_password_rules,
};
use gongji_wallet::citizen::{CitizenNumber, PersonName, Phone};
use gongji_wallet::day::day_of;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

mod adapter;
mod device;
mod error;
mod face;
mod on_behalf;
mod registry;
mod sms;
#[cfg(test)]
mod tests;

pub use adapter::{AdapterConfig, AdapterError, HttpAdapter};
pub use device::device_label;
pub use error::{FieldError, IdentityError};
pub use face::{Face, FaceAnswer};
pub use on_behalf::{CONSENT_TEXT, OnBehalf};

/// Version of what somebody who registers agrees to: that the data typed are compared with the register.
const REGISTER_CONSENT_TEXT: &str = "register-2026-11";
pub use registry::Registry;
pub use sms::Sms;

type Result<T, E = IdentityError> = std::result::Result<T, E>;

/// Passwords hashed at once: both cores for 25 ms at most, and 38 MiB.
const HASHING_MAX: usize = 2;
/// Callers waiting to hash; they wait 64 × 25 ms / 2, under a second.
const HASHING_QUEUE_MAX: usize = 64;

/// The outside services a profile runs with.
#[derive(Debug, Clone)]
pub struct Adapters {
    pub sms: Sms,
    pub face: Face,
    pub registry: Registry,
}

impl Adapters {
    /// Everything inside: texts go to the inbox page, faces are chosen by hand, the imported person is the register.
    pub fn sandbox() -> Self {
        Self { sms: Sms::Sandbox, face: Face::Sandbox, registry: Registry::Sandbox }
    }
}

/// The service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    vault: Vault,
    adapters: Arc<Adapters>,
    hashing: Arc<Semaphore>,
    hashing_queue: Arc<AtomicUsize>,
}

/// What everyone who asks for a code is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Goes back with the code (a hidden field of the form).
    pub ticket: String,
    /// The code is good until then (ms, UTC).
    pub expires_ms: i64,
    /// Another may be asked for then.
    pub resend_ms: i64,
}

/// A login that worked.
#[derive(Debug)]
pub struct LoggedIn {
    /// For the cookie or the `Authorization` header.
    pub token: SessionToken,
    pub session: Session,
}

/// What a code stands for; sealed in the vault while the code is on its way.
#[derive(Serialize, Deserialize)]
struct Payload {
    holder: u64,
    phone: String,
    recovery: Option<u64>,
}

impl Identity {
    pub fn new(vault: Vault, adapters: Adapters) -> Self {
        Self { vault, adapters: Arc::new(adapters), hashing: Arc::new(Semaphore::new(HASHING_MAX)), hashing_queue: Arc::default() }
    }

    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Step one of registering: name, ID number and own phone, matched with the enrolment on file and the civil register.
    ///
    /// A code goes out if the three fit, and if the phone is the one on file, or none is on file, or the office has
    /// confirmed it as the new one ([`Identity::confirm_recovery`]). The answer is the same in any case.
    pub async fn start_registration(&self, id_number: &str, name: &str, phone: &str, now_ms: i64) -> Result<Started> {
        let number = CitizenNumber::parse_on(id_number, day_of(now_ms));
        let (number, name, phone) = match (number, PersonName::parse(name), Phone::parse(phone)) {
            (Ok(number), Ok(name), Ok(phone)) => (number, name, phone),
            (number, name, phone) => {
                let errors = [
                    name.err().map(|error| FieldError::new("name", error.message_zh(), error.to_string())),
                    number.err().map(|error| FieldError::new("id_number", error.message_zh(), error.to_string())),
                    phone.err().map(|error| FieldError::new("phone", error.message_zh(), error.to_string())),
                ];
                return Err(IdentityError::Invalid(errors.into_iter().flatten().collect()));
            }
        };
        // Asked for everyone, on file or not: the register takes its time for both.
        let is_confirmed = self.adapters.registry.confirms(&number, &name, &phone).await?;
        let started = self
            .blocking(move |vault| {
                let holder = vault.match_person(number.as_str(), name.as_str())?;
                let person = holder.map(|holder| vault.person(holder)).transpose()?.flatten();
                let recovery = holder.map(|holder| vault.open_recovery(holder, phone.as_str(), now_ms)).transpose()?.flatten();
                let is_own_phone = person.as_ref().is_some_and(|person| {
                    let on_file = person.phone.as_ref().map(Sensitive::reveal);
                    recovery.is_some() || on_file.is_none_or(|on_file| on_file == phone.as_str())
                });
                let payload = Payload { holder: holder.unwrap_or(0), phone: phone.as_str().to_owned(), recovery };
                let ask = CodeAsk {
                    purpose: Purpose::Register,
                    id_number: number.as_str(),
                    typed_phone: Some(phone.as_str()),
                    phone_on_file: None,
                    payload: &payload.to_text(),
                    is_deliverable: is_confirmed && is_own_phone,
                };
                Ok(vault.start_code(&ask, now_ms)?.map(|started| (started, payload)))
            })
            .await?;
        self.send_code(started, Purpose::Register, now_ms).await
    }

    /// Step two: the code and the 医保码 password to be. Logs in; a person who was registered is logged out elsewhere.
    pub async fn confirm_registration(&self, ticket: &str, code: &Sensitive, password: &Sensitive, label: &str, now_ms: i64) -> Result<LoggedIn> {
        self.set_password_by_code(Purpose::Register, ticket, code, password, label, now_ms).await
    }

    /// Logs in with ID number and 医保码 password.
    pub async fn login_with_password(&self, id_number: &str, password: &Sensitive, label: &str, now_ms: i64) -> Result<LoggedIn> {
        let number = parse_number(id_number)?;
        match self.check_password(&number, password, now_ms).await? {
            PasswordAnswer::Right { holder } => self.log_in(holder, label, now_ms).await,
            PasswordAnswer::Wrong { attempts_left } => Err(IdentityError::LoginRefused { attempts_left }),
            PasswordAnswer::Locked { until_ms } => Err(IdentityError::Locked { until_ms, now_ms }),
        }
    }

    /// Step one of logging in without the password: a code to the registered phone.
    pub async fn start_login_code(&self, id_number: &str, now_ms: i64) -> Result<Started> {
        self.start_for_registered(Purpose::LogIn, id_number, now_ms).await
    }

    /// Step two. Also the way back from a lock: the phone is proven, so wrong passwords are forgotten.
    pub async fn confirm_login_code(&self, ticket: &str, code: &Sensitive, label: &str, now_ms: i64) -> Result<LoggedIn> {
        let (ticket, code) = (ticket.to_owned(), code.clone());
        let used = self.blocking(move |vault| vault.use_code(&ticket, Purpose::LogIn, &code, now_ms)).await?;
        let holder = Payload::from_text(&used?)?.holder;
        self.blocking(move |vault| vault.clear_attempts(holder)).await?;
        self.log_in(holder, label, now_ms).await
    }

    /// Step one of setting a new password: a code to the registered phone.
    pub async fn start_forgot_password(&self, id_number: &str, now_ms: i64) -> Result<Started> {
        self.start_for_registered(Purpose::ForgotPassword, id_number, now_ms).await
    }

    /// Step two: the code and the new password. Logs in here and out everywhere else.
    pub async fn confirm_forgot_password(&self, ticket: &str, code: &Sensitive, password: &Sensitive, label: &str, now_ms: i64) -> Result<LoggedIn> {
        self.set_password_by_code(Purpose::ForgotPassword, ticket, code, password, label, now_ms).await
    }

    /// Changes the password of a person who knows it, and logs out every device but this one.
    pub async fn change_password(&self, session: &Session, old: &Sensitive, new: &Sensitive, now_ms: i64) -> Result<()> {
        let person = self.person(session.holder).await?;
        refuse_weak(new, &person)?;
        self.check_own_password(&person, old, now_ms).await?;
        let (holder, keep, new) = (session.holder, session.id, new.clone());
        self.hashing(move |vault| vault.set_password(holder, &new, now_ms)).await?;
        self.blocking(move |vault| vault.revoke_sessions(holder, Some(keep))).await?;
        self.notify(holder, "你的医保码密码刚刚改过。如果不是你本人,请马上用“忘记密码”重设。", true, now_ms).await
    }

    /// Whether this is the person's password; wrong attempts count as everywhere.
    pub async fn confirm_password(&self, holder: u64, password: &Sensitive, now_ms: i64) -> Result<()> {
        let person = self.person(holder).await?;
        self.check_own_password(&person, password, now_ms).await
    }

    /// Confirms with the 医保码 password that this person wants exactly `bound` (a digest of receiver, amount and source).
    /// The proof is good for five minutes and is used once, by the commit.
    pub async fn step_up_password(&self, holder: u64, password: &Sensitive, bound: [u8; 16], now_ms: i64) -> Result<String> {
        let person = self.person(holder).await?;
        self.check_own_password(&person, password, now_ms).await?;
        Ok(self.vault.issue_proof(holder, bound, now_ms))
    }

    /// As [`Identity::step_up_password`], by the face. `capture` is what the platform's own page or app handed to the
    /// person's device; the sandbox does not read it.
    pub async fn step_up_face(&self, holder: u64, capture: &str, bound: [u8; 16], now_ms: i64) -> Result<String> {
        let person = self.person(holder).await?;
        match self.adapters.face.check(&self.vault, &person, capture).await? {
            FaceAnswer::Pass => Ok(self.vault.issue_proof(holder, bound, now_ms)),
            FaceAnswer::Fail => Err(IdentityError::FaceFailed),
        }
    }

    /// Payment without a phone: the person types ID number and password at the cashier's keypad. Wrong attempts count
    /// as everywhere, and whether the person exists is not told.
    pub async fn step_up_at_cashier(&self, id_number: &str, password: &Sensitive, bound: impl FnOnce(u64) -> [u8; 16], now_ms: i64) -> Result<(u64, String)> {
        let number = parse_number(id_number)?;
        match self.check_password(&number, password, now_ms).await? {
            PasswordAnswer::Right { holder } => Ok((holder, self.vault.issue_proof(holder, bound(holder), now_ms))),
            PasswordAnswer::Wrong { attempts_left } => Err(IdentityError::LoginRefused { attempts_left }),
            PasswordAnswer::Locked { until_ms } => Err(IdentityError::Locked { until_ms, now_ms }),
        }
    }

    /// The session behind a token: from memory, so that most pages cost no read.
    pub async fn session(&self, token: &SessionToken, now_ms: i64) -> Result<Session> {
        let found = match self.vault.session_in_memory(token, now_ms) {
            InMemory::Live(session) => Some(session),
            InMemory::Ended => None,
            InMemory::Unknown => {
                let token = token.clone();
                self.blocking(move |vault| vault.session(&token, now_ms)).await?
            }
        };
        found.ok_or(IdentityError::LoginRequired)
    }

    /// The devices on which this person is logged in, last used first.
    pub async fn sessions(&self, holder: u64, now_ms: i64) -> Result<Vec<Device>> {
        self.blocking(move |vault| vault.sessions(holder, now_ms)).await
    }

    /// Logs out one device.
    pub async fn revoke_session(&self, holder: u64, session_id: u64) -> Result<()> {
        let is_gone = self.blocking(move |vault| vault.revoke_session(holder, session_id)).await?;
        if is_gone { Ok(()) } else { Err(IdentityError::NotFound) }
    }

    /// Logs out every device but the one of `keep`; returns how many.
    pub async fn revoke_sessions(&self, holder: u64, keep: Option<u64>) -> Result<usize> {
        self.blocking(move |vault| vault.revoke_sessions(holder, keep)).await
    }

    pub async fn log_out(&self, token: &SessionToken) -> Result<()> {
        let token = token.clone();
        self.blocking(move |vault| vault.end_session(&token)).await
    }

    /// First operator at the office: this person has a new phone. Returns the request's number.
    pub async fn request_recovery(&self, id_number: &str, new_phone: &str, reason: &str, operator: &str, now_ms: i64) -> Result<u64> {
        let number = parse_number(id_number)?;
        let phone = Phone::parse(new_phone).map_err(|error| IdentityError::field("phone", error.message_zh(), error.to_string()))?;
        let (reason, operator) = (reason.to_owned(), operator.to_owned());
        let id = self
            .blocking(move |vault| {
                let holder = vault.find_by_id_number(number.as_str())?;
                holder.map(|holder| vault.request_recovery(holder, phone.as_str(), &reason, &operator, now_ms)).transpose()
            })
            .await?;
        id.ok_or(IdentityError::NotFound)
    }

    /// Second operator. The person may then register with the new phone; whoever has the old one is logged out.
    pub async fn confirm_recovery(&self, recovery_id: u64, operator: &str, now_ms: i64) -> Result<()> {
        let operator = operator.to_owned();
        let confirmed = self.blocking(move |vault| vault.confirm_recovery(recovery_id, &operator, now_ms)).await?;
        let holder = confirmed.map_err(|error| match error {
            RecoveryError::SameOperator => IdentityError::SameOperator,
            RecoveryError::AlreadyConfirmed | RecoveryError::Gone => IdentityError::NotFound,
        })?;
        self.blocking(move |vault| vault.revoke_sessions(holder, None)).await?;
        Ok(())
    }

    /// Tells a person something: a notice in the app and, with `by_text`, a text to the phone on file. A text that
    /// cannot be sent is logged and not an error: the notice is there.
    pub async fn notify(&self, holder: u64, text: &str, by_text: bool, now_ms: i64) -> Result<()> {
        let (vault, notice) = (self.vault.clone(), text.to_owned());
        let phone = self
            .blocking(move |_| {
                vault.put_message(holder, Channel::Notice, None, &notice, now_ms)?;
                Ok(vault.person(holder)?.and_then(|person| person.phone))
            })
            .await?;
        match phone {
            Some(phone) if by_text => self.adapters.sms.send_later(&self.vault, holder, phone, format!("【医保钱包】{text}"), now_ms).await,
            _ => Ok(()),
        }
    }

    /// Sends a text to the phone on file, if there is one: for notices that are kept already.
    pub async fn text(&self, holder: u64, text: &str, now_ms: i64) -> Result<()> {
        let phone = self.blocking(move |vault| Ok(vault.person(holder)?.and_then(|person| person.phone))).await?;
        match phone {
            Some(phone) => self.adapters.sms.send_later(&self.vault, holder, phone, format!("【医保钱包】{text}"), now_ms).await,
            None => Ok(()),
        }
    }

    async fn start_for_registered(&self, purpose: Purpose, id_number: &str, now_ms: i64) -> Result<Started> {
        let number = parse_number(id_number)?;
        let started = self
            .blocking(move |vault| {
                let holder = vault.find_by_id_number(number.as_str())?;
                let person = holder.map(|holder| vault.person(holder)).transpose()?.flatten().filter(|person| person.is_registered);
                let phone = person.as_ref().and_then(|person| person.phone.as_ref()).map(Sensitive::reveal);
                let payload = Payload { holder: holder.unwrap_or(0), phone: phone.unwrap_or_default().to_owned(), recovery: None };
                let ask = CodeAsk {
                    purpose,
                    id_number: number.as_str(),
                    typed_phone: None,
                    phone_on_file: phone,
                    payload: &payload.to_text(),
                    is_deliverable: phone.is_some(),
                };
                Ok(vault.start_code(&ask, now_ms)?.map(|started| (started, payload)))
            })
            .await?;
        self.send_code(started, purpose, now_ms).await
    }

    async fn send_code(&self, started: Result<(StartedCode, Payload), CodeLimit>, purpose: Purpose, now_ms: i64) -> Result<Started> {
        let (started, payload) = started.map_err(|limit| IdentityError::TooManyCodes { retry_ms: limit.retry_ms, now_ms })?;
        if let Some(code) = started.code {
            let text = sms::code_text(purpose, code.reveal());
            self.adapters.sms.send_later(&self.vault, payload.holder, payload.phone.into(), text, now_ms).await?;
        }
        Ok(Started { ticket: started.ticket, expires_ms: started.expires_ms, resend_ms: now_ms + gongji_store::vault::RESEND_MS })
    }

    async fn set_password_by_code(&self, purpose: Purpose, ticket: &str, code: &Sensitive, password: &Sensitive, label: &str, now_ms: i64) -> Result<LoggedIn> {
        // What is wrong with any password is told before the code is looked at; what is wrong with this person's only after.
        check_password_rules(password.reveal(), "", None).map_err(IdentityError::WeakPassword)?;
        let (opened_ticket, opened_code) = (ticket.to_owned(), code.clone());
        let opened = self.blocking(move |vault| vault.open_code(&opened_ticket, purpose, &opened_code, now_ms)).await?;
        let payload = Payload::from_text(&opened?)?;
        let mut person = self.person(payload.holder).await?;
        person.phone = Some(payload.phone.as_str().into());
        refuse_weak(password, &person)?;
        let (ticket, code, password) = (ticket.to_owned(), code.clone(), password.clone());
        let used = self
            .hashing(move |vault| {
                // Of two submissions of one form, one uses the code up and sets the password.
                let used = vault.use_code(&ticket, purpose, &code, now_ms)?;
                if used.is_ok() {
                    vault.register(payload.holder, &payload.phone, &password, payload.recovery, now_ms)?;
                    if purpose == Purpose::Register {
                        vault.put_consent(payload.holder, payload.holder, "register", REGISTER_CONSENT_TEXT, now_ms)?;
                    }
                    vault.revoke_sessions(payload.holder, None)?;
                }
                Ok(used.map(|_| payload.holder))
            })
            .await?;
        let holder = used?;
        let notice = match purpose {
            Purpose::Register => "注册好了。下一步:确认使用钱包,选一个使用地。",
            Purpose::LogIn | Purpose::ForgotPassword | Purpose::OnBehalf => "你的医保码密码刚刚重设过,其他设备都已退出。如果不是你本人,请联系医保经办窗口。",
        };
        self.notify(holder, notice, false, now_ms).await?;
        self.log_in(holder, label, now_ms).await
    }

    async fn log_in(&self, holder: u64, label: &str, now_ms: i64) -> Result<LoggedIn> {
        let label = label.to_owned();
        let (token, session) = self.blocking(move |vault| vault.start_session(holder, &label, now_ms)).await?;
        // Refused logins are logged where every refusal is. The session's number leads to the person in the vault alone.
        tracing::info!(trace_id = crate::server::request_number(), session = format!("{:016x}", session.id), "a session began");
        Ok(LoggedIn { token, session })
    }

    async fn person(&self, holder: u64) -> Result<Person> {
        self.blocking(move |vault| vault.person(holder)).await?.ok_or(IdentityError::NotFound)
    }

    async fn check_own_password(&self, person: &Person, password: &Sensitive, now_ms: i64) -> Result<()> {
        let number = parse_number(person.id_number.reveal())?;
        match self.check_password(&number, password, now_ms).await? {
            PasswordAnswer::Right { holder } => {
                assert_eq!(holder, person.holder, "an ID number belongs to one holder");
                Ok(())
            }
            PasswordAnswer::Wrong { attempts_left } => Err(IdentityError::WrongPassword { attempts_left }),
            PasswordAnswer::Locked { until_ms } => Err(IdentityError::Locked { until_ms, now_ms }),
        }
    }

    async fn check_password(&self, number: &CitizenNumber, password: &Sensitive, now_ms: i64) -> Result<PasswordAnswer> {
        let (number, password) = (*number, password.clone());
        self.hashing(move |vault| vault.check_password(number.as_str(), &password, now_ms)).await
    }

    /// Runs `work` on the blocking pool.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static) -> Result<T> {
        let vault = self.vault.clone();
        let done = tokio::task::spawn_blocking(move || work(&vault)).await;
        Ok(done.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))?)
    }

    /// As [`Identity::blocking`] for work that hashes: two at a time, a short queue, then "busy".
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static) -> Result<T> {
        let place = QueuePlace::take(&self.hashing_queue).ok_or(IdentityError::Busy)?;
        let permit = Arc::clone(&self.hashing).acquire_owned().await.expect("nobody closes the semaphore");
        drop(place);
        self.blocking(move |vault| {
            // Inside the task: a caller who goes away does not free the core that still hashes.
            let _permit = permit;
            work(vault)
        })
        .await
    }
}

/// One place in the queue before hashing, given back when the caller is served or goes away.
struct QueuePlace(Arc<AtomicUsize>);

impl QueuePlace {
    fn take(queue: &Arc<AtomicUsize>) -> Option<Self> {
        queue.fetch_update(Ordering::AcqRel, Ordering::Acquire, |len| (len < HASHING_QUEUE_MAX).then_some(len + 1)).ok()?;
        Some(Self(Arc::clone(queue)))
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Payload {
    fn to_text(&self) -> String {
        serde_json::to_string(self).expect("numbers and a phone are JSON")
    }

    fn from_text(text: &Sensitive) -> Result<Self> {
        serde_json::from_str(text.reveal()).map_err(|_| IdentityError::CodeGone)
    }
}

fn parse_number(id_number: &str) -> Result<CitizenNumber> {
    CitizenNumber::parse(id_number).map_err(|error| IdentityError::field("id_number", error.message_zh(), error.to_string()))
}

fn refuse_weak(password: &Sensitive, person: &Person) -> Result<()> {
    let phone = person.phone.as_ref().map(Sensitive::reveal);
    check_password_rules(password.reveal(), person.id_number.reveal(), phone).map_err(IdentityError::WeakPassword)
}
