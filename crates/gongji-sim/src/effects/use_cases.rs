//! What people, institutions and offices do, each as a short play of its own after a founding that all share.

use super::stage::Step;
use crate::country::institution;
use gongji_ledger::{AreaCode, Fen, GrantKind, HolderId, InstitutionId, Part};
use gongji_wallet::Request;
use gongji_wallet::clearing::{ClearingCommand, Due, Statement};
use gongji_wallet::command::{Command, PlaceOrder, Proof, RequestTransfer, binding, keypad_binding, place_binding, premium_binding, transfer_binding};
use gongji_wallet::day::{DAY_MS, Day, HOUR_MS, day_from_date, instant};
use gongji_wallet::directory::{Coverage, DirectoryChange, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::event::{Payer, institution_part};
use gongji_wallet::ids::{CodeId, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::{Bill, EMPLOYEE, Enrolment, EnrolmentStatus, FreezeReason, PayFirst, RESIDENT, Visit};
use gongji_wallet::rules::{RuleChange, Scope, Setting};

const LUZHOU: AreaCode = 510_500;
const JINAN: AreaCode = 370_100;
/// Grants quota, not transfers.
const LANZHOU: AreaCode = 620_100;
const YEAR: u16 = 2027;
const PREMIUM: Fen = Fen(40_000);

/// One beat of a play.
#[derive(Clone, Debug)]
pub enum Beat {
    /// Asked in one batch; then everything that follows from it happens.
    Ask(Vec<Step>),
    /// Asked, and the next beat comes before any message has left.
    Rush(Box<Step>),
    /// The clock goes on to this instant (ms).
    Until(i64),
}

pub struct UseCase {
    pub name: &'static str,
    /// What has happened before, without faults.
    pub before: Vec<Beat>,
    pub beats: Vec<Beat>,
}

fn today() -> Day {
    day_from_date(2027, 3, 1).expect("a day of the calendar")
}

pub fn morning() -> i64 {
    instant(today(), 10 * 60)
}

/// Where the people live: as far apart as the partitions allow.
#[derive(Clone, Copy)]
struct Town {
    parts: Part,
    /// Employee in Jinan, with money and a wallet.
    wang: HolderId,
    /// Wang's mother, resident in Luzhou, with a wallet.
    li: HolderId,
    /// Li's grandchild, resident in Luzhou, without a wallet.
    bao: HolderId,
    /// Li's brother, employee in Lanzhou: what he gives is a quota.
    zhao: HolderId,
    pharmacy: InstitutionId,
}

fn id(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&(morning() as u64 + number).to_be_bytes()[2..]);
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn step(part: Part, number: u64, command: Command) -> Step {
    let fingerprint = binding("body", &[format!("{command:?}").as_bytes()]);
    Step { part, request: Request { idempotency: Some((RequestKey(id(number)), fingerprint)), command } }
}

fn rush(step: Step) -> Beat {
    Beat::Rush(Box::new(step))
}

fn ask(step: Step) -> Beat {
    Beat::Ask(vec![step])
}

fn region(code: AreaCode) -> DirectoryChange {
    DirectoryChange::Region(Region {
        code,
        name: code.to_string(),
        province_code: code / 10_000 * 10_000,
        province: String::new(),
        level: RegionLevel::Prefecture,
        openings: vec![(today() - 100, true)],
        change_of_use: true,
        coverage: Coverage::Area,
    })
}

fn enrolment(area: AreaCode, insurance: u16) -> Enrolment {
    Enrolment { area, insurance, status: EnrolmentStatus::Normal, from: today() - 1_000, pooled_only: false }
}

fn proof(number: u64, holder: HolderId, bound: [u8; 16]) -> Proof {
    Proof { id: number, holder, bound, expires: morning() + 100 * HOUR_MS }
}

impl Town {
    fn of(parts: Part) -> Town {
        let at = |part: Part, serial| HolderId::new(part % parts + 1, serial);
        let pharmacy = InstitutionId::parse("P51050000012").expect("a code of an institution");
        Town { parts, wang: at(0, 1), li: at(1, 2), bao: at(2, 3), zhao: at(3, 4), pharmacy }
    }

    /// Keys 1 to 99.
    fn founding(&self) -> Vec<Beat> {
        let premium =
            Premium { area: LUZHOU, year: YEAR, amount: PREMIUM, opens: today() - 10, closes: today() + 10, relatives: true, instructions: String::new() };
        let quota = RuleChange { version: 2, scope: Scope::Area(LANZHOU), from: today() - 50, settings: vec![Setting::Kind(GrantKind::Quota)] };
        let changes = vec![
            region(LUZHOU),
            region(JINAN),
            region(LANZHOU),
            institution(self.pharmacy, LUZHOU, Readiness::Ready),
            DirectoryChange::Premium(premium),
            DirectoryChange::Rules(quota),
        ];
        let mut beats = vec![ask(step(0, 1, Command::ChangeDirectory(changes)))];
        let people = [(self.wang, enrolment(JINAN, EMPLOYEE)), (self.li, enrolment(LUZHOU, RESIDENT)), (self.bao, enrolment(LUZHOU, RESIDENT))];
        for (number, (holder, enrolment)) in (10_u64..).step_by(10).zip(people.into_iter().chain([(self.zhao, enrolment(LANZHOU, EMPLOYEE))])) {
            let command = |offset: u64, command| step(holder.part(), number + offset, command);
            beats.push(ask(command(0, Command::CreateHolder { holder })));
            beats.push(ask(command(1, Command::SetEnrolment { holder, enrolment })));
            if enrolment.insurance == EMPLOYEE {
                beats.push(ask(command(2, Command::Contribute { holder, area: enrolment.area, amount: Fen(500_000), month: 202_702 })));
            }
            if holder != self.bao {
                beats.push(ask(command(3, Command::OpenWallet { holder, by: holder, place: enrolment.area })));
            }
        }
        beats
    }

    fn sends(&self, number: u64, from: HolderId, to: HolderId, relation: u8, fen: i64, from_wallet: bool) -> Step {
        let amount = Fen(fen);
        let proof = Some(proof(number, from, transfer_binding(to, amount, from_wallet)));
        let wish = RequestTransfer { id: TransferId(id(number)), sender: from, receiver: to, relation, amount, from_wallet, proof };
        step(from.part(), number, Command::RequestTransfer(wish))
    }

    fn accepts(&self, number: u64, transfer: u64, receiver: HolderId) -> Step {
        step(receiver.part(), number, Command::AcceptTransfer { id: TransferId(id(transfer)), receiver, by: receiver })
    }

    /// Wang has sent his mother 1,000 yuan; she has taken it. Keys 100 and 101.
    fn family(&self) -> Vec<Beat> {
        vec![ask(self.sends(100, self.wang, self.li, 52, 100_000, false)), ask(self.accepts(101, 100, self.li))]
    }

    /// Zhao has granted his sister 500 yuan. Keys 110 and 111.
    fn quota(&self) -> Vec<Beat> {
        vec![ask(self.sends(110, self.zhao, self.li, 75, 50_000, false)), ask(self.accepts(111, 110, self.li))]
    }

    fn code(&self, number: u64, holder: HolderId) -> Step {
        step(holder.part(), number, Command::IssueCode { holder, by: holder, code: CodeId(id(number)), first: PayFirst::Wallet })
    }

    fn order(&self, number: u64) -> OrderId {
        OrderId { institution: self.pharmacy, number: id(number) }
    }

    fn till(&self, number: u64, command: Command) -> Step {
        step(institution_part(self.pharmacy, self.parts), number, command)
    }

    fn places(&self, number: u64, payer: Payer, holder: HolderId, own: i64) -> Step {
        let bill = Bill { total: Fen(own + 1_000), fund: Fen(1_000), own: Fen(own), institution: Fen::ZERO };
        let payment = PaymentId::new(id(number), holder.part());
        let visit = Visit::at_counter(today());
        let order = PlaceOrder { order: self.order(number), number: number.to_string(), payment, payer, bill, partial: false, visit, quote: None };
        self.till(number, Command::PlaceOrder(order))
    }

    fn pays(&self, number: u64, code: u64, holder: HolderId, own: i64) -> Step {
        self.places(number, Payer::Code(CodeId(id(code))), holder, own)
    }

    /// Li holds a code and has been charged 300 yuan with it. Keys 200 and 201; the payment is 201.
    fn held(&self) -> Vec<Beat> {
        let mut beats = self.family();
        beats.extend([ask(self.code(200, self.li)), ask(self.pays(201, 200, self.li, 30_000))]);
        beats
    }

    fn captured(&self) -> Vec<Beat> {
        let mut beats = self.held();
        beats.push(ask(self.captures(202, 201, 30_000, true)));
        beats
    }

    fn payment(&self, number: u64) -> PaymentId {
        PaymentId::new(id(number), self.li.part())
    }

    fn captures(&self, number: u64, payment: u64, fen: i64, last: bool) -> Step {
        let command = Command::Capture { payment: self.payment(payment), order: self.order(payment), amount: Fen(fen), last };
        step(self.li.part(), number, command)
    }

    fn voids(&self, number: u64, payment: u64) -> Step {
        step(self.li.part(), number, Command::Void { payment: self.payment(payment), order: self.order(payment) })
    }

    fn refunds(&self, number: u64, payment: u64, fen: i64) -> Step {
        step(self.li.part(), number, Command::Refund { payment: self.payment(payment), order: self.order(payment), amount: Fen(fen) })
    }

    fn reverses(&self, number: u64, order: u64) -> Step {
        self.till(number, Command::ReverseOrder { order: self.order(order), number: order.to_string() })
    }

    fn premium(&self, number: u64, payer: HolderId, insured: HolderId) -> Step {
        let proof = Some(proof(number, payer, premium_binding(payer, insured, LUZHOU, YEAR)));
        let payment = PaymentId::new(id(number), payer.part());
        step(payer.part(), number, Command::PayPremium { payment, payer, by: payer, insured, area: LUZHOU, year: YEAR, proof })
    }

    fn contributes(&self, number: u64, holder: HolderId, area: AreaCode, fen: i64) -> Step {
        step(holder.part(), number, Command::Contribute { holder, area, amount: Fen(fen), month: 202_703 })
    }

    fn enrols(&self, number: u64, holder: HolderId, area: AreaCode, insurance: u16, status: EnrolmentStatus) -> Step {
        let enrolment = Enrolment { status, ..enrolment(area, insurance) };
        step(holder.part(), number, Command::SetEnrolment { holder, enrolment })
    }

    fn dies(&self, number: u64, holder: HolderId) -> Step {
        step(holder.part(), number, Command::RegisterDeath { holder })
    }

    fn freezes(&self, number: u64, holder: HolderId) -> Step {
        let (reason, maker, checker) = (FreezeReason::CourtOrder, "zhang".to_owned(), "qian".to_owned());
        step(holder.part(), number, Command::Freeze { holder, reason, maker, checker })
    }

    fn unfreezes(&self, number: u64, holder: HolderId) -> Step {
        step(holder.part(), number, Command::Unfreeze { holder, maker: "zhang".to_owned(), checker: "qian".to_owned() })
    }

    fn allows(&self, number: u64, holder: HolderId, agent: HolderId, allowed: bool) -> Step {
        step(holder.part(), number, Command::SetAgent { holder, agent, allowed })
    }

    fn ends(&self, number: u64, holder: HolderId, other: HolderId) -> Step {
        step(holder.part(), number, Command::EndRelation { holder, by: holder, other })
    }

    fn opens(&self, number: u64, holder: HolderId, by: HolderId, place: AreaCode) -> Step {
        step(holder.part(), number, Command::OpenWallet { holder, by, place })
    }

    fn office(&self, number: u64, changes: Vec<DirectoryChange>) -> Step {
        step(0, number, Command::ChangeDirectory(changes))
    }
}

/// Every use case, on so many partitions. Keys of a play's own beats begin at 300.
pub fn all(parts: Part) -> Vec<UseCase> {
    let town = Town::of(parts);
    let mut cases = people(&town);
    cases.extend(transfers(&town));
    cases.extend(payments(&town));
    cases.extend(families(&town));
    cases.extend(clearing(&town));
    for case in &mut cases {
        case.before.splice(0..0, town.founding());
    }
    cases
}

fn case(name: &'static str, before: Vec<Beat>, beats: Vec<Beat>) -> UseCase {
    UseCase { name, before, beats }
}

fn people(town: &Town) -> Vec<UseCase> {
    let Town { wang, li, bao, zhao, .. } = *town;
    let newcomer = HolderId::new(li.part(), 9);
    let moves = Command::ChangePlace { holder: li, by: li, place: JINAN, proof: Some(proof(302, li, place_binding(li, JINAN))) };
    let opening = DirectoryChange::Opening { area: JINAN, from: today() + 3, open: false };
    vec![
        case(
            "a person comes on file, is insured, paid in and opens a wallet",
            vec![],
            vec![
                ask(step(newcomer.part(), 300, Command::CreateHolder { holder: newcomer })),
                ask(town.enrols(301, newcomer, JINAN, EMPLOYEE, EnrolmentStatus::Normal)),
                ask(town.contributes(302, newcomer, JINAN, 12_345)),
                ask(town.opens(303, newcomer, newcomer, JINAN)),
            ],
        ),
        case("a wallet is opened by a relative", vec![ask(town.allows(290, bao, wang, true))], vec![ask(town.opens(300, bao, wang, LUZHOU))]),
        case("a helper is allowed, and not any more", vec![], vec![ask(town.allows(300, li, bao, true)), ask(town.allows(301, li, bao, false))]),
        case(
            "lines of a file of contributions, one of them refused",
            vec![],
            vec![
                Beat::Ask(vec![town.contributes(300, wang, JINAN, 100), town.contributes(301, wang, JINAN, 0), town.contributes(302, wang, JINAN, 300)]),
                Beat::Ask(vec![town.contributes(303, zhao, LANZHOU, 400), town.contributes(304, zhao, LANZHOU, 500)]),
            ],
        ),
        case(
            "a person moves, and the place of use follows",
            vec![],
            vec![ask(town.enrols(300, li, JINAN, RESIDENT, EnrolmentStatus::Normal)), ask(step(li.part(), 302, moves))],
        ),
        case(
            "a wallet is frozen, refuses, and is free again",
            town.family(),
            vec![ask(town.freezes(300, li)), ask(town.code(301, li)), ask(town.unfreezes(302, li))],
        ),
        case(
            "the directory changes",
            vec![],
            vec![
                ask(town.office(300, vec![region(510_100), institution(InstitutionId::parse("H51010000003").expect("a code"), 510_100, Readiness::Quiet)])),
                ask(town.office(
                    301,
                    vec![DirectoryChange::Rules(RuleChange { version: 3, scope: Scope::Nation, from: today(), settings: vec![Setting::DailyCountMax(5)] })],
                )),
                ask(town.office(302, vec![opening])),
            ],
        ),
        case(
            "an institution is shut, and a payment there is refused",
            {
                let mut before = town.family();
                before.push(ask(town.code(290, li)));
                before
            },
            vec![ask(town.office(300, vec![institution(town.pharmacy, LUZHOU, Readiness::Off)])), ask(town.pays(301, 290, li, 1_000))],
        ),
    ]
}

fn transfers(town: &Town) -> Vec<UseCase> {
    let Town { wang, li, bao, .. } = *town;
    let first = || town.sends(300, wang, li, 52, 70_000, false);
    let transfer = TransferId(id(300));
    let decline = step(li.part(), 301, Command::DeclineTransfer { id: transfer, receiver: li, by: li });
    let cancel = step(li.part(), 303, Command::CancelTransfer { id: transfer, sender: wang });
    let nobody = HolderId::nobody(li.part());
    vec![
        case("a first transfer waits and is accepted", vec![], vec![ask(first()), ask(town.accepts(301, 300, li))]),
        case("a first transfer waits and is declined", vec![], vec![ask(first()), ask(decline.clone())]),
        case("a first transfer waits and is taken back", vec![], vec![ask(first()), ask(cancel.clone())]),
        case("a first transfer waits and goes back in the morning", vec![], vec![ask(first()), Beat::Until(instant(today() + 1, 6 * 60))]),
        case("accepted, declined and taken back at once: one of them", vec![ask(first())], vec![rush(town.accepts(302, 300, li)), rush(decline), ask(cancel)]),
        case("a transfer is credited at once", town.family(), vec![ask(town.sends(300, wang, li, 52, 50_000, false))]),
        case("a transfer out of a wallet", town.family(), vec![ask(town.sends(300, li, wang, 20, 45_000, true))]),
        case(
            "a transfer to somebody without a wallet, who opens one and accepts",
            vec![],
            vec![ask(town.sends(300, wang, bao, 20, 20_000, false)), ask(town.opens(301, bao, bao, LUZHOU)), ask(town.accepts(302, 300, bao))],
        ),
        case("a transfer to nobody on file", vec![], vec![ask(town.sends(300, wang, nobody, 52, 10_000, false))]),
        case(
            "a transfer too large, and the same key with another body",
            town.family(),
            vec![
                ask(town.sends(300, wang, li, 52, 200_001, false)),
                ask(town.sends(301, wang, li, 52, 1, false)),
                ask(town.sends(301, wang, li, 52, 2, false)),
            ],
        ),
        case(
            "the receiver's region closes while a transfer waits",
            vec![],
            vec![
                ask(first()),
                ask(town.office(301, vec![DirectoryChange::Opening { area: LUZHOU, from: today(), open: false }])),
                ask(town.accepts(302, 300, li)),
                Beat::Until(instant(today() + 1, 6 * 60)),
            ],
        ),
    ]
}

fn payments(town: &Town) -> Vec<UseCase> {
    let Town { wang, li, bao, .. } = *town;
    let coded = || {
        let mut before = town.family();
        before.push(ask(town.code(290, li)));
        before
    };
    let keypad = Payer::Holder { holder: li, by: li, first: PayFirst::Wallet, proof: proof(300, li, keypad_binding(town.order(300), Fen(5_000))) };
    vec![
        case(
            "a code is shown, replaced, and the old one refused",
            town.family(),
            vec![ask(town.code(300, li)), ask(town.code(301, li)), ask(town.pays(302, 300, li, 1_000))],
        ),
        case("a payment is held and captured", coded(), vec![ask(town.pays(300, 290, li, 30_000)), ask(town.captures(301, 300, 30_000, true))]),
        case(
            "captured in parts, the rest released",
            town.held(),
            vec![ask(town.captures(300, 201, 10_000, false)), ask(town.captures(301, 201, 5_000, true)), ask(town.captures(302, 201, 1, true))],
        ),
        case("a hold is voided", town.held(), vec![ask(town.voids(300, 201)), ask(town.voids(301, 201))]),
        case("a hold runs out", town.held(), vec![Beat::Until(morning() + DAY_MS)]),
        case(
            "captured, and refunded in parts",
            town.captured(),
            vec![ask(town.refunds(300, 201, 12_000)), ask(town.refunds(301, 201, 18_000)), ask(town.refunds(302, 201, 1))],
        ),
        case("reversed while held", town.held(), vec![ask(town.reverses(300, 201))]),
        case("reversed after capture and part refund", town.captured(), vec![ask(town.refunds(300, 201, 7_000)), ask(town.reverses(301, 201))]),
        case("reversed before the payment came", coded(), vec![ask(town.reverses(300, 301)), ask(town.pays(301, 290, li, 30_000))]),
        case("a reversal on the heels of the payment", coded(), vec![rush(town.pays(300, 290, li, 30_000)), ask(town.reverses(301, 300))]),
        case(
            "captured, voided and reversed at once",
            town.held(),
            vec![rush(town.captures(300, 201, 30_000, true)), rush(town.voids(301, 201)), ask(town.reverses(302, 201))],
        ),
        case("a payment beyond the balance is refused", coded(), vec![ask(town.pays(300, 290, li, 100_001))]),
        case("a payment at the keypad", town.family(), vec![ask(town.places(300, keypad, li, 5_000))]),
        case("a premium, and the same once more", town.family(), vec![ask(town.premium(300, li, li)), ask(town.premium(301, li, li))]),
        case(
            "a premium for a relative",
            {
                let mut before = town.family();
                before.push(ask(town.sends(280, li, wang, 20, 45_000, true)));
                before
            },
            vec![ask(town.premium(300, wang, li))],
        ),
        case("a premium for somebody who owes none comes back", town.family(), vec![ask(town.premium(300, li, wang))]),
        case(
            "a premium for a child, paid by two at once",
            {
                let mut before = town.family();
                before.push(ask(town.opens(280, bao, bao, LUZHOU)));
                before.push(ask(town.sends(281, wang, bao, 20, 50_000, false)));
                before.push(ask(town.accepts(282, 281, bao)));
                before.push(ask(town.sends(283, li, bao, 20, 10_000, true)));
                before.push(ask(town.accepts(284, 283, bao)));
                before
            },
            vec![rush(town.premium(300, li, bao)), ask(town.premium(301, bao, bao))],
        ),
    ]
}

/// February 2027, cut on the first of March: its one line is what Li spent of Wang's money, 300 yuan that Jinan owes Luzhou.
fn clearing(town: &Town) -> Vec<UseCase> {
    let period = 202_702;
    let by = || "op-li".to_owned();
    let office = |number: u64, command: ClearingCommand| step(0, number, Command::Clearing(Box::new(command)));
    let cut = |number: u64| office(number, ClearingCommand::Cut { period, by: by() });
    let (owes, is_owed, amount) = (370_000, 510_000, Fen(30_000));
    let statement = Statement { root: [7; 32], lines: 1, amount, nets: vec![(owes, -amount), (is_owed, amount)] };
    let confirm = |number: u64, side| office(number, ClearingCommand::Confirm { period, side, root: [7; 32], by: by() });
    let due = Due { from: owes, to: is_owed, amount };
    let receive = ClearingCommand::Receive { period, reference: "B1".to_owned(), from: owes, to: is_owed, amount, day: today(), by: by() };
    let release = ClearingCommand::Release { period, statement: statement.clone(), dues: vec![due], maker: by(), checker: "op-wang".to_owned() };
    vec![
        case(
            "a month is cut while a payment is captured and refunded",
            town.held(),
            vec![rush(cut(300)), rush(town.captures(301, 201, 30_000, true)), ask(town.refunds(302, 201, 10_000)), ask(cut(303))],
        ),
        case(
            "a month is cleared from its cut to its end",
            town.captured(),
            vec![
                ask(cut(300)),
                ask(office(301, ClearingCommand::State { period, statement, by: by() })),
                ask(confirm(302, owes)),
                ask(confirm(303, is_owed)),
                ask(office(304, release)),
                ask(office(305, ClearingCommand::Notice { period, by: by() })),
                ask(office(306, receive)),
                ask(office(307, ClearingCommand::Fund { period, maker: by(), checker: "op-wang".to_owned() })),
                ask(office(308, ClearingCommand::Close { period, by: by() })),
            ],
        ),
    ]
}

fn families(town: &Town) -> Vec<UseCase> {
    let Town { wang, li, zhao, .. } = *town;
    let waiting = || vec![ask(town.sends(290, wang, li, 52, 60_000, false))];
    let both = || {
        let mut before = town.family();
        before.extend(town.quota());
        before
    };
    let quota_held = || {
        let mut before = both();
        before.extend([ask(town.code(280, li)), ask(town.pays(281, 280, li, 120_000))]);
        before
    };
    vec![
        case("a quota is granted, taken and paid with", vec![], {
            let mut beats = town.quota();
            beats.extend([ask(town.code(300, li)), ask(town.pays(301, 300, li, 30_000)), ask(town.captures(302, 301, 30_000, true))]);
            beats
        }),
        case("the contributor ends the relation: the quota goes back", both(), vec![ask(town.ends(300, zhao, li))]),
        case("the receiver ends the relation: the quota goes back", both(), vec![ask(town.ends(300, li, zhao))]),
        case("both end it at once", both(), vec![rush(town.ends(300, li, zhao)), ask(town.ends(301, zhao, li))]),
        case(
            "the relation ends while quota is held: it follows when the hold is given up",
            quota_held(),
            vec![ask(town.ends(300, zhao, li)), ask(town.voids(301, 281))],
        ),
        case(
            "the relation ends, and a refund of quota goes through to the contributor",
            quota_held(),
            vec![ask(town.captures(300, 281, 120_000, true)), ask(town.ends(301, li, zhao)), ask(town.refunds(302, 281, 120_000))],
        ),
        case("the sender dies while a transfer waits", waiting(), vec![ask(town.dies(300, wang))]),
        case("the receiver dies while a transfer waits", waiting(), vec![ask(town.dies(300, li))]),
        case("the receiver accepts as the sender dies", waiting(), vec![rush(town.accepts(300, 290, li)), ask(town.dies(301, wang))]),
        case("a payer dies with money held; the hold runs out", quota_held(), vec![ask(town.dies(300, li)), Beat::Until(morning() + DAY_MS)]),
        case(
            "the contributor's insurance stops: quota back, waiting money back",
            both(),
            vec![ask(town.enrols(300, zhao, LANZHOU, EMPLOYEE, EnrolmentStatus::Paused))],
        ),
        case("the receiver moves away while a transfer waits", waiting(), vec![ask(town.enrols(300, li, JINAN, RESIDENT, EnrolmentStatus::Normal))]),
        case(
            "a frozen wallet gets its own transfer back",
            {
                let mut before = town.family();
                before.push(ask(town.sends(290, li, town.bao, 20, 9_000, true)));
                before
            },
            vec![ask(town.freezes(300, li)), Beat::Until(instant(today() + 1, 6 * 60))],
        ),
    ]
}
