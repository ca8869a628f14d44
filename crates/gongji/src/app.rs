//! What every request works with.

use crate::activity::Activity;
use crate::identity::Identity;
use crate::metrics::Metrics;
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::vault::{Vault, VaultError};
use gongji_store::{Engine, Fault};
use gongji_wallet::directory::Directory;
use std::sync::Arc;

/// The program's parts. Shared by all requests through an `Arc`.
pub struct App {
    pub engine: Engine,
    pub vault: Vault,
    pub identity: Identity,
    pub clock: Arc<dyn Clock>,
    /// Questions of cashiers to relatives, for minutes.
    pub asks: crate::service::asking::Asks,
    /// What is known of those who sign.
    pub trust: crate::trust::Trust,
    /// Which terminals of institutions took payments lately.
    pub activity: Activity,
    /// Orders that were refused to whoever showed a code, for minutes.
    pub attempts: crate::service::attempt::Attempts,
    /// What is counted for whoever watches.
    pub metrics: Arc<Metrics>,
    /// The national-style gateway: how long it keeps messages, and whom it asks for a fund's split.
    pub gateway: crate::gateway::Settings,
    /// What happened in the last weeks, by hour and region, for the console.
    pub figures: crate::figures::Figures,
    /// Only in the sandbox profile.
    pub sandbox: Option<Sandbox>,
}

impl App {
    /// With nothing remembered yet, outside a sandbox.
    pub fn new(engine: Engine, vault: Vault, identity: Identity, clock: Arc<dyn Clock>) -> App {
        App {
            engine,
            vault,
            identity,
            clock,
            asks: Default::default(),
            trust: Default::default(),
            activity: Default::default(),
            attempts: Default::default(),
            metrics: Default::default(),
            gateway: Default::default(),
            figures: Default::default(),
            sandbox: None,
        }
    }
}

/// What exists in the sandbox alone.
pub struct Sandbox {
    pub clock: Arc<MovableClock>,
    /// The institutions' keys to show, made at start: (institution code, name, key).
    pub institution_keys: Vec<(String, String, String)>,
    /// Sample logins: (name, ID number, password, story).
    pub logins: Vec<SampleLogin>,
}

#[derive(Clone)]
pub struct SampleLogin {
    pub name: String,
    pub id_number: String,
    pub password: String,
    pub story: String,
}

/// What went wrong on the way, apart from lawful refusals.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("a job inside the program failed: {0}")]
    Job(#[from] tokio::task::JoinError),
}

impl App {
    /// Time of this installation (ms, UTC): the machine's, or the sandbox's.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.engine.directory()
    }

    /// Runs something that reads or writes the vault's file, away from the threads that serve requests.
    pub async fn vault<T: Send + 'static>(&self, work: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static) -> Result<T, AppError> {
        let vault = self.vault.clone();
        Ok(tokio::task::spawn_blocking(move || work(&vault)).await??)
    }
}
