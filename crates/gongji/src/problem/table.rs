//! All codes in one table, generated from the code itself (`docs/errors.md`).

use super::{Edge, Problem, status_of};
use crate::identity::IdentityError;
use crate::pages::views::typeset;
use crate::trust::Untrusted;
use axum::http::StatusCode;
use gongji_ledger::Fen;
use gongji_store::vault::WeakPassword;
use gongji_wallet::Reason;
use gongji_wallet::clearing::Refusal;
use gongji_wallet::object::{PaymentState, TransferState};
use gongji_wallet::reason::Words;
use std::fmt::Write as _;

/// What a code means.
#[derive(Clone, Debug)]
pub struct Entry {
    pub code: &'static str,
    pub status: u16,
    pub title: String,
    pub title_en: &'static str,
    pub next_step: String,
    pub retryable: bool,
}

/// Every code: those of the interface, of identity, and of the wallet in the order in which reasons are told.
pub fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut add = |status: u16, words: Words| {
        let Words { code, title, title_en, next_step, retryable } = words;
        if entries.iter().all(|known| known.code != code) {
            let (title, next_step) = (typeset(&title), typeset(&next_step));
            entries.push(Entry { code, status, title, title_en, next_step, retryable });
        }
    };
    Edge::ALL.into_iter().for_each(|edge| add(edge.status().as_u16(), edge.words()));
    Untrusted::ALL.into_iter().for_each(|untrusted| add(untrusted.status().as_u16(), untrusted.words()));
    identity().iter().for_each(|error| add(error.status(), error.words()));
    let mut reason = Some(Reason::ProofMissing);
    while let Some(one) = reason {
        add(status_of(&one).as_u16(), one.words());
        reason = after(&one);
    }
    entries
}

/// A refusal with this code and example values, for whoever rehearses it.
pub(super) fn rehearsed(code: &str) -> Option<Problem> {
    let of_edge = Edge::ALL.into_iter().find(|edge| edge.words().code == code).map(Problem::from);
    let of_trust = || Untrusted::ALL.into_iter().find(|untrusted| untrusted.words().code == code).map(Problem::from);
    let of_identity = || identity().into_iter().find(|error| error.words().code == code).map(Problem::from);
    let of_wallet = || std::iter::successors(Some(Reason::ProofMissing), after).find(|reason| reason.words().code == code).map(Problem::from);
    of_edge.or_else(of_trust).or_else(of_identity).or_else(of_wallet)
}

/// The table as a page. Amounts and times in it are examples.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Error codes\n\nEvery refusal is `application/problem+json` (RFC 9457) with `type` = `urn:gongji:error:` and the code. All reasons that apply stand in \
         `reasons[]`, in the order of this table. Amounts and times below are examples. This page is generated from the code; \
         a test compares them (`UPDATE=1 cargo test -p gongji` writes it anew).\n\n\
         | code | HTTP | what people read | what to do next | in English | same request may succeed later |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for Entry { code, status, title, title_en, next_step, retryable } in entries() {
        let phrase = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        let later = if retryable { "yes" } else { "" };
        let _ = writeln!(page, "| `{code}` | {status} {phrase} | {title} | {next_step} | {title_en} | {later} |");
    }
    page
}

fn identity() -> Vec<IdentityError> {
    vec![
        IdentityError::LoginRequired,
        IdentityError::Invalid(Vec::new()),
        IdentityError::WeakPassword(WeakPassword::NotSixDigits),
        IdentityError::LoginRefused { attempts_left: 3 },
        IdentityError::WrongPassword { attempts_left: 3 },
        IdentityError::Locked { until_ms: 0, now_ms: 0 },
        IdentityError::WrongCode { attempts_left: 3 },
        IdentityError::CodeGone,
        IdentityError::TooManyCodes { retry_ms: 0, now_ms: 0 },
        IdentityError::FaceFailed,
        IdentityError::FaceUnavailable,
        IdentityError::RegistryUnavailable,
        IdentityError::SignOffOpen,
        IdentityError::SameOperator,
    ]
}

/// The reason that stands after this one, with example values. A new reason does not compile until it has its place here.
fn after(reason: &Reason) -> Option<Reason> {
    use Reason::*;
    let (some, at, area) = (Fen(200_000), 1_772_402_400_000, 370_100);
    Some(match reason {
        ProofMissing => ProofExpired,
        ProofExpired => ProofUsed,
        ProofUsed => ProofMismatch,
        ProofMismatch => NotFound,
        NotFound => NotYours,
        NotYours => PersonDied,
        PersonDied => Frozen,
        Frozen => NotInsured,
        NotInsured => InsuranceNotNormal,
        InsuranceNotNormal => NotEmployee,
        NotEmployee => PooledOnly,
        PooledOnly => RegionClosed { area, opens_at: Some(at) },
        RegionClosed { .. } => WalletMissing,
        WalletMissing => WalletExists,
        WalletExists => WalletFull,
        WalletFull => RelationRefused,
        RelationRefused => RelationDiffers,
        RelationDiffers => ToSelf,
        ToSelf => AmountTooSmall { min: Fen(1) },
        AmountTooSmall { .. } => AmountTooLarge { max: some },
        AmountTooLarge { .. } => InsufficientFunds { available: some },
        InsufficientFunds { .. } => QuotaNotTransferable { available: some },
        QuotaNotTransferable { .. } => ClosedHours { opens_at: at },
        ClosedHours { .. } => DailyCount { max: 3, used: 3, resets_at: at },
        DailyCount { .. } => DailyTotal { max: some, used: some, resets_at: at },
        DailyTotal { .. } => TransferPending,
        TransferPending => ReceiverUnavailable,
        ReceiverUnavailable => ReceiverNotInsured,
        ReceiverNotInsured => ReceiverRegionClosed,
        ReceiverRegionClosed => ReceiverFrozen,
        ReceiverFrozen => ReceiverFull,
        ReceiverFull => TransferFinal { state: TransferState::Refused },
        TransferFinal { .. } => TransferOverdue,
        TransferOverdue => CodeUnknown,
        CodeUnknown => CodeExpired,
        CodeExpired => CodeUsed,
        CodeUsed => InstitutionUnknown,
        InstitutionUnknown => InstitutionNotReady,
        InstitutionNotReady => WrongPlace { place: area },
        WrongPlace { .. } => BillUnbalanced,
        BillUnbalanced => BillTooLarge { max: some },
        BillTooLarge { .. } => OrderConflict,
        OrderConflict => OrderReversed,
        OrderReversed => PaymentFinal { state: PaymentState::Refused },
        PaymentFinal { .. } => CaptureTooLarge { max: some },
        CaptureTooLarge { .. } => RefundTooLarge { max: some },
        RefundTooLarge { .. } => TooManySteps,
        TooManySteps => PremiumUnknown,
        PremiumUnknown => PremiumNotOpen { opens_at: at },
        PremiumNotOpen { .. } => PremiumClosed,
        PremiumClosed => PremiumPaid,
        PremiumPaid => PremiumNotForRelatives,
        PremiumNotForRelatives => PremiumNotResident,
        PremiumNotResident => NotRelated,
        NotRelated => PlaceSame,
        PlaceSame => PlaceNotInsured,
        PlaceNotInsured => PlaceChangeNotOffered,
        PlaceChangeNotOffered => PlaceCooldown { until: at },
        PlaceCooldown { .. } => SomethingPending,
        SomethingPending => RelationEnded,
        RelationEnded => AlreadyFrozen,
        AlreadyFrozen => NotFrozen,
        NotFrozen => SameOperator,
        SameOperator => DirectoryUnknown,
        DirectoryUnknown => VersionTaken,
        VersionTaken => SettingRefused,
        SettingRefused => TooMany { max: 64 },
        TooMany { .. } => VisitDay { first: 20_000, last: 20_031 },
        VisitDay { .. } => QuoteStale,
        QuoteStale => NotAuthorised,
        NotAuthorised => ApprovalFinal,
        ApprovalFinal => ApprovalStale,
        ApprovalStale => LoginTaken,
        LoginTaken => NothingToChange,
        NothingToChange => CodeElsewhere,
        CodeElsewhere => Clearing(Refusal::PeriodUnknown),
        Clearing(refusal) => {
            let after = Refusal::examples().into_iter().find(|next| next.place() > refusal.place());
            return after.map(Clearing);
        }
    })
}
