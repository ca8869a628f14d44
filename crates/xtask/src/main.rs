//! Everything about this repository that is not expressible as one cargo command.
//!
//! `test` is what the landing runs, `tidy` holds the house rules as a program, `openapi` writes the committed contract.
//! There is no other script language here: `.ci/run` only calls `cargo xtask test`.

use clap::{Parser, Subcommand};

mod contract;
mod openapi;
mod planted;
mod prepare;
mod python;
mod sbom;
mod stage;
mod suite;
mod tidy;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of this repository")]
struct Chores {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every check and every test, installing what they need
    Test {
        /// Also the longer loops: ignored tests, more cases for each property
        #[arg(long)]
        all: bool,
        /// Run only these stages, by name (see the closing table)
        #[arg(long, value_name = "STAGE", value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Check the house rules: layers, sizes, names, clocks, dependencies, documents
    Tidy,
    /// Write openapi.json from the code
    Openapi,
    /// Write what the shipped program is made of, as CycloneDX 1.6 (JSON)
    Sbom {
        /// Where to
        #[arg(long, default_value = "target/gongji.cdx.json", value_name = "FILE")]
        out: std::path::PathBuf,
    },
    /// Search for every planted bug with the simulator, and tell how long each took
    Planted {
        /// Most minutes for one bug
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Only these bugs, by name
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        only: Vec<String>,
    },
}

fn main() -> std::process::ExitCode {
    let root = workspace_root();
    let done = match Chores::parse().chore {
        Chore::Test { all, only } => suite::run(&root, all, &only),
        Chore::Tidy => tidy::run(&root),
        Chore::Openapi => openapi::write(&root),
        Chore::Sbom { out } => sbom::write(&root, &root.join(out)),
        Chore::Planted { minutes, only } => planted::run(&root, minutes, &only),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(told) => {
            eprintln!("{told:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace's own `Cargo.toml`, wherever the command was typed.
fn workspace_root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("xtask lies two folders below the root").to_path_buf()
}
