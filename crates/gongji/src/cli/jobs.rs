//! `gongji jobs`: what the installation does by itself, and how far it is.

use super::office::{Place, clock_and_vault};
use crate::jobs::{Standing, standings};
use crate::time::rfc3339;
use clap::Args;

#[derive(Args)]
pub struct JobsArgs {
    #[command(flatten)]
    place: Place,
}

pub fn run(args: &JobsArgs) -> anyhow::Result<()> {
    let (now, vault) = clock_and_vault(&args.place)?;
    for standing in standings(&vault.jobs()?, now) {
        super::say(&tell(&standing));
    }
    Ok(())
}

/// One job in three lines.
fn tell(standing: &Standing) -> String {
    let last = match &standing.state {
        None => "还没有做过".to_owned(),
        Some(state) => match (&state.trouble, state.ended_ms) {
            (_, None) => format!("{} 开始,正在做", rfc3339(state.began_ms)),
            (Some(trouble), Some(ended)) => format!("{} 没有做成,连续 {} 次:{trouble}", rfc3339(ended), state.failures),
            (None, Some(ended)) => format!("{} 做完,{} 项,用了 {} 毫秒", rfc3339(ended), state.count, ended - state.began_ms),
        },
    };
    let due = rfc3339(standing.due_ms);
    let next = if standing.lag_ms > 0 { format!("{due} 就该做了,服务运行时一分钟内会补上") } else { due };
    format!("{}  {}\n  上次  {last}\n  下次  {next}\n", standing.name, standing.title)
}
