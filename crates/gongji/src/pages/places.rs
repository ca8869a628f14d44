//! Where can it be used? Institutions with what really works there, and what readers report of them. No login is needed.
//!
//! Whoever lets the browser tell where they are sees the nearest first. The position comes in a posted form, is used for that one answer, and is
//! written nowhere: not in an address, not in a log, not in a cookie.

use super::frame::{Page, Said, Trouble, Visit, encoded, own_path, to, to_saying};
use super::typed::Typed;
use super::views::lookup::{InstitutionRow, Institutions, Way};
use super::views::{Choice, Hidden, Readiness, Section, format};
use super::words;
use crate::activity::{terminal_of, terminal_word};
use crate::app::App;
use crate::service::place_report::{self, Where};
use crate::service::readiness::{self, Standing, Tally};
use crate::service::{attempt, key};
use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::{get, post};
use gongji_ledger::InstitutionId;
use gongji_wallet::directory::{Directory, Institution, Readiness as Known};
use gongji_wallet::ids::PaymentId;
use gongji_wallet::object::Terminal;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Institutions on one page.
const PAGE_LEN: usize = 20;

/// Nobody goes further for a pharmacy (m).
const NEAR_METRES_MAX: u32 = 100_000;

/// A word of an institution's software is told this long (ms).
const HEARD_MS: i64 = 24 * 3_600_000;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/institutions", get(institutions))
        .route("/institutions/near", get(|| async { to("/institutions") }).post(near))
        .route("/institutions/{code}/report", get(|| async { to("/institutions") }).post(report))
        .route("/pay/report", post(report_order))
}

#[derive(Deserialize, Default)]
struct Wanted {
    area: Option<String>,
    #[serde(default)]
    district: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    terminal: String,
    #[serde(default)]
    readiness: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    from: usize,
}

async fn institutions(visit: Visit, Query(wanted): Query<Wanted>) -> Page {
    list(visit, wanted, None).await
}

/// The same list, the nearest first.
async fn near(visit: Visit, typed: Typed) -> Page {
    let degrees = |field: &str, max: i32| degrees_e6(typed.get(field)).filter(|e6| e6.abs() <= max * 1_000_000);
    let position = degrees("latitude", 90).zip(degrees("longitude", 180)).ok_or(Trouble::Malformed)?;
    let text = |field: &str| typed.text(field);
    let area = Some(text("area"));
    let wanted = Wanted { area, district: text("district"), kind: text("kind"), terminal: text("terminal"), text: text("text"), ..Wanted::default() };
    list(visit, wanted, Some(position)).await
}

/// "28.872" as degrees × 1,000,000; further digits are let go.
fn degrees_e6(text: &str) -> Option<i32> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !is_plain(whole) || !is_plain(part) {
        return None;
    }
    let millionths: String = part.chars().chain("000000".chars()).take(6).collect();
    Some(sign * (whole.parse::<i32>().ok()? * 1_000_000 + millionths.parse::<i32>().ok()?))
}

/// What the page shows of one institution.
struct Found {
    institution: Arc<Institution>,
    standing: Standing,
    /// At the kind of terminal that is asked for.
    state: Known,
    metres: Option<u32>,
}

async fn list(visit: Visit, wanted: Wanted, position: Option<(i32, i32)>) -> Page {
    let (app, now) = (&visit.app, visit.now);
    let directory = app.directory();
    // Whoever has a wallet first sees the place where it is used.
    let own_place = match (&wanted.area, visit.signed) {
        (None, Some(signed)) => visit.holder(signed.subject)?.wallet.map(|wallet| wallet.place),
        _ => None,
    };
    let area = wanted.area.as_deref().and_then(|text| words::known_area(&directory, text)).or(own_place);
    let text: String = wanted.text.trim().chars().take(40).collect();
    let terminal = terminal_of(&wanted.terminal);
    let of_area = directory.institutions.values().filter(|one| area.is_none_or(|area| one.area == area || one.area / 10_000 * 10_000 == area));
    let of_area: Vec<&Arc<Institution>> = of_area.collect();
    let districts: BTreeSet<&str> = of_area.iter().filter(|one| Some(one.area) == area && !one.district.is_empty()).map(|one| one.district.as_str()).collect();
    let district = districts.get(wanted.district.as_str()).copied();
    let fits = |one: &&&Arc<Institution>| {
        district.is_none_or(|district| one.district == district)
            && (wanted.kind.is_empty() || one.is_pharmacy == (wanted.kind == "pharmacy"))
            && (text.is_empty() || one.name.contains(&text) || one.district.contains(&text))
    };
    let judged = of_area.iter().filter(fits).map(|one| {
        let standing = readiness::standing(app, one, now);
        let metres = position.zip(one.position).map(|(here, there)| readiness::metres(here, there));
        Found { institution: Arc::clone(one), standing, state: standing.of(terminal), metres }
    });
    let mut found: Vec<Found> = judged.filter(|one| position.is_none() || one.metres.is_some_and(|metres| metres <= NEAR_METRES_MAX)).collect();
    let mut tally = Tally::default();
    found.iter().for_each(|one| tally.count(one.state));
    let summary = summary(tally, position.is_some(), terminal);
    found.retain(|one| wanted.readiness.is_empty() || readiness_word(one.state) == wanted.readiness);
    // What can be used stands on top, and what is not enabled below, however near.
    found.sort_by(|a, b| {
        let order = |one: &Found| match one.metres {
            Some(metres) => (u8::from(one.state == Known::Off), metres, 0, String::new(), false, one.institution.id),
            None => (one.state as u8, 0, one.institution.area, one.institution.district.clone(), one.institution.is_pharmacy, one.institution.id),
        };
        order(a).cmp(&order(b))
    });
    let rows = found.iter().skip(wanted.from).take(PAGE_LEN).map(|one| row(&directory, one, now)).collect();
    let has_more = position.is_none() && found.len() > wanted.from.saturating_add(PAGE_LEN);
    let area_text = area.map_or_else(String::new, |area| area.to_string());
    let district_text = district.unwrap_or_default().to_owned();
    let more = has_more.then(|| {
        let [district, kind, terminal, readiness, text] = [&district_text, &wanted.kind, &wanted.terminal, &wanted.readiness, &text].map(|text| encoded(text));
        let from = wanted.from + PAGE_LEN;
        format!("/institutions?area={area_text}&district={district}&kind={kind}&terminal={terminal}&readiness={readiness}&text={text}&from={from}")
    });
    let hidden = |name: &str, value: &str| Hidden::new(name, value);
    let choice = |value: &str, label: &str, chosen: &str| Choice::new(value, label, value == chosen);
    let layout = visit.layout("在哪里能用", Section::Places).await?;
    let place = area.map_or_else(|| "全部地区".to_owned(), |area| words::place(&directory, area));
    visit.page(&Institutions {
        layout,
        key: key::fresh(),
        areas: words::area_groups(&directory, area),
        districts: if districts.len() > 1 { districts.iter().map(|name| choice(name, name, &district_text)).collect() } else { Vec::new() },
        kinds: vec![choice("hospital", "医院", &wanted.kind), choice("pharmacy", "药店", &wanted.kind)],
        terminals: Terminal::ALL.map(|one| choice(terminal_word(one), terminal_label(one), &wanted.terminal)).to_vec(),
        readiness: [("ready", "可用"), ("quiet", "已开通,近 7 天没有成功支付"), ("off", "未开通")]
            .map(|(value, label)| choice(value, label, &wanted.readiness))
            .to_vec(),
        reports: report_choices(),
        near: vec![
            hidden("area", &area_text),
            hidden("district", &district_text),
            hidden("kind", &wanted.kind),
            hidden("terminal", &wanted.terminal),
            hidden("text", &text),
        ],
        is_near: position.is_some(),
        place: if position.is_some() { format!("离你近的 · {place}") } else { place },
        text,
        summary,
        rows,
        more,
    })
}

fn summary(Tally { ready, quiet, off }: Tally, is_near: bool, terminal: Option<Terminal>) -> String {
    let whose = match (is_near, terminal) {
        (true, _) => "近处 ".to_owned(),
        (false, Some(terminal)) => format!("{}:", terminal_label(terminal)),
        (false, None) => String::new(),
    };
    format!("{whose}{ready} 家可用,{quiet} 家已开通但近 7 天没有成功支付,{off} 家未开通。")
}

/// What may be reported of a place.
pub fn report_choices() -> Vec<Choice> {
    place_report::Trouble::ALL.map(|what| Choice::new(what.word(), what.label(), false)).to_vec()
}

/// As people call the places where one pays.
pub fn terminal_label(terminal: Terminal) -> &'static str {
    match terminal {
        Terminal::Counter => "窗口",
        Terminal::Kiosk => "自助机",
        Terminal::Mobile => "手机",
    }
}

fn readiness_word(readiness: Known) -> &'static str {
    match readiness {
        Known::Ready => "ready",
        Known::Quiet => "quiet",
        Known::Off => "off",
    }
}

/// Each kind of terminal, and whether it works there.
pub(super) fn ways(standing: &Standing) -> Vec<Way> {
    Terminal::ALL.map(|one| Way::new(terminal_label(one), shown(standing.at(one)))).to_vec()
}

/// "最近一次用钱包付成:11月20日"; the day alone: an hour would tell of somebody's visit.
pub(super) fn last_paid(standing: &Standing) -> String {
    standing.paid_at.map(|at| format!("最近一次用钱包付成:{}", format::day(at))).unwrap_or_default()
}

pub(super) fn shown(readiness: Known) -> Readiness {
    match readiness {
        Known::Ready => Readiness::Ready,
        Known::Quiet => Readiness::Quiet,
        Known::Off => Readiness::Closed,
    }
}

fn row(directory: &Directory, found: &Found, now: i64) -> InstitutionRow {
    let Found { institution, standing, state, metres } = found;
    let kind = match (institution.is_pharmacy, institution.level.as_str()) {
        (true, _) => "药店".to_owned(),
        (false, "") => "医院".to_owned(),
        (false, level) => format!("{level}医院"),
    };
    let ways = if standing.state == Known::Off { Vec::new() } else { ways(standing) };
    let heard = standing.heard_at.filter(|at| *state == Known::Quiet && now - at < HEARD_MS);
    InstitutionRow {
        code: institution.id.to_string(),
        name: institution.name.clone(),
        kind,
        area: words::place(directory, institution.area),
        address: institution.address.clone(),
        readiness: shown(*state),
        ways,
        distance: metres.map(distance).unwrap_or_default(),
        last_paid: last_paid(standing),
        note: heard.map(|at| format!("它的收费系统 {} 报过“在线”。去之前打个电话问一句更稳妥。", format::when(at))).unwrap_or_default(),
    }
}

/// "约 850 米", "约 3.2 公里".
fn distance(metres: u32) -> String {
    match metres {
        0..1_000 => format!("约 {} 米", (metres / 50 * 50).max(50)),
        1_000..10_000 => format!("约 {}.{} 公里", metres / 1_000, metres % 1_000 / 100),
        _ => format!("约 {} 公里", metres / 1_000),
    }
}

/// "Here it did not work".
async fn report(visit: Visit, Path(code): Path<String>, typed: Typed) -> Page {
    let id = InstitutionId::parse(&code).ok_or(Trouble::Missing)?;
    let what = place_report::Trouble::of_word(typed.get("what")).ok_or(Trouble::Malformed)?;
    place_report::report(&visit.app, Where::at(id), what, visit.signed.map(|signed| signed.me)).await?;
    Ok(to_saying(own_path(typed.get("back"), "/institutions"), Said::Reported))
}

/// The same, of an order: a payment of this person, or what was last refused to the code on this person's screen.
async fn report_order(visit: Visit, typed: Typed) -> Page {
    let signed = visit.signed.ok_or(Trouble::Login)?;
    let what = place_report::Trouble::of_word(typed.get("what")).ok_or(Trouble::Malformed)?;
    let place = match words::id_from(typed.get("payment")) {
        Some(id) => Where::of_payment(&visit.app, signed.subject, PaymentId(id))?,
        None => {
            let shown = visit.recall.code(signed.session_id, signed.subject).ok_or(Trouble::Missing)?;
            let attempt = attempt::of_code(&visit.app, signed.subject, &shown.text)?.ok_or(Trouble::Missing)?;
            Where { institution: attempt.institution, order_no: Some(attempt.number) }
        }
    };
    place_report::report(&visit.app, place, what, Some(signed.me)).await?;
    Ok(to_saying(own_path(typed.get("back"), "/pay"), Said::Reported))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_browsers_write_them() {
        assert_eq!(degrees_e6("28.872"), Some(28_872_000));
        assert_eq!(degrees_e6("-0.5"), Some(-500_000));
        assert_eq!(degrees_e6("105"), Some(105_000_000));
        assert_eq!(degrees_e6("105.44230012"), Some(105_442_300));
        for wrong in ["", ".5", "1e2", "28,8", "+1", "--1", "1000", "NaN", "28.8.1", "二十"] {
            assert_eq!(degrees_e6(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn distances_are_told_as_people_say_them() {
        for (metres, words) in [(0, "约 50 米"), (874, "约 850 米"), (999, "约 950 米"), (1_000, "约 1.0 公里"), (3_290, "约 3.2 公里"), (12_900, "约 12 公里")]
        {
            assert_eq!(distance(metres), words);
        }
    }
}
