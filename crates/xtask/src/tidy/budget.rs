//! The simplicity budget: few direct dependencies, each with its reason in `docs/dependencies.md`.

use std::collections::BTreeSet;

use super::Finding;
use super::layers::dependencies;
use super::tree::Tree;

/// Direct third-party crates, those for tests and chores included. Three of the last (Ed25519, SM2, SHA-256) came with the signatures of institutions:
/// two profiles of signature are asked for, and cryptography is not to be written at home. `http-body` names the type of a body that ends too early.
/// `encoding_rs` came with institutions' files in GBK. Four (`hyper`, `hyper-util`, `tokio-rustls`, `rustls-native-certs`) came with webhooks over TLS, two (`webauthn-rs`,
/// `totp-rs`) with the operators' sign-in.
const DIRECT_DEPENDENCIES_MAX: usize = 53;

const PAGE: &str = "docs/dependencies.md";

pub fn dependencies_are_few_and_explained(tree: &Tree) -> Vec<Finding> {
    let crates = direct_crates(tree);
    let mut findings = Vec::new();
    if crates.len() > DIRECT_DEPENDENCIES_MAX {
        findings.push(Finding::new("Cargo.toml", format!("{} direct dependencies, {DIRECT_DEPENDENCIES_MAX} at most", crates.len())));
    }
    let page = tree.text(PAGE).unwrap_or_default();
    let explained = first_cells(page);
    let used: BTreeSet<String> = crates.into_iter().chain(npm_packages(tree)).collect();
    findings.extend(used.difference(&explained).map(|name| Finding::new(PAGE, format!("{name} is used and not explained; add a row: name, why, licence"))));
    findings.extend(explained.difference(&used).map(|name| Finding::new(PAGE, format!("{name} is explained and not used; remove its row"))));
    findings
}

fn direct_crates(tree: &Tree) -> BTreeSet<String> {
    let names = tree.manifests().flat_map(|(_, manifest)| dependencies(&manifest, &["dependencies", "build-dependencies", "dev-dependencies"]));
    names.filter(|name| !tree.has(&format!("crates/{name}"))).collect()
}

fn npm_packages(tree: &Tree) -> BTreeSet<String> {
    let Some(manifest) = tree.text("e2e/package.json").and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()) else { return BTreeSet::new() };
    let tables = ["dependencies", "devDependencies"];
    tables.iter().filter_map(|table| manifest.get(table)?.as_object()).flat_map(|table| table.keys().cloned()).collect()
}

/// The names in the first cells of the page's tables, written as `name`. Vendored files stand there by file name, with a dot, and are not packages.
fn first_cells(page: &str) -> BTreeSet<String> {
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name);
    names.filter(|name| !name.contains('.')).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    const MANIFEST: (&str, &str) = ("crates/gongji/Cargo.toml", "[package]\nname = \"gongji\"\n[dependencies]\naxum = \"1\"\ngongji-ledger.workspace = true\n");
    const OURS: (&str, &str) = ("crates/gongji-ledger/src/lib.rs", "");

    #[test]
    fn what_is_used_is_explained_and_what_is_explained_is_used() {
        check(dependencies_are_few_and_explained, &[MANIFEST, OURS, (PAGE, "| `axum` | server | MIT |\n")], &[]);
        check(dependencies_are_few_and_explained, &[MANIFEST, OURS, (PAGE, "")], &[PAGE]);
        check(dependencies_are_few_and_explained, &[MANIFEST, OURS, (PAGE, "| `axum` | | |\n| `hyper` | | |\n| `htmx.min.js` | | |\n")], &[PAGE]);
    }

    #[test]
    fn a_budget_overdrawn_is_found() {
        let names: Vec<String> = (0..=DIRECT_DEPENDENCIES_MAX).map(|n| format!("crate{n}")).collect();
        let manifest: String = names.iter().map(|name| format!("{name} = \"1\"\n")).collect();
        let page: String = names.iter().map(|name| format!("| `{name}` | why | MIT |\n")).collect();
        check(dependencies_are_few_and_explained, &[("crates/gongji/Cargo.toml", &format!("[dependencies]\n{manifest}")), (PAGE, &page)], &["Cargo.toml"]);
    }
}
