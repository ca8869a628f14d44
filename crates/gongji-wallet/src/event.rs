//! What a commit records: facts with their postings, and the messages between partitions.

use crate::approval::{Action, Verdict};
use crate::clearing::{Mark, Month, PeriodChange};
use crate::command::Proof;
use crate::directory::DirectoryChange;
use crate::ids::{ApprovalId, CodeId, Key, OperatorId, OrderId, PaymentId, RequestKey, TransferId};
use crate::object::*;
use crate::operator::{Deed, Operator};
use crate::reason::Reason;
use gongji_ledger::{Account, AreaCode, Fen, HolderId, InstitutionId, Lot, Move, Part};
use serde::{Deserialize, Serialize};

/// One event of the journal. `moves` change balances, `fact` changes the rest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    pub fact: Fact,
    pub moves: Vec<Move>,
}

// The journal is read for decades: variants are only ever added, at the end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Fact {
    Answered {
        key: RequestKey,
        fingerprint: [u8; 16],
        outcome: Outcome,
    },
    Sent {
        to: Part,
        number: u64,
        message: Message,
    },
    Received {
        from: Part,
        number: u64,
    },
    DirectoryChanged(DirectoryChange),
    HolderCreated {
        holder: HolderId,
    },
    EnrolmentSet {
        holder: HolderId,
        enrolment: Enrolment,
    },
    Died {
        holder: HolderId,
    },
    Contributed {
        holder: HolderId,
        area: AreaCode,
        month: u32,
    },
    WalletOpened {
        holder: HolderId,
        by: HolderId,
        place: AreaCode,
    },
    AgentSet {
        holder: HolderId,
        agent: HolderId,
        allowed: bool,
    },
    Frozen {
        holder: HolderId,
        reason: FreezeReason,
        maker: String,
        checker: String,
    },
    Unfrozen {
        holder: HolderId,
        maker: String,
        checker: String,
    },
    PlaceChanged {
        holder: HolderId,
        by: HolderId,
        from: AreaCode,
        to: AreaCode,
    },
    ProofUsed {
        holder: HolderId,
        proof: u64,
        expires: i64,
    },
    RelationConfirmed {
        holder: HolderId,
        other: HolderId,
        code: u8,
        declared_here: bool,
    },
    RelationEnded {
        holder: HolderId,
        other: HolderId,
        why: EndReason,
    },
    TransferSubmitted(Transfer),
    TransferArrived {
        transfer: Transfer,
        state: TransferState,
        reason: Option<Reason>,
    },
    /// The receiver's side decided: credited, declined, cancelled or returned.
    TransferClosed {
        id: TransferId,
        sender: HolderId,
        receiver: HolderId,
        by: Option<HolderId>,
        state: TransferState,
    },
    /// The sender's side learnt of it. `counts`: whether it still counts to the day's limits.
    TransferSettled {
        id: TransferId,
        sender: HolderId,
        receiver: HolderId,
        state: TransferState,
        counts: bool,
        reason: Option<Reason>,
    },
    /// Lots left this person's wallet, or could not come back to it, for their contributor.
    LotsSentBack {
        holder: HolderId,
        contributor: HolderId,
    },
    LotsCameBack {
        contributor: HolderId,
        holder: HolderId,
    },
    CodeIssued(Code),
    OrderPlaced(Box<Order>),
    OrderDecided {
        order: OrderId,
        state: OrderState,
    },
    PaymentHeld(Box<Payment>),
    PaymentCaptured {
        payment: PaymentId,
        holder: HolderId,
        amount: Fen,
        last: bool,
    },
    PaymentReleased {
        payment: PaymentId,
        holder: HolderId,
        state: PaymentState,
    },
    PaymentRefunded {
        payment: PaymentId,
        holder: HolderId,
        amount: Fen,
        state: PaymentState,
    },
    PremiumClaimed(Claim),
    PremiumRefused {
        payment: PaymentId,
        reason: Reason,
    },
    /// Submitted, arrived, credited and settled at once: both people live here, the receiver's wallet is open and the relation confirmed on both
    /// sides. Sender, receiver, purse and lots are those of the event's one move. It carries what else its request leaves behind: the proof that
    /// was used, and the answer's key and fingerprint (docs/decisions/0012).
    TransferMade {
        id: TransferId,
        relation: u8,
        deadline: i64,
        rule: u32,
        proof: u64,
        proof_expires: i64,
        answered: Option<(RequestKey, [u8; 16])>,
    },
    /// An operator is on file like this from here on.
    OperatorChanged {
        by: OperatorId,
        operator: Operator,
    },
    ApprovalProposed {
        id: ApprovalId,
        maker: OperatorId,
        action: Action,
        /// The paper it rests on: a number, never a text about a person.
        document: String,
        expires: i64,
    },
    /// By whom: the checker, the maker who takes it back, or nobody where its time has run out. What an approved action changes in the directory
    /// stands behind it in the same record.
    ApprovalDecided {
        id: ApprovalId,
        by: Option<OperatorId>,
        verdict: Verdict,
    },
    /// What was approved has happened in another partition, or was refused there.
    ApprovalFollowed {
        id: ApprovalId,
        refused: Vec<Reason>,
    },
    /// What an operator did or looked at besides.
    Acted {
        operator: OperatorId,
        deed: Deed,
    },
    /// An institution has read a code: it is for them alone from now on.
    CodeDecoded {
        code: CodeId,
        holder: HolderId,
        decoding: Decoding,
    },
    /// In the directory's partition.
    PeriodChanged {
        period: Month,
        change: PeriodChange,
    },
    /// A partition's takings of the period end here.
    PeriodMarked {
        mark: Mark,
    },
}

/// What one partition tells another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Message {
    TransferSent(Transfer),
    /// The sender can no longer wait for it (death, loss of insurance).
    TransferRecalled {
        id: TransferId,
        receiver: HolderId,
        sender: HolderId,
    },
    /// `lots` come back unless it was credited or waits.
    TransferDecided {
        id: TransferId,
        sender: HolderId,
        receiver: HolderId,
        state: TransferState,
        lots: Vec<Lot>,
        reason: Option<Reason>,
    },
    RelationEnded {
        holder: HolderId,
        other: HolderId,
        why: EndReason,
    },
    LotsReturned {
        contributor: HolderId,
        holder: HolderId,
        lots: Vec<Lot>,
    },
    HoldRequested(HoldRequest),
    OrderReversed {
        order: OrderId,
        payment: PaymentId,
    },
    HoldDecided {
        order: OrderId,
        state: OrderState,
    },
    PremiumAsked(Claim),
    PremiumAnswered {
        payment: PaymentId,
        payer: HolderId,
        refused: Option<Reason>,
    },
    /// The month is over; the directory tells every partition.
    PeriodCut {
        period: Month,
    },
    PeriodMarked {
        mark: Mark,
    },
}

/// Who a payment is asked of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Payer {
    Code(CodeId),
    /// Without a phone: the holder proved it at the cashier's keypad, or an agent confirmed it.
    Holder {
        holder: HolderId,
        by: HolderId,
        first: PayFirst,
        /// Of `by`, bound to this order and own share; see [`crate::command::keypad_binding`].
        proof: Proof,
    },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HoldRequest {
    pub order: OrderId,
    pub payment: PaymentId,
    pub payer: Payer,
    pub area: AreaCode,
    pub bill: Bill,
    /// Take what there is and leave the rest to cash.
    pub partial: bool,
    pub visit: Visit,
    /// What the institution was told that the payer would pay; held only if it still holds.
    pub quote: Option<Quote>,
}

/// How an own share would be paid: from the personal account, and from the wallet; the rest in cash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Quote {
    pub personal: Fen,
    pub wallet: Fen,
}

/// What a request came to. The reply is made from this alone, so that a repeat gets the same words.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    Done,
    Refused(Vec<Reason>),
    Transfer {
        id: TransferId,
        state: TransferState,
        amount: Fen,
        deadline: i64,
        rule: u32,
        reason: Option<Reason>,
    },
    Code {
        expires: i64,
    },
    Order {
        payment: PaymentId,
        state: OrderState,
    },
    Payment {
        payment: PaymentId,
        state: PaymentState,
        captured: Fen,
        refunded: Fen,
        remaining: Fen,
    },
    /// Reversing what never happened succeeds.
    NothingToReverse,
    Premium {
        payment: PaymentId,
        state: PaymentState,
        amount: Fen,
        reason: Option<Reason>,
    },
}

impl Event {
    /// Whether this event brings the object into being, so that nothing of it need be known before.
    pub fn creates(&self, key: &Key) -> bool {
        matches!(
            (&self.fact, key),
            (Fact::HolderCreated { .. }, Key::Holder(_))
                | (Fact::Answered { .. } | Fact::TransferMade { .. }, Key::Answer(_))
                | (Fact::TransferMade { .. }, Key::Made(_))
                | (Fact::TransferSubmitted(_), Key::Outgoing(_))
                | (Fact::TransferArrived { .. }, Key::Incoming(_))
                | (Fact::CodeIssued(_), Key::Code(_))
                | (Fact::OrderPlaced(_), Key::Order(_))
                | (Fact::PaymentHeld(_), Key::Payment(_))
                | (Fact::PremiumClaimed(_), Key::Claim(..))
                | (Fact::ApprovalProposed { .. }, Key::Approval(_))
                | (Fact::PeriodMarked { .. }, Key::Mark(_))
        )
    }

    /// Visits every object that `apply` changes, some more than once.
    ///
    /// # Errors
    /// The visitor's.
    pub fn each_key<E>(&self, own: Part, mut visit: impl FnMut(Key) -> Result<(), E>) -> Result<(), E> {
        let mut visit = |key: Key| {
            debug_assert!(!matches!(key, Key::Holder(holder) if holder.part() != own), "an event stays in its partition");
            visit(key)
        };
        for posting in &self.moves {
            for account in [posting.from, posting.to] {
                visit(account_key(account))?;
            }
            if posting.from.holder().is_some() || posting.to.holder().is_some() {
                visit(Key::Partition)?;
            }
        }
        match &self.fact {
            Fact::Answered { key, .. } => visit(Key::Answer(*key))?,
            Fact::Sent { .. } | Fact::Received { .. } => visit(Key::Partition)?,
            Fact::DirectoryChanged(_) => visit(Key::Directory)?,
            Fact::HolderCreated { holder }
            | Fact::EnrolmentSet { holder, .. }
            | Fact::Died { holder }
            | Fact::Contributed { holder, .. }
            | Fact::WalletOpened { holder, .. }
            | Fact::AgentSet { holder, .. }
            | Fact::Frozen { holder, .. }
            | Fact::Unfrozen { holder, .. }
            | Fact::PlaceChanged { holder, .. }
            | Fact::ProofUsed { holder, .. }
            | Fact::RelationConfirmed { holder, .. }
            | Fact::RelationEnded { holder, .. } => visit(Key::Holder(*holder))?,
            Fact::LotsSentBack { .. } | Fact::LotsCameBack { .. } => {}
            Fact::TransferSubmitted(transfer) => {
                visit(Key::Holder(transfer.sender))?;
                visit(Key::Outgoing(transfer.id))?;
            }
            // Where it waits or is credited the receiver stands in the postings.
            Fact::TransferArrived { transfer, .. } => visit(Key::Incoming(transfer.id))?,
            Fact::TransferClosed { id, receiver, .. } => {
                visit(Key::Holder(*receiver))?;
                visit(Key::Incoming(*id))?;
            }
            Fact::TransferSettled { id, sender, .. } => {
                visit(Key::Holder(*sender))?;
                visit(Key::Outgoing(*id))?;
            }
            Fact::CodeIssued(code) => {
                visit(Key::Code(code.id))?;
                visit(Key::Holder(code.holder))?;
            }
            Fact::CodeDecoded { code, .. } => visit(Key::Code(*code))?,
            Fact::OrderPlaced(order) => {
                visit(Key::Order(order.id))?;
                visit(Key::Till(order.id.institution))?;
                visit(Key::Partition)?;
            }
            Fact::OrderDecided { order, .. } => visit(Key::Order(*order))?,
            Fact::PaymentHeld(payment) => {
                visit(Key::Payment(payment.id))?;
                visit(Key::Holder(payment.holder))?;
                if let Some(code) = payment.code {
                    visit(Key::Code(code))?;
                }
            }
            Fact::PaymentCaptured { payment, holder, .. } | Fact::PaymentRefunded { payment, holder, .. } => {
                visit(Key::Payment(*payment))?;
                visit(Key::Holder(*holder))?;
                visit(Key::Counted)?;
            }
            Fact::PaymentReleased { payment, holder, .. } => {
                visit(Key::Payment(*payment))?;
                visit(Key::Holder(*holder))?;
            }
            Fact::PremiumRefused { payment, .. } => visit(Key::Payment(*payment))?,
            Fact::PremiumClaimed(claim) => visit(Key::Claim(claim.insured, claim.year))?,
            Fact::TransferMade { id, answered, .. } => {
                visit(Key::Made(*id))?;
                if let Some((key, _)) = answered {
                    visit(Key::Answer(*key))?;
                }
            }
            Fact::OperatorChanged { .. } => visit(Key::Operators)?,
            Fact::ApprovalProposed { id, .. } | Fact::ApprovalDecided { id, .. } | Fact::ApprovalFollowed { id, .. } => {
                visit(Key::Approval(*id))?;
                visit(Key::OpenApprovals)?;
            }
            Fact::Acted { .. } => {}
            Fact::PeriodChanged { period, change } => {
                visit(Key::Period(*period))?;
                if matches!(change, PeriodChange::Cutting { .. }) {
                    visit(Key::LastPeriod)?;
                }
            }
            Fact::PeriodMarked { mark } => {
                visit(Key::Counted)?;
                visit(Key::Mark(mark.period))?;
            }
        }
        Ok(())
    }
}

/// The object that keeps an account's balance.
pub fn account_key(account: Account) -> Key {
    match account.holder() {
        Some(holder) => Key::Holder(holder),
        None => Key::Balance(account),
    }
}

/// A message's institution or holder decides its partition; this is who it is for.
pub fn institution_part(institution: InstitutionId, parts: Part) -> Part {
    // Fibonacci hashing spreads neighbouring codes; the count of partitions is fixed for an installation.
    let mixed = institution.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 48) as Part % parts + 1
}
