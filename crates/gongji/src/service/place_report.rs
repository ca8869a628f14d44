//! "这里付不了": what readers report of a place where the wallet does not work. Read at the office (`gongji office reports`).

use super::Result;
use crate::app::App;
use gongji_ledger::{HolderId, InstitutionId};
use gongji_store::vault::PlaceReport;
use gongji_wallet::Reason;

/// What may be wrong: one word of a list and no text, so that nothing personal gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlaceTrouble)]
pub enum Trouble {
    /// The counter says that it does not take the wallet.
    Counter,
    /// The kiosk cannot be paid at.
    Machine,
    /// The payment code is not read.
    Code,
    Other,
}

impl Trouble {
    pub const ALL: [Trouble; 4] = [Trouble::Counter, Trouble::Machine, Trouble::Code, Trouble::Other];

    /// As it stands on file and in forms.
    pub fn word(self) -> &'static str {
        match self {
            Trouble::Counter => "counter",
            Trouble::Machine => "machine",
            Trouble::Code => "code",
            Trouble::Other => "other",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Trouble::Counter => "窗口说不能用钱包",
            Trouble::Machine => "自助机付不了",
            Trouble::Code => "付款码扫不出来",
            Trouble::Other => "别的情况",
        }
    }

    pub fn of_word(word: &str) -> Option<Trouble> {
        Trouble::ALL.into_iter().find(|trouble| trouble.word() == word)
    }
}

/// Writes a report down. One voice counts once a day; of more than enough voices the rest are let go.
///
/// # Errors
/// `INSTITUTION_UNKNOWN`, or the vault cannot be written.
pub async fn report(app: &App, institution: InstitutionId, what: Trouble, reporter: Option<HolderId>) -> Result<()> {
    if !app.directory().institutions.contains_key(&institution) {
        return Err(Reason::InstitutionUnknown.into());
    }
    let report =
        PlaceReport { institution: institution.to_string(), what: what.word().to_owned(), reporter: reporter.map(|holder| holder.0), made_ms: app.now() };
    app.vault(move |vault| vault.put_place_report(&report)).await?;
    Ok(())
}
