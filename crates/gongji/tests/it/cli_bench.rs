//! The bench, on a country of a few hundred: what it measures is real work, lawful and audited. How fast is nobody's business here.

use crate::program::run;
use serde_json::Value;

/// Sizes at which each part takes a moment.
const SMALL: &[&str] = &[
    "--holders",
    "200",
    "--transfers",
    "300",
    "--payments",
    "60",
    "--http-payments",
    "20",
    "--http-holders",
    "40",
    "--http-transfers",
    "20",
    "--single",
    "12",
    "--memory-holders",
    "100",
    "--growth-holders",
    "60",
    "--growth-movements",
    "150",
    "--pages",
    "10",
];

fn bench(arguments: &[&str]) -> String {
    let output = run(&[&["bench"], SMALL, arguments].concat());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !complaint.contains("panicked"), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

fn measured(arguments: &[&str]) -> Value {
    let report: Value = serde_json::from_str(&bench(&[arguments, &["--json"]].concat())).unwrap();
    assert_eq!(report["books"], "verified");
    report
}

fn runs(figure: &Value) -> usize {
    let runs = figure["runs"].as_array().unwrap();
    assert!(runs.contains(&figure["median"]), "{figure}");
    runs.len()
}

#[test]
fn each_part_does_all_its_work_and_tells_where() {
    let report = measured(&["--repeat", "1"]);
    assert_eq!((report["repeat"].as_u64(), report["machine"]["cores"].as_u64().map(|cores| cores > 0)), (Some(1), Some(true)));
    assert!(report["date"].as_str().unwrap().ends_with("+08:00"));
    let core = &report["core"];
    assert_eq!((&core["transfers"], &core["refused"]), (&300.into(), &0.into()));
    assert!(core["journal_bytes_per_transfer"].as_u64().unwrap() > 0);
    assert_eq!((&report["payments"]["payments"], &report["payments"]["refused"]), (&60.into(), &0.into()));
    let http = report["http"].as_array().unwrap();
    assert_eq!(
        http.iter().map(|http| (http["connections"].as_u64(), http["refused"].as_u64())).collect::<Vec<_>>(),
        [(Some(64), Some(0)), (Some(256), Some(0))]
    );
    assert!(report["single"]["record_bytes"].as_u64().unwrap() > 100);
    assert_eq!((&report["memory"]["lots"], &report["memory"]["relations"]), (&2.into(), &4.into()));
    assert_eq!((&report["growth"]["holders"], &report["growth"]["movements"]), (&60.into(), &150.into()));
    assert!(report["growth"]["ratio"].is_number(), "beside the core it is a share of it");
    let statement = &report["statement"];
    // A contribution, a first transfer, and what each sends and receives every day.
    assert!(statement["pages"] == 10 && statement["lines"].as_u64().unwrap() >= 40, "{statement}");
    assert!(report["restart"]["tail_records"]["median"].is_number());
    let told = report.to_string();
    assert!(!told.contains("/tmp") && !told.contains("gongji-bench"), "no folder of this machine: {told}");
}

#[test]
fn what_is_killed_again_and_again_serves_again() {
    let report = measured(&["--only", "restart", "--repeat", "3"]);
    assert_eq!((runs(&report["restart"]["serving_ms"]), runs(&report["restart"]["tail_events"])), (3, 3));
    assert!(report.get("core").is_none() && report.get("growth").is_none() && report.get("statement").is_none(), "nothing else was asked for");
}

#[test]
fn the_table_sets_each_figure_beside_its_goal() {
    let table = bench(&["--only", "core,single", "--repeat", "2"]);
    for part in ["核心,200 人", "目标 ≥ 300000 笔/秒", "每笔占磁盘", "一个人,一次一笔", "≤ 1.5 倍", "各 2 次;账册:已核对"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(!table.contains("HTTP") && !table.contains("kill"), "{table}");
}

#[test]
fn a_part_that_is_not_there_is_named_with_those_that_are() {
    let output = run(&["bench", "--only", "core,speed"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("speed") && told.contains("payments"), "{told}");
}
