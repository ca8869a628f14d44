//! Reconciliation as an institution meets it: its file beside our lines, every planted discrepancy found under its name, no false alarm.

mod files;

use gongji_files::reconcile::{
    BreakKind, Class, Direction, Encoding, FileFormat, Line, ListWriter, Listing, ReadLimits, Reconciled, Scope, read_list, reconcile,
};
use gongji_ledger::Fen;
use gongji_wallet::day::day_from_date;
use proptest::prelude::*;

const OUTPATIENT: Class = Class { clr_type: 11, insutype: 310 };

fn today() -> i32 {
    day_from_date(2026, 11, 22).unwrap()
}

fn scope() -> Scope {
    Scope { day: Some(today()), class: Some(OUTPATIENT) }
}

/// A line in a form that is changed easily.
#[derive(Clone, Debug)]
struct Made {
    order: String,
    settlement: String,
    person: String,
    own: i64,
    total: i64,
    fund: i64,
    day: i32,
    class: Class,
    is_undone: bool,
}

impl Made {
    /// The `nth` bill of a day; no two of one person or one amount are alike.
    fn nth(nth: usize) -> Made {
        let own = 1_000 + nth as i64 * 7;
        Made {
            order: format!("MZ20261122-{nth:06}"),
            settlement: format!("{:032x}", 0xA000_0000 + nth as u64 * 0x1_0001),
            person: format!("{:016x}", 0x1_0000_0000 + nth as u64),
            own,
            total: own * 3,
            fund: own * 3 / 2,
            day: today(),
            class: OUTPATIENT,
            is_undone: false,
        }
    }

    fn refund(&self, own: i64) -> Made {
        Made { own: -own, total: -own, fund: 0, ..self.clone() }
    }

    fn part(&self, own: i64, total: i64, fund: i64) -> Made {
        Made { own, total, fund, ..self.clone() }
    }

    fn line(&self, row: usize) -> Line<'_> {
        Line {
            row: u32::try_from(row).unwrap(),
            order_no: &self.order,
            settlement: &self.settlement,
            person: &self.person,
            direction: if self.own < 0 { Direction::Refund } else { Direction::Payment },
            day: Some(self.day),
            class: Some(self.class),
            is_undone: self.is_undone,
            own: Fen(self.own),
            total: Some(Fen(self.total)),
            fund: Some(Fen(self.fund)),
        }
    }
}

fn listing(made: &[Made]) -> Listing {
    let mut listing = Listing::new();
    made.iter().enumerate().for_each(|(row, made)| listing.push(&made.line(row + 2)));
    listing
}

/// Their lines as the file of a vendor: national columns only, no day and no class.
fn file(made: &[Made], format: FileFormat, encoding: Encoding) -> Vec<u8> {
    let mut writer = ListWriter::new(format, encoding);
    for (row, made) in made.iter().enumerate() {
        writer.line(&Line { day: None, class: None, ..made.line(row) }, None);
    }
    writer.finish()
}

fn compare(theirs: &[Made], ours: &[Made]) -> Reconciled {
    let read = read_list(file(theirs, FileFormat::Comma, Encoding::Gbk).as_slice(), &ReadLimits::default()).unwrap();
    assert!(read.bad.is_empty(), "{:?}", read.bad);
    reconcile(&scope(), &read.listing, &listing(ours))
}

/// What is found between a quiet day of forty bills and the same day with something planted.
#[track_caller]
fn check(expected: &[(BreakKind, i64)], plant: impl FnOnce(&mut Vec<Made>, &mut Vec<Made>)) {
    let mut theirs: Vec<Made> = (0..40).map(Made::nth).collect();
    let refunds: Vec<Made> = theirs[30..35].iter().map(|made| made.refund(made.own)).collect();
    theirs.extend(refunds);
    let mut ours = theirs.clone();
    plant(&mut theirs, &mut ours);
    // The order of a file is nobody's concern.
    ours.reverse();
    let found = compare(&theirs, &ours);
    let kinds: Vec<(BreakKind, i64)> = found.breaks.iter().map(|one| (one.kind, one.difference.0)).collect();
    assert_eq!(kinds, expected);
    assert_eq!(found.is_agreed(), expected.iter().all(|(kind, _)| kind.is_note()));
    assert_eq!((found.theirs.own - found.ours.own).0, expected.iter().map(|(_, difference)| difference).sum::<i64>());
    // Each break is told in plain words with its amounts.
    let (read, ours) = (listing(&theirs), listing(&ours));
    for one in &found.breaks {
        let theirs: Vec<Line> = found.theirs_of(one).iter().map(|at| read.get(*at)).collect();
        let ours: Vec<Line> = found.ours_of(one).iter().map(|at| ours.get(*at)).collect();
        let told = one.kind.tell(&scope(), &theirs, &ours);
        assert!(told.cause_zh.ends_with('。') && told.proposal_zh.ends_with('。'), "{told:?}");
    }
}

#[test]
fn equal_lists_agree() {
    check(&[], |_, _| {});
    assert!(compare(&[], &[]).is_agreed());
}

#[test]
fn what_is_missing_on_either_side_is_found() {
    check(&[(BreakKind::PaymentMissingOurs, 1_021)], |_, ours| drop(ours.remove(3)));
    check(&[(BreakKind::PaymentMissingTheirs, -1_021)], |theirs, _| drop(theirs.remove(3)));
    check(&[(BreakKind::RefundMissingOurs, -1_210)], |_, ours| drop(ours.remove(40)));
    check(&[(BreakKind::RefundMissingTheirs, 1_210)], |theirs, _| drop(theirs.remove(40)));
}

#[test]
fn another_amount_is_found_and_an_exchange_of_shares_is_told_from_it() {
    check(&[(BreakKind::AmountDiffers, -1)], |theirs, _| theirs[5].own -= 1);
    check(&[(BreakKind::AmountDiffers, 0)], |theirs, _| theirs[5].total += 100);
    check(&[(BreakKind::AmountDiffers, 0)], |theirs, _| theirs[5].fund -= 100);
    check(&[(BreakKind::SharesExchanged, 517)], |theirs, _| {
        let made = &mut theirs[5];
        (made.own, made.fund) = (made.fund, made.own);
    });
}

#[test]
fn a_refund_booked_as_a_payment_is_found() {
    check(&[(BreakKind::SignReversed, 2 * 1_210)], |theirs, _| {
        let made = &mut theirs[40];
        (made.own, made.total) = (-made.own, -made.total);
    });
    check(&[(BreakKind::SignReversed, -2 * 1_000)], |theirs, _| {
        let made = &mut theirs[0];
        (made.own, made.total, made.fund) = (-made.own, -made.total, -made.fund);
    });
}

#[test]
fn a_line_listed_twice_and_a_person_charged_twice_are_told_apart() {
    check(&[(BreakKind::DuplicateLine, 1_014)], |theirs, _| theirs.push(theirs[2].clone()));
    check(&[(BreakKind::DuplicateLine, -1_210)], |theirs, _| theirs.push(theirs[40].clone()));
    // Neither is at ours: the first is missing, the second repeats it.
    check(&[(BreakKind::PaymentMissingOurs, 1_014), (BreakKind::DuplicateLine, 1_014)], |theirs, ours| {
        theirs.push(theirs[2].clone());
        ours.remove(2);
    });
    check(&[(BreakKind::DuplicateCharge, -1_014)], |_, ours| {
        ours.push(Made { order: "MZ20261122-009999".into(), settlement: "f".repeat(32), ..ours[2].clone() });
    });
    // One visit with two settlements, as the national door numbers them.
    check(&[(BreakKind::DuplicateCharge, -1_014)], |_, ours| ours.push(Made { settlement: "f".repeat(32), ..ours[2].clone() }));
}

#[test]
fn another_day_or_class_is_found_in_what_lies_around() {
    check(&[(BreakKind::WrongDay, 1_028)], |_, ours| ours[4].day -= 1);
    check(&[(BreakKind::WrongDay, 1_028)], |_, ours| ours[4].day += 1);
    check(&[(BreakKind::WrongClass, 1_028)], |_, ours| ours[4].class = Class { clr_type: 21, insutype: 310 });
    check(&[(BreakKind::WrongClass, 1_028)], |_, ours| ours[4].class = Class { clr_type: 11, insutype: 390 });
    // What lies around and is listed by nobody is no matter of this day.
    check(&[], |_, ours| ours.push(Made { day: today() - 1, ..Made::nth(77) }));
    // A file that states its days is believed: booked today, listed for yesterday.
    let ours = [Made::nth(1)];
    let theirs = listing(&[Made { day: today() - 1, ..Made::nth(1) }]);
    let found = reconcile(&scope(), &theirs, &listing(&ours));
    assert_eq!(found.breaks.iter().map(|one| (one.kind, one.difference.0)).collect::<Vec<_>>(), [(BreakKind::WrongDay, 0)]);
}

#[test]
fn another_person_or_number_with_everything_else_equal_is_found() {
    check(&[(BreakKind::WrongPerson, 0)], |theirs, _| theirs[6].person = "0000000100009999".into());
    // By the settlement number.
    check(&[(BreakKind::WrongNumber, 0)], |theirs, _| theirs[6].order = "MZ20261122-000060".into());
    // By person and amount alone.
    check(&[(BreakKind::WrongNumber, 0)], |theirs, _| {
        (theirs[6].order, theirs[6].settlement) = ("X-17".into(), String::new());
    });
    // By amount and a number that looks alike.
    check(&[(BreakKind::WrongNumber, 0)], |theirs, _| {
        let made = &mut theirs[6];
        (made.order, made.settlement, made.person) = ("MZ20261122-000060".into(), String::new(), String::new());
    });
    // A number that does not look alike, and nothing else: no guess.
    check(&[(BreakKind::PaymentMissingOurs, 1_042), (BreakKind::PaymentMissingTheirs, -1_042)], |theirs, _| {
        let made = &mut theirs[6];
        (made.order, made.settlement, made.person) = ("ZZ-1".into(), String::new(), String::new());
    });
    // Two that look alike: nobody can tell which is which.
    check(
        &[
            (BreakKind::PaymentMissingOurs, 1_000),
            (BreakKind::PaymentMissingOurs, 1_000),
            (BreakKind::PaymentMissingTheirs, -1_000),
            (BreakKind::PaymentMissingTheirs, -1_000),
        ],
        |theirs, ours| {
            let made = |nth| Made { order: format!("Q-{nth}"), settlement: String::new(), person: "p".into(), ..Made::nth(0) };
            theirs.extend([made(1), made(2)]);
            ours.extend([made(3), made(4)]);
        },
    );
}

#[test]
fn numbers_of_another_kind_say_nothing() {
    // The column has visits of the institution's system, and no order of ours: settlements tie the lines together.
    check(&[], |theirs, _| theirs.iter_mut().for_each(|made| made.order = format!("visit-{}", made.order)));
    check(&[(BreakKind::AmountDiffers, 100)], |theirs, _| {
        theirs.iter_mut().for_each(|made| made.order = format!("visit-{}", made.order));
        theirs[5].own += 100;
    });
}

#[test]
fn parts_and_their_sum_agree_and_are_noted() {
    check(&[(BreakKind::CapturesSummed, 0)], |theirs, ours| {
        theirs.push(Made::nth(80).part(9_000, 20_000, 11_000));
        ours.push(Made::nth(80).part(5_000, 20_000, 11_000));
        ours.push(Made::nth(80).part(3_000, 0, 0));
        ours.push(Made::nth(80).part(1_000, 0, 0));
    });
    check(&[(BreakKind::RefundsSummed, 0)], |theirs, ours| {
        theirs.push(Made::nth(38).refund(700));
        ours.push(Made::nth(38).refund(300));
        ours.push(Made::nth(38).refund(400));
    });
    // A refund taken off the payment's line.
    check(&[(BreakKind::RefundsSummed, 0)], |theirs, ours| {
        theirs[38] = theirs[38].part(866, theirs[38].total - 400, theirs[38].fund);
        ours.push(Made::nth(38).refund(400));
    });
    // Parts that are listed one by one need no note.
    check(&[], |theirs, ours| {
        for side in [theirs, ours] {
            side.push(Made::nth(80).part(5_000, 20_000, 11_000));
            side.push(Made::nth(80).part(3_000, 0, 0));
        }
    });
    check(&[(BreakKind::AmountDiffers, 4_001)], |theirs, ours| {
        theirs.push(Made::nth(80).part(9_001, 20_000, 11_000));
        ours.push(Made::nth(80).part(5_000, 20_000, 11_000));
    });
}

#[test]
fn an_order_undone_on_its_day_is_no_break_unless_it_is_still_listed() {
    let undone = || Made { is_undone: true, ..Made::nth(60) };
    check(&[], |_, ours| ours.push(undone()));
    check(&[(BreakKind::UndoneListed, 1_420)], |theirs, ours| {
        theirs.push(Made::nth(60));
        ours.push(undone());
    });
    // Listed with its reversal: nothing is kept there either.
    check(&[], |theirs, ours| {
        theirs.push(Made::nth(60));
        theirs.push(Made::nth(60).refund(1_420));
        ours.push(undone());
    });
}

/// What is planted into a large day, each at places of its own.
fn plant(kind: BreakKind, nth: usize, theirs: &mut Vec<Made>, ours: &mut Vec<Made>) {
    let base = Made::nth(nth);
    match kind {
        BreakKind::PaymentMissingOurs => theirs.push(base),
        BreakKind::PaymentMissingTheirs => ours.push(base),
        BreakKind::RefundMissingOurs => {
            theirs.extend([base.clone(), base.refund(base.own)]);
            ours.push(base);
        }
        BreakKind::RefundMissingTheirs => {
            ours.extend([base.clone(), base.refund(base.own)]);
            theirs.push(base);
        }
        BreakKind::AmountDiffers => {
            theirs.push(Made { own: base.own + 1, total: base.total + 1, ..base.clone() });
            ours.push(base);
        }
        BreakKind::SharesExchanged => {
            theirs.push(Made { own: base.fund, fund: base.own, ..base.clone() });
            ours.push(base);
        }
        BreakKind::SignReversed => {
            ours.extend([base.clone(), base.refund(base.own)]);
            theirs.extend([base.clone(), Made { total: base.own, fund: 0, ..base }]);
        }
        BreakKind::DuplicateLine => {
            theirs.extend([base.clone(), base.clone()]);
            ours.push(base);
        }
        BreakKind::DuplicateCharge => {
            ours.extend([base.clone(), Made { order: format!("again-{nth}"), settlement: format!("again-{nth}"), ..base.clone() }]);
            theirs.push(base);
        }
        BreakKind::WrongDay => {
            theirs.push(base.clone());
            ours.push(Made { day: base.day - 1, ..base });
        }
        BreakKind::WrongClass => {
            theirs.push(base.clone());
            ours.push(Made { class: Class { clr_type: 41, insutype: 310 }, ..base });
        }
        BreakKind::WrongPerson => {
            theirs.push(Made { person: "somebody-else".into(), ..base.clone() });
            ours.push(base);
        }
        BreakKind::WrongNumber => {
            theirs.push(Made { order: format!("typo-{nth}"), settlement: String::new(), ..base.clone() });
            ours.push(base);
        }
        BreakKind::CapturesSummed => {
            ours.extend([base.part(base.own - 10, base.total, base.fund), base.part(10, 0, 0)]);
            theirs.push(base);
        }
        BreakKind::RefundsSummed => {
            ours.extend([base.clone(), base.refund(10), base.refund(20)]);
            theirs.extend([base.clone(), base.refund(30)]);
        }
        BreakKind::UndoneListed => {
            theirs.push(base.clone());
            ours.push(Made { is_undone: true, ..base });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any mixture of all kinds, anywhere among lines that agree, in any order of both lists: each is found under its name, and nothing else.
    #[test]
    fn every_planted_kind_is_found_and_no_other(
        planted in proptest::collection::vec(0usize..16, 0..40),
        quiet in 0usize..120,
        seed in any::<u64>(),
    ) {
        let mut theirs: Vec<Made> = (1_000..1_000 + quiet).map(Made::nth).collect();
        let mut ours = theirs.clone();
        let mut expected = [0u64; 16];
        for (nth, kind) in planted.iter().enumerate() {
            expected[*kind] += 1;
            plant(BreakKind::ALL[*kind], nth * 3, &mut theirs, &mut ours);
        }
        // Shuffled, but lines of one order keep their own: what repeats stands behind what it repeats.
        ours.sort_by_key(|made| u64::from_str_radix(&made.settlement[..made.settlement.len().min(15)], 36).unwrap_or(7).wrapping_mul(seed | 1));
        let found = compare(&theirs, &ours);
        let counts: Vec<u64> = BreakKind::ALL.iter().map(|kind| found.count(*kind)).collect();
        prop_assert_eq!(counts, expected.to_vec());
        prop_assert!(found.matched >= quiet as u64);
    }

    /// Whatever two lists hold: the breaks explain the difference to the fen, each line is in one place, and a list agrees with itself.
    #[test]
    fn nothing_is_hidden(
        theirs in proptest::collection::vec((0u8..6, 0u8..4, 0u8..3, -3i64..4), 0..40),
        ours in proptest::collection::vec((0u8..6, 0u8..4, 0u8..3, -3i64..4, 0i32..3, any::<bool>()), 0..40),
    ) {
        let some = |letter: char, nth: u8| if nth == 0 { String::new() } else { format!("{letter}{nth}") };
        let made = |(order, settlement, person, own): (u8, u8, u8, i64)| Made {
            order: format!("o{order}"),
            settlement: some('s', settlement),
            person: some('p', person),
            own: if own == 0 { 5 } else { own },
            total: own * 2,
            fund: own,
            ..Made::nth(0)
        };
        let theirs: Vec<Made> = theirs.into_iter().map(made).collect();
        let ours: Vec<Made> = ours.into_iter()
            .map(|(order, settlement, person, own, day, is_undone)| Made { day: today() - day / 2, is_undone: is_undone && day == 2, ..made((order, settlement, person, own)) })
            .collect();
        let (listed, booked) = (listing(&theirs), listing(&ours));
        // The sum of the breaks is asserted inside.
        let found = reconcile(&scope(), &listed, &booked);
        let mut seen = vec![0; theirs.len()];
        for one in &found.breaks {
            let lines = found.theirs_of(one);
            let lines = if one.kind == BreakKind::DuplicateLine { &lines[..1] } else { lines };
            lines.iter().for_each(|at| seen[*at as usize] += 1);
        }
        prop_assert!(seen.iter().all(|times| *times <= 1), "{:?}", seen);
        let itself: Vec<Made> = ours.iter().filter(|made| !made.is_undone && made.day == today()).cloned().collect();
        let found = reconcile(&scope(), &listing(&itself), &listing(&itself));
        prop_assert!(found.breaks.is_empty(), "{:?}", found.breaks);
        prop_assert_eq!(found.matched, itself.len() as u64);
    }

    /// The form of the file changes nothing.
    #[test]
    fn every_form_of_a_file_reads_the_same(numbers in proptest::collection::vec(("[!-~]{1,20}", "[!-~]{0,20}", 1i64..99_999_999, any::<bool>()), 0..20)) {
        let made: Vec<Made> = numbers.iter()
            .filter(|(order, settlement, ..)| ![order, settlement].iter().any(|text| text.to_uppercase().contains("E+")))
            .map(|(order, settlement, own, is_refund)| {
                let sign = if *is_refund { -1 } else { 1 };
                Made { order: order.clone(), settlement: settlement.clone(), own: own * sign, total: own * sign, fund: 0, ..Made::nth(0) }
            })
            .collect();
        let lines = |bytes: &[u8]| {
            let read = read_list(bytes, &ReadLimits::default()).unwrap();
            assert!(read.bad.is_empty(), "{:?}", read.bad);
            read.listing.iter().map(|line| format!("{:?}", Line { row: 0, ..line })).collect::<Vec<_>>()
        };
        let first = lines(&file(&made, FileFormat::Comma, Encoding::Utf8));
        prop_assert_eq!(first.len(), made.len());
        for encoding in [Encoding::Utf8Bom, Encoding::Gbk] {
            prop_assert_eq!(&lines(&file(&made, FileFormat::Comma, encoding)), &first);
        }
        if !made.is_empty() {
            prop_assert_eq!(&lines(&file(&made, FileFormat::Tab, Encoding::Utf8)), &first);
        }
    }

    #[test]
    fn no_file_makes_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        body in "(mdtrt_id,acct_pay,refd_setl_flag\r?\n)?([0-9a-z\"=,\t'. \r\n单号-]{0,200})",
    ) {
        for bytes in [bytes.as_slice(), body.as_bytes()] {
            let read = read_list(bytes, &ReadLimits::default()).unwrap();
            reconcile(&scope(), &read.listing, &Listing::new());
        }
    }
}
