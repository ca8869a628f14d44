//! An installation on PostgreSQL: made there, moved there, audited there.

use crate::postgres_server::Database;
use gongji::sandbox::{self, Plan, Running};
use gongji::verify;
use gongji_ledger::HolderId;
use gongji_wallet::directory::Readiness;
use gongji_wallet::object::Holder;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

async fn start(folder: &Path, store: Option<String>) -> Running {
    let plan = Plan { folder: folder.to_owned(), store, partitions: Some(2), clock: sandbox::start_of_clock(), with_history: true };
    sandbox::start(&plan, &|_| ProgressBar::hidden()).await.unwrap()
}

fn people(running: &Running) -> Vec<Holder> {
    let logins = &running.app.sandbox.as_ref().unwrap().logins;
    let holder = |id_number: &str| running.app.vault.find_by_id_number(id_number).unwrap().unwrap();
    logins.iter().map(|login| running.app.engine.holder(HolderId(holder(&login.id_number))).unwrap().unwrap()).collect()
}

fn gongji(args: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_gongji")).args(args).env("RUST_BACKTRACE", "0").output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!err.contains("panicked"), "{err}");
    if output.status.success() { Ok(out) } else { Err(err) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_postgresql_whole_and_lives_on_there() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let (path, url) = (folder.path().to_str().unwrap(), database.url());
    let running = start(folder.path(), None).await;
    let (before, keys) = (people(&running), running.app.sandbox.as_ref().unwrap().institution_keys.clone());
    drop(running);
    let in_files = verify::run(folder.path(), true).unwrap();

    let told = gongji(&["copy", "--from", path, "--to", &url]).unwrap();
    assert!(told.contains("两边逐条比对一致"), "{told}");
    std::fs::remove_file(folder.path().join("vault.sqlite")).unwrap();
    std::fs::remove_dir_all(folder.path().join("p01")).unwrap();
    assert_eq!(verify::run(folder.path(), true).unwrap(), in_files);
    assert!(gongji(&["copy", "--from", path, "--to", &url]).unwrap_err().contains("已经在数据库里"));
    let other = tempfile::tempdir().unwrap();
    drop(start(other.path(), None).await);
    assert!(gongji(&["copy", "--from", other.path().to_str().unwrap(), "--to", &url]).unwrap_err().contains("已经有数据"));

    // The folder remembers where everything is now.
    let running = start(folder.path(), None).await;
    assert_eq!(people(&running), before);
    let owner = running.app.vault.verify_institution_key(&keys[0].2).unwrap();
    assert_eq!(owner.as_deref(), Some(keys[0].0.as_str()));
    assert!(before.iter().any(|person| !person.incoming.is_empty()));
    assert!(sandbox::set_clock(&running.app, sandbox::start_of_clock() + 20 * 3_600_000).await.unwrap());
    assert!(people(&running).iter().all(|person| person.incoming.is_empty()), "at six what nobody took goes back");
    drop(running);
    let report = verify::run(folder.path(), true).unwrap();
    assert!(report.records > in_files.records && report.undelivered == 0);
    let told = gongji(&["verify", "--data", path]).unwrap();
    assert!(told.contains("账本核对无误"), "{told}");

    let fewer = database.sql("delete from journal where part = 2 and seq = 3 returning seq");
    assert_eq!(fewer.trim(), "3");
    assert!(gongji(&["verify", "--data", path]).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_made_on_postgresql_keeps_nothing_but_its_keys_in_the_folder() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let running = start(folder.path(), Some(database.url())).await;
    let before = people(&running);
    drop(running);
    let mut names: Vec<String> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["installation.toml", "institution-keys", "keys", "lock"]);
    let running = start(folder.path(), Some(database.url())).await;
    assert_eq!(people(&running), before);
    drop(running);
    let report = verify::run(folder.path(), true).unwrap();
    assert_eq!((report.partitions, report.people, report.undelivered), (2, 63, 0));
    // The keys of another folder open nothing here.
    let stranger = tempfile::tempdir().unwrap();
    let plan = Plan { folder: stranger.path().to_owned(), store: Some(database.url()), partitions: Some(2), clock: 0, with_history: false };
    assert!(sandbox::start(&plan, &|_| ProgressBar::hidden()).await.is_err());
}

/// A production start on the database, with its own folder and the keys of all.
struct Serving {
    child: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
    /// Where others reach it, if they do.
    peers: String,
}

/// A field of a line of the log.
fn field(line: &str, name: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["fields"][name].as_str().unwrap().to_owned()
}

impl Serving {
    fn start(folder: &Path, name: &str, url: &str) -> Serving {
        Serving::start_with(folder, name, url, "")
    }

    /// One that shares the database with others.
    fn start_among(folder: &Path, name: &str, url: &str) -> Serving {
        let mut serving = Serving::start_with(folder, name, url, "[peers]\nlisten = \"127.0.0.1:0\"\n[institutions]\nbearer_alone = true\n");
        serving.peers = field(&serving.says("reached by other processes"), "peers.address");
        serving
    }

    fn start_with(folder: &Path, name: &str, url: &str, more: &str) -> Serving {
        let config = folder.join(format!("{name}.toml"));
        let adapters = ["sms", "face", "registry"].map(|name| format!("[adapters.{name}]\nurl = \"http://127.0.0.1:9\"\n")).concat();
        let data = format!("folder = \"{}\"\nkeys = \"{}\"\npartitions = 2\nstore = \"{url}\"", folder.join(name).display(), folder.join("keys").display());
        std::fs::write(&config, format!("listen = \"127.0.0.1:0\"\nbase_url = \"https://wallet.example.cn\"\n[data]\n{data}\n{more}{adapters}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gongji"));
        let mut child =
            command.args(["serve", "--config"]).arg(&config).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        Serving { child, lines, peers: String::new() }
    }

    /// Reads on in what it says until these words.
    #[track_caller]
    fn says(&mut self, what: &str) -> String {
        self.lines.by_ref().map(Result::unwrap).find(|line| line.contains(what)).unwrap_or_else(|| panic!("it ends without {what:?}"))
    }

    /// Where it listens, once it does.
    fn origin(&mut self) -> String {
        format!("http://{}", field(&self.says("\"serving\""), "listen.address"))
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

#[test]
fn a_spare_takes_over_from_a_process_that_is_gone() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let start = |name: &str| Serving::start(folder.path(), name, &database.url());
    let epoch = || database.sql("select min(epoch) from ledger_part").trim().parse::<u64>().unwrap();
    let mut first = start("first");
    first.says("\"serving\"");
    let mut spare = start("spare");
    spare.says("waiting as its spare");
    let before = epoch();
    let killed = std::time::Instant::now();
    first.signal("-KILL");
    spare.says("\"serving\"");
    println!("a spare serves {} ms after kill -9", killed.elapsed().as_millis());
    assert!(epoch() > before, "whatever the first had under way is fenced off");
}

#[test]
fn one_that_comes_back_gives_way() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let start = |name: &str| Serving::start(folder.path(), name, &database.url());
    let mut spare = start("spare");
    spare.says("\"serving\"");
    // One that stands still for as long is taken for dead. When it goes on it sees that it was replaced, and ends.
    let mut third = start("third");
    third.says("waiting as its spare");
    spare.signal("-STOP");
    third.says("\"serving\"");
    spare.signal("-CONT");
    let mut said = String::new();
    std::io::Read::read_to_string(spare.child.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert!(!spare.child.wait().unwrap().success() && said.contains("接管了数据库"), "{said}");

    // A plain stop gives the turn back: nobody has to wait for it.
    third.signal("-TERM");
    third.says("\"stopped\"");
    assert!(third.child.wait().unwrap().success());
    assert_eq!(database.sql("select count(*) from process").trim(), "0");
    let other = start("first");
    let path = folder.path().join("first");
    assert!({ other }.says("\"serving\"").contains("serving"));
    verify::run(&path, true).unwrap();
}

/// Somebody with a wallet, and the institution where they pay.
#[derive(Clone)]
struct Payer {
    holder: HolderId,
    login: gongji::app::SampleLogin,
    till: String,
}

/// What is asked over HTTP of whichever process answers, again and again with the same key until there is an answer.
#[derive(Clone)]
struct Country {
    http: reqwest::Client,
    origins: Arc<Vec<String>>,
}

impl Country {
    fn of(origins: Vec<String>) -> Country {
        let http = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(20)).build().unwrap();
        Country { http, origins: Arc::new(origins) }
    }

    /// Asks the process with this number first, then the others in turn.
    async fn ask(&self, first: usize, path: &str, token: &str, key: Option<String>, body: Option<Value>) -> Value {
        for at in first..first + 2_000 {
            let url = format!("{}/api/v1{path}", self.origins[at % self.origins.len()]);
            let mut request = if body.is_some() { self.http.post(url) } else { self.http.get(url) };
            request = request.header("Host", "wallet.example.cn").bearer_auth(token);
            if let Some(key) = &key {
                request = request.header("Idempotency-Key", key);
            }
            if let Some(body) = &body {
                request = request.json(body);
            }
            // One that was killed does not answer.
            let Ok(response) = request.send().await else { continue };
            let status = response.status().as_u16();
            let Ok(text) = response.text().await else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if status < 300 {
                return answer;
            }
            let code = answer["code"].as_str().unwrap_or_default();
            assert!(status == 503 || code == "STILL_OPEN" || code == "CODE_SHOWN_ONCE", "{path}: {status} {answer}");
            if code == "CODE_SHOWN_ONCE" {
                return answer;
            }
        }
        panic!("no answer: {path}")
    }

    /// Pays one yuan, each step asked of another process. The order's number.
    async fn pay(&self, payer: &Payer, token: &str, number: usize) -> String {
        let order = format!("{}-{number}", payer.holder.0);
        let key = |step: &str| Some(format!("{step}-{}-{number}", payer.holder.0));
        let mut code = Value::Null;
        for again in 0..9 {
            // A code whose answer was lost is not shown again.
            code = self.ask(number, "/payment-codes", token, key(&format!("code{again}")), Some(json!({ "first": "wallet_only" }))).await["code"].clone();
            if code != "CODE_SHOWN_ONCE" {
                break;
            }
        }
        let yuan = json!({ "amount": 100, "currency": "CNY" });
        let bill = json!({ "total": yuan, "fund": { "amount": 0, "currency": "CNY" }, "own": yuan });
        let hold = json!({ "order_no": order, "payer": { "code": code }, "bill": bill });
        let held = self.ask(number + 1, "/institutions/payments", &payer.till, key("hold"), Some(hold)).await;
        let path = format!("/institutions/payments/{}/capture", held["payment"].as_str().unwrap_or_else(|| panic!("{held}")));
        let captured = self.ask(number + 2, &path, &payer.till, key("capture"), Some(json!({ "amount": yuan, "last": true }))).await;
        assert_eq!(captured["state"], "captured");
        order
    }
}

async fn login(country: &Country, payer: &Payer) -> String {
    let body = json!({ "id_number": payer.login.id_number, "password": payer.login.password });
    country.ask(0, "/sessions", "", None, Some(body)).await["token"].as_str().unwrap().to_owned()
}

/// A sample country on a database, with those who can pay at a hospital of their place.
async fn with_payers(folder: &Path, url: &str) -> Vec<Payer> {
    let running = start(&folder.join("sandbox"), Some(url.to_owned())).await;
    std::os::unix::fs::symlink(folder.join("sandbox/keys"), folder.join("keys")).unwrap();
    let sandbox = running.app.sandbox.as_ref().unwrap();
    let mut payers = Vec::new();
    for login in &sandbox.logins {
        let holder = HolderId(running.app.vault.find_by_id_number(&login.id_number).unwrap().unwrap());
        let person = running.app.engine.holder(holder).unwrap().unwrap();
        let place = person.wallet.as_ref().map(|wallet| wallet.place);
        let directory = running.app.directory();
        let till = sandbox.institution_keys.iter().find(|(code, ..)| {
            let institution = directory.institutions.get(&gongji_ledger::InstitutionId::parse(code).unwrap());
            institution.is_some_and(|institution| Some(institution.area) == place && institution.readiness == Readiness::Ready && !institution.is_pharmacy)
        });
        if let (Some((_, _, key)), true) = (till, person.wallet_total() >= gongji_ledger::Fen(10_000)) {
            payers.push(Payer { holder, login: login.clone(), till: key.clone() });
        }
    }
    drop(running);
    payers.truncate(3);
    payers
}

fn wallet_of(database: &Database, payer: &Payer) -> gongji_ledger::Fen {
    use gongji_store::store::Store;
    let store = gongji_store::postgres::PostgresStore::open(&database.url(), 2).unwrap();
    let found = store.books(payer.holder.part()).unwrap().load(&gongji_wallet::ids::Key::Holder(payer.holder)).unwrap();
    let Some(gongji_wallet::object::Object::Holder(person)) = found else { panic!("nobody") };
    assert_eq!(person.held, gongji_ledger::Fen(0));
    person.wallet_total()
}

#[test]
fn one_of_several_that_stood_still_finds_itself_replaced_and_ends() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let mut one = Serving::start_among(folder.path(), "one", &database.url());
    one.says("\"serving\"");
    let mut other = Serving::start_among(folder.path(), "other", &database.url());
    other.says("\"serving\"");
    let owners = |peers: &str| database.sql(&format!("select count(*) from part_owner join process using (name) where address = '{peers}'")).trim().to_owned();
    while owners(&other.peers) == "0" {}
    other.signal("-STOP");
    one.says("a process is gone");
    while owners(&one.peers) != "3" {}
    other.signal("-CONT");
    let mut said = String::new();
    std::io::Read::read_to_string(other.child.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert!(!other.child.wait().unwrap().success() && said.contains("接管了数据库"), "{said}");
    // Whoever works alone waits until the last of them is gone.
    let mut alone = Serving::start(folder.path(), "alone", &database.url());
    alone.says("waiting as its spare");
    one.signal("-TERM");
    one.says("\"stopped\"");
    assert!(one.child.wait().unwrap().success());
    alone.says("\"serving\"");
    assert_eq!(owners(""), "3");
}

/// Payments of each while the processes live and die.
const PAYMENTS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_share_the_work_and_a_killed_one_takes_nothing_with_it() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    let payers = with_payers(folder.path(), &database.url()).await;
    assert!(payers.len() >= 2, "somebody has money");
    let before: Vec<_> = payers.iter().map(|payer| wallet_of(&database, payer)).collect();
    let mut processes = ["one", "two", "three"].map(|name| Serving::start_among(folder.path(), name, &database.url()));
    let country = Country::of(processes.iter_mut().map(Serving::origin).collect());
    let owners = || database.sql("select count(distinct name) from part_owner join process using (name)").trim().to_owned();
    while owners() != "3" {
        tokio::task::yield_now().await;
    }
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut paying = tokio::task::JoinSet::new();
    for payer in payers.clone() {
        let (country, tell) = (country.clone(), tell.clone());
        paying.spawn(async move {
            let token = login(&country, &payer).await;
            let mut orders = Vec::new();
            for number in 0..PAYMENTS {
                orders.push(country.pay(&payer, &token, number).await);
                tell.send(()).unwrap();
            }
            (payer, orders)
        });
    }
    drop(tell);
    for _ in 0..payers.len() {
        told.recv().await.unwrap();
    }
    // The one that works on the first payer's partition.
    let owner = format!("select address from process join part_owner using (name) where part_owner.part = {}", payers[0].holder.part());
    let address = database.sql(&owner);
    let killed = processes.iter().position(|process| process.peers == address.trim()).unwrap();
    let survivor = (killed + 1) % 3;
    let token = login(&country, &payers[0]).await;
    processes[killed].signal("-KILL");
    let begun = std::time::Instant::now();
    let others = Country::of(vec![country.origins[survivor].clone()]);
    others.ask(0, "/wallet", &token, None, None).await;
    println!("partition {} is answered for by another process {} ms after kill -9", payers[0].holder.part(), begun.elapsed().as_millis());
    // It comes back and takes its share, at another address.
    let _ = processes[killed].child.wait();
    processes[killed] = Serving::start_among(folder.path(), ["one", "two", "three"][killed], &database.url());
    while owners() != "3" {
        tokio::task::yield_now().await;
    }
    for (payer, orders) in paying.join_all().await {
        for order in orders {
            let found = country.ask(survivor, &format!("/institutions/payments/by-order/{order}"), &payer.till, None, None).await;
            assert_eq!((found["state"].as_str(), found["captured"]["amount"].as_i64()), (Some("captured"), Some(100)), "{order}");
        }
    }
    for process in &mut processes {
        process.signal("-TERM");
        process.says("\"stopped\"");
        assert!(process.child.wait().unwrap().success());
    }
    for (payer, before) in payers.iter().zip(before) {
        assert_eq!(wallet_of(&database, payer), before - gongji_ledger::Fen(100 * PAYMENTS as i64), "{}", payer.login.name);
    }
    assert_eq!(verify::run(&folder.path().join("one"), true).unwrap().undelivered, 0);
}
