//! Keys of the sample institutions: registered, and laid down as files that a vendor can sign with at once.

use super::{SandboxError, institution_keys};
use crate::app::App;
use crate::installation::OpenError;
use crate::trust::{Policy, platform_key, public_key, write_secret};
use gongji_files::signature::{Profile, SigningKey};
use gongji_ledger::InstitutionId;
use gongji_store::vault::Vault;
use std::path::Path;

/// Where they are, inside the data folder.
pub const SIGNING_KEYS_FOLDER: &str = "institution-keys";

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
    app.vault(move |vault| vault.register_public_keys(&rows, now)).await?;
    Ok(())
}
