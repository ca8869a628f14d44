//! Can one pay with the wallet there? Three answers for each institution and kind of terminal, from what really happened.
//!
//! `Ready`: enabled, and a payment was captured there within seven days. `Quiet`: enabled, but none was. `Off`: not enabled. What counts, and
//! what the imported list still says, is in docs/institutions/readiness.md.

use crate::activity::Seen;
use crate::app::App;
use gongji_ledger::AreaCode;
use gongji_wallet::day::DAY_MS;
use gongji_wallet::directory::{Institution, Readiness};
use gongji_wallet::object::Terminal;

/// After this long without a captured payment a terminal is quiet (ms).
pub const QUIET_MS: i64 = 7 * DAY_MS;

/// What is known of an institution at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The best of its terminals.
    pub state: Readiness,
    /// In the order of [`Terminal::ALL`].
    pub terminals: [Readiness; 3],
    /// Last captured payment at any terminal (ms).
    pub paid_at: Option<i64>,
    /// Last time its software said that it is up (ms).
    pub heard_at: Option<i64>,
}

impl Standing {
    pub fn at(&self, terminal: Terminal) -> Readiness {
        self.terminals[terminal as usize]
    }

    /// The state at one kind of terminal, or of the institution.
    pub fn of(&self, terminal: Option<Terminal>) -> Readiness {
        terminal.map_or(self.state, |terminal| self.at(terminal))
    }
}

pub fn standing(app: &App, institution: &Institution, now: i64) -> Standing {
    judge(institution, Terminal::ALL.map(|terminal| app.activity.seen(institution.id, terminal)), now)
}

fn judge(institution: &Institution, seen: [Seen; 3], now: i64) -> Standing {
    let is_enabled = institution.readiness != Readiness::Off;
    let listed = [institution.counter, institution.kiosk, institution.mobile];
    let mut terminals = [Readiness::Off; 3];
    for (at, state) in terminals.iter_mut().enumerate() {
        // A payment that went through says more than a list that does not know the terminal.
        let is_lively = seen[at].paid_at > 0 && now - seen[at].paid_at < QUIET_MS;
        *state = match (is_enabled, is_lively, listed[at]) {
            (false, ..) | (true, false, false) => Readiness::Off,
            (true, true, _) => Readiness::Ready,
            (true, false, true) => Readiness::Quiet,
        };
    }
    let best = terminals.into_iter().min().unwrap_or(Readiness::Off);
    // Enabled, and the list names no terminal: nobody has paid there yet.
    let state = if is_enabled { best.min(Readiness::Quiet) } else { Readiness::Off };
    let last = |of: fn(&Seen) -> i64| seen.iter().map(of).max().filter(|at| *at > 0);
    Standing { state, terminals, paid_at: last(|seen| seen.paid_at), heard_at: last(|seen| seen.heard_at) }
}

/// How many are in each state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub ready: usize,
    pub quiet: usize,
    pub off: usize,
}

impl Tally {
    pub fn count(&mut self, state: Readiness) {
        match state {
            Readiness::Ready => self.ready += 1,
            Readiness::Quiet => self.quiet += 1,
            Readiness::Off => self.off += 1,
        }
    }
}

/// The institutions of an area by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Nearby {
    pub all: Tally,
    /// In the order of [`Terminal::ALL`].
    pub terminals: [Tally; 3],
    /// Pharmacies among the ready ones.
    pub pharmacies_ready: usize,
}

pub fn nearby(app: &App, area: AreaCode, now: i64) -> Nearby {
    let mut nearby = Nearby::default();
    for institution in app.directory().institutions_in(area) {
        let standing = standing(app, institution, now);
        nearby.all.count(standing.state);
        nearby.terminals.iter_mut().zip(standing.terminals).for_each(|(tally, state)| tally.count(state));
        nearby.pharmacies_ready += usize::from(institution.is_pharmacy && standing.state == Readiness::Ready);
    }
    nearby
}

/// Metres between two points on the Earth (degrees × 1,000,000): good to a per mille within a country, which is finer than an address.
pub fn metres(from: (i32, i32), to: (i32, i32)) -> u32 {
    let radians = |e6: i32| (f64::from(e6) / 1e6).to_radians();
    let (lat_a, lat_b) = (radians(from.0), radians(to.0));
    let (up, across) = ((lat_b - lat_a) / 2.0, (radians(to.1) - radians(from.1)) / 2.0);
    let part = up.sin().powi(2) + lat_a.cos() * lat_b.cos() * across.sin().powi(2);
    (2.0 * 6_371_000.0 * part.sqrt().min(1.0).asin()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use gongji_ledger::InstitutionId;

    const NOW: i64 = 1_795_000_000_000;

    fn institution(readiness: Readiness, [counter, kiosk, mobile]: [bool; 3]) -> Institution {
        let id = InstitutionId::parse("H51050000001").expect("a code");
        let text = String::new;
        let (area, is_pharmacy) = (510_500, false);
        Institution { id, name: text(), area, is_pharmacy, level: text(), address: text(), district: text(), readiness, counter, kiosk, mobile, position: None }
    }

    fn paid(ago: i64) -> Seen {
        Seen { paid_at: NOW - ago, heard_at: 0 }
    }

    #[test]
    fn a_terminal_is_ready_for_seven_days_after_its_last_payment_and_quiet_from_then_on() {
        use Readiness::*;
        let never = Seen::default();
        let all = [true; 3];
        let check = |listed: Readiness, terminals, seen, state: Readiness, by_terminal: [Readiness; 3]| {
            let standing = judge(&institution(listed, terminals), seen, NOW);
            assert_eq!((standing.state, standing.terminals), (state, by_terminal), "{listed:?} {terminals:?} {seen:?}");
        };
        check(Ready, all, [never; 3], Quiet, [Quiet; 3]);
        check(Quiet, all, [paid(QUIET_MS - 1), paid(QUIET_MS), never], Ready, [Ready, Quiet, Quiet]);
        check(Ready, [true, false, false], [never, paid(0), never], Ready, [Quiet, Ready, Off]);
        check(Ready, [true, false, false], [never, paid(QUIET_MS), never], Quiet, [Quiet, Off, Off]);
        check(Quiet, [false; 3], [never; 3], Quiet, [Off; 3]);
        check(Off, all, [paid(0); 3], Off, [Off; 3]);
        let heard = [Seen { paid_at: 0, heard_at: NOW }; 3];
        check(Ready, all, heard, Quiet, [Quiet; 3]);
        assert_eq!(judge(&institution(Ready, all), heard, NOW).heard_at, Some(NOW));
    }

    #[test]
    fn distances_are_those_of_a_map() {
        let (jinan, luzhou) = ((36_651_200, 117_120_100), (28_871_800, 105_442_300));
        assert_eq!(metres(jinan, jinan), 0);
        assert!((1_370_000..1_410_000).contains(&metres(jinan, luzhou)), "{}", metres(jinan, luzhou));
        assert_eq!(metres(jinan, luzhou), metres(luzhou, jinan));
        // A thousandth of a degree of latitude.
        assert!((110..113).contains(&metres((28_871_000, 105_442_300), (28_872_000, 105_442_300))));
    }
}
