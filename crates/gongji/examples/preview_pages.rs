//! Writes every page in every state to a folder, to be looked at: `preview_pages DIR`.
//!
//! `DIR/normal` and `DIR/elder` hold the pages, `DIR/assets` what they need; any static file
//! server over DIR shows them as the program does.

use std::path::PathBuf;
use std::{env, fs, io};

use gongji::pages::preview;

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: preview_pages DIR"));
    };
    for (mode, elder) in [("normal", false), ("elder", true)] {
        let folder = folder.join(mode);
        fs::create_dir_all(&folder)?;
        for sample in preview::samples(elder) {
            fs::write(folder.join(format!("{}.html", sample.name)), sample.html)?;
        }
    }
    let assets = folder.join("assets");
    fs::create_dir_all(&assets)?;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets"))? {
        let entry = entry?;
        fs::copy(entry.path(), assets.join(entry.file_name()))?;
    }
    println!("{}", folder.display());
    Ok(())
}
