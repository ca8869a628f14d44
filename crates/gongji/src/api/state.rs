//! The state machines, published as data.

use gongji_wallet::object::{PaymentState, TransferState};

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
