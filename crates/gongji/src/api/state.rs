//! The state machines, published as data and read from the very tables that the wallet enforces.

use axum::Json;
use gongji_wallet::object::{PaymentState, TransferState};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use std::sync::Arc;

/// All states of one kind of object.
#[derive(Debug, Serialize, ToSchema)]
pub struct StateMachine {
    #[schema(example = "transfer")]
    pub object: &'static str,
    /// Where it begins.
    pub initial: &'static str,
    pub states: Vec<StateBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = State)]
pub struct StateBody {
    #[schema(example = "awaiting_recipient")]
    pub state: &'static str,
    pub is_final: bool,
    /// States it may go to from here.
    pub next: Vec<&'static str>,
    /// What its sender or payer may ask for in this state.
    pub actions: Vec<Action>,
}

/// Something that can be asked for, as the last part of the object's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Accept,
    Decline,
    Cancel,
    Capture,
    Void,
    Refund,
    Reverse,
}

/// A transfer's state as the interface writes it.
pub fn transfer_word(state: TransferState) -> &'static str {
    match state {
        TransferState::Submitted => "submitted",
        TransferState::AwaitingRecipient => "awaiting_recipient",
        TransferState::Credited => "credited",
        TransferState::Declined => "declined",
        TransferState::Cancelled => "cancelled",
        TransferState::Returned => "returned",
        TransferState::Refused => "refused",
    }
}

/// A payment's state as the interface writes it.
pub fn payment_word(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Held => "held",
        PaymentState::PartlyCaptured => "partly_captured",
        PaymentState::Captured => "captured",
        PaymentState::Voided => "voided",
        PaymentState::Expired => "expired",
        PaymentState::Reversed => "reversed",
        PaymentState::Refused => "refused",
    }
}

/// Rises with each step of a transfer, so that the newer of two answers is known.
pub fn transfer_version(state: TransferState) -> u8 {
    match state {
        TransferState::Submitted => 1,
        TransferState::AwaitingRecipient => 2,
        _ => 3,
    }
}

pub fn sender_actions(state: TransferState) -> Vec<Action> {
    if state == TransferState::AwaitingRecipient { vec![Action::Cancel] } else { Vec::new() }
}

pub fn receiver_actions(state: TransferState) -> Vec<Action> {
    if state == TransferState::AwaitingRecipient { vec![Action::Accept, Action::Decline] } else { Vec::new() }
}

/// What the institution may ask for.
pub fn payment_actions(state: PaymentState) -> Vec<Action> {
    match state {
        PaymentState::Held => vec![Action::Capture, Action::Void, Action::Reverse],
        PaymentState::PartlyCaptured => vec![Action::Capture, Action::Void, Action::Refund, Action::Reverse],
        PaymentState::Captured => vec![Action::Refund, Action::Reverse],
        PaymentState::Voided | PaymentState::Expired | PaymentState::Reversed | PaymentState::Refused => Vec::new(),
    }
}

/// Both tables.
pub fn machines() -> Vec<StateMachine> {
    let transfer = TransferState::ALL.map(|state| StateBody {
        state: transfer_word(state),
        is_final: state.is_final(),
        next: state.next().iter().copied().map(transfer_word).collect(),
        actions: sender_actions(state).into_iter().chain(receiver_actions(state)).collect(),
    });
    let payment = PaymentState::ALL.map(|state| StateBody {
        state: payment_word(state),
        is_final: state.next().is_empty(),
        next: state.next().iter().copied().map(payment_word).collect(),
        actions: payment_actions(state),
    });
    vec![
        StateMachine { object: "transfer", initial: transfer_word(TransferState::Submitted), states: transfer.into() },
        StateMachine { object: "payment", initial: payment_word(PaymentState::Held), states: payment.into() },
    ]
}

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// State machines of transfers and payments
///
/// The same tables that the program enforces.
#[utoipa::path(get, path = "/state-machines", tag = "reference", responses((status = 200, description = "All states, where each may go, and what may be asked for", body = Vec<StateMachine>)), security(()))]
async fn list() -> Json<Vec<StateMachine>> {
    Json(machines())
}
