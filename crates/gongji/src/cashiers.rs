//! `gongji cashiers`: the tills of many institutions play a busy day against a running sandbox, over real HTTP, with every kind of trouble.
//!
//! Each institution keeps a book of its own from the answers that it got, and from nothing else. What it did not hear it finds out as the rules
//! for unclear outcomes say: ask by order number, repeat with the same key, or reverse. When the days are over the books are laid beside the
//! platform's, order by order; a difference of one fen fails the run. The same seed makes the same days.

mod book;
mod cast;
mod signing;
mod story;

pub use signing::{Share, Signing};
pub use story::Story;

use crate::cli::say;
use crate::demo::client::{Client, text};
use crate::time::{parse_rfc3339, rfc3339};
use anyhow::{Context, ensure};
use book::Book;
use cast::Crew;
use gongji_wallet::day::{DAY_MS, day_of, instant};
use serde_json::json;
use std::collections::BTreeMap;

/// Tills open at eight; the day has ten hours.
const OPENS: u16 = 8 * 60;
const HOURS: usize = 10;

/// Orders of a day at most: people of the samples have only so much money.
pub const ORDERS_MAX: usize = 600;

/// What to play.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `http://127.0.0.1:8080`
    pub target: String,
    pub seed: u64,
    pub orders: usize,
    pub institutions: usize,
    /// Who signs; nobody does unless given.
    pub signing: Option<Signing>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How often each story was played.
    pub played: BTreeMap<Story, usize>,
    pub institutions: usize,
    pub orders: usize,
    /// Captured and refunded (fen), as the institutions' own books have it.
    pub captured: i64,
    pub refunded: i64,
    /// What the platform says otherwise than an institution's book.
    pub differences: Vec<String>,
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.roll(to.abs_diff(from) + 1)).expect("a few digits")
    }
}

/// The sandbox's clock, as anybody may read and move it.
struct SandboxClock<'a>(&'a Client);

impl SandboxClock<'_> {
    async fn now(&self) -> anyhow::Result<i64> {
        let body = self.0.anybody().get("/sandbox/clock").await?.ok()?;
        parse_rfc3339(&text(&body["now"])).context("沙箱的时钟读不懂")
    }

    /// Forward to `at`; a clock that is further already stays.
    async fn reach(&self, at: i64) -> anyhow::Result<()> {
        if self.now().await? < at {
            self.0.anybody().post("/sandbox/clock", json!({ "to": rfc3339(at) })).await?.ok()?;
        }
        Ok(())
    }
}

/// Plays the day, the next morning and the one after, and compares the books.
pub async fn play(plan: &Plan) -> anyhow::Result<Outcome> {
    ensure!((1..=ORDERS_MAX).contains(&plan.orders), "单数要在 1 到 {ORDERS_MAX} 之间。");
    let client = Client::new(&plan.target)?;
    let clock = SandboxClock(&client);
    let today = day_of(clock.now().await.context("连不上沙箱,或它不是沙箱(要有能拨动的时钟)")?) + 1;
    clock.reach(instant(today, OPENS)).await?;
    let run = format!("{today}-{}", plan.seed);
    let mut crews = cast::gather(&client, plan, &run).await?;
    let institutions = crews.iter().map(|crew| crew.tills.len()).sum();
    say(&format!("{institutions} 家机构开门,{} 个地区,{} 单,种子 {}\n", crews.len(), plan.orders, plan.seed));

    for (hour, stories) in timetable(plan.orders, &mut Dice(plan.seed)).into_iter().enumerate() {
        // Codes that people took out too early expire on the way.
        for crew in &mut crews {
            crew.take_codes_early(&stories).await?;
        }
        clock.reach(instant(today, OPENS) + hour as i64 * 3_600_000 + 1_800_000).await?;
        let all = crews.len();
        let shares = crews.into_iter().enumerate().map(|(nth, crew)| {
            let share: Vec<Story> = stories.iter().skip(nth).step_by(all).copied().collect();
            crew.play(share)
        });
        crews = together(shares).await?;
    }
    // Yesterday's returns, and what nobody captured.
    clock.reach(instant(today, OPENS) + DAY_MS + HOURS as i64 * 3_600_000).await?;
    crews = together(crews.into_iter().map(Crew::next_day)).await?;

    let mut played = BTreeMap::new();
    let mut book = Book::default();
    let mut tills = Vec::new();
    for crew in crews {
        for (story, times) in crew.played {
            *played.entry(story).or_default() += times;
        }
        book.merge(crew.book);
        tills.extend(crew.tills);
    }
    tills.sort_by(|a, b| a.code.cmp(&b.code));
    let mut differences = Vec::new();
    for till in &tills {
        differences.extend(book.compare(&client, till, &run).await?);
    }
    let (captured, refunded) = book.totals();
    let outcome = Outcome { played, institutions, orders: book.len(), captured, refunded, differences };
    tell(&outcome, &book, &tills);
    Ok(outcome)
}

/// The stories of each hour: first one of each kind, then mostly what goes well.
fn timetable(orders: usize, dice: &mut Dice) -> Vec<Vec<Story>> {
    let mut hours = vec![Vec::new(); HOURS];
    for nth in 0..orders {
        let story = match Story::ALL.get(nth) {
            Some(story) => *story,
            None if dice.roll(3) > 0 => Story::Plain,
            None => Story::ALL[dice.roll(Story::ALL.len() as u64) as usize],
        };
        hours[nth * HOURS / orders].push(story);
    }
    hours
}

/// All areas at once, each with its own people and tills; in the order in which they were given.
async fn together(work: impl Iterator<Item = impl Future<Output = anyhow::Result<Crew>> + Send + 'static>) -> anyhow::Result<Vec<Crew>> {
    let mut crews = Vec::new();
    for playing in work.map(tokio::spawn).collect::<Vec<_>>() {
        crews.push(playing.await??);
    }
    Ok(crews)
}

fn tell(outcome: &Outcome, book: &Book, tills: &[cast::Till]) {
    let yuan = |fen: i64| gongji_files::format_yuan(gongji_ledger::Fen(fen));
    say("\n发生了什么:\n");
    for (story, times) in &outcome.played {
        say(&format!("  {times:>4} 次  {}\n", story.label()));
    }
    say("\n每家机构自己的账:\n");
    for till in tills {
        let (orders, captured, refunded) = book.of(&till.code);
        say(&format!("  {}  {orders:>4} 单  收 {:>12}  退 {:>12}  {} · {}\n", till.code, yuan(captured), yuan(refunded), till.name, till.way()));
    }
    say(&format!("  合计 {} 单,收 {},退 {}\n\n", outcome.orders, yuan(outcome.captured), yuan(outcome.refunded)));
    if outcome.differences.is_empty() {
        say(&format!("{} 家机构的账和平台逐单一致。\n", outcome.institutions));
    } else {
        say(&format!("有 {} 处不一致:\n", outcome.differences.len()));
        outcome.differences.iter().for_each(|difference| say(&format!("  {difference}\n")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_every_story_and_is_the_same_for_the_same_seed() {
        let day = |seed, orders| timetable(orders, &mut Dice(seed)).concat();
        let all: std::collections::BTreeSet<Story> = day(1, Story::ALL.len()).into_iter().collect();
        assert_eq!(all.len(), Story::ALL.len());
        assert_eq!(day(7, 200), day(7, 200));
        assert_ne!(day(7, 200), day(8, 200));
        assert!(timetable(240, &mut Dice(1)).iter().all(|hour| hour.len() == 24));
    }
}
