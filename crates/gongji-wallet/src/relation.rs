//! Near relatives and the code of their relation.
//!
//! A relation is always said from the sender's side: the code tells what the *receiver* is to the *sender*.
//! 依据：民法典第一千零四十五条 (who is a near relative), GB/T 4761 (the two-digit codes).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::citizen::Sex;

/// A GB/T 4761 code that names a near relative exactly enough to be eligible.
///
/// Allowed: 10–12 spouse · 20–27, 29 sons · 30–37, 39 daughters · 41–44 grandchildren · 51, 52, 57, 58 parents ·
/// 61–64 grandparents · 71, 73, 75, 77 siblings. Everything else is refused, with the reason.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct RelationCode(u8);

/// The eight kinds of near relative; what the other person is to me.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kinship {
    Spouse,
    Parent,
    Child,
    Sibling,
    PaternalGrandparent,
    MaternalGrandparent,
    SonsChild,
    DaughtersChild,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelationError {
    /// Not a code of the table at all.
    #[error("this is not a relation code of GB/T 4761")]
    Unknown,
    /// A group heading or "other" (40, 50, 70, 79 …): which relative it is stays open.
    #[error("the relation code is too general to tell a near relative")]
    TooGeneral,
    /// A known relation outside the closed list of near relatives.
    #[error("relation code {code} is not a near relative")]
    NotNearRelative { code: u8, label: &'static str },
}

impl RelationError {
    /// One plain sentence for the person who chose the relation.
    pub fn message_zh(self) -> String {
        match self {
            RelationError::Unknown => "没有这种亲属关系,请从列表里选一个。".to_owned(),
            RelationError::TooGeneral => "亲属关系请选得更具体一些,比如父亲、母亲。".to_owned(),
            RelationError::NotNearRelative { label, .. } => {
                format!("{label}不在可以共济的近亲属里。可以的是:配偶、父母、子女、兄弟姐妹、祖父母、外祖父母、孙子女、外孙子女。")
            }
        }
    }
}

impl RelationCode {
    pub fn try_new(code: u8) -> Result<RelationCode, RelationError> {
        match code {
            10..=12 | 20..=27 | 29 | 30..=37 | 39 | 41..=44 | 51 | 52 | 57 | 58 | 61..=64 | 71 | 73 | 75 | 77 => Ok(RelationCode(code)),
            13..=19 | 40 | 49 | 50 | 59 | 60 | 69 | 70 | 79 | 80 => Err(RelationError::TooGeneral),
            _ => match refused_label(code) {
                Some(label) => Err(RelationError::NotNearRelative { code, label }),
                None => Err(RelationError::Unknown),
            },
        }
    }

    /// Exactly two ASCII digits.
    pub fn parse(text: &str) -> Result<RelationCode, RelationError> {
        match text.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => RelationCode::try_new((tens - b'0') * 10 + (ones - b'0')),
            _ => Err(RelationError::Unknown),
        }
    }

    pub const fn get(self) -> u8 {
        self.0
    }

    pub fn kinship(self) -> Kinship {
        match self.0 {
            10..=19 => Kinship::Spouse,
            20..=39 => Kinship::Child,
            41 | 42 => Kinship::SonsChild,
            43 | 44 => Kinship::DaughtersChild,
            50..=59 => Kinship::Parent,
            61 | 62 => Kinship::PaternalGrandparent,
            63 | 64 => Kinship::MaternalGrandparent,
            _ => Kinship::Sibling,
        }
    }

    /// What the receiver is to the sender, as written on forms and receipts.
    pub fn label(self) -> &'static str {
        match self.0 {
            10 => "配偶",
            11 => "丈夫",
            12 => "妻子",
            20 | 29 => "儿子",
            21 => "独生子",
            22 => "长子",
            23 => "次子",
            24 => "三子",
            25 => "四子",
            26 => "五子",
            27 => "养子或继子",
            30 | 39 => "女儿",
            31 => "独生女",
            32 => "长女",
            33 => "次女",
            34 => "三女",
            35 => "四女",
            36 => "五女",
            37 => "养女或继女",
            41 => "孙子",
            42 => "孙女",
            43 => "外孙",
            44 => "外孙女",
            51 => "父亲",
            52 => "母亲",
            57 => "继父或养父",
            58 => "继母或养母",
            61 => "祖父",
            62 => "祖母",
            63 => "外祖父",
            64 => "外祖母",
            71 => "哥哥",
            73 => "弟弟",
            75 => "姐姐",
            _ => "妹妹",
        }
    }

    /// The word people use at home, for titles such as 「妈妈在哪里能用?」.
    pub fn spoken(self) -> &'static str {
        match self.0 {
            10 => "爱人",
            20..=29 => "儿子",
            30..=39 => "女儿",
            51 | 57 => "爸爸",
            52 | 58 => "妈妈",
            61 => "爷爷",
            62 => "奶奶",
            63 => "外公",
            64 => "外婆",
            _ => self.label(),
        }
    }

    /// The receiver's sex where the code tells it; a mismatch with the ID number means that one of the two is wrong.
    pub fn sex(self) -> Option<Sex> {
        match self.0 {
            11 | 20..=29 | 41 | 43 | 51 | 57 | 61 | 63 | 71 | 73 => Some(Sex::Male),
            12 | 30..=39 | 42 | 44 | 52 | 58 | 62 | 64 | 75 | 77 => Some(Sex::Female),
            _ => None,
        }
    }

    /// The same relation seen by the receiver, when the sender's sex is known: 母亲, said by a son, mirrors to 儿子.
    ///
    /// Adoptive and step relations stay so; an older sibling mirrors to a younger one. The sex of a paternal
    /// grandparent's line is exact: the sender of 祖父 is the child of that person's son.
    pub fn mirror(self, sender: Sex) -> RelationCode {
        let (male, female) = match self.0 {
            10..=12 => (11, 12),
            27 | 37 => (57, 58),
            20..=39 => (51, 52),
            41 | 42 => (61, 62),
            43 | 44 => (63, 64),
            57 | 58 => (27, 37),
            51 | 52 => (20, 30),
            61 | 62 => (41, 42),
            63 | 64 => (43, 44),
            71 | 75 => (73, 77),
            _ => (71, 75),
        };
        RelationCode(if sender == Sex::Male { male } else { female })
    }
}

impl Kinship {
    pub const ALL: [Kinship; 8] = [
        Kinship::Spouse,
        Kinship::Parent,
        Kinship::Child,
        Kinship::Sibling,
        Kinship::PaternalGrandparent,
        Kinship::MaternalGrandparent,
        Kinship::SonsChild,
        Kinship::DaughtersChild,
    ];

    /// If the other is this to me, what I am to the other; my sex stays open.
    pub const fn inverse(self) -> Kinship {
        match self {
            Kinship::Spouse => Kinship::Spouse,
            Kinship::Parent => Kinship::Child,
            Kinship::Child => Kinship::Parent,
            Kinship::Sibling => Kinship::Sibling,
            Kinship::PaternalGrandparent => Kinship::SonsChild,
            Kinship::MaternalGrandparent => Kinship::DaughtersChild,
            Kinship::SonsChild => Kinship::PaternalGrandparent,
            Kinship::DaughtersChild => Kinship::MaternalGrandparent,
        }
    }

    /// A word that holds for both sexes.
    pub const fn label(self) -> &'static str {
        match self {
            Kinship::Spouse => "配偶",
            Kinship::Parent => "父母",
            Kinship::Child => "子女",
            Kinship::Sibling => "兄弟姐妹",
            Kinship::PaternalGrandparent => "祖父母",
            Kinship::MaternalGrandparent => "外祖父母",
            Kinship::SonsChild => "孙子女",
            Kinship::DaughtersChild => "外孙子女",
        }
    }
}

/// One line of the relation list in the transfer form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelationChoice {
    pub code: RelationCode,
    /// Plain words; both regional forms where they differ (外公/姥爷).
    pub words: &'static str,
}

/// What the form offers, the most used first. Order of birth (长子, 次子 …) is not asked: it changes no right.
pub const RELATION_CHOICES: [RelationChoice; 22] = [
    choice(52, "妈妈"),
    choice(51, "爸爸"),
    choice(12, "妻子"),
    choice(11, "丈夫"),
    choice(20, "儿子"),
    choice(30, "女儿"),
    choice(71, "哥哥"),
    choice(73, "弟弟"),
    choice(75, "姐姐"),
    choice(77, "妹妹"),
    choice(61, "爷爷"),
    choice(62, "奶奶"),
    choice(63, "外公(姥爷)"),
    choice(64, "外婆(姥姥)"),
    choice(41, "孙子"),
    choice(42, "孙女"),
    choice(43, "外孙"),
    choice(44, "外孙女"),
    choice(57, "继父或养父"),
    choice(58, "继母或养母"),
    choice(27, "继子或养子"),
    choice(37, "继女或养女"),
];

const fn choice(code: u8, words: &'static str) -> RelationChoice {
    RelationChoice { code: RelationCode(code), words }
}

/// Known relations outside the near relatives, so that the refusal can name them.
fn refused_label(code: u8) -> Option<&'static str> {
    Some(match code {
        1 | 2 => "本人",
        28 => "女婿",
        38 => "儿媳",
        45 => "孙媳妇",
        46 => "孙女婿",
        47 => "曾孙子",
        48 => "曾孙女",
        53 => "公公",
        54 => "婆婆",
        55 => "岳父",
        56 => "岳母",
        65 => "配偶的祖父母",
        66 => "曾祖父",
        67 => "曾祖母",
        68 => "配偶的曾祖父母",
        72 => "嫂子",
        74 => "弟媳",
        76 => "姐夫",
        78 => "妹夫",
        81 => "伯父",
        82 => "伯母",
        83 => "叔父",
        84 => "婶母",
        85 => "舅父",
        86 => "舅母",
        87 => "姨父",
        88 => "姨母",
        89 => "姑父",
        90 => "姑母",
        91 => "堂兄弟姐妹",
        92 => "表兄弟姐妹",
        93 => "侄子",
        94 => "侄女",
        95 => "外甥",
        96 => "外甥女",
        97 => "其他亲属",
        98 | 99 => "非亲属",
        _ => return None,
    })
}

impl TryFrom<u8> for RelationCode {
    type Error = RelationError;
    fn try_from(code: u8) -> Result<RelationCode, RelationError> {
        RelationCode::try_new(code)
    }
}

impl From<RelationCode> for u8 {
    fn from(code: RelationCode) -> u8 {
        code.0
    }
}

impl fmt::Display for RelationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl fmt::Debug for RelationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelationCode({:02} {})", self.0, self.label())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The list of the domain note, written out once more, so that a slip in the match above is seen.
    const ALLOWED: [u8; 37] =
        [10, 11, 12, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 36, 37, 39, 41, 42, 43, 44, 51, 52, 57, 58, 61, 62, 63, 64, 71, 73, 75, 77];

    #[test]
    fn every_code_from_00_to_99_is_allowed_or_refused_as_listed() {
        for code in 0..=99u8 {
            let allowed = ALLOWED.contains(&code);
            let parsed = RelationCode::parse(&format!("{code:02}"));
            assert_eq!(parsed.is_ok(), allowed, "{code:02}: {parsed:?}");
            assert_eq!(parsed, RelationCode::try_new(code));
            match parsed {
                Ok(relation) => {
                    assert_eq!(relation.get(), code);
                    assert!(!relation.label().is_empty() && !relation.spoken().is_empty());
                }
                Err(error) => assert!(error.message_zh().ends_with('。')),
            }
        }
        for code in 100..=255u8 {
            assert_eq!(RelationCode::try_new(code), Err(RelationError::Unknown));
        }
        for text in ["", "5", "052", "5２", "-5", "母亲"] {
            assert_eq!(RelationCode::parse(text), Err(RelationError::Unknown), "{text:?}");
        }
    }

    #[test]
    fn a_refused_relative_is_named_in_the_refusal() {
        let refusal = RelationCode::try_new(28).unwrap_err().message_zh();
        assert_eq!(refusal, "女婿不在可以共济的近亲属里。可以的是:配偶、父母、子女、兄弟姐妹、祖父母、外祖父母、孙子女、外孙子女。");
        assert_eq!(RelationCode::try_new(50), Err(RelationError::TooGeneral));
        assert_eq!(RelationCode::try_new(3), Err(RelationError::Unknown));
    }

    #[test]
    fn the_mirror_of_a_mirror_is_the_same_kind_of_relative() {
        for code in 0..=99u8 {
            let Ok(relation) = RelationCode::try_new(code) else { continue };
            for sender in [Sex::Male, Sex::Female] {
                let mirror = relation.mirror(sender);
                assert_eq!(RelationCode::try_new(mirror.get()), Ok(mirror));
                assert_eq!(mirror.kinship(), relation.kinship().inverse(), "{relation:?} by {sender:?}");
                assert_eq!(mirror.sex(), Some(sender));
                let receiver = relation.sex().unwrap_or(Sex::Male);
                assert_eq!(mirror.mirror(receiver).kinship(), relation.kinship());
            }
        }
        for kinship in Kinship::ALL {
            assert_eq!(kinship.inverse().inverse(), kinship);
        }
        assert_eq!(RelationCode::try_new(52).unwrap().mirror(Sex::Male).label(), "儿子");
        assert_eq!(RelationCode::try_new(75).unwrap().mirror(Sex::Male).label(), "弟弟");
        assert_eq!(RelationCode::try_new(64).unwrap().mirror(Sex::Female).label(), "外孙女");
    }

    #[test]
    fn the_form_offers_each_kind_and_only_allowed_codes() {
        for kinship in Kinship::ALL {
            assert!(RELATION_CHOICES.iter().any(|choice| choice.code.kinship() == kinship), "{kinship:?}");
        }
        for (at, choice) in RELATION_CHOICES.iter().enumerate() {
            assert_eq!(RelationCode::try_new(choice.code.get()), Ok(choice.code));
            assert!(RELATION_CHOICES[..at].iter().all(|earlier| earlier.code != choice.code));
        }
    }
}
