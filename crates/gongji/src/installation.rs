//! A data folder: who it belongs to, how many partitions it has, and that one process alone works in it.
//!
//! `installation.toml` fixes profile and partition count when the folder is made; both are refused by name if asked otherwise later. It also says
//! whether the ledger is kept here or in a database; then the folder holds the keys.
//! `lock` is held as long as the folder is open: two writers would fence each other off, and people would see it.

use crate::app::{App, Sandbox};
use crate::identity::{Adapters, Identity};
use crate::kept::Kept;
use gongji_ledger::{PART_MAX, Part};
use gongji_store::clock::Clock;
use gongji_store::postgres::Roster;
use gongji_store::vault::VaultError;
use gongji_store::{Engine, Fault, Limits, Options};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Name of the file that describes the installation.
pub const INSTALLATION_FILE: &str = "installation.toml";

/// Name of the file whose lock says "somebody works here".
pub const LOCK_FILE: &str = "lock";

/// Where the keys stand unless the configuration says otherwise.
pub const KEYS_FOLDER: &str = "keys";

/// Version of the folder's layout.
const LAYOUT: u16 = 1;

/// What an installation is for. A sandbox never becomes production: its people are invented and its clock has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    Sandbox,
    Production,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    layout: u16,
    profile: Profile,
    partitions: Part,
    /// Of a sandbox: its samples are all in.
    #[serde(default)]
    is_seeded: bool,
    /// Address of the database that keeps ledger and vault; `None`: files of this folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("数据目录 {0} 正被另一个 gongji 进程使用。请先停掉那个进程,或用 --data 换一个目录。")]
    InUse(PathBuf),
    #[error("{0} 里没有 gongji 的数据。请检查 --data,或先运行 gongji sandbox / gongji serve 建立一个。")]
    Missing(PathBuf),
    #[error("{folder} 建立时是 {found} 个分区,不能改成 {asked} 个:分区数决定了每个人的数据在哪里。请去掉 --partitions,或换一个新目录。")]
    PartitionCount { folder: PathBuf, found: Part, asked: Part },
    #[error("分区数要在 1 到 {PART_MAX} 之间。")]
    PartitionRange,
    #[error("{0} 是沙箱的数据目录,里面的人和钱都是虚构的,正式环境不能使用。请换一个目录。")]
    IsSandbox(PathBuf),
    #[error("{0} 是正式环境的数据目录,沙箱不能使用。请换一个目录。")]
    IsProduction(PathBuf),
    #[error("{0} 的布局版本是 {1},这个程序只认识 {LAYOUT}。请用建立它的那个版本,或先升级程序。")]
    Layout(PathBuf, u16),
    #[error("{path} 读不懂:{why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("{0} 不见了,账本里却有人和钱。里面是谁的钱只有它知道:请从备份恢复,再启动。")]
    VaultLost(PathBuf),
    #[error("分区 {part} 的账本不见了,别的分区却有记录。请从备份恢复 {}/p{part:02},再启动。", folder.display())]
    PartitionLost { folder: PathBuf, part: Part },
    #[error("数据库里个人信息库的表是空的,账本里却有人和钱。请恢复数据库的备份,再启动。")]
    VaultLostInDatabase,
    #[error("数据库里分区 {0} 的账本不见了,别的分区却有记录。请恢复数据库的备份,再启动。")]
    PartitionLostInDatabase(Part),
    #[error("这个数据库正被另一个 gongji 进程使用。请先停掉那个进程。")]
    DatabaseInUse,
    #[error("{0} 的账本存在文件里,只能由一个进程办。要几个进程一起办,请先用 gongji copy 搬到 PostgreSQL;否则去掉配置里的 peers.listen。")]
    NotShared(PathBuf),
    #[error("peers.listen 的地址 {address} 监听不了,可能被别的程序占用:{source}")]
    PeersAddress { address: SocketAddr, source: std::io::Error },
    #[error("{0} 的账本存在这个目录的文件里。要搬到数据库,请先停下程序,再运行 gongji copy;直接换地方会丢下里面的人和钱。")]
    IsInFiles(PathBuf),
    #[error("数据目录 {path} 用不了:{source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("账本打不开:{0}")]
    Fault(#[from] Fault),
    #[error("个人信息库打不开:{0}")]
    Vault(#[from] VaultError),
}

/// An open data folder. The lock goes with it.
pub struct Installation {
    folder: PathBuf,
    described: Described,
    is_new: bool,
    /// How much each partition keeps in memory.
    pub limits: Limits,
    /// Of a database: the place among those that work there, from the first start on.
    place: Mutex<Option<Arc<Roster>>>,
    /// Where other processes that share the database reach this one; `None`: it works alone.
    peers: Mutex<Option<TcpListener>>,
    _lock: File,
}

/// What an existing folder says of itself, without opening it.
pub fn describe(folder: &Path) -> Result<(Profile, Part), OpenError> {
    let described = read(folder)?.ok_or_else(|| OpenError::Missing(folder.to_owned()))?;
    Ok((described.profile, described.partitions))
}

/// Where an existing folder says that its ledger is, without taking its lock.
pub fn kept(folder: &Path) -> Result<Kept, OpenError> {
    read(folder)?.ok_or_else(|| OpenError::Missing(folder.to_owned()))?.kept(folder)
}

impl Described {
    fn kept(&self, folder: &Path) -> Result<Kept, OpenError> {
        Ok(match &self.store {
            None => Kept::files(folder, self.partitions),
            Some(url) => Kept::database(url, self.partitions)?,
        })
    }
}

impl Installation {
    /// Opens a folder that exists.
    pub fn open(folder: &Path) -> Result<Installation, OpenError> {
        let described = read(folder)?.ok_or_else(|| OpenError::Missing(folder.to_owned()))?;
        Ok(Installation {
            folder: folder.to_owned(),
            described,
            is_new: false,
            limits: Limits::default(),
            place: Mutex::default(),
            peers: Mutex::default(),
            _lock: lock(folder)?,
        })
    }

    /// Opens a folder for `profile`, and makes it if there is none. `partitions` must be those it was made with.
    pub fn open_or_create(folder: &Path, profile: Profile, partitions: Option<Part>) -> Result<Installation, OpenError> {
        if partitions.is_some_and(|asked| asked == 0 || asked > PART_MAX) {
            return Err(OpenError::PartitionRange);
        }
        make_folder(folder).map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
        let lock = lock(folder)?;
        if let Some(described) = read(folder)? {
            match (described.profile, profile) {
                (Profile::Sandbox, Profile::Production) => return Err(OpenError::IsSandbox(folder.to_owned())),
                (Profile::Production, Profile::Sandbox) => return Err(OpenError::IsProduction(folder.to_owned())),
                _ => {}
            }
            if let Some(asked) = partitions
                && asked != described.partitions
            {
                return Err(OpenError::PartitionCount { folder: folder.to_owned(), found: described.partitions, asked });
            }
            return Ok(Installation {
                folder: folder.to_owned(),
                described,
                is_new: false,
                limits: Limits::default(),
                place: Mutex::default(),
                peers: Mutex::default(),
                _lock: lock,
            });
        }
        let described = Described { layout: LAYOUT, profile, partitions: partitions.unwrap_or(1), is_seeded: false, store: None };
        let installation = Installation {
            folder: folder.to_owned(),
            described,
            is_new: true,
            limits: Limits::default(),
            place: Mutex::default(),
            peers: Mutex::default(),
            _lock: lock,
        };
        installation.write()?;
        Ok(installation)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn profile(&self) -> Profile {
        self.described.profile
    }

    pub fn partitions(&self) -> Part {
        self.described.partitions
    }

    /// Whether this very opening made the folder.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    pub fn is_seeded(&self) -> bool {
        self.described.is_seeded
    }

    /// Notes that the samples of a sandbox are all in.
    pub fn set_seeded(&mut self) -> Result<(), OpenError> {
        self.described.is_seeded = true;
        self.write()
    }

    /// Keeps ledger and vault in a database: a new installation's from the start, another's at the address where they are now.
    pub fn keep_in(&mut self, url: &str) -> Result<(), OpenError> {
        match &self.described.store {
            Some(known) if known == url => return Ok(()),
            None if !self.is_new => return Err(OpenError::IsInFiles(self.folder.clone())),
            _ => {}
        }
        self.described.store = Some(url.to_owned());
        self.write()
    }

    /// Ledger and vault have been copied to a database, and are there from now on.
    pub fn move_to(&mut self, url: &str) -> Result<(), OpenError> {
        self.described.store = Some(url.to_owned());
        self.write()
    }

    /// Where ledger and vault are.
    pub fn kept(&self) -> Result<Kept, OpenError> {
        self.described.kept(&self.folder)
    }

    /// Commit time of the last record of all partitions (ms); 0 where there is none. A sandbox's clock goes on from there.
    pub fn last_stamp(&self) -> Result<i64, OpenError> {
        Ok(self.kept()?.last_stamp()?)
    }

    /// Shares the database with other processes, and is reached by them at this address. With port 0 the system chooses one, and it is told.
    ///
    /// # Errors
    /// `NotShared` where the ledger is in files; `PeersAddress` where the address is not to be had.
    pub fn share_at(&self, address: SocketAddr) -> Result<SocketAddr, OpenError> {
        if self.described.store.is_none() {
            return Err(OpenError::NotShared(self.folder.clone()));
        }
        let failed = |source| OpenError::PeersAddress { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        *self.peers.lock().expect("no holder of the peers panics") = Some(listener);
        Ok(bound)
    }

    /// Takes a place among those that work in the database, where it is one. Blocks while it watches whoever stands against it: seconds.
    pub fn take_place(&self) -> Result<(), OpenError> {
        let Kept::Database { store, .. } = self.kept()? else { return Ok(()) };
        let mut place = self.place.lock().expect("no holder of the place panics");
        if place.is_none() {
            let address = self.peers.lock().expect("no holder of the peers panics").as_ref().map(TcpListener::local_addr).transpose().map_err(Fault::from)?;
            let joined = Roster::join(&store, address.map(|address| address.to_string()).as_deref())?;
            *place = Some(Arc::new(joined.ok_or(OpenError::DatabaseInUse)?));
        }
        Ok(())
    }

    fn place(&self) -> Option<Arc<Roster>> {
        self.place.lock().expect("no holder of the place panics").clone()
    }

    /// Turns true when other processes have taken this one for dead and work in its place. `None`: nobody else can.
    pub fn place_lost(&self) -> Option<watch::Receiver<bool>> {
        self.place().map(|place| place.lost())
    }

    /// Gives the place up, after everything has been stopped: others need not find out by themselves.
    pub fn leave(&self) {
        if let Some(place) = self.place() {
            place.leave();
        }
    }

    /// Starts everything that works in this folder. `keys` is the folder of the keys, where it is not inside the data folder.
    pub fn start(&self, clock: Arc<dyn Clock>, sandbox: Option<Sandbox>, adapters: Adapters, keys: Option<&Path>) -> Result<App, OpenError> {
        self.take_place()?;
        let (parts, kept) = (self.described.partitions, self.kept()?);
        if !kept.has_vault()? && kept.last_stamp()? > 0 {
            // A new one would give numbers out again that the books know as somebody else.
            return Err(match kept {
                Kept::Files { .. } => OpenError::VaultLost(self.folder.join(gongji_store::vault::VAULT_FILE)),
                Kept::Database { .. } => OpenError::VaultLostInDatabase,
            });
        }
        if let Some(part) = kept.lost_part()? {
            return Err(match kept {
                Kept::Files { folder, .. } => OpenError::PartitionLost { folder, part },
                Kept::Database { .. } => OpenError::PartitionLostInDatabase(part),
            });
        }
        let vault = kept.vault(&keys.map_or_else(|| self.folder.join(KEYS_FOLDER), Path::to_owned))?;
        let options = Options { limits: self.limits, ..Options::new(parts) };
        let place = self.place();
        if let (Some(place), Kept::Database { store, .. }) = (&place, &kept) {
            store.work_as(place);
            vault.heed(place);
        }
        let store = kept.store()?;
        let engine = match (place, self.peers.lock().expect("no holder of the peers panics").take()) {
            (Some(place), Some(listener)) => Engine::start_among(store, clock.clone(), options, place, vault.keys(), listener)?,
            _ => Engine::start(store, clock.clone(), options)?,
        };
        let identity = Identity::new(vault.clone(), adapters);
        let app = App { sandbox, ..App::new(engine, vault, identity, clock) };
        app.activity.load(&app.vault, app.now())?;
        Ok(app)
    }

    /// Written beside and put in place, so that a crash leaves the old one or the new one.
    fn write(&self) -> Result<(), OpenError> {
        let text = format!(
            "# gongji 的数据目录。建立以后不能改;要换分区数或用途,请建一个新目录。\n{}",
            toml::to_string(&self.described).expect("four plain fields are TOML")
        );
        let path = self.folder.join(INSTALLATION_FILE);
        let beside = self.folder.join(format!("{INSTALLATION_FILE}.new"));
        let put = || {
            std::fs::write(&beside, text)?;
            File::open(&beside)?.sync_all()?;
            std::fs::rename(&beside, &path)
        };
        put().map_err(|source| OpenError::Folder { path: self.folder.clone(), source })
    }
}

/// A folder that nobody else may look into.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn read(folder: &Path) -> Result<Option<Described>, OpenError> {
    let path = folder.join(INSTALLATION_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::Folder { path, source }),
    };
    let described: Described = toml::from_str(&text).map_err(|error| OpenError::Unreadable { path, why: error.message().to_owned() })?;
    if described.layout != LAYOUT {
        return Err(OpenError::Layout(folder.to_owned(), described.layout));
    }
    Ok(Some(described))
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let folder_error = |source| OpenError::Folder { path: folder.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK_FILE)).map_err(folder_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(folder_error(source)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_profile_and_its_count_and_lets_one_process_in() {
        let folder = tempfile::tempdir().unwrap();
        let made = Installation::open_or_create(folder.path(), Profile::Sandbox, Some(3)).unwrap();
        assert!(made.is_new() && !made.is_seeded());
        assert!(matches!(Installation::open(folder.path()), Err(OpenError::InUse(_))));
        drop(made);
        let mut again = Installation::open_or_create(folder.path(), Profile::Sandbox, None).unwrap();
        assert_eq!((again.partitions(), again.is_new()), (3, false));
        again.set_seeded().unwrap();
        drop(again);
        assert!(Installation::open(folder.path()).unwrap().is_seeded());
        assert!(matches!(Installation::open_or_create(folder.path(), Profile::Sandbox, Some(4)), Err(OpenError::PartitionCount { found: 3, asked: 4, .. })));
        assert!(matches!(Installation::open_or_create(folder.path(), Profile::Production, None), Err(OpenError::IsSandbox(_))));
        assert_eq!(describe(folder.path()).unwrap(), (Profile::Sandbox, 3));
    }

    #[test]
    fn what_was_lost_is_missed_at_the_next_start() {
        use gongji_store::clock::MovableClock;
        let folder = tempfile::tempdir().unwrap();
        let start = || {
            let installation = Installation::open_or_create(folder.path(), Profile::Sandbox, Some(2)).unwrap();
            let started = installation.start(Arc::new(MovableClock::standing(1_000)), None, Adapters::sandbox(), None);
            started.map(|app| (app, installation))
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (app, installation) = start().unwrap();
        let key = crate::service::key::IdempotencyKey::new("a", "b", "c", b"").unwrap();
        let none = gongji_wallet::Command::ChangeDirectory(Vec::new());
        runtime.block_on(crate::service::ask(&app, 0, key, none)).unwrap();
        drop((app, installation));
        drop(start().unwrap());

        let [lost, kept] = ["p02", "kept"].map(|name| folder.path().join(name));
        std::fs::rename(&lost, &kept).unwrap();
        assert!(matches!(start(), Err(OpenError::PartitionLost { part: 2, .. })));
        assert!(!lost.exists(), "nothing was made in its place");
        std::fs::rename(&kept, &lost).unwrap();
        std::fs::remove_file(folder.path().join(gongji_store::vault::VAULT_FILE)).unwrap();
        assert!(matches!(start(), Err(OpenError::VaultLost(_))));
    }

    #[test]
    fn what_is_no_installation_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Installation::open(folder.path()), Err(OpenError::Missing(_))));
        assert!(matches!(Installation::open_or_create(folder.path(), Profile::Sandbox, Some(0)), Err(OpenError::PartitionRange)));
        std::fs::write(folder.path().join(INSTALLATION_FILE), "layout = 9\nprofile = \"sandbox\"\npartitions = 1\n").unwrap();
        assert!(matches!(Installation::open(folder.path()), Err(OpenError::Layout(_, 9))));
        std::fs::write(folder.path().join(INSTALLATION_FILE), "anything").unwrap();
        assert!(matches!(Installation::open(folder.path()), Err(OpenError::Unreadable { .. })));
    }
}
