//! Why something is refused: a stable code, one plain sentence, what to do next and when it works again.

use crate::clearing::Refusal;
use crate::day::{MINUTE_MS, date_of, day_of, ms_of_day};
use crate::object::{PaymentState, TransferState};
use gongji_ledger::{AreaCode, Fen};
use serde::{Deserialize, Serialize};

/// One reason of a refusal. All that apply are told at once, in the order of this list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reason {
    // Who is asking.
    ProofMissing,
    ProofExpired,
    ProofUsed,
    ProofMismatch,
    NotFound,
    NotYours,
    // The person's own side.
    PersonDied,
    Frozen,
    NotInsured,
    InsuranceNotNormal,
    NotEmployee,
    PooledOnly,
    RegionClosed {
        area: AreaCode,
        opens_at: Option<i64>,
    },
    WalletMissing,
    WalletExists,
    WalletFull,
    // The transfer.
    RelationRefused,
    RelationDiffers,
    ToSelf,
    AmountTooSmall {
        min: Fen,
    },
    AmountTooLarge {
        max: Fen,
    },
    InsufficientFunds {
        available: Fen,
    },
    QuotaNotTransferable {
        available: Fen,
    },
    ClosedHours {
        opens_at: i64,
    },
    DailyCount {
        max: u16,
        used: u16,
        resets_at: i64,
    },
    DailyTotal {
        max: Fen,
        used: Fen,
        resets_at: i64,
    },
    TransferPending,
    /// Neutral: nothing about a receiver who has not confirmed the relation.
    ReceiverUnavailable,
    ReceiverNotInsured,
    ReceiverRegionClosed,
    ReceiverFrozen,
    ReceiverFull,
    TransferFinal {
        state: TransferState,
    },
    TransferOverdue,
    // Paying.
    CodeUnknown,
    CodeExpired,
    CodeUsed,
    InstitutionUnknown,
    InstitutionNotReady,
    WrongPlace {
        place: AreaCode,
    },
    BillUnbalanced,
    BillTooLarge {
        max: Fen,
    },
    OrderConflict,
    OrderReversed,
    PaymentFinal {
        state: PaymentState,
    },
    CaptureTooLarge {
        max: Fen,
    },
    RefundTooLarge {
        max: Fen,
    },
    TooManySteps,
    // Premium, place, relation.
    PremiumUnknown,
    PremiumNotOpen {
        opens_at: i64,
    },
    PremiumClosed,
    PremiumPaid,
    PremiumNotForRelatives,
    PremiumNotResident,
    NotRelated,
    PlaceSame,
    PlaceNotInsured,
    PlaceChangeNotOffered,
    PlaceCooldown {
        until: i64,
    },
    SomethingPending,
    RelationEnded,
    AlreadyFrozen,
    NotFrozen,
    SameOperator,
    DirectoryUnknown,
    VersionTaken,
    /// A setting or premium that no decision could be made under.
    SettingRefused,
    TooMany {
        max: u16,
    },
    /// A bill's business day is in the future or long ago (first and last day that may be, days since 1970).
    VisitDay {
        first: i32,
        last: i32,
    },
    /// The payer would now pay in another way than was quoted.
    QuoteStale,
    /// The operator's role or region does not reach it.
    NotAuthorised,
    /// It is decided already, or its time has run out.
    ApprovalFinal,
    /// The difference is not the one that was shown.
    ApprovalStale,
    /// Another operator has this name to sign in with.
    LoginTaken,
    /// What is proposed changes nothing, or cannot be done as it stands.
    NothingToChange,
    /// Another institution has read the code, or this one for another kind of care.
    CodeElsewhere,
    /// A step of a clearing period.
    Clearing(Refusal),
}

/// What a reason says to people.
pub struct Words {
    /// Stable; part of the interface.
    pub code: &'static str,
    pub title: String,
    pub title_en: &'static str,
    pub next_step: String,
    /// The same request may succeed later without any change.
    pub retryable: bool,
}

/// A used-up allowance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    pub name: &'static str,
    pub max: i64,
    pub used: i64,
    pub resets_at: i64,
}

/// `6:00`, in China.
/// `¥1,234.56`, as money is written wherever people read it.
pub(crate) fn yuan(amount: Fen) -> String {
    let plain = amount.to_string();
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let (yuan, fen) = digits.split_once('.').expect("fen are written with two decimals");
    let mut grouped = String::new();
    for (at, digit) in yuan.chars().enumerate() {
        if at > 0 && (yuan.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}¥{grouped}.{fen}")
}

fn clock_words(at: i64) -> String {
    let minutes = ms_of_day(at) / MINUTE_MS;
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// `2026年4月1日 10:00`, in China.
fn date_words(at: i64) -> String {
    format!("{} {}", day_words(day_of(at)), clock_words(at))
}

fn day_words(day: i32) -> String {
    let (year, month, day) = date_of(day);
    format!("{year}年{month}月{day}日")
}

impl Reason {
    /// When the same request may succeed (ms, UTC), if known.
    pub fn not_before(&self) -> Option<i64> {
        match self {
            Reason::ClosedHours { opens_at } | Reason::PremiumNotOpen { opens_at } => Some(*opens_at),
            Reason::RegionClosed { opens_at, .. } => *opens_at,
            Reason::DailyCount { resets_at, .. } | Reason::DailyTotal { resets_at, .. } => Some(*resets_at),
            Reason::PlaceCooldown { until } => Some(*until),
            Reason::Clearing(Refusal::PeriodNotOver { ends_at }) => Some(*ends_at),
            _ => None,
        }
    }

    pub fn limit(&self) -> Option<Limit> {
        match self {
            Reason::DailyCount { max, used, resets_at } => {
                Some(Limit { name: "daily_count", max: i64::from(*max), used: i64::from(*used), resets_at: *resets_at })
            }
            Reason::DailyTotal { max, used, resets_at } => Some(Limit { name: "daily_total_fen", max: max.0, used: used.0, resets_at: *resets_at }),
            _ => None,
        }
    }

    pub fn code(&self) -> &'static str {
        self.words().code
    }

    /// Whether this reason lies on the receiver's side.
    pub fn is_about_receiver(&self) -> bool {
        matches!(self, Reason::ReceiverNotInsured | Reason::ReceiverRegionClosed | Reason::ReceiverFrozen | Reason::ReceiverFull)
    }

    pub fn words(&self) -> Words {
        let say =
            |code, title: &str, title_en, next_step: &str| Words { code, title: title.to_owned(), title_en, next_step: next_step.to_owned(), retryable: false };
        let later = |words: Words| Words { retryable: true, ..words };
        match self {
            Reason::ProofMissing => say("PROOF_MISSING", "动用钱之前,要先确认是你本人。", "Identity check required", "用人脸或医保码密码确认后再提交。"),
            Reason::ProofExpired => say("PROOF_EXPIRED", "身份确认已超过 5 分钟,失效了。", "Identity proof expired", "重新确认一次身份。"),
            Reason::ProofUsed => say("PROOF_USED", "这次身份确认已经用过了。", "Identity proof already used", "重新确认一次身份。"),
            Reason::ProofMismatch => say("PROOF_MISMATCH", "内容和确认身份时的不一样。", "Proof is bound to another request", "核对内容,重新确认一次身份。"),
            Reason::NotFound => say("NOT_FOUND", "没有找到。", "Not found", "核对编号;也可能已经不属于你。"),
            Reason::NotYours => say("NOT_YOURS", "这一笔不归你操作。", "Not yours", "请本人,或本人同意的代办人来办。"),
            Reason::PersonDied => say("PERSON_DIED", "参保人已登记身故,不能再办。", "The person is registered as deceased", "请家属到医保经办窗口办理。"),
            Reason::Frozen => say("FROZEN", "账户被冻结,钱暂时不能转出或支付。", "Frozen", "请带身份证到参保地医保经办窗口询问原因。"),
            Reason::NotInsured => say("NOT_INSURED", "没有查到正常的基本医保参保记录。", "Not actively insured", "先到参保地核对参保状态。"),
            Reason::InsuranceNotNormal => say("INSURANCE_NOT_NORMAL", "医保参保状态不是“正常”。", "Insurance is not in normal status", "恢复正常参保后再办。"),
            Reason::NotEmployee => {
                say("NOT_EMPLOYEE", "只有职工医保才有个人账户。", "Only employee insurance has a personal account", "可以改用钱包里的钱转。")
            }
            Reason::PooledOnly => say(
                "POOLED_ONLY",
                "你参加的是单建统筹职工医保,没有个人账户。",
                "Pooled-only cover has no personal account",
                "可以收家人转来的钱,也可以用钱包里的钱。",
            ),
            Reason::RegionClosed { opens_at, .. } => later(say(
                "REGION_NOT_OPEN",
                "你的参保地区现在没有开通医保钱包。",
                "Your region is not open",
                if opens_at.is_some() { "等开通那天再来。" } else { "开通时间看当地医保局通知;首页可以随时查。" },
            )),
            Reason::WalletMissing => say("WALLET_NOT_OPEN", "还没有确认使用医保钱包。", "Wallet not confirmed yet", "先在“确认使用钱包”里选使用地。"),
            Reason::WalletExists => say("WALLET_EXISTS", "医保钱包已经在使用了。", "Wallet already confirmed", "直接进入钱包就好。"),
            Reason::WalletFull => say("WALLET_FULL", "钱包里来源太多,放不下新的来源了。", "Too many origins in the wallet", "先用掉一些再收。"),
            Reason::RelationRefused => say(
                "RELATION_NOT_ALLOWED",
                "这个亲属关系不在近亲属范围里。",
                "Not a near relative under Civil Code art. 1045",
                "只能转给配偶、父母、子女、兄弟姐妹、祖父母、外祖父母、孙子女、外孙子女。",
            ),
            Reason::RelationDiffers => say(
                "RELATION_DIFFERS",
                "和你们之前确认的亲属关系不一样。",
                "Differs from the confirmed relation",
                "选回之前的关系;如果之前填错了,先结束关系再重新转。",
            ),
            Reason::ToSelf => say("TO_SELF", "不能转给自己。", "Receiver is the sender", "个人账户里的钱看病时可以直接用。"),
            Reason::AmountTooSmall { min } => say("AMOUNT_TOO_SMALL", &format!("每笔最少 {}。", yuan(*min)), "Amount too small", "改大金额。"),
            Reason::AmountTooLarge { max } => say("AMOUNT_TOO_LARGE", &format!("每笔最多 {}。", yuan(*max)), "Amount too large", "改小金额,或者分几笔转。"),
            Reason::InsufficientFunds { available } => {
                later(say("INSUFFICIENT_FUNDS", &format!("余额不够,现在可用 {}。", yuan(*available)), "Insufficient funds", "改小金额,或换一个来源。"))
            }
            Reason::QuotaNotTransferable { available } => say(
                "QUOTA_NOT_TRANSFERABLE",
                &format!("共济额度不能再转给别人,钱包里可转的有 {}。", yuan(*available)),
                "A quota may not be passed on",
                "改小金额,或从个人账户转。",
            ),
            Reason::ClosedHours { opens_at } => {
                later(say("CLOSED_HOURS", "现在是暂停转账的时段。", "Closed hours", &format!("{} 以后再转;接收不受影响。", clock_words(*opens_at))))
            }
            Reason::DailyCount { max, .. } => {
                later(say("DAILY_COUNT", &format!("今天已经转了 {max} 次,用完了。"), "Daily number of transfers used up", "明天再转。"))
            }
            Reason::DailyTotal { max, used, .. } => {
                later(say("DAILY_TOTAL", &format!("今天最多转 {},已经转了 {}。", yuan(*max), yuan(*used)), "Daily total used up", "改小金额,或明天再转。"))
            }
            Reason::TransferPending => later(say("TRANSFER_PENDING", "上一笔还在等对方接收。", "Another transfer is pending", "等对方收下,或先撤回上一笔。")),
            Reason::ReceiverUnavailable => later(say(
                "RECEIVER_UNAVAILABLE",
                "现在不能转给这位家人。",
                "The receiver cannot receive now",
                "请家人核对姓名、身份证号、参保状态和参保地是否开通。",
            )),
            Reason::ReceiverNotInsured => {
                later(say("RECEIVER_NOT_INSURED", "家人的基本医保不是正常参保状态。", "Receiver is not actively insured", "请家人先核对参保状态。"))
            }
            Reason::ReceiverRegionClosed => {
                later(say("RECEIVER_REGION_NOT_OPEN", "家人的参保地区现在没有开通医保钱包。", "Receiver's region is not open", "开通后再转;首页可以随时查。"))
            }
            Reason::ReceiverFrozen => {
                later(say("RECEIVER_FROZEN", "家人的钱包现在不能收钱。", "Receiver's wallet cannot receive", "请家人到参保地医保经办窗口询问。"))
            }
            Reason::ReceiverFull => {
                later(say("RECEIVER_FULL", "家人的钱包里来源太多,放不下了。", "Receiver's wallet holds too many origins", "等家人用掉一些再转。"))
            }
            Reason::TransferFinal { state } => say(
                "TRANSFER_FINAL",
                match state {
                    TransferState::Credited => "这一笔已经收下了。",
                    TransferState::Declined => "这一笔已经拒收了。",
                    TransferState::Cancelled => "这一笔已经被转出的人撤回了。",
                    TransferState::Returned => "这一笔已经退回了。",
                    _ => "这一笔已经结束了。",
                },
                "The transfer has reached a final state",
                "看最新结果就好。",
            ),
            Reason::TransferOverdue => say("TRANSFER_OVERDUE", "过了接收期限,钱正在退回。", "Past its deadline", "请对方再转一次。"),
            Reason::CodeUnknown => say("CODE_UNKNOWN", "这个付款码不对。", "Unknown payment code", "请付款人刷新后重新出示。"),
            Reason::CodeExpired => say("CODE_EXPIRED", "付款码过期了。", "Payment code expired", "请付款人刷新后重新出示。"),
            Reason::CodeUsed => say("CODE_USED", "这个付款码已经用过了。", "Payment code already used", "请付款人刷新后重新出示。"),
            Reason::InstitutionUnknown => say("INSTITUTION_UNKNOWN", "没有这家定点机构。", "Unknown institution", "核对机构编码。"),
            Reason::InstitutionNotReady => {
                say("INSTITUTION_NOT_READY", "这家机构还没有开通钱包支付。", "The institution does not take the wallet yet", "查一查附近哪家可以用。")
            }
            Reason::WrongPlace { .. } => {
                say("WRONG_PLACE", "这家机构不在付款人的使用地。", "Outside the payer's place of use", "到使用地的机构用,或先变更使用地。")
            }
            Reason::BillUnbalanced => {
                say("BILL_UNBALANCED", "总额不等于基金支付加个人自付加机构承担。", "total ≠ fund + own + institution", "核对四个金额后重新输入。")
            }
            Reason::BillTooLarge { max } => say("BILL_TOO_LARGE", &format!("一张单子最多 {}。", yuan(*max)), "Bill too large", "分开结算。"),
            Reason::OrderConflict => say("ORDER_CONFLICT", "这个单号已经用在另一笔上了。", "Order number already used for another payment", "换一个新单号。"),
            Reason::OrderReversed => say("ORDER_REVERSED", "这个单号已经冲正,不能再付。", "Order was reversed", "换一个新单号。"),
            Reason::PaymentFinal { state } => say(
                "PAYMENT_FINAL",
                match state {
                    PaymentState::Captured => "这一笔已经付完了。",
                    PaymentState::Voided => "这一笔已经撤销了。",
                    PaymentState::Expired => "这一笔超时没有确认,钱已经退回。",
                    PaymentState::Reversed => "这一笔已经冲正了。",
                    _ => "这一笔现在不能这样办。",
                },
                "Not possible in the payment's state",
                "看最新结果;需要退钱就办退费。",
            ),
            Reason::CaptureTooLarge { max } => say("CAPTURE_TOO_LARGE", &format!("最多还能确认 {}。", yuan(*max)), "More than what is held", "改小金额。"),
            Reason::RefundTooLarge { max } => say("REFUND_TOO_LARGE", &format!("最多还能退 {}。", yuan(*max)), "More than what was captured", "改小金额。"),
            Reason::TooManySteps => say("TOO_MANY_STEPS", "这一笔分的次数太多了。", "Too many captures or refunds", "剩下的一次办完,或另开一单。"),
            Reason::PremiumUnknown => say("PREMIUM_UNKNOWN", "这个地区这一年还没有公布缴费标准。", "No premium published", "等当地医保局公布。"),
            Reason::PremiumNotOpen { .. } => later(say("PREMIUM_NOT_OPEN", "还没到缴费时间。", "The window is not open yet", "到时间再来缴。")),
            Reason::PremiumClosed => say("PREMIUM_CLOSED", "缴费时间已经过了。", "The window is closed", "问一问当地医保局能不能补缴。"),
            Reason::PremiumPaid => say("PREMIUM_PAID", "这一年的居民医保已经缴过了。", "Already paid for this year", "不用再缴。"),
            Reason::PremiumNotForRelatives => {
                say("PREMIUM_NOT_FOR_RELATIVES", "这个地区只能用本人的钱包缴。", "Only the insured person may pay here", "把钱转给家人,由家人自己缴。")
            }
            Reason::PremiumNotResident => {
                say("PREMIUM_NOT_RESIDENT", "没有查到这个地区的居民医保参保登记。", "Not on file for resident insurance here", "先到当地办参保登记。")
            }
            Reason::NotRelated => say("NOT_RELATED", "你们还没有确认亲属关系。", "No confirmed relation", "先转一笔钱,家人收下后关系就确认了。"),
            Reason::PlaceSame => say("PLACE_SAME", "使用地本来就是这里。", "Already the place of use", "不用变更。"),
            Reason::PlaceNotInsured => say("PLACE_NOT_INSURED", "使用地要选正在参保的地区。", "Not insured there", "先在那里正常参保。"),
            Reason::PlaceChangeNotOffered => {
                say("PLACE_CHANGE_NOT_OFFERED", "原来的地区或新地区还没有开通使用地变更。", "Change of place not offered by both regions", "看当地医保局通知。")
            }
            Reason::PlaceCooldown { until } => later(say(
                "PLACE_COOLDOWN",
                "使用地刚变更过,还不能再变。",
                "Place of use was changed recently",
                &format!("{}以后可以再变更。", date_words(*until)),
            )),
            Reason::SomethingPending => later(say("SOMETHING_PENDING", "还有没办完的转账或付款。", "Something is still pending", "等它办完再来。")),
            Reason::RelationEnded => say("RELATION_ENDED", "这个关系已经结束了。", "The relation has already ended", "不用再办。"),
            Reason::AlreadyFrozen => say("ALREADY_FROZEN", "已经是冻结状态。", "Already frozen", "不用再办。"),
            Reason::NotFrozen => say("NOT_FROZEN", "没有被冻结。", "Not frozen", "不用再办。"),
            Reason::SameOperator => say("SAME_OPERATOR", "经办和复核要由两个人来做。", "Maker and checker must differ", "请另一位同事复核。"),
            Reason::DirectoryUnknown => say("DIRECTORY_UNKNOWN", "没有这个地区。", "Unknown region", "先导入地区。"),
            Reason::SettingRefused => {
                say("SETTING_REFUSED", "这个设置不合理,没有保存。", "Setting out of range", "金额要大于零,时间要在一天以内,起止日期先后要对。")
            }
            Reason::TooMany { max } => say("TOO_MANY", &format!("已经到上限了,最多 {max} 个。"), "Maximum reached", "先去掉一个再来。"),
            Reason::VisitDay { first, last } => say(
                "VISIT_DAY",
                &format!("业务日期要在{}到{}之间。", day_words(*first), day_words(*last)),
                "Business day in the future or too long ago",
                "核对业务日期;更早的单子请另开一单。",
            ),
            Reason::QuoteStale => say("QUOTE_STALE", "付款人能付的钱和试算时不一样了。", "The quote no longer holds", "重新试算,给付款人看过再收款。"),
            Reason::NotAuthorised => say("NOT_AUTHORISED", "你的角色或管辖地区不能办这件事。", "Role or region does not reach it", "请有权限的同事办。"),
            Reason::ApprovalFinal => say("APPROVAL_FINAL", "这一件已经办结,或者过了期限。", "Already decided or expired", "看最新结果;还要办就重新提交。"),
            Reason::ApprovalStale => {
                say("APPROVAL_STALE", "你看过之后,它要改的内容变了。", "The difference is no longer what was shown", "重新打开,看清楚再复核。")
            }
            Reason::LoginTaken => say("LOGIN_TAKEN", "这个登录名已经有人用。", "Login name already used", "换一个登录名。"),
            Reason::NothingToChange => say("NOTHING_TO_CHANGE", "这样提交什么都不会变。", "It would change nothing", "核对要改成什么,再提交。"),
            Reason::CodeElsewhere => say(
                "CODE_ELSEWHERE",
                "这个付款码是给别家机构或别的业务扫的。",
                "The code was decoded by another institution, or for another kind of care",
                "请付款人刷新后重新出示。",
            ),
            Reason::Clearing(refusal) => refusal.words(),
            Reason::VersionTaken => say("VERSION_TAKEN", "这个规则版本号已经用过了。", "Rule version already used", "换一个新版本号。"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_in_sentences_have_their_thousands_apart() {
        let sums = [0, 7, 99_999, 100_000, 123_456_789, 100_000_000, -250_000].map(|fen| yuan(Fen(fen)));
        assert_eq!(sums, ["¥0.00", "¥0.07", "¥999.99", "¥1,000.00", "¥1,234,567.89", "¥1,000,000.00", "-¥2,500.00"]);
    }
}
