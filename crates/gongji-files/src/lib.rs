//! Files in and out: import files become typed rows, amounts and codes become what people read.
//!
//! Pure: bytes in, values out. Nothing here opens a file, reads a clock or knows what the rows do to the books.
//! Input is never a reason to fail: [`parse`] returns the rows *and* every bad line with its number and reason.

mod amount;
mod capital;
pub mod clearing;
mod csv_table;
mod import;
mod qr;
pub mod reconcile;
pub mod signature;
pub mod webhook;

pub use amount::{AmountError, format_yuan, parse_typed_yuan, parse_yuan, yuan};
pub use capital::capital_amount;
pub use csv_table::{Bom, CsvTable};
pub use import::{
    AMOUNT_FEN_MAX, BadLine, CELL_CHARS_MAX, Column, ContributionRow, EnrolmentRow, EnrolmentStatus, GeoPoint, INSURANCE_KINDS, ImportKind, InstitutionRow,
    Limits, LoginRow, Options, Parsed, ParsedFile, PersonRow, PremiumPayer, PremiumRow, Readiness, RegionLevel, RegionOpened, RegionRow, Row, YearMonth,
    insurance_label, parse, parse_date, parse_file, provinces_without_list,
};
pub use qr::{QrError, qr_svg};

use sm3::{Digest as _, Sm3};

/// SM3 of a whole file: what makes a repeated import recognisable. 依据：GB/T 32905.
pub fn file_digest(bytes: &[u8]) -> [u8; 32] {
    Sm3::digest(bytes).into()
}

/// Lower-case hexadecimal, as digests are shown.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every write");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sm3() {
        assert_eq!(hex(&file_digest(b"abc")), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    }
}
