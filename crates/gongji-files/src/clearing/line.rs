//! A line of clearing, its text, and what stands for a person in it.
//!
//! A province sees the number of its own people and, of everybody else, a commitment: SM3 over a secret of the other province, the line and the
//! person. Nobody can guess a person from it, and nobody can later say that it was another one.

use super::tree::{Digest, leaf};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use gongji_ledger::{AreaCode, Fen, HolderId, InstitutionId, Part};
use gongji_wallet::clearing::{LineId, shares};
use gongji_wallet::day::{Day, day_of};
use gongji_wallet::object::{Business, Purpose, Taking};
use sm3::{Digest as _, Sm3};
use std::fmt::Write as _;

/// What a line is for: national clr_type 11, 21, 41; a premium of a year.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LineKind {
    Care { business: Business, institution: InstitutionId },
    Premium { year: u16 },
}

/// Whose person: the one whose account the money comes from, and the one it was spent for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Contributor,
    Spender,
}

/// A person as one province may see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Person {
    Known(HolderId),
    Hidden(Digest),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub id: LineId,
    /// When it was booked (ms, UTC): what decides its period.
    pub at: i64,
    /// The institution's business day; of a premium, the day it was booked.
    pub day: Day,
    pub kind: LineKind,
    pub debtor: AreaCode,
    pub creditor: AreaCode,
    /// The payment's id.
    pub payment: [u8; 16],
    /// Below zero for a refund.
    pub amount: Fen,
    pub contributor: HolderId,
    pub spender: HolderId,
}

/// The lines of a taking, in order.
pub fn line_of(part: Part, taking: &Taking) -> impl Iterator<Item = Line> {
    let (day, kind, spender) = match taking.purpose {
        Purpose::Order { order, visit, .. } => (visit.day, LineKind::Care { business: visit.business, institution: order.institution }, taking.holder),
        // Who is insured there, not who paid: that is whom the area knows.
        Purpose::Premium { insured, year, .. } => (day_of(taking.at), LineKind::Premium { year }, insured),
    };
    shares(part, taking).map(move |share| Line {
        id: share.id,
        at: taking.at,
        day,
        kind,
        debtor: share.debtor,
        creditor: share.creditor,
        payment: taking.payment.0,
        amount: share.amount,
        contributor: taking.lots[usize::from(share.id.lot)].origin.contributor,
        spender,
    })
}

/// `1-204-0`: partition, taking, lot.
pub fn parse_line_id(text: &str) -> Option<LineId> {
    let mut fields = text.split('-');
    let id = LineId { part: number(fields.next()?)?, taking: number(fields.next()?)?, lot: number(fields.next()?)? };
    fields.next().is_none().then_some(id)
}

/// A number in the one way it is written: no sign, no zeros in front.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

pub(super) fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some("0") => None,
        Some(digits) => number::<i64>(digits).map(|value| -value),
        None => number(text),
    }
}

pub(super) fn from_hex<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * LEN || digits.iter().any(|digit| !matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; LEN];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn digest_text(digest: &Digest, to: &mut String) {
    let mut buffer = [0; 44];
    to.push_str(Base64UrlUnpadded::encode(digest, &mut buffer).expect("32 bytes fit 43 letters"));
}

pub(super) fn parse_digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    let is_whole = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len() == 32;
    let mut again = String::new();
    digest_text(&bytes, &mut again);
    (is_whole && again == text).then_some(bytes)
}

/// What stands for a person towards those who do not know `secret`: a province's own.
pub(super) fn commitment(secret: &Digest, id: LineId, role: Role, person: HolderId) -> Digest {
    let mut hash = Sm3::new();
    hash.update(b"gongji clearing person 1");
    hash.update(secret);
    hash.update(id.part.to_be_bytes());
    hash.update(id.taking.to_be_bytes());
    hash.update(id.lot.to_be_bytes());
    hash.update([match role {
        Role::Contributor => 1,
        Role::Spender => 2,
    }]);
    hash.update(person.0.to_be_bytes());
    hash.finalize().into()
}

impl LineKind {
    fn write(self, to: &mut String) {
        let business = match self {
            LineKind::Care { business: Business::Outpatient, .. } => "11",
            LineKind::Care { business: Business::Inpatient, .. } => "21",
            LineKind::Care { business: Business::Pharmacy, .. } => "41",
            LineKind::Premium { .. } => "premium",
        };
        let _ = match self {
            LineKind::Care { institution, .. } => write!(to, "{business} {institution}"),
            LineKind::Premium { year } => write!(to, "{business} {year}"),
        };
    }

    fn parse(kind: &str, of: &str) -> Option<LineKind> {
        let business = match kind {
            "11" => Business::Outpatient,
            "21" => Business::Inpatient,
            "41" => Business::Pharmacy,
            "premium" => return Some(LineKind::Premium { year: number(of)? }),
            _ => return None,
        };
        let institution = InstitutionId::parse(of)?;
        (institution.to_string() == of).then_some(LineKind::Care { business, institution })
    }
}

impl Line {
    /// Everything but the persons, as it stands in files: `1-204-0 1764518400123 20421 11 H37010000001 510500 370100 0199…01 12345`.
    pub(super) fn write_facts(&self, to: &mut String) {
        let LineId { part, taking, lot } = self.id;
        let _ = write!(to, "{part}-{taking}-{lot} {} {} ", self.at, self.day);
        self.kind.write(to);
        let _ = write!(to, " {} {} ", self.debtor, self.creditor);
        for byte in self.payment {
            for digit in [byte >> 4, byte & 15] {
                to.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        let _ = write!(to, " {}", self.amount.0);
    }

    /// Reads a line's facts and persons; the persons stay as the file shows them.
    pub(super) fn parse(text: &str) -> Option<(Line, [Person; 2])> {
        let mut fields = text.split(' ');
        let mut next = || fields.next();
        let id = parse_line_id(next()?)?;
        let (at, day) = (signed(next()?)?, i32::try_from(signed(next()?)?).ok()?);
        let kind = LineKind::parse(next()?, next()?)?;
        let (debtor, creditor) = (number(next()?)?, number(next()?)?);
        let (payment, amount) = (from_hex(next()?)?, Fen(signed(next()?)?));
        let persons = [Person::parse(next()?)?, Person::parse(next()?)?];
        if fields.next().is_some() || amount.is_zero() {
            return None;
        }
        let of = |person: Person| if let Person::Known(holder) = person { holder } else { HolderId(0) };
        let line = Line { id, at, day, kind, debtor, creditor, payment, amount, contributor: of(persons[0]), spender: of(persons[1]) };
        Some((line, persons))
    }

    /// The leaf that stands for it in the tree: its facts, and both commitments.
    pub(super) fn leaf(facts: &str, commitments: &[Digest; 2]) -> Digest {
        leaf(&[facts.as_bytes(), &commitments[0], &commitments[1]])
    }
}

impl Person {
    pub(super) fn write(self, to: &mut String) {
        match self {
            Person::Known(holder) => {
                let _ = write!(to, "={}-{}", holder.part(), holder.0 & 0xFFFF_FFFF_FFFF);
            }
            Person::Hidden(digest) => {
                to.push('*');
                digest_text(&digest, to);
            }
        }
    }

    fn parse(text: &str) -> Option<Person> {
        if let Some(digest) = text.strip_prefix('*') {
            return parse_digest(digest).map(Person::Hidden);
        }
        let (part, serial) = text.strip_prefix('=')?.split_once('-')?;
        let serial: u64 = number::<u64>(serial).filter(|serial| *serial < 1 << 48)?;
        Some(Person::Known(HolderId::new(number(part)?, serial)))
    }
}
