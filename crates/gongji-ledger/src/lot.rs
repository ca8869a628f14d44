use crate::{AreaCode, Fen, HolderId, planted};
use serde::{Deserialize, Serialize};

/// Most lots one wallet may hold. Lots of equal origin are merged, so this bounds the number of contributors, areas and kinds.
pub const LOTS_MAX: usize = 64;

/// On what terms money entered a wallet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// Still the contributor's own personal account.
    Own,
    /// Final once received; may be passed on (2025 practice).
    Transfer,
    /// Mutual-aid quota (共济额度, 2026 rules): goes back when the relation ends; may not be passed on.
    Quota,
}

/// Whose personal account a fen came from, in which pooling area, on what terms. It never changes while the money moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Origin {
    pub contributor: HolderId,
    pub area: AreaCode,
    pub kind: GrantKind,
}

/// An amount of one origin. `since` is when its oldest part was granted (ms, UTC).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lot {
    pub origin: Origin,
    pub since: i64,
    pub amount: Fen,
}

/// Sum of the amounts.
pub fn total(lots: &[Lot]) -> Fen {
    lots.iter().map(|lot| lot.amount).sum()
}

/// The queue of lots of one wallet: oldest first, one lot for each origin, each above zero.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lots(Vec<Lot>);

impl Lots {
    /// A queue as it was kept; what came out of `as_slice` is one.
    pub fn as_kept(lots: Vec<Lot>) -> Lots {
        Lots(lots)
    }

    pub fn as_slice(&self) -> &[Lot] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn total(&self) -> Fen {
        total(&self.0)
    }

    /// What the lots that `wanted` picks add up to.
    pub fn total_where(&self, wanted: impl Fn(&Lot) -> bool) -> Fen {
        self.0.iter().filter(|lot| wanted(lot)).map(|lot| lot.amount).sum()
    }

    /// How many lots there would be after `put(lots)`.
    pub fn len_after(&self, lots: &[Lot]) -> usize {
        let fresh = lots
            .iter()
            .enumerate()
            .filter(|(at, lot)| !self.0.iter().any(|own| own.origin == lot.origin) && !lots[..*at].iter().any(|earlier| earlier.origin == lot.origin));
        self.0.len() + fresh.count()
    }

    /// What taking `amount` from the oldest of the wanted lots would take, without taking it; `None` if they hold less.
    pub fn oldest(&self, amount: Fen, wanted: impl Fn(&Lot) -> bool) -> Option<Vec<Lot>> {
        let mut left = amount;
        let mut taken = Vec::new();
        let last = self.0.len().wrapping_sub(1);
        let in_order = (0..self.0.len()).map(|at| &self.0[if planted("newest-lots-first") { last - at } else { at }]);
        for lot in in_order.filter(|lot| wanted(lot)) {
            if left.is_zero() {
                break;
            }
            let part = lot.amount.min(left);
            taken.push(Lot { amount: part, ..*lot });
            left -= part;
        }
        left.is_zero().then_some(taken)
    }

    /// Adds lots. One of equal origin is merged, keeping the older date.
    pub fn put(&mut self, lots: &[Lot]) {
        for lot in lots {
            let is_same =
                |own: &&mut Lot| own.origin == lot.origin || (planted("origin-is-only-the-person") && own.origin.contributor == lot.origin.contributor);
            match self.0.iter_mut().find(is_same) {
                Some(own) => {
                    own.amount += lot.amount;
                    own.since = if planted("merged-lot-forgets-its-age") { lot.since } else { own.since.min(lot.since) };
                }
                None => self.0.push(*lot),
            }
        }
        self.0.sort_unstable_by_key(|lot| (lot.since, lot.origin));
    }

    /// Removes exactly these amounts of these origins.
    ///
    /// # Panics
    /// If a lot is missing or too small: the decision that posted this looked at another wallet.
    pub fn take(&mut self, lots: &[Lot]) {
        for lot in lots {
            let own = self.0.iter_mut().find(|own| own.origin == lot.origin).expect("a posted lot is in the wallet");
            own.amount -= lot.amount;
            assert!(!own.amount.is_negative(), "lot {:?} below zero", lot.origin);
        }
        self.0.retain(|lot| lot.amount.is_positive());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(contributor: u64, since: i64, amount: i64) -> Lot {
        let origin = Origin { contributor: HolderId::new(1, contributor), area: 370100, kind: GrantKind::Transfer };
        Lot { origin, since, amount: Fen(amount) }
    }

    #[test]
    fn equal_origin_is_merged_and_keeps_the_oldest_date() {
        let mut lots = Lots::default();
        lots.put(&[lot(1, 20, 100), lot(2, 10, 50)]);
        lots.put(&[lot(1, 5, 7)]);
        assert_eq!(lots.as_slice(), &[lot(1, 5, 107), lot(2, 10, 50)]);
        assert_eq!((lots.total(), lots.len(), lots.is_empty()), (Fen(157), 2, false));
        assert_eq!(lots.total_where(|lot| lot.since == 5), Fen(107));
        assert_eq!(lots.len_after(&[lot(2, 1, 1), lot(3, 1, 1), lot(3, 2, 1)]), 3);
    }

    #[test]
    fn money_of_another_area_or_kind_stays_apart() {
        let own = lot(1, 10, 100);
        let (mut elsewhere, mut quota) = (own, own);
        elsewhere.origin.area = 510500;
        quota.origin.kind = GrantKind::Quota;
        let mut lots = Lots::default();
        lots.put(&[own, elsewhere, quota]);
        assert_eq!((lots.len(), lots.total()), (3, Fen(300)));
        assert_eq!(lots.len_after(&[own, lot(2, 10, 1)]), 4);
    }

    #[test]
    fn an_empty_wallet_has_nothing_to_give() {
        let mut lots = Lots::default();
        assert_eq!((lots.len(), lots.is_empty(), lots.total()), (0, true, Fen::ZERO));
        assert_eq!((lots.oldest(Fen(1), |_| true), lots.oldest(Fen::ZERO, |_| true)), (None, Some(vec![])));
        lots.put(&[lot(1, 1, 100)]);
        lots.take(&[lot(1, 1, 100)]);
        assert!(lots.is_empty(), "a lot that is used up is gone");
    }

    #[test]
    #[should_panic(expected = "below zero")]
    fn a_lot_gives_no_more_than_it_has() {
        let mut lots = Lots::default();
        lots.put(&[lot(1, 1, 100)]);
        lots.take(&[lot(1, 1, 101)]);
    }

    #[test]
    fn money_leaves_the_oldest_lots_first() {
        let mut lots = Lots::default();
        lots.put(&[lot(1, 1, 100), lot(2, 2, 50)]);
        let taken = lots.oldest(Fen(120), |_| true).expect("enough");
        assert_eq!(taken, vec![lot(1, 1, 100), lot(2, 2, 20)]);
        assert_eq!(lots.oldest(Fen(151), |_| true), None);
        lots.take(&taken);
        assert_eq!(lots.as_slice(), &[lot(2, 2, 30)]);
    }
}
