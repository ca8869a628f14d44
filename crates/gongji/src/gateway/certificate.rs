//! By what a person pays (`mdtrt_cert_type`): an e-code's token, or ID number or card with the password on the keypad.

use super::Call;
use super::ecode;
use super::fields::Fields;
use super::refusal::{Refusal, Wrong};
use crate::service::national::psn_no;
use crate::service::payment::{code_text, order_id, parse_code};
use gongji_ledger::{AreaCode, Fen, HolderId, Part};
use gongji_store::seal::Sensitive;
use gongji_wallet::Reason;
use gongji_wallet::command::keypad_binding;
use gongji_wallet::event::Payer;
use gongji_wallet::object::{Business, Code, Decoding, Holder, PayFirst};
use gongji_wallet::payment::payer_reasons;

/// What an institution shows for a person.
pub enum Certificate {
    Ecode { code: String },
    Keypad { id_number: String, password: Sensitive, first: PayFirst },
}

/// The person behind a certificate, and from what they pay first.
pub struct Known {
    pub holder: Holder,
    pub first: PayFirst,
    /// The code, where they showed one, and who has read it.
    pub code: Option<(Code, Option<Decoding>)>,
}

impl Certificate {
    /// `businesses`: those a token may have been made for.
    pub fn read(call: &Call<'_>, data: &Fields<'_>, businesses: &[Business]) -> Result<Certificate, Refusal> {
        let kind = data.text("mdtrt_cert_type", 3)?;
        let number = data.text("mdtrt_cert_no", 50)?;
        match kind.as_str() {
            "01" => Certificate::of_token(call, &number, businesses),
            "02" => Certificate::keypad(call, number),
            "03" => {
                data.text("card_sn", 32)?;
                // The card's own number is nowhere on file: its holder's ID number says who it is, the password that it is them.
                Certificate::keypad(call, data.text_if("certno", 50)?.unwrap_or(number))
            }
            _ => Err(Wrong::CertificateKind.into()),
        }
    }

    pub fn of_token(call: &Call<'_>, token: &str, businesses: &[Business]) -> Result<Certificate, Refusal> {
        if code_text(token).is_some() {
            return Err(Wrong::EcodeNotDecoded.into());
        }
        let keys = call.app.vault.keys();
        let code = businesses.iter().find_map(|business| ecode::code_of(keys, call.institution, *business, token));
        Ok(Certificate::Ecode { code: code.ok_or(Wrong::TokenUnknown)? })
    }

    fn keypad(call: &Call<'_>, id_number: String) -> Result<Certificate, Refusal> {
        let typed = call.input.node_if("wlt")?.unwrap_or_default();
        let password = typed.text_if("psn_pwd", 6)?.ok_or(Wrong::PasswordRequired)?;
        let first = match typed.code_if("pay_first", &["account", "wallet", "wallet_only"])?.as_deref() {
            Some("wallet") => PayFirst::Wallet,
            Some("wallet_only") => PayFirst::WalletOnly,
            _ => PayFirst::Personal,
        };
        Ok(Certificate::Keypad { id_number, password: password.into(), first })
    }

    /// Who it is. A code must be one that can still pay, a password the right one.
    pub async fn known(&self, call: &Call<'_>) -> Result<Known, Refusal> {
        match self {
            Certificate::Ecode { .. } => {
                let known = self.whose(call)?;
                let (code, decoding) = known.code.as_ref().ok_or(Reason::CodeUnknown)?;
                if code.used.is_some() {
                    return Err(Reason::CodeUsed.into());
                }
                // A token is only made of a code that was read for it.
                if decoding.is_none_or(|decoding| call.now >= decoding.until) || known.holder.code != Some(code.id) || !known.holder.may_act(code.by) {
                    return Err(Reason::CodeExpired.into());
                }
                Ok(known)
            }
            Certificate::Keypad { .. } => {
                let (_, known) = self.proven(call, None).await?;
                Ok(known)
            }
        }
    }

    /// The code's owner, whether it can still pay or not.
    fn whose(&self, call: &Call<'_>) -> Result<Known, Refusal> {
        let Certificate::Ecode { code } = self else { return Err(Wrong::CertificateKind.into()) };
        let (part, id) = parse_code(code).ok_or(Reason::CodeUnknown)?;
        let (code, decoding) = call.app.engine.code(part, id)?.ok_or(Reason::CodeUnknown)?;
        let holder = call.app.engine.holder(code.holder)?.ok_or(Reason::CodeUnknown)?;
        Ok(Known { holder, first: code.first, code: Some((code, decoding)) })
    }

    /// Checks the password; with an order, for paying exactly its own share.
    async fn proven(&self, call: &Call<'_>, order: Option<(&str, Fen)>) -> Result<(Payer, Known), Refusal> {
        let Certificate::Keypad { id_number, password, first } = self else { return Err(Wrong::CertificateKind.into()) };
        let bound = match order {
            Some((number, own)) => keypad_binding(order_id(call.institution, number).ok_or(Wrong::MsgidMalformed)?, own),
            None => [0; 16],
        };
        let (holder, proof) = call.app.identity.step_up_at_cashier(id_number, password, |_| bound, call.now).await?;
        let proof = call.app.vault.verify_proof(&proof, call.now).map_err(|_| Reason::ProofExpired)?;
        let holder = call.app.engine.holder(HolderId(holder))?.ok_or(Reason::NotFound)?;
        let payer = Payer::Holder { holder: holder.id, by: holder.id, first: *first, proof: proof.into() };
        Ok((payer, Known { holder, first: *first, code: None }))
    }

    /// Who pays an order, for the hold: the hold decides whether a code can still pay, so that a message that is sent again finds its own.
    pub async fn payer(&self, call: &Call<'_>, number: &str, own: Fen) -> Result<(Payer, Part, Known), Refusal> {
        let (payer, known) = match self {
            Certificate::Ecode { .. } => {
                let known = self.whose(call)?;
                let (code, _) = known.code.as_ref().ok_or(Reason::CodeUnknown)?;
                (Payer::Code(code.id), known)
            }
            Certificate::Keypad { .. } => self.proven(call, Some((number, own))).await?,
        };
        Ok((payer, known.holder.id.part(), known))
    }
}

impl Known {
    /// What the institution says of the person must be true.
    pub fn check(&self, call: &Call<'_>, psn_no_field: Option<&str>) -> Result<(), Refusal> {
        let own = psn_no(call.app.vault.keys(), call.institution, self.holder.id);
        if psn_no_field.is_some_and(|said| said != own) {
            return Err(Wrong::PersonDiffers.into());
        }
        match call.head.insuplc {
            // Needed as soon as a person is named by number.
            None if psn_no_field.is_some() => Err(Refusal::field(Wrong::FieldMissing, "insuplc_admdvs")),
            Some(said) if self.insured_area() != Some(said) => Err(Wrong::InsuredAreaDiffers.into()),
            _ => Ok(()),
        }
    }

    pub fn insured_area(&self) -> Option<AreaCode> {
        self.holder.enrolment.map(|enrolment| enrolment.area)
    }

    /// What stands against this person paying here.
    pub fn may_pay(&self, call: &Call<'_>) -> Result<(), Refusal> {
        let (mut reasons, place) = payer_reasons(&self.holder);
        if self.holder.wallet.is_some() && place != call.area {
            reasons.push(Reason::WrongPlace { place });
        }
        if reasons.is_empty() { Ok(()) } else { Err(crate::problem::Problem::refused(&reasons).into()) }
    }

    pub fn balance(&self) -> Fen {
        self.holder.current_account().map_or(Fen::ZERO, |account| account.balance)
    }
}
