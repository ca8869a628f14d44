//! How operators sign in: with a passkey, or with a code of thirty seconds, each once, or with a recovery code, each once.
//!
//! Wrong ones are counted under the name before they are compared, whether the name is known or not; after five nobody signs in under it for a while.
//! Every sign-in is in the directory's journal before the session begins.

use super::operator::{act, operator, operators};
use super::{Result, ServiceError};
use crate::app::{App, AppError};
use gongji_store::seal::{Sensitive, random};
use gongji_store::vault::{Attempt, CodeSecret, CredentialKind, SessionToken};
use gongji_wallet::Reason;
use gongji_wallet::ids::OperatorId;
use gongji_wallet::operator::{COMMAND_LINE, Deed, Operator, Way};
use std::sync::Arc;
use totp_rs::{Builder, Secret, Totp};
use webauthn_rs::prelude::{Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid};
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// Recovery codes given out at once.
const RECOVERY_CODES: usize = 8;

/// Letters of a recovery code: none that is taken for another.
const RECOVERY_LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// A code serves for this long (s).
const STEP_S: i64 = 30;

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown name, wrong code, used code: one answer.
    #[error("not signed in")]
    Wrong,
    #[error("too many wrong codes")]
    Locked { until_ms: i64 },
    /// There is no passkey under this name.
    #[error("no passkey")]
    NoPasskey,
    /// The passkey did not answer what was asked.
    #[error("the passkey's answer does not fit: {0}")]
    Passkey(String),
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<AppError> for SignInError {
    fn from(error: AppError) -> SignInError {
        SignInError::Service(error.into())
    }
}

type Signed<T> = std::result::Result<T, SignInError>;

/// What a new operator is shown once: the secret for the telephone and the recovery codes.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Starter {
    letter: String,
    /// For the telephone, in base 32.
    pub secret: String,
    pub recovery: Vec<String>,
}

/// Signs in with a code of thirty seconds or a recovery code.
///
/// # Errors
/// `Wrong`, `Locked`.
pub async fn with_code(app: &App, login: &str, typed: &Sensitive, label: &str) -> Signed<SessionToken> {
    let (login, now) = (login.trim().to_lowercase(), app.now());
    let known = at_work(app, &login)?;
    let is_last = counted(app, &login).await?;
    let typed = Sensitive::new(typed.reveal().split_whitespace().collect::<String>().to_lowercase());
    let is_code = typed.reveal().len() == 6 && typed.reveal().bytes().all(|byte| byte.is_ascii_digit());
    let id = known.as_ref().map_or(0, |operator| operator.id.0);
    let used = app
        .vault(move |vault| {
            if !is_code {
                return Ok(vault.use_operator_recovery(id, &plain_recovery(typed.reveal()))?.then_some(Way::Recovery));
            }
            let Some(CodeSecret { credential, secret, .. }) = vault.operator_code(id)? else { return Ok(None) };
            match totp(secret.reveal()).and_then(|totp| totp.check(typed.reveal(), seconds(now))) {
                Some(step) => Ok(vault.use_operator_step(credential, i64::try_from(step).unwrap_or(i64::MAX))?.then_some(Way::Code)),
                None => Ok(None),
            }
        })
        .await?;
    match (known, used) {
        (Some(operator), Some(way)) => begin(app, &operator, way, label).await,
        (known, _) => {
            if let (Some(operator), true) = (known, is_last) {
                act(app, operator.id, Deed::LockedOut).await?;
            }
            Err(SignInError::Wrong)
        }
    }
}

/// The operator who works under this name.
fn at_work(app: &App, login: &str) -> Result<Option<Arc<Operator>>> {
    Ok(operators(app)?.of_login(login).filter(|operator| operator.is_active).cloned())
}

/// Counts an attempt; whether it is the last before the lock.
async fn counted(app: &App, login: &str) -> Signed<bool> {
    let (login, now) = (login.to_owned(), app.now());
    match app.vault(move |vault| vault.begin_operator_attempt(&login, now)).await? {
        Attempt::Counted { is_last } => Ok(is_last),
        Attempt::Locked { until_ms } => Err(SignInError::Locked { until_ms }),
    }
}

/// The sign-in is written down, then the session begins.
async fn begin(app: &App, operator: &Operator, way: Way, label: &str) -> Signed<SessionToken> {
    act(app, operator.id, Deed::SignedIn { way }).await?;
    let (id, login, label, now) = (operator.id.0, operator.login.clone(), label.to_owned(), app.now());
    let token = app
        .vault(move |vault| {
            vault.clear_operator_attempts(&login)?;
            vault.start_operator_session(id, &label, now)
        })
        .await?;
    Ok(token)
}

// The first time.

/// Looks at the letter of the first time, and makes what the operator will sign in with. Returns a token for [`finish_first_time`].
pub async fn first_time(app: &App, login: &str, letter: &str) -> Signed<(String, Starter)> {
    let (login, letter, now) = (login.trim().to_lowercase(), letter.trim().to_owned(), app.now());
    let known = at_work(app, &login)?;
    counted(app, &login).await?;
    let id = known.map_or(0, |operator| operator.id.0);
    let right = {
        let letter = letter.clone();
        app.vault(move |vault| vault.is_operator_invite(id, &letter, now)).await?
    };
    if !right {
        return Err(SignInError::Wrong);
    }
    let starter = Starter { letter, secret: Secret::from(random::<20>()).to_base32(), recovery: (0..RECOVERY_CODES).map(|_| recovery_code()).collect() };
    let token = kept(app, id, &starter).await?;
    app.vault(move |vault| vault.clear_operator_attempts(&login)).await?;
    Ok((token, starter))
}

/// The telephone shows the right code: from here on it serves, and the operator is signed in. A wrong code gives another token for another try.
pub async fn finish_first_time(app: &App, login: &str, token: &str, code: &str, label: &str) -> Signed<std::result::Result<SessionToken, (String, Starter)>> {
    let (login, now) = (login.trim().to_lowercase(), app.now());
    let operator = at_work(app, &login)?.ok_or(SignInError::Wrong)?;
    let (id, asked) = (operator.id.0, token.to_owned());
    let state = app.vault(move |vault| vault.end_ceremony(id, &asked, now)).await?.ok_or(SignInError::Wrong)?;
    let starter: Starter = serde_json::from_str(state.reveal()).map_err(|_| SignInError::Wrong)?;
    let Some(step) = totp(&starter.secret).and_then(|totp| totp.check(code.trim(), seconds(now))) else {
        return Ok(Err((kept(app, id, &starter).await?, starter)));
    };
    let used = {
        let starter = starter.clone();
        app.vault(move |vault| {
            if !vault.use_operator_invite(id, &starter.letter, now)? {
                return Ok(false);
            }
            put_starter(vault, id, &starter, now)?;
            if let Some(code) = vault.operator_code(id)? {
                vault.use_operator_step(code.credential, i64::try_from(step).unwrap_or(i64::MAX))?;
            }
            Ok(true)
        })
        .await?
    };
    if !used {
        return Err(SignInError::Wrong);
    }
    act(app, operator.id, Deed::CredentialAdded { way: Way::Code }).await?;
    begin(app, &operator, Way::Code, label).await.map(Ok)
}

fn put_starter(vault: &gongji_store::vault::Vault, id: u32, starter: &Starter, now: i64) -> std::result::Result<(), gongji_store::vault::VaultError> {
    let recovery: Vec<Sensitive> = starter.recovery.iter().map(|code| Sensitive::new(plain_recovery(code))).collect();
    vault.put_operator_code(id, &Sensitive::new(starter.secret.clone()), now)?;
    vault.put_operator_recovery(id, &recovery, now)
}

async fn kept(app: &App, id: u32, state: &impl serde::Serialize) -> Signed<String> {
    let (state, now) = (Sensitive::new(serde_json::to_string(state).expect("plain values are JSON")), app.now());
    Ok(app.vault(move |vault| vault.begin_ceremony(id, &state, now)).await?)
}

/// New recovery codes in place of the old ones.
pub async fn renew_recovery(app: &App, id: OperatorId) -> Signed<Vec<String>> {
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    act(app, id, Deed::CredentialAdded { way: Way::Recovery }).await?;
    let (plain, now): (Vec<Sensitive>, i64) = (codes.iter().map(|code| Sensitive::new(plain_recovery(code))).collect(), app.now());
    app.vault(move |vault| vault.put_operator_recovery(id.0, &plain, now)).await?;
    Ok(codes)
}

/// A letter for the first time; from the command line also after everything was lost, and then whatever the operator signed in with before serves no
/// more. On the console one administrator alone must not come to sign in as somebody who works here.
pub async fn invite(app: &App, by: OperatorId, who: OperatorId) -> Signed<Sensitive> {
    operator(app, who)?;
    if by != COMMAND_LINE && credential_counts(app, who).await? != (0, false, 0) {
        return Err(SignInError::Service(Reason::NotAuthorised.into()));
    }
    act(app, by, Deed::Invited { who }).await?;
    let now = app.now();
    Ok(app
        .vault(move |vault| {
            vault.remove_operator_credentials(who.0)?;
            vault.invite_operator(who.0, now)
        })
        .await?)
}

/// Gives a sandbox's operator a secret, so that the page can show the code.
pub async fn put_sample(app: &App, id: OperatorId) -> Signed<()> {
    let now = app.now();
    let starter = Starter { letter: String::new(), secret: Secret::from(random::<20>()).to_base32(), recovery: Vec::new() };
    app.vault(move |vault| put_starter(vault, id.0, &starter, now)).await?;
    Ok(())
}

/// The code that signs this operator in next, and whether it serves already: for the sandbox's page.
pub async fn sample_code(app: &App, id: OperatorId) -> Signed<Option<String>> {
    let Some(code) = app.vault(move |vault| vault.operator_code(id.0)).await? else { return Ok(None) };
    let step = (app.now() / 1_000 / STEP_S).max(code.last_step + 1);
    Ok(totp(code.secret.reveal()).map(|totp| totp.generate(u64::try_from(step * STEP_S).unwrap_or(0)).to_string()))
}

/// What a telephone's app reads out of the QR code.
pub fn telephone_address(login: &str, secret: &str) -> String {
    format!("otpauth://totp/gongji:{login}?secret={secret}&issuer=gongji")
}

fn totp(secret: &str) -> Option<Totp> {
    // SHA-1, six digits, thirty seconds: what every telephone's app speaks (RFC 6238). One step to each side for clocks that are off.
    Some(Builder::new().with_secret(Secret::try_from_base32(secret).ok()?).with_skew(1).build_noncompliant())
}

fn seconds(now_ms: i64) -> u64 {
    u64::try_from(now_ms / 1_000).unwrap_or(0)
}

/// "k7mp-x2q9-…": four groups of four, about 79 bits.
fn recovery_code() -> String {
    let mut code = String::new();
    while code.len() < 19 {
        if code.len() % 5 == 4 {
            code.push('-');
        }
        // A byte that would favour the first letters is thrown again.
        let [byte] = random::<1>();
        if usize::from(byte) < 256 / RECOVERY_LETTERS.len() * RECOVERY_LETTERS.len() {
            code.push(char::from(RECOVERY_LETTERS[usize::from(byte) % RECOVERY_LETTERS.len()]));
        }
    }
    code
}

fn plain_recovery(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

// Passkeys.

/// The relying party of the address somebody is on: "localhost" or the name that was published; never a bare address.
fn relying_party(origin: &str) -> Signed<Webauthn> {
    let wrong = |why: &dyn std::fmt::Display| SignInError::Passkey(why.to_string());
    let url = Url::parse(origin).map_err(|error| wrong(&error))?;
    let domain = url.domain().ok_or_else(|| wrong(&"passkeys need a name, not an address"))?;
    WebauthnBuilder::new(domain, &url).map(|builder| builder.rp_name("共济经办台")).and_then(WebauthnBuilder::build).map_err(|error| wrong(&error))
}

async fn passkeys(app: &App, id: u32) -> Signed<Vec<(u64, Passkey)>> {
    let kept = app.vault(move |vault| vault.operator_passkeys(id)).await?;
    Ok(kept.into_iter().filter_map(|(credential, json)| Some((credential, serde_json::from_str(json.reveal()).ok()?))).collect())
}

/// Asks an operator's passkeys; the answer goes to [`finish_passkey`].
pub async fn ask_passkey(app: &App, origin: &str, login: &str) -> Signed<(String, serde_json::Value)> {
    let party = relying_party(origin)?;
    let operator = at_work(app, &login.trim().to_lowercase())?.ok_or(SignInError::NoPasskey)?;
    let known: Vec<Passkey> = passkeys(app, operator.id.0).await?.into_iter().map(|(_, passkey)| passkey).collect();
    if known.is_empty() {
        return Err(SignInError::NoPasskey);
    }
    let (challenge, state) = party.start_passkey_authentication(&known).map_err(|error| SignInError::Passkey(error.to_string()))?;
    let token = kept(app, operator.id.0, &state).await?;
    Ok((token, serde_json::to_value(challenge).expect("a challenge is JSON")))
}

/// A passkey has answered: signed in.
pub async fn finish_passkey(app: &App, origin: &str, login: &str, token: &str, answer: &PublicKeyCredential, label: &str) -> Signed<SessionToken> {
    let party = relying_party(origin)?;
    let operator = at_work(app, &login.trim().to_lowercase())?.ok_or(SignInError::Wrong)?;
    let (id, now, token) = (operator.id.0, app.now(), token.to_owned());
    let state = app.vault(move |vault| vault.end_ceremony(id, &token, now)).await?.ok_or(SignInError::Wrong)?;
    let state: PasskeyAuthentication = serde_json::from_str(state.reveal()).map_err(|_| SignInError::Wrong)?;
    let result = party.finish_passkey_authentication(answer, &state).map_err(|error| SignInError::Passkey(error.to_string()))?;
    for (credential, mut passkey) in passkeys(app, id).await? {
        if passkey.update_credential(&result) == Some(true) {
            let json = Sensitive::new(serde_json::to_string(&passkey).expect("a passkey is JSON"));
            app.vault(move |vault| vault.update_operator_passkey(credential, &json)).await?;
        }
    }
    begin(app, &operator, Way::Passkey, label).await
}

/// Asks the browser for a new passkey of somebody who is signed in; the answer goes to [`finish_adding_passkey`].
pub async fn ask_new_passkey(app: &App, origin: &str, operator: &Operator) -> Signed<(String, serde_json::Value)> {
    let party = relying_party(origin)?;
    let known = passkeys(app, operator.id.0).await?.into_iter().map(|(_, passkey)| passkey.cred_id().clone()).collect();
    let user = Uuid::from_u128(u128::from(operator.id.0));
    let (challenge, state) =
        party.start_passkey_registration(user, &operator.login, &operator.login, Some(known)).map_err(|error| SignInError::Passkey(error.to_string()))?;
    let token = kept(app, operator.id.0, &state).await?;
    Ok((token, serde_json::to_value(challenge).expect("a challenge is JSON")))
}

/// The browser has made a passkey: it serves from here on. False when there are too many.
pub async fn finish_adding_passkey(
    app: &App,
    origin: &str,
    operator: &Operator,
    token: &str,
    answer: &RegisterPublicKeyCredential,
    label: &str,
) -> Signed<bool> {
    let party = relying_party(origin)?;
    let (id, now, token) = (operator.id.0, app.now(), token.to_owned());
    let state = app.vault(move |vault| vault.end_ceremony(id, &token, now)).await?.ok_or(SignInError::Wrong)?;
    let state: PasskeyRegistration = serde_json::from_str(state.reveal()).map_err(|_| SignInError::Wrong)?;
    let passkey = party.finish_passkey_registration(answer, &state).map_err(|error| SignInError::Passkey(error.to_string()))?;
    act(app, operator.id, Deed::CredentialAdded { way: Way::Passkey }).await?;
    let (json, label) = (Sensitive::new(serde_json::to_string(&passkey).expect("a passkey is JSON")), label.to_owned());
    Ok(app.vault(move |vault| vault.put_operator_passkey(id, &label, &json, now)).await?)
}

/// Ends sessions of an operator: all, or one. By the operator, or by an administrator.
pub async fn end_sessions(app: &App, by: OperatorId, of: OperatorId, session: Option<u64>) -> Result<usize> {
    act(app, by, Deed::SessionsEnded { of }).await?;
    Ok(app.vault(move |vault| vault.end_operator_sessions(of.0, session)).await?)
}

/// How many credentials of each kind: passkeys, whether there is a telephone, recovery codes left.
pub async fn credential_counts(app: &App, id: OperatorId) -> Result<(usize, bool, usize)> {
    let all = app.vault(move |vault| vault.operator_credentials(id.0)).await?;
    let of = |kind| all.iter().filter(|one| one.kind == kind).count();
    Ok((of(CredentialKind::Passkey), of(CredentialKind::Code) > 0, of(CredentialKind::Recovery)))
}

/// The refusal that a service understands, where one is wanted.
impl From<SignInError> for ServiceError {
    fn from(error: SignInError) -> ServiceError {
        match error {
            SignInError::Service(error) => error,
            _ => Reason::NotAuthorised.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six of eight digits.
        let secret = Secret::from(*b"12345678901234567890").to_base32();
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(totp(&secret).map(|totp| totp.generate(time).to_string()).as_deref(), Some(code));
        }
    }

    #[test]
    fn a_recovery_code_is_read_as_people_type_it() {
        let code = recovery_code();
        assert_eq!((code.len(), plain_recovery(&code).len()), (19, 16));
        assert_eq!(plain_recovery(&code.to_uppercase().replace('-', " ")), plain_recovery(&code));
        assert_ne!(recovery_code(), code);
    }
}
