//! What if these rules had held? The transfers that were made in the last month, one by one, under other limits.
//!
//! Only what really happened can be replayed: whoever was refused under the old rules may have tried otherwise. A transfer that the new rules refuse
//! counts to nobody's day.

use crate::activity::before;
use crate::app::App;
use gongji_ledger::{AreaCode, Fen, HolderId};
use gongji_store::Fault;
use gongji_wallet::day::{DAY_MS, Day, day_of, instant};
use gongji_wallet::event::{Event, Fact};
use gongji_wallet::rules::{RuleChange, Rules, Scope, resolve};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Days that are replayed.
pub const DAYS: i64 = 30;

/// Records read of one partition.
const RECORDS_MAX: usize = 100_000;

/// Records read at once.
const STEP: usize = 256;

/// A transfer that would have been refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    pub sender: HolderId,
    pub at: i64,
    pub amount: Fen,
    pub why: &'static str,
}

#[derive(Clone, Default, Debug)]
pub struct Replay {
    pub transfers: usize,
    /// Oldest first.
    pub refused: Vec<Refused>,
    pub by_reason: BTreeMap<&'static str, usize>,
    pub people: usize,
    pub is_complete: bool,
}

/// Replays under the directory's rules with this change, as if it held from long ago.
pub fn replay(app: &App, change: &RuleChange) -> Result<Replay, Fault> {
    let directory = app.directory();
    let mut changes = directory.rule_changes.clone();
    // From the first day on, and ahead of any other of the same scope.
    let from = day_of(app.now()) - i32::try_from(DAYS).unwrap_or(30);
    changes.push(RuleChange {
        from: directory.rule_changes.iter().map(|known| known.from).max().unwrap_or(from).min(day_of(app.now())).max(from),
        ..change.clone()
    });
    let mut rules: HashMap<AreaCode, Rules> = HashMap::new();
    let mut replay = Replay { is_complete: true, ..Replay::default() };
    for part in 1..=app.engine.parts() {
        let mut days: HashMap<(HolderId, Day), (u16, Fen)> = HashMap::new();
        let mut journal = app.engine.store().journal(part)?;
        let mut after = before(&mut *journal, app.now() - DAYS * DAY_MS)?;
        let mut left = RECORDS_MAX;
        while left > 0 {
            let records = journal.records(after, STEP.min(left))?;
            let Some(last) = records.last() else { break };
            after = last.head.seq;
            left -= records.len();
            for record in &records {
                for event in record.events()? {
                    let Some((sender, amount)) = sent(&event) else { continue };
                    let Some(area) = app.engine.holder(sender)?.and_then(|person| person.enrolment).map(|enrolment| enrolment.area) else { continue };
                    if !change.scope.covers(Scope::Area(area)) {
                        continue;
                    }
                    replay.transfers += 1;
                    let at = record.head.stamp;
                    let rules = rules.entry(area).or_insert_with(|| resolve(&changes, area, day_of(app.now())));
                    let used = days.entry((sender, day_of(at))).or_default();
                    match objection(rules, at, amount, *used) {
                        Some(why) => {
                            replay.refused.push(Refused { sender, at, amount, why });
                            *replay.by_reason.entry(why).or_default() += 1;
                        }
                        None => *used = (used.0 + 1, used.1 + amount),
                    }
                }
            }
        }
        replay.is_complete &= left > 0;
    }
    replay.refused.sort_by_key(|one| one.at);
    replay.people = replay.refused.iter().map(|one| one.sender).collect::<BTreeSet<_>>().len();
    Ok(replay)
}

/// Who sent how much, where the event is a transfer.
fn sent(event: &Event) -> Option<(HolderId, Fen)> {
    match &event.fact {
        Fact::TransferSubmitted(transfer) => Some((transfer.sender, transfer.amount())),
        Fact::TransferMade { .. } => event.moves.first().and_then(|posting| Some((posting.from.holder()?, posting.amount()))),
        _ => None,
    }
}

/// The first thing that these rules have against it.
fn objection(rules: &Rules, at: i64, amount: Fen, used: (u16, Fen)) -> Option<&'static str> {
    if rules.is_closed_at(at - instant(day_of(at), 0)) {
        return Some("暂停时段");
    }
    if amount < rules.transfer_min {
        return Some("低于单笔最少");
    }
    if amount > rules.transfer_max {
        return Some("超过单笔最多");
    }
    if used.0 >= rules.daily_count_max {
        return Some("超过每天次数");
    }
    if rules.daily_total_max.is_some_and(|max| used.1 + amount > max) {
        return Some("超过每天合计");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_held_against_each_limit() {
        let rules = Rules { transfer_max: Fen(1_000), transfer_min: Fen(10), daily_count_max: 2, daily_total_max: Some(Fen(1_500)), ..Rules::default() };
        let noon = instant(20_000, 12 * 60);
        let why = |at, amount, used| objection(&rules, at, Fen(amount), used);
        assert_eq!(why(noon, 1_000, (0, Fen(0))), None);
        assert_eq!(why(noon, 1_001, (0, Fen(0))), Some("超过单笔最多"));
        assert_eq!(why(noon, 9, (0, Fen(0))), Some("低于单笔最少"));
        assert_eq!(why(noon, 10, (2, Fen(0))), Some("超过每天次数"));
        assert_eq!(why(noon, 501, (1, Fen(1_000))), Some("超过每天合计"));
        assert_eq!(why(instant(20_000, 22 * 60), 10, (0, Fen(0))), Some("暂停时段"));
    }
}
