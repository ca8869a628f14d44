//! The sandbox: real regions, invented families, a clock that can be moved. The same program on data that nobody owns.
//!
//! Its first start imports the sample files through the import that production uses, sets the one rule that differs (Gansu grants a quota),
//! registers the sample logins and plays two months of family life on a standing clock, so that statements and pictures show something.
//! Later starts find all that in the data folder and only set the clock running.

mod history;
mod operators;
mod samples;
mod signing;
pub mod test_fault;

pub use signing::{CONFORMANCE_FILE, SIGNING_KEYS_FOLDER, signing_key};

use crate::activity::terminal_word;
use crate::app::{App, AppError, SampleLogin, Sandbox};
use crate::identity::{Adapters, IdentityError};
use crate::import::{ImportError, import};
use crate::installation::{Installation, OpenError, Profile};
use crate::service::family::OnBehalfError;
use crate::service::key::IdempotencyKey;
use crate::service::{ServiceError, ask};
use gongji_files::{ImportKind, LoginRow, Options, PersonRow};
use gongji_ledger::{GrantKind, Part};
use gongji_store::clock::MovableClock;
use gongji_store::seal::{Sensitive, to_base64url};
use gongji_store::vault::{Activity, Vault};
use gongji_wallet::Command;
use gongji_wallet::day::{day_from_date, instant};
use gongji_wallet::directory::{Directory, DirectoryChange, Institution, Readiness};
use gongji_wallet::object::Terminal;
use gongji_wallet::rules::{RuleChange, Scope, Setting};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Monday 2026-11-23 10:00 in China: the start of the sandbox's clock.
pub fn start_of_clock() -> i64 {
    let day = day_from_date(2026, 11, 23).expect("a day of the calendar");
    instant(day, 10 * 60)
}

/// Where sample keys are shown first: Luzhou, the town of the main story.
const MAIN_AREA: u32 = 510_500;

/// Province of the `quota` kind.
const QUOTA_PROVINCE: u32 = 620_000;

/// What to start.
#[derive(Clone, Debug)]
pub struct Plan {
    pub folder: PathBuf,
    /// Address of a database for ledger and vault; `None`: files of the folder, or where it says they are.
    pub store: Option<String>,
    pub partitions: Option<Part>,
    /// The clock starts here, or at the last commit if that is later (ms, UTC).
    pub clock: i64,
    /// Play two months of sample life at the first start.
    pub with_history: bool,
}

/// A sandbox at work; dropping it stops the partitions and gives the folder free.
pub struct Running {
    pub app: Arc<App>,
    pub installation: Installation,
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("样例文件 {0} 导入失败:{1}")]
    Import(&'static str, ImportError),
    #[error("样例文件 {0} 第 {1} 行被规则拒绝:{2}")]
    Refused(&'static str, u32, String),
    #[error("样例里没有 {0}")]
    Unknown(String),
    #[error("样例历史没有走完:{0}")]
    Service(#[from] ServiceError),
    #[error("样例历史没有走完:{0}")]
    OnBehalf(#[from] OnBehalfError),
    #[error("样例历史没有走完:{0}")]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    App(#[from] AppError),
}

/// Opens or makes a sandbox. `bar` makes the bar of one file, by its label.
pub async fn start(plan: &Plan, bar: &dyn Fn(&str) -> ProgressBar) -> Result<Running, SandboxError> {
    let mut installation = Installation::open_or_create(&plan.folder, Profile::Sandbox, plan.partitions)?;
    if let Some(url) = &plan.store {
        installation.keep_in(url)?;
    }
    if !installation.is_seeded() {
        let from = if plan.with_history { history::begin() } else { plan.clock };
        let clock = Arc::new(MovableClock::standing(from.max(installation.last_stamp()?)));
        let app = Arc::new(installation.start(clock.clone(), None, Adapters::sandbox(), None)?);
        seed(&app, &clock, plan, bar).await?;
        app.engine.flush().await;
        // The standing clock goes with this engine; the one below runs.
        drop(app);
        installation.set_seeded()?;
    }
    let clock = Arc::new(MovableClock::running(plan.clock.max(installation.last_stamp()?)));
    let mut app = installation.start(clock.clone(), None, Adapters::sandbox(), None)?;
    // To where somebody has moved it, though nothing may have happened since.
    clock.set(app.vault.sandbox_clock().map_err(AppError::from)?);
    let institution_keys = institution_keys(&app.vault, &app.directory()).into_iter().map(|(one, key)| (one.id.to_string(), one.name.clone(), key)).collect();
    operators::seed(&app).await?;
    signing::write_keys(&app, installation.folder()).await?;
    app.sandbox = Some(Sandbox { clock, institution_keys, logins: logins() });
    Ok(Running { app: Arc::new(app), installation })
}

/// The sample people who can log in.
pub fn logins() -> Vec<SampleLogin> {
    let rows = samples::rows::<LoginRow>(samples::LOGINS, i32::MAX / 2);
    let login = |row: LoginRow| SampleLogin {
        name: row.name.as_str().to_owned(),
        id_number: row.id_number.as_str().to_owned(),
        password: row.password,
        story: row.story,
    };
    rows.into_iter().map(login).collect()
}

async fn seed(app: &Arc<App>, clock: &MovableClock, plan: &Plan, bar: &dyn Fn(&str) -> ProgressBar) -> Result<(), SandboxError> {
    for (name, kind, bytes) in samples::FILES {
        put(app, name, *kind, bytes, bar).await?;
    }
    let rules = RuleChange {
        version: 2,
        scope: Scope::Province(QUOTA_PROVINCE),
        from: day_from_date(2026, 1, 1).expect("a day of the calendar"),
        settings: vec![Setting::Kind(GrantKind::Quota)],
    };
    let key = IdempotencyKey::new("sandbox", "seed", "quota-of-gansu", b"").expect("a plain key");
    ask(app, 0, key, Command::ChangeDirectory(vec![DirectoryChange::Rules(rules)])).await?;
    register(app).await?;
    let (vault, directory, now) = (app.vault.clone(), app.directory(), app.now());
    app.vault(move |_| {
        for (institution, key) in institution_keys(&vault, &directory) {
            vault.put_institution_key(&institution.id.to_string(), &Sensitive::new(key), now)?;
        }
        Ok(())
    })
    .await?;
    let activity = sample_activity(&app.directory(), plan.clock);
    app.vault(move |vault| vault.put_activities(&activity, &[], now)).await?;
    if plan.with_history {
        history::play(app, clock, bar).await
    } else {
        put(app, "contributions.csv", ImportKind::Contributions, samples::CONTRIBUTIONS, bar).await
    }
}

async fn put(app: &Arc<App>, name: &'static str, kind: ImportKind, bytes: &[u8], bar: &dyn Fn(&str) -> ProgressBar) -> Result<(), SandboxError> {
    let bar = bar(kind.label());
    let done = import(app, kind, bytes, false, &bar).await.map_err(|error| SandboxError::Import(name, error))?;
    bar.finish_and_clear();
    match done.refused.first() {
        None => Ok(()),
        Some(bad) => Err(SandboxError::Refused(name, bad.line, bad.reason_zh.clone())),
    }
}

/// Sets the passwords of the sample logins, two hashes at a time.
async fn register(app: &Arc<App>) -> Result<(), SandboxError> {
    let now = app.now();
    let phones: BTreeMap<String, String> = samples::rows::<PersonRow>(samples::PERSONS, i32::MAX / 2)
        .into_iter()
        .filter_map(|row| Some((row.id_number.as_str().to_owned(), row.phone?.as_str().to_owned())))
        .collect();
    let logins = logins();
    let mut hashing = tokio::task::JoinSet::new();
    for half in logins.chunks(logins.len().div_ceil(2)) {
        let (half, phones, vault) = (half.to_vec(), phones.clone(), app.vault.clone());
        hashing.spawn_blocking(move || {
            for login in half {
                let Some(holder) = vault.find_by_id_number(&login.id_number)? else { continue };
                // Whoever was registered before a start that was cut off keeps the hash.
                if vault.has_password(holder)? {
                    continue;
                }
                let password = Sensitive::new(login.password);
                match phones.get(&login.id_number) {
                    Some(phone) => vault.register(holder, phone, &password, None, now)?,
                    None => vault.set_password(holder, &password, now)?,
                }
            }
            Ok::<_, gongji_store::vault::VaultError>(())
        });
    }
    while let Some(done) = hashing.join_next().await {
        done.map_err(AppError::from)?.map_err(AppError::from)?;
    }
    Ok(())
}

/// What the list calls ready has been paid at: within the last two days before the clock starts. From then on only real payments keep it so.
fn sample_activity(directory: &Directory, clock: i64) -> Vec<Activity> {
    let mut rows = Vec::new();
    for (nth, one) in directory.institutions.values().filter(|one| one.readiness == Readiness::Ready).enumerate() {
        let paid_ms = clock - (nth as i64 % 40 + 1) * 3_600_000;
        for terminal in Terminal::ALL.into_iter().zip([one.counter, one.kiosk, one.mobile]).filter_map(|(terminal, listed)| listed.then_some(terminal)) {
            rows.push(Activity { institution: one.id.to_string(), terminal: terminal_word(terminal).to_owned(), paid_ms, heard_ms: 0 });
        }
    }
    rows
}

/// Sample institutions with their keys: all of the main town, elsewhere the first ready hospital and pharmacy of each area. The keys are made
/// from the installation's own key ring, so that every start shows the same ones and no file holds them.
fn institution_keys<'a>(vault: &Vault, directory: &'a Directory) -> Vec<(&'a Institution, String)> {
    let mut chosen: Vec<&Institution> = directory.institutions_in(MAIN_AREA).map(|one| &**one).collect();
    chosen.sort_by_key(|one| (one.readiness, one.id));
    let mut first_ready: BTreeMap<(u32, bool), &Institution> = BTreeMap::new();
    for institution in directory.institutions.values().filter(|one| one.area != MAIN_AREA && one.readiness == Readiness::Ready) {
        first_ready.entry((institution.area, institution.is_pharmacy)).or_insert(institution);
    }
    chosen.extend(first_ready.into_values());
    let with_key = |institution: &'a Institution| {
        let code = institution.id.to_string();
        let serial = vault.keys().token_mac("sandbox-institution-serial", &[code.as_bytes()]);
        let secret = vault.keys().token_mac("sandbox-institution-key", &[code.as_bytes()]);
        let part = gongji_wallet::event::institution_part(institution.id, vault.partition_count());
        let key = format!("gk.{part:04x}{}.{}", gongji_files::hex(&serial[..6]), to_base64url(&secret));
        (institution, key)
    };
    chosen.into_iter().map(with_key).collect()
}

/// Sets the clock forward and waits until everything that fell due has been done. `false` if that would be backward.
/// Nobody is logged out by it.
pub async fn set_clock(app: &App, at: i64) -> Result<bool, AppError> {
    let Some(sandbox) = &app.sandbox else { return Ok(false) };
    let by = at - app.now();
    if by > 0 {
        // A jump to next month would log everybody out, whoever tries things in several browsers at once.
        app.vault(move |vault| vault.move_sandbox_clock(by, at)).await?;
    }
    let moved = sandbox.clock.set(at);
    if moved {
        app.engine.settle().await?;
    }
    Ok(moved)
}

/// Options to read the sample files that are no imports.
fn options(today: i32) -> Options {
    Options::new(today)
}
