//! Who may come to which desk: asked before any handler runs, from the one table of rights (`gongji_wallet::operator`).

use super::frame::origin_of;
use crate::app::App;
use crate::problem::{Edge, Problem};
use crate::service::operator::operators;
use crate::service::{approval, operator};
use crate::web;
use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use gongji_ledger::{AreaCode, HolderId, InstitutionId};
use gongji_store::vault::{OperatorSession, SessionToken};
use gongji_wallet::Reason;
use gongji_wallet::ids::{ApprovalId, OperatorId};
use gongji_wallet::operator::{Operator, Right};
use gongji_wallet::rules::Scope;
use std::sync::Arc;

/// What a desk asks of whoever comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Anybody, signed in or not: signing in itself.
    Nothing,
    /// Any operator at work.
    SignedIn,
    Right(Right),
    /// To make, or to check, what the approval in the address is about; to see it either will do, or to audit.
    MakeIt,
    CheckIt,
    SeeIt,
}

/// What the address is about: the operator's reach must cover it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Nothing in particular: a list shows what the reach covers.
    Own,
    /// `{area}`
    Area,
    /// `{scope}`: `nation`, a province's or an area's code.
    Scope,
    /// `{holder}`: where the person is insured.
    Person,
    /// `{institution}`
    Institution,
    /// `{approval}`
    Approval,
    /// `{operator}`
    Operator,
    /// What is done for the whole country at once.
    Nation,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    pub needs: Needs,
    pub place: Place,
}

/// One route as the table shows it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub method: Method,
    pub path: &'static str,
    pub rule: Rule,
}

/// The routes of the console; there is no other way to put one up than with its rule.
pub struct Desks {
    app: Arc<App>,
    router: Router<Arc<App>>,
    table: Vec<Entry>,
}

impl Desks {
    pub fn new(app: &Arc<App>) -> Desks {
        Desks { app: Arc::clone(app), router: Router::new(), table: Vec::new() }
    }

    pub fn at(mut self, method: Method, path: &'static str, needs: Needs, place: Place, handler: MethodRouter<Arc<App>>) -> Desks {
        let rule = Rule { needs, place };
        self.table.push(Entry { method, path, rule });
        let guarded = handler.layer(middleware::from_fn_with_state((Arc::clone(&self.app), rule), ask));
        self.router = self.router.route(path, guarded);
        self
    }

    /// Every route with its rule.
    pub fn table(&self) -> &[Entry] {
        &self.table
    }

    pub fn into_router(self) -> Router<Arc<App>> {
        self.router
    }
}

/// An operator who has come to a desk and may be there.
#[derive(Clone)]
pub struct Caller {
    pub operator: Arc<Operator>,
    pub session: OperatorSession,
    pub token: SessionToken,
}

impl Caller {
    pub fn id(&self) -> OperatorId {
        self.operator.id
    }
}

/// The handler's view of the visit.
#[derive(Clone)]
pub struct Desk {
    pub app: Arc<App>,
    pub caller: Caller,
    /// Path and query.
    pub path: String,
    pub origin: String,
    pub now: i64,
}

impl FromRequestParts<Arc<App>> for Desk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Desk, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned().ok_or(Edge::OperatorRequired)?;
        let path = parts.uri.path_and_query().map_or_else(|| "/console".to_owned(), ToString::to_string);
        Ok(Desk { app: Arc::clone(app), caller, path, origin: origin_of(app, parts), now: app.now() })
    }
}

/// Asks the rule of the route. What has no caller, no right or no reach ends here.
async fn ask(State((app, rule)): State<(Arc<App>, Rule)>, params: RawPathParams, mut request: Request, next: Next) -> Response {
    if rule.needs == Needs::Nothing {
        return next.run(request).await;
    }
    let caller = match caller(&app, request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = allowed(&app, &caller.operator, rule, &params) {
        return problem.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Who is signed in here.
pub async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    let required = || Problem::from(Edge::OperatorRequired);
    let token = web::cookie(headers, web::console_cookie_name(app)).and_then(SessionToken::parse).ok_or_else(required)?;
    let (asked, now) = (token.clone(), app.now());
    let session = app.vault(move |vault| vault.operator_session(&asked, now)).await?.ok_or_else(required)?;
    let operator = operator::operator(app, OperatorId(session.operator)).map_err(|_| required())?;
    // Whoever works no more is out at the next request.
    if operator.is_active { Ok(Caller { operator, session, token }) } else { Err(required()) }
}

/// The rule against the operator. A place that does not exist is refused as one out of reach is, but to who reaches everything.
fn allowed(app: &App, operator: &Operator, rule: Rule, params: &RawPathParams) -> Result<(), Problem> {
    let refused = || Problem::from(Reason::NotAuthorised);
    let missing = || if operator.reach == Scope::Nation { Problem::not_found() } else { refused() };
    let place = place_of(app, rule.place, params)?;
    let has = match rule.needs {
        Needs::Nothing | Needs::SignedIn => true,
        Needs::Right(right) => operator.has(right),
        Needs::MakeIt | Needs::CheckIt | Needs::SeeIt => {
            let matter = approval_of(app, params)?.ok_or_else(missing)?.action.matter();
            match rule.needs {
                Needs::MakeIt => operator.has(Right::Make(matter)),
                Needs::CheckIt => operator.has(Right::Check(matter)),
                _ => [Right::Make(matter), Right::Check(matter), Right::Audit].into_iter().any(|right| operator.has(right)),
            }
        }
    };
    if !has {
        return Err(refused());
    }
    match place {
        Found::Own => Ok(()),
        Found::There(scope) if operator.reach.covers(scope) => Ok(()),
        Found::There(_) => Err(refused()),
        Found::Missing => Err(missing()),
    }
}

enum Found {
    Own,
    There(Scope),
    Missing,
}

fn param<'params>(params: &'params RawPathParams, name: &str) -> &'params str {
    params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

fn place_of(app: &App, place: Place, params: &RawPathParams) -> Result<Found, Problem> {
    let there = |scope: Option<Scope>| scope.map_or(Found::Missing, Found::There);
    Ok(match place {
        Place::Own => Found::Own,
        Place::Nation => Found::There(Scope::Nation),
        Place::Area => {
            let area = param(params, "area").parse::<AreaCode>().ok();
            there(area.filter(|area| app.directory().regions.contains_key(area)).map(Scope::Area))
        }
        Place::Scope => there(scope_of(app, param(params, "scope"))),
        Place::Person => {
            let holder = parse_holder(param(params, "holder"));
            let person = holder.map(|holder| app.engine.holder(holder)).transpose()?.flatten();
            // A person without an enrolment belongs to no region yet: the nation alone.
            there(person.map(|person| person.enrolment.map_or(Scope::Nation, |enrolment| Scope::Area(enrolment.area))))
        }
        Place::Institution => {
            let institution = InstitutionId::parse(param(params, "institution"));
            there(institution.and_then(|id| app.directory().institutions.get(&id).map(|institution| Scope::Area(institution.area))))
        }
        Place::Approval => there(approval_of(app, params)?.map(|approval| approval.action.reach())),
        Place::Operator => {
            let id = param(params, "operator").parse().ok().map(OperatorId);
            there(id.and_then(|id| operators(app).ok()?.get(id).map(|operator| operator.reach)))
        }
    })
}

fn approval_of(app: &App, params: &RawPathParams) -> Result<Option<gongji_wallet::approval::Approval>, Problem> {
    let Some(id) = parse_approval(param(params, "approval")) else { return Ok(None) };
    match approval::approval(app, id) {
        Ok(approval) => Ok(Some(approval)),
        Err(crate::service::ServiceError::Refused { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `nation`, or the code of a province or an area on file.
pub fn scope_of(app: &App, word: &str) -> Option<Scope> {
    if word == "nation" {
        return Some(Scope::Nation);
    }
    let code: AreaCode = word.parse().ok()?;
    let directory = app.directory();
    if directory.regions.values().any(|region| region.province_code == code && region.code != code) {
        return Some(Scope::Province(code));
    }
    directory.regions.contains_key(&code).then_some(Scope::Area(code))
}

pub fn scope_word(scope: Scope) -> String {
    match scope {
        Scope::Nation => "nation".to_owned(),
        Scope::Province(code) | Scope::Area(code) => code.to_string(),
    }
}

pub fn parse_approval(text: &str) -> Option<ApprovalId> {
    uuid::Uuid::try_parse(text).ok().map(|id| ApprovalId(*id.as_bytes()))
}

pub fn approval_path(id: ApprovalId) -> String {
    format!("/console/approvals/{}", uuid::Uuid::from_bytes(id.0))
}

pub fn parse_holder(text: &str) -> Option<HolderId> {
    web::parse_person_id(text)
}
