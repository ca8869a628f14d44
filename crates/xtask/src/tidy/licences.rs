//! Licences: every package in the lock file offers terms that `deny.toml` accepts.

use super::Finding;
use super::tree::Tree;

/// One list for this rule and for cargo-deny, which reads the same file.
const LIST: &str = "deny.toml";

pub fn licences_are_accepted(tree: &Tree) -> Vec<Finding> {
    let Some(list) = tree.text(LIST).and_then(|text| text.parse::<toml::Table>().ok()) else {
        return vec![Finding::new(LIST, "the list of accepted licences cannot be read")];
    };
    let accepted: Vec<&str> =
        list.get("licenses").and_then(|table| table.get("allow")?.as_array()).into_iter().flatten().filter_map(toml::Value::as_str).collect();
    let packages = tree.metadata().and_then(|metadata| metadata["packages"].as_array()).into_iter().flatten();
    let mut findings = Vec::new();
    for package in packages.filter(|package| !package["source"].is_null()) {
        let name = package["name"].as_str().unwrap_or_default();
        match package["license"].as_str() {
            Some(terms) if is_accepted(terms, &accepted) => {}
            Some(terms) => findings.push(Finding::new(name, format!("its licence is {terms}, of which {LIST} accepts nothing"))),
            None => findings.push(Finding::new(name, "it names no licence")),
        }
    }
    findings
}

/// Does an SPDX expression leave us a way with accepted licences only?
fn is_accepted(terms: &str, accepted: &[&str]) -> bool {
    // Old manifests write a slash for OR.
    let spaced = terms.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(&words, &mut at, accepted) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, accepted: &[&str]) -> bool {
    let mut holds = all_of(words, at, accepted);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        // Not `||`: the right side must be read even when the left already holds.
        holds |= all_of(words, at, accepted);
    }
    holds
}

fn all_of(words: &[&str], at: &mut usize, accepted: &[&str]) -> bool {
    let mut holds = one(words, at, accepted);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        holds &= one(words, at, accepted);
    }
    holds
}

fn one(words: &[&str], at: &mut usize, accepted: &[&str]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let holds = any_of(words, at, accepted);
        *at += 1;
        return holds;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = format!("{word} WITH {}", words.get(*at + 1).copied().unwrap_or_default());
        *at += 2;
        // An exception only adds permissions, so the licence alone will do as well.
        return accepted.contains(&exception.as_str()) || accepted.contains(word);
    }
    accepted.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: &[&str] = &["MIT", "Apache-2.0", "Unicode-3.0"];

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        for (terms, holds) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only OR MIT", true),
            ("GPL-3.0-only AND MIT", false),
            ("(MIT OR GPL-3.0-only) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND BSL-1.1", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
            ("MIT)", false),
            ("", false),
        ] {
            assert_eq!(is_accepted(terms, ACCEPTED), holds, "{terms}");
        }
    }

    #[test]
    fn a_package_with_foreign_terms_or_none_is_named() {
        let metadata = serde_json::json!({"packages": [
            {"name": "good", "license": "MIT", "source": "registry"},
            {"name": "ours", "license": null, "source": null},
            {"name": "closed", "license": "BUSL-1.1", "source": "registry"},
            {"name": "silent", "license": null, "source": "registry"},
        ]});
        let tree = Tree::of(&[(LIST, "[licenses]\nallow = [\"MIT\"]\n")]).with_metadata(metadata);
        let names: Vec<String> = licences_are_accepted(&tree).into_iter().map(|finding| finding.place).collect();
        assert_eq!(names, ["closed", "silent"]);
    }
}
