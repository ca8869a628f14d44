//! Whose keys the kit signs with: a file that the sandbox lays down beside them.

use anyhow::{Context, ensure};
use gongji_files::signature::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file (JSON). Key files are named relative to it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeysFile {
    /// The hospital that the kit plays.
    pub institution: Institution,
    /// Another one at the same place: what belongs to one looks unknown to the other.
    pub other: Institution,
    /// One at another place, where the payer's wallet does not pay.
    pub elsewhere: Institution,
    /// A private key whose public half is registered and revoked.
    pub revoked_key: String,
    /// The platform's public keys.
    pub platform_keys: Vec<String>,
    /// Who pays: a wallet at this place, with money in it and in the personal account.
    pub payer: Payer,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Institution {
    pub code: String,
    pub name: String,
    /// Six digits.
    pub area: String,
    pub ed25519_key: String,
    pub sm2_key: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Payer {
    pub name: String,
    pub id_number: String,
    pub password: String,
    /// Where the payer is insured; the wallet's place too.
    pub area: String,
    pub insurance: String,
}

/// An institution that can sign.
pub struct Signer {
    pub code: String,
    pub name: String,
    pub area: String,
    pub ed25519: SigningKey,
    pub sm2: SigningKey,
}

/// All of it, read.
pub struct Keys {
    pub institution: Signer,
    pub other: Signer,
    pub elsewhere: Signer,
    pub revoked: SigningKey,
    pub platform: Vec<VerifyingKey>,
    pub payer: Payer,
}

impl Keys {
    /// # Errors
    /// The file or a key that it names cannot be read.
    pub fn read(path: &Path) -> anyhow::Result<Keys> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("密钥说明 {} 读不出来;沙箱启动时写在数据目录的 institution-keys/ 里", path.display()))?;
        let file: KeysFile = serde_json::from_str(&text).with_context(|| format!("{} 不是一致性测试的密钥说明", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| format!("密钥文件 {} 读不出来", folder.join(name).display()));
        let signing = |name: &str| SigningKey::from_pem(&read(name)?).map_err(|why| anyhow::anyhow!("{name} 里没有私钥:{why}"));
        let signer = |one: &Institution| -> anyhow::Result<Signer> {
            let (ed25519, sm2) = (signing(&one.ed25519_key)?, signing(&one.sm2_key)?);
            Ok(Signer { code: one.code.clone(), name: one.name.clone(), area: one.area.clone(), ed25519, sm2 })
        };
        let verifying = |name: &String| VerifyingKey::from_pem(&read(name)?).map_err(|why| anyhow::anyhow!("{name} 里没有公钥:{why}"));
        let platform = file.platform_keys.iter().map(verifying).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!platform.is_empty(), "密钥说明里没有平台公钥。");
        Ok(Keys {
            institution: signer(&file.institution)?,
            other: signer(&file.other)?,
            elsewhere: signer(&file.elsewhere)?,
            revoked: signing(&file.revoked_key)?,
            platform,
            payer: file.payer,
        })
    }
}
