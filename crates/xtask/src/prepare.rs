//! What the tests need on the machine, installed when it is missing.
//!
//! The build needs a C compiler (SQLite is compiled in); the tests of the store need PostgreSQL's programs, of which each test starts its own server;
//! the page tests need Node, a Chromium and a font with Chinese; two tools need Python.
//! Debian's packages only; where they cannot be installed, the reason and the command are printed and the run fails: a
//! suite that quietly leaves the pages out would prove nothing.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// What a Debian package is needed for, and how to see that it is there.
struct Need {
    package: &'static str,
    is_there: fn() -> bool,
}

const COMPILER: &[Need] = &[
    Need { package: "gcc", is_there: || answers("cc", &["--version"]) },
    Need { package: "libc6-dev", is_there: || Path::new("/usr/include/stdio.h").exists() },
];

const STORES: &[Need] = &[Need { package: "postgresql", is_there: has_postgresql }, Need { package: "strace", is_there: || answers("strace", &["--version"]) }];

const BROWSER: &[Need] = &[
    Need { package: "chromium", is_there: || Path::new("/usr/bin/chromium").exists() },
    Need { package: "fonts-noto-cjk", is_there: || Path::new("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc").exists() },
    Need { package: "nodejs", is_there: || answers("node", &["--version"]) },
    Need { package: "npm", is_there: || answers("npm", &["--version"]) },
];

const PYTHON: &[Need] = &[Need { package: "python3-venv", is_there: || answers("python3", &["-c", "import venv, ensurepip"]) }];

/// What compiling the workspace needs besides Rust.
pub fn for_the_build() -> anyhow::Result<()> {
    for component in ["fmt", "clippy"] {
        ensure!(answers("cargo", &[component, "--version"]), "`cargo {component}` is missing; install it with: rustup component add rustfmt clippy");
    }
    install(COMPILER)
}

/// What the tests of the store need: a PostgreSQL to start, not one that runs, and a record of every write for the power cuts.
pub fn for_the_tests() -> anyhow::Result<()> {
    install(STORES)
}

/// What the tools of `.ci/python-tools.txt` run on.
pub fn for_the_tools() -> anyhow::Result<()> {
    install(PYTHON)
}

fn has_postgresql() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin/initdb").exists())
}

/// What the page tests need: Chromium, a CJK font, Node, and the packages of `e2e/package-lock.json`.
pub fn for_the_pages(root: &Path) -> anyhow::Result<()> {
    install(BROWSER)?;
    let e2e = root.join("e2e");
    let lock = std::fs::read(e2e.join("package-lock.json")).context("e2e/package-lock.json cannot be read")?;
    let seen = e2e.join("node_modules/.installed-lock");
    if std::fs::read(&seen).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("── prepare ── npm ci (e2e)");
    let done =
        Command::new("npm").current_dir(&e2e).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).status().context("npm could not be started")?;
    ensure!(done.success(), "npm ci failed in e2e/");
    std::fs::write(&seen, lock).context("the installed lock file cannot be noted")
}

/// Is there a nextest? Where it is missing, plain `cargo test` runs the same tests.
pub fn has_nextest() -> bool {
    answers("cargo", &["nextest", "--version"])
}

fn answers(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn install(needs: &[Need]) -> anyhow::Result<()> {
    let missing: Vec<&str> = needs.iter().filter(|need| !(need.is_there)()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("── prepare ── installing {}", missing.join(" "));
    if !answers("apt-get", &["--version"]) {
        bail!("these are missing and there is no apt-get to install them with: {}", missing.join(" "));
    }
    apt_get(&["update", "-qq"])?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(&missing);
    apt_get(&args)?;
    let still: Vec<&str> = needs.iter().filter(|need| !(need.is_there)()).map(|need| need.package).collect();
    ensure!(still.is_empty(), "installed, but still not found: {}", still.join(" "));
    Ok(())
}

/// Run apt-get as root, through sudo where we are not root.
fn apt_get(args: &[&str]) -> anyhow::Result<()> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    let mut command = if root {
        Command::new("apt-get")
    } else if answers("sudo", &["-n", "true"]) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        sudo
    } else {
        bail!("run this as root, then again: apt-get {}", args.join(" "));
    };
    // Its own output is long and says little; it is shown when something goes wrong.
    let output = command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).output().context("apt-get could not be started")?;
    ensure!(
        output.status.success(),
        "apt-get {} failed:\n{}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
