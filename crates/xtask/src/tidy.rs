//! The house rules as a program: what a reviewer would otherwise have to remember.
//!
//! A rule is a function from the tree to findings. It sees only the [`Tree`], so each rule's test plants the fault it
//! is there to find. The rules themselves are told to people in `docs/style.md` and `ARCHITECTURE.md`.

use std::path::Path;

use anyhow::bail;

mod budget;
mod documents;
mod layers;
mod licences;
mod sources;
mod tree;

use tree::Tree;

/// One thing that breaks a rule, told so that one knows where to go and what to do.
struct Finding {
    place: String,
    told: String,
}

impl Finding {
    fn new(place: impl Into<String>, told: impl Into<String>) -> Finding {
        Finding { place: place.into(), told: told.into() }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule with the sentence that it holds.
const RULES: &[(&str, Rule)] = &[
    ("arrows between crates go down only", layers::arrows_go_down),
    ("pure crates touch no file, socket, clock or environment", layers::pure_crates_stay_pure),
    ("the money crates know no floating point", sources::no_floating_point_in_money),
    ("one module reads the system clock", sources::one_clock),
    ("tests neither sleep nor read the clock", sources::tests_do_not_sleep),
    ("nothing unfinished, nothing left from debugging", sources::nothing_unfinished),
    ("no file is longer than its reader's patience", sources::file_sizes),
    ("a module is foo.rs beside foo/, never foo/mod.rs", sources::no_mod_files),
    ("names carry the domain", sources::no_empty_names),
    ("no path of one machine, no host of a registry", sources::no_places_of_one_machine),
    ("lock files name checksums, not addresses", sources::lock_files_without_addresses),
    ("direct dependencies stay few, and each is explained", budget::dependencies_are_few_and_explained),
    ("every licence in the tree is one we accept", licences::licences_are_accepted),
    ("decisions are numbered", documents::decisions_are_numbered),
    ("both READMEs give the same commands", documents::readmes_agree),
    ("the page of security names tests that exist", documents::named_tests_exist),
    ("documents link to files that exist", documents::links_lead_somewhere),
];

/// Check the whole tree; print one line for each rule and every finding.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let tree = Tree::read(root)?;
    let mut findings_count = 0;
    for (sentence, rule) in RULES {
        let findings = rule(&tree);
        println!("{} {sentence}", if findings.is_empty() { "ok  " } else { "FAIL" });
        for finding in &findings {
            println!("       {}: {}", finding.place, finding.told);
        }
        findings_count += findings.len();
    }
    if findings_count > 0 {
        bail!("tidy: {findings_count} findings");
    }
    println!("tidy: {} rules hold over {} files", RULES.len(), tree.len());
    Ok(())
}

/// For the rules' own tests: the places that `rule` names in a tree made of `files`.
#[cfg(test)]
#[track_caller]
fn check(rule: Rule, files: &[(&str, &str)], places: &[&str]) {
    let found: Vec<String> = rule(&Tree::of(files)).into_iter().map(|finding| finding.place).collect();
    assert_eq!(found, places);
}
