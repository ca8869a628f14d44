//! What can be wrong between two lists, in words: likely cause, and what to do about it.
//!
//! The side that keeps the wallets is 平台, the other 机构. Codes are part of the interface and never change their meaning.

use super::listing::{Class, Line, Scope};
use crate::amount::format_yuan;
use gongji_ledger::Fen;
use gongji_wallet::day::{Day, date_of};
use serde::{Deserialize, Serialize};

/// In the order in which lists of breaks are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BreakKind {
    /// They list a payment we do not have.
    PaymentMissingOurs,
    /// We have a payment they do not list.
    PaymentMissingTheirs,
    RefundMissingOurs,
    RefundMissingTheirs,
    /// Same order, another amount.
    AmountDiffers,
    /// Same order, fund's share and own share stand in each other's place.
    SharesExchanged,
    /// A refund listed as a payment, or the other way round.
    SignReversed,
    /// Their file has the same line twice.
    DuplicateLine,
    /// We have two payments alike of one person on one day, they list one.
    DuplicateCharge,
    /// Listed on another day than the day it was booked.
    WrongDay,
    /// Listed under another business or insurance than it was booked.
    WrongClass,
    WrongPerson,
    /// Everything equal but the order number.
    WrongNumber,
    /// Several captures on one side, their sum on the other.
    CapturesSummed,
    RefundsSummed,
    /// Undone here, and still in their list.
    UndoneListed,
}

/// What is proposed. People decide; nothing moves by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProposalCode {
    QueryOrder,
    AddLine,
    QueryRefund,
    AddRefundLine,
    CheckBill,
    SwapShares,
    CorrectSign,
    RemoveLine,
    RefundOnce,
    MoveDay,
    MoveClass,
    CheckPerson,
    CorrectNumber,
    ListEach,
    RemoveUndone,
}

/// One break in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What is so, and the likely cause.
    pub cause_zh: String,
    pub proposal: ProposalCode,
    pub proposal_zh: &'static str,
}

impl BreakKind {
    pub const ALL: [BreakKind; 16] = [
        BreakKind::PaymentMissingOurs,
        BreakKind::PaymentMissingTheirs,
        BreakKind::RefundMissingOurs,
        BreakKind::RefundMissingTheirs,
        BreakKind::AmountDiffers,
        BreakKind::SharesExchanged,
        BreakKind::SignReversed,
        BreakKind::DuplicateLine,
        BreakKind::DuplicateCharge,
        BreakKind::WrongDay,
        BreakKind::WrongClass,
        BreakKind::WrongPerson,
        BreakKind::WrongNumber,
        BreakKind::CapturesSummed,
        BreakKind::RefundsSummed,
        BreakKind::UndoneListed,
    ];

    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            BreakKind::PaymentMissingOurs => "PAYMENT_MISSING_OURS",
            BreakKind::PaymentMissingTheirs => "PAYMENT_MISSING_THEIRS",
            BreakKind::RefundMissingOurs => "REFUND_MISSING_OURS",
            BreakKind::RefundMissingTheirs => "REFUND_MISSING_THEIRS",
            BreakKind::AmountDiffers => "AMOUNT_DIFFERS",
            BreakKind::SharesExchanged => "SHARES_EXCHANGED",
            BreakKind::SignReversed => "SIGN_REVERSED",
            BreakKind::DuplicateLine => "DUPLICATE_LINE",
            BreakKind::DuplicateCharge => "DUPLICATE_CHARGE",
            BreakKind::WrongDay => "WRONG_DAY",
            BreakKind::WrongClass => "WRONG_CLASS",
            BreakKind::WrongPerson => "WRONG_PERSON",
            BreakKind::WrongNumber => "WRONG_NUMBER",
            BreakKind::CapturesSummed => "CAPTURES_SUMMED",
            BreakKind::RefundsSummed => "REFUNDS_SUMMED",
            BreakKind::UndoneListed => "UNDONE_LISTED",
        }
    }

    pub fn from_code(code: &str) -> Option<BreakKind> {
        BreakKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// "机构有收款,平台没有".
    pub fn title(self) -> &'static str {
        match self {
            BreakKind::PaymentMissingOurs => "机构有收款,平台没有",
            BreakKind::PaymentMissingTheirs => "平台有收款,机构没有",
            BreakKind::RefundMissingOurs => "机构有退费,平台没有",
            BreakKind::RefundMissingTheirs => "平台有退费,机构没有",
            BreakKind::AmountDiffers => "金额不一样",
            BreakKind::SharesExchanged => "统筹和个人的金额对调了",
            BreakKind::SignReversed => "收款和退费记反了",
            BreakKind::DuplicateLine => "文件里同一笔列了两次",
            BreakKind::DuplicateCharge => "可能收了两次",
            BreakKind::WrongDay => "不是这一天的",
            BreakKind::WrongClass => "不是这一类的",
            BreakKind::WrongPerson => "人员编号不一样",
            BreakKind::WrongNumber => "单号可能写错了",
            BreakKind::CapturesSummed => "分几次收的,合成了一行",
            BreakKind::RefundsSummed => "分几次退的,合成了一行",
            BreakKind::UndoneListed => "已冲正或撤销,文件里还有",
        }
    }

    /// Whether the sums agree and only the way of listing differs.
    pub fn is_note(self) -> bool {
        matches!(self, BreakKind::CapturesSummed | BreakKind::RefundsSummed)
    }

    pub fn proposal(self) -> ProposalCode {
        match self {
            BreakKind::PaymentMissingOurs => ProposalCode::QueryOrder,
            BreakKind::PaymentMissingTheirs => ProposalCode::AddLine,
            BreakKind::RefundMissingOurs => ProposalCode::QueryRefund,
            BreakKind::RefundMissingTheirs => ProposalCode::AddRefundLine,
            BreakKind::AmountDiffers => ProposalCode::CheckBill,
            BreakKind::SharesExchanged => ProposalCode::SwapShares,
            BreakKind::SignReversed => ProposalCode::CorrectSign,
            BreakKind::DuplicateLine => ProposalCode::RemoveLine,
            BreakKind::DuplicateCharge => ProposalCode::RefundOnce,
            BreakKind::WrongDay => ProposalCode::MoveDay,
            BreakKind::WrongClass => ProposalCode::MoveClass,
            BreakKind::WrongPerson => ProposalCode::CheckPerson,
            BreakKind::WrongNumber => ProposalCode::CorrectNumber,
            BreakKind::CapturesSummed | BreakKind::RefundsSummed => ProposalCode::ListEach,
            BreakKind::UndoneListed => ProposalCode::RemoveUndone,
        }
    }

    /// The break between these lines, in words.
    pub fn tell(self, scope: &Scope, theirs: &[Line], ours: &[Line]) -> Told {
        let proposal = self.proposal();
        Told { cause_zh: cause(self, scope, theirs, ours), proposal, proposal_zh: proposal.sentence() }
    }
}

impl ProposalCode {
    pub fn code(self) -> &'static str {
        match self {
            ProposalCode::QueryOrder => "QUERY_ORDER",
            ProposalCode::AddLine => "ADD_LINE",
            ProposalCode::QueryRefund => "QUERY_REFUND",
            ProposalCode::AddRefundLine => "ADD_REFUND_LINE",
            ProposalCode::CheckBill => "CHECK_BILL",
            ProposalCode::SwapShares => "SWAP_SHARES",
            ProposalCode::CorrectSign => "CORRECT_SIGN",
            ProposalCode::RemoveLine => "REMOVE_LINE",
            ProposalCode::RefundOnce => "REFUND_ONCE",
            ProposalCode::MoveDay => "MOVE_DAY",
            ProposalCode::MoveClass => "MOVE_CLASS",
            ProposalCode::CheckPerson => "CHECK_PERSON",
            ProposalCode::CorrectNumber => "CORRECT_NUMBER",
            ProposalCode::ListEach => "LIST_EACH",
            ProposalCode::RemoveUndone => "REMOVE_UNDONE",
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            ProposalCode::QueryOrder => "机构按单号查这一笔。查不到就是没有付成:从文件里去掉,要收就请病人重新付,用新单号。",
            ProposalCode::AddLine => "机构核对病历和小票:收了就补进账里;没有给病人看病拿药,就按单号冲正,钱退回去。",
            ProposalCode::QueryRefund => "机构按单号查这一笔。平台没有退费就再发一次退费,用同一个幂等键不会退两次。",
            ProposalCode::AddRefundLine => "机构把这笔退费补进账里。不是机构退的,请打经办电话核对。",
            ProposalCode::CheckBill => "机构对照账单核对。平台收多了,把多的部分退费;收少了,差额请病人另付,不改原来这一笔。",
            ProposalCode::SwapShares => "机构检查导出文件的两列是不是取反了,改好再传一次。",
            ProposalCode::CorrectSign => "机构把退费标志改对:收款 0、金额为正,退费 1、金额为负,再传一次。",
            ProposalCode::RemoveLine => "机构从文件里去掉多出来的一行,再传一次。",
            ProposalCode::RefundOnce => "机构问病人是不是付了两次。是,就把多的那一笔退费;不是,就把它补进账里。",
            ProposalCode::MoveDay => "机构把这一行放进平台记账那一天的文件,两天都再传一次。",
            ProposalCode::MoveClass => "机构把这一行放进对应类别和险种的文件,再传一次。",
            ProposalCode::CheckPerson => "机构核对是谁付的。只是编号写错,改好再传;真的收错了人,退费后请本人重新付。",
            ProposalCode::CorrectNumber => "机构核对是不是同一笔。是,就把单号改成平台的这个,再传一次;不是,按没有的收款处理。",
            ProposalCode::ListEach => "合计一样,不用补退。下次请一次收款(退费)列一行。",
            ProposalCode::RemoveUndone => "机构从文件和账里去掉这一笔:钱没有收,也不会结算。",
        }
    }
}

fn cause(kind: BreakKind, scope: &Scope, theirs: &[Line], ours: &[Line]) -> String {
    let sum = |lines: &[Line]| format_yuan(lines.iter().map(|line| line.own).sum::<Fen>());
    let (their_sum, our_sum) = (sum(theirs), sum(ours));
    let number = |lines: &[Line]| lines.first().map_or(String::new(), |line| line.order_no.to_owned());
    match kind {
        BreakKind::PaymentMissingOurs => format!("机构列了收款 {their_sum},平台没有这一笔:可能请求没有到,或者没有付成。"),
        BreakKind::PaymentMissingTheirs => format!("平台收了 {our_sum},机构没有列:可能回答在路上丢了,机构当成没付成。"),
        BreakKind::RefundMissingOurs => format!("机构列了退费 {their_sum},平台没有退:可能退费请求没有到,或者被拒绝了。"),
        BreakKind::RefundMissingTheirs => format!("平台退了 {our_sum},机构没有列:可能退费的回答丢了,或者是冲正退的。"),
        BreakKind::AmountDiffers => {
            let mut text = if their_sum == our_sum {
                format!("钱包付的都是 {our_sum},账单不一样:{}。", bills(theirs, ours))
            } else {
                format!("机构列 {their_sum},平台是 {our_sum}:可能改过账单,或者有一部分没有确认收款。")
            };
            if number(theirs) != number(ours) {
                text.push_str("单号也不一样。");
            }
            if !same_person(theirs, ours) {
                text.push_str("人员编号也不一样。");
            }
            text
        }
        BreakKind::SharesExchanged => format!("机构列的个人 {their_sum} 正好是平台的统筹,平台的个人是 {our_sum}:导出时两列取反了。"),
        BreakKind::SignReversed => format!("同一单号,机构列 {their_sum},平台是 {our_sum}:退费标志或正负号反了。"),
        BreakKind::DuplicateLine => {
            let first = theirs.get(1).map_or(0, |line| line.row);
            format!("这一行和第 {first} 行完全一样({}):导出或拼文件时重复了。", theirs.first().map_or(String::new(), |line| format_yuan(line.own)))
        }
        BreakKind::DuplicateCharge => {
            format!(
                "同一个人同一天有两笔一样的收款({}),机构只列了一笔:可能第一次没看到结果,又收了一次。",
                ours.first().map_or(String::new(), |line| format_yuan(line.own))
            )
        }
        BreakKind::WrongDay => {
            let booked = ours.first().and_then(|line| line.day).or(scope.day).map(day_words).unwrap_or_default();
            let listed = theirs.first().and_then(|line| line.day).or(scope.day).map(day_words).unwrap_or_default();
            format!("平台记在 {booked},机构列在 {listed}({their_sum}):可能是半夜前后的收款,或者晚传了。")
        }
        BreakKind::WrongClass => {
            let booked = ours.first().and_then(|line| line.class).or(scope.class).map(Class::label).unwrap_or_default();
            let listed = theirs.first().and_then(|line| line.class).or(scope.class).map(Class::label).unwrap_or_default();
            format!("平台记在“{booked}”,机构列在“{listed}”({their_sum})。")
        }
        BreakKind::WrongPerson => format!("单号和金额({their_sum})都一样,人员编号不一样:可能挂错了人。"),
        BreakKind::WrongNumber => format!("人、金额({their_sum})都对得上,单号一个是 {},一个是 {}:可能抄错了。", number(theirs), number(ours)),
        BreakKind::CapturesSummed | BreakKind::RefundsSummed => {
            let act = if kind == BreakKind::CapturesSummed { "收款" } else { "退费" };
            format!("同一单号,机构列 {} 行,平台是 {} 次{act},合计都是 {our_sum}。", theirs.len(), ours.len())
        }
        BreakKind::UndoneListed => format!("这个单号在平台已经冲正、撤销或过期,机构还列着 {their_sum}。"),
    }
}

fn bills(theirs: &[Line], ours: &[Line]) -> String {
    let (Some(theirs), Some(ours)) = (theirs.first(), ours.first()) else { return String::new() };
    let part = |name: &str, theirs: Option<Fen>, ours: Option<Fen>| match (theirs, ours) {
        (Some(theirs), Some(ours)) if theirs != ours => Some(format!("{name}机构 {}、平台 {}", format_yuan(theirs), format_yuan(ours))),
        _ => None,
    };
    let parts = [part("总额", theirs.total, ours.total), part("统筹", theirs.fund, ours.fund)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(";")
}

fn same_person(theirs: &[Line], ours: &[Line]) -> bool {
    match (theirs.first(), ours.first()) {
        (Some(theirs), Some(ours)) => theirs.person.is_empty() || ours.person.is_empty() || theirs.person == ours.person,
        _ => true,
    }
}

fn day_words(day: Day) -> String {
    let (_, month, day) = date_of(day);
    format!("{month}月{day}日")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_one_of_a_kind_and_read_back() {
        for kind in BreakKind::ALL {
            assert_eq!(BreakKind::from_code(kind.code()), Some(kind));
        }
        let mut codes: Vec<&str> = BreakKind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), BreakKind::ALL.len());
    }
}
