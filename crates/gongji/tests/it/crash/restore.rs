//! A backup is taken while families live their day; from it another machine goes on.

use super::*;
use crate::program::run;

fn backup(data: &Path, to: &Path) -> String {
    let output = run(&["backup", "--data", data.to_str().unwrap(), "--to", to.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Keys are open to their owner alone.
fn copy_keys(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole_and_another_machine_goes_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, busy, quiet) = (folder.path().join("data"), folder.path().join("busy"), folder.path().join("quiet"));
    let (program, _, wire) = start(&data, "4", u64::MAX);
    let mut families = gather(&wire, &CAST, 11).await;
    move_to_morning(&wire, 1).await;
    families.iter_mut().for_each(Family::wake);
    let (from, to) = (data.clone(), busy.clone());
    let copying = tokio::task::spawn_blocking(move || backup(&from, &to));
    let ended;
    (families, ended) = live(families, &wire, 1).await;
    assert!(ended, "the backup held nobody up");
    assert!(copying.await.unwrap().contains("备份好了"));
    let of_busy = verified(&busy);
    for family in &mut families {
        family.sleep(&wire, 1).await;
    }

    // At rest: what another machine shows is what everybody was told.
    let told = backup(&data, &quiet);
    assert!(program.stop().status.success());
    let (of_quiet, of_data) = (verified(&quiet), verified(&data));
    assert_eq!(of_quiet["heads"].as_array().unwrap().len(), 5);
    for (copied, head) in of_quiet["heads"].as_array().unwrap().iter().zip(of_data["heads"].as_array().unwrap()) {
        assert!(copied["seq"].as_u64() <= head["seq"].as_u64());
        assert!(told.contains(copied["hash"].as_str().unwrap()), "the heads are told, to be kept elsewhere");
    }
    assert!(of_busy["records"].as_u64() <= of_quiet["records"].as_u64() && of_busy["people"] == of_quiet["people"]);
    assert!(!quiet.join("keys").exists() && !quiet.join("p01/books.sqlite").exists());
    let without_keys = run(&["office", "reports", "--data", quiet.to_str().unwrap()]);
    assert!(!without_keys.status.success(), "nobody reads it without the keys");
    for restored in [&quiet, &busy] {
        copy_keys(&data.join("keys"), &restored.join("keys"));
        let (program, _, wire) = start(restored, "4", u64::MAX);
        let logins = sandbox(&wire, reqwest::Method::GET, "/logins", None).await;
        assert!(logins["logins"].as_array().unwrap().len() > CAST.len());
        if restored == &quiet {
            for family in &families {
                family.take_stock(&wire).await;
            }
        }
        let said = program.stop();
        assert!(said.status.success() && said.stderr.is_empty(), "{}\n{}", said.status, said.stderr);
        verified(restored);
    }
    let again = run(&["backup", "--data", data.to_str().unwrap(), "--to", busy.to_str().unwrap()]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("已经存在"));
}
