//! `docs/rules.md` says what the code says: every refusal, every setting with its default, every ceiling, both state tables.

use gongji_ledger::{Fen, LOTS_MAX};
use gongji_wallet::Reason;
use gongji_wallet::clearing::{PeriodState, Refusal};
use gongji_wallet::object::{PaymentState, TransferState};
use gongji_wallet::payment::{BILL_MAX, STEPS_MAX};
use gongji_wallet::person::{ACCOUNTS_MAX, AGENTS_MAX, CONTRIBUTION_MAX};
use gongji_wallet::rules::Rules;
use gongji_wallet::transfer::{INCOMING_MAX, RELATIONS_MAX};
use std::collections::BTreeSet;

/// The place of a reason in its list. Without a wildcard: a new reason does not compile until it has a place here, and then it needs an example below.
fn place(reason: &Reason) -> usize {
    match reason {
        Reason::ProofMissing => 0,
        Reason::ProofExpired => 1,
        Reason::ProofUsed => 2,
        Reason::ProofMismatch => 3,
        Reason::NotFound => 4,
        Reason::NotYours => 5,
        Reason::PersonDied => 6,
        Reason::Frozen => 7,
        Reason::NotInsured => 8,
        Reason::InsuranceNotNormal => 9,
        Reason::NotEmployee => 10,
        Reason::PooledOnly => 11,
        Reason::RegionClosed { .. } => 12,
        Reason::WalletMissing => 13,
        Reason::WalletExists => 14,
        Reason::WalletFull => 15,
        Reason::RelationRefused => 16,
        Reason::RelationDiffers => 17,
        Reason::ToSelf => 18,
        Reason::AmountTooSmall { .. } => 19,
        Reason::AmountTooLarge { .. } => 20,
        Reason::InsufficientFunds { .. } => 21,
        Reason::QuotaNotTransferable { .. } => 22,
        Reason::ClosedHours { .. } => 23,
        Reason::DailyCount { .. } => 24,
        Reason::DailyTotal { .. } => 25,
        Reason::TransferPending => 26,
        Reason::ReceiverUnavailable => 27,
        Reason::ReceiverNotInsured => 28,
        Reason::ReceiverRegionClosed => 29,
        Reason::ReceiverFrozen => 30,
        Reason::ReceiverFull => 31,
        Reason::TransferFinal { .. } => 32,
        Reason::TransferOverdue => 33,
        Reason::CodeUnknown => 34,
        Reason::CodeExpired => 35,
        Reason::CodeUsed => 36,
        Reason::InstitutionUnknown => 37,
        Reason::InstitutionNotReady => 38,
        Reason::WrongPlace { .. } => 39,
        Reason::BillUnbalanced => 40,
        Reason::BillTooLarge { .. } => 41,
        Reason::OrderConflict => 42,
        Reason::OrderReversed => 43,
        Reason::PaymentFinal { .. } => 44,
        Reason::CaptureTooLarge { .. } => 45,
        Reason::RefundTooLarge { .. } => 46,
        Reason::TooManySteps => 47,
        Reason::PremiumUnknown => 48,
        Reason::PremiumNotOpen { .. } => 49,
        Reason::PremiumClosed => 50,
        Reason::PremiumPaid => 51,
        Reason::PremiumNotForRelatives => 52,
        Reason::PremiumNotResident => 53,
        Reason::NotRelated => 54,
        Reason::PlaceSame => 55,
        Reason::PlaceNotInsured => 56,
        Reason::PlaceChangeNotOffered => 57,
        Reason::PlaceCooldown { .. } => 58,
        Reason::SomethingPending => 59,
        Reason::RelationEnded => 60,
        Reason::AlreadyFrozen => 61,
        Reason::NotFrozen => 62,
        Reason::SameOperator => 63,
        Reason::DirectoryUnknown => 64,
        Reason::VersionTaken => 65,
        Reason::SettingRefused => 66,
        Reason::TooMany { .. } => 67,
        Reason::VisitDay { .. } => 68,
        Reason::QuoteStale => 69,
        Reason::NotAuthorised => 70,
        Reason::ApprovalFinal => 71,
        Reason::ApprovalStale => 72,
        Reason::LoginTaken => 73,
        Reason::NothingToChange => 74,
        Reason::CodeElsewhere => 75,
        Reason::Clearing(refusal) => 76 + refusal.place(),
    }
}

const REASONS: usize = 76 + Refusal::COUNT;

/// One of each, in the order of the list, with the defaults where a value is told; of those that speak of a state, one for each state.
fn examples() -> Vec<Reason> {
    let rules = Rules::default();
    // 2026-03-03 06:00 and 2026-04-01 10:00 in China.
    let (six, ten) = (1_772_488_800_000, 1_775_008_800_000);
    let mut examples = vec![
        Reason::ProofMissing,
        Reason::ProofExpired,
        Reason::ProofUsed,
        Reason::ProofMismatch,
        Reason::NotFound,
        Reason::NotYours,
        Reason::PersonDied,
        Reason::Frozen,
        Reason::NotInsured,
        Reason::InsuranceNotNormal,
        Reason::NotEmployee,
        Reason::PooledOnly,
        Reason::RegionClosed { area: 370_100, opens_at: None },
        Reason::RegionClosed { area: 370_100, opens_at: Some(six) },
        Reason::WalletMissing,
        Reason::WalletExists,
        Reason::WalletFull,
        Reason::RelationRefused,
        Reason::RelationDiffers,
        Reason::ToSelf,
        Reason::AmountTooSmall { min: rules.transfer_min },
        Reason::AmountTooLarge { max: rules.transfer_max },
        Reason::InsufficientFunds { available: Fen(1_234) },
        Reason::QuotaNotTransferable { available: Fen(1_234) },
        Reason::ClosedHours { opens_at: six },
        Reason::DailyCount { max: rules.daily_count_max, used: rules.daily_count_max, resets_at: six },
        Reason::DailyTotal { max: Fen(200_000), used: Fen(150_000), resets_at: six },
        Reason::TransferPending,
        Reason::ReceiverUnavailable,
        Reason::ReceiverNotInsured,
        Reason::ReceiverRegionClosed,
        Reason::ReceiverFrozen,
        Reason::ReceiverFull,
    ];
    let ended = TransferState::ALL.into_iter().filter(|state| state.is_final());
    examples.extend(ended.map(|state| Reason::TransferFinal { state }));
    examples.extend([
        Reason::TransferOverdue,
        Reason::CodeUnknown,
        Reason::CodeExpired,
        Reason::CodeUsed,
        Reason::InstitutionUnknown,
        Reason::InstitutionNotReady,
        Reason::WrongPlace { place: 370_100 },
        Reason::BillUnbalanced,
        Reason::BillTooLarge { max: BILL_MAX },
        Reason::OrderConflict,
        Reason::OrderReversed,
    ]);
    examples.extend(PaymentState::ALL.into_iter().map(|state| Reason::PaymentFinal { state }));
    examples.extend([
        Reason::CaptureTooLarge { max: Fen(1_234) },
        Reason::RefundTooLarge { max: Fen(1_234) },
        Reason::TooManySteps,
        Reason::PremiumUnknown,
        Reason::PremiumNotOpen { opens_at: six },
        Reason::PremiumClosed,
        Reason::PremiumPaid,
        Reason::PremiumNotForRelatives,
        Reason::PremiumNotResident,
        Reason::NotRelated,
        Reason::PlaceSame,
        Reason::PlaceNotInsured,
        Reason::PlaceChangeNotOffered,
        Reason::PlaceCooldown { until: ten },
        Reason::SomethingPending,
        Reason::RelationEnded,
        Reason::AlreadyFrozen,
        Reason::NotFrozen,
        Reason::SameOperator,
        Reason::DirectoryUnknown,
        Reason::VersionTaken,
        Reason::SettingRefused,
        Reason::TooMany { max: AGENTS_MAX as u16 },
        Reason::VisitDay { first: 20_514, last: 20_545 },
        Reason::QuoteStale,
        Reason::NotAuthorised,
        Reason::ApprovalFinal,
        Reason::ApprovalStale,
        Reason::LoginTaken,
        Reason::NothingToChange,
        Reason::CodeElsewhere,
    ]);
    examples.extend(Refusal::examples().into_iter().map(Reason::Clearing));
    examples
}

/// The rows of the page's table under a heading, without its head.
fn rows(page: &str, heading: &str) -> Vec<String> {
    let after = page.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("docs/rules.md has no section {heading}")).1;
    let section = after.split("\n## ").next().unwrap();
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(str::to_owned).collect()
}

#[track_caller]
fn check(heading: &str, expected: Vec<String>) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md")).unwrap();
    let found = rows(&page, heading);
    assert!(found == expected, "docs/rules.md, section {heading}: the table should be\n\n{}\n", expected.join("\n"));
}

#[test]
fn the_page_lists_every_refusal_word_for_word() {
    let examples = examples();
    let places: BTreeSet<usize> = examples.iter().map(place).collect();
    assert_eq!(places, (0..REASONS).collect(), "one of each reason");
    assert!(examples.is_sorted_by_key(place), "in the order in which they are told");
    let mut expected = Vec::new();
    for reason in &examples {
        let words = reason.words();
        let again = if words.retryable { "yes" } else { "no" };
        let row = format!("| `{}` | {} | {} | {} | {again} |", words.code, words.title, words.next_step, words.title_en);
        if !expected.contains(&row) {
            expected.push(row);
        }
    }
    check("Refusals", expected);
}

#[test]
fn a_refusal_is_one_plain_sentence_with_a_next_step() {
    let mut codes: Vec<(&str, usize)> = Vec::new();
    for reason in examples() {
        let words = reason.words();
        assert!(words.title.ends_with('。') && words.next_step.ends_with('。'), "{}: {} {}", words.code, words.title, words.next_step);
        assert!(words.title.matches('。').count() == 1 && words.title.chars().count() <= 40, "{}: {}", words.code, words.title);
        assert!(words.code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{}", words.code);
        assert!(!words.title_en.is_empty());
        // What says when it works again may be asked again; and a limit always says so.
        if reason.not_before().is_some() {
            assert!(words.retryable, "{} tells a time", words.code);
        }
        if let Some(limit) = reason.limit() {
            assert_eq!(reason.not_before(), Some(limit.resets_at));
        }
        match codes.iter().find(|(code, _)| *code == words.code) {
            Some((_, known)) => assert_eq!(*known, place(&reason), "{} stands for two reasons", words.code),
            None => codes.push((words.code, place(&reason))),
        }
    }
    assert_eq!(codes.len(), REASONS, "each reason has a code of its own");
}

#[test]
fn the_page_lists_every_setting_with_its_default() {
    let Rules {
        version,
        daily_count_max,
        transfer_min,
        transfer_max,
        daily_total_max,
        closed_from,
        closed_to,
        return_at,
        one_at_a_time,
        returned_counts,
        kind,
        place_cooldown_days,
        code_ms,
        hold_ms,
        mutual_aid_inside,
        inpatient_hold_ms,
        decoded_ms,
    } = Rules::default();
    assert_eq!(version, 1, "the defaults are version 1");
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let rows = [
        ("daily_count_max", daily_count_max.to_string(), "每个钱包每个自然日的转账次数"),
        ("transfer_min", format!("¥{transfer_min}"), "每笔最少"),
        ("transfer_max", format!("¥{transfer_max}"), "每笔最多"),
        ("daily_total_max", daily_total_max.map_or("none".to_owned(), |max| format!("¥{max}")), "每日合计最多"),
        ("closed_hours", format!("{} – {}", clock(closed_from), clock(closed_to)), "暂停转账的时段(半开区间,中国时间)"),
        ("return_at", format!("{} next day", clock(return_at)), "没人接收的转账退回的时刻"),
        ("one_at_a_time", yes(one_at_a_time), "上一笔没有结果之前不能再转"),
        ("returned_counts", yes(returned_counts), "退回的转账仍计入当天次数"),
        ("kind", format!("{kind:?}").to_lowercase(), "共济方式:transfer 转账,quota 共济额度"),
        ("place_cooldown_days", format!("{place_cooldown_days} days"), "两次使用地变更之间"),
        ("code_ms", format!("{} s", code_ms / 1_000), "付款码的寿命"),
        ("hold_ms", format!("{} h", hold_ms / 3_600_000), "预占的寿命,到期自动放开"),
        ("mutual_aid_inside", yes(mutual_aid_inside), "报给机构的个人账户支付里,是否已含钱包(共济)支付"),
        ("inpatient_hold_ms", format!("{} days", inpatient_hold_ms / 86_400_000), "住院预占的寿命;住院期间分次收款"),
        ("decoded_ms", format!("{} min", decoded_ms / 60_000), "付款码被一家机构解码以后,在那家还能用多久"),
    ];
    check("Settings", rows.into_iter().map(|(name, value, meaning)| format!("| `{name}` | {value} | {meaning} |")).collect());
}

#[test]
fn the_page_lists_every_ceiling() {
    let rows = [
        ("LOTS_MAX", LOTS_MAX.to_string(), "origins in one wallet; a return may exceed it"),
        ("INCOMING_MAX", INCOMING_MAX.to_string(), "transfers that wait at one receiver"),
        ("RELATIONS_MAX", RELATIONS_MAX.to_string(), "relations of one person"),
        ("AGENTS_MAX", AGENTS_MAX.to_string(), "relatives who may act for one person"),
        ("ACCOUNTS_MAX", ACCOUNTS_MAX.to_string(), "personal accounts of one person, one for each region of work"),
        ("CONTRIBUTION_MAX", format!("¥{CONTRIBUTION_MAX}"), "one contribution"),
        ("BILL_MAX", format!("¥{BILL_MAX}"), "each amount of a bill"),
        ("STEPS_MAX", STEPS_MAX.to_string(), "captures, and refunds, of one payment"),
    ];
    check("Ceilings", rows.into_iter().map(|(name, value, meaning)| format!("| `{name}` | {value} | {meaning} |")).collect());
}

#[test]
fn the_page_shows_the_state_tables() {
    fn table<S: std::fmt::Debug + Copy>(all: &[S], next: fn(S) -> &'static [S]) -> Vec<String> {
        all.iter()
            .map(|from| {
                let steps: Vec<String> = next(*from).iter().map(|to| format!("{to:?}")).collect();
                format!("| {from:?} | {} |", if steps.is_empty() { "final".to_owned() } else { steps.join(", ") })
            })
            .collect()
    }
    check("States of a transfer", table(&TransferState::ALL, TransferState::next));
    check("States of a payment", table(&PaymentState::ALL, PaymentState::next));
    check("States of a clearing period", table(&PeriodState::ALL, PeriodState::next));
}
