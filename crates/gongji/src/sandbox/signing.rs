//! Keys of the sample institutions: registered, and laid down as files that a vendor can sign with at once.

use super::{SandboxError, institution_keys, logins};
use crate::app::App;
use crate::conformance::{Institution as Played, KeysFile, Payer};
use crate::installation::OpenError;
use crate::trust::{Policy, platform_key, public_key, write_secret};
use gongji_files::signature::{Profile, SigningKey};
use gongji_ledger::InstitutionId;
use gongji_store::vault::Vault;
use std::path::Path;

/// Where they are, inside the data folder.
pub const SIGNING_KEYS_FOLDER: &str = "institution-keys";

/// What the conformance kit reads, beside the keys.
pub const CONFORMANCE_FILE: &str = "conformance.json";

/// Whom the kit plays: a hospital and a pharmacy of one town, a hospital of another, and somebody whose wallet is for the first, with money in both purses.
const PLAYED: [&str; 3] = ["H41010000001", "P41010000001", "H51050000001"];
const PAYER: (&str, u32, u16) = ("孙淑贞", 410_100, gongji_wallet::object::EMPLOYEE);

/// Private key of the first one that is revoked from the start, so that it can be tried what becomes of it.
const REVOKED_FILE: &str = "conformance-revoked.pem";

/// The key that a sample institution signs with, the same at every start.
pub fn signing_key(vault: &Vault, institution: InstitutionId, profile: Profile) -> SigningKey {
    let code = institution.to_string();
    let draw = |attempt: u8| vault.keys().token_mac("sandbox-institution-signing", &[code.as_bytes(), profile.as_str().as_bytes(), &[attempt]]);
    (0..=u8::MAX).find_map(|attempt| SigningKey::from_seed(profile, &draw(attempt))).expect("nearly every 32 bytes are a key")
}

/// Registers the sample institutions' keys and lays the files down that a vendor signs with, beside the platform's public ones.
pub(super) async fn write_keys(app: &App, folder: &Path) -> Result<(), SandboxError> {
    let folder = folder.join(SIGNING_KEYS_FOLDER);
    let folder_error = |source| SandboxError::Open(OpenError::Folder { path: folder.clone(), source });
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(folder_error)?;
    let put = |name: String, text: &str| match write_secret(&folder.join(name), text) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        written => written.map_err(folder_error),
    };
    let mut rows = Vec::new();
    for (institution, _) in institution_keys(&app.vault, &app.directory()) {
        for profile in Profile::ALL {
            let key = signing_key(&app.vault, institution.id, profile);
            put(format!("{}-{}.pem", institution.id, profile.as_str()), &key.to_pem())?;
            rows.push(public_key(institution.id, key.verifying_key(), None));
        }
    }
    for profile in Profile::ALL {
        let key = platform_key(&app.vault, profile, Policy::sandbox().answer_key);
        put(format!("platform-{}.pub.pem", profile.as_str()), &key.verifying_key().to_pem())?;
    }
    // One that somebody has revoked while trying that out stays revoked.
    let now = app.trust.now();
    let played = PLAYED.map(|code| InstitutionId::parse(code).expect("an institution's code"));
    let revoked = revoked_key(&app.vault, played[0]);
    put(REVOKED_FILE.to_owned(), &revoked.to_pem())?;
    rows.push(public_key(played[0], revoked.verifying_key(), None));
    let revoked = revoked.verifying_key().key_id().to_owned();
    app.vault(move |vault| vault.register_public_keys(&rows, now).and_then(|_| vault.revoke_public_key(&revoked, now))).await?;
    if let Some(file) = keys_file(app, played) {
        let text = serde_json::to_string_pretty(&file).expect("a list of names is JSON");
        // It tells the sample payer's password: written anew at each start, for its owner alone.
        let path = folder.join(CONFORMANCE_FILE);
        let is_missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        std::fs::remove_file(&path).or_else(|error| if is_missing(&error) { Ok(()) } else { Err(error) }).map_err(folder_error)?;
        write_secret(&path, &text).map_err(folder_error)?;
    }
    Ok(())
}

fn revoked_key(vault: &Vault, institution: InstitutionId) -> SigningKey {
    let draw = |attempt: u8| vault.keys().token_mac("sandbox-institution-revoked", &[institution.to_string().as_bytes(), &[attempt]]);
    (0..=u8::MAX).find_map(|attempt| SigningKey::from_seed(Profile::Ed25519, &draw(attempt))).expect("nearly every 32 bytes are a key")
}

/// `None` where the sample files lack somebody.
fn keys_file(app: &App, played: [InstitutionId; 3]) -> Option<KeysFile> {
    let directory = app.directory();
    let named = |id: InstitutionId| {
        let institution = directory.institutions.get(&id)?;
        let file = |profile: Profile| format!("{id}-{}.pem", profile.as_str());
        let (ed25519_key, sm2_key) = (file(Profile::Ed25519), file(Profile::Sm2));
        Some(Played { code: id.to_string(), name: institution.name.clone(), area: format!("{:06}", institution.area), ed25519_key, sm2_key })
    };
    let (name, area, insurance) = PAYER;
    let login = logins().into_iter().find(|login| login.name == name)?;
    Some(KeysFile {
        institution: named(played[0])?,
        other: named(played[1])?,
        elsewhere: named(played[2])?,
        revoked_key: REVOKED_FILE.to_owned(),
        platform_keys: Profile::ALL.map(|profile| format!("platform-{}.pub.pem", profile.as_str())).to_vec(),
        payer: Payer { name: login.name, id_number: login.id_number, password: login.password, area: format!("{area:06}"), insurance: insurance.to_string() },
    })
}
