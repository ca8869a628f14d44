//! Operators of the offices (经办人): who they are, which roles they have where, and what each role may do.
//!
//! [`Role::may`] is the one table of rights. Decisions, pages and interface all ask it; `docs/operating/authorisation.md` prints it.
//! A person's name stands sealed in the vault; the journal knows a number and the name to sign in with.

use crate::event::Fact;
use crate::ids::{Key, OperatorId, OrderId};
use crate::object::Object;
use crate::reason::Reason;
use crate::rules::Scope;
use crate::work::{Stop, Work};
use gongji_ledger::{HolderId, planted};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most operators of an installation, former ones included.
pub const OPERATORS_MAX: usize = 20_000;

/// Shortest and longest name to sign in with.
pub const LOGIN_LEN: std::ops::RangeInclusive<usize> = 3..=32;

/// Longest number of a paper (letters).
pub const DOCUMENT_LEN_MAX: usize = 60;

/// As many digits in a row may be a phone or an ID number, which have no place in the journal.
const DIGITS_MAX: usize = 10;

/// Whoever holds the machine.
pub const COMMAND_LINE: OperatorId = OperatorId(0);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 经办: works for people, and proposes.
    Operator,
    /// 复核: decides what an operator proposed.
    Reviewer,
    /// 财务: money of the books, clearing.
    Finance,
    /// 审计: sees, and changes nothing.
    Auditor,
    /// 管理员: operators, keys; sees no person.
    Administrator,
}

/// What one operator proposes and another decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Matter {
    /// Openings and closings of regions.
    Regions,
    Rules,
    /// Freezes, deaths, ends of insurance, new phones.
    People,
    /// Relations proved by papers.
    Relations,
    /// Manual adjustments of the books.
    Adjustments,
    Clearing,
    /// Keys of institutions.
    Keys,
    Operators,
}

impl Matter {
    pub const ALL: [Matter; 8] =
        [Matter::Regions, Matter::Rules, Matter::People, Matter::Relations, Matter::Adjustments, Matter::Clearing, Matter::Keys, Matter::Operators];

    pub fn label(self) -> &'static str {
        match self {
            Matter::Regions => "地区开通与停用",
            Matter::Rules => "规则变更",
            Matter::People => "参保人:冻结、死亡、停保、换手机",
            Matter::Relations => "凭材料认定亲属关系",
            Matter::Adjustments => "手工调账",
            Matter::Clearing => "清算放行",
            Matter::Keys => "机构密钥",
            Matter::Operators => "经办人账号",
        }
    }
}

/// One thing that a role may do or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Right {
    /// Regions, institutions, rules and figures: no person in them.
    Watch,
    /// People by masked names, their wallets and complaints.
    SeePeople,
    /// The full value of what is masked, for a reason that is written down.
    Reveal,
    /// Balances, movements, clearing.
    SeeMoney,
    /// Files of the agencies.
    Import,
    /// Who did what.
    Audit,
    /// Operators and their sessions.
    SeeOperators,
    Make(Matter),
    Check(Matter),
}

impl Right {
    pub fn all() -> Vec<Right> {
        let plain = [Right::Watch, Right::SeePeople, Right::Reveal, Right::SeeMoney, Right::Import, Right::Audit, Right::SeeOperators];
        plain.into_iter().chain(Matter::ALL.into_iter().flat_map(|matter| [Right::Make(matter), Right::Check(matter)])).collect()
    }

    pub fn label(self) -> String {
        match self {
            Right::Watch => "看地区、机构、规则和统计".to_owned(),
            Right::SeePeople => "查参保人、反馈和订单(打码)".to_owned(),
            Right::Reveal => "看完整的个人信息(写明理由)".to_owned(),
            Right::SeeMoney => "看账和清算".to_owned(),
            Right::Import => "导入文件".to_owned(),
            Right::Audit => "看操作记录".to_owned(),
            Right::SeeOperators => "看经办人和登录".to_owned(),
            Right::Make(matter) => format!("提交:{}", matter.label()),
            Right::Check(matter) => format!("复核:{}", matter.label()),
        }
    }
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Operator, Role::Reviewer, Role::Finance, Role::Auditor, Role::Administrator];

    /// The table of rights. Where it holds is the operator's reach.
    pub fn may(self, right: Right) -> bool {
        use Matter::*;
        match right {
            Right::Watch => true,
            Right::SeePeople | Right::Reveal => matches!(self, Role::Operator | Role::Reviewer | Role::Auditor),
            Right::SeeMoney => matches!(self, Role::Finance | Role::Auditor),
            Right::Import => self == Role::Operator,
            Right::Audit | Right::SeeOperators => matches!(self, Role::Auditor | Role::Administrator),
            Right::Make(Regions | Rules | People | Relations) => self == Role::Operator,
            Right::Check(Regions | Rules | People | Relations) => self == Role::Reviewer,
            // Two of one desk.
            Right::Make(Adjustments | Clearing) | Right::Check(Adjustments | Clearing) => self == Role::Finance,
            Right::Make(Keys | Operators) | Right::Check(Keys | Operators) => self == Role::Administrator,
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Role::Operator => "经办",
            Role::Reviewer => "复核",
            Role::Finance => "财务",
            Role::Auditor => "审计",
            Role::Administrator => "管理员",
        }
    }

    /// As it is written in forms and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Reviewer => "reviewer",
            Role::Finance => "finance",
            Role::Auditor => "auditor",
            Role::Administrator => "administrator",
        }
    }

    pub fn of_word(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Operator {
    pub id: OperatorId,
    /// Small letters, digits, dots and dashes.
    pub login: String,
    /// Nation, one province or one pooling area: level and region in one.
    pub reach: Scope,
    pub roles: Vec<Role>,
    pub is_active: bool,
}

impl Operator {
    pub fn has(&self, right: Right) -> bool {
        self.is_active && self.roles.iter().any(|role| role.may(right))
    }

    /// Whether this operator may do it there.
    pub fn may(&self, right: Right, there: Scope) -> bool {
        self.has(right) && (self.reach.covers(there) || planted("operator-reaches-everywhere"))
    }

    fn is_lawful(&self) -> bool {
        is_login(&self.login) && !self.roles.is_empty() && self.roles.len() <= Role::ALL.len() && self.id != COMMAND_LINE
    }
}

/// Whether somebody may sign in with this name.
pub fn is_login(text: &str) -> bool {
    LOGIN_LEN.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
}

/// Whether this can be the number of a paper: short, one line, and without what may be a phone or an ID number.
pub fn is_document(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= DOCUMENT_LEN_MAX && !text.chars().any(char::is_control) && !has_long_number(text)
}

/// Whether a phone's or a person's number may stand in it: the journal holds neither.
pub(crate) fn has_long_number(text: &str) -> bool {
    let mut digits = 0;
    text.chars().any(|letter| {
        digits = if letter.is_ascii_digit() { digits + 1 } else { 0 };
        digits > DIGITS_MAX
    })
}

/// All operators, by number.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Operators {
    pub by_id: BTreeMap<OperatorId, Arc<Operator>>,
}

impl Operators {
    pub fn get(&self, id: OperatorId) -> Option<&Arc<Operator>> {
        self.by_id.get(&id)
    }

    pub fn of_login(&self, login: &str) -> Option<&Arc<Operator>> {
        self.by_id.values().find(|operator| operator.login == login)
    }

    /// The number of the next new one.
    pub fn next_id(&self) -> OperatorId {
        OperatorId(self.by_id.keys().next_back().map_or(1, |last| last.0 + 1))
    }

    pub fn has_administrator(&self) -> bool {
        self.by_id.values().any(|operator| operator.is_active && operator.roles.contains(&Role::Administrator))
    }

    pub(crate) fn put(&mut self, operator: Operator) {
        self.by_id.insert(operator.id, Arc::new(operator));
    }

    /// Whether `operator` may stand here: its name is its own, and somebody is left who can make others.
    pub(crate) fn may_be_put(&self, operator: &Operator) -> Result<(), Reason> {
        if !operator.is_lawful() {
            return Err(Reason::SettingRefused);
        }
        if self.of_login(&operator.login).is_some_and(|known| known.id != operator.id) {
            return Err(Reason::LoginTaken);
        }
        match self.get(operator.id) {
            Some(known) if **known == *operator => return Err(Reason::NothingToChange),
            // A name signs for what was done under it.
            Some(known) if known.login != operator.login => return Err(Reason::SettingRefused),
            Some(_) => {}
            None if self.by_id.len() >= OPERATORS_MAX => return Err(Reason::TooMany { max: OPERATORS_MAX as u16 }),
            None if operator.id != self.next_id() => return Err(Reason::SettingRefused),
            None => {}
        }
        let mut after = self.clone();
        after.put(operator.clone());
        if self.has_administrator() && !after.has_administrator() { Err(Reason::SettingRefused) } else { Ok(()) }
    }
}

/// Why somebody looks at what is masked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookReason {
    /// The person stands at the window.
    AtTheWindow,
    Complaint,
    Reconciliation,
    /// A court or the police asks.
    Order,
    Audit,
}

impl LookReason {
    pub const ALL: [LookReason; 5] = [LookReason::AtTheWindow, LookReason::Complaint, LookReason::Reconciliation, LookReason::Order, LookReason::Audit];

    pub fn label(self) -> &'static str {
        match self {
            LookReason::AtTheWindow => "本人来窗口办理",
            LookReason::Complaint => "处理投诉",
            LookReason::Reconciliation => "核对账目",
            LookReason::Order => "法院、公安协查",
            LookReason::Audit => "审计检查",
        }
    }
}

/// How somebody signs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    Passkey,
    /// A password of six digits for thirty seconds (TOTP).
    Code,
    /// One of the recovery codes.
    Recovery,
}

impl Way {
    pub fn label(self) -> &'static str {
        match self {
            Way::Passkey => "通行密钥",
            Way::Code => "动态码",
            Way::Recovery => "恢复码",
        }
    }
}

/// What an operator did or looked at, besides proposing and deciding. Numbers alone: no name, no text about a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Deed {
    SignedIn {
        way: Way,
    },
    SignedOut,
    /// Too many wrong codes under this name.
    LockedOut,
    CredentialAdded {
        way: Way,
    },
    CredentialsRemoved,
    /// All sessions of that operator.
    SessionsEnded {
        of: OperatorId,
    },
    /// A new one-time letter to sign in for the first time, for that operator.
    Invited {
        who: OperatorId,
    },
    /// Looked for a person by a full number; how many were found.
    Searched {
        found: u16,
    },
    /// The page of a person, masked.
    Viewed {
        holder: HolderId,
    },
    /// The full value of what is masked there.
    Revealed {
        holder: HolderId,
        reason: LookReason,
        document: String,
    },
    /// The whole way of an order.
    Traced {
        order: OrderId,
    },
    /// A list as a file.
    Exported {
        list: String,
        rows: u32,
    },
    /// A file of an agency; the first half of its digest.
    Imported {
        kind: String,
        digest: [u8; 16],
        lines: u32,
        applied: u32,
    },
}

/// The operator, if there is one who may do this there.
pub(crate) fn authorised(work: &mut Work, id: OperatorId, right: Right, there: Scope) -> Result<Arc<Operator>, Stop> {
    match &*work.operators()? {
        Object::Operators(operators) => match operators.get(id) {
            Some(operator) if operator.may(right, there) => Ok(Arc::clone(operator)),
            _ => Err(Reason::NotAuthorised.into()),
        },
        other => unreachable!("the operators' key leads to {other:?}"),
    }
}

pub(crate) fn appoint_first(work: &mut Work, operators: &[Operator]) -> Result<(), Stop> {
    assert!(work.part == 0, "the directory has partition 0");
    for (at, operator) in operators.iter().enumerate() {
        let known = work.operators()?;
        let Object::Operators(known) = &*known else { unreachable!("the operators' key leads to operators") };
        if at == 0 && known.has_administrator() {
            return Err(Reason::NotAuthorised.into());
        }
        known.may_be_put(operator)?;
        work.emit(Fact::OperatorChanged { by: COMMAND_LINE, operator: operator.clone() }, Vec::new())?;
    }
    Ok(())
}

pub(crate) fn suspend(work: &mut Work, id: OperatorId) -> Result<(), Stop> {
    let known = work.operators()?;
    let Object::Operators(known) = &*known else { unreachable!("the operators' key leads to operators") };
    let operator = known.get(id).ok_or(Reason::NotFound)?;
    if !operator.is_active {
        return Err(Reason::NothingToChange.into());
    }
    let operator = Operator { is_active: false, ..Operator::clone(operator) };
    work.emit(Fact::OperatorChanged { by: COMMAND_LINE, operator }, Vec::new())
}

/// Writes down what an operator does. Whether it is allowed was asked before; that the operator exists and works is asked here.
pub(crate) fn act(work: &mut Work, id: OperatorId, deed: &Deed) -> Result<(), Stop> {
    assert!(work.part == 0, "the directory has partition 0");
    work.object(Key::Operators)?;
    if id != COMMAND_LINE {
        let is_on_file = match &*work.operators()? {
            Object::Operators(operators) => operators.get(id).is_some_and(|operator| operator.is_active || *deed == Deed::SignedOut),
            other => unreachable!("the operators' key leads to {other:?}"),
        };
        if !is_on_file {
            return Err(Reason::NotAuthorised.into());
        }
    }
    let is_plain = match deed {
        Deed::Revealed { document, .. } => is_document(document),
        Deed::Exported { list, .. } => is_login(list),
        Deed::Imported { kind, .. } => is_login(kind),
        _ => true,
    };
    if !is_plain {
        return Err(Reason::SettingRefused.into());
    }
    work.emit(Fact::Acted { operator: id, deed: deed.clone() }, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_proposes_and_decides_the_same_matter_in_one_role_but_where_both_are_of_one_desk() {
        for matter in Matter::ALL {
            let makers: Vec<Role> = Role::ALL.into_iter().filter(|role| role.may(Right::Make(matter))).collect();
            let checkers: Vec<Role> = Role::ALL.into_iter().filter(|role| role.may(Right::Check(matter))).collect();
            assert!(!makers.is_empty() && !checkers.is_empty(), "{matter:?} can be done");
            assert!(!makers.contains(&Role::Auditor) && !checkers.contains(&Role::Auditor), "an auditor changes nothing");
        }
        assert!(!Role::Administrator.may(Right::SeePeople) && !Role::Finance.may(Right::Reveal));
    }

    #[test]
    fn a_reach_covers_what_lies_in_it() {
        let [nation, sichuan, luzhou, jinan] = [Scope::Nation, Scope::Province(510_000), Scope::Area(510_500), Scope::Area(370_100)];
        let covers = |scope: Scope| [nation, sichuan, luzhou, jinan].map(|other| scope.covers(other));
        assert_eq!(covers(nation), [true; 4]);
        assert_eq!(covers(sichuan), [false, true, true, false]);
        assert_eq!(covers(luzhou), [false, false, true, false]);
    }

    #[test]
    fn a_paper_has_a_number_and_nobodys() {
        for good in ["泸医保发〔2026〕12号", "TS-20261122-007", "A1"] {
            assert!(is_document(good), "{good}");
        }
        for bad in ["", " ", "19900001234", "990102199001011234", "a\nb", &"长".repeat(DOCUMENT_LEN_MAX + 1)] {
            assert!(!is_document(bad), "{bad}");
        }
        assert!(is_login("lz.wang-1") && !is_login("Wang") && !is_login("王") && !is_login("ab"));
    }
}
