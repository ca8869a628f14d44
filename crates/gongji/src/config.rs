//! The configuration of the production profile, in two steps: [`ConfigFile`] is what was written, [`Config`] what was meant.
//!
//! An unknown key is a typing error and refused. What may not be put to use is refused by name ([`Refusal`]), all at once, before anything is
//! opened: a wallet that starts in an unsafe way is worse than one that does not start.

mod refusal;

pub use refusal::Refusal;

use crate::identity::{AdapterConfig, Adapters, Face, HttpAdapter, Registry, Sms};
use crate::trust::Policy;
use gongji_ledger::{PART_MAX, Part};
use gongji_store::PEOPLE_MAX;
use gongji_store::seal::Sensitive;
use gongji_store::vault::GATEWAY_MESSAGE_DAYS_MIN;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The annotated default: what `gongji config` prints.
pub const DEFAULT: &str = include_str!("../../../config/gongji.default.toml");

/// Tokens that stand in examples and are no secrets.
const SAMPLE_TOKENS: [&str; 6] = ["change-me", "changeme", "from the service", "secret", "token", "test"];

/// Messages of institutions are kept thirty years at most, as accounting vouchers are.
const MESSAGE_DAYS_MAX: u16 = 30 * 366;

/// Shorter tokens can be guessed.
const TOKEN_LEN_MIN: usize = 16;

/// The file as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    listen: String,
    behind_proxy: bool,
    base_url: String,
    hosts: Vec<String>,
    data: DataFile,
    log: LogFile,
    metrics: MetricsFile,
    institutions: InstitutionsFile,
    peers: PeersFile,
    heads: HeadsFile,
    gateway: GatewayFile,
    adapters: AdaptersFile,
    /// Never lawful here; read so that it can be refused by name.
    sandbox: Option<toml::Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DataFile {
    folder: PathBuf,
    keys: String,
    partitions: Part,
    /// An address, which may have a password in it.
    store: Sensitive,
    people_in_memory: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogFile {
    level: String,
    format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line, for machines that collect them.
    Json,
    /// For a person at the screen.
    Text,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MetricsFile {
    listen: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct InstitutionsFile {
    bearer_alone: bool,
    trusted_proxies: Vec<String>,
    certificate_header: String,
    certificate_required: bool,
    answer_key: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GatewayFile {
    message_days: u16,
}

impl Default for GatewayFile {
    fn default() -> GatewayFile {
        GatewayFile { message_days: GATEWAY_MESSAGE_DAYS_MIN }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HeadsFile {
    file: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PeersFile {
    listen: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AdaptersFile {
    sms: AdapterFile,
    face: AdapterFile,
    registry: AdapterFile,
    settlement: AdapterFile,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AdapterFile {
    url: String,
    token_file: String,
    timeout_ms: u64,
    attempts: u32,
}

impl Default for ConfigFile {
    fn default() -> ConfigFile {
        ConfigFile {
            listen: "127.0.0.1:8080".to_owned(),
            behind_proxy: false,
            base_url: String::new(),
            hosts: Vec::new(),
            data: DataFile::default(),
            log: LogFile::default(),
            heads: HeadsFile::default(),
            metrics: MetricsFile::default(),
            institutions: InstitutionsFile::default(),
            peers: PeersFile::default(),
            gateway: GatewayFile::default(),
            adapters: AdaptersFile::default(),
            sandbox: None,
        }
    }
}

impl Default for DataFile {
    fn default() -> DataFile {
        DataFile { folder: PathBuf::from("/var/lib/gongji"), keys: String::new(), partitions: 1, store: Sensitive::new(""), people_in_memory: PEOPLE_MAX }
    }
}

impl Default for InstitutionsFile {
    fn default() -> InstitutionsFile {
        let policy = Policy::production();
        InstitutionsFile {
            bearer_alone: policy.bearer_alone,
            trusted_proxies: Vec::new(),
            certificate_header: String::new(),
            certificate_required: policy.certificate_required,
            answer_key: policy.answer_key,
        }
    }
}

impl Default for LogFile {
    fn default() -> LogFile {
        LogFile { level: "info".to_owned(), format: LogFormat::Json }
    }
}

impl Default for AdapterFile {
    fn default() -> AdapterFile {
        AdapterFile { url: String::new(), token_file: String::new(), timeout_ms: 3_000, attempts: 2 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("配置文件 {0} 打不开:{1}")]
    Unreadable(PathBuf, std::io::Error),
    #[error("配置文件 {0} 写得不对:{1}")]
    Malformed(PathBuf, String),
    #[error("不能启动,配置里有 {} 处要改:\n{}", .0.len(), .0.iter().map(|refusal| format!("  [{}] {}", refusal.name(), refusal.sentence())).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Refusal>),
}

/// What was meant, as far as it does not depend on being safe.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: Option<SocketAddr>,
    pub base_url: String,
    /// Every name by which the service is reached.
    pub hosts: Vec<String>,
    pub data_folder: PathBuf,
    /// `None`: `keys/` inside the data folder.
    pub keys_folder: Option<PathBuf>,
    pub partitions: Part,
    /// Address of the database that keeps ledger and vault; `None`: files of the data folder, or what the folder itself remembers.
    pub store: Option<Sensitive>,
    pub log_level: String,
    file: ConfigFile,
}

/// What a production start needs, checked.
pub struct Production {
    pub listen: SocketAddr,
    pub hosts: Vec<String>,
    pub data_folder: PathBuf,
    pub keys_folder: Option<PathBuf>,
    pub partitions: Part,
    pub store: Option<Sensitive>,
    /// People that each partition keeps in memory; the rest is loaded when somebody asks.
    pub people_in_memory: usize,
    pub log_level: tracing::Level,
    pub log_format: LogFormat,
    /// Where those who watch read the counters; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// The file that signed heads are added to each hour.
    pub heads: Option<PathBuf>,
    /// What institutions must show.
    pub policy: Policy,
    /// Where other processes on the same database reach this one; `None`: it works alone.
    pub peers: Option<SocketAddr>,
    pub gateway: crate::gateway::Settings,
    pub adapters: Adapters,
}

impl Config {
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable(path.to_owned(), error))?;
        Config::parse(&text, |name| std::env::var(name).ok()).map_err(|why| ConfigError::Malformed(path.to_owned(), why))
    }

    /// `environment` tells the value of a variable; only places of secrets can be set there.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
        let mut file: ConfigFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let set = |place: &mut String, name: &str| {
            if let Some(value) = environment(name) {
                *place = value;
            }
        };
        set(&mut file.data.keys, "GONGJI_KEYS_FOLDER");
        set(&mut file.adapters.sms.token_file, "GONGJI_SMS_TOKEN_FILE");
        set(&mut file.adapters.face.token_file, "GONGJI_FACE_TOKEN_FILE");
        set(&mut file.adapters.registry.token_file, "GONGJI_REGISTRY_TOKEN_FILE");
        set(&mut file.adapters.settlement.token_file, "GONGJI_SETTLEMENT_TOKEN_FILE");
        if let Some(store) = environment("GONGJI_STORE") {
            file.data.store = store.into();
        }
        let mut hosts = file.hosts.clone();
        hosts.extend(host_of(&file.base_url).map(str::to_owned));
        Ok(Config {
            listen: file.listen.parse().ok(),
            base_url: file.base_url.clone(),
            hosts,
            data_folder: file.data.folder.clone(),
            keys_folder: (!file.data.keys.is_empty()).then(|| PathBuf::from(&file.data.keys)),
            partitions: file.data.partitions,
            store: (!file.data.store.reveal().is_empty()).then(|| file.data.store.clone()),
            log_level: file.log.level.clone(),
            file,
        })
    }

    /// Checks that a production start would be safe. All objections at once.
    pub fn for_production(self) -> Result<Production, ConfigError> {
        let mut refusals = Vec::new();
        if self.file.sandbox.is_some() {
            refusals.push(Refusal::SandboxSettings);
        }
        match self.listen {
            None => refusals.push(Refusal::ListenMalformed(self.file.listen.clone())),
            Some(listen) if !listen.ip().is_loopback() && !self.file.behind_proxy => refusals.push(Refusal::PublicWithoutProxy(listen)),
            Some(_) => {}
        }
        if self.base_url.is_empty() {
            refusals.push(Refusal::BaseUrlMissing);
        } else if host_of(&self.base_url).is_none() {
            refusals.push(Refusal::BaseUrlNotHttps(self.base_url.clone()));
        }
        if self.partitions == 0 || self.partitions > PART_MAX {
            refusals.push(Refusal::PartitionRange(self.partitions));
        }
        match self.store.as_ref().map(|store| gongji_store::postgres::is_on_this_machine(store.reveal())) {
            Some(Err(fault)) => refusals.push(Refusal::StoreMalformed(fault.to_string())),
            Some(Ok(false)) => refusals.push(Refusal::StoreOverNetwork),
            None | Some(Ok(true)) => {}
        }
        let log_level = self.log_level.parse().ok().filter(|level| *level != tracing::Level::TRACE);
        if log_level.is_none() {
            refusals.push(Refusal::LogLevel(self.log_level.clone()));
        }
        let policy = policy(&self.file.institutions, self.listen, &mut refusals);
        let metrics = inside_address(&self.file.metrics.listen, Refusal::MetricsMalformed, Refusal::MetricsPublic, &mut refusals);
        let peers = inside_address(&self.file.peers.listen, Refusal::PeersMalformed, Refusal::PeersPublic, &mut refusals);
        refusals.extend(folder_refusals(&self.data_folder, self.keys_folder.as_deref()));
        let sms = adapter("sms", &self.file.adapters.sms, &mut refusals);
        let face = adapter("face", &self.file.adapters.face, &mut refusals);
        let registry = adapter("registry", &self.file.adapters.registry, &mut refusals);
        // Institutions that send the split along need nobody to be asked.
        let settlement = match self.file.adapters.settlement.url.is_empty() {
            true => None,
            false => adapter("settlement", &self.file.adapters.settlement, &mut refusals),
        };
        let message_days = self.file.gateway.message_days;
        if !(GATEWAY_MESSAGE_DAYS_MIN..=MESSAGE_DAYS_MAX).contains(&message_days) {
            refusals.push(Refusal::MessageDays(message_days));
        }
        match (refusals.is_empty(), self.listen, log_level, sms, face, registry) {
            (true, Some(listen), Some(log_level), Some(sms), Some(face), Some(registry)) => Ok(Production {
                listen,
                hosts: self.hosts,
                data_folder: self.data_folder,
                keys_folder: self.keys_folder,
                partitions: self.partitions,
                store: self.store,
                people_in_memory: self.file.data.people_in_memory,
                log_level,
                log_format: self.file.log.format,
                metrics,
                heads: Some(PathBuf::from(&self.file.heads.file)).filter(|file| !file.as_os_str().is_empty()),
                policy,
                peers,
                gateway: crate::gateway::Settings { message_days, settlement },
                adapters: Adapters { sms: Sms::Http(sms), face: Face::Http(face), registry: Registry::Http(registry) },
            }),
            _ => Err(ConfigError::Refused(refusals)),
        }
    }
}

/// What is for those who run the service: on this machine, or in a network of its own.
fn inside_address(text: &str, malformed: fn(String) -> Refusal, public: fn(SocketAddr) -> Refusal, refusals: &mut Vec<Refusal>) -> Option<SocketAddr> {
    if text.is_empty() {
        return None;
    }
    let Ok(address) = text.parse::<SocketAddr>() else {
        refusals.push(malformed(text.to_owned()));
        return None;
    };
    let is_inside = match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    };
    if !is_inside {
        refusals.push(public(address));
    }
    Some(address)
}

/// What institutions must show. A certificate that is half configured would be asked of nobody, or believed of anybody.
fn policy(file: &InstitutionsFile, listen: Option<SocketAddr>, refusals: &mut Vec<Refusal>) -> Policy {
    let mut proxies = Vec::new();
    for text in &file.trusted_proxies {
        match text.parse::<IpAddr>() {
            Ok(address) if !address.is_unspecified() => proxies.push(address.to_canonical()),
            _ => refusals.push(Refusal::ProxyMalformed(text.clone())),
        }
    }
    let mut certificate_header = None;
    if !file.certificate_header.is_empty() {
        match file.certificate_header.parse() {
            Ok(name) => certificate_header = Some(name),
            Err(_) => refusals.push(Refusal::CertificateHeader(file.certificate_header.clone())),
        }
        if proxies.is_empty() && listen.is_some_and(|listen| !listen.ip().is_loopback()) {
            refusals.push(Refusal::CertificateUnbelieved);
        }
    } else if file.certificate_required {
        refusals.push(Refusal::CertificateHalf);
    }
    if file.answer_key == 0 {
        refusals.push(Refusal::AnswerKey);
    }
    let (bearer_alone, certificate_required, answer_key) = (file.bearer_alone, file.certificate_required, file.answer_key);
    Policy { bearer_alone, proxies, certificate_header, certificate_required, answer_key }
}

/// Host and port of an https address without anything dangerous in it.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let host = rest.strip_suffix('/').unwrap_or(rest);
    (!host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])).then_some(host)
}

fn adapter(name: &'static str, file: &AdapterFile, refusals: &mut Vec<Refusal>) -> Option<HttpAdapter> {
    if file.url.is_empty() {
        refusals.push(Refusal::AdapterMissing(name));
        return None;
    }
    if !is_on_this_machine(&file.url) {
        refusals.push(Refusal::AdapterOverNetwork(name));
        return None;
    }
    let token = match read_token(name, &file.token_file) {
        Ok(token) => token,
        Err(refusal) => {
            refusals.push(refusal);
            return None;
        }
    };
    let config = AdapterConfig { url: file.url.clone(), token, timeout_ms: file.timeout_ms, attempts: file.attempts };
    match HttpAdapter::new(name, &config) {
        Ok(adapter) => Some(adapter),
        Err(why) => {
            refusals.push(Refusal::AdapterMalformed(name, why));
            None
        }
    }
}

/// What goes to an adapter names people, and it goes in clear.
fn is_on_this_machine(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn read_token(name: &'static str, file: &str) -> Result<Option<Sensitive>, Refusal> {
    if file.is_empty() {
        return Ok(None);
    }
    let path = PathBuf::from(file);
    let token = std::fs::read_to_string(&path).map_err(|error| Refusal::TokenUnreadable(name, path.clone(), error.to_string()))?;
    if is_open_to_others(&path) {
        return Err(Refusal::TokenOpen(name, path));
    }
    let token = token.trim();
    if token.len() < TOKEN_LEN_MIN || SAMPLE_TOKENS.iter().any(|sample| token.eq_ignore_ascii_case(sample)) {
        return Err(Refusal::TokenSample(name));
    }
    Ok(Some(Sensitive::new(token)))
}

/// Keys and data are nobody else's to read.
fn folder_refusals(data: &Path, keys: Option<&Path>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let keys = keys.map_or_else(|| data.join(crate::installation::KEYS_FOLDER), Path::to_owned);
    if is_open_to_others(&keys) {
        refusals.push(Refusal::KeysOpen(keys));
    }
    if is_writable_by_others(data) {
        refusals.push(Refusal::DataOpen(data.to_owned()));
    }
    refusals
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|found| found.mode())
}

#[cfg(not(unix))]
fn mode_of(_path: &Path) -> Option<u32> {
    None
}

/// Whether group or others may do anything with it; what is not there yet is made closed.
fn is_open_to_others(path: &Path) -> bool {
    mode_of(path).is_some_and(|mode| mode & 0o077 != 0)
}

fn is_writable_by_others(path: &Path) -> bool {
    mode_of(path).is_some_and(|mode| mode & 0o022 != 0)
}

#[cfg(test)]
mod tests;
