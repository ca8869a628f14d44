//! Why a production start is refused: a name that stays, and a sentence that says what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    SandboxSettings,
    ListenMalformed(String),
    PublicWithoutProxy(SocketAddr),
    BaseUrlMissing,
    BaseUrlNotHttps(String),
    PartitionRange(u16),
    StoreMalformed(String),
    StoreOverNetwork,
    LogLevel(String),
    MetricsMalformed(String),
    MetricsPublic(SocketAddr),
    ProxyMalformed(String),
    CertificateHeader(String),
    CertificateUnbelieved,
    CertificateHalf,
    AnswerKey,
    PeersMalformed(String),
    PeersPublic(SocketAddr),
    KeysOpen(PathBuf),
    DataOpen(PathBuf),
    MessageDays(u16),
    AdapterMissing(&'static str),
    AdapterOverNetwork(&'static str),
    AdapterMalformed(&'static str, String),
    TokenUnreadable(&'static str, PathBuf, String),
    TokenOpen(&'static str, PathBuf),
    TokenSample(&'static str),
}

impl Refusal {
    /// Stable, for scripts and runbooks.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::SandboxSettings => "sandbox-settings",
            Refusal::ListenMalformed(_) => "listen-malformed",
            Refusal::PublicWithoutProxy(_) => "public-without-proxy",
            Refusal::BaseUrlMissing => "base-url-missing",
            Refusal::BaseUrlNotHttps(_) => "base-url-not-https",
            Refusal::PartitionRange(_) => "partition-range",
            Refusal::StoreMalformed(_) => "store-malformed",
            Refusal::StoreOverNetwork => "store-over-network",
            Refusal::LogLevel(_) => "log-level",
            Refusal::MetricsMalformed(_) => "metrics-malformed",
            Refusal::MetricsPublic(_) => "metrics-public",
            Refusal::ProxyMalformed(_) => "proxy-malformed",
            Refusal::CertificateHeader(_) => "certificate-header",
            Refusal::CertificateUnbelieved => "certificate-unbelieved",
            Refusal::CertificateHalf => "certificate-half",
            Refusal::AnswerKey => "answer-key",
            Refusal::PeersMalformed(_) => "peers-malformed",
            Refusal::PeersPublic(_) => "peers-public",
            Refusal::KeysOpen(_) => "keys-open",
            Refusal::DataOpen(_) => "data-open",
            Refusal::MessageDays(_) => "message-days",
            Refusal::AdapterMissing(_) => "adapter-missing",
            Refusal::AdapterOverNetwork(_) => "adapter-over-network",
            Refusal::AdapterMalformed(..) => "adapter-malformed",
            Refusal::TokenUnreadable(..) => "token-unreadable",
            Refusal::TokenOpen(..) => "token-open",
            Refusal::TokenSample(_) => "token-sample",
        }
    }

    pub fn sentence(&self) -> String {
        match self {
            Refusal::SandboxSettings => "正式环境没有沙箱功能,请删掉 [sandbox] 一节;要试用请运行 gongji sandbox。".to_owned(),
            Refusal::ListenMalformed(text) => format!("listen = \"{text}\" 要写成 地址:端口,比如 127.0.0.1:8080。"),
            Refusal::PublicWithoutProxy(listen) => {
                format!("listen = \"{listen}\" 对外可达,而程序自己不做 TLS。前面有代理就写 behind_proxy = true,没有就改成 127.0.0.1。")
            }
            Refusal::BaseUrlMissing => "base_url 没有写:大家用哪个网址访问?".to_owned(),
            Refusal::BaseUrlNotHttps(url) => format!("base_url = \"{url}\" 要写成 https://主机名,后面不带路径。"),
            Refusal::PartitionRange(count) => format!("data.partitions = {count} 要在 1 到 {} 之间。", gongji_ledger::PART_MAX),
            Refusal::StoreMalformed(why) => format!("data.store 要写成 postgres://用户@主机/库名:{why}。"),
            Refusal::StoreOverNetwork => {
                "data.store 要是本机的 Unix 套接字或 127.0.0.1:程序自己不做 TLS,别的机器上的数据库要经过本机的代理(docs/operating/postgresql.md)。".to_owned()
            }
            Refusal::LogLevel(level) => format!("log.level = \"{level}\" 要是 error、warn、info、debug 之一。"),
            Refusal::MetricsMalformed(text) => format!("metrics.listen = \"{text}\" 要写成 地址:端口,比如 127.0.0.1:9464;不要就空着。"),
            Refusal::MetricsPublic(address) => format!("metrics.listen = \"{address}\" 不是本机也不是内网地址:监控数据不给外面看。"),
            Refusal::ProxyMalformed(text) => format!("institutions.trusted_proxies 里的 \"{text}\" 要写成一个具体的 IP 地址。"),
            Refusal::CertificateHeader(text) => format!("institutions.certificate_header = \"{text}\" 不是一个 HTTP 头的名字。"),
            Refusal::CertificateUnbelieved => {
                "写了 institutions.certificate_header,程序又对外监听,却没有写 institutions.trusted_proxies:不知道该信谁写的证书。请写上代理的地址。".to_owned()
            }
            Refusal::CertificateHalf => {
                "institutions.certificate_required = true,却没有写 institutions.certificate_header:代理把证书指纹写在哪个头里?".to_owned()
            }
            Refusal::AnswerKey => "institutions.answer_key 从 1 开始。".to_owned(),
            Refusal::PeersMalformed(text) => format!("peers.listen = \"{text}\" 要写成 地址:端口,比如 10.0.0.5:7070;只有一个进程就空着。"),
            Refusal::PeersPublic(address) => format!("peers.listen = \"{address}\" 要是本机或内网的一个确定地址:别的进程按它来找这个进程。"),
            Refusal::KeysOpen(path) => format!("密钥目录 {} 别人也能看,请运行 chmod 700 {0}。", path.display()),
            Refusal::DataOpen(path) => format!("数据目录 {} 别人也能改,请运行 chmod go-w {0}。", path.display()),
            Refusal::MessageDays(days) => format!("gateway.message_days 写的是 {days}:机构的报文至少要留 200 天,最多 10980 天。"),
            Refusal::AdapterMissing(name) => format!("缺外部服务 {0}({1}):请写 adapters.{0}.url,约定见 docs/adapters.md。", name, what(name)),
            Refusal::AdapterOverNetwork(name) => {
                format!("adapters.{name}.url 要是本机的代理(http://127.0.0.1:端口):发给它的是个人信息,不能明文上网。")
            }
            Refusal::AdapterMalformed(name, why) => format!("adapters.{name} 写得不对:{why}。"),
            Refusal::TokenUnreadable(name, path, why) => format!("adapters.{name} 的令牌文件 {} 读不出来:{why}。", path.display()),
            Refusal::TokenOpen(name, path) => format!("adapters.{name} 的令牌文件 {} 别人也能看,请运行 chmod 600 {0}。", path.display()),
            Refusal::TokenSample(name) => format!("adapters.{name} 的令牌太短或是例子里的,请换成服务方给的。"),
        }
    }
}

fn what(name: &str) -> &'static str {
    match name {
        "sms" => "短信",
        "face" => "刷脸核验",
        _ => "参保和身份登记核对",
    }
}
