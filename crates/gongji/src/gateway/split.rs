//! The fund's split of a bill, as the pooling area computed it, and the identities that hold between its amounts.
//!
//! ```text
//! medfee_sumamt   = fund_pay_sumamt + psn_part_amt + hosp_part_amt
//! medfee_sumamt   = fulamt_ownpay_amt + overlmt_selfpay + preselfpay_amt + inscp_scp_amt
//! fund_pay_sumamt = hifp_pay + cvlserv_pay + hifes_pay + hifmi_pay + hifob_pay + maf_pay + oth_pay = Σ setldetail.fund_payamt
//! psn_part_amt    = acct_pay + psn_cash_pay                       where mutual aid stands inside acct_pay
//! psn_part_amt    = acct_pay + acct_mulaid_pay + psn_cash_pay     where it stands beside
//! ```
//!
//! The last two are ours to keep: the split comes without them, and [`Shares`] makes them.

use super::fields::Fields;
use super::node::Node;
use super::refusal::{Refusal, Wrong};
use gongji_ledger::{AreaCode, Fen, GrantKind, Lot};
use gongji_wallet::object::{Bill, Purse};
use gongji_wallet::payment::BILL_MAX;
use serde_json::value::RawValue;

/// What each fund pays, in the order of the interface.
const FUNDS: [&str; 7] = ["hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay"];

/// How a total falls into kinds of fees.
const PARTS: [&str; 4] = ["fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt"];

/// Lines of `setldetail` at most.
const DETAILS_MAX: usize = 32;

/// The fund type of a personal account in `setldetail`.
const PERSONAL_ACCOUNT: &str = "310200";

/// A bill with its split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub bill: Bill,
    parts: Option<[Fen; 4]>,
    funds: Option<[Fen; 7]>,
    deductible: Fen,
    /// 0 to 1 with four decimals, as it was written.
    ratio: Option<String>,
    way: Option<String>,
    details: Vec<Detail>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Detail {
    kind: String,
    in_scope: Fen,
    limit: Fen,
    amount: Fen,
    name: String,
}

impl Split {
    /// `data`: what is billed. `given`: `setlinfo` and `setldetail` as the pooling area answered them.
    pub fn read(data: &Fields<'_>, given: &Fields<'_>, total_field: &str) -> Result<Split, Refusal> {
        let total = data.yuan(total_field)?;
        let info = given.node_if("setlinfo")?.ok_or(Wrong::SplitMissing)?;
        for ours in ["acct_pay", "acct_mulaid_pay"] {
            if !info.yuan_if(ours)?.unwrap_or(Fen::ZERO).is_zero() {
                return Err(Wrong::AccountPaidAlready.into());
            }
        }
        let (fund, own) = (info.yuan("fund_pay_sumamt")?, info.yuan("psn_part_amt")?);
        let institution = info.yuan_if("hosp_part_amt")?.unwrap_or(Fen::ZERO);
        let parts = all(PARTS.map(|name| Ok(data.yuan_if(name)?.or(info.yuan_if(name)?))), |at| data.wrong(PARTS[at], Wrong::FieldMissing))?;
        let funds = all(FUNDS.map(|name| info.yuan_if(name)), |at| info.wrong(FUNDS[at], Wrong::FieldMissing))?;
        let split = Split {
            bill: Bill { total, fund, own, institution },
            parts,
            funds,
            deductible: info.yuan_if("act_pay_dedc")?.unwrap_or(Fen::ZERO),
            ratio: ratio(&info)?,
            way: info.text_if("clr_way", 6)?,
            details: details(given)?,
        };
        let too_large = [total, fund, own, institution].into_iter().any(|part| part > BILL_MAX);
        if too_large {
            // Told with its limit, as everywhere.
            return Err(gongji_wallet::Reason::BillTooLarge { max: BILL_MAX }.into());
        }
        if info.yuan_if("medfee_sumamt")?.is_some_and(|said| said != total) || total != fund + own + institution {
            return Err(Wrong::TotalUnbalanced.into());
        }
        if split.parts.is_some_and(|parts| sum(&parts) != total) {
            return Err(Wrong::PartsUnbalanced.into());
        }
        let listed: Fen = split.details.iter().filter(|detail| detail.kind != PERSONAL_ACCOUNT).map(|detail| detail.amount).sum();
        if split.funds.is_some_and(|funds| sum(&funds) != fund) || (!split.details.is_empty() && listed != fund) {
            return Err(Wrong::FundUnbalanced.into());
        }
        Ok(split)
    }

    /// The amounts of `setlinfo`, with ours among them.
    pub fn write(&self, node: Node, shares: &Shares, cash_field: &str) -> Node {
        let (parts, funds) = (self.parts.unwrap_or_default(), self.funds);
        let mut node = node.yuan("medfee_sumamt", self.bill.total);
        for (name, amount) in PARTS.iter().zip(parts) {
            node = node.yuan(name, amount);
        }
        node = node.yuan("act_pay_dedc", self.deductible);
        for (at, name) in FUNDS.iter().enumerate() {
            // A split without its kinds counts as the pool's.
            let amount = funds.map_or(if at == 0 { self.bill.fund } else { Fen::ZERO }, |funds| funds[at]);
            node = node.yuan(name, amount);
            if at == 0 {
                node = node.written("pool_prop_selfpay", self.ratio.as_deref().unwrap_or("0.0000"));
            }
        }
        shares.write(node.yuan("fund_pay_sumamt", self.bill.fund).yuan("psn_part_amt", self.bill.own), cash_field).yuan("hosp_part_amt", self.bill.institution)
    }

    /// What is known of a bill by its four amounts alone.
    pub fn of_bill(bill: Bill) -> Split {
        Split { bill, parts: None, funds: None, deductible: Fen::ZERO, ratio: None, way: None, details: Vec::new() }
    }

    /// As it goes back.
    pub fn negated(&self) -> Split {
        let Bill { total, fund, own, institution } = self.bill;
        let details = self.details.iter().cloned().map(|detail| Detail { in_scope: -detail.in_scope, amount: -detail.amount, ..detail });
        Split {
            bill: Bill { total: -total, fund: -fund, own: -own, institution: -institution },
            parts: self.parts.map(|parts| parts.map(|part| -part)),
            funds: self.funds.map(|funds| funds.map(|fund| -fund)),
            deductible: -self.deductible,
            details: details.collect(),
            ..self.clone()
        }
    }

    pub fn way(&self) -> &str {
        self.way.as_deref().unwrap_or_default()
    }

    /// `setldetail`: the funds as they were given, and the personal account.
    pub fn details(&self, shares: &Shares) -> Vec<Node> {
        let own =
            Detail { kind: PERSONAL_ACCOUNT.to_owned(), in_scope: Fen::ZERO, limit: Fen::ZERO, amount: shares.personal, name: "职工个人账户".to_owned() };
        let given = self.details.iter().filter(|detail| detail.kind != PERSONAL_ACCOUNT);
        given.chain((!shares.personal.is_zero()).then_some(&own)).map(Detail::write).collect()
    }
}

impl Detail {
    fn write(&self) -> Node {
        Node::new()
            .text("fund_pay_type", &self.kind)
            .yuan("inscp_scp_amt", self.in_scope)
            .yuan("crt_payb_lmt_amt", self.limit)
            .yuan("fund_payamt", self.amount)
            .text("fund_pay_type_name", &self.name)
            .text("setl_proc_info", "")
    }
}

fn sum(amounts: &[Fen]) -> Fen {
    amounts.iter().copied().sum()
}

/// All of a group, or none of it.
fn all<const LEN: usize>(fields: [Result<Option<Fen>, Refusal>; LEN], missing: impl Fn(usize) -> Refusal) -> Result<Option<[Fen; LEN]>, Refusal> {
    let mut amounts = [Fen::ZERO; LEN];
    let mut absent = None;
    let mut found = false;
    for (at, field) in fields.into_iter().enumerate() {
        match field? {
            Some(amount) => (amounts[at], found) = (amount, true),
            None => absent = absent.or(Some(at)),
        }
    }
    match absent {
        Some(at) if found => Err(missing(at)),
        Some(_) => Ok(None),
        None => Ok(Some(amounts)),
    }
}

fn ratio(info: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let Some(text) = info.text_if("pool_prop_selfpay", 6)? else { return Ok(None) };
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, "0"));
    let is_decimals = (1..=4).contains(&decimals.len()) && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let is_ratio = is_decimals && (whole == "0" || (whole == "1" && decimals.bytes().all(|byte| byte == b'0')));
    if is_ratio { Ok(Some(text)) } else { Err(info.wrong("pool_prop_selfpay", Wrong::FieldFormat)) }
}

fn details(given: &Fields<'_>) -> Result<Vec<Detail>, Refusal> {
    let Some(raw) = given.raw("setldetail") else { return Ok(Vec::new()) };
    let wrong = || given.wrong("setldetail", Wrong::FieldFormat);
    let lines: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    if lines.len() > DETAILS_MAX {
        return Err(given.wrong("setldetail", Wrong::FieldLength));
    }
    let read = |line: &&RawValue| {
        let line = Fields::of_node(line.get(), "input.setldetail").ok_or_else(wrong)?;
        let kind = line.text("fund_pay_type", 6)?;
        if kind.len() != 6 || !kind.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(line.wrong("fund_pay_type", Wrong::CodeTable));
        }
        Ok(Detail {
            kind,
            in_scope: line.yuan_if("inscp_scp_amt")?.unwrap_or(Fen::ZERO),
            limit: line.yuan_if("crt_payb_lmt_amt")?.unwrap_or(Fen::ZERO),
            amount: line.yuan("fund_payamt")?,
            name: line.text_if("fund_pay_type_name", 200)?.unwrap_or_default(),
        })
    };
    lines.iter().map(read).collect()
}

/// Who pays the own share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// From the own personal account.
    pub personal: Fen,
    /// From the wallet: what relatives gave.
    pub wallet: Fen,
    pub cash: Fen,
    /// Regional setting: whether `acct_pay` counts the wallet's part as well.
    pub is_inside: bool,
    /// The wallet's part by the area that owes it, and how it was given. Never by whom.
    origins: Vec<(AreaCode, GrantKind, Fen)>,
    rule: u32,
}

impl Shares {
    pub fn of(own: Fen, taken: &[(Purse, Lot)], is_inside: bool, rule: u32) -> Shares {
        let part = |is_wallet: bool| taken.iter().filter(|(purse, _)| (*purse == Purse::Wallet) == is_wallet).map(|(_, lot)| lot.amount).sum::<Fen>();
        let mut origins: Vec<(AreaCode, GrantKind, Fen)> = Vec::new();
        for (_, lot) in taken.iter().filter(|(purse, _)| *purse == Purse::Wallet) {
            match origins.iter_mut().find(|(area, kind, _)| (*area, *kind) == (lot.origin.area, lot.origin.kind)) {
                Some((_, _, amount)) => *amount += lot.amount,
                None => origins.push((lot.origin.area, lot.origin.kind, lot.amount)),
            }
        }
        let (personal, wallet) = (part(false), part(true));
        let shares = Shares { personal, wallet, cash: own - personal - wallet, is_inside, origins, rule };
        assert!(!shares.cash.is_negative(), "accounts pay no more than the own share {own}: {shares:?}");
        let beside = if is_inside { Fen::ZERO } else { wallet };
        assert_eq!(own, shares.acct_pay() + beside + shares.cash, "the own share is what accounts and cash pay");
        shares
    }

    pub fn acct_pay(&self) -> Fen {
        if self.is_inside { self.personal + self.wallet } else { self.personal }
    }

    /// As it goes back.
    pub fn negated(&self) -> Shares {
        let origins = self.origins.iter().map(|(area, kind, amount)| (*area, *kind, -*amount)).collect();
        Shares { personal: -self.personal, wallet: -self.wallet, cash: -self.cash, origins, ..self.clone() }
    }

    fn write(&self, node: Node, cash_field: &str) -> Node {
        node.yuan("acct_pay", self.acct_pay()).yuan(cash_field, self.cash).yuan("acct_mulaid_pay", self.wallet)
    }

    /// The extension node `wlt`.
    pub fn extension(&self) -> Node {
        let kind = |kind: GrantKind| if kind == GrantKind::Quota { "quota" } else { "transfer" };
        let lines = self
            .origins
            .iter()
            .map(|(area, given, amount)| Node::new().text("admdvs", format!("{area:06}")).text("grnt_type", kind(*given)).yuan("amt", *amount));
        Node::new()
            .yuan("self_acct_pay", self.personal)
            .yuan("wlt_pay", self.wallet)
            .yuan("cash_pay", self.cash)
            .text("mulaid_in_acct", if self.is_inside { "1" } else { "0" })
            .number("rule_ver", i64::from(self.rule))
            .nodes("wlt_detl", lines)
    }
}
