//! Who is insured where, how and since when.

use gongji_wallet::area::Area;
use gongji_wallet::citizen::CitizenNumber;
use gongji_wallet::day::Day;
use serde::{Deserialize, Serialize};

use super::field::{Cells, Reason};
use super::{Column, Row, required};

/// 险种: code and name. 310 and 390 are the two basic insurances that the wallet asks for.
///
/// 依据：code table `insutype` of the national interface.
pub const INSURANCE_KINDS: [(u16, &str); 14] = [
    (310, "职工基本医疗保险"),
    (320, "公务员医疗补助"),
    (330, "大额医疗费用补助"),
    (340, "离休人员医疗保障"),
    (350, "一至六级残疾军人医疗补助"),
    (360, "老红军医疗保障"),
    (370, "企业补充医疗保险"),
    (380, "新型农村合作医疗"),
    (390, "城乡居民基本医疗保险"),
    (391, "城镇居民基本医疗保险"),
    (392, "城乡居民大病医疗保险"),
    (399, "其他特殊人员医疗保障"),
    (410, "长期照护保险"),
    (510, "生育保险"),
];

/// The name of an insurance code of the table.
pub fn insurance_label(code: u16) -> Option<&'static str> {
    INSURANCE_KINDS.iter().find(|(known, _)| *known == code).map(|(_, label)| *label)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRow {
    pub line: u32,
    pub id_number: CitizenNumber,
    /// The pooling area (参保地); it need not be in the region table, and is not open then.
    pub area: Area,
    /// A code of [`INSURANCE_KINDS`].
    pub insurance: u16,
    pub status: EnrolmentStatus,
    pub from: Day,
    /// 单建统筹: employee insurance without a personal account.
    pub is_pooled_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentStatus {
    Normal,
    Paused,
    Ended,
    Dead,
}

impl Row for EnrolmentRow {
    const COLUMNS: &'static [Column] =
        &[required("id_number"), required("area"), required("insurance"), required("status"), required("from"), required("pooled_only")];
    type Key = (CitizenNumber, Area, u16);
    const KEY_ZH: &'static str = "同一人在同一地区的同一险种";

    fn line(&self) -> u32 {
        self.line
    }

    fn key(&self) -> (CitizenNumber, Area, u16) {
        (self.id_number, self.area, self.insurance)
    }

    fn read(cells: &mut Cells) -> Option<EnrolmentRow> {
        let id_number = cells.citizen_number("id_number");
        let area = cells.area("area");
        let insurance = cells.read("insurance", |text| {
            let code = if text.len() == 3 { text.parse().ok() } else { None };
            code.filter(|code| insurance_label(*code).is_some()).ok_or_else(|| {
                Reason::new("没有这个险种编码;职工医保是 310,居民医保是 390。", "unknown insurance code; 310 is employee, 390 resident insurance")
            })
        });
        let status = cells.choice(
            "status",
            &[("normal", EnrolmentStatus::Normal), ("paused", EnrolmentStatus::Paused), ("ended", EnrolmentStatus::Ended), ("dead", EnrolmentStatus::Dead)],
        );
        let from = cells.date("from");
        let is_pooled_only = cells.yes_or_no("pooled_only");
        let row = EnrolmentRow {
            line: cells.line(),
            id_number: id_number?,
            area: area?,
            insurance: insurance?,
            status: status?,
            from: from?,
            is_pooled_only: is_pooled_only?,
        };
        if row.is_pooled_only && row.insurance != 310 {
            cells.note("pooled_only", "只有职工医保(310)才有单建统筹。", "only employee insurance (310) can be pooled only");
        }
        if row.from < row.id_number.birth_day() {
            cells.note("from", "参保日期早于出生日期。", "the enrolment begins before birth");
        }
        Some(row)
    }
}
