//! Signed heads: where each partition's journal stood at a moment, under the platform's signature, kept outside the database.
//!
//! Whoever may write the database may rewrite a chain from some record on, or cut its tail, so that everything in it fits. A head that was exported
//! before says otherwise, and without the installation's keys nobody makes another. `gongji verify --heads` holds the journals to every head of a file.
//!
//! A file has one line of JSON for each export, and is only ever added to.

use crate::app::App;
use crate::kept::Kept;
use crate::trust::platform_key_of;
use gongji_files::signature::{Profile, SigningKey, VerifyingKey};
use gongji_ledger::Part;
use gongji_store::Fault;
use gongji_store::store::Store;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often a running service exports its heads.
const EVERY: Duration = Duration::from_secs(3_600);

/// The platform's key that signs heads.
const KEY_NUMBER: u32 = 1;

/// Longest file that is read (bytes): a line each hour for thirty years.
const FILE_LEN_MAX: u64 = 512 << 20;

/// One export.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heads {
    /// When it was made (RFC 3339).
    pub made: String,
    pub heads: Vec<Head>,
    /// Who signed it.
    pub key_id: String,
    /// Ed25519 over [`Heads::base`], in base 64.
    pub signature: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    pub part: Part,
    pub seq: u64,
    /// SM3 of the chain up to there, hexadecimal.
    pub hash: String,
}

#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    #[error("检查点文件 {path} 读写不了:{source}")]
    File { path: String, source: std::io::Error },
    #[error("检查点文件第 {0} 行读不懂。")]
    Unreadable(usize),
    #[error("检查点文件第 {0} 行的签名不对:不是这套系统签的,或者被改过。")]
    Forged(usize),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Heads {
    /// What is signed: the moment, then each head on a line of its own.
    fn base(made: &str, heads: &[Head]) -> String {
        let lines: Vec<String> = heads.iter().map(|head| format!("{} {} {}", head.part, head.seq, head.hash)).collect();
        format!("gongji-heads\n{made}\n{}", lines.join("\n"))
    }

    fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify_base64(Self::base(&self.made, &self.heads).as_bytes(), &self.signature)
    }
}

/// The key of this installation that signs heads.
pub fn signing_key(keys: &gongji_store::seal::Keys) -> SigningKey {
    platform_key_of(keys, Profile::Ed25519, KEY_NUMBER)
}

/// Where all journals stand right now, signed.
pub fn signed(kept: &Kept, store: &dyn Store, key: &SigningKey, now_ms: i64) -> Result<Heads, Fault> {
    let mut heads = Vec::new();
    for (part, seq) in (0..=kept.parts()).zip(kept.heads_at_once()?) {
        let Some(last) = seq.checked_sub(1).map(|before| store.journal(part)?.records(before, 1)).transpose()?.and_then(|records| records.into_iter().next())
        else {
            continue;
        };
        heads.push(Head { part, seq: last.head.seq, hash: gongji_files::hex(&last.hash) });
    }
    let made = crate::time::rfc3339(now_ms);
    let signature = key.sign_base64(Heads::base(&made, &heads).as_bytes());
    Ok(Heads { made, heads, key_id: key.verifying_key().key_id().to_owned(), signature })
}

/// Adds an export to a file, and makes it durable.
pub fn add(path: &Path, heads: &Heads) -> Result<(), HeadsError> {
    let failed = |source| HeadsError::File { path: path.display().to_string(), source };
    let mut line = serde_json::to_string(heads).expect("heads are JSON");
    line.push('\n');
    let mut file = std::fs::File::options().create(true).append(true).open(path).map_err(failed)?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// Adds an export to the file at the start and each hour, where this process works on the directory, until it is aborted.
pub async fn keep_exporting(app: Arc<App>, kept: Kept, file: PathBuf) {
    let (kept, file) = (Arc::new(kept), Arc::new(file));
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if !app.engine.reading(0).is_some_and(|reading| reading.is_writing) {
            continue;
        }
        let (app, kept, file) = (Arc::clone(&app), Arc::clone(&kept), Arc::clone(&file));
        let exported = tokio::task::spawn_blocking(move || {
            let heads = signed(&kept, &**app.engine.store(), &signing_key(app.vault.keys()), app.now())?;
            add(&file, &heads)
        });
        match exported.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the signed heads were not exported; it is tried again in an hour"),
            Err(error) => tracing::error!(%error, "the signed heads were not exported; it is tried again in an hour"),
        }
    }
}

/// Every head of a file, each under a right signature.
///
/// # Errors
/// A line that is none, or that somebody else has signed.
pub fn read(path: &Path, key: &VerifyingKey) -> Result<Vec<(Part, u64, [u8; 32])>, HeadsError> {
    let failed = |source| HeadsError::File { path: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut all = Vec::new();
    for (at, line) in BufReader::new(file.take(FILE_LEN_MAX)).lines().enumerate() {
        let line = line.map_err(failed)?;
        if line.trim().is_empty() {
            continue;
        }
        let heads: Heads = serde_json::from_str(&line).map_err(|_| HeadsError::Unreadable(at + 1))?;
        if !heads.is_signed_by(key) {
            return Err(HeadsError::Forged(at + 1));
        }
        for head in &heads.heads {
            all.push((head.part, head.seq, unhex(&head.hash).ok_or(HeadsError::Unreadable(at + 1))?));
        }
    }
    Ok(all)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
