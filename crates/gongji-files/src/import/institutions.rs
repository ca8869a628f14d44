//! Designated hospitals and pharmacies, and whether they take the wallet.

use gongji_wallet::area::Area;
use gongji_wallet::citizen::{InstitutionCode, InstitutionKind};
use serde::{Deserialize, Serialize};

use super::field::{Cells, Reason};
use super::{Column, Row, optional, required};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstitutionRow {
    pub line: u32,
    pub code: InstitutionCode,
    pub name: String,
    /// The pooling area it settles with; the code may name a county below it.
    pub area: Area,
    pub kind: InstitutionKind,
    /// 三级甲等, 二级, 社区 …; may be empty.
    pub level: String,
    pub address: String,
    /// The district people know it by.
    pub district: String,
    pub readiness: Readiness,
    /// Where in the house the wallet is taken.
    pub is_counter_ready: bool,
    pub is_kiosk_ready: bool,
    pub is_mobile_ready: bool,
    pub place: Option<GeoPoint>,
}

/// 依据：`businessLvWlt` of the public query: 1 = normal, 2 = opened without data for 7 days, 0 and 3 = not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// 可用
    Ready,
    /// 已开通,但近 7 天没有成功支付
    Quiet,
    /// 未开通
    Off,
}

/// Degrees times a million, so that no floating point is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GeoPoint {
    pub latitude_microdegrees: i32,
    pub longitude_microdegrees: i32,
}

impl Row for InstitutionRow {
    const COLUMNS: &'static [Column] = &[
        required("code"),
        required("name"),
        required("area"),
        required("kind"),
        required("level"),
        required("address"),
        required("district"),
        required("readiness"),
        required("counter"),
        required("kiosk"),
        required("mobile"),
        optional("lat"),
        optional("lon"),
    ];
    type Key = InstitutionCode;
    const KEY_ZH: &'static str = "机构编码";

    fn line(&self) -> u32 {
        self.line
    }

    fn key(&self) -> InstitutionCode {
        self.code
    }

    fn read(cells: &mut Cells) -> Option<InstitutionRow> {
        let code = cells.read("code", |text| InstitutionCode::parse(text).map_err(|error| Reason::new(error.message_zh(), &error.to_string())));
        let name = cells.text("name", 1, 100);
        let area = cells.area("area");
        let kind = cells.choice("kind", &[("hospital", InstitutionKind::Hospital), ("pharmacy", InstitutionKind::Pharmacy)]);
        let level = cells.text("level", 0, 20);
        let address = cells.text("address", 0, 200);
        let district = cells.text("district", 0, 50);
        let readiness = cells.choice("readiness", &[("ready", Readiness::Ready), ("quiet", Readiness::Quiet), ("off", Readiness::Off)]);
        let counter = cells.yes_or_no("counter");
        let kiosk = cells.yes_or_no("kiosk");
        let mobile = cells.yes_or_no("mobile");
        // Bounds of the country: they also catch the two columns swapped.
        let latitude = cells.read_optional("lat", |text| microdegrees(text, 3, 54));
        let longitude = cells.read_optional("lon", |text| microdegrees(text, 73, 136));
        if cells.is_empty("lat") != cells.is_empty("lon") {
            cells.note("lat", "经纬度要么都填,要么都不填。", "latitude and longitude are given both or not at all");
        }
        let place = match (latitude?, longitude?) {
            (Some(latitude_microdegrees), Some(longitude_microdegrees)) => Some(GeoPoint { latitude_microdegrees, longitude_microdegrees }),
            _ => None,
        };
        let row = InstitutionRow {
            line: cells.line(),
            code: code?,
            name: name?,
            area: area?,
            kind: kind?,
            level: level?,
            address: address?,
            district: district?,
            readiness: readiness?,
            is_counter_ready: counter?,
            is_kiosk_ready: kiosk?,
            is_mobile_ready: mobile?,
            place,
        };
        if row.code.kind() != row.kind {
            cells.note("kind", "机构编码以 H 开头的是 hospital,以 P 开头的是 pharmacy。", "a code with H is a hospital, with P a pharmacy");
        }
        Some(row)
    }
}

/// `28.871234`: whole degrees within bounds and up to six decimals.
fn microdegrees(text: &str, degrees_min: i32, degrees_max: i32) -> Result<i32, Reason> {
    let parse = || {
        let (degrees, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(degrees) || !are_digits(decimals) || degrees.len() > 3 || decimals.len() > 6 {
            return None;
        }
        let degrees: i32 = degrees.parse().ok()?;
        let decimals: i32 = format!("{decimals:0<6}").parse().ok()?;
        (degrees_min..degrees_max).contains(&degrees).then_some(degrees * 1_000_000 + decimals)
    };
    parse().ok_or_else(|| {
        Reason::new("经纬度不对:纬度在 3 到 54 之间,经度在 73 到 136 之间,最多 6 位小数。", "latitude 3 to 54, longitude 73 to 136, at most six decimals")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_exact() {
        assert_eq!(microdegrees("28.8717", 3, 54), Ok(28_871_700));
        assert_eq!(microdegrees("28", 3, 54), Ok(28_000_000));
        assert_eq!(microdegrees("105.000001", 73, 136), Ok(105_000_001));
        for text in ["", "-28.1", "105.1", "28.", "28.1234567", "28,1", "2 8", ".5"] {
            assert!(microdegrees(text, 3, 54).is_err(), "{text}");
        }
    }
}
