//! Lines of a person's statement as people read them.

use super::family::Family;
use super::frame::Trouble;
use super::views::{MovementLine, Party, Tone, format};
use super::words;
use crate::app::App;
use crate::service::ServiceError;
use gongji_ledger::HolderId;
use gongji_wallet::directory::Directory;
use gongji_wallet::ids::{PaymentId, TransferId};
use gongji_wallet::object::{Counterparty, Holder, Line, LineCode, Purpose, Purse, TransferState};
use std::sync::Arc;

/// Tells the lines of one person.
pub struct Teller<'a> {
    pub app: &'a App,
    pub directory: Arc<Directory>,
    pub holder: &'a Holder,
    pub family: Family,
}

impl<'a> Teller<'a> {
    pub async fn new(app: &'a App, holder: &'a Holder, lines: &[Line]) -> Result<Teller<'a>, Trouble> {
        let mut ids: Vec<HolderId> = lines.iter().flat_map(|line| line.lots.iter().map(|lot| lot.origin.contributor)).collect();
        for line in lines {
            if let Counterparty::Holder(other) = line.other {
                ids.push(other);
            }
            if let Some((insured, _)) = premium_of(app, line)? {
                ids.push(insured);
            }
        }
        Ok(Teller { app, directory: app.directory(), holder, family: Family::of(app, holder, ids).await? })
    }

    /// What happened, in a few words.
    pub fn what(&self, line: &Line) -> Result<String, Trouble> {
        let other = match line.other {
            Counterparty::Holder(other) => self.called(other),
            Counterparty::Institution(id) => words::institution_name(&self.directory, id),
            Counterparty::Area(area) => words::city(&self.directory, area),
            Counterparty::None => String::new(),
        };
        Ok(match line.code {
            LineCode::Contribution => "个人账户划入".to_owned(),
            LineCode::TransferOut => format!("转给{}", self.receiver(line)?),
            LineCode::TransferIn => format!("{other} 转来"),
            LineCode::TransferBack => format!("转给{}的退回来了", self.receiver(line)?),
            LineCode::PaymentHold => match line.other {
                Counterparty::Institution(id) if id.is_pharmacy() => format!("在{other}买药"),
                _ => format!("在{other}看病"),
            },
            LineCode::PaymentRelease => format!("{other} 没用完的退回来了"),
            LineCode::PaymentRefund => format!("{other} 退费"),
            LineCode::PremiumHold => match premium_of(self.app, line)? {
                Some((insured, year)) if insured == self.holder.id => format!("缴 {year} 年居民医保"),
                Some((insured, year)) => format!("给{}缴 {year} 年居民医保", self.called(insured)),
                None => "缴居民医保".to_owned(),
            },
            LineCode::PremiumRelease => "居民医保没缴成,退回来了".to_owned(),
            LineCode::QuotaReturned => format!("没用完的额度退给{other}"),
            LineCode::CameBack => format!("{other} 没用完的额度退回来了"),
        })
    }

    /// Whom a transfer went to: by name only once it was known to exist.
    fn receiver(&self, line: &Line) -> Result<String, Trouble> {
        let Counterparty::Holder(other) = line.other else { return Ok("家人".to_owned()) };
        let Some(outgoing) = self.app.engine.outgoing(self.holder.id, TransferId(line.reference)).map_err(ServiceError::from)? else {
            return Ok(self.called(other));
        };
        let spoken = gongji_wallet::relation::RelationCode::try_new(outgoing.transfer.relation).map_or("家人", |code| code.spoken());
        let is_known = self.holder.relation(other).is_some() || !matches!(outgoing.state, TransferState::Submitted | TransferState::Refused);
        Ok(if is_known { format!("{spoken} {}", self.family.name(other)) } else { spoken.to_owned() })
    }

    /// "儿子 李强".
    fn called(&self, other: HolderId) -> String {
        let relation = self.family.relation(self.holder, other).map_or("", |code| code.spoken());
        if relation.is_empty() { self.family.name(other) } else { format!("{relation} {}", self.family.name(other)) }
    }

    /// One line, with its link to the receipt.
    pub fn line(&self, line: &Line) -> Result<MovementLine, Trouble> {
        let (party, icon) = match line.other {
            Counterparty::Holder(other) if self.may_name(line, other)? => (self.family.party(self.holder, other, ""), None),
            Counterparty::Holder(_) => (Party::new("家人", "", ""), None),
            Counterparty::Institution(_) => (Party::default(), Some("hospital")),
            Counterparty::Area(_) | Counterparty::None => (Party::default(), Some(if line.code == LineCode::Contribution { "wallet" } else { "umbrella" })),
        };
        let (state, state_tone) = self.state(line)?;
        let purse = if line.purse == Purse::Wallet { "" } else { " · 个人账户" };
        let (left, of) = match line.purse {
            Purse::Wallet => (line.wallet_after, "余"),
            Purse::Personal { .. } => (line.personal_after, "账户余"),
        };
        Ok(MovementLine {
            href: format!("/movements/{}", line.number),
            party,
            icon: icon.map(str::to_owned),
            what: self.what(line)?,
            detail: format!("{}{}{purse}", format::when(line.at), self.at_place(line)),
            amount: format::yuan_signed(line.amount.0),
            incoming: line.amount.is_positive(),
            left: format!("{of} {}", format::yuan(left.0)),
            state,
            state_tone,
        })
    }

    fn may_name(&self, line: &Line, other: HolderId) -> Result<bool, Trouble> {
        if !matches!(line.code, LineCode::TransferOut | LineCode::TransferBack) || self.holder.relation(other).is_some() {
            return Ok(true);
        }
        let outgoing = self.app.engine.outgoing(self.holder.id, TransferId(line.reference)).map_err(ServiceError::from)?;
        Ok(outgoing.is_some_and(|outgoing| !matches!(outgoing.state, TransferState::Submitted | TransferState::Refused)))
    }

    fn at_place(&self, line: &Line) -> String {
        let area = match line.other {
            Counterparty::Institution(id) => self.directory.institutions.get(&id).map(|institution| institution.area),
            Counterparty::Area(area) => Some(area),
            _ => None,
        };
        area.map(|area| format!(" · {}", words::place(&self.directory, area))).unwrap_or_default()
    }

    /// What became of it since, where that is not told by a line of its own.
    fn state(&self, line: &Line) -> Result<(String, Tone), Trouble> {
        Ok(match line.code {
            LineCode::TransferOut => {
                let outgoing = self.app.engine.outgoing(self.holder.id, TransferId(line.reference)).map_err(ServiceError::from)?;
                match outgoing.map(|outgoing| outgoing.state) {
                    Some(TransferState::Submitted | TransferState::AwaitingRecipient) => ("等对方收下".to_owned(), Tone::Wait),
                    Some(TransferState::Declined | TransferState::Returned | TransferState::Cancelled) => ("已退回".to_owned(), Tone::Plain),
                    Some(TransferState::Refused) => ("没有转成".to_owned(), Tone::Plain),
                    _ => (String::new(), Tone::Plain),
                }
            }
            LineCode::PaymentHold | LineCode::PremiumHold => {
                let payment = self.app.engine.payment(PaymentId(line.reference)).map_err(ServiceError::from)?;
                match payment {
                    Some(payment) if payment.is_open() => ("正在付款".to_owned(), Tone::Wait),
                    Some(payment) if payment.refunded().is_positive() => (format!("已退费 {}", format::yuan(payment.refunded().0)), Tone::Good),
                    Some(payment) if payment.captured().is_zero() => ("没有付,已退回".to_owned(), Tone::Plain),
                    _ => (String::new(), Tone::Plain),
                }
            }
            _ => (String::new(), Tone::Plain),
        })
    }
}

/// Whose premium of which year a line is about.
pub fn premium_of(app: &App, line: &Line) -> Result<Option<(HolderId, u16)>, Trouble> {
    if !matches!(line.code, LineCode::PremiumHold | LineCode::PremiumRelease) {
        return Ok(None);
    }
    let payment = app.engine.payment(PaymentId(line.reference)).map_err(ServiceError::from)?;
    Ok(payment.and_then(|payment| match payment.purpose {
        Purpose::Premium { insured, year, .. } => Some((insured, year)),
        Purpose::Order { .. } => None,
    }))
}
