//! What people are told about their wallet: the notices in the app, and a text to the phone where money waits.
//!
//! Notices are made from the journal, not by whoever submits a command: a transfer arrives by a message between
//! partitions, a return by a deadline, a release by a hold that ran out, and no request stands beside those to send a
//! notice. This job reads each partition's journal behind the writer and puts the notices of a stretch of records into
//! the vault *together with the number of its last record*. A crash in between repeats the stretch or has it behind:
//! no notice is lost and none comes twice. Texts follow after that commit, at most once; the notice is there in any case.

use crate::app::{App, AppError};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::store::Journal;
use gongji_store::vault::{Notice as Kept, Person};
use gongji_wallet::event::{Event, Fact};
use gongji_wallet::object::{EndReason, Payment, PaymentState, Purpose, Transfer, TransferState};
use gongji_wallet::relation::RelationCode;
use gongji_wallet::{Reason, citizen};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Records read at once.
const RECORDS_MAX: usize = 64;

/// A kept notice, taken apart for the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'text> {
    pub title: &'text str,
    pub text: &'text str,
    /// The page of this site that it is about.
    pub path: Option<&'text str>,
    /// Something waits for the reader.
    pub is_waiting: bool,
}

/// Reads a kept text: title, text, path and mark on lines of their own; an older or plainer one is a sentence and the rest.
pub fn read(text: &str) -> Notice<'_> {
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    match lines.next() {
        Some(second) => {
            let path = lines.next().filter(|path| path.starts_with('/'));
            Notice { title: first, text: second, path, is_waiting: lines.next() == Some("wait") }
        }
        None => {
            let at = first.find('。').map_or(first.len(), |at| at + '。'.len_utf8());
            let (title, rest) = first.split_at(at);
            Notice { title: title.trim_end_matches('。'), text: rest, path: None, is_waiting: false }
        }
    }
}

/// Something to tell one person.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Draft {
    holder: HolderId,
    title: String,
    text: String,
    path: String,
    is_waiting: bool,
    by_text: bool,
}

impl Draft {
    fn new(holder: HolderId, title: String, text: impl Into<String>, path: impl Into<String>) -> Draft {
        Draft { holder, title, text: text.into(), path: path.into(), is_waiting: false, by_text: false }
    }

    fn waiting(self) -> Draft {
        Draft { is_waiting: true, by_text: true, ..self }
    }

    fn texted(self) -> Draft {
        Draft { by_text: true, ..self }
    }

    fn kept(&self) -> String {
        let mark = if self.is_waiting { "\nwait" } else { "" };
        format!("{}\n{}\n{}{mark}", self.title, self.text, self.path)
    }
}

/// Starts the job: one task for each partition, until the set is dropped.
#[must_use = "dropping the set ends the job"]
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    crate::follow::partitions(app, "notices wait", |app, part| async move { catch_up(&app, part).await })
}

/// Tells everything that is committed and not told yet; the sandbox waits for it after its clock was moved.
pub async fn catch_up(app: &Arc<App>, part: Part) -> Result<(), AppError> {
    let mut journal = None;
    loop {
        let worker = Arc::clone(app);
        let (told, reader) = tokio::task::spawn_blocking(move || {
            let mut reader = match journal {
                Some(reader) => reader,
                None => worker.engine.store().journal(part)?,
            };
            Ok::<_, AppError>((tell(&worker, part, &mut *reader)?, reader))
        })
        .await??;
        journal = Some(reader);
        let Some(drafts) = told else { return Ok(()) };
        for (draft, at) in drafts.into_iter().filter(|(draft, _)| draft.by_text) {
            let text = format!("{}。{}", draft.title, draft.text);
            if let Err(error) = app.identity.text(draft.holder.0, &text, at).await {
                tracing::warn!(%error, "a text was not sent; its notice is in the inbox");
            }
        }
    }
}

/// One stretch of records; `None` where there is nothing new.
fn tell(app: &App, part: Part, journal: &mut dyn Journal) -> Result<Option<Vec<(Draft, i64)>>, AppError> {
    let after = app.vault.noticed(part)?;
    let records = journal.records(after, RECORDS_MAX)?;
    let Some(last) = records.last().map(|record| record.head.seq) else { return Ok(None) };
    let mut drafts = Vec::new();
    for record in &records {
        for event in record.events()? {
            drafts.extend(Telling { app }.drafts(&event)?.into_iter().map(|draft| (draft, record.head.stamp)));
        }
    }
    let kept: Vec<Kept> = drafts.iter().map(|(draft, at)| Kept { holder: draft.holder.0, text: draft.kept().into(), created_ms: *at }).collect();
    // Another process may have told them meanwhile, texts and all.
    let is_told_here = app.vault.put_notices(part, after, last, &kept)?;
    Ok(Some(if is_told_here { drafts } else { Vec::new() }))
}

struct Telling<'app> {
    app: &'app App,
}

impl Telling<'_> {
    fn people(&self, ids: &[HolderId]) -> Result<HashMap<u64, Person>, AppError> {
        let ids: Vec<u64> = ids.iter().filter(|id| !id.is_nobody()).map(|id| id.0).collect();
        Ok(self.app.vault.people(&ids)?.into_iter().map(|person| (person.holder, person)).collect())
    }

    fn name(&self, id: HolderId) -> Result<String, AppError> {
        let people = self.people(&[id])?;
        Ok(people.get(&id.0).map_or_else(|| "家人".to_owned(), |person| person.name.reveal().to_owned()))
    }

    /// "儿子李强", as the receiver of a transfer says it.
    fn sender_words(&self, transfer: &Transfer) -> Result<String, AppError> {
        let people = self.people(&[transfer.sender])?;
        let Some(sender) = people.get(&transfer.sender.0) else { return Ok("家人".to_owned()) };
        let sex = citizen::CitizenNumber::parse(sender.id_number.reveal()).map(|number| number.sex());
        let relation = RelationCode::try_new(transfer.relation).ok().zip(sex.ok()).map_or("", |(code, sex)| code.mirror(sex).label());
        Ok(format!("{relation}{}", sender.name.reveal()))
    }

    /// "妈妈", as the sender says it; a receiver who never confirmed it is not named.
    fn receiver_words(&self, transfer: &Transfer) -> &'static str {
        RelationCode::try_new(transfer.relation).map_or("家人", RelationCode::spoken)
    }

    fn drafts(&self, event: &Event) -> Result<Vec<Draft>, AppError> {
        let moved: Fen = event.moves.iter().map(gongji_ledger::Move::amount).sum();
        Ok(match &event.fact {
            Fact::TransferArrived { transfer, state, .. } => self.arrived(transfer, *state)?,
            Fact::TransferClosed { id, receiver, by, state, .. } => match self.app.engine.incoming(*receiver, *id)? {
                Some(incoming) => self.closed(&incoming.transfer, *by, *state)?,
                None => Vec::new(),
            },
            Fact::TransferSettled { id, sender, state, reason, .. } => match self.app.engine.outgoing(*sender, *id)? {
                Some(outgoing) => self.settled(&outgoing.transfer, *state, reason.as_ref()),
                None => Vec::new(),
            },
            Fact::TransferMade { id, .. } => {
                let sender = event.moves.first().and_then(|posting| posting.from.holder());
                match sender.map(|sender| self.app.engine.outgoing(sender, *id)).transpose()?.flatten() {
                    Some(outgoing) => {
                        let mut drafts = self.arrived(&outgoing.transfer, outgoing.state)?;
                        drafts.extend(self.settled(&outgoing.transfer, outgoing.state, None));
                        drafts
                    }
                    None => Vec::new(),
                }
            }
            Fact::PaymentCaptured { payment, holder, amount, .. } => self.captured(*payment, *holder, *amount)?,
            Fact::PaymentReleased { payment, holder, state } if *state != PaymentState::Captured => self.released(*payment, *holder, moved)?,
            Fact::PaymentRefunded { payment, holder, amount, .. } => match self.app.engine.payment(*payment)? {
                Some(payment) => {
                    vec![Draft::new(*holder, format!("{}退费 {}", self.where_paid(&payment), yuan(*amount)), "钱已经退回原处。", "/statement")]
                }
                None => Vec::new(),
            },
            Fact::PremiumClaimed(claim) if claim.payer != claim.insured => {
                let payer = self.name(claim.payer)?;
                let title = format!("{payer}替你缴了 {} 年居民医保", claim.year);
                vec![Draft::new(claim.insured, title, format!("一共 {}。", yuan(claim.amount)), "/notices")]
            }
            Fact::WalletOpened { holder, by, .. } if by != holder => {
                let title = format!("{}替你开通了医保钱包", self.name(*by)?);
                vec![Draft::new(*holder, title, "以后家人可以把钱转给你。不认识这个人?马上联系参保地医保经办窗口。", "/wallet")]
            }
            Fact::AgentSet { holder, agent, allowed } => self.agent(*holder, *agent, *allowed)?,
            Fact::PlaceChanged { holder, to, .. } => {
                vec![Draft::new(*holder, format!("使用地换成了{}", self.app.directory().area_name(*to)), "以后在那里看病买药。", "/place")]
            }
            Fact::RelationEnded { holder, other, why } => {
                let name = self.name(*other)?;
                let why = match why {
                    EndReason::ByPerson => "以后再转,要重新确认关系。",
                    EndReason::InsuranceChanged => "因为参保状态变了。",
                    EndReason::Death => "因为对方已登记身故。",
                };
                vec![Draft::new(*holder, format!("和{name}的共济关系解除了"), why, "/relations")]
            }
            Fact::LotsCameBack { contributor, holder } => {
                let title = format!("{}没用完的额度 {} 退回来了", self.name(*holder)?, yuan(moved));
                vec![Draft::new(*contributor, title, "已经回到个人账户。", "/statement")]
            }
            Fact::Frozen { holder, .. } => {
                vec![
                    Draft::new(*holder, "钱包被暂时冻结了".to_owned(), "这段时间不能转账、付款,钱不会少。请带身份证到参保地医保经办窗口询问。", "/wallet")
                        .texted(),
                ]
            }
            Fact::Unfrozen { holder, .. } => vec![Draft::new(*holder, "钱包解冻了".to_owned(), "可以照常使用。", "/wallet")],
            _ => Vec::new(),
        })
    }

    fn arrived(&self, transfer: &Transfer, state: TransferState) -> Result<Vec<Draft>, AppError> {
        let path = transfer_path(transfer);
        Ok(match state {
            TransferState::AwaitingRecipient => {
                let title = format!("{}转来 {},等你收下", self.sender_words(transfer)?, yuan(transfer.amount()));
                vec![Draft::new(transfer.receiver, title, format!("{} 前没有收下,钱会自动退回。", clock(transfer.deadline)), path).waiting()]
            }
            TransferState::Credited => {
                let title = format!("{}转来 {},已到账", self.sender_words(transfer)?, yuan(transfer.amount()));
                vec![Draft::new(transfer.receiver, title, "可以看病、买药、缴居民医保了。", path)]
            }
            _ => Vec::new(),
        })
    }

    fn closed(&self, transfer: &Transfer, by: Option<HolderId>, state: TransferState) -> Result<Vec<Draft>, AppError> {
        let (sender, sum, path) = (self.sender_words(transfer)?, yuan(transfer.amount()), transfer_path(transfer));
        let draft = |title: String, text: &str| vec![Draft::new(transfer.receiver, title, text, path.clone())];
        let agent = by.filter(|by| *by != transfer.receiver && *by != transfer.sender);
        Ok(match (state, agent) {
            (TransferState::Credited, Some(agent)) => draft(format!("{}替你收下了{sender}转来的 {sum}", self.name(agent)?), "钱已经到账。"),
            (TransferState::Credited, None) => draft(format!("收下了{sender}转来的 {sum}"), "钱已经到账,和对方的关系也确认了。"),
            (TransferState::Declined, Some(agent)) => draft(format!("{}替你退回了{sender}转来的 {sum}", self.name(agent)?), "钱已经退给对方。"),
            (TransferState::Returned, _) => draft(format!("{sender}转来的 {sum} 退回去了"), "过了期限没有收下。还要的话,请对方再转一次。"),
            (TransferState::Cancelled, _) => draft(format!("{sender}取消了转来的 {sum}"), "不用再处理。"),
            _ => Vec::new(),
        })
    }

    fn settled(&self, transfer: &Transfer, state: TransferState, reason: Option<&Reason>) -> Vec<Draft> {
        let (receiver, sum) = (self.receiver_words(transfer), yuan(transfer.amount()));
        let draft = |title: String, text: String| vec![Draft::new(transfer.sender, title, text, transfer_path(transfer))];
        match state {
            TransferState::Credited => draft(format!("转给{receiver}的 {sum} 到账了"), format!("{receiver}看病买药就能用。")),
            TransferState::Declined => draft(format!("转给{receiver}的 {sum} 退回来了"), "对方没有收,钱回到原处。".to_owned()),
            TransferState::Returned => draft(format!("转给{receiver}的 {sum} 退回来了"), "过了期限没有人收下,钱回到原处。".to_owned()),
            TransferState::Refused => {
                let words = reason.map(|reason| reason.words());
                draft(
                    format!("转给{receiver}的 {sum} 没有转成"),
                    words.map(|words| format!("{}钱回到原处。{}", words.title, words.next_step)).unwrap_or_default(),
                )
            }
            TransferState::Cancelled | TransferState::Submitted | TransferState::AwaitingRecipient => Vec::new(),
        }
    }

    fn captured(&self, payment: gongji_wallet::ids::PaymentId, holder: HolderId, amount: Fen) -> Result<Vec<Draft>, AppError> {
        let Some(payment) = self.app.engine.payment(payment)? else { return Ok(Vec::new()) };
        Ok(match payment.purpose {
            Purpose::Order { .. } => {
                let title = format!("{}付了 {}", self.where_paid(&payment), yuan(amount));
                let by = if payment.by == holder { String::new() } else { format!("由{}确认。", self.name(payment.by)?) };
                vec![Draft::new(holder, title, format!("{by}不是你本人用的?马上换医保码密码。"), "/statement")]
            }
            Purpose::Premium { insured, year, .. } => {
                let whom = if insured == holder { "自己".to_owned() } else { self.name(insured)? };
                vec![Draft::new(holder, format!("给{whom}缴了 {year} 年居民医保"), format!("一共 {}。", yuan(amount)), "/statement")]
            }
        })
    }

    fn released(&self, payment: gongji_wallet::ids::PaymentId, holder: HolderId, moved: Fen) -> Result<Vec<Draft>, AppError> {
        let Some(payment) = self.app.engine.payment(payment)? else { return Ok(Vec::new()) };
        let title = match payment.purpose {
            Purpose::Order { .. } => format!("{}的 {} 没有付,退回来了", self.where_paid(&payment), yuan(moved)),
            Purpose::Premium { year, .. } => format!("{year} 年居民医保没有缴成,{} 退回来了", yuan(moved)),
        };
        let text = payment.refusal.map_or_else(|| "钱已经回到原处。".to_owned(), |reason| reason.words().title);
        Ok(vec![Draft::new(holder, title, text, "/statement")])
    }

    fn where_paid(&self, payment: &Payment) -> String {
        match payment.purpose {
            Purpose::Order { order, .. } => {
                let directory = self.app.directory();
                directory.institutions.get(&order.institution).map_or_else(|| "定点机构".to_owned(), |institution| format!("在{}", institution.name))
            }
            Purpose::Premium { .. } => "居民医保".to_owned(),
        }
    }

    fn agent(&self, holder: HolderId, agent: HolderId, allowed: bool) -> Result<Vec<Draft>, AppError> {
        let (owner, helper) = (self.name(holder)?, self.name(agent)?);
        Ok(if allowed {
            // The relative is told, and texted, where the consent is used.
            vec![Draft::new(agent, format!("你可以替{owner}办理了"), "可以替对方收钱、付款、看明细。", "/act-for")]
        } else {
            vec![
                Draft::new(holder, format!("{helper}不再替你办理"), "授权已经收回。", "/act-for"),
                Draft::new(agent, format!("你不再替{owner}办理"), "授权已经收回。", "/act-for"),
            ]
        })
    }
}

fn transfer_path(transfer: &Transfer) -> String {
    format!("/transfers/{}", uuid::Uuid::from_bytes(transfer.id.0))
}

fn yuan(amount: Fen) -> String {
    gongji_files::format_yuan(amount)
}

fn clock(at: i64) -> String {
    crate::pages::views::format::when(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_notice_is_read_back() {
        let draft = Draft::new(HolderId(1), "李强转来 ¥1.00".to_owned(), "等你收下。", "/transfers/1").waiting();
        let kept = draft.kept();
        assert_eq!(read(&kept), Notice { title: "李强转来 ¥1.00", text: "等你收下。", path: Some("/transfers/1"), is_waiting: true });
    }

    #[test]
    fn a_plain_sentence_is_a_notice_too() {
        assert_eq!(read("注册好了。下一步:选使用地。"), Notice { title: "注册好了", text: "下一步:选使用地。", path: None, is_waiting: false });
        assert_eq!(read("密码改过"), Notice { title: "密码改过", text: "", path: None, is_waiting: false });
    }
}
