//! The commands as a shell sees them: what they print, and with what they exit.

use gongji::installation::{Installation, Profile};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn gongji(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gongji")).args(args).env("RUST_BACKTRACE", "0").output().unwrap()
}

/// Succeeds and prints something.
#[track_caller]
fn printed(args: &[&str]) -> String {
    let output = gongji(args);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{args:?}: {err}{out}");
    out
}

/// Fails with exit code 1 and says why, without a panic.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let output = gongji(args);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
    assert!(!err.contains("panicked") && !err.trim().is_empty(), "{err}");
    err
}

/// Fails with exit code 2, since it was typed wrong.
#[track_caller]
fn refused_as_typed(args: &[&str]) -> String {
    let output = gongji(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

#[test]
fn the_journey_passes_in_one_partition() {
    let told = printed(&["demo", "--partitions", "1"]);
    assert!(told.contains("账本核对无误") && told.contains("演示走完了"), "{told}");
}

#[test]
fn the_journey_passes_with_payer_receiver_and_institution_apart() {
    let told = printed(&["demo", "--partitions", "8"]);
    assert!(told.contains("账本核对无误") && told.contains("8 个分区"), "{told}");
}

#[test]
fn two_lists_are_reconciled_without_an_installation() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours, out) = (folder.path().join("theirs.csv"), folder.path().join("ours.csv"), folder.path().join("out.csv"));
    let header = "mdtrt_id,acct_pay,refd_setl_flag\n";
    std::fs::write(&ours, format!("{header}A1,36.50,0\nA2,40.00,0\nA2,-40.00,1\n")).unwrap();
    std::fs::write(&theirs, format!("{header}A1,36.50,0\nA2,40.00,0\nA2,-40.00,1\n")).unwrap();
    let lists = ["reconcile", path(&theirs), path(&ours)];
    assert!(printed(&lists).contains("两边一致 3 笔"));
    std::fs::write(&theirs, format!("{header}A1,36.51,0\nA2,40.00,0\n")).unwrap();
    let told = refused(&[&lists[..], &["--day", "2026-11-22", "--class", "11-310", "--out", path(&out), "--encoding", "gbk"]].concat());
    assert!(told.contains("有 2 处差异要核对"), "{told}");
    let breaks = std::fs::read(&out).unwrap();
    assert!(std::str::from_utf8(&breaks).is_err() && breaks.windows(14).any(|letters| letters == b"AMOUNT_DIFFERS"));
    std::fs::write(&theirs, format!("{header}A1,36.5x,0\n")).unwrap();
    let told = refused(&lists);
    assert!(told.contains("第 2 行,acct_pay") && told.contains("没有对账"), "{told}");
    assert!(refused_as_typed(&[&lists[..], &["--class", "12-310"]].concat()).contains("11-310"));
}

#[test]
fn one_process_works_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("persons.csv");
    std::fs::write(&file, "id_number,name,phone\n990137198405120013,李强,19900000001\n").unwrap();
    let data = folder.path().join("data");
    let held = Installation::open_or_create(&data, Profile::Sandbox, Some(2)).unwrap();
    let import = ["import", "persons", path(&file), "--data", path(&data)];
    assert!(refused(&import).contains("正被另一个 gongji 进程使用"));
    drop(held);
    assert!(printed(&import).contains("新导入 1 行"));
    assert!(printed(&import).contains("以前导入过 1 行"));
    assert!(refused(&["sandbox", "--data", path(&data), "--partitions", "3", "--listen", "127.0.0.1:0"]).contains("2 个分区"));
    std::fs::write(&file, "id_number,name,phone\n990137198405120014,李强,19900000001\n").unwrap();
    let told = refused(&import);
    assert!(told.contains("第 2 行,id_number") && told.contains("什么都没有导入"), "{told}");
    std::fs::write(&file, "name,phone\n李强,19900000001\n").unwrap();
    let told = refused(&import);
    assert_eq!(told.matches("表头不对").count(), 1, "said once: {told}");
}

#[test]
fn what_is_missing_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    assert!(refused(&["verify", "--data", path(&nowhere)]).contains("没有 gongji 的账本"));
    assert!(!nowhere.exists(), "looking makes nothing");
    assert!(refused(&["import", "regions", "/nonexistent.csv"]).contains("打不开"));
    assert!(refused(&["office", "recover", "confirm", "--request", "1", "--operator", "王", "--data", path(&nowhere)]).contains("没有 gongji 的数据"));
}

#[test]
fn production_does_not_start_unsafe_or_on_a_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gongji.toml");
    std::fs::write(&config, printed(&["config"])).unwrap();
    let told = refused(&["serve", "--config", path(&config)]);
    for name in ["[base-url-missing]", "[adapter-missing]"] {
        assert!(told.contains(name), "{told}");
    }
    std::fs::write(&config, "lisen = \"127.0.0.1:8080\"\n").unwrap();
    assert!(refused(&["serve", "--config", path(&config)]).contains("写得不对"));

    let data = folder.path().join("data");
    drop(Installation::open_or_create(&data, Profile::Sandbox, Some(1)).unwrap());
    let adapters = ["sms", "face", "registry"].map(|name| format!("[adapters.{name}]\nurl = \"http://127.0.0.1:9\"\n")).concat();
    let safe = format!("listen = \"127.0.0.1:0\"\nbase_url = \"https://wallet.example.cn\"\n[data]\nfolder = \"{}\"\n{adapters}", data.display());
    std::fs::write(&config, safe).unwrap();
    assert!(refused(&["serve", "--config", path(&config)]).contains("是沙箱的数据目录"));
}

/// One request, as a proxy in front would pass it on.
fn status_of(address: &str, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nhost: wallet.example.cn\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn production_serves_without_anything_of_the_sandbox_and_keeps_its_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let (config, data) = (folder.path().join("gongji.toml"), folder.path().join("data"));
    let write = |partitions: u16| {
        let adapters = ["sms", "face", "registry"].map(|name| format!("[adapters.{name}]\nurl = \"http://127.0.0.1:9\"\n")).concat();
        let head = "listen = \"127.0.0.1:0\"\nbase_url = \"https://wallet.example.cn\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n[data]\n";
        std::fs::write(&config, format!("{head}folder = \"{}\"\npartitions = {partitions}\n{adapters}", data.display())).unwrap();
    };
    write(2);
    let mut serving = Command::new(env!("CARGO_BIN_EXE_gongji")).args(["serve", "--config", path(&config)]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said = |what: &str| {
        let line = lines.find(|line| line.contains(&format!("\"{what}\""))).unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["fields"].clone()
    };
    let (address, watched) = (said("serving"), said("watched at /metrics"));
    let of = |line: &serde_json::Value| line["listen.address"].as_str().unwrap().to_owned();
    let (address, watched) = (of(&address), of(&watched));
    assert_eq!(status_of(&address, "GET /healthz"), "200");
    for route in ["GET /api/v1/sandbox/clock", "POST /api/v1/sandbox/clock", "GET /api/v1/sandbox/inbox", "GET /sandbox", "GET /sandbox/inbox"] {
        assert_eq!(status_of(&address, route), "404", "{route}");
    }
    // The number that the caller was given, the reason, and the pattern of the route: no address.
    let line = said("refused");
    assert_eq!((line["code"].as_str(), line["route"].as_str()), (Some("ROUTE_UNKNOWN"), Some("/api/{*rest}")), "{line}");
    assert!(line["quoted"] == line["trace_id"] && line["quoted"].as_str().unwrap().len() == 32 && !line.to_string().contains("clock"), "{line}");
    // Those who watch have an address of their own.
    let both = |route: &str| (status_of(&address, route), status_of(&watched, route));
    assert_eq!(both("GET /metrics"), ("404".to_owned(), "200".to_owned()));
    assert_eq!(both("GET /login"), ("200".to_owned(), "404".to_owned()));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o077, 0, "nobody else looks in");
    assert!(Command::new("kill").arg(serving.id().to_string()).status().unwrap().success());
    assert_eq!(serving.wait().unwrap().code(), Some(0));
    write(3);
    assert!(refused(&["serve", "--config", path(&config)]).contains("2 个分区"));
}

#[test]
fn a_lost_phone_is_replaced_by_two_people() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("persons.csv");
    std::fs::write(&file, "id_number,name,phone\n990137198405120013,李强,19900000001\n").unwrap();
    drop(Installation::open_or_create(&data, Profile::Sandbox, Some(1)).unwrap());
    printed(&["import", "persons", path(&file), "--data", path(&data)]);
    let request = |phone: &str| {
        let args = [
            "office",
            "recover",
            "request",
            "--id-number",
            "990137198405120013",
            "--phone",
            phone,
            "--reason",
            "手机丢了",
            "--operator",
            "张三",
            "--data",
            path(&data),
        ];
        gongji(&args)
    };
    assert!(!request("123").status.success(), "a phone has eleven digits");
    let told = String::from_utf8(request("19900000099").stdout).unwrap();
    let number: String = told.chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let confirm = |operator| ["office", "recover", "confirm", "--request", &number, "--operator", operator, "--data", path(&data)];
    refused(&confirm("张三"));
    assert!(printed(&confirm("李四")).contains("已复核"));
    refused(&confirm("王五"));
}

#[test]
fn the_office_reads_where_the_wallet_did_not_work() {
    use gongji_store::vault::{PlaceReport, Vault};
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(Installation::open_or_create(&data, Profile::Sandbox, Some(1)).unwrap());
    let now = gongji::sandbox::start_of_clock();
    let report = |institution: &str, reporter, made_ms| {
        let report = PlaceReport { institution: institution.to_owned(), what: "counter".to_owned(), reporter, order_no: None, made_ms };
        assert!(Vault::open(&data, 1).unwrap().put_place_report(&report).unwrap());
    };
    report("H51050000001", Some(7), now - 60_000);
    report("H51050000001", None, now - 50_000);
    report("P37010000001", None, now - 40_000);
    report("P37010000001", None, now - 40 * 86_400_000);
    let told = printed(&["office", "reports", "--data", path(&data)]);
    assert!(told.contains("3 条,2 家机构") && told.contains("窗口说不能用钱包  登录用户"), "{told}");
    assert!(told.find("H51050000001").unwrap() < told.find("P37010000001").unwrap(), "most voices first: {told}");
    assert!(printed(&["office", "reports", "--days", "60", "--data", path(&data)]).contains("4 条"));
}

#[test]
fn the_contract_is_printed_as_json() {
    let document: serde_json::Value = serde_json::from_str(&printed(&["openapi"])).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn help_is_in_chinese() {
    let help = printed(&["--help"]);
    assert!(help.contains("用法:") && help.contains("sandbox") && !help.contains("Usage"), "{help}");
    for command in ["sandbox", "serve", "import", "verify", "demo", "bench", "institution"] {
        let help = printed(&[command, "--help"]);
        assert!(help.contains("用法:") && !help.contains("[default") && !help.contains("Possible values"), "{help}");
    }
}

#[test]
fn a_mistyped_command_line_is_answered_in_chinese() {
    for (args, named) in [
        (&["sandbx"][..], "sandbx"),
        (&["sandbox", "--lisen", "x"], "--lisen"),
        (&["sandbox", "--clock", "明天"], "2026-11-23T10:00"),
        (&["sandbox", "--listen", "8080"], "8080"),
        (&["import", "person", "x.csv"], "person"),
        (&["import", "persons"], "<文件>"),
        (&["serve"], "--config"),
        (&["import", "persons", "x.csv", "--data", "a", "--config", "b"], "--config"),
    ] {
        let output = gongji(args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(named) && told.contains("--help 看用法"), "{args:?}: {told}");
    }
}

#[test]
fn a_busy_day_of_cashiers_ends_with_books_that_agree() {
    let told = printed(&["cashiers", "--orders", "40", "--institutions", "6", "--seed", "3"]);
    assert!(told.contains("6 家机构的账和平台逐单一致") && told.contains("账本核对无误"), "{told}");
    for story in gongji::cashiers::Story::ALL {
        assert!(told.contains(story.label()), "{} is missing: {told}", story.label());
    }
    for way in ["· 签名 ed25519", "· 签名 sm2", "· 机构密钥"] {
        assert!(told.contains(way), "nobody came in by “{way}”: {told}");
    }
}
