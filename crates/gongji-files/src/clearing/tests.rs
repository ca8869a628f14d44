use super::*;
use crate::signature::{Profile, SigningKey};
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId, InstitutionId, Lot, Origin, Part};
use gongji_wallet::clearing::{LineId, PeriodTotals, Share, shares};
use gongji_wallet::ids::{OrderId, PaymentId};
use gongji_wallet::object::*;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

const AREAS: [AreaCode; 5] = [370_100, 370_200, 510_100, 510_500, 620_100];

fn province(area: AreaCode) -> AreaCode {
    area / 10_000 * 10_000
}

/// A capture, refund, hold or premium; numbers make it up, the same every time.
fn taking(part: Part, number: u64) -> Taking {
    let seed = number * 7 + u64::from(part) * 13;
    let of = |at: u64, len: usize| (seed * (at + 3) / 2 % len as u64) as usize;
    let kind = [TakingKind::Captured, TakingKind::Captured, TakingKind::Held, TakingKind::Refunded][of(1, 4)];
    let area = AREAS[of(2, AREAS.len())];
    let institution = InstitutionId(u64::from(area) * 100_000 + 1);
    let day = 20_421;
    let purpose = if number.is_multiple_of(5) {
        Purpose::Premium { insured: HolderId::new(part, 900 + number), area, year: 2027 }
    } else {
        let bill = Bill { total: Fen(1), fund: Fen(0), own: Fen(1), institution: Fen(0) };
        Purpose::Order { order: OrderId { institution, number: [7; 16] }, area, bill, visit: Visit::at_counter(day), insurance: RESIDENT }
    };
    let kind = if matches!(purpose, Purpose::Premium { .. }) { TakingKind::Captured } else { kind };
    let lots = (0..1 + number % 3).map(|lot| Lot {
        origin: Origin { contributor: HolderId::new(part, lot + 1), area: AREAS[of(lot + 5, AREAS.len())], kind: GrantKind::Transfer },
        since: 0,
        amount: Fen(100 + i64::try_from(seed % 900).unwrap()),
    });
    let mut payment = [0; 16];
    payment[..8].copy_from_slice(&number.to_be_bytes());
    payment[15] = part as u8;
    Taking {
        number,
        payee: purpose.payee(),
        previous: 0,
        at: 1_764_500_000_000 + i64::try_from(number).unwrap(),
        seq: number,
        kind,
        state: PaymentState::Captured,
        payment: PaymentId(payment),
        holder: HolderId::new(part, 500 + number % 9),
        purpose,
        lots: lots.collect(),
    }
}

struct Country {
    takings: Vec<(Part, Taking)>,
    scope: Scope,
    period: Period,
    key: SigningKey,
}

/// Two partitions with `count` takings each; the first three of each belong to the month before, of which one line was carried over.
fn country(count: u64, profile: Profile) -> Country {
    let provinces: BTreeMap<AreaCode, AreaCode> = AREAS.into_iter().map(|area| (area, province(area))).collect();
    let secrets = [(370_000, [1; 32]), (510_000, [2; 32]), (620_000, [3; 32])].into();
    let takings: Vec<(Part, Taking)> = (1..=2).flat_map(|part| (1..=count).map(move |number| (part, taking(part, number)))).collect();
    let early = takings.iter().filter(|(_, taking)| taking.number <= 3);
    let carried: Vec<Share> = early.flat_map(|(part, taking)| shares(*part, taking)).take(1).collect();
    let parts = (1..=2).map(|part| {
        let mut totals = PeriodTotals::default();
        for (_, taking) in takings.iter().filter(|(known, taking)| *known == part && taking.number > 3) {
            let sum = match (taking.kind, &taking.purpose) {
                (TakingKind::Captured, Purpose::Order { .. }) => &mut totals.captured,
                (TakingKind::Captured, Purpose::Premium { .. }) => &mut totals.premiums,
                (TakingKind::Refunded, _) => &mut totals.refunded,
                _ => continue,
            };
            *sum += taking.amount();
            totals.lines += taking.lots.len() as u64;
        }
        PartRange { part, after: 3, to: count, totals }
    });
    let period = Period {
        period: 202_511,
        kind: StatementKind::Stated,
        made_at: 1_764_518_400_000,
        parts: parts.collect(),
        areas: AREAS.into_iter().map(|code| Area { code, province: province(code), name: format!("示例 {code}") }).collect(),
        carried: carried.clone(),
        held: Vec::new(),
    };
    let scope = Scope { provinces, secrets, after: [(1, 3), (2, 3)].into(), carried: carried.iter().map(|share| share.id).collect(), held: BTreeSet::new() };
    Country { takings, scope, period, key: SigningKey::from_seed(profile, &[9; 32]).unwrap() }
}

impl Country {
    fn clear(&self) -> (Cleared, BTreeMap<AreaCode, String>) {
        let mut lines: BTreeMap<AreaCode, String> = BTreeMap::new();
        let sink = |province, text: &str| {
            lines.entry(province).or_default().push_str(text);
            Ok::<(), Infallible>(())
        };
        let Ok(cleared) = clear(&self.scope, self.takings.iter().cloned().map(Ok), sink, |_| {});
        (cleared, lines)
    }

    fn file(&self, of: AreaCode) -> String {
        let (cleared, lines) = self.clear();
        let file = ProvinceFile::new(&self.period, of, &self.scope.secrets[&of]);
        let own = cleared.own_lines.get(&of).copied().unwrap_or(0);
        format!("{}{}{}", file.head(), lines.get(&of).map_or("", String::as_str), file.tail(&cleared, own, &self.key))
    }

    fn shares(&self) -> Vec<Share> {
        let all = self.takings.iter().flat_map(|(part, taking)| shares(*part, taking));
        all.filter(|share| (share.id.taking > 3 || self.scope.carried.contains(&share.id)) && !self.scope.held.contains(&share.id)).collect()
    }

    /// Without a line, as a release has it.
    fn release_without(mut self, held: Share) -> Country {
        self.scope.held = [held.id].into();
        self.period.held = vec![(held, province(held.creditor))];
        self.period.kind = StatementKind::Released;
        self
    }
}

fn check(file: &str, country: &Country, daily: Option<&DailyStatements>) -> Result<Verified, Difference> {
    verify(file.as_bytes(), country.key.verifying_key(), daily)
}

#[test]
fn every_province_finds_its_file_right_under_both_kinds_of_key() {
    for profile in [Profile::Ed25519, Profile::Sm2] {
        let country = country(60, profile);
        let mut roots = BTreeSet::new();
        let mut told = 0;
        for of in [370_000, 510_000, 620_000] {
            let verified = check(&country.file(of), &country, None).unwrap_or_else(|difference| panic!("{difference}"));
            let own = country.shares().iter().filter(|share| [share.debtor, share.creditor].map(province).contains(&of)).count();
            assert_eq!((verified.own_lines, verified.province), (own as u64, of));
            roots.insert(verified.root);
            told += verified.own_lines;
        }
        assert_eq!(roots.len(), 1, "every province is shown the same country");
        assert!(told > country.shares().len() as u64, "lines between provinces stand in both files");
    }
}

/// Sums made in the plainest way, from the takings alone.
#[test]
fn pairs_nets_and_dues_are_the_sums_of_all_lines() {
    let country = country(300, Profile::Ed25519);
    let mut expected: BTreeMap<(AreaCode, AreaCode), (u64, i64)> = BTreeMap::new();
    for share in country.shares() {
        let sum = expected.entry((share.debtor, share.creditor)).or_default();
        *sum = (sum.0 + 1, sum.1 + share.amount.0);
    }
    let cleared: Vec<Cleared> = vec![country.clear().0];
    for cleared in &cleared {
        let found: BTreeMap<_, _> = cleared.pairs.iter().map(|(pair, sum)| (*pair, (sum.lines, sum.net().0))).collect();
        assert_eq!(found, expected);
        assert_eq!(cleared.nets.iter().map(|(_, net)| net.0).sum::<i64>(), 0);
        assert_eq!(cleared.root, country.clear().0.root);
        let of_parts: u64 = country.period.parts.iter().map(|range| range.totals.lines).sum();
        assert_eq!(cleared.lines, of_parts + 1, "the marks and the one carried over");
    }
}

#[test]
fn every_changed_byte_is_found_in_its_line() {
    let country = country(9, Profile::Ed25519);
    let file = country.file(510_000).into_bytes();
    let mut line = 1;
    for at in 0..file.len() {
        for mask in [1, 0x20, 0x80] {
            let mut changed = file.clone();
            changed[at] ^= mask;
            let difference = verify(&changed[..], country.key.verifying_key(), None).expect_err("a changed byte is found");
            assert_eq!((difference.wrong, difference.at), (Wrong::Changed, line), "byte {at}: {difference}");
        }
        line += u64::from(file[at] == b'\n');
    }
    for cut in 0..file.len() {
        assert!(verify(&file[..cut], country.key.verifying_key(), None).is_err(), "cut at {cut}");
    }
}

/// A file whose checks somebody has made right again.
fn forged(file: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let mut forged = String::new();
    for line in file.lines() {
        let content = &line[..line.len() - CHECK_LEN - 2];
        if let Some(content) = change(content) {
            province_file::write_checked(&content, &mut forged);
        }
    }
    forged
}

#[test]
fn what_a_forger_makes_right_line_by_line_is_still_told_by_name() {
    let country = country(60, Profile::Sm2);
    let file = country.file(510_000);
    let first = file.lines().find(|line| line.starts_with("line ")).unwrap().to_owned();
    let id = first.split(' ').nth(1).unwrap().to_owned();
    let expect = |wrong: Wrong, change: &dyn Fn(&str) -> Option<String>| {
        let difference = check(&forged(&file, change), &country, None).expect_err("a forgery is found");
        assert_eq!(difference.wrong, wrong, "{difference}");
        difference.what
    };
    let of_first = |line: &str| line.starts_with(&format!("line {id} "));
    assert_eq!(forged(&file, |line| Some(line.to_owned())), file);
    // A line left out; one more; another amount; another payment; another person.
    let told = expect(Wrong::Malformed, &|line| (!of_first(line)).then(|| line.to_owned()));
    assert!(told.contains("lines"), "{told}");
    let own = file.lines().filter(|line| line.starts_with("line ")).count();
    let told = expect(Wrong::PairDiffers, &|line| match line {
        line if of_first(line) => None,
        line if line == format!("lines {own}") => Some(format!("lines {}", own - 1)),
        line => Some(line.to_owned()),
    });
    assert!(told.contains("条明细"), "{told}");
    let word = |at: usize, to: fn(&str) -> String| {
        move |line: &str| {
            let words: Vec<String> = line.split(' ').enumerate().map(|(place, word)| if place == at { to(word) } else { word.to_owned() }).collect();
            words.join(" ")
        }
    };
    let amount = word(9, |amount| (amount.parse::<i64>().unwrap() + 1).to_string());
    assert!(expect(Wrong::PairDiffers, &|line| Some(if of_first(line) { amount(line) } else { line.to_owned() })).contains("合计写的是"));
    let payment = word(8, |payment| format!("ff{}", &payment[2..]));
    assert!(expect(Wrong::PairDiffers, &|line| Some(if of_first(line) { payment(line) } else { line.to_owned() })).contains("内容"));
    expect(Wrong::Order, &|line| Some(if of_first(line) { format!("line 2-59-0{}", &line[5 + id.len()..]) } else { line.to_owned() }));
    // Totals, nets, dues, the root, what was known before: each is told for itself.
    let edit = |name: &'static str, at: usize| {
        let mut done = false;
        let mut text = String::new();
        for line in file.lines() {
            let content = &line[..line.len() - CHECK_LEN - 2];
            let changed = if !done && content.starts_with(name) {
                done = true;
                word(at, |word| word.parse::<i64>().map_or_else(|_| word.replace('a', "b").replace('1', "a"), |number| (number + 1).to_string()))(content)
            } else {
                content.to_owned()
            };
            province_file::write_checked(&changed, &mut text);
        }
        assert!(done, "{name}");
        check(&text, &country, None).expect_err("a forgery is found").wrong
    };
    assert_eq!(edit("net ", 2), Wrong::TotalsDiffer);
    assert_eq!(edit("due ", 3), Wrong::TotalsDiffer);
    assert_eq!(edit("part ", 5), Wrong::TotalsDiffer);
    assert_eq!(edit("root ", 3), Wrong::RootDiffers);
    assert_eq!(edit("period ", 3), Wrong::SignatureDiffers);
    assert_eq!(edit("signature ", 3), Wrong::SignatureDiffers);
    // Another key than the centre's.
    let other = SigningKey::from_seed(Profile::Sm2, &[8; 32]).unwrap();
    let difference = verify(file.as_bytes(), other.verifying_key(), None).unwrap_err();
    assert_eq!(difference.wrong, Wrong::SignatureDiffers);
}

fn daily(country: &Country, of: AreaCode, without: Option<LineId>) -> String {
    let mut text = "day,institution,payment,kind,amount\n".to_owned();
    for (part, taking) in &country.takings {
        let Purpose::Order { order, area, visit, .. } = &taking.purpose else { continue };
        let is_there = shares(*part, taking).any(|share| (taking.number > 3 || country.scope.carried.contains(&share.id)) && Some(share.id) != without);
        let kind = match taking.kind {
            TakingKind::Captured => "payment",
            TakingKind::Refunded => "refund",
            _ => continue,
        };
        if province(*area) == of && is_there {
            let (year, month, day) = gongji_wallet::day::date_of(visit.day);
            let id = crate::hex(&taking.payment.0);
            text += &format!("{year}-{month:02}-{day:02},{},{id},{kind},{}\n", order.institution, taking.amount());
        }
    }
    text
}

#[test]
fn a_line_that_the_centre_left_out_of_everything_is_named_by_the_daily_statements() {
    let mut whole = country(300, Profile::Ed25519);
    // Nothing carried over, so that every payment is whole.
    whole.period.carried.clear();
    whole.scope.carried.clear();
    let confirmed = DailyStatements::parse(&daily(&whole, 370_000, None)).unwrap();
    let verified = check(&whole.file(370_000), &whole, Some(&confirmed)).unwrap_or_else(|difference| panic!("{difference}"));
    assert!(verified.confirmed > 2);
    // The centre forgets a payment, everywhere: every sum and the signature hold.
    let dropped = whole.takings.iter().position(|(_, taking)| {
        let at_home = matches!(taking.purpose, Purpose::Order { area, .. } if province(area) == 370_000);
        taking.number > 3 && at_home && taking.kind == TakingKind::Captured
    });
    let (part, dropped) = whole.takings.remove(dropped.unwrap());
    let range = &mut whole.period.parts[usize::from(part) - 1];
    range.totals.lines -= dropped.lots.len() as u64;
    range.totals.captured -= dropped.amount();
    let file = whole.file(370_000);
    check(&file, &whole, None).unwrap_or_else(|difference| panic!("{difference}"));
    let difference = check(&file, &whole, Some(&confirmed)).unwrap_err();
    assert_eq!(difference.wrong, Wrong::Missing);
    assert!(difference.what.replace('-', "").contains(&crate::hex(&dropped.payment.0)), "{difference}");
    // And the other way: what nobody confirmed.
    let fewer = DailyStatements::parse(confirmed_without_last(&daily(&whole, 370_000, None)).as_str()).unwrap();
    assert_eq!(check(&file, &whole, Some(&fewer)).unwrap_err().wrong, Wrong::Unconfirmed);
    assert_eq!(DailyStatements::parse("x\nnonsense\n"), Err(DailyError { line: 2 }));
}

fn confirmed_without_last(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[..lines.len() - 1].join("\n")
}

#[test]
fn a_released_file_lacks_the_line_in_dispute_and_says_so() {
    let country = country(60, Profile::Ed25519);
    let held = country.shares().into_iter().find(|share| province(share.debtor) == 370_000 && province(share.creditor) == 510_000).unwrap();
    let all = country.clear().0;
    let country = country.release_without(held);
    let cleared = country.clear().0;
    assert_eq!((cleared.lines, cleared.amount), (all.lines - 1, all.amount - held.amount));
    for of in [370_000, 510_000, 620_000] {
        let file = country.file(of);
        let verified = check(&file, &country, None).unwrap_or_else(|difference| panic!("{difference}"));
        assert!(verified.is_released && verified.held == [held]);
        assert!(!file.contains(&format!("line {}-{}-{} ", held.id.part, held.id.taking, held.id.lot)));
    }
}

#[test]
fn a_province_sees_the_number_of_its_own_people_and_of_nobody_else() {
    let country = country(60, Profile::Ed25519);
    let file = country.file(370_000);
    let mut seen = [0, 0];
    for line in file.lines().filter(|line| line.starts_with("line ")) {
        let words: Vec<&str> = line.split(' ').collect();
        for (area, person) in [(words[6], words[10]), (words[7], words[11])] {
            let is_own = area.starts_with("37");
            assert_eq!(person.starts_with('='), is_own, "{line}");
            seen[usize::from(is_own)] += 1;
        }
    }
    assert!(seen[0] > 5 && seen[1] > 5, "{seen:?}");
}
