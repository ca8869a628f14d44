//! Rules about what people read: decisions, READMEs, links.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::tree::Tree;

/// The two commands a newcomer needs, word for word in both READMEs.
const TWO_COMMANDS: [&str; 2] = ["cargo run --release -- sandbox", "cargo xtask test"];

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

pub fn decisions_are_numbered(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_number: BTreeMap<u32, &str> = BTreeMap::new();
    for (path, _) in tree.under("docs/decisions/", "") {
        let name = path.trim_start_matches("docs/decisions/");
        let number = name.split_once('-').filter(|(digits, _)| digits.len() == 4 && name.ends_with(".md")).and_then(|(digits, _)| digits.parse().ok());
        match number {
            None => findings.push(Finding::new(path, "a decision is called 0001-what-was-decided.md")),
            Some(number) => {
                if let Some(other) = by_number.insert(number, path) {
                    findings.push(Finding::new(path, format!("has the number of {other}")));
                }
            }
        }
    }
    for (expected, (number, path)) in (1..).zip(&by_number) {
        if *number != expected {
            findings.push(Finding::new(*path, format!("number {expected:04} is missing before it")));
            break;
        }
    }
    findings
}

pub fn readmes_agree(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let commands = READMES.map(|readme| tree.text(readme).map(commands_of).unwrap_or_default());
    for (readme, commands) in READMES.iter().zip(&commands) {
        findings.extend(
            TWO_COMMANDS
                .iter()
                .filter(|command| !commands.contains(command))
                .map(|command| Finding::new(*readme, format!("does not give the command: {command}"))),
        );
    }
    if commands[0] != commands[1] {
        findings.push(Finding::new(READMES[1], format!("gives other commands than {}: {:?} and {:?}", READMES[0], commands[1], commands[0])));
    }
    findings
}

/// The commands in a page's fenced blocks: lines that start with `cargo` or `gongji`, without their trailing comments.
fn commands_of(page: &str) -> Vec<&str> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in page.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            let command = line.trim_start_matches("$ ").split(" #").next().unwrap_or_default().trim();
            if command.starts_with("cargo ") || command.starts_with("gongji ") {
                commands.push(command);
            }
        }
    }
    commands
}

/// Relative links of Markdown pages, resolved from the page's own folder.
pub fn links_lead_somewhere(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices("](") {
                let target = line[at + 2..].split(')').next().unwrap_or_default();
                let file = target.split(['#', ' ']).next().unwrap_or_default();
                if file.is_empty() || file.contains("://") || file.starts_with("mailto:") || file.starts_with('/') {
                    continue;
                }
                if !resolve(folder, file).is_some_and(|file| file.is_empty() || tree.has(&file)) {
                    findings.push(Finding::new(format!("{path}:{}", number + 1), format!("links to {target}, which is not there")));
                }
            }
        }
    }
    findings
}

/// Where requirements stand beside the tests that show them.
const SECURITY: &str = "docs/security.md";

/// Every test that the page of security names is one: a promise that nothing checks is worse than none.
pub fn named_tests_exist(tree: &Tree) -> Vec<Finding> {
    let tests: BTreeSet<&str> = tree.under("crates/", ".rs").flat_map(|(_, text)| tests_of(text)).collect();
    let mut findings = Vec::new();
    let mut has_tests = false;
    for (number, line) in tree.text(SECURITY).unwrap_or_default().lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if line.starts_with("| § |") || !line.starts_with('|') {
            has_tests = line.starts_with('|');
            continue;
        }
        let Some(cell) = cells.last().filter(|cell| has_tests && !cell.starts_with("---")) else { continue };
        let wrong = |named: &str| {
            let is_name = named.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_');
            if is_name { !tests.contains(named) } else { named.contains('/') && !tree.has(named) }
        };
        let named = cell.split('`').skip(1).step_by(2);
        findings.extend(named.filter(|named| wrong(named)).map(|named| Finding::new(format!("{SECURITY}:{}", number + 1), format!("there is no {named}"))));
        if *cell != "—" && !cell.contains('`') && !cell.starts_with("reading") {
            findings.push(Finding::new(format!("{SECURITY}:{}", number + 1), "names no test, and does not say that there is none"));
        }
    }
    findings
}

/// Names of the functions below an attribute that makes a test of them.
fn tests_of(text: &str) -> Vec<&str> {
    let mut is_below = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_below = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_below) {
            found.push(rest.split('(').next().unwrap_or_default());
            is_below = false;
        }
    }
    found
}

/// `../a/b.md` seen from `docs/x`, as a path from the root; `None` when it leaves the tree.
fn resolve(folder: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn decisions_without_a_number_of_their_own_are_found() {
        check(decisions_are_numbered, &[("docs/decisions/0001-fen.md", ""), ("docs/decisions/0002-parts.md", "")], &[]);
        check(decisions_are_numbered, &[("docs/decisions/fen.md", "")], &["docs/decisions/fen.md"]);
        check(decisions_are_numbered, &[("docs/decisions/0001-a.md", ""), ("docs/decisions/0001-b.md", "")], &["docs/decisions/0001-b.md"]);
        check(decisions_are_numbered, &[("docs/decisions/0001-a.md", ""), ("docs/decisions/0003-b.md", "")], &["docs/decisions/0003-b.md"]);
    }

    #[test]
    fn readmes_that_disagree_are_found() {
        let both = "```sh\ncargo run --release -- sandbox   # and open the page\ncargo xtask test\n```\n";
        let one = "```sh\ncargo run --release -- sandbox\n```\n`cargo xtask test` outside a block\n";
        check(readmes_agree, &[("README.md", both), ("README.zh-CN.md", both)], &[]);
        check(readmes_agree, &[("README.md", both), ("README.zh-CN.md", one)], &["README.zh-CN.md", "README.zh-CN.md"]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let page = "[style](style.md) [code](../crates/a) [web](https://example.org) [here](#below) [gone](lost.md)\n";
        check(links_lead_somewhere, &[("docs/page.md", page), ("docs/style.md", ""), ("crates/a/src/lib.rs", "")], &["docs/page.md:1"]);
    }

    #[test]
    fn a_test_that_is_named_and_not_there_is_found() {
        let code = "#[test]\nfn it_holds() {}\n#[tokio::test(start_paused = true)]\n#[ignore]\nasync fn it_waits() {}\nfn helper() {}\n";
        let page = "| § | asked | how | test |\n| --- | --- | --- | --- |\n| 1 | a | b | `it_holds`, `it_waits` |\n| 2 | a | `c` | `helper` |\n| 3 | a | b | — |\n\
                    | 4 | a | b | reading: `crates/a/src/lib.rs` |\n| 5 | a | b | none |\n| 6 | a | b | `docs/gone.md` |\n| 7 | a | b | `cargo xtask tidy` |\n\n\
                    | key | where |\n| --- | --- |\n| seal | `nowhere` |\n";
        check(named_tests_exist, &[("crates/a/src/lib.rs", code), (SECURITY, page)], &["docs/security.md:4", "docs/security.md:7", "docs/security.md:8"]);
    }
}
