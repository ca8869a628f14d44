//! Approvals: proposing, deciding, and letting what was approved follow where it belongs.
//!
//! What changes the directory happens with the decision, in one commit. What belongs to another partition, or to the vault, is asked for under a key
//! made of the approval ([`IdempotencyKey::of_approval`]): by whoever decided, at once, and again by a job until it is known how it ended.

use super::key::IdempotencyKey;
use super::operator::{in_directory, operator, operators};
use super::{Result, ServiceError, ask};
use crate::app::App;
use gongji_ledger::HolderId;
use gongji_store::vault::RecoveryError;
use gongji_wallet::approval::{Action, Approval, ApprovalState, Difference, Verdict, difference, seen};
use gongji_wallet::ids::{ApprovalId, Key, OperatorId};
use gongji_wallet::object::{EnrolmentStatus, Object};
use gongji_wallet::{Command, Reason};

/// Proposes something in the name of `maker`. The approval's number makes it harmless to repeat.
///
/// # Errors
/// `NOT_AUTHORISED`, and what the action itself lacks.
pub async fn propose(app: &App, id: ApprovalId, maker: OperatorId, action: Action, document: &str) -> Result<Approval> {
    let document = document.trim().to_owned();
    match in_directory(app, Command::Propose { id, maker, action: action.clone(), document: document.clone() }).await {
        Err(ServiceError::Refused { reasons, .. }) if reasons == [Reason::ApprovalFinal] => {
            // The same form once more.
            let known = approval(app, id)?;
            if known.maker == maker && known.action == action && known.document == document { Ok(known) } else { Err(Reason::ApprovalFinal.into()) }
        }
        Err(error) => Err(error),
        Ok(()) => approval(app, id),
    }
}

/// Decides an approval in the name of `by`. `shown` is what the checker read: [`shown_of`].
///
/// # Errors
/// `NOT_AUTHORISED`, `SAME_OPERATOR`, `APPROVAL_FINAL`, `APPROVAL_STALE`, and what the action itself lacks by now.
pub async fn decide(app: &App, id: ApprovalId, by: OperatorId, verdict: Verdict, shown: [u8; 16]) -> Result<Approval> {
    in_directory(app, Command::DecideApproval { id, by, verdict, seen: shown }).await?;
    let decided = approval(app, id)?;
    if decided.state == ApprovalState::Approved {
        // What cannot be done right now is done by the job.
        if let Err(error) = follow(app, &decided).await {
            tracing::warn!(%error, "what was approved has not happened yet; it is tried again in a second");
        }
        return approval(app, id);
    }
    Ok(decided)
}

/// One approval.
///
/// # Errors
/// `NOT_FOUND`.
pub fn approval(app: &App, id: ApprovalId) -> Result<Approval> {
    match app.engine.object(0, Key::Approval(id))?.as_deref() {
        Some(Object::Approval(approval)) => Ok(Approval::clone(approval)),
        _ => Err(Reason::NotFound.into()),
    }
}

/// Those under way, oldest first.
pub fn open(app: &App) -> Result<Vec<Approval>> {
    let ids = match app.engine.object(0, Key::OpenApprovals)?.as_deref() {
        Some(Object::OpenApprovals(open)) => open.0.clone(),
        _ => Vec::new(),
    };
    // One that is decided at this moment is under way no more.
    Ok(ids.into_iter().filter_map(|id| approval(app, id).ok()).filter(|approval| !approval.state.is_final()).collect())
}

/// What the action makes different, and the digest of it that a decision carries.
pub fn shown_of(app: &App, action: &Action) -> Result<(Vec<Difference>, [u8; 16])> {
    let differences = difference(&app.directory(), &operators(app)?, action);
    let digest = seen(&differences);
    Ok((differences, digest))
}

/// Lets everything follow that has been approved and has not happened yet. A job calls it each second.
pub async fn follow_all(app: &App) -> Result<()> {
    for approval in open(app)?.iter().filter(|approval| approval.state == ApprovalState::Approved) {
        follow(app, approval).await?;
    }
    Ok(())
}

/// Does what was approved where it belongs, and says in the directory how it ended.
async fn follow(app: &App, approval: &Approval) -> Result<()> {
    let refused = match act(app, approval).await {
        Ok(()) => Vec::new(),
        Err(ServiceError::Refused { reasons, .. }) => reasons,
        Err(error) => return Err(error),
    };
    in_directory(app, Command::FollowApproval { id: approval.id, refused }).await
}

async fn act(app: &App, approval: &Approval) -> Result<()> {
    let login = |id: Option<OperatorId>| Ok::<String, ServiceError>(operator(app, id.ok_or(Reason::NotFound)?)?.login.clone());
    let (maker, checker) = (login(Some(approval.maker))?, login(approval.checker)?);
    let at = |holder: HolderId, step: &str, command: Command| {
        let key = IdempotencyKey::of_approval(approval.id, step);
        async move { ask(app, holder.part(), key, command).await.map(drop) }
    };
    match approval.action.clone() {
        Action::Freeze { holder, reason, .. } => at(holder, "freeze", Command::Freeze { holder, reason, maker, checker }).await,
        Action::Unfreeze { holder, .. } => at(holder, "unfreeze", Command::Unfreeze { holder, maker, checker }).await,
        Action::Death { holder, .. } => at(holder, "death", Command::RegisterDeath { holder }).await,
        Action::EndInsurance { holder, area, from } => {
            let enrolment = app.engine.holder(holder)?.and_then(|person| person.enrolment).filter(|enrolment| enrolment.area == area);
            let mut enrolment = enrolment.ok_or(Reason::NotInsured)?;
            (enrolment.status, enrolment.from) = (EnrolmentStatus::Ended, from);
            at(holder, "end-insurance", Command::SetEnrolment { holder, enrolment }).await
        }
        Action::Recovery { holder, request, .. } => {
            let now = app.now();
            let confirmed = app
                .vault(move |vault| {
                    let is_done = match vault.confirm_recovery(request, &checker, now)? {
                        Ok(known) => known == holder.0,
                        // By an earlier try, or on the command line by the same two people.
                        Err(RecoveryError::AlreadyConfirmed) => vault.recoveries(holder.0)?.iter().any(|one| one.id == request && one.confirmed_by.is_some()),
                        Err(RecoveryError::SameOperator | RecoveryError::Gone) => false,
                    };
                    if is_done {
                        vault.revoke_sessions(holder.0, None)?;
                    }
                    Ok(is_done)
                })
                .await?;
            if confirmed { Ok(()) } else { Err(Reason::NotFound.into()) }
        }
        Action::RevokeKeys { institution, .. } => {
            let (code, now, part) = (institution.to_string(), app.now(), app.engine.institution_part(institution));
            app.vault(move |vault| {
                for key in vault.institution_keys(part, &code)?.into_iter().filter(|key| key.revoked_ms.is_none()) {
                    vault.revoke_institution_key(&key.key_id, now)?;
                }
                for key in vault.public_keys(&code)?.into_iter().filter(|key| key.revoked_ms.is_none()) {
                    vault.revoke_public_key(&key.key_id, now)?;
                }
                Ok(())
            })
            .await?;
            Ok(())
        }
        // These happened with the decision.
        Action::Opening { .. } | Action::ChangeOfUse { .. } | Action::Rules(_) | Action::Operator(_) => Ok(()),
    }
}
