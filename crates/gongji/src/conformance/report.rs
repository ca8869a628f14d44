//! What a run found, as JSON for programs and as one page for people.

use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Serialize)]
pub struct Report {
    pub target: String,
    #[serde(rename = "took_ms", serialize_with = "ms")]
    pub took: Duration,
    pub groups: Vec<Group>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Group {
    pub title: &'static str,
    pub cases: Vec<Ran>,
}

/// One case that was run.
#[derive(Clone, Debug, Serialize)]
pub struct Ran {
    pub name: String,
    /// What is asked, what must come, and why.
    pub says: String,
    #[serde(rename = "took_ms", serialize_with = "ms")]
    pub took: Duration,
    /// Why it failed; nothing where it passed.
    #[serde(rename = "failed")]
    pub why: Option<String>,
    /// What was exchanged, where it failed; requests by their address alone: they carry passwords and payment codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<String>,
}

fn ms<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

#[derive(askama::Template)]
#[template(path = "conformance/report.html")]
struct Page<'a> {
    report: &'a Report,
}

impl Group {
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| case.why.is_some()).count()
    }
}

impl Ran {
    pub fn is_passed(&self) -> bool {
        self.why.is_none()
    }
}

impl Report {
    pub fn count(&self) -> usize {
        self.groups.iter().map(|group| group.cases.len()).sum()
    }

    /// Cases that failed, by name.
    pub fn failed(&self) -> Vec<&Ran> {
        self.groups.iter().flat_map(|group| &group.cases).filter(|case| case.why.is_some()).collect()
    }

    /// Seconds with one decimal.
    fn seconds(&self) -> String {
        format!("{:.1}", self.took.as_secs_f64())
    }

    /// Writes `report.html` and `report.json` into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path) -> std::io::Result<[PathBuf; 2]> {
        std::fs::create_dir_all(folder)?;
        let (html, json) = (folder.join("report.html"), folder.join("report.json"));
        let page = askama::Template::render(&Page { report: self }).map_err(std::io::Error::other)?;
        std::fs::write(&html, page)?;
        let mut text = serde_json::to_string_pretty(&self.told())?;
        text.push('\n');
        std::fs::write(&json, text)?;
        Ok([html, json])
    }

    fn told(&self) -> serde_json::Value {
        let mut told = serde_json::to_value(self).unwrap_or_default();
        told["cases"] = self.count().into();
        told["failed"] = self.failed().len().into();
        told
    }
}
