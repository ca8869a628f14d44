//! Operators and approvals in the directory's journal: two different people, each on file and at work, for whatever takes two.

use crate::finding::{At, FindingKind, Result, Subject};
use crate::wire::{Fact, Id, OperatorId, Verdict};
use std::collections::BTreeMap;

/// Facts that stand in partition 0 only.
pub(crate) fn is_of_offices(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::OperatorChanged { .. } | Fact::ApprovalProposed { .. } | Fact::ApprovalDecided { .. } | Fact::ApprovalFollowed { .. } | Fact::Acted { .. }
    )
}

/// Who works, and what waits for whom.
#[derive(Default)]
pub(crate) struct Offices {
    operators: BTreeMap<OperatorId, bool>,
    approvals: BTreeMap<Id, Asked>,
}

struct Asked {
    maker: OperatorId,
    expires: i64,
    is_elsewhere: bool,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Open,
    /// Approved, and still to happen in another partition.
    Approved,
    Over,
}

impl Offices {
    pub(crate) fn read(&mut self, at: At, fact: &Fact) -> Result {
        let impossible = |expected: &str, found: String| Err(at.finding(FindingKind::FactImpossible, Subject::Record, expected, found));
        match fact {
            Fact::OperatorChanged { by, operator } => {
                if *by != 0 && !self.works(*by) {
                    return impossible("an operator at work", format!("operator {by}"));
                }
                self.operators.insert(operator.id, operator.is_active);
                Ok(())
            }
            Fact::ApprovalProposed { id, maker, action, expires, .. } => {
                if !self.works(*maker) {
                    return impossible("an operator at work", format!("operator {maker}"));
                }
                let asked = Asked { maker: *maker, expires: *expires, is_elsewhere: action.is_elsewhere(), step: Step::Open };
                match self.approvals.insert(*id, asked) {
                    None => Ok(()),
                    Some(_) => impossible("a new approval", "one on file".to_owned()),
                }
            }
            Fact::ApprovalDecided { id, by, verdict } => {
                let is_at_work = by.is_none_or(|by| self.works(by));
                let Some(asked) = self.approvals.get_mut(id).filter(|asked| asked.step == Step::Open) else {
                    return impossible("an open approval", "another".to_owned());
                };
                let lawful = match (verdict, by) {
                    (Verdict::Approved | Verdict::Declined(_), Some(by)) => *by != asked.maker && at.stamp < asked.expires,
                    (Verdict::Withdrawn, Some(by)) => *by == asked.maker && at.stamp < asked.expires,
                    (Verdict::Expired, None) => at.stamp >= asked.expires,
                    _ => false,
                };
                if !lawful || !is_at_work {
                    return impossible("two people, in time", format!("{verdict:?} by {by:?}, made by {}", asked.maker));
                }
                asked.step = if *verdict == Verdict::Approved && asked.is_elsewhere { Step::Approved } else { Step::Over };
                Ok(())
            }
            Fact::ApprovalFollowed { id, .. } => match self.approvals.get_mut(id) {
                Some(asked) if asked.step == Step::Approved => {
                    asked.step = Step::Over;
                    Ok(())
                }
                _ => impossible("an approval that was given", "another".to_owned()),
            },
            Fact::Acted { operator, .. } => {
                // Somebody whose work has ended is signed out after that.
                if *operator == 0 || self.operators.contains_key(operator) { Ok(()) } else { impossible("an operator on file", format!("operator {operator}")) }
            }
            _ => Ok(()),
        }
    }

    fn works(&self, operator: OperatorId) -> bool {
        self.operators.get(&operator).copied().unwrap_or(false)
    }
}
