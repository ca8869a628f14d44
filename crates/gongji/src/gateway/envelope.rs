//! The national envelope: head and `input` of a message, and the envelope of its answer.
//!
//! Field names and lengths are those of the national interface, the odd pair `admvs` (treating place) and `admdvs` (insured place) included.

use super::cainfo;
use super::fields::{Fields, compact_day};
use super::node::Node;
use super::refusal::{Refusal, Wrong};
use crate::time::date;
use gongji_files::signature::SigningKey;
use gongji_ledger::{AreaCode, InstitutionId};
use gongji_wallet::day::{Day, day_of, ms_of_day};

/// Longest `input` (characters), except of an uploaded file.
pub const INPUT_LEN_MAX: usize = 40_000;

/// Where an operator sits (`opter_type`).
const OPTER_TYPES: [&str; 3] = ["1", "2", "3"];

/// Who sent a message, and under which number: what must be right before it is written down.
#[derive(Debug)]
pub struct Sender {
    pub infno: String,
    pub msgid: String,
    /// The institution's business day, from the time inside the `msgid`.
    pub day: Day,
}

impl Sender {
    pub fn read(message: &Fields<'_>, institution: InstitutionId) -> Result<Sender, Refusal> {
        let code = message.text("fixmedins_code", 12)?;
        if code != institution.to_string() {
            return Err(Wrong::InstitutionDiffers.into());
        }
        let msgid = message.text("msgid", 30)?;
        let day = msgid.get(12..26).and_then(compact_day);
        let is_whole = msgid.len() == 30 && msgid.starts_with(&code) && msgid.bytes().skip(26).all(|byte| byte.is_ascii_alphanumeric());
        let day = day.filter(|_| is_whole).ok_or(Wrong::MsgidMalformed)?;
        Ok(Sender { infno: message.text("infno", 4)?, msgid, day })
    }
}

/// The rest of the head.
#[derive(Debug)]
pub struct Head {
    pub insuplc: Option<AreaCode>,
    pub opter: String,
    pub opter_type: String,
    pub sign_no: Option<String>,
}

impl Head {
    /// `area`: where the institution is.
    pub fn read(message: &Fields<'_>, area: AreaCode) -> Result<Head, Refusal> {
        if message.area("mdtrtarea_admvs")? != area {
            return Err(Wrong::AreaDiffers.into());
        }
        message.text("recer_sys_code", 10)?;
        message.text_if("dev_no", 100)?;
        message.text_if("dev_safe_info", 2_000)?;
        message.text("infver", 10)?;
        message.text("opter_name", 50)?;
        message.time("inf_time")?;
        message.text("fixmedins_name", 20)?;
        Ok(Head {
            insuplc: message.area_if("insuplc_admdvs")?,
            opter: message.text("opter", 30)?,
            opter_type: message.code("opter_type", &OPTER_TYPES)?,
            sign_no: message.text_if("sign_no", 30)?,
        })
    }
}

/// `input`, as long as it may be.
pub fn input<'a>(message: &Fields<'a>, len_max: usize) -> Result<Fields<'a>, Refusal> {
    let raw = message.raw("input").map_or("", |input| input.get());
    if raw.chars().count() > len_max {
        return Err(Wrong::InputTooLong.into());
    }
    message.node("input")
}

/// What stands around every answer.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The institution's region; zero where it is unknown.
    pub area: AreaCode,
    /// Number under which the message was written down; zero where it was not.
    pub serial: u64,
    pub received: i64,
    pub answered: i64,
}

impl Reply {
    pub fn refmsgid(&self) -> String {
        // Of a number given out here: four digits of its partition, six of its serial.
        let (part, serial) = (gongji_store::vault::part_of(self.serial) % 10_000, (self.serial & 0xFFFF_FFFF) % 1_000_000);
        format!("{:06}{}{part:04}{serial:06}", self.area, compact(self.received))
    }

    /// An answer as it is sent; signed where a key is given.
    pub fn json(&self, told: Result<&Node, &Refusal>, signer: Option<Signer<'_>>) -> String {
        let (infcode, err_msg, output) = match told {
            Ok(output) => (0, String::new(), output.clone().json()),
            Err(refusal) => (-1, refusal.told(), "null".to_owned()),
        };
        let ms = |at: i64| format!("{}{:03}", compact(at), ms_of_day(at) % 1_000);
        let (refmsgid, respond_time) = (self.refmsgid(), ms(self.answered));
        let node = Node::new()
            .number("infcode", infcode)
            .text("inf_refmsgid", &refmsgid)
            .text("refmsg_time", ms(self.received))
            .text("respond_time", &respond_time)
            .text("err_msg", &err_msg)
            .written("output", &output);
        let Some(Signer { key, msgid }) = signer else { return node.json() };
        let text = cainfo::answer_text(msgid, infcode, &refmsgid, &respond_time, &err_msg, &output);
        node.text("signtype", cainfo::SIGN_TYPE).text("cainfo", key.sign_base64(text.as_bytes())).json()
    }
}

/// The platform's key, and the message that is answered.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub key: &'a SigningKey,
    pub msgid: &'a str,
}

/// `yyyyMMddHHmmss` in China.
pub fn compact(at: i64) -> String {
    time(at).chars().filter(char::is_ascii_digit).collect()
}

/// `yyyy-MM-dd HH:mm:ss` in China.
pub fn time(at: i64) -> String {
    let seconds = ms_of_day(at) / 1_000;
    format!("{} {:02}:{:02}:{:02}", date(day_of(at)), seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
