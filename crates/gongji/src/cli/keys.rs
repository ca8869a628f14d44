//! `gongji keys`: a new sealing key, everything sealed again with it, and the old one taken out of use.
//!
//! Three steps, each of which may be repeated: `rotate` adds a key to the ring, `reseal` works beside the running program, `retire` wants it stopped,
//! because only then is it sure that nobody seals with the old key any more.

use super::office::{Place, folders_of, vault_of};
use crate::installation::Installation;
use anyhow::ensure;
use clap::{Args, Subcommand};
use gongji_store::seal::{Keys, add_seal_key, retire_seal_keys};
use gongji_store::vault::{Reseal, Vault};
use std::collections::BTreeMap;
use std::time::Duration;

/// Going-throughs of the vault; a further one is only needed where a process goes on sealing with the old key.
const ROUNDS_MAX: usize = 5;

/// After each step others may write.
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// 看有哪几把封存密钥,每把各封存着多少条
    #[command(help_template = super::HELP, override_usage = "gongji keys status [选项]")]
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// 第一步:加一把新密钥;旧的还能读,服务不用停
    #[command(help_template = super::HELP, override_usage = "gongji keys rotate [选项]")]
    Rotate {
        #[command(flatten)]
        place: Place,
    },
    /// 第二步:用最新的密钥把个人信息重新封存一遍;服务不用停,断了再运行一次就接着办
    #[command(help_template = super::HELP, override_usage = "gongji keys reseal [选项]")]
    Reseal {
        #[command(flatten)]
        place: Place,
    },
    /// 第三步:停下服务,确认旧密钥一条都不再用,把它移出密钥环
    #[command(help_template = super::HELP, override_usage = "gongji keys retire [选项]")]
    Retire {
        #[command(flatten)]
        place: Place,
    },
}

pub fn run(args: KeysArgs) -> anyhow::Result<()> {
    super::log_for_people();
    match args.command {
        KeysCommand::Status { place } => status(&vault_of(&place)?),
        KeysCommand::Rotate { place } => rotate(&place),
        KeysCommand::Reseal { place } => reseal(&vault_of(&place)?),
        KeysCommand::Retire { place } => retire(&place),
    }
}

fn status(vault: &Vault) -> anyhow::Result<()> {
    let counts = vault.sealed_by_key()?;
    let newest = vault.keys().newest_seal();
    for number in vault.keys().seal_keys() {
        let count = counts.get(&number).copied().unwrap_or(0);
        super::say(&format!("第 {number} 把  封存着 {count} 条{}\n", if number == newest { ",新的都用它" } else { "" }));
    }
    Ok(())
}

fn rotate(place: &Place) -> anyhow::Result<()> {
    let (_, keys) = folders_of(place)?;
    // An installation is there, and the keys are its own.
    drop(vault_of(place)?);
    let number = add_seal_key(&keys)?;
    super::say(&format!(
        "加好了:第 {number} 把,在 {}。接下来:\n\
         1. 马上把这个目录另外备份一份;几台机器共用一个数据库的,先把它抄到每一台。\n\
         2. 运行 gongji keys reseal,重新封存。服务不用停。\n",
        keys.display()
    ));
    Ok(())
}

fn reseal(vault: &Vault) -> anyhow::Result<()> {
    let newest = vault.keys().newest_seal();
    vault.begin_reseal()?;
    let before = vault.sealed_by_key()?;
    let bar = super::bar("封存");
    bar.set_length(of_others(&before, newest));
    let mut resealed = 0;
    let mut last = Reseal::default();
    for _ in 0..ROUNDS_MAX {
        last = Reseal::default();
        while vault.reseal_some(&mut last)? {
            bar.set_position(resealed + last.resealed);
            std::thread::sleep(PAUSE);
        }
        resealed += last.resealed;
        if last.resealed == 0 {
            break;
        }
    }
    bar.finish_and_clear();
    for (table, column, row) in &last.damaged_at {
        super::say(&format!("打不开:{table} 表第 {row} 号的 {column};原样留着,请从备份恢复这一条。\n"));
    }
    let left = of_others(&vault.sealed_by_key()?, newest);
    super::say(&format!("已用第 {newest} 把密钥重新封存 {resealed} 条,还有 {left} 条没有换。\n"));
    ensure!(last.damaged == 0, "有 {} 条打不开,旧密钥先不要移走。", last.damaged);
    ensure!(left == 0, "还有进程在用旧密钥写。请把新密钥抄到每一台机器,重启服务,再运行一次 gongji keys reseal。");
    super::say("旧密钥已经用不着了。找个时间停下服务,运行 gongji keys retire,把它移出密钥环。\n");
    Ok(())
}

fn retire(place: &Place) -> anyhow::Result<()> {
    let (folder, keys) = folders_of(place)?;
    // The lock of the folder, and the place in a database: nobody seals anything until this is done.
    let installation = Installation::open(&folder)?;
    installation.take_place()?;
    let done = take_out(&installation, &keys);
    installation.leave();
    let (numbers, newest) = done?;
    if numbers.is_empty() {
        super::say(&format!("密钥环里只有第 {newest} 把,没有要移走的。\n"));
        return Ok(());
    }
    let numbers = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join("、");
    super::say(&format!(
        "移走了第 {numbers} 把,放在 {};程序不再读它。还要留着换密钥以前的备份,就留着这个文件;那些备份都不要了,再删掉它。\n\
         现在把密钥目录再备份一份;几台机器共用的,抄到每一台,再启动服务。\n",
        keys.join("retired").display()
    ));
    Ok(())
}

fn take_out(installation: &Installation, keys: &std::path::Path) -> anyhow::Result<(Vec<u16>, u16)> {
    let vault = installation.kept()?.vault(keys)?;
    let newest = vault.keys().newest_seal();
    let left = of_others(&vault.sealed_by_key()?, newest);
    ensure!(left == 0, "还有 {left} 条是旧密钥封存的。请先运行 gongji keys reseal。");
    drop(vault);
    let numbers = retire_seal_keys(keys)?;
    // The ring as the next start will find it.
    Keys::open(keys, false)?;
    Ok((numbers, newest))
}

fn of_others(counts: &BTreeMap<u16, u64>, newest: u16) -> u64 {
    counts.iter().filter(|(number, _)| **number != newest).map(|(_, count)| count).sum()
}
