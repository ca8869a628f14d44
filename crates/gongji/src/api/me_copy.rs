//! A copy of everything that is kept of a person, for that person; and signing off. 依据:个人信息保护法第四十五、四十七条。

use super::auth::{self, SessionList};
use super::family::{self, AgentList, RelationList};
use super::me::{self, Me, Notice};
use super::recorded::Done;
use super::statement::{self, Movement};
use super::wallet::{self, WalletBody};
use crate::app::App;
use crate::identity::IdentityError;
use crate::problem::Problem;
use crate::service::rights;
use crate::time::rfc3339;
use crate::web::{Citizen, StrictJson, clear_session_cookie, clear_subject_cookie, person_id};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use gongji_store::seal::Sensitive;
use gongji_store::vault::{Consent, MESSAGES_PAGE_MAX};
use gongji_wallet::Reason;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Most movements in one copy: thirty years of a busy family. Older ones stand in the statement.
const MOVEMENTS_MAX: usize = 20_000;

/// Most notices in one copy; they are kept for 400 days.
const NOTICES_MAX: usize = 5_000;

pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(data)).routes(routes!(sign_off))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnPassword {
    /// The 医保码 password: this is more than a session may see.
    #[schema(value_type = String, format = Password)]
    password: Sensitive,
}

/// Everything that is kept of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonalData {
    made_at: String,
    identity: OwnIdentity,
    summary: Me,
    wallet: WalletBody,
    relations: RelationList,
    agents: AgentList,
    devices: SessionList,
    consents: Vec<ConsentBody>,
    notices: Vec<Notice>,
    /// Newest first.
    movements: Vec<Movement>,
    /// Older movements are not in here; the statement has them.
    has_older_movements: bool,
}

/// Written out in full, for nobody but the person.
#[derive(Debug, Serialize, ToSchema)]
struct OwnIdentity {
    id: String,
    name: String,
    id_number: String,
    phone: Option<String>,
    is_registered: bool,
    password_set_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consent)]
struct ConsentBody {
    /// What it allows.
    #[schema(example = "act-on-behalf")]
    subject: String,
    text_version: String,
    /// Whether the person gave it, or a guardian or relative did.
    given_by_self: bool,
    given_at: String,
    withdrawn_at: Option<String>,
}

/// Puts the copy together for whoever is logged in; never for a relative they act for.
///
/// # Errors
/// The vault or the books cannot be read.
pub async fn copy(app: &Arc<App>, citizen: &Citizen) -> Result<PersonalData, Problem> {
    let citizen = Citizen { subject: citizen.holder, ..citizen.clone() };
    let (me, state) = (citizen.holder, || State(Arc::clone(app)));
    let (person, consents, since, messages) = app
        .vault(move |vault| {
            let mut messages = Vec::new();
            loop {
                let page = vault.messages(me.0, messages.last().map(|message: &gongji_store::vault::Message| message.id), MESSAGES_PAGE_MAX)?;
                let is_last = page.len() < MESSAGES_PAGE_MAX;
                messages.extend(page);
                if is_last || messages.len() >= NOTICES_MAX {
                    break;
                }
            }
            Ok((vault.person(me.0)?, vault.consents(me.0)?, vault.password_since(me.0)?, messages))
        })
        .await?;
    let person = person.ok_or(Reason::NotFound)?;
    let mut lines = app.engine.lines(me, None, MOVEMENTS_MAX + 1, |_| true).await?;
    let has_older_movements = lines.len() > MOVEMENTS_MAX;
    lines.truncate(MOVEMENTS_MAX);
    let consent = |consent: Consent| ConsentBody {
        subject: consent.subject.split(':').next().unwrap_or_default().to_owned(),
        text_version: consent.text_version,
        given_by_self: consent.given_by == me.0,
        given_at: rfc3339(consent.given_ms),
        withdrawn_at: consent.withdrawn_ms.map(rfc3339),
    };
    Ok(PersonalData {
        made_at: rfc3339(app.now()),
        identity: OwnIdentity {
            id: person_id(me),
            name: person.name.reveal().to_owned(),
            id_number: person.id_number.reveal().to_owned(),
            phone: person.phone.as_ref().map(|phone| phone.reveal().to_owned()),
            is_registered: person.is_registered,
            password_set_at: since.map(rfc3339),
        },
        summary: me::me(state(), citizen.clone()).await?.0,
        wallet: wallet::show(state(), citizen.clone()).await?.0,
        relations: family::relations(state(), citizen.clone()).await?.0,
        agents: family::agents(state(), citizen.clone()).await?.0,
        devices: auth::sessions(state(), citizen).await?.0,
        consents: consents.into_iter().map(consent).collect(),
        notices: messages.iter().filter_map(Notice::of).collect(),
        movements: statement::movements(app, me, &lines).await?,
        has_older_movements,
    })
}

/// A copy of everything that is kept of me (个人信息副本)
///
/// For the person alone, also while they act for somebody else; confirmed by the password, since it tells ID number and phone in full.
#[utoipa::path(post, path = "/me/data", tag = "me", request_body = OwnPassword,
    responses((status = 200, description = "Everything that is kept of the person", body = PersonalData)), security(("session" = [])))]
async fn data(State(app): State<Arc<App>>, citizen: Citizen, StrictJson(asked): StrictJson<OwnPassword>) -> Result<Json<PersonalData>, Problem> {
    app.identity.confirm_password(citizen.holder.0, &asked.password, app.now()).await?;
    Ok(Json(copy(&app, &citizen).await?))
}

/// Sign off (注销登录)
///
/// Password, proven phone, sessions and notices go, consents are withdrawn. The books and who their numbers are stay, as the law has vouchers kept.
/// Refused while money is in the wallet or something is not decided.
#[utoipa::path(post, path = "/me/sign-off", tag = "me", request_body = OwnPassword,
    responses((status = 200, description = "Signed off; registering again is open at any time", body = Done)), security(("session" = [])))]
async fn sign_off(State(app): State<Arc<App>>, citizen: Citizen, StrictJson(asked): StrictJson<OwnPassword>) -> Result<Response, Problem> {
    let me = citizen.own()?;
    app.identity.confirm_password(me.0, &asked.password, app.now()).await?;
    if !rights::sign_off(&app, me).await? {
        return Err(IdentityError::SignOffOpen.into());
    }
    let mut response = Json(Done { done: true }).into_response();
    clear_session_cookie(&app, response.headers_mut());
    clear_subject_cookie(&app, response.headers_mut());
    Ok(response)
}
