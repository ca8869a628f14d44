//! Operators, approvals and deeds.

use super::{AreaCode, Day, FreezeReason, HolderId, InstitutionId, OperatorId, OrderId, RuleChange, Scope};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Role {
    Operator,
    Reviewer,
    Finance,
    Auditor,
    Administrator,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Operator<'a> {
    pub id: OperatorId,
    pub login: &'a str,
    pub reach: Scope,
    pub roles: Vec<Role>,
    pub is_active: bool,
}

/// What one operator proposes and another decides.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Action<'a> {
    Opening {
        area: AreaCode,
        from: Day,
        open: bool,
    },
    ChangeOfUse {
        area: AreaCode,
        offered: bool,
    },
    Rules(RuleChange),
    Freeze {
        holder: HolderId,
        area: AreaCode,
        reason: FreezeReason,
    },
    Unfreeze {
        holder: HolderId,
        area: AreaCode,
    },
    Death {
        holder: HolderId,
        area: AreaCode,
    },
    EndInsurance {
        holder: HolderId,
        area: AreaCode,
        from: Day,
    },
    Recovery {
        holder: HolderId,
        area: AreaCode,
        request: u64,
    },
    #[serde(borrow)]
    Operator(Operator<'a>),
    RevokeKeys {
        institution: InstitutionId,
        area: AreaCode,
    },
}

impl Action<'_> {
    /// Whether it happens outside the directory, after it has been approved.
    pub fn is_elsewhere(&self) -> bool {
        !matches!(self, Action::Opening { .. } | Action::ChangeOfUse { .. } | Action::Rules(_) | Action::Operator(_))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum DeclineReason {
    Papers,
    Details,
    NotDue,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Verdict {
    Approved,
    Declined(DeclineReason),
    Withdrawn,
    Expired,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum LookReason {
    AtTheWindow,
    Complaint,
    Reconciliation,
    Order,
    Audit,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Way {
    Passkey,
    Code,
    Recovery,
}

/// What an operator did or looked at besides.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Deed<'a> {
    SignedIn { way: Way },
    SignedOut,
    LockedOut,
    CredentialAdded { way: Way },
    CredentialsRemoved,
    SessionsEnded { of: OperatorId },
    Invited { who: OperatorId },
    Searched { found: u16 },
    Viewed { holder: HolderId },
    Revealed { holder: HolderId, reason: LookReason, document: &'a str },
    Traced { order: OrderId },
    Exported { list: &'a str, rows: u32 },
    Imported { kind: &'a str, digest: [u8; 16], lines: u32, applied: u32 },
}
