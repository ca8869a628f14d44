//! People on file.

use gongji_wallet::citizen::{CitizenNumber, PersonName, Phone};

use super::field::{Cells, Reason};
use super::{Column, Row, required};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    pub line: u32,
    pub id_number: CitizenNumber,
    pub name: PersonName,
    /// The phone on file; children and some of the old have none.
    pub phone: Option<Phone>,
}

impl Row for PersonRow {
    const COLUMNS: &'static [Column] = &[required("id_number"), required("name"), required("phone")];
    type Key = CitizenNumber;
    const KEY_ZH: &'static str = "身份证号";

    fn line(&self) -> u32 {
        self.line
    }

    fn key(&self) -> CitizenNumber {
        self.id_number
    }

    fn read(cells: &mut Cells) -> Option<PersonRow> {
        let id_number = cells.citizen_number("id_number");
        let name = cells.read("name", |text| PersonName::parse(text).map_err(|error| Reason::new(&error.message_zh(), &error.to_string())));
        let phone = cells.read_optional("phone", |text| Phone::parse(text).map_err(|error| Reason::new(&error.message_zh(), &error.to_string())));
        Some(PersonRow { line: cells.line(), id_number: id_number?, name: name?, phone: phone? })
    }
}
