use crate::Fen;
use crate::lot::{Lot, total};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of a partition. 0 is the directory; holders and institutions live in 1..=N.
pub type Part = u16;

/// Most partitions of one installation.
pub const PART_MAX: Part = 4096;

/// Six-digit code of a pooling area or province, as a number.
pub type AreaCode = u32;

/// A person on file: partition in the top 16 bits, serial number below.
///
/// Serial 0 stands for nobody: a receiver who is not on file still has a partition, so that what a sender sees does not tell whether a person exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HolderId(pub u64);

impl HolderId {
    pub fn new(part: Part, serial: u64) -> HolderId {
        assert!(serial < 1 << 48, "a partition has fewer than 2^48 holders");
        HolderId(u64::from(part) << 48 | serial)
    }

    pub fn nobody(part: Part) -> HolderId {
        HolderId::new(part, 0)
    }

    pub fn part(self) -> Part {
        (self.0 >> 48) as Part
    }

    pub fn serial(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }

    pub fn is_nobody(self) -> bool {
        self.serial() == 0
    }
}

impl fmt::Debug for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.part(), self.serial())
    }
}

/// A designated institution: `H` (medical) or `P` (pharmacy), six digits of area, five of serial, packed into one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstitutionId(pub u64);

const PHARMACY: u64 = 100_000_000_000;

impl InstitutionId {
    /// Parses the twelve-character code; `None` where it is not one.
    pub fn parse(code: &str) -> Option<InstitutionId> {
        let (kind, digits) = code.split_at_checked(1)?;
        if digits.len() != 11 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        match kind {
            "H" => Some(InstitutionId(number)),
            "P" => Some(InstitutionId(number + PHARMACY)),
            _ => None,
        }
    }

    pub fn is_pharmacy(self) -> bool {
        self.0 >= PHARMACY
    }
}

impl fmt::Display for InstitutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_pharmacy() { 'P' } else { 'H' };
        write!(f, "{kind}{:011}", self.0 % PHARMACY)
    }
}

impl fmt::Debug for InstitutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Where money stands. All amounts are what the system owes the account's owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Account {
    /// A person's personal account (个人账户) in one pooling area.
    Personal { holder: HolderId, area: AreaCode },
    /// A person's wallet (医保钱包), made of lots.
    Wallet { holder: HolderId },
    /// Reserved by payments and premiums of this person, not yet captured.
    Held { holder: HolderId },
    /// Sent to this person and not yet taken.
    Awaiting { holder: HolderId },
    /// Owed to an institution.
    Payable { institution: InstitutionId },
    /// Premiums taken for an area and year.
    Premium { area: AreaCode, year: u16 },
    /// Contributions paid in by an area's fund.
    Fund { area: AreaCode },
    /// Money that came back to somebody who has no account left.
    Unclaimed { area: AreaCode },
    /// On its way between this partition and another.
    Transit { part: Part },
}

impl Account {
    /// Whether the account may go below zero.
    pub fn may_be_negative(self) -> bool {
        matches!(self, Account::Payable { .. } | Account::Fund { .. } | Account::Transit { .. })
    }

    /// The person whose money it is, if a person's.
    pub fn holder(self) -> Option<HolderId> {
        match self {
            Account::Personal { holder, .. } | Account::Wallet { holder } | Account::Held { holder } | Account::Awaiting { holder } => Some(holder),
            _ => None,
        }
    }
}

/// One posting: lots leave one account and enter another, so that it balances by construction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Move {
    pub from: Account,
    pub to: Account,
    pub lots: Vec<Lot>,
}

impl Move {
    /// # Panics
    /// If a lot is not positive: every posting moves money forward; a correction is a posting the other way.
    pub fn new(from: Account, to: Account, lots: Vec<Lot>) -> Move {
        assert!(lots.iter().all(|lot| lot.amount.is_positive()), "a posting moves positive amounts: {lots:?}");
        Move { from, to, lots }
    }

    pub fn amount(&self) -> Fen {
        total(&self.lots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn institution_codes_survive_packing() {
        for code in ["H44020300006", "P51050000012", "H00000000000"] {
            assert_eq!(InstitutionId::parse(code).map(|id| id.to_string()).as_deref(), Some(code));
        }
        for code in ["", "H4402030000", "X44020300006", "H4402030000६", "H440203000061", "医44020300006"] {
            assert_eq!(InstitutionId::parse(code), None, "{code}");
        }
    }

    #[test]
    fn a_persons_money_is_never_below_zero() {
        let (holder, area) = (HolderId::new(1, 2), 370_100);
        for account in [Account::Personal { holder, area }, Account::Wallet { holder }, Account::Held { holder }, Account::Awaiting { holder }] {
            assert_eq!((account.may_be_negative(), account.holder()), (false, Some(holder)), "{account:?}");
        }
        for account in [Account::Premium { area, year: 2027 }, Account::Unclaimed { area }] {
            assert_eq!((account.may_be_negative(), account.holder()), (false, None), "{account:?}");
        }
        // An institution may owe a refund, a fund pays contributions out, and money on its way has a side that waits for it.
        for account in [Account::Payable { institution: InstitutionId(1) }, Account::Fund { area }, Account::Transit { part: 1 }] {
            assert_eq!((account.may_be_negative(), account.holder()), (true, None), "{account:?}");
        }
    }

    #[test]
    fn a_holder_id_carries_its_partition() {
        let id = HolderId::new(7, 42);
        assert_eq!((id.part(), id.serial(), id.is_nobody()), (7, 42, false));
        assert!(HolderId::nobody(3).is_nobody());
        // What a bug's message and the auditor's findings call a person and an institution.
        assert_eq!(format!("{id:?} {:?}", InstitutionId::parse("P51050000012")), "7-42 Some(P51050000012)");
    }
}
