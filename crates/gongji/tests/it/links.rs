//! Wherever a page points to, there is something: for a stranger, and for people with a life behind them.

use crate::program::Program;
use reqwest::header;
use std::collections::{BTreeMap, BTreeSet};

/// Most addresses that differ in what follows the question mark alone: every page offers to log in and come back.
const QUERIES_MAX: usize = 12;

/// Addresses that a page points to, on this server.
fn links(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for attribute in ["href=\"", "src=\"", "action=\""] {
        for rest in page.split(attribute).skip(1) {
            let address = rest.split('"').next().unwrap_or_default().split('#').next().unwrap_or_default();
            // A form's address is looked at as a link: whoever reloads the page of a form comes there.
            if address.starts_with('/') {
                found.insert(address.replace("&amp;", "&").replace("&#38;", "&"));
            } else {
                assert!(!address.contains("//"), "no page leads away from here: {address}");
            }
        }
    }
    found
}

/// Follows every link from the first page on; gives how many addresses there were.
async fn follow(program: &Program, login: Option<(&str, &str)>) -> usize {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut cookie = String::new();
    if let Some((account, password)) = login {
        let form = http.post(format!("{}/login", program.origin)).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = form.header(header::ORIGIN, &program.origin).body(format!("account={account}&password={password}")).send().await.unwrap();
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().unwrap().split(';').next());
        cookie = cookies.collect::<Vec<_>>().join("; ");
        assert!(answer.status().is_redirection() && !cookie.is_empty(), "{account} logs in: {}", answer.status());
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut queries: BTreeMap<String, usize> = BTreeMap::new();
    let mut pointed: BTreeMap<String, String> = BTreeMap::from([("/".to_owned(), "the start".to_owned())]);
    while let Some((address, from)) = pointed.pop_first() {
        let of_this_path = queries.entry(address.split('?').next().unwrap_or_default().to_owned()).or_default();
        *of_this_path += 1;
        if *of_this_path > QUERIES_MAX || !seen.insert(address.clone()) {
            continue;
        }
        let answer = http.get(format!("{}{address}", program.origin)).header(header::COOKIE, &cookie).send().await.unwrap();
        // Forms that only take something are not there to be looked at.
        let is_there = answer.status().is_success() || answer.status().is_redirection() || answer.status() == reqwest::StatusCode::METHOD_NOT_ALLOWED;
        assert!(is_there, "{from} points to {address}: {}", answer.status());
        let next = answer.headers().get(header::LOCATION).map(|next| next.to_str().unwrap().to_owned());
        let is_page = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"));
        let found = if is_page { links(&answer.text().await.unwrap()) } else { BTreeSet::new() };
        for one in found.into_iter().chain(next) {
            if !seen.contains(&one) {
                pointed.entry(one).or_insert_with(|| address.clone());
            }
        }
    }
    seen.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::sandbox(&folder.path().join("data"), &[], "warn");
    let stranger = follow(&program, None).await;
    // The son before his first transfer, and a father with two months of statements.
    let son = follow(&program, Some(("990137198405120013", "260001"))).await;
    let father = follow(&program, Some(("990162195102090016", "260008"))).await;
    let said = program.stop();
    assert!(said.status.success() && said.stderr.is_empty(), "{}", said.stderr);
    println!("addresses: stranger {stranger}, son {son}, father {father}");
    assert!(stranger > 50 && son > stranger && father > stranger);
}
