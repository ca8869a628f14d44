//! What everybody may look up: regions with their openings, institutions with their readiness.

use super::readiness::{AreaReadiness, ReadinessWord, TerminalBody, last_paid_on, terminals};
use super::wire::{AreaRef, area, cursor, id_from, page_len, parse_cursor};
use crate::app::App;
use crate::problem::Problem;
use crate::service::place_report::{self, Trouble, Where};
use crate::service::readiness;
use crate::time::{date, rfc3339};
use crate::web::{MaybeCitizen, StrictJson, StrictPath, StrictQuery};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gongji_wallet::Reason;
use gongji_wallet::day::day_of;
use gongji_wallet::directory::{Coverage, Institution, Region, RegionLevel};
use gongji_wallet::ids::PaymentId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(regions)).routes(routes!(region)).routes(routes!(institutions)).routes(routes!(institution)).routes(routes!(report))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RegionQuery {
    /// Part of a name, as 泸州.
    #[serde(default)]
    q: Option<String>,
    /// Code of a province, as 510000.
    #[serde(default)]
    province: Option<String>,
    /// Only those that take part today, or do not.
    #[serde(default)]
    is_open: Option<bool>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
struct RegionList {
    regions: Vec<RegionBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    as_of: String,
}

/// A pooling area or, as a heading, a province.
#[derive(Debug, Serialize, ToSchema)]
struct RegionBody {
    #[schema(example = "510500")]
    code: String,
    #[schema(example = "泸州市")]
    name: String,
    #[schema(example = "四川省")]
    province: String,
    #[schema(example = "prefecture")]
    level: &'static str,
    /// Takes part today.
    is_open: bool,
    /// The next day on which it opens, if one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_on: Option<String>,
    /// All openings and closings, oldest first.
    openings: Vec<Opening>,
    /// Whether the place of use may be changed from and to here.
    change_of_use: bool,
    /// Of a province: how far it has opened. `unlisted`: named as opened in part, but no list of areas was published (名单未公布).
    #[schema(example = "area")]
    coverage: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct Opening {
    from: String,
    is_open: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct RegionDetail {
    region: RegionBody,
    readiness: AreaReadiness,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InstitutionQuery {
    /// Six-digit code of the area.
    area: String,
    /// Part of a name or address.
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    kind: Option<InstitutionKind>,
    #[serde(default)]
    readiness: Option<ReadinessWord>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum InstitutionKind {
    Hospital,
    Pharmacy,
}

#[derive(Debug, Serialize, ToSchema)]
struct InstitutionList {
    institutions: Vec<InstitutionBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    as_of: String,
}

/// A designated hospital or pharmacy.
#[derive(Debug, Serialize, ToSchema)]
struct InstitutionBody {
    #[schema(example = "H51050000001")]
    code: String,
    name: String,
    kind: InstitutionKind,
    #[schema(example = "三级甲等")]
    level: String,
    area: AreaRef,
    district: String,
    address: String,
    /// The best of its terminals.
    readiness: ReadinessWord,
    /// Counter, kiosk and mobile.
    terminals: Vec<TerminalBody>,
    /// Day of the last captured payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_paid_on: Option<String>,
    /// Enabled at the counter, by the list of institutions.
    counter: bool,
    /// Enabled at a kiosk, by the list.
    kiosk: bool,
    /// Enabled in its own app, by the list.
    mobile: bool,
    /// Degrees × 1,000,000: latitude, longitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
struct Position {
    latitude_e6: i32,
    longitude_e6: i32,
}

fn region_body(region: &Region, today: i32) -> RegionBody {
    RegionBody {
        code: format!("{:06}", region.code),
        name: region.name.clone(),
        province: region.province.clone(),
        level: match region.level {
            RegionLevel::Province => "province",
            RegionLevel::Prefecture => "prefecture",
            RegionLevel::County => "county",
            RegionLevel::ProvincialDirect => "provincial_direct",
            RegionLevel::Division => "division",
            RegionLevel::Enterprise => "enterprise",
        },
        is_open: region.is_open(today),
        opens_on: if region.is_open(today) { None } else { region.opens_after(today).map(date) },
        openings: region.openings.iter().map(|(from, is_open)| Opening { from: date(*from), is_open: *is_open }).collect(),
        change_of_use: region.change_of_use,
        coverage: match region.coverage {
            Coverage::Area => "area",
            Coverage::Full => "full",
            Coverage::Partial => "partial",
            Coverage::Unlisted => "unlisted",
            Coverage::Closed => "closed",
        },
    }
}

fn institution_body(app: &App, institution: &Institution, now: i64) -> InstitutionBody {
    let (directory, standing) = (app.directory(), readiness::standing(app, institution, now));
    InstitutionBody {
        code: institution.id.to_string(),
        name: institution.name.clone(),
        kind: kind(institution),
        level: institution.level.clone(),
        area: AreaRef::new(&directory, institution.area),
        district: institution.district.clone(),
        address: institution.address.clone(),
        readiness: standing.state.into(),
        terminals: terminals(&standing),
        last_paid_on: last_paid_on(&standing),
        counter: institution.counter,
        kiosk: institution.kiosk,
        mobile: institution.mobile,
        position: institution.position.map(|(latitude_e6, longitude_e6)| Position { latitude_e6, longitude_e6 }),
    }
}

fn kind(institution: &Institution) -> InstitutionKind {
    if institution.is_pharmacy { InstitutionKind::Pharmacy } else { InstitutionKind::Hospital }
}

/// Regions and their openings
#[utoipa::path(get, path = "/regions", tag = "lookup", params(RegionQuery), responses((status = 200, description = "By code", body = RegionList)), security(()))]
async fn regions(State(app): State<Arc<App>>, StrictQuery(asked): StrictQuery<RegionQuery>) -> Result<Json<RegionList>, Problem> {
    let (after, limit) = (parse_cursor(asked.cursor.as_deref())?, page_len(asked.limit)?);
    let (directory, now) = (app.directory(), app.now());
    let today = day_of(now);
    let province = asked.province.as_deref().map(|code| area(&directory, code, "province")).transpose()?;
    let wanted = |region: &&Arc<Region>| {
        after.is_none_or(|after| u64::from(region.code) > after)
            && province.is_none_or(|province| region.province_code == province)
            && asked.is_open.is_none_or(|is_open| region.is_open(today) == is_open)
            && asked.q.as_deref().is_none_or(|part| region.name.contains(part.trim()) || region.province.contains(part.trim()))
    };
    let mut found: Vec<&Arc<Region>> = directory.regions.values().filter(wanted).take(limit + 1).collect();
    let next_cursor = (found.len() > limit).then(|| found.truncate(limit)).and_then(|()| found.last().map(|last| cursor(last.code.into())));
    Ok(Json(RegionList { regions: found.into_iter().map(|region| region_body(region, today)).collect(), next_cursor, as_of: rfc3339(now) }))
}

/// One region, and how many institutions there take the wallet
#[utoipa::path(get, path = "/regions/{code}", tag = "lookup", params(("code" = String, Path, description = "Six-digit code")),
    responses((status = 200, description = "The region", body = RegionDetail)), security(()))]
async fn region(State(app): State<Arc<App>>, StrictPath(code): StrictPath<String>) -> Result<Json<RegionDetail>, Problem> {
    let directory = app.directory();
    let region = code.parse().ok().and_then(|code: u32| directory.regions.get(&code)).ok_or(Reason::DirectoryUnknown)?;
    Ok(Json(RegionDetail { region: region_body(region, day_of(app.now())), readiness: AreaReadiness::of(&app, region.code) }))
}

/// Hospitals and pharmacies of an area
#[utoipa::path(get, path = "/institutions", tag = "lookup", params(InstitutionQuery), responses((status = 200, description = "By code", body = InstitutionList)), security(()))]
async fn institutions(State(app): State<Arc<App>>, StrictQuery(asked): StrictQuery<InstitutionQuery>) -> Result<Json<InstitutionList>, Problem> {
    let (after, limit) = (parse_cursor(asked.cursor.as_deref())?, page_len(asked.limit)?);
    let (directory, now) = (app.directory(), app.now());
    let area = area(&directory, &asked.area, "area")?;
    let wanted = |institution: &&Arc<Institution>| {
        after.is_none_or(|after| institution.id.0 > after)
            && asked.kind.is_none_or(|wanted| kind(institution) == wanted)
            && asked.readiness.is_none_or(|wanted| ReadinessWord::from(readiness::standing(&app, institution, now).state) == wanted)
            && asked.q.as_deref().is_none_or(|part| institution.name.contains(part.trim()) || institution.address.contains(part.trim()))
    };
    let mut found: Vec<&Arc<Institution>> = directory.institutions_in(area).filter(wanted).take(limit + 1).collect();
    let next_cursor = (found.len() > limit).then(|| found.truncate(limit)).and_then(|()| found.last().map(|last| cursor(last.id.0)));
    let institutions = found.into_iter().map(|institution| institution_body(&app, institution, now)).collect();
    Ok(Json(InstitutionList { institutions, next_cursor, as_of: rfc3339(now) }))
}

/// One institution
#[utoipa::path(get, path = "/institutions/{code}", tag = "lookup", params(("code" = String, Path, description = "The institution's code")),
    responses((status = 200, description = "The institution", body = InstitutionBody)), security(()))]
async fn institution(State(app): State<Arc<App>>, StrictPath(code): StrictPath<String>) -> Result<Json<InstitutionBody>, Problem> {
    let directory = app.directory();
    let id = gongji_ledger::InstitutionId::parse(&code).ok_or(Reason::InstitutionUnknown)?;
    let institution = directory.institutions.get(&id).ok_or(Reason::InstitutionUnknown)?;
    Ok(Json(institution_body(&app, institution, app.now())))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceReportRequest {
    what: Trouble,
    /// The payment it is about: one of this person's own, at this institution. The office sees what became of its order.
    #[serde(default)]
    payment: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PlaceReported {
    institution: String,
    reported_at: String,
}

/// Report that the wallet does not work here
///
/// Read at the office. With or without a session; one person's word counts once a day. Nothing personal can be written.
#[utoipa::path(post, path = "/institutions/{code}/reports", tag = "lookup", params(("code" = String, Path, description = "The institution's code")), request_body = PlaceReportRequest,
    responses((status = 201, description = "Written down", body = PlaceReported)), security((), ("session" = [])))]
async fn report(
    State(app): State<Arc<App>>,
    MaybeCitizen(citizen): MaybeCitizen,
    StrictPath(code): StrictPath<String>,
    StrictJson(asked): StrictJson<PlaceReportRequest>,
) -> Result<(StatusCode, Json<PlaceReported>), Problem> {
    let id = gongji_ledger::InstitutionId::parse(&code).ok_or(Reason::InstitutionUnknown)?;
    let place = match (&asked.payment, &citizen) {
        (None, _) => Where::at(id),
        (Some(payment), Some(citizen)) => Where::of_payment(&app, citizen.subject, PaymentId(id_from(payment)?))?,
        (Some(_), None) => return Err(Reason::NotFound.into()),
    };
    if place.institution != id {
        return Err(Reason::NotFound.into());
    }
    place_report::report(&app, place, asked.what, citizen.map(|citizen| citizen.holder)).await?;
    Ok((StatusCode::CREATED, Json(PlaceReported { institution: id.to_string(), reported_at: rfc3339(app.now()) })))
}
