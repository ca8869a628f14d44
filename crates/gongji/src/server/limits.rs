//! Rate limits, by address, person and institution. They keep one caller from taking the machine; what money may do is another matter.

use crate::problem::{Edge, Problem};
use gongji_ledger::{HolderId, InstitutionId};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// Requests a second that go on for ever, and requests at once before that; zero is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub address_per_s: u32,
    pub address_burst: u32,
    pub person_per_s: u32,
    pub person_burst: u32,
    pub institution_per_s: u32,
    pub institution_burst: u32,
}

impl Rates {
    pub const NONE: Rates = Rates { address_per_s: 0, address_burst: 0, person_per_s: 0, person_burst: 0, institution_per_s: 0, institution_burst: 0 };
    /// A hospital, or a mobile operator's gateway, has many people behind one address. A large hospital pays some ten bills a second at its busiest.
    pub const PUBLIC: Rates =
        Rates { address_per_s: 200, address_burst: 1_000, person_per_s: 5, person_burst: 60, institution_per_s: 100, institution_burst: 1_000 };
    /// For trying things: only a loop that never rests meets it.
    pub const GENEROUS: Rates =
        Rates { address_per_s: 2_000, address_burst: 10_000, person_per_s: 500, person_burst: 5_000, institution_per_s: 2_000, institution_burst: 10_000 };
}

/// Addresses and people that were seen are forgotten after so many requests, unless they still wait.
const SWEEP_EVERY: u32 = 65_536;

pub struct Limits {
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    people: Option<DefaultKeyedRateLimiter<HolderId>>,
    institutions: Option<DefaultKeyedRateLimiter<InstitutionId>>,
    seen: AtomicU32,
}

impl Limits {
    pub fn new(rates: Rates) -> Limits {
        Limits {
            addresses: limiter(rates.address_per_s, rates.address_burst),
            people: limiter(rates.person_per_s, rates.person_burst),
            institutions: limiter(rates.institution_per_s, rates.institution_burst),
            seen: AtomicU32::new(0),
        }
    }

    /// # Errors
    /// `RATE_LIMITED`, with the seconds to wait.
    pub fn address(&self, address: IpAddr) -> Result<(), Problem> {
        if self.seen.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.addresses.iter().for_each(RateLimiter::retain_recent);
            self.people.iter().for_each(RateLimiter::retain_recent);
            self.institutions.iter().for_each(RateLimiter::retain_recent);
        }
        check(self.addresses.as_ref(), &address)
    }

    /// # Errors
    /// As [`Limits::address`].
    pub fn person(&self, holder: HolderId) -> Result<(), Problem> {
        check(self.people.as_ref(), &holder)
    }

    /// # Errors
    /// As [`Limits::address`].
    pub fn institution(&self, id: InstitutionId) -> Result<(), Problem> {
        check(self.institutions.as_ref(), &id)
    }
}

fn limiter<K: Hash + Eq + Clone>(per_s: u32, burst: u32) -> Option<DefaultKeyedRateLimiter<K>> {
    let quota = Quota::per_second(NonZeroU32::new(per_s)?).allow_burst(NonZeroU32::new(burst)?);
    Some(RateLimiter::keyed(quota))
}

fn check<K: Hash + Eq + Clone>(limiter: Option<&DefaultKeyedRateLimiter<K>>, key: &K) -> Result<(), Problem> {
    let Some(Err(wait)) = limiter.map(|limiter| limiter.check_key(key)) else { return Ok(()) };
    let mut problem = Problem::from(Edge::RateLimited);
    problem.retry_after = Some(wait.wait_time_from(DefaultClock::default().now()).as_secs() + 1);
    Err(problem)
}
