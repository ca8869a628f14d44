//! The auditor's reading of the format against the writer's, field by field.

use gongji_audit::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The names in a value's `Debug`: variants and fields, without the names of one-field ids that the mirror leaves plain.
fn names(value: &impl Debug) -> Vec<String> {
    let text = format!("{value:?}");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    let plain = |word: &&str| {
        !matches!(*word, "TransferId" | "PaymentId" | "CodeId" | "RequestKey" | "OperatorId" | "ApprovalId")
            && (word.len() != 12 || word[1..].parse::<u64>().is_err())
    };
    words.filter(plain).map(str::to_owned).collect()
}

/// A small generator: the same bytes every time.
fn noise(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    }
}

/// Both readings of the same bytes agree: on whether they can be read, how far, under which names, and when written again.
fn agree<Written, Read>(bytes: &[u8]) -> bool
where
    Written: Serialize + DeserializeOwned + Debug,
    Read: for<'a> Agreeing<'a>,
{
    let written = postcard::take_from_bytes::<Written>(bytes);
    let read = Read::read(bytes);
    match (&written, &read) {
        (Ok((written, rest)), Some((names_read, bytes_read, rest_read))) => {
            assert_eq!(rest.len(), *rest_read, "{written:?}");
            assert_eq!(names(written), *names_read);
            assert_eq!(postcard::to_allocvec(written).unwrap(), *bytes_read, "{written:?}");
            true
        }
        (Err(_), None) => false,
        _ => panic!("only one of both reads {bytes:?}: {:?}", written.map(|(value, _)| value)),
    }
}

/// The mirror borrows its texts, so that reading it needs a lifetime.
trait Agreeing<'a> {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)>;
}

fn reading<'a, T: Serialize + serde::Deserialize<'a> + Debug>(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).ok()?;
    Some((names(&value), postcard::to_allocvec(&value).unwrap(), rest.len()))
}

struct Events;
impl<'a> Agreeing<'a> for Events {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
        reading::<wire::Event<'a>>(bytes)
    }
}

struct Reasons;
impl<'a> Agreeing<'a> for Reasons {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
        reading::<wire::Reason>(bytes)
    }
}

struct Messages;
impl<'a> Agreeing<'a> for Messages {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
        reading::<wire::Message>(bytes)
    }
}

struct Outcomes;
impl<'a> Agreeing<'a> for Outcomes {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
        reading::<wire::Outcome>(bytes)
    }
}

struct Changes;
impl<'a> Agreeing<'a> for Changes {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
        reading::<wire::DirectoryChange<'a>>(bytes)
    }
}

struct Settings;
impl<'a> Agreeing<'a> for Settings {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
        reading::<wire::Setting>(bytes)
    }
}

struct Accounts;
impl<'a> Agreeing<'a> for Accounts {
    fn read(bytes: &'a [u8]) -> Option<(Vec<String>, Vec<u8>, usize)> {
        reading::<wire::Account>(bytes)
    }
}

/// Every variant, in order, with fields of many values; `variants` is how many the format has.
#[track_caller]
fn check<Written, Read>(variants: u8)
where
    Written: Serialize + DeserializeOwned + Debug,
    Read: for<'a> Agreeing<'a>,
{
    for variant in 0..=variants {
        let mut readable = 0;
        for seed in 0..400 {
            let mut next = noise(u64::from(variant) << 32 | seed);
            // Small numbers make lengths, tags and variants that can be read; some bytes are anything.
            let limit = [1, 2, 3, 4, 8, 64, 128][seed as usize % 7];
            let mut bytes = vec![variant];
            bytes.extend((0..600).map(|_| if next() < 4 { next() } else { next() % limit }));
            readable += usize::from(agree::<Written, Read>(&bytes));
        }
        assert_eq!(readable > 0, variant < variants, "variant {variant} was read {readable} times");
    }
}

#[test]
fn the_auditor_reads_every_variant_as_it_was_written() {
    check::<gongji_wallet::Event, Events>(40);
    check::<gongji_wallet::Message, Messages>(12);
    check::<gongji_wallet::Outcome, Outcomes>(8);
    check::<gongji_wallet::Reason, Reasons>(77);
    check::<gongji_wallet::directory::DirectoryChange, Changes>(5);
    check::<gongji_wallet::rules::Setting, Settings>(15);
    check::<gongji_ledger::Account, Accounts>(9);
}

#[test]
fn the_chain_is_computed_alike_by_two_hands() {
    let head = gongji_ledger::RecordHead { part: 3, seq: 1 << 40, stamp: -5, directory: 77 };
    let previous = [9; 32];
    assert_eq!(gongji_audit::link(&previous, 3, 1 << 40, -5, 77, b"payload"), gongji_ledger::link(&previous, &head, b"payload"));
    assert_eq!(gongji_audit::GENESIS, gongji_ledger::GENESIS);
}

/// The example of `docs/journal-format.md`: a person is entered and 123.45 yuan are paid in.
#[test]
fn the_example_in_the_description_of_the_format_is_right() {
    use gongji_ledger::{Account, Fen, GrantKind, HolderId, Lot, Move, Origin, RecordHead};
    use gongji_wallet::{Event, Fact};
    let (holder, area) = (HolderId::new(1, 1), 370_100);
    let lot = Lot { origin: Origin { contributor: holder, area, kind: GrantKind::Own }, since: 1_728_000_000_000, amount: Fen(12_345) };
    let events = [
        Event { fact: Fact::HolderCreated { holder }, moves: Vec::new() },
        Event {
            fact: Fact::Contributed { holder, area, month: 202_409 },
            moves: vec![Move::new(Account::Fund { area }, Account::Personal { holder, area }, vec![lot])],
        },
    ];
    let payload = postcard::to_allocvec(&events[..]).unwrap();
    let head = RecordHead { part: 1, seq: 1, stamp: 1_728_000_000_000, directory: 0 };
    let hash = gongji_ledger::link(&gongji_ledger::GENESIS, &head, &payload);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let description = include_str!("../../../../docs/journal-format.md");
    for told in [hex(&payload), hex(&hash)] {
        assert!(description.contains(&told), "the description lacks {told}");
    }
    let mut auditor = gongji_audit::Auditor::new(1);
    auditor.record(1, 1, head.stamp, 0, &payload, &hash).unwrap();
    auditor.finish().unwrap();
    auditor.expect_personal(holder.0, area, 12_345).unwrap();
}
