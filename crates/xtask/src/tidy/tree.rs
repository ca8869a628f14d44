//! The files that belong to the repository, read once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Every file that git knows or would add, by its path from the root. Files that are no text keep an empty text.
pub struct Tree {
    files: BTreeMap<String, String>,
    metadata: Option<serde_json::Value>,
}

impl Tree {
    pub fn read(root: &Path) -> anyhow::Result<Tree> {
        let listed = Command::new("git")
            .current_dir(root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .context("git could not be started")?;
        ensure!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
        let mut files = BTreeMap::new();
        for path in String::from_utf8(listed.stdout).context("a file name is not UTF-8")?.split('\0').filter(|path| !path.is_empty()) {
            // A file that was deleted and not yet committed is listed and gone.
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                files.insert(path.to_string(), String::from_utf8(bytes).unwrap_or_default());
            }
        }
        let told =
            Command::new("cargo").current_dir(root).args(["metadata", "--format-version", "1", "--locked"]).output().context("cargo could not be started")?;
        ensure!(told.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&told.stderr));
        Ok(Tree { files, metadata: Some(serde_json::from_slice(&told.stdout).context("cargo metadata is no JSON")?) })
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect(), metadata: None }
    }

    #[cfg(test)]
    pub fn with_metadata(mut self, metadata: serde_json::Value) -> Tree {
        self.metadata = Some(metadata);
        self
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// All files, in order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Files under a folder whose names end so.
    pub fn under<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.starts_with(folder) && path.ends_with(ending))
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// A file, or a folder that holds one.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.files.keys().any(|file| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    /// What `cargo metadata` says of all packages in the lock file.
    pub fn metadata(&self) -> Option<&serde_json::Value> {
        self.metadata.as_ref()
    }

    /// The manifests of the workspace's crates, parsed; one that cannot be parsed is cargo's to complain of.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, toml::Table)> {
        self.under("crates/", "/Cargo.toml").filter_map(|(path, text)| Some((path, text.parse::<toml::Table>().ok()?)))
    }
}

/// The numbered lines of a source that are code: comment lines are left out.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The part of a source above its test module.
pub fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]").map_or(text, |at| &text[..at])
}

/// Does `word` stand in `line` by itself, not as a part of a longer name?
pub fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(is_name) && !line[at + word.len()..].starts_with(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_not_found_inside_a_longer_name() {
        assert!(has_word("let x: f64 = 1;", "f64"));
        assert!(!has_word("let buf64 = 1;", "f64"));
        assert!(!has_word("f64_bits", "f64"));
    }

    #[test]
    fn comments_and_tests_are_not_code() {
        assert_eq!(code_lines("a\n  // b\n/// c\nd").collect::<Vec<_>>(), [(1, "a"), (4, "d")]);
        assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {}"), "a\n");
    }

    #[test]
    fn a_folder_is_there_when_a_file_in_it_is() {
        let tree = Tree::of(&[("docs/a.md", "")]);
        assert!(tree.has("docs") && tree.has("docs/a.md") && !tree.has("doc"));
    }
}
