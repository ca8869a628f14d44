//! Trust between institutions and the platform: who signed a request, whether it comes in, and the platform's signature under each answer.
//!
//! An institution signs with a key whose public half is registered ([`gongji_store::vault::PublicKey`]); what is signed is
//! [`gongji_files::signature`]'s business. In here: the layer around the API ([`check`]), the entrance through which signed requests come in
//! ([`entrance`]), and what may not come in ([`Untrusted`]). Times are the machine's, also in a sandbox: the age of a message is no matter of a business
//! clock that somebody sets forward.

mod check;
pub mod entrance;
mod published;
mod refusal;
mod upload;

pub use check::{NoAnswer, OnApi, SignedBy, check};
pub use published::{WELL_KNOWN, platform_keys};
pub use refusal::{Untrusted, why};

use crate::app::App;
use crate::problem::Problem;
use axum::http::HeaderName;
use gongji_files::signature::{Profile, SigningKey, VerifyingKey};
use gongji_ledger::{InstitutionId, Part};
use gongji_store::clock::{Clock, SystemClock};
use gongji_store::seal::Keys;
use gongji_store::vault::{Access, PublicKey, Vault};
use std::collections::HashMap;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Public keys that are remembered; the vault knows the others.
const KNOWN_MAX: usize = 100_000;

/// How long the addresses of an institution that shows a bearer key are remembered (ms). Signed requests are checked against the vault itself.
const ACCESS_MS: i64 = 5_000;

/// What a request needs to be believed.
#[derive(Clone, Debug)]
pub struct Policy {
    /// A bearer key alone opens the API.
    pub bearer_alone: bool,
    /// Proxies on other machines, whose word on addresses and certificates counts as that of one on this machine.
    pub proxies: Vec<IpAddr>,
    /// Where a proxy writes the SHA-256 of the client's certificate.
    pub certificate_header: Option<HeaderName>,
    /// Every institution needs a certificate, also one that has none on file.
    pub certificate_required: bool,
    /// Number of the platform's key that signs the answers; the next one is published with it.
    pub answer_key: u32,
}

impl Policy {
    pub fn sandbox() -> Policy {
        Policy { bearer_alone: true, ..Policy::production() }
    }

    pub fn production() -> Policy {
        Policy { bearer_alone: false, proxies: Vec::new(), certificate_header: None, certificate_required: false, answer_key: 1 }
    }
}

/// Where a request comes from, as far as those in front can be believed.
#[derive(Clone, Debug)]
pub struct Origin {
    pub address: IpAddr,
    /// SHA-256 of the client's certificate, lower-case hexadecimal.
    pub certificate: Option<String>,
}

/// A registered key, read.
pub struct Known {
    pub institution: InstitutionId,
    pub part: Part,
    pub key: VerifyingKey,
}

/// What the program remembers of all this.
pub struct Trust {
    clock: Arc<dyn Clock>,
    known: RwLock<HashMap<String, Arc<Known>>>,
    access: Mutex<HashMap<InstitutionId, (i64, Arc<Access>)>>,
    answering: OnceLock<[SigningKey; 2]>,
    entrance: OnceLock<entrance::Entrance>,
    uploads: upload::Uploads,
}

impl Default for Trust {
    fn default() -> Trust {
        Trust::with_clock(Arc::new(SystemClock))
    }
}

impl Trust {
    pub fn with_clock(clock: Arc<dyn Clock>) -> Trust {
        Trust { clock, known: RwLock::default(), access: Mutex::default(), answering: OnceLock::new(), entrance: OnceLock::new(), uploads: Default::default() }
    }

    /// The machine's time (ms).
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// The key with this id, whether it still holds or not: that is decided at the entrance.
    ///
    /// # Errors
    /// The vault cannot be read.
    pub async fn known(&self, app: &App, key_id: &str) -> Result<Option<Arc<Known>>, Problem> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(key_id) {
            return Ok(Some(Arc::clone(known)));
        }
        let wanted = key_id.to_owned();
        let Some(row) = app.vault(move |vault| vault.public_key(&wanted)).await? else { return Ok(None) };
        let (Some(institution), Ok(key)) = (InstitutionId::parse(&row.institution), VerifyingKey::from_pem(&row.pem)) else { return Ok(None) };
        let part = gongji_wallet::event::institution_part(institution, app.vault.partition_count());
        let known = Arc::new(Known { institution, part, key });
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() < KNOWN_MAX {
            // The id is made from the key, so this can never become another one.
            all.insert(row.key_id, Arc::clone(&known));
        }
        Ok(Some(known))
    }

    /// From where an institution may ask, as it was a few seconds ago at most.
    ///
    /// # Errors
    /// The vault cannot be read.
    pub async fn access(&self, app: &App, id: InstitutionId) -> Result<Arc<Access>, Problem> {
        let now = self.now();
        let remembered = self.access.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some((until, access)) = remembered
            && now < until
            && until <= now + ACCESS_MS
        {
            return Ok(access);
        }
        let access = Arc::new(app.vault(move |vault| vault.institution_access(&id.to_string())).await?);
        // As many as there are institutions.
        self.access.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (now + ACCESS_MS, Arc::clone(&access)));
        Ok(access)
    }

    /// The platform's key of a profile, with this number.
    pub fn answering(&self, vault: &Vault, profile: Profile, number: u32) -> &SigningKey {
        let keys = self.answering.get_or_init(|| Profile::ALL.map(|profile| platform_key(vault, profile, number)));
        keys.iter().find(|key| key.profile() == profile).expect("there is one of each profile")
    }

    /// The entrance of this process; opened when the first comes.
    fn entrance(&self, app: &App) -> &entrance::Entrance {
        self.entrance.get_or_init(|| entrance::Entrance::open(app.vault.clone(), Arc::clone(&self.clock)))
    }
}

/// The platform's key of a profile, with this number: made from the installation's key ring, so that every process of an installation signs with the
/// same one, no file holds it, and the backup of the keys is its backup.
pub fn platform_key(vault: &Vault, profile: Profile, number: u32) -> SigningKey {
    platform_key_of(vault.keys(), profile, number)
}

/// The same, where the vault is not opened.
pub fn platform_key_of(keys: &Keys, profile: Profile, number: u32) -> SigningKey {
    let draw = |attempt: u8| keys.token_mac("platform-signing-key", &[profile.as_str().as_bytes(), &number.to_be_bytes(), &[attempt]]);
    (0..=u8::MAX).find_map(|attempt| SigningKey::from_seed(profile, &draw(attempt))).expect("nearly every 32 bytes are a key")
}

/// Lower-case hexadecimal of a certificate's SHA-256, however the proxy writes it; `None` for anything else.
pub fn fingerprint(text: &str) -> Option<String> {
    let digits: String = text.trim().chars().filter(|letter| *letter != ':').map(|letter| letter.to_ascii_lowercase()).collect();
    (digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(digits)
}

/// A key as it is registered.
pub fn public_key(institution: InstitutionId, key: &VerifyingKey, expires_ms: Option<i64>) -> PublicKey {
    PublicKey {
        key_id: key.key_id().to_owned(),
        institution: institution.to_string(),
        profile: key.profile().as_str().to_owned(),
        pem: key.to_pem(),
        made_ms: 0,
        expires_ms,
        revoked_ms: None,
    }
}

/// Writes a key file that nobody else may read, and never over another one.
pub fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
