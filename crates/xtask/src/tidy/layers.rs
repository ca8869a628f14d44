//! The layers of `ARCHITECTURE.md`, read from the manifests.

use super::Finding;
use super::tree::{Tree, code_lines, without_tests};

/// What each crate may use of the others; a crate that is not named here may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    ("gongji-ledger", &[]),
    ("gongji-wallet", &["gongji-ledger"]),
    ("gongji-files", &["gongji-wallet", "gongji-ledger"]),
    ("gongji-store", &["gongji-wallet", "gongji-ledger"]),
    // The auditor shares no code with what it audits.
    ("gongji-audit", &[]),
    ("gongji", &["gongji-files", "gongji-store", "gongji-audit", "gongji-wallet", "gongji-ledger"]),
    ("gongji-sim", &["gongji-store", "gongji-audit", "gongji-wallet", "gongji-ledger"]),
    ("xtask", &[]),
];

/// What tests may use beyond that: the auditor's tests audit journals that the real code wrote.
const TESTS_MAY_USE: &[(&str, &[&str])] = &[("gongji-audit", &["gongji-wallet", "gongji-ledger"])];

/// Crates that decide and compute, and touch nothing.
const PURE: &[&str] = &["gongji-ledger", "gongji-wallet", "gongji-files", "gongji-audit"];

/// Third-party crates that exist to touch the world.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "rusqlite",
    "refinery",
    "postgres",
    "tokio-postgres",
    "axum",
    "hyper",
    "reqwest",
    "tower",
    "tower-http",
    "getrandom",
    "rand",
    "governor",
    "tempfile",
    "tracing-subscriber",
];

/// Ways to touch the world through the standard library.
const IMPURE_PATHS: &[&str] = &["std::fs", "std::net", "std::env", "std::process", "std::thread", "std::time", "std::io::stdin"];

pub fn arrows_go_down(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, manifest) in tree.manifests() {
        let Some(name) = package_name(&manifest) else { continue };
        if path != format!("crates/{name}/Cargo.toml") {
            findings.push(Finding::new(path, format!("the folder of crate {name} must be called crates/{name}")));
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(crate_name, _)| *crate_name == name) else {
            findings.push(Finding::new(path, format!("crate {name} has no layer; draw its arrows in ARCHITECTURE.md and in tidy's table")));
            continue;
        };
        let beyond = TESTS_MAY_USE.iter().find(|(crate_name, _)| *crate_name == name).map_or(&[][..], |(_, beyond)| *beyond);
        let built = dependencies(&manifest, &["dependencies", "build-dependencies"]).into_iter().map(|used| (used, &[][..]));
        let tested = dependencies(&manifest, &["dev-dependencies"]).into_iter().map(|used| (used, beyond));
        for (used, beyond) in built.chain(tested) {
            let ours = MAY_USE.iter().any(|(crate_name, _)| *crate_name == used);
            if ours && used != name && !allowed.contains(&used.as_str()) && !beyond.contains(&used.as_str()) {
                findings.push(Finding::new(path, format!("{name} → {used} goes against the arrows")));
            }
        }
    }
    findings
}

pub fn pure_crates_stay_pure(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, manifest) in tree.manifests() {
        if package_name(&manifest).is_some_and(|name| PURE.contains(&name)) {
            for used in dependencies(&manifest, &["dependencies"]) {
                if IMPURE_CRATES.contains(&used.as_str()) {
                    findings.push(Finding::new(path, format!("a pure crate cannot use {used}")));
                }
            }
        }
    }
    for name in PURE {
        for (path, text) in tree.under(&format!("crates/{name}/src/"), ".rs") {
            for (number, line) in code_lines(without_tests(text)) {
                if let Some(touched) = IMPURE_PATHS.iter().find(|touched| line.contains(*touched)) {
                    findings.push(Finding::new(format!("{path}:{number}"), format!("{touched} in a pure crate; take it as an argument")));
                }
            }
        }
    }
    findings
}

fn package_name(manifest: &toml::Table) -> Option<&str> {
    manifest.get("package")?.get("name")?.as_str()
}

/// The names of what a manifest depends on, in the named tables and in those for single targets.
pub fn dependencies(manifest: &toml::Table, tables: &[&str]) -> Vec<String> {
    let for_targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    let mut names = Vec::new();
    for place in std::iter::once(manifest).chain(for_targets) {
        for table in tables.iter().filter_map(|table| place.get(*table)?.as_table()) {
            // `package = "…"` gives a dependency another name here; what counts is what it is.
            names.extend(table.iter().map(|(name, told)| told.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_string()));
        }
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}\n")
    }

    #[test]
    fn an_arrow_up_is_found() {
        let up = manifest("gongji-ledger", "gongji-wallet.workspace = true");
        check(arrows_go_down, &[("crates/gongji-ledger/Cargo.toml", &up)], &["crates/gongji-ledger/Cargo.toml"]);
        let down = manifest("gongji-wallet", "gongji-ledger.workspace = true");
        check(arrows_go_down, &[("crates/gongji-wallet/Cargo.toml", &down)], &[]);
    }

    #[test]
    fn a_renamed_or_test_only_arrow_is_still_an_arrow() {
        let renamed = manifest("gongji-audit", "books = { package = \"gongji-ledger\", path = \"../gongji-ledger\" }");
        check(arrows_go_down, &[("crates/gongji-audit/Cargo.toml", &renamed)], &["crates/gongji-audit/Cargo.toml"]);
        let in_tests = "[package]\nname = \"gongji-audit\"\n[dev-dependencies]\ngongji-store.workspace = true\ngongji-wallet.workspace = true\n";
        check(arrows_go_down, &[("crates/gongji-audit/Cargo.toml", in_tests)], &["crates/gongji-audit/Cargo.toml"]);
    }

    #[test]
    fn a_crate_without_a_layer_and_a_folder_with_another_name_are_found() {
        check(arrows_go_down, &[("crates/gongji-extra/Cargo.toml", &manifest("gongji-extra", ""))], &["crates/gongji-extra/Cargo.toml"]);
        check(arrows_go_down, &[("crates/ledger/Cargo.toml", &manifest("gongji-ledger", ""))], &["crates/ledger/Cargo.toml"]);
    }

    #[test]
    fn a_pure_crate_that_opens_a_file_is_found_and_its_tests_may() {
        let source = "use std::fs;\n#[cfg(test)]\nmod tests { use std::env; }\n";
        check(pure_crates_stay_pure, &[("crates/gongji-wallet/src/lib.rs", source)], &["crates/gongji-wallet/src/lib.rs:1"]);
        let impure = manifest("gongji-files", "tokio = \"1\"");
        check(pure_crates_stay_pure, &[("crates/gongji-files/Cargo.toml", &impure)], &["crates/gongji-files/Cargo.toml"]);
    }
}
