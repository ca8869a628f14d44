//! The contract as a committed file: written here, compared by a test of the program.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Write `openapi.json` at the root from what the program says of itself.
pub fn write(root: &Path) -> anyhow::Result<()> {
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["run", "--quiet", "--package", "gongji", "--", "openapi"])
        .output()
        .context("cargo could not be started")?;
    ensure!(output.status.success(), "gongji openapi failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).context("gongji openapi did not print JSON")?;
    ensure!(document.get("openapi").is_some(), "gongji openapi printed JSON that is no OpenAPI document");
    let path = root.join("openapi.json");
    std::fs::write(&path, &output.stdout).with_context(|| format!("cannot write {}", path.display()))?;
    println!("openapi.json: {} paths", document["paths"].as_object().map_or(0, serde_json::Map::len));
    Ok(())
}
