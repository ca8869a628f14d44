//! What stands around every page of the console, and what is shown where there is none.

use super::blocks::{Block, Door, Form, Frame, Page, RailLink};
use super::guard::Desk;
use super::words;
use crate::app::App;
use crate::pages::views::{self, format};
use crate::problem::{Edge, Problem};
use crate::service::{approval, operator};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, REFERER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gongji_wallet::day::{Day, day_from_date};
use gongji_wallet::operator::{Matter, Right};
use std::sync::Arc;

/// What a handler of the console answers.
pub type Answer = Result<Response, Problem>;

/// The kinds of work, in the order of the rail: address, label, icon, and the right without which it is not shown.
const WORK: [(&str, &str, &str, Option<Right>); 10] = [
    ("/console", "待复核", "check", None),
    ("/console/regions", "地区", "place", Some(Right::Watch)),
    ("/console/institutions", "机构", "hospital", Some(Right::Watch)),
    ("/console/people", "参保人", "person", Some(Right::SeePeople)),
    ("/console/complaints", "反馈与订单", "bell", Some(Right::SeePeople)),
    ("/console/rules", "规则", "list", Some(Right::Watch)),
    ("/console/watch", "统计", "clock", Some(Right::Watch)),
    ("/console/operators", "经办人", "family", Some(Right::SeeOperators)),
    ("/console/audit", "操作记录", "info", Some(Right::Audit)),
    ("/console/me", "我的登录", "key", None),
];

impl Desk {
    /// A page of blocks. `section` is the address of its kind of work.
    pub async fn page(&self, section: &str, title: &str, lead: &str, blocks: Vec<Block>) -> Answer {
        self.page_with(StatusCode::OK, section, title, lead, blocks, "").await
    }

    /// The same page with what is wrong.
    pub async fn wrong(&self, section: &str, title: &str, lead: &str, blocks: Vec<Block>, problem: &str) -> Answer {
        self.page_with(StatusCode::UNPROCESSABLE_ENTITY, section, title, lead, blocks, problem).await
    }

    async fn page_with(&self, status: StatusCode, section: &str, title: &str, lead: &str, blocks: Vec<Block>, problem: &str) -> Answer {
        let mut frame = self.frame(section).await?;
        (frame.title, frame.lead, frame.problem) = (title.to_owned(), lead.to_owned(), problem.to_owned());
        rendered(status, &Page { frame, blocks })
    }

    async fn frame(&self, section: &str) -> Result<Frame, Problem> {
        let me = &self.caller.operator;
        let waiting = approval::open(&self.app)?
            .iter()
            .filter(|one| one.state.is_open() && one.maker != me.id && me.may(Right::Check(one.action.matter()), one.action.reach()))
            .count();
        let rail = WORK.iter().filter(|(.., right)| right.is_none_or(|right| me.has(right))).map(|(href, label, icon, _)| RailLink {
            href,
            label,
            icon,
            is_current: *href == section,
            count: if *href == "/console" { waiting } else { 0 },
        });
        let said = self.query("said");
        Ok(Frame {
            rail: rail.collect(),
            name: words::name_of(&self.app, me.id).await?,
            post: words::post(&self.app, me),
            sandbox: self.app.sandbox.is_some(),
            sandbox_clock: format::when(self.now),
            said: words::SAID.iter().find(|(word, _)| *word == said).map(|(_, text)| (*text).to_owned()).unwrap_or_default(),
            ..Frame::default()
        })
    }

    /// A value of the query.
    pub fn query(&self, name: &str) -> String {
        query_of(&self.path, name)
    }

    pub fn may_make(&self, matter: Matter, there: gongji_wallet::rules::Scope) -> bool {
        self.caller.operator.may(Right::Make(matter), there)
    }

    /// Whether this operator reaches the area.
    pub fn covers(&self, area: gongji_ledger::AreaCode) -> bool {
        self.caller.operator.reach.covers(gongji_wallet::rules::Scope::Area(area))
    }

    /// Writes down that a list leaves as a file.
    pub async fn exports(&self, list: &str, rows: usize) -> Result<(), Problem> {
        let deed = gongji_wallet::operator::Deed::Exported { list: list.to_owned(), rows: u32::try_from(rows).unwrap_or(u32::MAX) };
        Ok(operator::act(&self.app, self.caller.id(), deed).await?)
    }
}

/// A value of the query in a path, percent and plus decoded.
pub fn query_of(path: &str, name: &str) -> String {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let url = format!("http://x/?{query}");
    url.parse::<reqwest::Url>().ok().and_then(|url| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())).unwrap_or_default()
}

/// A page before anybody is signed in.
pub fn door(app: &App, status: StatusCode, title: &str, lead: &str, problem: &str, blocks: Vec<Block>) -> Answer {
    let frame = Frame {
        title: title.to_owned(),
        lead: lead.to_owned(),
        problem: problem.to_owned(),
        sandbox: app.sandbox.is_some(),
        sandbox_clock: format::when(app.now()),
        ..Frame::default()
    };
    rendered(status, &Door { frame, blocks })
}

fn rendered(status: StatusCode, view: &impl askama::Template) -> Answer {
    let html = views::page(view).map_err(|error| {
        tracing::error!(trace_id = crate::server::request_number(), %error, "a page did not render");
        Problem::from(Edge::Internal)
    })?;
    Ok((status, [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], html).into_response())
}

/// See-other: after a form has done its work the browser asks for a page that may be reloaded.
pub fn to(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/console")))]).into_response()
}

/// As [`to`], and the page says what was done: a word of [`words::SAID`].
pub fn to_saying(path: &str, said: &str) -> Response {
    to(&format!("{path}{}said={said}", if path.contains('?') { '&' } else { '?' }))
}

/// The address under which somebody came: the server has let this host name in; in production TLS stands in front.
pub fn origin_of(app: &App, parts: &Parts) -> String {
    let named = parts.uri.authority().map(|authority| authority.as_str());
    let host = named.or_else(|| parts.headers.get(HOST)?.to_str().ok()).unwrap_or("localhost");
    format!("{}://{host}", if app.sandbox.is_some() { "http" } else { "https" })
}

/// Around all routes of the console: what was refused is a page of the console, and whoever is not signed in is led to the door.
pub async fn humanely(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_page = wants_page(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path_and_query().map(ToString::to_string).unwrap_or_default());
    let came_from = request.headers().get(REFERER).and_then(|value| value.to_str().ok()).and_then(own_page).map(str::to_owned);
    let mut response = next.run(request).await;
    if !is_page {
        return response;
    }
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    if problem.status == StatusCode::UNAUTHORIZED {
        let back = if method == Method::GET { path } else { "/console".to_owned() };
        return to(&format!("/console/sign-in?back={}", crate::pages::encoded(&back)));
    }
    let shown = refusal(&app, &problem, came_from.as_deref().unwrap_or("/console"));
    let mut page = shown.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    page.extensions_mut().insert(problem.told());
    page
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

/// The page of the console that a form was on.
fn own_page(referer: &str) -> Option<&str> {
    let at = referer.find("/console")?;
    let page = &referer[at..];
    page.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\').then_some(page)
}

fn refusal(app: &App, problem: &Problem, back: &str) -> Answer {
    let body = &problem.body;
    let mut blocks = Vec::new();
    let lines: Vec<(String, String)> = if body.reasons.is_empty() {
        vec![(body.title.clone(), body.next_step.clone())]
    } else {
        body.reasons.iter().map(|reason| (reason.title.clone(), reason.next_step.clone())).collect()
    };
    blocks.push(Block::Facts(lines));
    blocks.push(Block::Links(vec![(back.to_owned(), "回到刚才的页面".to_owned()), ("/console".to_owned(), "待复核".to_owned())]));
    blocks.push(Block::Text(format!("编号 {},问人时报这个号。什么都没有变。", body.trace_id)));
    door(app, problem.status, if problem.status == StatusCode::NOT_FOUND { "没有这一页" } else { "没有办成" }, "", "", blocks)
}

/// What was filled in: fields by name; several of one name where boxes are ticked.
pub struct Filled(Vec<(String, String)>);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Filled {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Filled, Problem> {
        let form = axum::extract::Form::<Vec<(String, String)>>::from_request(request, state).await;
        form.map(|form| Filled(form.0)).map_err(|_| Problem::from(Edge::JsonMalformed))
    }
}

impl Filled {
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// A date as browsers send it.
    ///
    /// # Errors
    /// The field is no date.
    pub fn day(&self, name: &'static str) -> Result<Day, Problem> {
        let mut parts = self.get(name).splitn(3, '-').map(|part| part.parse::<i16>().ok());
        let (year, month, date) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
        let day = year.zip(month).zip(date).and_then(|((year, month), date)| day_from_date(year, i8::try_from(month).ok()?, i8::try_from(date).ok()?));
        day.ok_or_else(|| Problem::field(name, "日期写成 2026-12-01 这样。", "Not a date"))
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.trim()).collect()
    }
}

/// A form that takes part in deciding: with the paper it rests on.
pub fn proposing(action: impl Into<String>, submit: &str) -> Form {
    Form::post(action, submit).hiding("key", uuid::Uuid::now_v7().to_string())
}
