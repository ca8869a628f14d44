//! What every page needs besides its own content: who looks and how, what was just done, and what is shown when something is wrong.
//!
//! One layer around all pages makes the [`Visit`] before the handler runs and turns a [`Trouble`] into a page after it,
//! so that handlers read, ask a service and fill a view, and nothing else.

use super::recall::Recall;
use super::views::trouble::{Broken, Busy, Missing, Refusal};
use super::views::{self, Flash, Layout, Link, Section, Tone, format};
use super::words;
use crate::app::App;
use crate::problem::Problem;
use crate::web;
use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gongji_ledger::HolderId;
use gongji_wallet::object::Holder;
use std::sync::Arc;

/// What a handler answers.
pub type Page = Result<Response, Trouble>;

const ELDER_COOKIE: &str = "gongji_elder";
const FLASH_COOKIE: &str = "gongji_said";

/// A year: who needs large letters today needs them tomorrow (s).
const ELDER_COOKIE_S: u32 = 366 * 24 * 3600;

/// Somebody looks at a page.
#[derive(Clone)]
pub struct Visit {
    pub app: Arc<App>,
    /// Signed in, and for whom.
    pub signed: Option<Signed>,
    pub elder: bool,
    /// Path and query of the page, where the elder switch comes back to.
    pub path: String,
    /// Where this installation is reached, as `https://wallet.example.cn`: for addresses on paper.
    pub origin: String,
    /// Time of this installation (ms, UTC).
    pub now: i64,
    /// What the pages remember between two requests.
    pub recall: Recall,
    flash: Option<Said>,
}

/// A person who is signed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    /// Who is signed in and answers for what is done.
    pub me: HolderId,
    /// Whose wallet is shown: the same person, or a relative acted for.
    pub subject: HolderId,
    pub session_id: u64,
}

/// A visit of somebody who is signed in; others are sent to log in and come back.
#[derive(Clone)]
pub struct Member {
    pub visit: Visit,
    pub signed: Signed,
}

/// Something that was just done, told once on the next page. A word in a cookie, so that no text travels in a URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    Registered,
    PasswordReset,
    PasswordChanged,
    LoggedOut,
    SessionsEnded,
    WalletOpened,
    OpenedFor,
    PlaceChanged,
    RelationEnded,
    ActingEnded,
    ActingFor,
    ActingForMyself,
    Reported,
    ClockMoved,
    FaceChosen,
    AskDeclined,
    SignedOff,
}

impl Said {
    const ALL: [Said; 17] = [
        Said::Registered,
        Said::PasswordReset,
        Said::PasswordChanged,
        Said::LoggedOut,
        Said::SessionsEnded,
        Said::WalletOpened,
        Said::OpenedFor,
        Said::PlaceChanged,
        Said::RelationEnded,
        Said::ActingEnded,
        Said::ActingFor,
        Said::ActingForMyself,
        Said::Reported,
        Said::ClockMoved,
        Said::FaceChosen,
        Said::AskDeclined,
        Said::SignedOff,
    ];

    fn word(self) -> &'static str {
        match self {
            Said::Registered => "registered",
            Said::PasswordReset => "password-reset",
            Said::PasswordChanged => "password-changed",
            Said::LoggedOut => "logged-out",
            Said::SessionsEnded => "sessions-ended",
            Said::WalletOpened => "wallet-opened",
            Said::OpenedFor => "opened-for",
            Said::PlaceChanged => "place-changed",
            Said::RelationEnded => "relation-ended",
            Said::ActingEnded => "acting-ended",
            Said::ActingFor => "acting-for",
            Said::ActingForMyself => "acting-for-myself",
            Said::Reported => "reported",
            Said::ClockMoved => "clock-moved",
            Said::FaceChosen => "face-chosen",
            Said::AskDeclined => "ask-declined",
            Said::SignedOff => "signed-off",
        }
    }

    fn flash(self) -> Flash {
        let text = match self {
            Said::Registered => "注册好了,欢迎你。",
            Said::PasswordReset => "新密码设好了,其他设备都已退出。",
            Said::PasswordChanged => "密码换好了,其他设备都已退出。",
            Said::LoggedOut => "已经退出登录。",
            Said::SessionsEnded => "退出好了。",
            Said::WalletOpened => "钱包可以用了。",
            Said::OpenedFor => "替家人开通好了,家人登记的手机会收到消息。",
            Said::PlaceChanged => "使用地换好了。",
            Said::RelationEnded => "关系解除了。",
            Said::ActingEnded => "授权收回了。",
            Said::ActingFor => "现在看到的是家人的钱包。",
            Said::ActingForMyself => "现在看到的是你自己的钱包。",
            Said::Reported => "记下了,经办窗口看得到。急着用,先换一家“可用”的。",
            Said::ClockMoved => "时间调好了,一路上该办的事都办了。",
            Said::FaceChosen => "刷脸结果选好了。",
            Said::AskDeclined => "这一笔没有付。",
            Said::SignedOff => "登录注销了。以后要用,重新注册就行。",
        };
        Flash { tone: Tone::Good, text: text.to_owned() }
    }
}

/// Why there is no page as asked for.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// What a service answered; its words become the page.
    Problem(Problem, Option<Box<Refused>>),
    /// There is no such page, or it is another person's.
    Missing,
    /// Log in first, then come back.
    Login,
    /// The cashier's key is missing or over.
    CashierLogin,
    /// A form that none of these pages sent.
    Malformed,
}

/// What a refusal page says beside the reasons.
#[derive(Clone, Debug)]
pub struct Refused {
    /// "钱没有转出".
    pub heading: String,
    /// What is certain: "钱还在原处,一分没动。"
    pub certain: String,
    pub back: Link,
}

impl Refused {
    pub fn new(heading: &str, certain: &str, back: Link) -> Refused {
        Refused { heading: heading.to_owned(), certain: certain.to_owned(), back }
    }
}

impl<E> From<E> for Trouble
where
    Problem: From<E>,
{
    fn from(error: E) -> Trouble {
        Trouble::Problem(Problem::from(error), None)
    }
}

impl Trouble {
    /// The same trouble with the words of what was tried.
    pub fn while_trying(self, refused: Refused) -> Trouble {
        match self {
            Trouble::Problem(problem, _) => Trouble::Problem(problem, Some(Box::new(refused))),
            other => other,
        }
    }
}

/// Turns any service error into a trouble that says what was tried.
pub fn tried<E>(refused: Refused) -> impl FnOnce(E) -> Trouble
where
    Problem: From<E>,
{
    move |error| Trouble::from(error).while_trying(refused)
}

// The layer renders it with the visit's layout; alone it would not know elder mode.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visit, Trouble> {
        parts.extensions.get::<Visit>().cloned().ok_or(Trouble::Missing)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Member {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Member, Trouble> {
        let visit = Visit::from_request_parts(parts, state).await?;
        let signed = visit.signed.ok_or(Trouble::Login)?;
        Ok(Member { visit, signed })
    }
}

/// The layer around all pages.
pub async fn frame(State((app, recall)): State<(Arc<App>, Recall)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let visit = match visit(&app, &recall, &mut parts).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let is_read = parts.method == Method::GET;
    parts.extensions.insert(visit.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(trouble) = response.extensions_mut().remove::<Arc<Trouble>>() {
        response = trouble_page(&visit, &trouble).await;
    } else if is_bare_refusal(&response) {
        response = trouble_page(&visit, &Trouble::Malformed).await;
    }
    if is_read && visit.flash.is_some() && response.status() == StatusCode::OK {
        set_cookie(&mut response, &cookie(FLASH_COOKIE, "", 0));
    }
    response
}

/// A path or query that cannot be read is refused before any handler, in a line of plain text.
fn is_bare_refusal(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.status().is_client_error() && kind.starts_with("text/plain")
}

/// Where a person comes back to from a page that answered a form: the page that has the form.
fn page_of(path: &str) -> &str {
    let parents = ["/relations", "/act-for", "/security", "/notices", "/institutions"];
    match parents.into_iter().find(|parent| path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))) {
        Some(parent) => parent,
        None if path == "/logout" || path == "/login/again" => "/login",
        None => path,
    }
}

/// Around the whole server: a person who meets a refusal of the server itself (an unknown address, a time-out, a request from
/// elsewhere) reads a page; a program reads JSON.
pub async fn humanely(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"));
    if !accepts || ["/api/", "/console"].iter().any(|own| request.uri().path().starts_with(own)) {
        return next.run(request).await;
    }
    let (mut parts, ()) = axum::http::Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.headers = request.headers().clone();
    parts.uri = request.uri().clone();
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let visit = match visit(&app, &Recall::default(), &mut parts).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    trouble_page(&visit, &Trouble::Problem(problem, None)).await
}

async fn visit(app: &Arc<App>, recall: &Recall, parts: &mut Parts) -> Result<Visit, Response> {
    let web::MaybeCitizen(citizen) = match web::MaybeCitizen::from_request_parts(parts, app).await {
        Ok(citizen) => citizen,
        Err(problem) => {
            let visit = bare_visit(app, recall, parts, None);
            return Err(trouble_page(&visit, &Trouble::Problem(problem, None)).await);
        }
    };
    let signed = citizen.map(|citizen| Signed { me: citizen.holder, subject: citizen.subject, session_id: citizen.session_id });
    Ok(bare_visit(app, recall, parts, signed))
}

fn bare_visit(app: &Arc<App>, recall: &Recall, parts: &Parts, signed: Option<Signed>) -> Visit {
    let said = cookie_of(&parts.headers, FLASH_COOKIE);
    Visit {
        app: Arc::clone(app),
        signed,
        elder: cookie_of(&parts.headers, ELDER_COOKIE) == Some("yes"),
        path: if parts.method == Method::GET {
            parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
        } else {
            page_of(parts.uri.path()).to_owned()
        },
        origin: origin(app, parts),
        now: app.now(),
        recall: recall.clone(),
        flash: said.and_then(|word| Said::ALL.into_iter().find(|said| said.word() == word)),
    }
}

/// The server has let this host name in; in production TLS stands in front.
fn origin(app: &App, parts: &Parts) -> String {
    let named = parts.uri.authority().map(|authority| authority.as_str());
    let host = named.or_else(|| parts.headers.get(HOST)?.to_str().ok()).unwrap_or("localhost");
    let scheme = if app.sandbox.is_some() { "http" } else { "https" };
    format!("{scheme}://{host}")
}

impl Visit {
    /// Header, notices, ribbon: everything of a page but its content.
    pub async fn layout(&self, title: &str, section: Section) -> Result<Layout, Trouble> {
        let mut layout = self.public_layout(title, section);
        if let Some(Signed { me, subject, .. }) = self.signed {
            let (name, other, unread) = self
                .app
                .vault(move |vault| {
                    let name =
                        |holder: HolderId| Ok::<_, gongji_store::vault::VaultError>(vault.person(holder.0)?.map(|person| person.name.reveal().to_owned()));
                    let other = if subject == me { None } else { name(subject)? };
                    Ok((name(me)?, other, vault.unread_count(me.0)?))
                })
                .await?;
            layout.signed_in = Some(name.unwrap_or_else(|| "我".to_owned()));
            layout.acting_for = other;
            layout.unread = unread;
        }
        Ok(layout)
    }

    /// As [`Visit::layout`], without asking who is signed in: for pages of institutions and of the sandbox.
    pub fn public_layout(&self, title: &str, section: Section) -> Layout {
        let sandbox_clock = if self.app.sandbox.is_some() { format::when(self.now) } else { String::new() };
        Layout {
            title: title.to_owned(),
            path: self.path.clone(),
            elder: self.elder,
            sandbox: self.app.sandbox.is_some(),
            sandbox_clock,
            section,
            flash: self.flash.map(Said::flash),
            ..Layout::default()
        }
    }

    /// The page of a view, in the reader's form of address.
    pub fn page(&self, view: &impl Template) -> Page {
        self.page_with(StatusCode::OK, view)
    }

    /// A form that comes back with what is wrong.
    pub fn wrong(&self, view: &impl Template) -> Page {
        self.page_with(StatusCode::UNPROCESSABLE_ENTITY, view)
    }

    pub fn page_with(&self, status: StatusCode, view: &impl Template) -> Page {
        let html = views::page(view).map_err(|error| {
            tracing::error!(trace_id = crate::server::request_number(), %error, "a page did not render");
            Trouble::from(crate::problem::Edge::Internal)
        })?;
        let html = if self.elder { words::politely(&html) } else { html };
        Ok((status, [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], html).into_response())
    }

    /// A holder on file; everybody who is signed in is one.
    pub fn holder(&self, id: HolderId) -> Result<Holder, Trouble> {
        self.app.engine.holder(id).map_err(crate::service::ServiceError::from)?.ok_or(Trouble::Missing)
    }
}

impl Member {
    pub fn app(&self) -> &App {
        &self.visit.app
    }

    /// The person whose wallet is shown.
    pub fn subject(&self) -> Result<Holder, Trouble> {
        self.visit.holder(self.signed.subject)
    }

    pub fn is_acting(&self) -> bool {
        self.signed.me != self.signed.subject
    }

    pub async fn layout(&self, title: &str, section: Section) -> Result<Layout, Trouble> {
        self.visit.layout(title, section).await
    }
}

/// See-other: after a form has done its work the browser asks for a page that may be reloaded.
pub fn to(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/")))]).into_response()
}

/// As [`to`], and the next page says what was done.
pub fn to_saying(path: &str, said: Said) -> Response {
    let mut response = to(path);
    set_cookie(&mut response, &cookie(FLASH_COOKIE, said.word(), 60));
    response
}

/// As [`to`], keeping elder mode on or off.
pub fn to_with_elder(path: &str, on: bool) -> Response {
    let mut response = to(path);
    let age = if on { ELDER_COOKIE_S } else { 0 };
    set_cookie(&mut response, &cookie(ELDER_COOKIE, if on { "yes" } else { "" }, age));
    response
}

pub fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Cookies of the pages themselves hold no secret: a mode and a word.
fn cookie(name: &str, value: &str, age_s: u32) -> String {
    format!("{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax")
}

/// The value of a cookie of this name.
pub fn cookie_of<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let all = headers.get_all(axum::http::header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A path of this site, or the given one: nobody is led elsewhere by a link that looks like ours.
pub fn own_path<'path>(path: &'path str, otherwise: &'path str) -> &'path str {
    let is_own = path.starts_with('/') && !path.starts_with("//") && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own { path } else { otherwise }
}

async fn trouble_page(visit: &Visit, trouble: &Trouble) -> Response {
    let shown = match trouble {
        Trouble::Login => {
            // What was being sent is lost with the session; a page can be come back to.
            let back = if visit.path.starts_with("/login") { "/wallet" } else { &visit.path };
            return to(&format!("/login?back={}", encoded(back)));
        }
        Trouble::CashierLogin => return to(if visit.path.starts_with("/institution") { "/cashier/login?back=/institution" } else { "/cashier/login" }),
        Trouble::Missing => missing_page(visit).await,
        Trouble::Malformed => {
            let refused = Refused::new("这张表我们看不懂", "什么都没有办。", Link::new("/", "回首页"));
            refusal_page(visit, StatusCode::BAD_REQUEST, &refused, Vec::new(), String::new(), String::new()).await
        }
        Trouble::Problem(problem, refused) => problem_page(visit, problem, refused.as_deref()).await,
    };
    let mut response = shown.unwrap_or_else(|_| (StatusCode::INTERNAL_SERVER_ERROR, "我们这边出了问题,请过几分钟再试。").into_response());
    if let Trouble::Problem(problem, _) = trouble {
        response.extensions_mut().insert(problem.told());
        if let Some(cookie) = &problem.cookie {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        if let Some(seconds) = problem.retry_after {
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
    response
}

async fn missing_page(visit: &Visit) -> Page {
    let layout = visit.layout("没有这一页", Section::None).await?;
    visit.page_with(StatusCode::NOT_FOUND, &Missing { layout })
}

async fn problem_page(visit: &Visit, problem: &Problem, refused: Option<&Refused>) -> Page {
    let body = &problem.body;
    let number = body.trace_id.clone();
    match problem.status {
        StatusCode::NOT_FOUND if refused.is_none() => missing_page(visit).await,
        StatusCode::UNAUTHORIZED if visit.signed.is_none() => Ok(to("/login")),
        status @ (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
            // Whoever cannot be told the page's usual header gets the public one.
            let layout = visit.public_layout("请稍等", Section::None);
            let heading = body.title.trim_end_matches('。').to_owned();
            let again = body.next_step.clone();
            visit.page_with(status, &Busy { layout, heading, again, number })
        }
        status if status.is_server_error() => {
            let layout = visit.public_layout("出了问题", Section::None);
            visit.page_with(status, &Broken { layout, number, safe_to_retry: body.retryable })
        }
        status => {
            let unknown = Refused::new(body.title.trim_end_matches('。'), "什么都没有变。", Link::new(words::home(visit), "回首页"));
            let reasons = words::reasons_of(problem);
            let again = words::again(problem, visit.now);
            refusal_page(visit, status, refused.unwrap_or(&unknown), reasons, again, number).await
        }
    }
}

async fn refusal_page(visit: &Visit, status: StatusCode, refused: &Refused, reasons: Vec<views::Reason>, again: String, number: String) -> Page {
    let layout = visit.layout("没有办成", Section::None).await?;
    let Refused { heading, certain, back } = refused.clone();
    visit.page_with(status, &Refusal { layout, heading, certain, reasons, again, number, back })
}

/// A path inside a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_led_to() {
        for own in ["/wallet", "/transfers/0199?x=1"] {
            assert_eq!(own_path(own, "/wallet"), own);
        }
        for foreign in ["", "//evil.example", "https://evil.example", "/\\evil", "wallet", "/钱包", "/a b"] {
            assert_eq!(own_path(foreign, "/wallet"), "/wallet", "{foreign}");
        }
    }

    #[test]
    fn a_form_leads_back_to_its_page() {
        for (path, page) in
            [("/relations/0001/end", "/relations"), ("/transfer/confirm", "/transfer/confirm"), ("/logout", "/login"), ("/security", "/security")]
        {
            assert_eq!(page_of(path), page);
        }
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(axum::http::header::COOKIE, HeaderValue::from_static("a=1; gongji_elder=yes; gongji_elderly=no"));
        assert_eq!(cookie_of(&headers, "gongji_elder"), Some("yes"));
        assert_eq!(cookie_of(&headers, "elder"), None);
    }

    #[test]
    fn each_said_word_is_known_again() {
        for said in Said::ALL {
            assert_eq!(Said::ALL.into_iter().filter(|other| other.word() == said.word()).count(), 1);
            assert!(said.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
    }
}
