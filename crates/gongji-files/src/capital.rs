//! Amounts in capital Chinese characters, as receipts need them: they cannot be altered with a stroke.
//!
//! 依据：支付结算办法附件一《正确填写票据和结算凭证的基本规定》: 整 after 元, optional after 角 (left out here), none after 分;
//! one 零 for a run of zeros; between 元 and 角 none where the last integer digit is zero (either form is valid).

use gongji_ledger::Fen;

const DIGITS: [&str; 10] = ["零", "壹", "贰", "叁", "肆", "伍", "陆", "柒", "捌", "玖"];
const PLACES: [&str; 4] = ["", "拾", "佰", "仟"];
/// 64 bits of fen end in the fourth group.
const GROUPS: [&str; 4] = ["", "万", "亿", "万亿"];

/// `壹仟贰佰叁拾肆元伍角陆分`; a negative amount starts with 负.
pub fn capital_amount(amount: Fen) -> String {
    let fen_total = amount.0.unsigned_abs();
    let (yuan, jiao, fen) = (fen_total / 100, (fen_total / 10 % 10) as usize, (fen_total % 10) as usize);
    let mut text = String::new();
    if amount.0 < 0 {
        text.push('负');
    }
    if yuan > 0 {
        text.push_str(&capital_integer(yuan));
        text.push('元');
    } else if fen_total == 0 {
        text.push_str("零元");
    }
    match (jiao, fen) {
        (0, 0) => text.push('整'),
        (0, _) => {
            if yuan > 0 {
                text.push('零');
            }
            text.push_str(DIGITS[fen]);
            text.push('分');
        }
        (_, 0) => {
            text.push_str(DIGITS[jiao]);
            text.push('角');
        }
        (_, _) => {
            text.push_str(DIGITS[jiao]);
            text.push('角');
            text.push_str(DIGITS[fen]);
            text.push('分');
        }
    }
    text
}

/// A positive integer, group by group of four digits.
fn capital_integer(value: u64) -> String {
    let mut text = String::new();
    let mut zero_waits = false;
    let groups: Vec<u64> = std::iter::successors(Some(value), |rest| (*rest >= 10_000).then_some(rest / 10_000)).map(|rest| rest % 10_000).collect();
    for (group_at, group) in groups.iter().enumerate().rev() {
        for place in (0..4).rev() {
            let digit = (group / 10u64.pow(place as u32) % 10) as usize;
            if digit == 0 {
                zero_waits = !text.is_empty();
                continue;
            }
            if zero_waits {
                text.push('零');
                zero_waits = false;
            }
            text.push_str(DIGITS[digit]);
            text.push_str(PLACES[place]);
        }
        if *group > 0 {
            // 万亿 writes its 亿 once: with the group of 亿, if that has any digit.
            let is_followed_by_yi = group_at == 3 && groups[2] > 0;
            text.push_str(if is_followed_by_yi { "万" } else { GROUPS[group_at] });
            // Zeros that end a group are said by its unit (壹拾万柒仟); those that start one are not (壹佰万零壹佰).
            zero_waits = false;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_regulation_and_the_edges() {
        for (fen, text) in [
            (140_950, "壹仟肆佰零玖元伍角"),
            (600_714, "陆仟零柒元壹角肆分"),
            (168_032, "壹仟陆佰捌拾元叁角贰分"),
            (10_700_053, "壹拾万柒仟元伍角叁分"),
            (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
            (32_504, "叁佰贰拾伍元零肆分"),
            (0, "零元整"),
            (1, "壹分"),
            (50, "伍角"),
            (100, "壹元整"),
            (1_000, "壹拾元整"),
            (200_000, "贰仟元整"),
            (123_456, "壹仟贰佰叁拾肆元伍角陆分"),
            (100_010_000, "壹佰万零壹佰元整"),
            (1_000_000_000_000, "壹佰亿元整"),
            (1_000_000_000_100, "壹佰亿零壹元整"),
            (10_000_000_000_000_000, "壹佰万亿元整"),
            (12_000_000_000_000_000, "壹佰贰拾万亿元整"),
            (1_200_100_000_000_000, "壹拾贰万零壹拾亿元整"),
            (-5_005, "负伍拾元零伍分"),
        ] {
            assert_eq!(capital_amount(Fen(fen)), text, "{fen}");
        }
    }

    /// Reads capitals back by another method: each unit multiplies what stands before it.
    fn value_of(text: &str) -> i64 {
        let (sign, rest) = text.strip_prefix('负').map_or((1, text), |rest| (-1, rest));
        let (mut total, mut section, mut digit, mut fen) = (0i64, 0i64, 0i64, 0i64);
        for character in rest.chars() {
            match character {
                '拾' => section += std::mem::take(&mut digit) * 10,
                '佰' => section += std::mem::take(&mut digit) * 100,
                '仟' => section += std::mem::take(&mut digit) * 1_000,
                '万' => total += (std::mem::take(&mut section) + std::mem::take(&mut digit)) * 10_000,
                '亿' => {
                    let low = total % 100_000_000 + std::mem::take(&mut section) + std::mem::take(&mut digit);
                    total = (total - total % 100_000_000) + low * 100_000_000;
                }
                '元' => total += std::mem::take(&mut section) + std::mem::take(&mut digit),
                '角' => fen += std::mem::take(&mut digit) * 10,
                '分' => fen += std::mem::take(&mut digit),
                '整' => {}
                other => digit = DIGITS.iter().position(|name| name.starts_with(other)).unwrap() as i64,
            }
        }
        sign * (total * 100 + fen)
    }

    proptest! {
        #[test]
        fn capitals_keep_the_exact_amount(fen in prop_oneof![-10_000..10_000i64, 0..100_000_000_000i64, 0..99_999_999_999_999_999i64, Just(10_000_000), Just(100_000_000_100)]) {
            let text = capital_amount(Fen(fen));
            prop_assert_eq!(value_of(&text), fen, "{}", text);
            prop_assert!(!text.contains("零零"), "{}", text);
        }
    }
}
