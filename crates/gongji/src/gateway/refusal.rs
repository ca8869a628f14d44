//! Every "no" of the gateway: `infcode` −1 and `err_msg` = `[CODE] one Chinese sentence`, at most 200 characters.
//!
//! What the wallet, identity and the interface refuse keeps its code (`docs/errors.md`); the codes here are those of the envelope and its
//! fields alone.

use crate::pages::views::typeset;
use crate::problem::Problem;
use crate::service::ServiceError;
use axum::http::StatusCode;
use std::fmt::Write as _;

/// Longest `err_msg` (characters).
pub const ERR_MSG_MAX: usize = 200;

/// What can be wrong with a message, beside what the wallet refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    FieldMissing,
    FieldLength,
    FieldFormat,
    AmountFormat,
    CodeTable,
    InputTooLong,
    InfnoUnknown,
    MsgidMalformed,
    MsgidReused,
    InstitutionDiffers,
    SignatureWrong,
    SignInRequired,
    AreaDiffers,
    InsuredAreaDiffers,
    CertificateKind,
    EcodeNotDecoded,
    TokenUnknown,
    PasswordRequired,
    PersonDiffers,
    BusinessDiffers,
    AccountNotUsed,
    AccountPaidAlready,
    SplitMissing,
    SplitUnavailable,
    SplitRefused,
    TotalUnbalanced,
    PartsUnbalanced,
    FundUnbalanced,
    SettlementUnknown,
    AlreadyCancelled,
    NotReversible,
    CancelStands,
    OrderUnknown,
    OrderPaid,
    RefundUnbalanced,
    FileUnknown,
    FileMalformed,
    FileDiffers,
    PeriodTooLong,
}

impl Wrong {
    pub const ALL: [Wrong; 39] = [
        Wrong::FieldMissing,
        Wrong::FieldLength,
        Wrong::FieldFormat,
        Wrong::AmountFormat,
        Wrong::CodeTable,
        Wrong::InputTooLong,
        Wrong::InfnoUnknown,
        Wrong::MsgidMalformed,
        Wrong::MsgidReused,
        Wrong::InstitutionDiffers,
        Wrong::SignatureWrong,
        Wrong::SignInRequired,
        Wrong::AreaDiffers,
        Wrong::InsuredAreaDiffers,
        Wrong::CertificateKind,
        Wrong::EcodeNotDecoded,
        Wrong::TokenUnknown,
        Wrong::PasswordRequired,
        Wrong::PersonDiffers,
        Wrong::BusinessDiffers,
        Wrong::AccountNotUsed,
        Wrong::AccountPaidAlready,
        Wrong::SplitMissing,
        Wrong::SplitUnavailable,
        Wrong::SplitRefused,
        Wrong::TotalUnbalanced,
        Wrong::PartsUnbalanced,
        Wrong::FundUnbalanced,
        Wrong::SettlementUnknown,
        Wrong::AlreadyCancelled,
        Wrong::NotReversible,
        Wrong::CancelStands,
        Wrong::OrderUnknown,
        Wrong::OrderPaid,
        Wrong::RefundUnbalanced,
        Wrong::FileUnknown,
        Wrong::FileMalformed,
        Wrong::FileDiffers,
        Wrong::PeriodTooLong,
    ];

    /// Stable code and what people read.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Wrong::FieldMissing => ("FIELD_MISSING", "少了必填的字段。"),
            Wrong::FieldLength => ("FIELD_LENGTH", "字段太长了。"),
            Wrong::FieldFormat => ("FIELD_FORMAT", "字段的写法不对。"),
            Wrong::AmountFormat => ("AMOUNT_FORMAT", "金额要以元为单位,不带负号,最多两位小数。"),
            Wrong::CodeTable => ("CODE_TABLE", "字段的值不在代码表里。"),
            Wrong::InputTooLong => ("INPUT_TOO_LONG", "input 太长了,最多 40000 个字。"),
            Wrong::InfnoUnknown => ("INFNO_UNKNOWN", "没有这个交易编号。"),
            Wrong::MsgidMalformed => ("MSGID_MALFORMED", "msgid 要 30 位:本机构编号 12 位、时间 14 位、顺序号 4 位。"),
            Wrong::MsgidReused => ("MSGID_REUSED", "这个 msgid 已经用在另一件事上,或已经冲正;换一个新的。"),
            Wrong::InstitutionDiffers => ("INSTITUTION_DIFFERS", "fixmedins_code 不是这把密钥的机构。"),
            Wrong::SignatureWrong => ("SIGNATURE_WRONG", "cainfo 里的签名不对,或不是本机构有效的 SM2 密钥签的;对照说明里的待签名文本再签。"),
            Wrong::SignInRequired => ("SIGN_IN_REQUIRED", "没有签到,或签到已失效;先用 9001 签到,再用原报文重发。"),
            Wrong::AreaDiffers => ("AREA_DIFFERS", "mdtrtarea_admvs 不是本机构所在的医保区划。"),
            Wrong::InsuredAreaDiffers => ("INSURED_AREA_DIFFERS", "insuplc_admdvs 不是这位参保人的参保地;以 1101 返回的为准。"),
            Wrong::CertificateKind => ("CERTIFICATE_KIND", "就诊凭证要是 01 电子凭证令牌、02 身份证号或 03 社保卡。"),
            Wrong::EcodeNotDecoded => ("ECODE_NOT_DECODED", "这是二维码的原文;先用 1162 解码,把 ecToken 填进 mdtrt_cert_no。"),
            Wrong::TokenUnknown => ("TOKEN_UNKNOWN", "电子凭证令牌不对,或不是给本机构、这类业务的;请付款人刷新二维码,重新扫码解码。"),
            Wrong::PasswordRequired => ("PASSWORD_REQUIRED", "用身份证号或社保卡时,要由本人在密码键盘上输入医保码密码(wlt.psn_pwd)。"),
            Wrong::PersonDiffers => ("PERSON_DIFFERS", "psn_no、姓名或证件号和凭证不是同一个人。"),
            Wrong::BusinessDiffers => ("BUSINESS_DIFFERS", "医疗类别、机构类别和这个交易对不上。"),
            Wrong::AccountNotUsed => ("ACCOUNT_NOT_USED", "不用个人账户和钱包付的单子不用送来(acct_used_flag 要是 1)。"),
            Wrong::AccountPaidAlready => ("ACCOUNT_PAID_ALREADY", "送来的分担里 acct_pay、acct_mulaid_pay 要是 0:个人自付部分由本平台结算。"),
            Wrong::SplitMissing => ("SPLIT_MISSING", "没有基金分担:在 input.setlinfo 里填好统筹地区结算的结果。"),
            Wrong::SplitUnavailable => ("SPLIT_UNAVAILABLE", "现在拿不到基金分担,没有结算;稍后用原报文重发。"),
            Wrong::SplitRefused => ("SPLIT_REFUSED", "统筹地区没有给这张单子算基金分担:"),
            Wrong::TotalUnbalanced => ("TOTAL_UNBALANCED", "医疗费总额不等于基金支付加个人负担加医院负担。"),
            Wrong::PartsUnbalanced => ("PARTS_UNBALANCED", "医疗费总额不等于全自费、超限价自费、先行自付、符合政策范围四项之和。"),
            Wrong::FundUnbalanced => ("FUND_UNBALANCED", "基金支付总额不等于各项基金支出之和。"),
            Wrong::SettlementUnknown => ("SETTLEMENT_UNKNOWN", "本机构没有这笔结算;核对 setl_id。"),
            Wrong::AlreadyCancelled => ("ALREADY_CANCELLED", "这笔结算已经全部退了,不用再撤销。"),
            Wrong::NotReversible => ("NOT_REVERSIBLE", "这种交易不能冲正;只有 2102、2103、2207、2208 可以。"),
            Wrong::CancelStands => ("CANCEL_STANDS", "这笔撤销已经办成,钱已退给付款人,不能冲正;要再收请重新结算。"),
            Wrong::OrderUnknown => ("ORDER_UNKNOWN", "本机构没有这笔支付订单,或 payToken 不对。"),
            Wrong::OrderPaid => ("ORDER_PAID", "这笔订单已经付了,不能撤销;要退钱请用 6203。"),
            Wrong::RefundUnbalanced => ("REFUND_UNBALANCED", "总退费不等于个人账户、基金、现金三项退费之和,或退的不是个人自付。"),
            Wrong::FileUnknown => ("FILE_UNKNOWN", "没有这个文件,或已经过了下载期限。"),
            Wrong::FileMalformed => ("FILE_MALFORMED", "文件读不懂,什么都没有办。"),
            Wrong::FileDiffers => ("FILE_DIFFERS", "文件里的合计和交易里写的不一样。"),
            Wrong::PeriodTooLong => ("PERIOD_TOO_LONG", "对账日期先后不对,或超过 31 天。"),
        }
    }

    /// Nothing was looked at yet: the same message may be sent again once the head is right.
    fn is_open(self) -> bool {
        matches!(self, Wrong::SignatureWrong | Wrong::SignInRequired | Wrong::SplitUnavailable)
    }
}

/// A refusal on its way out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub code: String,
    text: String,
    /// Whether the message number has its answer now; otherwise the same message may be sent again.
    pub is_final: bool,
}

impl Refusal {
    pub fn new(wrong: Wrong) -> Refusal {
        let (code, text) = wrong.words();
        Refusal { code: code.to_owned(), text: typeset(text), is_final: !wrong.is_open() }
    }

    /// With more behind the sentence.
    pub fn detailed(wrong: Wrong, detail: &str) -> Refusal {
        let mut refusal = Refusal::new(wrong);
        refusal.text.push_str(&typeset(detail));
        refusal
    }

    /// About one field, by its path.
    pub fn field(wrong: Wrong, field: &str) -> Refusal {
        let (code, text) = wrong.words();
        Refusal { code: code.to_owned(), text: format!("{field} {}", typeset(text)), is_final: !wrong.is_open() }
    }

    /// The head of a message is wrong: nothing was asked yet.
    #[must_use]
    pub fn of_head(mut self) -> Refusal {
        self.is_final = false;
        self
    }

    /// `err_msg`.
    pub fn told(&self) -> String {
        format!("[{}] {}", self.code, self.text).chars().take(ERR_MSG_MAX).collect()
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Refusal {
        Refusal::new(wrong)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        // Busy, timed out, still open, broken: the outcome may still come. Everything else is an answer.
        let is_passing = problem.status.is_server_error() || problem.status == StatusCode::TOO_MANY_REQUESTS || problem.body.code == "STILL_OPEN";
        let fields: String = problem.body.fields.iter().skip(1).map(|field| field.message.as_str()).collect();
        Refusal { code: problem.body.code.to_string(), text: format!("{}{fields}{}", problem.body.title, problem.body.next_step), is_final: !is_passing }
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Refusal {
        match error {
            // The journal has seen this number with another body.
            ServiceError::KeyReused => Wrong::MsgidReused.into(),
            error => Problem::from(error).into(),
        }
    }
}

impl From<gongji_wallet::Reason> for Refusal {
    fn from(reason: gongji_wallet::Reason) -> Refusal {
        Problem::from(reason).into()
    }
}

impl From<gongji_store::Fault> for Refusal {
    fn from(fault: gongji_store::Fault) -> Refusal {
        Problem::from(fault).into()
    }
}

impl From<crate::app::AppError> for Refusal {
    fn from(error: crate::app::AppError) -> Refusal {
        Problem::from(error).into()
    }
}

impl From<crate::identity::IdentityError> for Refusal {
    fn from(error: crate::identity::IdentityError) -> Refusal {
        Problem::from(error).into()
    }
}

/// The codes of the gateway as rows of a table.
pub fn markdown() -> String {
    let mut rows = String::from("| err_msg 里的代码 | 说明 |\n| --- | --- |\n");
    for wrong in Wrong::ALL {
        let (code, text) = wrong.words();
        let _ = writeln!(rows, "| `{code}` | {} |", typeset(text));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_sentences_fit() {
        let codes: BTreeSet<&str> = Wrong::ALL.iter().map(|wrong| wrong.words().0).collect();
        assert_eq!(codes.len(), Wrong::ALL.len());
        for wrong in Wrong::ALL {
            assert!(Refusal::field(wrong, "input.setlinfo.fulamt_ownpay_amt").told().chars().count() < ERR_MSG_MAX, "{wrong:?}");
        }
        let long = Refusal::detailed(Wrong::FileMalformed, &"行".repeat(300)).told();
        assert!(long.starts_with("[FILE_MALFORMED] 文件读不懂") && long.chars().count() == ERR_MSG_MAX);
    }

    #[test]
    fn every_refusal_of_the_wallet_fits_as_well() {
        for entry in crate::problem::entries() {
            let told = format!("[{}] {}{}", entry.code, entry.title, entry.next_step);
            assert!(told.chars().count() <= ERR_MSG_MAX, "{told}");
        }
    }
}
