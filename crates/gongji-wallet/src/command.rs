//! What can be asked of a partition. Jobs and messages are commands too.

use crate::approval::{Action, Verdict};
use crate::clearing::ClearingCommand;
use crate::directory::DirectoryChange;
use crate::event::{Message, Payer, Quote};
use crate::ids::{ApprovalId, CodeId, Key, OperatorId, OrderId, PaymentId, RequestKey, TransferId};
use crate::object::{Bill, Business, Enrolment, FreezeReason, PayFirst, Visit};
use crate::operator::{Deed, Operator};
use crate::reason::Reason;
use gongji_ledger::{AreaCode, Fen, HolderId, InstitutionId, Part};
use serde::{Deserialize, Serialize};
use sm3::{Digest, Sm3};

/// A command with the key that makes it harmless to repeat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Key and first half of the digest of the body; `None` for messages and jobs, which carry their own order.
    pub idempotency: Option<(RequestKey, [u8; 16])>,
    pub command: Command,
}

/// Proof of identity: made by the program after a password or face check, used once by the commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    pub id: u64,
    /// Who was checked.
    pub holder: HolderId,
    /// What was shown to the person when identity was checked; see [`binding`].
    pub bound: [u8; 16],
    pub expires: i64,
}

/// Digest of what a proof of identity stands for: an action's name and its fields.
pub fn binding(action: &str, fields: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sm3::new();
    hash.update((action.len() as u64).to_be_bytes());
    hash.update(action.as_bytes());
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    let digest = hash.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// Binding of a transfer: receiver, amount and source (product.md, step 4).
pub fn transfer_binding(receiver: HolderId, amount: Fen, from_wallet: bool) -> [u8; 16] {
    binding("transfer", &[&receiver.0.to_be_bytes(), &amount.0.to_be_bytes(), &[u8::from(from_wallet)]])
}

/// Binding of a premium: whose wallet pays, insured person, area and year.
pub fn premium_binding(payer: HolderId, insured: HolderId, area: AreaCode, year: u16) -> [u8; 16] {
    binding("premium", &[&payer.0.to_be_bytes(), &insured.0.to_be_bytes(), &area.to_be_bytes(), &year.to_be_bytes()])
}

/// Binding of a new place of use of somebody's wallet.
pub fn place_binding(holder: HolderId, place: AreaCode) -> [u8; 16] {
    binding("place", &[&holder.0.to_be_bytes(), &place.to_be_bytes()])
}

/// Binding of a payment without a phone: the institution's order and the own share.
pub fn keypad_binding(order: OrderId, own: Fen) -> [u8; 16] {
    binding("keypad", &[&order.institution.0.to_be_bytes(), &order.number, &own.0.to_be_bytes()])
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    // People on file.
    CreateHolder {
        holder: HolderId,
    },
    SetEnrolment {
        holder: HolderId,
        enrolment: Enrolment,
    },
    RegisterDeath {
        holder: HolderId,
    },
    /// `month` as yyyymm.
    Contribute {
        holder: HolderId,
        area: AreaCode,
        amount: Fen,
        month: u32,
    },
    Freeze {
        holder: HolderId,
        reason: FreezeReason,
        maker: String,
        checker: String,
    },
    Unfreeze {
        holder: HolderId,
        maker: String,
        checker: String,
    },
    // The wallet.
    OpenWallet {
        holder: HolderId,
        by: HolderId,
        place: AreaCode,
    },
    /// Lets `agent` open, accept, pay and look for `holder`, or ends it.
    SetAgent {
        holder: HolderId,
        agent: HolderId,
        allowed: bool,
    },
    ChangePlace {
        holder: HolderId,
        by: HolderId,
        place: AreaCode,
        proof: Option<Proof>,
    },
    EndRelation {
        holder: HolderId,
        by: HolderId,
        other: HolderId,
    },
    // Transfers: asked at the sender's partition, decided at the receiver's.
    RequestTransfer(RequestTransfer),
    AcceptTransfer {
        id: TransferId,
        receiver: HolderId,
        by: HolderId,
    },
    DeclineTransfer {
        id: TransferId,
        receiver: HolderId,
        by: HolderId,
    },
    CancelTransfer {
        id: TransferId,
        sender: HolderId,
    },
    // Paying.
    IssueCode {
        holder: HolderId,
        by: HolderId,
        code: CodeId,
        first: PayFirst,
    },
    PlaceOrder(PlaceOrder),
    ReverseOrder {
        order: OrderId,
        number: String,
    },
    Capture {
        payment: PaymentId,
        order: OrderId,
        amount: Fen,
        last: bool,
    },
    Void {
        payment: PaymentId,
        order: OrderId,
    },
    Refund {
        payment: PaymentId,
        order: OrderId,
        amount: Fen,
    },
    PayPremium {
        payment: PaymentId,
        payer: HolderId,
        by: HolderId,
        insured: HolderId,
        area: AreaCode,
        year: u16,
        proof: Option<Proof>,
    },
    // The directory's partition.
    ChangeDirectory(Vec<DirectoryChange>),
    /// By whoever holds the machine: only as long as there is no administrator who works.
    AppointFirst(Vec<Operator>),
    /// By whoever holds the machine: an operator works no more, at once.
    SuspendOperator {
        operator: OperatorId,
    },
    Propose {
        id: ApprovalId,
        maker: OperatorId,
        action: Action,
        document: String,
    },
    /// `seen`: what the checker was shown of the difference it makes; see [`crate::approval::seen`].
    DecideApproval {
        id: ApprovalId,
        by: OperatorId,
        verdict: Verdict,
        seen: [u8; 16],
    },
    /// By the engine, after what was approved has happened where it belongs.
    FollowApproval {
        id: ApprovalId,
        refused: Vec<Reason>,
    },
    Act {
        operator: OperatorId,
        deed: Deed,
    },
    Clearing(Box<ClearingCommand>),
    // By the engine.
    Deliver {
        from: Part,
        number: u64,
        message: Message,
    },
    /// An object reached its deadline.
    Due(Key),
    /// An institution has read this code, for this kind of care if it says so: from now on the code is for nobody else. Asked at the payer's partition.
    DecodeCode {
        code: CodeId,
        institution: InstitutionId,
        business: Option<Business>,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestTransfer {
    pub id: TransferId,
    pub sender: HolderId,
    /// `nobody` of a partition where the form's name and number are not on file together.
    pub receiver: HolderId,
    /// GB/T 4761: what the receiver is to the sender.
    pub relation: u8,
    pub amount: Fen,
    pub from_wallet: bool,
    pub proof: Option<Proof>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlaceOrder {
    pub order: OrderId,
    pub number: String,
    pub payment: PaymentId,
    pub payer: Payer,
    pub bill: Bill,
    /// Take what there is and leave the rest to cash.
    pub partial: bool,
    pub visit: Visit,
    /// Hold only what was quoted.
    pub quote: Option<Quote>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use gongji_ledger::InstitutionId;
    use std::collections::BTreeSet;

    /// A proof of identity is for what was shown, and for nothing else: other people, amounts, places and purposes bind otherwise.
    #[test]
    fn each_thing_that_is_confirmed_binds_otherwise() {
        let (li, bao) = (HolderId::new(1, 1), HolderId::new(1, 2));
        let order = |number: u8| OrderId { institution: InstitutionId(1), number: [number; 16] };
        let bindings = [
            transfer_binding(li, Fen(100), false),
            transfer_binding(bao, Fen(100), false),
            transfer_binding(li, Fen(101), false),
            transfer_binding(li, Fen(100), true),
            premium_binding(li, bao, 510_500, 2027),
            premium_binding(bao, li, 510_500, 2027),
            premium_binding(li, bao, 510_501, 2027),
            premium_binding(li, bao, 510_500, 2028),
            place_binding(li, 510_500),
            place_binding(bao, 510_500),
            place_binding(li, 510_501),
            keypad_binding(order(1), Fen(100)),
            keypad_binding(order(2), Fen(100)),
            keypad_binding(order(1), Fen(101)),
            // Each field stands with its length.
            binding("x", &[b"ab", b"c"]),
            binding("x", &[b"a", b"bc"]),
            binding("xa", &[b"bc"]),
        ];
        assert_eq!(bindings.iter().collect::<BTreeSet<_>>().len(), bindings.len());
    }
}
