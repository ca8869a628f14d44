//! `gongji keys` beside the running program: a new sealing key, everything sealed again, the old one taken out of use.

use crate::postgres_server::Database;
use crate::program::{Program, run};
use serde_json::{Value, json};
use std::path::Path;

/// What a command says, or with what it refuses.
fn told(arguments: &[&str]) -> Result<String, String> {
    let output = run(arguments);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!err.contains("panicked"), "{err}");
    if output.status.success() { Ok(out) } else { Err(err) }
}

/// Logs in and reads what is sealed: the person and the list of devices.
async fn look(program: &Program) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let address = |path: &str| format!("{}/api/v1{path}", program.origin);
    let login = json!({ "id_number": "990151195203150023", "password": "260002" });
    let answer: Value = http.post(address("/sessions")).json(&login).send().await.unwrap().json().await.unwrap();
    let token = answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    for (path, seen) in [("/me", "王"), ("/sessions", "is_this")] {
        let answer = http.get(address(path)).bearer_auth(&token).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        assert!(answer.text().await.unwrap().contains(seen), "{path}");
    }
}

async fn change_keys(folder: &Path, store: &[&str]) {
    let data = folder.to_str().unwrap();
    let keys = |step: &str| told(&["keys", step, "--data", data]);
    let program = Program::sandbox(folder, store, "warn");
    look(&program).await;
    assert!(keys("status").unwrap().contains("第 1 把"));
    assert!(keys("rotate").unwrap().contains("第 2 把"));
    // The program goes on; whoever is new in between is sealed with either key.
    look(&program).await;
    let resealed = keys("reseal").unwrap();
    assert!(resealed.contains("还有 0 条没有换") && resealed.contains("gongji keys retire"), "{resealed}");
    look(&program).await;
    assert!(keys("reseal").unwrap().contains("还有 0 条没有换"), "once more changes nothing that matters");
    let refused = keys("retire").unwrap_err();
    assert!(refused.contains("正被另一个 gongji 进程使用"), "{refused}");
    assert!(program.stop().status.success());

    let retired = keys("retire").unwrap();
    assert!(retired.contains("移走了第 1 把"), "{retired}");
    assert!(keys("retire").unwrap().contains("没有要移走的"));
    let status = keys("status").unwrap();
    assert!(!status.contains("第 1 把") && status.contains("第 2 把"), "{status}");
    let program = Program::sandbox(folder, store, "warn");
    look(&program).await;
    assert!(program.stop().status.success());
    // A key that still seals something stays.
    keys("rotate").unwrap();
    let refused = keys("retire").unwrap_err();
    assert!(refused.contains("旧密钥封存") && refused.contains("gongji keys reseal"), "{refused}");
    assert!(told(&["keys", "rotate", "--data", "/nonexistent"]).unwrap_err().contains("没有 gongji 的数据"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_beside_the_running_program() {
    let folder = tempfile::tempdir().unwrap();
    change_keys(&folder.path().join("data"), &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_on_postgresql() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new());
    change_keys(&folder.path().join("data"), &["--store", &database.url()]).await;
}
