//! `gongji institution`: keys of institutions, and what a vendor needs to try a signature.
//!
//! `keygen`, `sign` and `call` need no data folder: they are the institution's side. The others write the platform's register, beside the running
//! service, which sees them at once.

use super::office::{Place, vault_of};
use crate::trust::{WELL_KNOWN, public_key, write_secret};
use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use gongji_files::signature::{self, Profile, Request, Response, SigningKey, VerifyingKey, authority, content_digest, sign_request, verify_response};
use gongji_ledger::InstitutionId;
use gongji_store::clock::system_now;
use gongji_store::seal::{random, to_base64url};
use gongji_store::vault::{ADDRESSES_MAX, Access, CERTIFICATES_MAX, PUBLIC_KEYS_MAX, Registered, is_network};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No answer takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Args)]
pub struct InstitutionArgs {
    #[command(subcommand)]
    command: InstitutionCommand,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileWord {
    Ed25519,
    Sm2,
}

impl From<ProfileWord> for Profile {
    fn from(word: ProfileWord) -> Profile {
        match word {
            ProfileWord::Ed25519 => Profile::Ed25519,
            ProfileWord::Sm2 => Profile::Sm2,
        }
    }
}

#[derive(Subcommand)]
enum InstitutionCommand {
    /// 生成一对密钥:私钥自己留着,公钥拿来登记
    #[command(help_template = super::HELP, override_usage = "gongji institution keygen --profile ed25519|sm2 --out <私钥文件>")]
    Keygen {
        /// 哪种算法:ed25519 或 sm2
        #[arg(long, value_name = "算法", hide_possible_values = true, help_heading = "选项")]
        profile: ProfileWord,
        /// 私钥写到哪个文件;公钥写在旁边,名字以 .pub.pem 结尾
        #[arg(long, value_name = "私钥文件", help_heading = "选项")]
        out: PathBuf,
    },
    /// 登记一家机构的公钥;新旧两把可以同时有效
    #[command(help_template = super::HELP, override_usage = "gongji institution register --institution <机构代码> --key <公钥文件> [选项]")]
    Register {
        /// 12 位机构代码
        #[arg(long, value_name = "机构代码", value_parser = parse_institution, help_heading = "选项")]
        institution: InstitutionId,
        /// 公钥文件(PEM)
        #[arg(long, value_name = "公钥文件", help_heading = "选项")]
        key: PathBuf,
        /// 用到哪一天为止(北京时间,含当天),比如 2027-12-31;不写就没有期限
        #[arg(long, value_name = "日期", value_parser = parse_until, help_heading = "选项")]
        until: Option<i64>,
        #[command(flatten)]
        place: Place,
    },
    /// 停用一把公钥,立刻生效,不能恢复
    #[command(help_template = super::HELP, override_usage = "gongji institution revoke --key-id <密钥编号> [选项]")]
    Revoke {
        /// 密钥编号
        #[arg(long, value_name = "密钥编号", help_heading = "选项")]
        key_id: String,
        #[command(flatten)]
        place: Place,
    },
    /// 看一家机构登记的公钥、地址和证书
    #[command(help_template = super::HELP, override_usage = "gongji institution keys --institution <机构代码> [选项]")]
    Keys {
        /// 12 位机构代码
        #[arg(long, value_name = "机构代码", value_parser = parse_institution, help_heading = "选项")]
        institution: InstitutionId,
        #[command(flatten)]
        place: Place,
    },
    /// 限定一家机构从哪些网络、用哪些客户端证书来;整张单子一起换,什么都不写就是不限
    #[command(help_template = super::HELP, override_usage = "gongji institution allow --institution <机构代码> [--address <网段>]… [--certificate <指纹>]… [选项]")]
    Allow {
        /// 12 位机构代码
        #[arg(long, value_name = "机构代码", value_parser = parse_institution, help_heading = "选项")]
        institution: InstitutionId,
        /// 地址或网段,比如 192.0.2.7 或 192.0.2.0/24;可以写多个
        #[arg(long, value_name = "网段", help_heading = "选项")]
        address: Vec<String>,
        /// 客户端证书的 SHA-256 指纹;可以写多个
        #[arg(long, value_name = "指纹", help_heading = "选项")]
        certificate: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// 调出一家机构签过名的请求,按随机串或 Idempotency-Key 找
    #[command(help_template = super::HELP, override_usage = "gongji institution signed --institution <机构代码> --find <随机串或请求号> [选项]")]
    Signed {
        /// 12 位机构代码
        #[arg(long, value_name = "机构代码", value_parser = parse_institution, help_heading = "选项")]
        institution: InstitutionId,
        /// nonce 或 Idempotency-Key
        #[arg(long, value_name = "随机串或请求号", help_heading = "选项")]
        find: String,
        #[command(flatten)]
        place: Place,
    },
    /// 给一个请求签名,打印待签名文本和要加的头
    #[command(help_template = super::HELP, override_usage = "gongji institution sign --key <私钥文件> --url <网址> [选项]")]
    Sign(ToSign),
    /// 签名、发出、核对回答的签名,都打印出来
    #[command(help_template = super::HELP, override_usage = "gongji institution call --key <私钥文件> --url <网址> [选项]")]
    Call {
        #[command(flatten)]
        request: ToSign,
        /// 平台的公钥文件;对方是本机(沙箱)时可以不写,自动去取
        #[arg(long, value_name = "公钥文件", help_heading = "选项")]
        platform_key: Option<PathBuf>,
    },
}

#[derive(Args)]
#[command(next_help_heading = "选项")]
struct ToSign {
    /// 私钥文件(PEM)
    #[arg(long, value_name = "私钥文件")]
    key: PathBuf,
    /// 网址,查询部分也写上
    #[arg(long, value_name = "网址")]
    url: String,
    /// 方法,默认有内容是 POST,没有是 GET
    #[arg(long, value_name = "方法")]
    method: Option<String>,
    /// 请求内容(JSON)
    #[arg(long, value_name = "JSON", conflicts_with = "body")]
    json: Option<String>,
    /// 请求内容的文件;- 是标准输入
    #[arg(long, value_name = "文件")]
    body: Option<PathBuf>,
    /// Idempotency-Key;POST 不写就用一个新的
    #[arg(long, value_name = "请求号")]
    idempotency_key: Option<String>,
    /// 签名时间(1970 年以来的秒),默认现在
    #[arg(long, value_name = "秒")]
    created: Option<i64>,
    /// 随机串,默认新生成一个
    #[arg(long, value_name = "随机串")]
    nonce: Option<String>,
}

/// A request with everything on it.
struct Signed {
    key: SigningKey,
    method: String,
    url: reqwest::Url,
    authority: String,
    body: Vec<u8>,
    headers: Vec<(String, String)>,
    base: String,
}

fn parse_institution(text: &str) -> Result<InstitutionId, String> {
    InstitutionId::parse(text).ok_or_else(|| "机构代码是 H 或 P 加 11 位数字".to_owned())
}

/// The end of a day in China (ms).
fn parse_until(text: &str) -> Result<i64, String> {
    let date: jiff::civil::Date = text.parse().map_err(|_| "日期要写成 2027-12-31 这样".to_owned())?;
    let next = date.tomorrow().map_err(|_| "没有这一天".to_owned())?;
    let zoned = next.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).map_err(|_| "没有这一天".to_owned())?;
    Ok(zoned.timestamp().as_millisecond())
}

pub async fn run(args: InstitutionArgs) -> anyhow::Result<()> {
    super::log_for_people();
    match args.command {
        InstitutionCommand::Keygen { profile, out } => keygen(profile.into(), &out),
        InstitutionCommand::Register { institution, key, until, place } => register(institution, &key, until, &place),
        InstitutionCommand::Revoke { key_id, place } => {
            ensure!(vault_of(&place)?.revoke_public_key(&key_id, system_now())?, "没有登记过密钥编号 {key_id}。用 gongji institution keys 看有哪些。");
            println!("密钥 {key_id} 已停用,从现在起用它签名的请求都不办理。");
            Ok(())
        }
        InstitutionCommand::Keys { institution, place } => keys(institution, &place),
        InstitutionCommand::Allow { institution, address, certificate, place } => allow(institution, address, &certificate, &place),
        InstitutionCommand::Signed { institution, find, place } => {
            let vault = vault_of(&place)?;
            let part = gongji_wallet::event::institution_part(institution, vault.partition_count());
            let found = vault.signed_requests(part, &institution.to_string(), &find)?;
            ensure!(!found.is_empty(), "没有找到 {institution} 的这个请求。只有会改动数据的请求才留存。");
            for request in found {
                println!("收到 {}  密钥 {}\n{}\n", crate::time::rfc3339(request.received_ms), request.key_id, request.text.reveal());
            }
            Ok(())
        }
        InstitutionCommand::Sign(request) => {
            let signed = sign(&request)?;
            println!("待签名文本:\n{}\n\n要加的头:", signed.base);
            signed.headers.iter().for_each(|(name, value)| println!("{name}: {value}"));
            Ok(())
        }
        InstitutionCommand::Call { request, platform_key } => call(&sign(&request)?, platform_key.as_deref()).await,
    }
}

fn keygen(profile: Profile, out: &Path) -> anyhow::Result<()> {
    let key = std::iter::repeat_with(|| SigningKey::from_seed(profile, &random())).flatten().next().context("没有随机数")?;
    let public_path = out.with_extension("pub.pem");
    ensure!(!public_path.exists(), "{} 已经有了,不会覆盖;换一个文件名。", public_path.display());
    write_secret(out, &key.to_pem()).with_context(|| format!("{} 写不了(已经有的文件不会覆盖)", out.display()))?;
    std::fs::write(&public_path, key.verifying_key().to_pem())?;
    println!("私钥 {}(只有你能读;不要发给任何人,也不要发给我们)", out.display());
    println!("公钥 {}(拿这个来登记)", public_path.display());
    println!("密钥编号 {}", key.verifying_key().key_id());
    print!("{}", key.verifying_key().to_pem());
    Ok(())
}

fn register(institution: InstitutionId, path: &Path, until: Option<i64>, place: &Place) -> anyhow::Result<()> {
    let now = system_now();
    ensure!(until.is_none_or(|until| until > now), "期限已经过了。");
    let text = std::fs::read_to_string(path).with_context(|| format!("公钥文件 {} 读不出来", path.display()))?;
    ensure!(!text.contains("PRIVATE KEY"), "{} 里是私钥。私钥只能机构自己留着:请换一对新的,只把公钥(.pub.pem)发来。", path.display());
    let key = VerifyingKey::from_pem(&text).map_err(|why| anyhow::anyhow!("{} 不是 Ed25519 或 SM2 的公钥(PEM):{why}", path.display()))?;
    let profile = key.profile().as_str();
    let row = public_key(institution, &key, until);
    match vault_of(place)?.register_public_key(&row, now)? {
        Registered::Done => println!("已登记 {institution} 的 {profile} 公钥,密钥编号 {}。", key.key_id()),
        Registered::Already => println!("这把公钥登记过了,密钥编号 {}。", key.key_id()),
        Registered::Taken => bail!("这把公钥用过了:是别的机构的,或已经停用、到期。请换一对新的。"),
        Registered::TooMany => bail!("{institution} 已经有 {PUBLIC_KEYS_MAX} 把有效的 {profile} 公钥。先停用旧的一把:gongji institution revoke。"),
    }
    Ok(())
}

fn keys(institution: InstitutionId, place: &Place) -> anyhow::Result<()> {
    let vault = vault_of(place)?;
    let keys = vault.public_keys(&institution.to_string())?;
    println!("{institution} 登记过 {} 把公钥", keys.len());
    let time = crate::time::rfc3339;
    for key in keys {
        let state = match (key.revoked_ms, key.expires_ms) {
            (Some(revoked), _) => format!("{} 停用", time(revoked)),
            (None, Some(expires)) if !key.is_valid(system_now()) => format!("{} 到期", time(expires)),
            (None, Some(expires)) => format!("有效,到 {}", time(expires)),
            (None, None) => "有效".to_owned(),
        };
        println!("  {}  {:<7}  {} 登记  {state}", key.key_id, key.profile, time(key.made_ms));
    }
    let Access { addresses, certificates } = vault.institution_access(&institution.to_string())?;
    let list = |texts: Vec<String>| if texts.is_empty() { "不限".to_owned() } else { texts.join(" ") };
    println!("网络 {}\n证书 {}", list(addresses), list(certificates));
    Ok(())
}

fn allow(institution: InstitutionId, addresses: Vec<String>, certificates: &[String], place: &Place) -> anyhow::Result<()> {
    ensure!(addresses.len() <= ADDRESSES_MAX, "最多 {ADDRESSES_MAX} 个网段。");
    ensure!(certificates.len() <= CERTIFICATES_MAX, "最多 {CERTIFICATES_MAX} 张证书。");
    if let Some(wrong) = addresses.iter().find(|address| !is_network(address)) {
        bail!("{wrong} 不是地址也不是网段:要写成 192.0.2.7 或 192.0.2.0/24。");
    }
    let read = |text: &String| crate::trust::fingerprint(text).with_context(|| format!("{text} 不是 SHA-256 指纹(64 位十六进制)。"));
    let certificates = certificates.iter().map(read).collect::<anyhow::Result<Vec<String>>>()?;
    let (networks, certificate_count) = (addresses.len(), certificates.len());
    vault_of(place)?.set_institution_access(&institution.to_string(), &Access { addresses, certificates })?;
    println!("{institution}:{networks} 个网段,{certificate_count} 张证书(0 就是不限)。马上生效。");
    Ok(())
}

fn sign(asked: &ToSign) -> anyhow::Result<Signed> {
    let pem = zeroizing(std::fs::read_to_string(&asked.key).with_context(|| format!("私钥文件 {} 读不出来", asked.key.display()))?);
    let key = SigningKey::from_pem(pem.reveal()).map_err(|why| anyhow::anyhow!("{} 里没有私钥:{why}", asked.key.display()))?;
    let url: reqwest::Url = asked.url.parse().ok().with_context(|| format!("网址 {} 写得不对", asked.url))?;
    let host = url.host_str().with_context(|| format!("网址 {} 里没有主机名", asked.url))?;
    let authority = authority(&url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
    let body = match (&asked.json, &asked.body) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(path)) if path.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes)?;
            bytes
        }
        (None, Some(path)) => std::fs::read(path).with_context(|| format!("{} 读不出来", path.display()))?,
        (None, None) => Vec::new(),
    };
    let method = asked.method.clone().unwrap_or_else(|| if body.is_empty() { "GET" } else { "POST" }.to_owned()).to_ascii_uppercase();
    let mut headers = Vec::new();
    if !body.is_empty() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        headers.push((signature::CONTENT_DIGEST.to_owned(), content_digest(key.profile(), &body)));
    }
    let idempotency_key = asked.idempotency_key.clone().or_else(|| (method == "POST").then(crate::service::key::fresh));
    headers.extend(idempotency_key.map(|key| (signature::IDEMPOTENCY_KEY.to_owned(), key)));
    let nonce = asked.nonce.clone().unwrap_or_else(|| to_base64url(&random::<18>()));
    ensure!(
        (signature::NONCE_LEN_MIN..=signature::NONCE_LEN_MAX).contains(&nonce.len())
            && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)),
        "随机串要 16 到 64 个字母、数字或 - _ . :。"
    );
    let created = asked.created.unwrap_or_else(|| system_now() / 1_000);
    let mut signed = Signed { key, method, authority, url, body, headers, base: String::new() };
    let made = signed.with(|request| sign_request(&signed.key, request, created, &nonce));
    signed.headers.push((signature::SIGNATURE_INPUT.to_owned(), made.signature_input));
    signed.headers.push((signature::SIGNATURE.to_owned(), made.signature));
    signed.base = made.base;
    Ok(signed)
}

fn zeroizing(text: String) -> gongji_store::seal::Sensitive {
    text.into()
}

impl Signed {
    fn with<T>(&self, work: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let query = self.url.query().unwrap_or_default();
        work(&Request { method: &self.method, authority: &self.authority, path: self.url.path(), query, headers: &headers })
    }
}

async fn call(signed: &Signed, platform_key: Option<&Path>) -> anyhow::Result<()> {
    ensure!(
        signed.url.scheme() == "http",
        "这个程序自己不做 TLS,只能直接叫 http:// 的沙箱或本机代理。https 请用 gongji institution sign 得到头,再用 curl 发。"
    );
    let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().redirect(reqwest::redirect::Policy::none()).user_agent("gongji-institution").build()?;
    println!("请求\n  {} {}", signed.method, signed.url);
    let mut request = http.request(reqwest::Method::from_bytes(signed.method.as_bytes())?, signed.url.clone());
    for (name, value) in &signed.headers {
        println!("  {name}: {value}");
        request = request.header(name, value);
    }
    println!("待签名文本\n{}", indented(&signed.base));
    let answered = request.body(signed.body.clone()).send().await.context("没有连上")?;
    let status = answered.status().as_u16();
    let headers: Vec<(String, String)> =
        answered.headers().iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect();
    let body = answered.bytes().await?;
    println!("回答\n  {status}");
    for name in [signature::CONTENT_DIGEST, signature::SIGNATURE_INPUT, signature::SIGNATURE, "idempotency-replayed", "retry-after"] {
        headers.iter().filter(|(known, _)| known == name).for_each(|(name, value)| println!("  {name}: {value}"));
    }
    println!("{}", indented(&String::from_utf8_lossy(&body)));
    let named: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ensure!(named.iter().any(|(name, _)| *name == signature::SIGNATURE), "回答没有平台签名:它不说明结果。签名核对不上的请求,得到的就是这样的回答。");
    let keys = match platform_key {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("平台公钥 {} 读不出来", path.display()))?;
            vec![VerifyingKey::from_pem(&text).map_err(|why| anyhow::anyhow!("{} 不是公钥:{why}", path.display()))?]
        }
        None => published(&http, &signed.url).await?,
    };
    let response = Response { status, headers: &named };
    let checked = keys.iter().map(|key| (key, signed.with(|request| verify_response(key, &response, request, &body))));
    match checked.clone().find(|(_, checked)| checked.is_ok()) {
        Some((key, _)) => println!("回答的签名核对无误,平台密钥 {}。", key.key_id()),
        None => bail!(
            "回答的签名核对不上,不能当作结果:{}",
            checked.filter_map(|(_, checked)| checked.err()).map(|why| why.to_string()).collect::<Vec<_>>().join(";")
        ),
    }
    Ok(())
}

/// The platform's keys from where it publishes them. Over a network, whoever can change the answer could change them too.
async fn published(http: &reqwest::Client, url: &reqwest::Url) -> anyhow::Result<Vec<VerifyingKey>> {
    let is_here =
        url.host_str().is_some_and(|host| host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()));
    ensure!(is_here, "请用 --platform-key 指定平台的公钥文件:它要从可靠的渠道拿到,不能从要核对的同一条路上取。");
    let body = http.get(url.join(WELL_KNOWN)?).send().await?.bytes().await?;
    let listed: serde_json::Value = serde_json::from_slice(&body).context("平台公钥读不懂")?;
    let keys = listed["keys"].as_array().into_iter().flatten().filter_map(|key| VerifyingKey::from_pem(key["public_key"].as_str()?).ok());
    Ok(keys.collect())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
