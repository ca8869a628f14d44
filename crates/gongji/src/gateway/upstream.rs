//! The settlement of the pooling area, asked for the fund's split of a bill that came without one.

use super::Call;
use super::fields::Fields;
use super::refusal::{Refusal, Wrong};
use crate::identity::AdapterError;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Question<'a> {
    /// The message's number: a repetition carries the same one.
    request_id: &'a str,
    infno: &'a str,
    fixmedins_code: String,
    mdtrtarea_admvs: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    insuplc_admdvs: Option<String>,
    /// The bill as the institution wrote it, without what was typed on a keypad.
    data: &'a RawValue,
}

/// The answer to a bill without a split; `None` where it has one, or nobody is there to ask.
pub async fn split(call: &Call<'_>) -> Result<Option<Box<RawValue>>, Refusal> {
    let Some(settlement) = call.app.gateway.settlement.as_ref().filter(|_| call.input.raw("setlinfo").is_none()) else { return Ok(None) };
    let data = call.input.raw("druginfo").or_else(|| call.input.raw("data"));
    let question = Question {
        request_id: &call.sender.msgid,
        infno: &call.sender.infno,
        fixmedins_code: call.code(),
        mdtrtarea_admvs: format!("{:06}", call.area),
        insuplc_admdvs: call.head.insuplc.map(|area| format!("{area:06}")),
        data: data.ok_or_else(|| Refusal::field(Wrong::FieldMissing, "input.data"))?,
    };
    match settlement.post::<_, Box<RawValue>>("/v1/splits", &question).await {
        Ok(answer) => Ok(Some(answer)),
        Err(AdapterError::Refused(word)) => Err(Refusal::detailed(Wrong::SplitRefused, &word)),
        Err(_) => Err(Wrong::SplitUnavailable.into()),
    }
}

/// Where the split stands: in the answer, or in the message itself.
pub fn given<'a>(call: &'a Call<'_>, answer: Option<&'a RawValue>) -> Result<Fields<'a>, Refusal> {
    match answer {
        Some(answer) => Fields::of_node(answer.get(), "settlement").ok_or_else(|| Wrong::SplitUnavailable.into()),
        None => Ok(call.input.clone()),
    }
}
