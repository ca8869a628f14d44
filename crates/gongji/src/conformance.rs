//! The conformance kit: plays an institution's software against a sandbox server over HTTP and says, case by case, whether it does what our
//! documents promise.
//!
//! It knows nothing of the server but its address, the keys that the sandbox has laid down and the documents under `docs/institutions/`: whoever
//! builds another server for the same interface, or changes this one, runs it. A vendor reads its report to see what each situation is answered with.
//! Every case has a stable name, one sentence that says what is asked, what must come and why, and ends with its money given back.

mod cases;
mod client;
mod keys;
mod kit;
mod report;

pub(crate) use client::Message;
pub use keys::{Institution, Keys, KeysFile, Payer};
pub use report::{Group, Ran, Report};

use kit::Kit;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is asked of a case: nothing, or why it failed, in Chinese.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// For everything together: what has not begun by then fails.
pub const TIME_MAX: Duration = Duration::from_secs(120);

/// For one case.
const CASE_TIME_MAX: Duration = Duration::from_secs(20);

/// Which cases are run.
#[derive(Clone, Debug)]
pub enum Wanted {
    All,
    Named(BTreeSet<String>),
}

/// Runs the cases against `target` (`http://host:port`).
///
/// # Errors
/// The keys cannot be read, or the server does not answer at all: then nothing can be said about it.
pub async fn run(target: &str, keys: &Path, wanted: &Wanted) -> anyhow::Result<Report> {
    let kit = Kit::open(target, Keys::read(keys)?).await?;
    let mut run = Run::new(Some(&kit), wanted);
    cases::play(&mut run).await;
    Ok(run.ended(target))
}

/// Names and sentences of all cases, by group.
pub async fn list() -> Vec<Group> {
    let wanted = Wanted::Named(BTreeSet::new());
    let mut run = Run::new(None, &wanted);
    cases::play(&mut run).await;
    run.listed
}

/// A run under way.
pub(crate) struct Run<'a> {
    kit: Option<&'a Kit>,
    wanted: &'a Wanted,
    begun: Instant,
    groups: Vec<Group>,
    /// All that were met, run or not.
    listed: Vec<Group>,
}

impl<'a> Run<'a> {
    fn new(kit: Option<&'a Kit>, wanted: &'a Wanted) -> Run<'a> {
        Run { kit, wanted, begun: Instant::now(), groups: Vec::new(), listed: Vec::new() }
    }

    /// The cases that follow belong together.
    pub fn group(&mut self, title: &'static str) {
        self.groups.push(Group { title, cases: Vec::new() });
        self.listed.push(Group { title, cases: Vec::new() });
    }

    /// One case. `says`: what is asked, what must come, and why.
    pub async fn case(&mut self, name: &str, says: &str, check: impl AsyncFnOnce(&Kit) -> Checked) {
        let ran = |took, why| Ran { name: name.to_owned(), says: says.to_owned(), took, why, exchanges: Vec::new() };
        let listed = self.listed.last_mut().expect("a group begins first");
        listed.cases.push(ran(Duration::ZERO, None));
        let is_wanted = match self.wanted {
            Wanted::All => true,
            Wanted::Named(names) => names.contains(name),
        };
        let Some(kit) = self.kit.filter(|_| is_wanted) else { return };
        let group = self.groups.last_mut().expect("a group begins first");
        if self.begun.elapsed() > TIME_MAX {
            group.cases.push(ran(Duration::ZERO, Some(format!("总时间超过 {} 秒,没有轮到。", TIME_MAX.as_secs()))));
            return;
        }
        let begun = Instant::now();
        kit.begin();
        let checked = tokio::time::timeout(CASE_TIME_MAX, check(kit)).await;
        let why = match checked {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some(format!("{} 秒没有做完。", CASE_TIME_MAX.as_secs())),
        };
        let exchanges = if why.is_some() { kit.exchanges() } else { Vec::new() };
        kit.give_back().await;
        group.cases.push(Ran { exchanges, ..ran(begun.elapsed(), why) });
    }

    fn ended(self, target: &str) -> Report {
        let groups = self.groups.into_iter().filter(|group| !group.cases.is_empty()).collect();
        Report { target: target.to_owned(), took: self.begun.elapsed(), groups }
    }
}
