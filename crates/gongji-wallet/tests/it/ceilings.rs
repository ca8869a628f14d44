//! Both sides of each ceiling that keeps a list bounded, and input that no honest program sends: a lawful no, never a stop.

use crate::script::{Stage, play};
use crate::world::World;
use gongji_ledger::{Fen, HolderId, InstitutionId, LOTS_MAX};
use gongji_wallet::command::{PlaceOrder, RequestTransfer, transfer_binding};
use gongji_wallet::event::{Payer, Quote};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId, TransferId};
use gongji_wallet::object::*;
use gongji_wallet::payment::STEPS_MAX;
use gongji_wallet::person::ACCOUNTS_MAX;
use gongji_wallet::transfer::{INCOMING_MAX, RELATIONS_MAX};
use gongji_wallet::{Command, Decision, Outcome, Proof};
use std::fmt::Write as _;

const REGIONS: &str = "region 370100 open 2025-01-01\nregion 510500 open 2025-01-01\n";

/// Every answer of a story, in order.
fn answers(story: &str) -> Vec<String> {
    let played = play(story, Stage { is_cold: false, spread: None });
    played.transcript.lines().filter_map(|line| line.strip_prefix("    = ")).map(str::to_owned).collect()
}

fn people(names: impl Iterator<Item = usize>) -> String {
    names.fold(String::new(), |mut text, at| {
        writeln!(text, "person g{at} employee 370100 balance 9.00").unwrap();
        text
    })
}

#[test]
fn a_wallet_takes_64_origins_and_gives_the_65th_back() {
    let mut story = format!("{REGIONS}person b resident 510500 wallet\n{}", people(0..=LOTS_MAX));
    for at in 0..LOTS_MAX - 1 {
        writeln!(story, "lot b from g{at} 370100 transfer 1.00 since 2026-01-01").unwrap();
    }
    let (last, beyond) = (LOTS_MAX - 1, LOTS_MAX);
    writeln!(story, "family g{beyond} b 52\nfamily g0 b 52\n@ 2026-03-02 10:00").unwrap();
    // Two come for the last room; who takes it first has it.
    writeln!(story, "g{last} sends b 52 1.00\nb accepts t1\ng{beyond} sends b 52 1.00\ng0 sends b 52 1.00").unwrap();
    let told = answers(&story);
    assert!(told[0].starts_with("t1 AwaitingRecipient"), "{told:?}");
    assert!(told[1].starts_with("t1 Credited"), "the 64th: {told:?}");
    assert!(told[2].contains("RECEIVER_FULL"), "the 65th: {told:?}");
    assert!(told[3].starts_with("t3 Credited"), "a known origin needs no room: {told:?}");

    // It may also fill up while a transfer waits.
    let waiting =
        story.replace(&format!("b accepts t1\ng{beyond} sends b 52 1.00\ng0 sends b 52 1.00\n"), &format!("g{beyond} sends b 52 1.00\nb accepts t1\n"));
    let told = answers(&waiting);
    assert!(told[1].starts_with("t2 Credited") && told[2].contains("WALLET_FULL"), "{told:?}");
}

#[test]
fn fifty_transfers_wait_at_one_person_and_no_more() {
    let mut story = format!("{REGIONS}person b resident 510500 wallet\n{}@ 2026-03-02 10:00\n", people(0..=INCOMING_MAX));
    for at in 0..=INCOMING_MAX {
        writeln!(story, "g{at} sends b 52 1.00").unwrap();
    }
    let told = answers(&story);
    assert!(told[..INCOMING_MAX].iter().all(|answer| answer.contains("AwaitingRecipient")));
    // Whoever is not confirmed learns nothing of the reason.
    assert!(told[INCOMING_MAX].contains("Refused") && told[INCOMING_MAX].contains("RECEIVER_UNAVAILABLE"), "{}", told[INCOMING_MAX]);
}

#[test]
fn a_person_has_64_relations_on_either_side() {
    let mut story = format!("{REGIONS}person b resident 510500 wallet\n{}", people(0..=RELATIONS_MAX));
    for at in 0..RELATIONS_MAX - 1 {
        writeln!(story, "family g{at} b 52").unwrap();
    }
    let (last, beyond) = (RELATIONS_MAX - 1, RELATIONS_MAX);
    writeln!(story, "@ 2026-03-02 10:00\ng{last} sends b 52 1.00\nb accepts t1\ng{beyond} sends b 52 1.00\ng0 sends b 52 1.00").unwrap();
    writeln!(story, "b sends g{beyond} 20 1.00 wallet\nb sends g0 20 1.00 wallet").unwrap();
    let told = answers(&story);
    assert!(told[1].starts_with("t1 Credited"), "the 64th: {told:?}");
    assert!(told[2].contains("RECEIVER_UNAVAILABLE"), "the 65th: {told:?}");
    assert!(told[3].starts_with("t3 Credited"), "relatives of long standing are not shut out: {told:?}");
    assert!(told[4].contains("TOO_MANY"), "nor does b begin a 65th: {told:?}");
    assert!(!told[5].contains("TOO_MANY"), "{told:?}");
}

#[test]
fn a_payment_has_a_hundred_captures_and_a_hundred_refunds() {
    let mut story = format!(
        "{REGIONS}institution H51050000001 510500 ready\nperson b resident 510500 wallet\nperson a employee 370100\nlot b from a 370100 transfer 9.00 since 2026-01-01\n@ 2026-03-02 10:00\n"
    );
    story += "b shows c1\nH51050000001 charges o1 code c1 own 9.00\n";
    for _ in 0..=STEPS_MAX {
        story += "H51050000001 captures o1 0.02\n";
    }
    for _ in 0..=STEPS_MAX {
        story += "H51050000001 refunds o1 0.01\n";
    }
    // What is left can still be undone as a whole.
    story += "H51050000001 reverses o1\n";
    let told = answers(&story);
    let (captures, refunds) = told[2..].split_at(STEPS_MAX + 1);
    for steps in [captures, &refunds[..=STEPS_MAX]] {
        assert!(steps[..STEPS_MAX].iter().all(|answer| answer.contains("PartlyCaptured")));
        assert!(steps[STEPS_MAX].contains("TOO_MANY_STEPS"), "{}", steps[STEPS_MAX]);
    }
    assert!(told.last().unwrap().contains("Reversed"));
}

#[test]
fn a_person_has_32_personal_accounts_and_the_known_ones_stay_open() {
    let mut story = (0..=ACCOUNTS_MAX).map(|at| format!("region {} open 2025-01-01\n", 370_100 + at)).collect::<String>();
    story += "person a employee 370100\n@ 2026-03-02 10:00\n";
    for at in 0..=ACCOUNTS_MAX {
        writeln!(story, "a earns 1.00 {}", 370_100 + at).unwrap();
    }
    story += "a earns 1.00 370100\n";
    let told = answers(&story);
    assert!(told[..ACCOUNTS_MAX].iter().all(|answer| answer == "done"));
    assert!(told[ACCOUNTS_MAX].contains("TOO_MANY"), "{}", told[ACCOUNTS_MAX]);
    assert_eq!(told[ACCOUNTS_MAX + 1], "done");
}

/// Whatever is asked about somebody who is not here, by whomever: refused, and the partition lives on.
#[test]
fn strangers_and_partitions_that_do_not_exist_are_refused() {
    let mut world = World::new(2, true);
    let known = HolderId::new(1, 1);
    world.run(1, 1, Command::CreateHolder { holder: known });
    let institution = InstitutionId(37_010_000_001);
    let order = OrderId { institution, number: [1; 16] };
    let bill = Bill { total: Fen(i64::MIN), fund: Fen(i64::MIN), own: Fen(i64::MIN), institution: Fen(i64::MAX) };
    for stranger in [HolderId::new(1, 2), HolderId::new(2, 1), HolderId::new(9, 1), HolderId::nobody(1), HolderId::nobody(0), HolderId(u64::MAX)] {
        let payment = PaymentId::new([3; 16], stranger.part());
        let enrolment = Enrolment { area: u32::MAX, insurance: u16::MAX, status: EnrolmentStatus::Normal, from: i32::MIN, pooled_only: true };
        let proof = Some(Proof { id: 1, holder: known, bound: transfer_binding(stranger, Fen(1), false), expires: i64::MAX });
        let payer =
            Payer::Holder { holder: stranger, by: known, first: PayFirst::Wallet, proof: Proof { id: 1, holder: known, bound: [0; 16], expires: i64::MAX } };
        let send = |sender, receiver| RequestTransfer { id: TransferId([2; 16]), sender, receiver, relation: 52, amount: Fen(1), from_wallet: false, proof };
        let place = |payer| PlaceOrder {
            order,
            number: String::new(),
            payment,
            payer,
            bill,
            partial: true,
            visit: Visit::at_counter(i32::MIN),
            quote: Some(Quote { personal: Fen(i64::MIN), wallet: Fen(i64::MAX) }),
        };
        let (maker, checker) = (String::new(), "c".to_owned());
        let commands = [
            Command::SetEnrolment { holder: stranger, enrolment },
            Command::RegisterDeath { holder: stranger },
            Command::Contribute { holder: stranger, area: 0, amount: Fen(i64::MIN), month: 0 },
            Command::Freeze { holder: stranger, reason: FreezeReason::Other, maker: maker.clone(), checker: checker.clone() },
            Command::Unfreeze { holder: stranger, maker, checker },
            Command::OpenWallet { holder: stranger, by: known, place: 0 },
            Command::SetAgent { holder: stranger, agent: known, allowed: true },
            Command::ChangePlace { holder: stranger, by: known, place: 0, proof },
            Command::EndRelation { holder: stranger, by: known, other: known },
            Command::EndRelation { holder: known, by: known, other: stranger },
            Command::RequestTransfer(send(stranger, known)),
            Command::RequestTransfer(send(known, stranger)),
            Command::AcceptTransfer { id: TransferId([2; 16]), receiver: stranger, by: stranger },
            Command::DeclineTransfer { id: TransferId([2; 16]), receiver: stranger, by: stranger },
            Command::CancelTransfer { id: TransferId([2; 16]), sender: stranger },
            Command::IssueCode { holder: stranger, by: stranger, code: CodeId([4; 16]), first: PayFirst::Wallet },
            Command::PlaceOrder(place(payer)),
            Command::PlaceOrder(place(Payer::Code(CodeId([4; 16])))),
            Command::ReverseOrder { order, number: String::new() },
            Command::Capture { payment, order, amount: Fen(i64::MAX), last: true },
            Command::Void { payment, order },
            Command::Refund { payment, order, amount: Fen(i64::MIN) },
            Command::PayPremium { payment, payer: stranger, by: known, insured: known, area: 0, year: 0, proof },
            Command::PayPremium { payment, payer: known, by: known, insured: stranger, area: 0, year: u16::MAX, proof },
        ];
        for command in commands {
            let batch = world.run(1, 1, command.clone());
            let [Decision::New(Outcome::Refused(reasons))] = &batch.decisions[..] else { panic!("{command:?}: {:?}", batch.decisions) };
            assert!(!reasons.is_empty() && batch.events.is_empty(), "{command:?}");
        }
    }
}
