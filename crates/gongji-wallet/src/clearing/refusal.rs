//! Why a step of a period is refused.

use super::{Month, PeriodState};
use crate::reason::Words;
use gongji_ledger::Fen;
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Refusal {
    PeriodUnknown,
    /// It may be cut from this instant on (ms, UTC).
    PeriodNotOver {
        ends_at: i64,
    },
    /// Periods are cut one after the other, none left out.
    PeriodOrder {
        next: Month,
    },
    PeriodState {
        state: PeriodState,
    },
    /// The one before is not released: it may still leave lines to this one.
    PeriodWaits {
        before: Month,
    },
    /// The figures are not those of the marks and the disputes.
    StatementDiffers,
    SideUnknown,
    SideConfirmed,
    SidesSilent {
        count: u16,
    },
    LineUnknown,
    LineDisputed,
    LineNotDisputed,
    ReceiptUnknown,
    ReceiptRepeated,
    ReceiptTooLarge {
        max: Fen,
    },
    FundsMissing {
        missing: Fen,
    },
    TextMissing,
}

impl Refusal {
    /// One of each, in their order.
    pub fn examples() -> Vec<Refusal> {
        let mut all = vec![Refusal::PeriodUnknown, Refusal::PeriodNotOver { ends_at: 1_764_518_400_000 }, Refusal::PeriodOrder { next: 202_611 }];
        all.extend(PeriodState::ALL.into_iter().map(|state| Refusal::PeriodState { state }));
        all.extend([
            Refusal::PeriodWaits { before: 202_610 },
            Refusal::StatementDiffers,
            Refusal::SideUnknown,
            Refusal::SideConfirmed,
            Refusal::SidesSilent { count: 2 },
            Refusal::LineUnknown,
            Refusal::LineDisputed,
            Refusal::LineNotDisputed,
            Refusal::ReceiptUnknown,
            Refusal::ReceiptRepeated,
            Refusal::ReceiptTooLarge { max: Fen(1_234) },
            Refusal::FundsMissing { missing: Fen(1_234) },
            Refusal::TextMissing,
        ]);
        all
    }

    /// Its place in the list.
    pub fn place(&self) -> usize {
        match self {
            Refusal::PeriodUnknown => 0,
            Refusal::PeriodNotOver { .. } => 1,
            Refusal::PeriodOrder { .. } => 2,
            Refusal::PeriodState { .. } => 3,
            Refusal::PeriodWaits { .. } => 4,
            Refusal::StatementDiffers => 5,
            Refusal::SideUnknown => 6,
            Refusal::SideConfirmed => 7,
            Refusal::SidesSilent { .. } => 8,
            Refusal::LineUnknown => 9,
            Refusal::LineDisputed => 10,
            Refusal::LineNotDisputed => 11,
            Refusal::ReceiptUnknown => 12,
            Refusal::ReceiptRepeated => 13,
            Refusal::ReceiptTooLarge { .. } => 14,
            Refusal::FundsMissing { .. } => 15,
            Refusal::TextMissing => 16,
        }
    }

    /// How many there are.
    pub const COUNT: usize = 17;

    pub(crate) fn words(&self) -> Words {
        let say =
            |code, title: &str, title_en, next_step: &str| Words { code, title: title.to_owned(), title_en, next_step: next_step.to_owned(), retryable: false };
        let later = |words: Words| Words { retryable: true, ..words };
        match self {
            Refusal::PeriodUnknown => say("PERIOD_UNKNOWN", "没有这个清算期。", "Unknown clearing period", "清算期写成年月六位,例如 202610;还没切账的先切账。"),
            Refusal::PeriodNotOver { .. } => later(say("PERIOD_NOT_OVER", "这个月还没有过完。", "The month is not over", "下个月一号零点以后再切账。")),
            Refusal::PeriodOrder { next } => {
                say("PERIOD_ORDER", "清算期要一个月接一个月地切。", "Periods are cut one after the other", &format!("接下来该切的是 {next}。"))
            }
            Refusal::PeriodState { state } => say(
                "PERIOD_STATE",
                &format!("这个清算期现在是“{}”,办不了这一步。", state.zh()),
                "The period is not in the state for this step",
                "先看清算期办到了哪一步。",
            ),
            Refusal::PeriodWaits { before } => later(say(
                "PERIOD_WAITS",
                "上一个清算期还没有放行,争议会转到这一期来。",
                "The period before is not released yet",
                &format!("先把 {before} 复核放行。"),
            )),
            Refusal::StatementDiffers => {
                say("STATEMENT_DIFFERS", "结算单和切账时的账目对不上。", "The statement differs from the marks", "重新汇总一次;还不对就请核对账簿。")
            }
            Refusal::SideUnknown => {
                say("SIDE_UNKNOWN", "这个省在这一期没有这笔账。", "This province has no such line in the period", "核对省份代码和明细编号。")
            }
            Refusal::SideConfirmed => {
                say("SIDE_CONFIRMED", "这个省已经确认过这一期。", "This province has confirmed the period", "不用再办;有错的下月用更正明细处理。")
            }
            Refusal::SidesSilent { count } => {
                later(say("SIDES_SILENT", &format!("还有 {count} 个省没有确认。"), "Provinces have not confirmed yet", "催办没有确认的省,都确认后再放行。"))
            }
            Refusal::LineUnknown => say("LINE_UNKNOWN", "这一期里没有这条明细。", "No such line in the period", "明细编号写成 分区-收款号-批次,例如 1-204-0。"),
            Refusal::LineDisputed => say("LINE_DISPUTED", "这条明细已经在争议中。", "The line is in dispute already", "不用再提。"),
            Refusal::LineNotDisputed => say("LINE_NOT_DISPUTED", "这条明细没有争议。", "The line is not in dispute", "核对明细编号。"),
            Refusal::ReceiptUnknown => {
                say("RECEIPT_UNKNOWN", "这一期没有这两个省之间的付款。", "No payment is due between these provinces", "核对付款省和收款省。")
            }
            Refusal::ReceiptRepeated => {
                say("RECEIPT_REPEATED", "这个银行流水号已经登记过。", "This bank reference is on file", "不用再登记;金额不同的请核对回单。")
            }
            Refusal::ReceiptTooLarge { max } => {
                say("RECEIPT_TOO_LARGE", &format!("到账比应付的多,还差 {max} 元。"), "More than what is still due", "核对回单金额;多付的退回付款省。")
            }
            Refusal::FundsMissing { missing } => {
                later(say("FUNDS_MISSING", &format!("钱还没有到齐,还差 {missing} 元。"), "Not all money has arrived", "等银行回单登记齐了再确认。"))
            }
            Refusal::TextMissing => say(
                "TEXT_MISSING",
                "经办人、原因或流水号没有写、太长,或者写了身份证号、手机号。",
                "A name, reason or reference is missing, too long, or holds a person's number",
                "每项写一行,不超过 200 字,不写个人号码。",
            ),
        }
    }
}
