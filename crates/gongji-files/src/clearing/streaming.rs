//! All lines of a period, once and in order: summed by pair, hashed into their trees, written to the provinces that they concern.

use super::line::{Line, Person, Role, commitment, line_of};
use super::netting::{Pair, PairSum, Pairs, dues_of, nets_of};
use super::province_file::write_checked;
use super::tree::{Digest, Tree, leaf};
use gongji_ledger::{AreaCode, Fen, Part};
use gongji_wallet::clearing::{Due, LineId};
use gongji_wallet::object::Taking;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Takings worked on together.
pub const BATCH: usize = 4_096;

/// Which lines there are, and who may see whom.
pub struct Scope {
    /// Province of each area.
    pub provinces: BTreeMap<AreaCode, AreaCode>,
    /// Secret of each province behind the commitments for its people; see [`super::ProvinceFile`].
    pub secrets: BTreeMap<AreaCode, Digest>,
    /// Number of each partition's last taking of the period before.
    pub after: BTreeMap<Part, u64>,
    /// Lines of earlier periods that belong to this one.
    pub carried: BTreeSet<LineId>,
    /// Lines held out.
    pub held: BTreeSet<LineId>,
}

impl Scope {
    pub fn province(&self, area: AreaCode) -> AreaCode {
        self.provinces.get(&area).copied().unwrap_or(area / 10_000 * 10_000)
    }

    fn has(&self, id: LineId) -> bool {
        let is_of_period = id.taking > self.after.get(&id.part).copied().unwrap_or(0) || self.carried.contains(&id);
        is_of_period && !self.held.contains(&id)
    }
}

/// What some takings come to, before they are put in order.
#[derive(Default)]
pub struct Work {
    entries: Vec<(Part, Pair, Digest, Fen)>,
    /// Lines of each province, as its file has them, and how many.
    pub texts: BTreeMap<AreaCode, (String, u64)>,
}

impl Work {
    /// Of some takings, in order.
    pub fn of(scope: &Scope, takings: &[(Part, Taking)]) -> Work {
        let mut work = Work::default();
        let (mut facts, mut told) = (String::with_capacity(160), String::with_capacity(300));
        for line in takings.iter().flat_map(|(part, taking)| line_of(*part, taking)).filter(|line| scope.has(line.id)) {
            work.add(scope, &line, &mut facts, &mut told);
        }
        work
    }

    fn add(&mut self, scope: &Scope, line: &Line, facts: &mut String, told: &mut String) {
        facts.clear();
        line.write_facts(facts);
        let sides = [(scope.province(line.debtor), Role::Contributor, line.contributor), (scope.province(line.creditor), Role::Spender, line.spender)];
        let commitments = sides.map(|(province, role, person)| {
            let secret = scope.secrets.get(&province).copied().unwrap_or_default();
            commitment(&secret, line.id, role, person)
        });
        self.entries.push((line.id.part, (line.debtor, line.creditor), Line::leaf(facts, &commitments), line.amount));
        let readers = [Some(sides[0].0), Some(sides[1].0).filter(|other| *other != sides[0].0)];
        for reader in readers.into_iter().flatten() {
            told.clear();
            told.push_str("line ");
            told.push_str(facts);
            for ((province, _, person), hidden) in sides.into_iter().zip(commitments) {
                told.push(' ');
                let shown = if province == reader { Person::Known(person) } else { Person::Hidden(hidden) };
                shown.write(told);
            }
            let (text, lines) = self.texts.entry(reader).or_default();
            write_checked(told, text);
            *lines += 1;
        }
    }
}

/// The sums of a period while its lines come in: partition by partition, in the order of takings.
#[derive(Default)]
pub struct Summing {
    part: Part,
    /// Of the partition at hand.
    open: HashMap<Pair, Tree>,
    pairs: BTreeMap<Pair, (PairSum, Tree)>,
}

/// Leaf of a partition's lines in the tree of a pair.
pub(super) fn part_leaf(part: Part, tree: &Tree) -> Digest {
    leaf(&[b"part", &part.to_be_bytes(), &tree.leaves().to_be_bytes(), &tree.root()])
}

/// Leaf of a pair in the tree of the period.
pub(super) fn pair_leaf((debtor, creditor): Pair, sum: &PairSum) -> Digest {
    let [debtor, creditor] = [debtor, creditor].map(AreaCode::to_be_bytes);
    leaf(&[b"pair", &debtor, &creditor, &sum.lines.to_be_bytes(), &sum.paid.0.to_be_bytes(), &sum.refunded.0.to_be_bytes(), &sum.root])
}

/// Root over all pairs.
pub(super) fn root_of(pairs: &Pairs) -> Digest {
    let mut tree = Tree::default();
    pairs.iter().for_each(|(pair, sum)| tree.push(pair_leaf(*pair, sum)));
    tree.root()
}

impl Summing {
    pub fn add(&mut self, work: &Work) {
        for (part, pair, digest, amount) in &work.entries {
            self.line(*part, *pair, *digest, *amount);
        }
    }

    /// # Panics
    /// A partition comes again after another one.
    pub(super) fn line(&mut self, part: Part, pair: Pair, digest: Digest, amount: Fen) {
        if part != self.part {
            assert!(part > self.part, "partitions come in order");
            self.end_part();
            self.part = part;
        }
        self.open.entry(pair).or_default().push(digest);
        self.pairs.entry(pair).or_default().0.add(amount);
    }

    fn end_part(&mut self) {
        for (pair, tree) in self.open.drain() {
            let (_, parts) = self.pairs.get_mut(&pair).expect("a pair with lines has a sum");
            parts.push(part_leaf(self.part, &tree));
        }
    }

    /// Sums and roots of all pairs.
    pub fn into_pairs(mut self) -> Pairs {
        self.end_part();
        let of = |(pair, (sum, parts)): (Pair, (PairSum, Tree))| (pair, PairSum { root: parts.root(), ..sum });
        self.pairs.into_iter().map(of).collect()
    }
}

/// What a period comes to.
pub struct Cleared {
    pub pairs: Pairs,
    pub lines: u64,
    pub amount: Fen,
    pub nets: Vec<(AreaCode, Fen)>,
    pub dues: Vec<Due>,
    pub root: Digest,
    /// Lines in each province's file.
    pub own_lines: BTreeMap<AreaCode, u64>,
}

/// Sums a period up. `takings`: every partition's in turn, each partition's in order, those of carried lines first. `sink` gets each province's lines as
/// they come, `progress` how many takings are done. Whoever reads the takings on another thread keeps two cores busy.
///
/// # Errors
/// The first of `takings` or of `sink`.
pub fn clear<E>(
    scope: &Scope,
    takings: impl Iterator<Item = Result<(Part, Taking), E>>,
    mut sink: impl FnMut(AreaCode, &str) -> Result<(), E>,
    mut progress: impl FnMut(u64),
) -> Result<Cleared, E> {
    let (mut summing, mut own_lines, mut counted) = (Summing::default(), BTreeMap::<AreaCode, u64>::new(), 0_u64);
    let mut takings = takings;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let next = takings.next().transpose()?;
        let is_end = next.is_none();
        batch.extend(next);
        if batch.len() < BATCH && !is_end {
            continue;
        }
        let work = Work::of(scope, &batch);
        summing.add(&work);
        for (province, (text, lines)) in &work.texts {
            *own_lines.entry(*province).or_default() += lines;
            sink(*province, text)?;
        }
        counted += batch.len() as u64;
        progress(counted);
        batch.clear();
        if is_end {
            break;
        }
    }
    let pairs = summing.into_pairs();
    let province = |area| scope.province(area);
    Ok(Cleared {
        lines: pairs.values().map(|sum| sum.lines).sum(),
        amount: pairs.values().map(PairSum::net).sum(),
        nets: nets_of(&pairs, &province),
        dues: dues_of(&pairs, &province),
        root: root_of(&pairs),
        own_lines,
        pairs,
    })
}
