//! What the auditor says when something is wrong: where, what, expected and found, in Chinese and in English.

mod told;

use crate::wire::{Account, GrantKind, Id, OrderId, Origin, part_of};
use std::fmt;

/// The first difference found. After one the auditor's own state is worth nothing: stop there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.en())]
pub struct Finding {
    pub kind: FindingKind,
    pub part: u16,
    /// The journal record; 0 where the difference lies in no single record.
    pub seq: u64,
    pub subject: Subject,
    /// Amounts in fen, states by their name of the interface, digests in hex.
    pub expected: String,
    pub found: String,
}

pub type Result<T = ()> = std::result::Result<T, Finding>;

/// What kind of difference it is. The journal's own first, then those between journal and projections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindingKind {
    PartUnknown,
    SeqGap,
    StampBackwards,
    DirectoryAhead,
    HashBroken,
    HeadDiffers,
    HeadMissing,
    Unreadable,
    FactImpossible,
    PostingsDiffer,
    AmountNotPositive,
    Elsewhere,
    PersonUnknown,
    BelowZero,
    OriginForeign,
    LotMissing,
    LotsDiffer,
    Overflow,
    KeyRepeated,
    MessageGap,
    MessageUnsent,
    MessageDiffers,
    TransitDiffers,
    TransferState,
    PaymentState,
    PaymentBounds,
    ClaimRepeated,
    ClaimDiffers,
    SumNotZero,
    BalanceDiffers,
    LotDiffers,
    StateDiffers,
    LineDiffers,
    TakingDiffers,
    ClearingDiffers,
    RowUnknown,
    RowRepeated,
    RowMissing,
}

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    Record,
    Person(u64),
    Account(Account),
    Lot {
        holder: u64,
        origin: Origin,
    },
    Transfer(Id),
    Payment(Id),
    Order(OrderId),
    Claim {
        insured: u64,
        year: u16,
    },
    Key(Id),
    Message {
        from: u16,
        to: u16,
        number: u64,
    },
    Pair {
        one: u16,
        other: u16,
    },
    Line {
        part: u16,
        number: u64,
        field: &'static str,
    },
    /// A line of a payee's account.
    Taking {
        part: u16,
        number: u64,
        field: &'static str,
    },
    OriginArea(u32),
    /// A clearing period, yyyymm.
    Period {
        period: u32,
    },
    Books,
}

impl FindingKind {
    /// Stable code, one Chinese sentence, one English sentence.
    pub fn words(self) -> (&'static str, &'static str, &'static str) {
        use FindingKind::*;
        match self {
            PartUnknown => ("PART_UNKNOWN", "没有这个分区", "there is no such partition"),
            SeqGap => ("SEQ_GAP", "记录编号不连续", "record numbers are not gapless"),
            StampBackwards => ("STAMP_BACKWARDS", "提交时间倒退了", "commit time runs backwards"),
            DirectoryAhead => ("DIRECTORY_AHEAD", "引用了还不存在的目录版本", "it was decided under a directory version that does not exist"),
            HashBroken => ("HASH_BROKEN", "摘要对不上,记录被改动过", "the hash does not match; the record was changed"),
            HeadDiffers => ("HEAD_DIFFERS", "和导出的链头不一样,历史被改写过", "it differs from the exported head; history was rewritten"),
            HeadMissing => ("HEAD_MISSING", "导出的链头之前的记录不见了", "records up to an exported head are missing"),
            Unreadable => ("UNREADABLE", "内容不符合日志格式", "the payload does not follow the journal's format"),
            FactImpossible => ("FACT_IMPOSSIBLE", "这件事在这里不可能发生", "this fact is impossible here"),
            PostingsDiffer => ("POSTINGS_DIFFER", "记账和事实不符", "the postings do not belong to the fact"),
            AmountNotPositive => ("AMOUNT_NOT_POSITIVE", "记账金额必须大于零", "a posting moves a positive amount"),
            Elsewhere => ("ELSEWHERE", "动了别的分区的账户", "an account of another partition is touched"),
            PersonUnknown => ("PERSON_UNKNOWN", "没有这个人,或者钱包还没有开通", "no such person on file, or no wallet yet"),
            BelowZero => ("BELOW_ZERO", "账户变成了负数", "an account falls below zero"),
            OriginForeign => ("ORIGIN_FOREIGN", "来源和账户不符", "the origin does not belong to the account"),
            LotMissing => ("LOT_MISSING", "钱包里没有这么多这个来源的钱", "the wallet does not hold that much of this origin"),
            LotsDiffer => ("LOTS_DIFFER", "各批次加起来不等于余额", "the lots do not add up to the balance"),
            Overflow => ("OVERFLOW", "金额超出范围", "an amount does not fit"),
            KeyRepeated => ("KEY_REPEATED", "同一个编号用了两次", "a key or number is used twice"),
            MessageGap => ("MESSAGE_GAP", "分区之间的消息编号不连续", "messages between partitions are not gapless"),
            MessageUnsent => ("MESSAGE_UNSENT", "收到了没有发出过的消息", "a message was received that was never sent"),
            MessageDiffers => ("MESSAGE_DIFFERS", "消息内容两边不一致", "sender and receiver disagree on a message"),
            TransitDiffers => ("TRANSIT_DIFFERS", "在途金额不等于未送达的消息", "transit is not the sum of the undelivered messages"),
            TransferState => ("TRANSFER_STATE", "转账不能这样变化", "a transfer cannot go there"),
            PaymentState => ("PAYMENT_STATE", "支付不能这样变化", "a payment cannot go there"),
            PaymentBounds => ("PAYMENT_BOUNDS", "必须满足:退费 ≤ 确认 ≤ 预占", "refunded ≤ captured ≤ held does not hold"),
            ClaimRepeated => ("CLAIM_REPEATED", "同一个人同一年缴了两次居民医保", "a premium of one person and year is claimed twice"),
            ClaimDiffers => ("CLAIM_DIFFERS", "居民医保缴费和参保方登记不一致", "a premium and its claim disagree"),
            SumNotZero => ("SUM_NOT_ZERO", "全部账户加起来不是零", "all accounts do not add up to zero"),
            BalanceDiffers => ("BALANCE_DIFFERS", "余额和日志账不一致", "a balance differs from the journal"),
            LotDiffers => ("LOT_DIFFERS", "批次和日志账不一致", "a lot differs from the journal"),
            StateDiffers => ("STATE_DIFFERS", "状态和日志账不一致", "a state differs from the journal"),
            LineDiffers => ("LINE_DIFFERS", "明细和日志账不一致", "a statement line differs from the journal"),
            TakingDiffers => ("TAKING_DIFFERS", "收款明细和日志账不一致", "a taking differs from the journal"),
            ClearingDiffers => ("CLEARING_DIFFERS", "清算期和各分区的账不一致", "a clearing period and the partitions disagree"),
            RowUnknown => ("ROW_UNKNOWN", "日志账里没有这一行", "the journal knows no such row"),
            RowRepeated => ("ROW_REPEATED", "同一行出现了两次", "a row appears twice"),
            RowMissing => ("ROW_MISSING", "账簿里缺了这一行", "the books lack this row"),
        }
    }

    pub fn code(self) -> &'static str {
        self.words().0
    }
}

impl Finding {
    /// `第 1 分区第 42 条记录:摘要对不上,记录被改动过(医保钱包 1-7)。应为 …,实为 …。`
    pub fn zh(&self) -> String {
        let place = match (self.subject, self.seq) {
            (Subject::Books | Subject::OriginArea(_), _) => "全部分区".to_owned(),
            (_, 0) => format!("第 {} 分区", self.part),
            (_, seq) => format!("第 {} 分区第 {seq} 条记录", self.part),
        };
        format!("{place}:{}({})。应为 {},实为 {}。", self.kind.words().1, self.subject.zh(), told::zh(&self.expected), told::zh(&self.found))
    }

    pub fn en(&self) -> String {
        let place = match (self.subject, self.seq) {
            (Subject::Books | Subject::OriginArea(_), _) => "all partitions".to_owned(),
            (_, 0) => format!("partition {}", self.part),
            (_, seq) => format!("partition {}, record {seq}", self.part),
        };
        format!("{place}: {} ({}); expected {}, found {}", self.kind.words().2, self.subject.en(), self.expected, self.found)
    }
}

/// A person's number as people quote it: partition and serial.
fn person(holder: u64) -> String {
    format!("{}-{}", part_of(holder), holder & 0xFFFF_FFFF_FFFF)
}

fn institution(id: u64) -> String {
    let kind = if id >= 100_000_000_000 { 'P' } else { 'H' };
    format!("{kind}{:011}", id % 100_000_000_000)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

impl GrantKind {
    fn name(self) -> &'static str {
        match self {
            GrantKind::Own => "own",
            GrantKind::Transfer => "transfer",
            GrantKind::Quota => "quota",
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Account::Personal { holder, area } => write!(f, "personal account of {} in {area}", person(holder)),
            Account::Wallet { holder } => write!(f, "wallet of {}", person(holder)),
            Account::Held { holder } => write!(f, "held of {}", person(holder)),
            Account::Awaiting { holder } => write!(f, "awaiting {}", person(holder)),
            Account::Payable { institution: id } => write!(f, "payable to {}", institution(id)),
            Account::Premium { area, year } => write!(f, "premiums of {area} for {year}"),
            Account::Fund { area } => write!(f, "fund of {area}"),
            Account::Unclaimed { area } => write!(f, "unclaimed in {area}"),
            Account::Transit { part } => write!(f, "transit with partition {part}"),
        }
    }
}

impl Account {
    fn zh(self) -> String {
        match self {
            Account::Personal { holder, area } => format!("{} 在 {area} 的个人账户", person(holder)),
            Account::Wallet { holder } => format!("{} 的医保钱包", person(holder)),
            Account::Held { holder } => format!("{} 的预占", person(holder)),
            Account::Awaiting { holder } => format!("{} 待接收的钱", person(holder)),
            Account::Payable { institution: id } => format!("应付机构 {}", institution(id)),
            Account::Premium { area, year } => format!("{area} 地区 {year} 年居民医保缴费"),
            Account::Fund { area } => format!("{area} 地区基金划入"),
            Account::Unclaimed { area } => format!("{area} 地区无主款"),
            Account::Transit { part } => format!("和第 {part} 分区之间的在途款"),
        }
    }
}

impl Subject {
    fn zh(&self) -> String {
        match self {
            Subject::Record => "整条".to_owned(),
            Subject::Person(holder) => format!("参保人 {}", person(*holder)),
            Subject::Account(account) => account.zh(),
            Subject::Lot { holder, origin } => {
                format!("{} 钱包里来自 {} 在 {} 的批次,方式 {}", person(*holder), person(origin.contributor), origin.area, origin.kind.name())
            }
            Subject::Transfer(id) => format!("转账 {}", hex(id)),
            Subject::Payment(id) => format!("支付 {}", hex(id)),
            Subject::Order(order) => format!("机构 {} 的订单 {}", institution(order.institution), hex(&order.number)),
            Subject::Claim { insured, year } => format!("{} 的 {year} 年居民医保", person(*insured)),
            Subject::Key(key) => format!("请求 {}", hex(key)),
            Subject::Message { from, to, number } => format!("第 {from} 分区发给第 {to} 分区的第 {number} 条消息"),
            Subject::Pair { one, other } => format!("第 {one} 和第 {other} 分区之间"),
            Subject::Line { part, number, field } => format!("第 {part} 分区明细第 {number} 行的 {field}"),
            Subject::Taking { part, number, field } => format!("第 {part} 分区收款明细第 {number} 行的 {field}"),
            Subject::OriginArea(area) => format!("来源地 {area}"),
            Subject::Period { period } => format!("清算期 {period}"),
            Subject::Books => "全部账簿".to_owned(),
        }
    }

    fn en(&self) -> String {
        match self {
            Subject::Record => "the whole record".to_owned(),
            Subject::Person(holder) => format!("person {}", person(*holder)),
            Subject::Account(account) => account.to_string(),
            Subject::Lot { holder, origin } => {
                format!("lot in the wallet of {} from {} in {}, kind {}", person(*holder), person(origin.contributor), origin.area, origin.kind.name())
            }
            Subject::Transfer(id) => format!("transfer {}", hex(id)),
            Subject::Payment(id) => format!("payment {}", hex(id)),
            Subject::Order(order) => format!("order {} of {}", hex(&order.number), institution(order.institution)),
            Subject::Claim { insured, year } => format!("premium of {} for {year}", person(*insured)),
            Subject::Key(key) => format!("request {}", hex(key)),
            Subject::Message { from, to, number } => format!("message {number} from partition {from} to {to}"),
            Subject::Pair { one, other } => format!("between partitions {one} and {other}"),
            Subject::Line { part, number, field } => format!("{field} of line {number} in partition {part}"),
            Subject::Taking { part, number, field } => format!("{field} of taking {number} in partition {part}"),
            Subject::OriginArea(area) => format!("origin area {area}"),
            Subject::Period { period } => format!("clearing period {period}"),
            Subject::Books => "all books".to_owned(),
        }
    }
}

/// Where the auditor is reading.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub part: u16,
    pub seq: u64,
    pub stamp: i64,
}

impl At {
    pub fn part(part: u16) -> At {
        At { part, seq: 0, stamp: 0 }
    }

    pub fn finding(self, kind: FindingKind, subject: Subject, expected: impl ToString, found: impl ToString) -> Finding {
        Finding { kind, part: self.part, seq: self.seq, subject, expected: expected.to_string(), found: found.to_string() }
    }

    pub fn add(self, account: Account, balance: &mut i64, amount: i64) -> Result {
        *balance = balance.checked_add(amount).ok_or_else(|| self.finding(FindingKind::Overflow, Subject::Account(account), "i64", amount))?;
        Ok(())
    }
}
