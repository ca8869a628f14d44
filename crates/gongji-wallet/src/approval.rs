//! Approvals: one operator proposes (经办), another decides (复核). What is approved happens in the same commit where it changes the directory, and
//! otherwise follows exactly once in the partition where it belongs, under a key made of the approval's number.
//!
//! A new kind of action: a variant of [`Action`] at the end (the journal is read for decades), its arms in `matter`, `reach`, `label` and
//! `difference`; then either an arm in `perform` that emits its facts here in partition 0, or `is_elsewhere` and an arm in the program's
//! `service/approval.rs`, which asks the other partition. Nothing else knows the kinds.

mod difference;

pub use difference::{Difference, difference, seen, setting_words};

use crate::day::{DAY_MS, Day, day_of};
use crate::directory::{Directory, DirectoryChange, Region};
use crate::event::Fact;
use crate::ids::{ApprovalId, Key, OperatorId};
use crate::object::{FreezeReason, Object};
use crate::operator::{Matter, Operator, Right, authorised, is_document};
use crate::person::change_directory;
use crate::reason::Reason;
use crate::rules::{RuleChange, Scope};
use crate::work::{Stop, Work};
use gongji_ledger::{AreaCode, HolderId, planted};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What nobody has decided within a week was not wanted (ms).
pub const APPROVAL_MS: i64 = 7 * DAY_MS;

/// Most approvals that wait at once.
pub const OPEN_APPROVALS_MAX: usize = 2_000;

// The journal is read for decades: variants are only ever added, at the end.
/// What is proposed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Action {
    /// A region opens or closes from a day on.
    Opening {
        area: AreaCode,
        from: Day,
        open: bool,
    },
    /// Whether the place of use may be changed from and to here.
    ChangeOfUse {
        area: AreaCode,
        offered: bool,
    },
    Rules(RuleChange),
    /// `area`: where the person is insured.
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
    /// The insurance of a person ends with that day.
    EndInsurance {
        holder: HolderId,
        area: AreaCode,
        from: Day,
    },
    /// A person who lost the phone may register with the new one; number of the request in the vault.
    Recovery {
        holder: HolderId,
        area: AreaCode,
        request: u64,
    },
    /// A new operator, or another reach, other roles, no work any more.
    Operator(Operator),
    /// The institution's keys are taken back: API keys and those that sign.
    RevokeKeys {
        institution: gongji_ledger::InstitutionId,
        area: AreaCode,
    },
}

impl Action {
    pub fn matter(&self) -> Matter {
        match self {
            Action::Opening { .. } | Action::ChangeOfUse { .. } => Matter::Regions,
            Action::Rules(_) => Matter::Rules,
            Action::Freeze { .. } | Action::Unfreeze { .. } | Action::Death { .. } | Action::EndInsurance { .. } | Action::Recovery { .. } => Matter::People,
            Action::Operator(_) => Matter::Operators,
            Action::RevokeKeys { .. } => Matter::Keys,
        }
    }

    /// What maker and checker must both reach.
    pub fn reach(&self) -> Scope {
        match self {
            Action::Opening { area, .. }
            | Action::ChangeOfUse { area, .. }
            | Action::Freeze { area, .. }
            | Action::Unfreeze { area, .. }
            | Action::Death { area, .. }
            | Action::EndInsurance { area, .. }
            | Action::Recovery { area, .. }
            | Action::RevokeKeys { area, .. } => Scope::Area(*area),
            Action::Rules(change) => change.scope,
            Action::Operator(operator) => operator.reach,
        }
    }

    pub fn label(&self) -> &'static str {
        match self {
            Action::Opening { open: true, .. } => "开通地区",
            Action::Opening { open: false, .. } => "停用地区",
            Action::ChangeOfUse { .. } => "使用地变更",
            Action::Rules(_) => "改规则",
            Action::Freeze { .. } => "冻结钱包",
            Action::Unfreeze { .. } => "解除冻结",
            Action::Death { .. } => "死亡登记",
            Action::EndInsurance { .. } => "停保登记",
            Action::Recovery { .. } => "恢复登录",
            Action::Operator(_) => "经办人账号",
            Action::RevokeKeys { .. } => "停用机构密钥",
        }
    }

    /// The person it is about.
    pub fn holder(&self) -> Option<HolderId> {
        match self {
            Action::Freeze { holder, .. }
            | Action::Unfreeze { holder, .. }
            | Action::Death { holder, .. }
            | Action::EndInsurance { holder, .. }
            | Action::Recovery { holder, .. } => Some(*holder),
            _ => None,
        }
    }

    /// Whether it happens outside the directory, after it has been approved.
    pub fn is_elsewhere(&self) -> bool {
        self.holder().is_some() || matches!(self, Action::RevokeKeys { .. })
    }
}

/// What somebody decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Verdict {
    Approved,
    Declined(DeclineReason),
    /// The maker took it back.
    Withdrawn,
    Expired,
}

/// Why a checker said no: a word of a list and no text, so that nothing personal gets in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// Papers are missing or do not fit.
    Papers,
    /// Something is filled in wrongly.
    Details,
    /// Not now, or not here.
    NotDue,
}

impl DeclineReason {
    pub const ALL: [DeclineReason; 3] = [DeclineReason::Papers, DeclineReason::Details, DeclineReason::NotDue];

    pub fn label(self) -> &'static str {
        match self {
            DeclineReason::Papers => "材料不全或对不上",
            DeclineReason::Details => "填写有误",
            DeclineReason::NotDue => "现在不该办",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ApprovalState {
    Open,
    /// Approved; it is still to happen in another partition.
    Approved,
    Done,
    /// Approved, and refused where it should have happened.
    Failed(Vec<Reason>),
    Declined(DeclineReason),
    Withdrawn,
    Expired,
}

impl ApprovalState {
    pub fn is_open(&self) -> bool {
        *self == ApprovalState::Open
    }

    pub fn is_final(&self) -> bool {
        !matches!(self, ApprovalState::Open | ApprovalState::Approved)
    }

    pub fn label(&self) -> &'static str {
        match self {
            ApprovalState::Open => "等复核",
            ApprovalState::Approved => "已同意,正在办",
            ApprovalState::Done => "已办结",
            ApprovalState::Failed(_) => "已同意,没有办成",
            ApprovalState::Declined(_) => "已退回",
            ApprovalState::Withdrawn => "已撤回",
            ApprovalState::Expired => "已过期",
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Approval {
    pub id: ApprovalId,
    pub maker: OperatorId,
    pub action: Action,
    pub document: String,
    pub made_at: i64,
    pub expires: i64,
    pub state: ApprovalState,
    /// Who decided; nobody where it expired.
    pub checker: Option<OperatorId>,
    pub decided_at: Option<i64>,
    /// When what was approved happened, or was refused.
    pub done_at: Option<i64>,
}

impl Approval {
    pub(crate) fn new(id: ApprovalId, maker: OperatorId, action: Action, document: String, made_at: i64, expires: i64) -> Approval {
        Approval { id, maker, action, document, made_at, expires, state: ApprovalState::Open, checker: None, decided_at: None, done_at: None }
    }

    pub(crate) fn decide(&mut self, by: Option<OperatorId>, verdict: Verdict, stamp: i64) {
        (self.checker, self.decided_at) = (by, Some(stamp));
        self.state = match verdict {
            Verdict::Approved if self.action.is_elsewhere() => ApprovalState::Approved,
            Verdict::Approved => {
                self.done_at = Some(stamp);
                ApprovalState::Done
            }
            Verdict::Declined(why) => ApprovalState::Declined(why),
            Verdict::Withdrawn => ApprovalState::Withdrawn,
            Verdict::Expired => ApprovalState::Expired,
        };
    }
}

/// Which approvals are under way, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct OpenApprovals(pub Vec<ApprovalId>);

impl OpenApprovals {
    pub(crate) fn put(&mut self, id: ApprovalId) {
        self.0.push(id);
    }

    pub(crate) fn remove(&mut self, id: ApprovalId) {
        self.0.retain(|open| *open != id);
    }
}

pub(crate) fn propose(work: &mut Work, id: ApprovalId, maker: OperatorId, action: &Action, document: &str) -> Result<(), Stop> {
    assert!(work.part == 0, "the directory has partition 0");
    let maker = authorised(work, maker, Right::Make(action.matter()), action.reach())?;
    if work.approval(id)?.is_some() {
        return Err(Reason::ApprovalFinal.into());
    }
    if !is_document(document) {
        return Err(Reason::SettingRefused.into());
    }
    let open = match work.object(Key::OpenApprovals)?.as_deref() {
        Some(Object::OpenApprovals(open)) => open.0.len(),
        _ => 0,
    };
    if open >= OPEN_APPROVALS_MAX {
        return Err(Reason::TooMany { max: OPEN_APPROVALS_MAX as u16 }.into());
    }
    check_action(work, action, maker.id)?;
    let expires = work.stamp + APPROVAL_MS;
    work.emit(Fact::ApprovalProposed { id, maker: maker.id, action: action.clone(), document: document.to_owned(), expires }, Vec::new())
}

/// The directory as this batch sees it, changes of its own included.
fn directory(work: &mut Work) -> Result<Arc<Directory>, Stop> {
    Ok(match work.object(Key::Directory)?.as_deref() {
        Some(Object::Directory(directory)) => Arc::new(Directory::clone(directory)),
        _ => Arc::default(),
    })
}

/// What can be known to be wrong with an action before it is done.
fn check_action(work: &mut Work, action: &Action, by: OperatorId) -> Result<(), Stop> {
    let today = day_of(work.stamp);
    let directory = directory(work)?;
    match action {
        Action::Opening { area, from, open } => {
            let region = directory.regions.get(area).ok_or(Reason::DirectoryUnknown)?;
            if *from < today {
                return Err(Reason::SettingRefused.into());
            }
            if region.openings.contains(&(*from, *open)) {
                return Err(Reason::NothingToChange.into());
            }
        }
        Action::ChangeOfUse { area, offered } => {
            let region = directory.regions.get(area).ok_or(Reason::DirectoryUnknown)?;
            if region.change_of_use == *offered {
                return Err(Reason::NothingToChange.into());
            }
        }
        Action::Rules(change) => {
            if change.settings.is_empty() {
                return Err(Reason::NothingToChange.into());
            }
            if change.from < today || !change.settings.iter().all(crate::rules::Setting::is_lawful) {
                return Err(Reason::SettingRefused.into());
            }
        }
        Action::Operator(operator) => {
            let known = work.operators()?;
            let Object::Operators(known) = &*known else { unreachable!("the operators' key leads to operators") };
            known.may_be_put(operator)?;
            // Who moves to another region leaves the reach of those who decide here.
            if let (Some(before), Some(one)) = (known.get(operator.id), known.get(by))
                && !one.reach.covers(before.reach)
            {
                return Err(Reason::NotAuthorised.into());
            }
            // Nobody gives themselves rights.
            if operator.id == by {
                return Err(Reason::SameOperator.into());
            }
        }
        Action::RevokeKeys { institution, .. } if !directory.institutions.contains_key(institution) => return Err(Reason::InstitutionUnknown.into()),
        Action::Freeze { .. } | Action::Unfreeze { .. } | Action::Death { .. } | Action::EndInsurance { .. } | Action::Recovery { .. } => {}
        Action::RevokeKeys { .. } => {}
    }
    Ok(())
}

pub(crate) fn decide(work: &mut Work, id: ApprovalId, by: OperatorId, verdict: Verdict, shown: &[u8; 16]) -> Result<(), Stop> {
    assert!(work.part == 0, "the directory has partition 0");
    let approval = work.approval(id)?.ok_or(Reason::NotFound)?;
    if !approval.state.is_open() || crate::decide::is_overdue(work.stamp, approval.expires) {
        return Err(Reason::ApprovalFinal.into());
    }
    match verdict {
        Verdict::Withdrawn => {
            // Whoever may propose it may take it back, as long as it is theirs.
            let maker = authorised(work, by, Right::Make(approval.action.matter()), approval.action.reach())?;
            if maker.id != approval.maker {
                return Err(Reason::NotYours.into());
            }
        }
        Verdict::Approved | Verdict::Declined(_) => {
            authorised(work, by, Right::Check(approval.action.matter()), approval.action.reach())?;
            if by == approval.maker && !planted("maker-decides") {
                return Err(Reason::SameOperator.into());
            }
        }
        Verdict::Expired => return Err(Reason::NotAuthorised.into()),
    }
    if verdict == Verdict::Approved {
        check_action(work, &approval.action, by)?;
        let (operators, directory) = (work.operators()?, directory(work)?);
        let Object::Operators(operators) = &*operators else { unreachable!("the operators' key leads to operators") };
        if seen(&difference(&directory, operators, &approval.action)) != *shown {
            return Err(Reason::ApprovalStale.into());
        }
    }
    work.emit(Fact::ApprovalDecided { id, by: Some(by), verdict }, Vec::new())?;
    if verdict == Verdict::Approved { perform(work, &approval.action, by) } else { Ok(()) }
}

/// Does what changes the directory; everything else follows where it belongs.
fn perform(work: &mut Work, action: &Action, by: OperatorId) -> Result<(), Stop> {
    match action {
        Action::Opening { area, from, open } => change_directory(work, &[DirectoryChange::Opening { area: *area, from: *from, open: *open }]),
        Action::ChangeOfUse { area, offered } => {
            let mut region = Region::clone(directory(work)?.regions.get(area).ok_or(Reason::DirectoryUnknown)?);
            region.change_of_use = *offered;
            change_directory(work, &[DirectoryChange::Region(region)])
        }
        Action::Rules(change) => change_directory(work, &[DirectoryChange::Rules(change.clone())]),
        Action::Operator(operator) => work.emit(Fact::OperatorChanged { by, operator: operator.clone() }, Vec::new()),
        Action::Freeze { .. }
        | Action::Unfreeze { .. }
        | Action::Death { .. }
        | Action::EndInsurance { .. }
        | Action::Recovery { .. }
        | Action::RevokeKeys { .. } => Ok(()),
    }
}

pub(crate) fn follow(work: &mut Work, id: ApprovalId, refused: &[Reason]) -> Result<(), Stop> {
    let approval = work.approval(id)?.ok_or(Reason::NotFound)?;
    match approval.state {
        ApprovalState::Approved => work.emit(Fact::ApprovalFollowed { id, refused: refused.to_vec() }, Vec::new()),
        // Another process was as quick.
        ApprovalState::Done | ApprovalState::Failed(_) => Ok(()),
        _ => Err(Reason::ApprovalFinal.into()),
    }
}

pub(crate) fn expire_due(work: &mut Work, id: ApprovalId) -> Result<(), Stop> {
    match work.approval(id)? {
        Some(approval) if approval.state.is_open() && crate::decide::is_overdue(work.stamp, approval.expires) => {
            work.emit(Fact::ApprovalDecided { id, by: None, verdict: Verdict::Expired }, Vec::new())
        }
        _ => Ok(()),
    }
}
