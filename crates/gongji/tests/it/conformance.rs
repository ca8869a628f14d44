//! The conformance kit against the right server, over HTTP.

use gongji::conformance::{self, Wanted};
use gongji::sandbox::{self, CONFORMANCE_FILE, Plan, SIGNING_KEYS_FOLDER};
use gongji::server::{self, Profile};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kit_passes_the_right_server_and_writes_its_report() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { folder: folder.path().to_owned(), store: None, partitions: Some(2), clock: sandbox::start_of_clock(), with_history: true };
    let running = sandbox::start(&plan, &|_| indicatif::ProgressBar::hidden()).await.unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    let routes = server::router(Arc::clone(&running.app), Profile::sandbox());
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let keys = folder.path().join(SIGNING_KEYS_FOLDER).join(CONFORMANCE_FILE);

    let report = conformance::run(&target, &keys, &Wanted::All).await.unwrap();
    let failed: Vec<_> = report.failed().into_iter().map(|case| (case.name.clone(), case.why.clone())).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.count() >= 150, "{} cases", report.count());
    let names: BTreeSet<&str> = report.groups.iter().flat_map(|group| &group.cases).map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), report.count(), "names are unique");

    let [html, json] = report.write(&folder.path().join("report")).unwrap();
    let page = std::fs::read_to_string(html).unwrap();
    assert!(page.contains("全部通过") && !page.contains("<script") && !page.contains("src=") && !page.contains("href=\"http"), "one page, on its own");
    let told: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((told["cases"].as_u64(), told["failed"].as_u64()), (Some(report.count() as u64), Some(0)));
    serving.abort();
}
