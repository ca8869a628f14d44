//! `gongji heads`: where the journals stand, signed, added to a file outside the database.

use super::office::Place;
use crate::config;
use crate::heads::{add, signed, signing_key};
use crate::installation::{KEYS_FOLDER, kept};
use clap::Args;
use gongji_store::clock::system_now;
use gongji_store::seal::Keys;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct HeadsArgs {
    /// 加到这个文件末尾;请放在数据库管理员改不了的地方。不写就打印出来
    #[arg(long, value_name = "文件")]
    to: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Works beside the running service and changes nothing.
pub fn run(args: &HeadsArgs) -> anyhow::Result<()> {
    let (folder, keys) = match &args.place.config {
        Some(path) => {
            let config = config::Config::read(path)?;
            (config.data_folder, config.keys_folder)
        }
        None => (args.place.data.clone(), None),
    };
    let kept = kept(&folder)?;
    let key = signing_key(&Keys::open(&keys.unwrap_or_else(|| folder.join(KEYS_FOLDER)), false)?);
    let heads = signed(&kept, &*kept.store()?, &key, system_now())?;
    match &args.to {
        Some(path) => {
            add(path, &heads)?;
            super::say(&format!("{} 个分区的检查点加到了 {}。核对:gongji verify --heads {}\n", heads.heads.len(), path.display(), path.display()));
        }
        None => super::say(&format!("{}\n", serde_json::to_string(&heads)?)),
    }
    Ok(())
}
