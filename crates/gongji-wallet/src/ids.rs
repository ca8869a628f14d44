use crate::clearing::Month;
use crate::object::Payee;
use gongji_ledger::{Account, HolderId, InstitutionId, Part};
use serde::{Deserialize, Serialize};

/// A transfer, by its UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(pub [u8; 16]);

/// A payment or a premium: a UUIDv7 whose last two bytes are the payer's partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentId(pub [u8; 16]);

impl PaymentId {
    /// Makes the id of a payment decided in partition `part`.
    pub fn new(mut uuid: [u8; 16], part: Part) -> PaymentId {
        uuid[14..].copy_from_slice(&part.to_be_bytes());
        PaymentId(uuid)
    }

    pub fn part(self) -> Part {
        Part::from_be_bytes([self.0[14], self.0[15]])
    }
}

/// What stands for a payment code in the books: the first half of its SM3 digest. The code itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeId(pub [u8; 16]);

/// An institution's order number, digested; unique within the institution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OrderId {
    pub institution: InstitutionId,
    pub number: [u8; 16],
}

/// An idempotency key within its scope (caller and operation).
///
/// One made from a UUIDv7 keeps its 48-bit time in front, so that keys enter the index in order; any other has its first bit set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestKey(pub [u8; 16]);

impl RequestKey {
    /// Whether the key carries its time.
    pub fn is_timed(self) -> bool {
        self.0[0] & 0x80 == 0
    }
}

/// An operator of the offices; 0 is whoever holds the machine and works on its command line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorId(pub u32);

/// Something that one operator has proposed and another decides: a UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalId(pub [u8; 16]);

/// What one object of a partition's state is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Key {
    /// Counters and watermarks of the partition itself.
    Partition,
    Directory,
    Holder(HolderId),
    /// A transfer as its sender's partition sees it.
    Outgoing(TransferId),
    /// A transfer as its receiver's partition decides it.
    Incoming(TransferId),
    Code(CodeId),
    Payment(PaymentId),
    Order(OrderId),
    /// An institution's list of orders.
    Till(InstitutionId),
    /// The premium of one insured person for one year.
    Claim(HolderId, u16),
    /// The balance of an account that is not a person's.
    Balance(Account),
    /// The recorded answer to a request.
    Answer(RequestKey),
    /// A transfer within one partition that was credited at once: both sides of it.
    Made(TransferId),
    /// A payee's list of takings.
    Takings(Payee),
    /// All operators (the directory's partition).
    Operators,
    Approval(ApprovalId),
    /// The approvals that are not decided, or decided and not done yet (the directory's partition).
    OpenApprovals,
    /// What a partition's takings come to since its last mark.
    Counted,
    /// A partition's mark of a period.
    Mark(Month),
    /// The last period that was cut; in the directory's partition, as is the next.
    LastPeriod,
    Period(Month),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_its_time_in_front_is_told_from_any_other() {
        let key = |first: u8| RequestKey([first, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert!(key(0).is_timed() && key(0x7F).is_timed());
        assert!(!key(0x80).is_timed() && !key(0xFF).is_timed());
    }

    #[test]
    fn a_payment_names_the_partition_that_decides_it() {
        let id = PaymentId::new([9; 16], 0x0102);
        assert_eq!((id.part(), id.0[13], id.0[14..].to_vec()), (0x0102, 9, vec![1, 2]));
    }
}
