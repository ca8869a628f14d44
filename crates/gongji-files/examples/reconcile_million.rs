//! How long a large reconciliation takes, and how much memory: `cargo run --release -p gongji-files --example reconcile_million -- 1000000`.
//!
//! Writes two files with as many lines, shuffled against each other, a hundred discrepancies of each kind planted; then does what
//! `gongji reconcile` does, in the same process, and prints figures as JSON. Fails where a kind is not found exactly as often as planted.

use gongji_files::reconcile::{BreakKind, Class, Direction, Encoding, FileFormat, Line, ListWriter, ReadLimits, Report, Scope, read_list, reconcile};
use gongji_ledger::Fen;
use gongji_wallet::day::{Day, day_from_date};
use std::error::Error;
use std::fs::File;
use std::time::Instant;

const PLANTED: usize = 100;
const CLASS: Class = Class { clr_type: 11, insutype: 310 };

#[derive(Clone)]
struct Bill {
    order: String,
    settlement: String,
    person: String,
    own: i64,
    total: i64,
    fund: i64,
    day: Day,
    class: Class,
}

impl Bill {
    /// Amounts repeat, people come again, as on a busy day.
    fn nth(nth: usize, today: Day) -> Bill {
        let own = 1_000 + (nth as i64 * 7_919) % 50_000;
        Bill {
            order: format!("MZ20261122-{nth:08}"),
            settlement: format!("0199c5d2-7a10-7c3e-9f00-{nth:012x}"),
            person: format!("{:024X}", 0x1_0000_0000_u64 + nth as u64),
            own,
            total: own * 3,
            fund: own * 3 / 2,
            day: today,
            class: CLASS,
        }
    }

    fn refund(&self, own: i64) -> Bill {
        Bill { own: -own, total: -own, fund: 0, ..self.clone() }
    }

    fn part(&self, own: i64, total: i64, fund: i64) -> Bill {
        Bill { own, total, fund, ..self.clone() }
    }
}

fn plant(kind: BreakKind, base: Bill, theirs: &mut Vec<Bill>, ours: &mut Vec<Bill>) {
    let (mine, yours): (Vec<Bill>, Vec<Bill>) = match kind {
        BreakKind::PaymentMissingOurs => (vec![], vec![base]),
        BreakKind::PaymentMissingTheirs => (vec![base], vec![]),
        BreakKind::RefundMissingOurs => (vec![base.clone()], vec![base.clone(), base.refund(base.own)]),
        BreakKind::RefundMissingTheirs => (vec![base.clone(), base.refund(base.own)], vec![base]),
        BreakKind::AmountDiffers => (vec![base.clone()], vec![Bill { own: base.own + 1, total: base.total + 1, ..base }]),
        BreakKind::SharesExchanged => (vec![base.clone()], vec![Bill { own: base.fund, fund: base.own, ..base }]),
        BreakKind::SignReversed => (vec![base.clone(), base.refund(base.own)], vec![base.clone(), Bill { total: base.own, fund: 0, ..base }]),
        BreakKind::DuplicateLine => (vec![base.clone()], vec![base.clone(), base]),
        BreakKind::DuplicateCharge => {
            let again = Bill { order: format!("{}-2", base.order), settlement: format!("{}2", base.settlement), ..base.clone() };
            (vec![base.clone(), again], vec![base])
        }
        BreakKind::WrongDay => (vec![Bill { day: base.day - 1, ..base.clone() }], vec![base]),
        BreakKind::WrongClass => (vec![Bill { class: Class { clr_type: 21, ..CLASS }, ..base.clone() }], vec![base]),
        BreakKind::WrongPerson => (vec![base.clone()], vec![Bill { person: "SOMEBODYELSE".into(), ..base }]),
        BreakKind::WrongNumber => (vec![base.clone()], vec![Bill { order: base.order.replace('-', "_"), settlement: String::new(), ..base }]),
        BreakKind::CapturesSummed => (vec![base.part(base.own - 10, base.total, base.fund), base.part(10, 0, 0)], vec![base]),
        BreakKind::RefundsSummed => (vec![base.clone(), base.refund(10), base.refund(20)], vec![base.clone(), base.refund(30)]),
        // A file cannot say that an order was undone; the tests plant it.
        BreakKind::UndoneListed => (vec![], vec![]),
    };
    ours.extend(mine);
    theirs.extend(yours);
}

/// Neighbours far apart, the same at every run.
fn shuffled(mut bills: Vec<Bill>, mut seed: u64) -> Vec<Bill> {
    for at in (1..bills.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bills.swap(at, (seed >> 33) as usize % (at + 1));
    }
    bills
}

fn write(path: &std::path::Path, bills: &[Bill], with_class: bool, encoding: Encoding) -> Result<(), Box<dyn Error>> {
    let mut writer = ListWriter::new(FileFormat::Comma, encoding);
    for bill in bills {
        writer.line(
            &Line {
                row: 0,
                order_no: &bill.order,
                settlement: &bill.settlement,
                person: &bill.person,
                direction: if bill.own < 0 { Direction::Refund } else { Direction::Payment },
                day: with_class.then_some(bill.day),
                class: with_class.then_some(bill.class),
                is_undone: false,
                own: Fen(bill.own),
                total: Some(Fen(bill.total)),
                fund: Some(Fen(bill.fund)),
            },
            None,
        );
    }
    Ok(std::fs::write(path, writer.finish())?)
}

/// Most memory this process has had at once (MiB), as Linux counts it.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let first = args.next().unwrap_or_else(|| "1000000".to_owned());
    let today = day_from_date(2026, 11, 22).ok_or("no such day")?;
    let folder = std::env::temp_dir().join("gongji-reconcile-million");
    let (their_path, our_path) = (folder.join("theirs.csv"), folder.join("ours.csv"));
    if first != "compare" {
        let count: usize = first.parse()?;
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        let planted = PLANTED * BreakKind::ALL.len();
        (0..planted).for_each(|nth| plant(BreakKind::ALL[nth % BreakKind::ALL.len()], Bill::nth(nth, today), &mut theirs, &mut ours));
        let quiet = (planted..).map(|nth| Bill::nth(nth, today)).take(count.saturating_sub(theirs.len()));
        for bill in quiet {
            theirs.push(bill.clone());
            ours.push(bill);
        }
        std::fs::create_dir_all(&folder)?;
        write(&their_path, &shuffled(theirs, 1), false, Encoding::Gbk)?;
        write(&our_path, &shuffled(ours, 2), true, Encoding::Utf8Bom)?;
        // In a fresh process: what writing took is not what comparing takes.
        let done = std::process::Command::new(std::env::current_exe()?).arg("compare").status()?;
        std::fs::remove_dir_all(&folder)?;
        return if done.success() { Ok(()) } else { Err("the comparison failed".into()) };
    }
    let begun = Instant::now();
    let theirs = read_list(File::open(&their_path)?, &ReadLimits::default())?;
    let ours = read_list(File::open(&our_path)?, &ReadLimits::default())?;
    let read_ms = begun.elapsed().as_millis();
    if !theirs.bad.is_empty() || !ours.bad.is_empty() {
        return Err("a file has bad lines".into());
    }
    let scope = Scope { day: Some(today), class: Some(CLASS) };
    let found = reconcile(&scope, &theirs.listing, &ours.listing);
    let report = Report::new(&scope, &theirs.listing, &ours.listing, &found, theirs.unpaid, usize::MAX);
    let all_ms = begun.elapsed().as_millis();
    for kind in BreakKind::ALL {
        let expected = if kind == BreakKind::UndoneListed { 0 } else { PLANTED as u64 };
        if found.count(kind) != expected {
            return Err(format!("{} {} found, {expected} planted", found.count(kind), kind.code()).into());
        }
    }
    println!(
        "{{ \"lines_theirs\": {}, \"lines_ours\": {}, \"bytes\": {}, \"matched\": {}, \"kinds_planted\": {}, \"breaks\": {}, \"read_ms\": {read_ms}, \"all_ms\": {all_ms}, \"peak_mib\": {} }}",
        theirs.listing.len(),
        ours.listing.len(),
        theirs.bytes + ours.bytes,
        report.matched,
        report.counts.len(),
        report.break_count(),
        peak_mib().map_or("null".to_owned(), |mib| mib.to_string()),
    );
    Ok(())
}
