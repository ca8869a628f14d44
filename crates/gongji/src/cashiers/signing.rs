//! Which tills sign, and with what: the files that a sandbox lays down beside its description of the keys.

use super::cast::Till;
use crate::conformance::KeysFile;
use crate::demo::client::Signer;
use anyhow::{Context, ensure};
use gongji_files::signature::{Profile, SigningKey, VerifyingKey};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many tills sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// All that have a key file, with each profile by turns.
    All,
    /// Ed25519, SM2, and one by its bearer key, by turns: every way in is gone on the same day.
    TwoOfThree,
}

/// The folder of key files, and the platform's public keys.
#[derive(Clone, Debug)]
pub struct Signing {
    folder: PathBuf,
    platform: Arc<[VerifyingKey]>,
    share: Share,
}

impl Signing {
    /// Reads the description that the sandbox prints, as `gongji conformance` does.
    ///
    /// # Errors
    /// It or one of the platform's keys cannot be read.
    pub fn read(path: &Path, share: Share) -> anyhow::Result<Signing> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("密钥说明 {} 读不出来;沙箱启动时写在数据目录的 institution-keys/ 里", path.display()))?;
        let file: KeysFile = serde_json::from_str(&text).with_context(|| format!("{} 不是沙箱的密钥说明", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let read = |name: &String| {
            let text = std::fs::read_to_string(folder.join(name)).with_context(|| format!("平台公钥 {} 读不出来", folder.join(name).display()))?;
            VerifyingKey::from_pem(&text).map_err(|why| anyhow::anyhow!("{name} 里没有公钥:{why}"))
        };
        let platform = file.platform_keys.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Signing { folder, platform: platform.into(), share })
    }

    /// Gives the tills their keys.
    ///
    /// # Errors
    /// A key file cannot be read, or there is none for any till.
    pub(super) fn hand_out<'a>(&self, tills: impl Iterator<Item = &'a mut Till>) -> anyhow::Result<()> {
        let mut signing = 0;
        for (nth, till) in tills.enumerate() {
            let profile = match (self.share, nth % 6) {
                (Share::TwoOfThree, 2 | 5) => continue,
                (Share::TwoOfThree, 0 | 3) => Profile::Ed25519,
                (Share::All, nth) if nth % 2 == 0 => Profile::Ed25519,
                _ => Profile::Sm2,
            };
            let path = self.folder.join(format!("{}-{}.pem", till.code, profile.as_str()));
            if !path.exists() {
                continue;
            }
            let text = std::fs::read_to_string(&path).with_context(|| format!("密钥文件 {} 读不出来", path.display()))?;
            let key = SigningKey::from_pem(&text).map_err(|why| anyhow::anyhow!("{} 里没有私钥:{why}", path.display()))?;
            till.signs_with(Signer { key: Arc::new(key), platform: Arc::clone(&self.platform) });
            signing += 1;
        }
        ensure!(signing > 0, "{} 里没有这些机构的密钥。", self.folder.display());
        Ok(())
    }
}
