//! Every file of `tests/cases` is played, and what happened is compared with its snapshot.

use crate::script::{Played, Stage, play};
use std::path::Path;

/// Plays one case as it stands, then with a memory that has forgotten everything, then with its people in other partitions.
fn check(path: &Path) {
    println!("playing {}", path.display());
    let text = std::fs::read_to_string(path).unwrap();
    let told = play(&text, Stage { is_cold: false, spread: None });
    let Played { transcript, .. } = play(&text, Stage { is_cold: true, spread: None });
    assert_eq!(transcript, told.transcript, "a forgetful memory decides the same");
    if !told.is_placed {
        for parts in [2, 3] {
            let people = play(&text, Stage { is_cold: false, spread: Some(parts) }).people;
            assert_eq!(people, told.people, "the people end alike in {parts} partitions");
        }
    }
    insta::with_settings!({ omit_expression => true, description => "", prepend_module_to_snapshot => false, snapshot_path => "../cases", snapshot_suffix => "" }, {
        insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), format!("{}\n# at the end\n{}", told.transcript, told.people));
    });
}

#[test]
fn each_case_is_decided_as_its_snapshot_says() {
    insta::glob!("../cases", "*.txt", check);
}
