//! A month's end on the command line: cut, stated, exported, checked by every province, released by two persons, paid and closed.

use crate::program::{Program, run, verified};
use std::path::Path;

/// Succeeds; gives what it printed.
#[track_caller]
fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{arguments:?}: {err}{out}");
    out
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn files(folder: &Path, ending: &str) -> Vec<String> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
    let mut files: Vec<String> = all.filter(|path| path.ends_with(ending)).collect();
    files.sort();
    files
}

#[test]
fn a_month_is_cleared_from_its_cut_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    Program::sandbox(&data, &["--partitions", "3"], "warn").stop();
    let (data_path, out_path) = (data.to_str().unwrap(), out.to_str().unwrap());
    fn of<'a>(words: &[&'a str], data: &'a str) -> Vec<&'a str> {
        [&["clearing"], words, &["--data", data]].concat()
    }
    let by = ["--operator", "op-li"];
    assert!(refused(&of(&[&["cut", "202611"], &by[..]].concat(), data_path)).contains("PERIOD_NOT_OVER"));
    assert!(done(&of(&[&["cut", "202610"], &by[..]].concat(), data_path)).contains("已切账"));
    done(&of(&[&["cut", "202610"], &by[..]].concat(), data_path));
    let stated = done(&of(&[&["state", "202610"], &by[..]].concat(), data_path));
    let root = stated.split("总根 ").nth(1).unwrap().trim().to_owned();
    done(&of(&["export", "202610", "--out", out_path], data_path));
    let key = out.join("centre.pub.pem");
    let verify = |file: &str| run(&["clearing", "verify", file, "--key", key.to_str().unwrap()]);
    let of_provinces = files(&out, "-stated.clr");
    assert!(of_provinces.len() > 1, "{of_provinces:?}");
    for file in &of_provinces {
        let told = done(&["clearing", "verify", file, "--key", key.to_str().unwrap()]);
        assert!(told.contains("核对无误") && told.contains(&root), "{told}");
    }
    // One byte, and the province says where.
    let mut bytes = std::fs::read(&of_provinces[0]).unwrap();
    let at = bytes.iter().rposition(|byte| *byte == b'0').unwrap();
    bytes[at] = b'1';
    let changed = folder.path().join("changed.clr");
    std::fs::write(&changed, bytes).unwrap();
    let told = verify(changed.to_str().unwrap());
    assert!(String::from_utf8_lossy(&told.stderr).contains("被改动过"));
    // Every province confirms; then two persons release.
    let release = [&["release", "202610"], &by[..], &["--checker", "op-wang"]].concat();
    assert!(refused(&of(&release, data_path)).contains("SIDES_SILENT"));
    for file in &of_provinces {
        let province = file.rsplit('/').next().unwrap().split('-').nth(1).unwrap();
        done(&of(&[&["confirm", "202610", "--province", province, "--root", &root], &by[..]].concat(), data_path));
    }
    assert!(refused(&of(&[&["release", "202610"], &by[..], &["--checker", "op-li"]].concat(), data_path)).contains("SAME_OPERATOR"));
    done(&of(&release, data_path));
    done(&of(&["export", "202610", "--out", out_path], data_path));
    let notices = std::fs::read_to_string(out.join("202610-notices-released.csv")).unwrap();
    done(&of(&[&["notice", "202610"], &by[..]].concat(), data_path));
    // The bank's receipts, as the notices ask for them.
    let mut receipts = "reference,from,to,amount,day\n".to_owned();
    for (at, line) in notices.lines().skip(1).filter(|line| line.contains("付款通知书")).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let (from, to) = cells[0].split_once('-').unwrap().1.split_once('-').unwrap();
        receipts += &format!("B{at},{from},{to},{},2026-12-28\n", cells[4]);
    }
    let file = folder.path().join("receipts.csv");
    std::fs::write(&file, &receipts).unwrap();
    let enter = [&["receipts", "202610", file.to_str().unwrap()], &by[..]].concat();
    let entered = done(&of(&enter, data_path));
    assert!(done(&of(&enter, data_path)).starts_with("登记 0 条"), "{entered}");
    done(&of(&[&["fund", "202610"], &by[..], &["--checker", "op-wang"]].concat(), data_path));
    done(&of(&[&["close", "202610"], &by[..]].concat(), data_path));
    assert!(done(&of(&["show"], data_path)).contains("已关账"));
    verified(&data);
}
