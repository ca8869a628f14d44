//! From pairs of pooling areas to what provinces pay each other.

use super::tree::Digest;
use gongji_ledger::{AreaCode, Fen};
use gongji_wallet::clearing::Due;
use std::collections::BTreeMap;

/// Debtor and creditor: who owes to whom.
pub type Pair = (AreaCode, AreaCode);

/// What the lines of a pair come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PairSum {
    pub lines: u64,
    /// Payments and premiums.
    pub paid: Fen,
    /// Refunds, as a positive amount.
    pub refunded: Fen,
    /// Root over the pair's lines.
    pub root: Digest,
}

impl PairSum {
    /// What the debtor owes the creditor by it; below zero where more was refunded.
    pub fn net(&self) -> Fen {
        self.paid - self.refunded
    }

    pub(super) fn add(&mut self, amount: Fen) {
        self.lines += 1;
        if amount.is_negative() {
            self.refunded -= amount;
        } else {
            self.paid += amount;
        }
    }
}

pub type Pairs = BTreeMap<Pair, PairSum>;

/// What each province with lines gets; below zero, what it pays. Pairs within a province come to nothing.
///
/// # Panics
/// The nets do not add up to zero: every line is owed by one and to one.
pub fn nets_of(pairs: &Pairs, province: &impl Fn(AreaCode) -> AreaCode) -> Vec<(AreaCode, Fen)> {
    let mut nets: BTreeMap<AreaCode, Fen> = BTreeMap::new();
    for ((debtor, creditor), sum) in pairs {
        *nets.entry(province(*creditor)).or_default() += sum.net();
        *nets.entry(province(*debtor)).or_default() -= sum.net();
    }
    let sum: Fen = nets.values().copied().sum();
    assert!(sum.is_zero(), "the nets of all provinces add up to {sum}");
    nets.into_iter().collect()
}

/// What provinces pay each other: for each two of them the balance of both directions, paid by one to the other. Every fen of it stands in pairs of
/// their areas, so either can trace it; paying through a third province would save transfers and lose that.
pub fn dues_of(pairs: &Pairs, province: &impl Fn(AreaCode) -> AreaCode) -> Vec<Due> {
    let mut balances: BTreeMap<(AreaCode, AreaCode), Fen> = BTreeMap::new();
    for ((debtor, creditor), sum) in pairs {
        let (from, to) = (province(*debtor), province(*creditor));
        if from != to {
            let (pair, sign) = if from < to { ((from, to), 1) } else { ((to, from), -1) };
            *balances.entry(pair).or_default() += Fen(sign * sum.net().0);
        }
    }
    let due = |((one, other), balance): ((AreaCode, AreaCode), Fen)| match balance.0.signum() {
        1 => Some(Due { from: one, to: other, amount: balance }),
        -1 => Some(Due { from: other, to: one, amount: -balance }),
        _ => None,
    };
    let mut dues: Vec<Due> = balances.into_iter().filter_map(due).collect();
    dues.sort_unstable_by_key(|due| (due.from, due.to));
    dues
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn province(area: AreaCode) -> AreaCode {
        area / 10_000 * 10_000
    }

    #[test]
    fn two_provinces_settle_by_one_payment_and_one_province_with_itself_by_none() {
        let sum = |paid, refunded| PairSum { lines: 1, paid: Fen(paid), refunded: Fen(refunded), root: [0; 32] };
        let pairs: Pairs = [
            ((510_500, 370_100), sum(100, 0)),
            ((370_200, 510_100), sum(30, 5)),
            ((370_100, 370_200), sum(7, 0)),
            ((370_100, 370_100), sum(9, 0)),
            ((110_000, 310_000), sum(4, 4)),
        ]
        .into();
        assert_eq!(nets_of(&pairs, &province), [(110_000, Fen(0)), (310_000, Fen(0)), (370_000, Fen(75)), (510_000, Fen(-75))]);
        assert_eq!(dues_of(&pairs, &province), [Due { from: 510_000, to: 370_000, amount: Fen(75) }]);
    }

    proptest! {
        #[test]
        fn dues_bring_each_province_its_net(lines in proptest::collection::vec((0_u32..6, 0_u32..6, -500_i64..1_000), 0..200)) {
            let mut pairs = Pairs::new();
            for (debtor, creditor, amount) in lines {
                pairs.entry((110_000 + debtor * 5_100, 110_000 + creditor * 5_100)).or_default().add(Fen(amount));
            }
            let mut open: BTreeMap<AreaCode, Fen> = nets_of(&pairs, &province).into_iter().collect();
            for due in dues_of(&pairs, &province) {
                prop_assert!(due.amount.is_positive() && due.from != due.to);
                *open.get_mut(&due.from).unwrap() += due.amount;
                *open.get_mut(&due.to).unwrap() -= due.amount;
            }
            prop_assert!(open.values().all(|net| net.is_zero()));
        }
    }
}
