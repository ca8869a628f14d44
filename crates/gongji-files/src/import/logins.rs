//! Sample logins of the sandbox. No production import reads passwords.

use gongji_wallet::citizen::{CitizenNumber, PersonName};

use super::field::{Cells, Reason};
use super::{Column, Row, required};

/// A sample person who has registered before the sandbox starts.
#[derive(Clone)]
pub struct LoginRow {
    pub line: u32,
    pub id_number: CitizenNumber,
    pub name: PersonName,
    /// Six digits.
    pub password: String,
    /// One sentence: who this is and what can be tried.
    pub story: String,
}

impl Row for LoginRow {
    const COLUMNS: &'static [Column] = &[required("id_number"), required("name"), required("password"), required("story")];
    type Key = CitizenNumber;
    const KEY_ZH: &'static str = "身份证号";

    fn line(&self) -> u32 {
        self.line
    }

    fn key(&self) -> CitizenNumber {
        self.id_number
    }

    fn read(cells: &mut Cells) -> Option<LoginRow> {
        let id_number = cells.citizen_number("id_number");
        let name = cells.read("name", |text| PersonName::parse(text).map_err(|error| Reason::new(&error.message_zh(), &error.to_string())));
        let password = cells.read("password", |text| {
            let is_pin = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_pin.then(|| text.to_owned()).ok_or_else(|| Reason::new("密码是 6 位数字。", "the password has six digits"))
        });
        let story = cells.text("story", 1, 200);
        Some(LoginRow { line: cells.line(), id_number: id_number?, name: name?, password: password?, story: story? })
    }
}
