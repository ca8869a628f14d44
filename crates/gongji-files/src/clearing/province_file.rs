//! A province's clearing file: what is known before its lines, the lines, and what follows from all of them, signed.

use super::line::Person;
use super::streaming::Cleared;
use super::tree::Digest;
use crate::hex;
use crate::signature::SigningKey;
use gongji_ledger::{AreaCode, Part};
use gongji_wallet::clearing::{LineId, Month, PeriodTotals, Share};
use sm3::{Digest as _, Sm3};
use std::fmt::Write as _;

pub const VERSION: u32 = 1;

/// Letters of the check at the end of each line.
pub const CHECK_LEN: usize = 8;

/// Longest line of a file, in bytes.
pub const LINE_BYTES_MAX: usize = 1_024;

/// Which of a period's two statements a file belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatementKind {
    /// As it goes out to be confirmed.
    Stated,
    /// As it is paid: without the lines in dispute.
    Released,
}

impl StatementKind {
    pub fn as_str(self) -> &'static str {
        match self {
            StatementKind::Stated => "stated",
            StatementKind::Released => "released",
        }
    }

    pub fn zh(self) -> &'static str {
        match self {
            StatementKind::Stated => "待确认",
            StatementKind::Released => "已放行",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Area {
    pub code: AreaCode,
    pub province: AreaCode,
    pub name: String,
}

/// Which takings of a partition the period has, and what its mark says of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartRange {
    pub part: Part,
    /// Last taking of the period before.
    pub after: u64,
    pub to: u64,
    pub totals: PeriodTotals,
}

/// What is known of a period before its lines are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Period {
    pub period: Month,
    pub kind: StatementKind,
    /// When the files were made (ms, UTC).
    pub made_at: i64,
    pub parts: Vec<PartRange>,
    /// Every area that a line may name.
    pub areas: Vec<Area>,
    /// Lines of earlier periods that belong to this one.
    pub carried: Vec<Share>,
    /// Lines held out, and the province that disputes each.
    pub held: Vec<(Share, AreaCode)>,
}

/// Puts a check behind a line and ends it. A changed byte changes the check: the line is named, whatever else would notice.
pub(super) fn write_checked(line: &str, to: &mut String) {
    to.push_str(line);
    let _ = writeln!(to, " #{:08x}", check_of(line.as_bytes()));
}

/// FNV-1a: each step can be undone, so two lines of one length that differ in one byte never agree. It is no protection against forgers; the roots and the
/// signature are.
pub(super) fn check_of(line: &[u8]) -> u32 {
    line.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// What the signature is over: everything in a file but its `line` lines, which the roots stand for.
pub(super) fn signed_digest(text: &[u8]) -> Vec<u8> {
    let mut bytes = b"gongji clearing file 1".to_vec();
    bytes.extend(Sm3::digest(text));
    bytes
}

fn id_text(id: LineId) -> String {
    format!("{}-{}-{}", id.part, id.taking, id.lot)
}

/// Makes the two ends of a province's file; its lines come from [`super::clear`].
pub struct ProvinceFile {
    head: String,
}

impl ProvinceFile {
    /// What stands before the lines. `secret`: this province's own, behind the commitments for its people; so it alone can open them.
    pub fn new(period: &Period, province: AreaCode, secret: &Digest) -> ProvinceFile {
        let mut head = String::new();
        let mut line = |text: String| write_checked(&text, &mut head);
        line(format!("gongji-clearing {VERSION}"));
        line(format!("period {} {} {}", period.period, period.kind.as_str(), period.made_at));
        line(format!("province {province} {}", hex(secret)));
        for area in &period.areas {
            line(format!("area {} {} {}", area.code, area.province, area.name.replace(['\r', '\n'], " ")));
        }
        for PartRange { part, after, to, totals } in &period.parts {
            let PeriodTotals { lines, captured, premiums, refunded } = totals;
            line(format!("part {part} {after} {to} {lines} {} {} {}", captured.0, premiums.0, refunded.0));
        }
        for share in &period.carried {
            line(format!("carried {} {} {} {}", id_text(share.id), share.debtor, share.creditor, share.amount.0));
        }
        for (share, side) in &period.held {
            line(format!("held {} {} {} {} {side}", id_text(share.id), share.debtor, share.creditor, share.amount.0));
        }
        ProvinceFile { head }
    }

    pub fn head(&self) -> &str {
        &self.head
    }

    /// What stands behind the lines: the totals of all pairs, nets and dues, the root, the centre's signature.
    pub fn tail(&self, cleared: &Cleared, own_lines: u64, key: &SigningKey) -> String {
        let mut tail = String::new();
        let mut line = |text: String| write_checked(&text, &mut tail);
        line(format!("lines {own_lines}"));
        for ((debtor, creditor), sum) in &cleared.pairs {
            line(format!("pair {debtor} {creditor} {} {} {} {}", sum.lines, sum.paid.0, sum.refunded.0, hex(&sum.root)));
        }
        for (province, net) in &cleared.nets {
            line(format!("net {province} {}", net.0));
        }
        for due in &cleared.dues {
            line(format!("due {} {} {}", due.from, due.to, due.amount.0));
        }
        line(format!("root {} {} {}", cleared.lines, cleared.amount.0, hex(&cleared.root)));
        let mut signed = self.head.clone().into_bytes();
        signed.extend_from_slice(tail.as_bytes());
        let signature = hex(&key.sign(&signed_digest(&signed)));
        write_checked(&format!("signature {} {} {signature}", key.profile().as_str(), key.verifying_key().key_id()), &mut tail);
        tail
    }
}

impl Person {
    pub fn is_known(self) -> bool {
        matches!(self, Person::Known(_))
    }
}
