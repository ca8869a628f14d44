//! `gongji sandbox`.

use crate::sandbox::{self, Plan, Running};
use crate::server;
use anyhow::Context;
use clap::Args;
use gongji_ledger::Part;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Sample logins and keys shown at start; all of them are on the sandbox page.
const SHOWN_MAX: usize = 4;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct SandboxArgs {
    /// 数据目录,默认 ./gongji-data;没有就建一个
    #[arg(long, value_name = "目录", default_value = super::DATA_FOLDER, hide_default_value = true)]
    data: PathBuf,
    /// 在哪个地址和端口上服务,默认 127.0.0.1:8080
    #[arg(long, value_name = "地址:端口", default_value = "127.0.0.1:8080", hide_default_value = true, value_parser = parse_listen)]
    listen: SocketAddr,
    /// 分区数,建立时定下,以后不能改
    #[arg(long, value_name = "个数")]
    partitions: Option<Part>,
    /// 时钟从几点开始(北京时间),默认 2026-11-23T10:00;已经走得更晚就接着走
    #[arg(long, value_name = "日期时间", value_parser = parse_clock)]
    clock: Option<i64>,
    /// 账本和个人信息库放在 PostgreSQL 里,写 postgres://用户@主机/库名;记住以后不用再写
    #[arg(long, value_name = "数据库地址")]
    store: Option<String>,
    /// 不要两个月的样例往来,从空账户开始
    #[arg(long)]
    no_history: bool,
}

/// `127.0.0.1:8080`, or this machine by its common name.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| "要写成 127.0.0.1:8080 这样".to_owned())
}

/// `2026-11-23T10:00`, in China.
fn parse_clock(text: &str) -> Result<i64, String> {
    let time: jiff::civil::DateTime = text.parse().map_err(|_| "时间要写成 2026-11-23T10:00 这样".to_owned())?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).map_err(|_| "没有这个时间".to_owned())?;
    Ok(zoned.timestamp().as_millisecond())
}

pub async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let listener =
        tokio::net::TcpListener::bind(args.listen).await.with_context(|| format!("{} 监听不了,可能被别的程序占用;用 --listen 换一个端口", args.listen))?;
    let address = listener.local_addr()?;
    let plan = Plan {
        folder: args.data,
        store: args.store,
        partitions: args.partitions,
        clock: args.clock.unwrap_or_else(sandbox::start_of_clock),
        with_history: !args.no_history,
    };
    let running = sandbox::start(&plan, &super::bar).await?;
    let mut greeting = String::new();
    greet(&running, address, &mut greeting).expect("a string takes every write");
    super::say(&greeting);
    let ticking = tokio::spawn(crate::jobs::tick(Arc::clone(&running.app)));
    let router = server::router(Arc::clone(&running.app), server::Profile::sandbox());
    let served = server::serve(listener, Arc::clone(&running.app.metrics), router, super::asked_to_stop()).await;
    ticking.abort();
    super::say("正在停下:把账本写完……\n");
    // Nothing may hold the partitions any more when they are closed.
    let _ = ticking.await;
    tokio::time::timeout(Duration::from_secs(30), running.app.engine.flush()).await.ok();
    running.app.engine.stop();
    super::say(&format!("已停下。数据在 {}。\n", plan.folder.display()));
    Ok(served?)
}

fn greet(running: &Running, address: SocketAddr, out: &mut String) -> std::fmt::Result {
    use std::fmt::Write;
    let Some(sample) = &running.app.sandbox else { return Ok(()) };
    let host = if address.ip().is_unspecified() { format!("127.0.0.1:{}", address.port()) } else { address.to_string() };
    writeln!(out, "共济沙箱已启动(里面的人、医院和钱都是虚构的)\n")?;
    writeln!(out, "  打开网页    http://{host}/")?;
    writeln!(out, "  沙箱控制台  http://{host}/sandbox  (时钟、验证码和通知、全部样例账号)")?;
    writeln!(out, "  收银台      http://{host}/cashier")?;
    writeln!(out, "  经办台      http://{host}/console  (登录名和动态码写在登录页上)")?;
    writeln!(out, "  接口说明    http://{host}/docs")?;
    writeln!(out, "  现在是      {}", crate::time::rfc3339(running.app.now()))?;
    writeln!(out, "  数据目录    {}({} 个分区)\n", running.installation.folder().display(), running.installation.partitions())?;
    writeln!(out, "样例账号(身份证号 / 医保码密码):")?;
    for login in sample.logins.iter().take(SHOWN_MAX) {
        writeln!(out, "  {}  {} / {}  {}", login.name, login.id_number, login.password, login.story)?;
    }
    writeln!(out, "  ……一共 {} 个\n", sample.logins.len())?;
    writeln!(out, "样例机构密钥:")?;
    for (code, name, key) in sample.institution_keys.iter().take(SHOWN_MAX) {
        writeln!(out, "  {name}({code})\n    {key}")?;
    }
    writeln!(out, "  ……一共 {} 个\n", sample.institution_keys.len())?;
    let folder = running.installation.folder().join(sandbox::SIGNING_KEYS_FOLDER);
    writeln!(
        out,
        "签名用的私钥(每家样例机构两把,公钥都已登记;规则见 docs/institutions/signing.md):\n  {}/机构代码-ed25519.pem 和 机构代码-sm2.pem",
        folder.display()
    )?;
    if let Some((code, _, _)) = sample.institution_keys.first() {
        writeln!(out, "  试一试:gongji institution call --key {}/{code}-ed25519.pem --url http://{host}/api/v1/institutions/payments\n", folder.display())?;
    }
    writeln!(out, "按 Ctrl-C 停下。")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name_too() {
        assert_eq!(parse_listen("localhost:8080").unwrap(), parse_listen("127.0.0.1:8080").unwrap());
        for wrong in ["8080", ":8080", "localhost", "例子:80", "127.0.0.1:99999"] {
            assert!(parse_listen(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_clock_is_read_in_china() {
        assert_eq!(parse_clock("2026-11-23T10:00").unwrap(), sandbox::start_of_clock());
        assert_eq!(parse_clock("2026-11-23T10:00:00.5").unwrap(), sandbox::start_of_clock() + 500);
        for wrong in ["", "10:00", "2026-02-30T10:00", "明天"] {
            assert!(parse_clock(wrong).is_err(), "{wrong}");
        }
    }
}
