//! 1101 who somebody is, and 1162 what an e-code says. Both need the person's own code or password: nobody is looked up by number alone.

use super::Call;
use super::certificate::{Certificate, Known};
use super::ecode;
use super::envelope::time;
use super::node::Node;
use super::refusal::{Refusal, Wrong};
use crate::problem::Problem;
use crate::service::national::psn_no;
use crate::service::payment::{self, code_text};
use crate::time::date;
use gongji_store::vault::Person;
use gongji_wallet::Reason;
use gongji_wallet::citizen::{CitizenNumber, Sex};
use gongji_wallet::day::day_of;
use gongji_wallet::object::{Business, EMPLOYEE, EnrolmentStatus};

/// Kinds of certificates of a person.
const PSN_CERT_TYPES: [&str; 9] = ["01", "02", "03", "04", "05", "06", "07", "08", "99"];

/// Why an e-code is used (用码业务类型): those that end in a payment here, and the kind of business they are.
const BUSINESS_TYPES: [(&str, Business); 3] = [("01301", Business::Outpatient), ("01302", Business::Outpatient), ("02121", Business::Pharmacy)];

/// A person as far as an institution may see them.
pub struct Shown {
    pub psn_no: String,
    person: Person,
    number: Option<CitizenNumber>,
}

impl Shown {
    pub async fn of(call: &Call<'_>, known: &Known) -> Result<Shown, Refusal> {
        let holder = known.holder.id;
        let person = call.app.vault(move |vault| vault.person(holder.0)).await?.ok_or(Reason::NotFound)?;
        let number = CitizenNumber::parse(person.id_number.reveal()).ok();
        Ok(Shown { psn_no: psn_no(call.app.vault.keys(), call.institution, holder), person, number })
    }

    pub fn write(&self, call: &Call<'_>, node: Node) -> Node {
        let gender = match self.number.map(|number| number.sex()) {
            Some(Sex::Male) => "1",
            Some(Sex::Female) => "2",
            None => "9",
        };
        let age = self.number.map_or(0, |number| i64::from(number.age_on(day_of(call.now))));
        node.text("psn_no", &self.psn_no)
            .text("psn_cert_type", "01")
            .text("certno", self.certno())
            .text("psn_name", self.name())
            .text("gend", gender)
            .text("naty", "")
            .null("brdy")
            .number("age", age)
    }

    /// Masked: enough to see that it is the right person.
    pub fn name(&self) -> String {
        self.person.masked_name()
    }

    pub fn certno(&self) -> String {
        self.number.map(|number| number.masked()).unwrap_or_default()
    }
}

pub async fn person(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    data.code_if("psn_cert_type", &PSN_CERT_TYPES)?;
    let (name, certno) = (data.text_if("psn_name", 50)?, data.text_if("certno", 50)?);
    if data.raw("begntime").is_some() {
        data.day("begntime")?;
    }
    let certificate = Certificate::read(call, &data, &Business::ALL)?;
    let known = certificate.known(call).await?;
    known.check(call, None)?;
    let shown = Shown::of(call, &known).await?;
    let is_other_name = name.is_some_and(|name| name != shown.person.name.reveal());
    let is_other_number = certno.is_some_and(|certno| !certno.eq_ignore_ascii_case(shown.person.id_number.reveal()));
    if is_other_name || is_other_number {
        return Err(Wrong::PersonDiffers.into());
    }
    Ok(Node::new()
        .node("baseinfo", shown.write(call, Node::new()))
        .nodes("insuinfo", insurance(&known))
        .nodes("idetinfo", [])
        .node("wlt", Node::new().text("wlt_opn", if known.holder.wallet.is_some() { "1" } else { "0" }).text("wlt_admdvs", place(&known))))
}

/// Where the wallet pays.
fn place(known: &Known) -> String {
    known.holder.wallet.as_ref().map(|wallet| format!("{:06}", wallet.place)).unwrap_or_default()
}

fn insurance(known: &Known) -> Option<Node> {
    let enrolment = known.holder.enrolment?;
    let status = match enrolment.status {
        EnrolmentStatus::Normal => "1",
        EnrolmentStatus::Paused => "2",
        EnrolmentStatus::Ended => "3",
    };
    let balance = if enrolment.insurance == EMPLOYEE { known.balance() } else { gongji_ledger::Fen::ZERO };
    Some(
        Node::new()
            .yuan("balc", balance)
            .text("insutype", enrolment.insurance.to_string())
            .text("psn_type", "")
            .text("psn_insu_stas", status)
            .text("psn_insu_date", date(enrolment.from))
            .null("paus_insu_date")
            .text("cvlserv_flag", "0")
            .text("insuplc_admdvs", format!("{:06}", enrolment.area))
            .null("emp_name"),
    )
}

pub async fn decode(call: &Call<'_>) -> Result<Node, Refusal> {
    let data = call.input.node("data")?;
    let business = data.text("businessType", 5)?;
    let business = BUSINESS_TYPES.iter().find(|(code, _)| *code == business).map(|(_, business)| *business);
    let business = business.ok_or_else(|| data.wrong("businessType", Wrong::CodeTable))?;
    if (business == Business::Pharmacy) != call.institution.is_pharmacy() {
        return Err(Wrong::BusinessDiffers.into());
    }
    data.text("operatorId", 30)?;
    data.text_if("operatorName", 50)?;
    data.text_if("officeId", 30)?;
    data.text_if("officeName", 50)?;
    let code = code_text(&data.text("ecQrcode", 64)?).ok_or(Reason::CodeUnknown)?;
    let (_, expires) = payment::decode(call.app, call.institution, Some(business), &code).await.map_err(Problem::from)?;
    let known = Certificate::Ecode { code: code.clone() }.known(call).await?;
    let area = known.insured_area().unwrap_or_default();
    let token = ecode::token(call.app.vault.keys(), call.institution, business, area, &code).ok_or(Reason::CodeUnknown)?;
    let shown = Shown::of(call, &known).await?;
    Ok(Node::new()
        .text("userName", shown.name())
        .text("idNo", shown.certno())
        .text("idType", "01")
        .text("insuOrg", format!("{area:06}"))
        .text("ecIndexNo", &shown.psn_no)
        .text("ecToken", token)
        .node("wlt", Node::new().text("ec_endtime", time(expires))))
}
