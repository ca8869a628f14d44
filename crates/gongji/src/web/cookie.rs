//! Cookies: what the browser keeps. All are `HttpOnly`, `SameSite=Lax` (an operator's: `Strict`) and, in production, `Secure`.

use super::person_id;
use crate::app::App;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use gongji_ledger::HolderId;
use gongji_store::vault::SessionToken;

/// For whom the person acts now. Not a secret: every request checks that it is allowed.
pub const SUBJECT_COOKIE: &str = "gongji_for";

/// `__Host-` binds a cookie to this host and to TLS; the sandbox speaks plain HTTP, where browsers refuse such cookies.
pub fn session_cookie_name(app: &App) -> &'static str {
    if app.sandbox.is_some() { "gongji" } else { "__Host-gongji" }
}

/// The institution's key on the cashier page.
pub fn till_cookie_name(app: &App) -> &'static str {
    if app.sandbox.is_some() { "gongji_till" } else { "__Host-gongji_till" }
}

/// An operator's session on the console.
pub fn console_cookie_name(app: &App) -> &'static str {
    if app.sandbox.is_some() { "gongji_console" } else { "__Host-gongji_console" }
}

/// Signs an operator in. No other site's link brings the cookie along: whoever follows one signs in again.
pub fn set_console_cookie(app: &App, headers: &mut HeaderMap, token: &SessionToken) {
    headers.append(SET_COOKIE, strict_line(console_cookie_name(app), token.reveal(), app.sandbox.is_none(), ""));
}

pub fn clear_console_cookie(app: &App, headers: &mut HeaderMap) {
    headers.append(SET_COOKIE, strict_line(console_cookie_name(app), "", app.sandbox.is_none(), "; Max-Age=0"));
}

/// The value of a cookie of the request.
pub fn cookie<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.trim_start().split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Logs the browser in. The cookie ends with the browser; the session ends by itself.
pub fn set_session_cookie(app: &App, headers: &mut HeaderMap, token: &SessionToken) {
    headers.append(SET_COOKIE, cookie_line(session_cookie_name(app), token.reveal(), app.sandbox.is_none(), ""));
}

pub fn clear_session_cookie(app: &App, headers: &mut HeaderMap) {
    headers.append(SET_COOKIE, cleared(session_cookie_name(app), app.sandbox.is_none()));
}

/// Remembers for whom the person acts from now on.
pub fn set_subject_cookie(app: &App, headers: &mut HeaderMap, subject: HolderId) {
    headers.append(SET_COOKIE, cookie_line(SUBJECT_COOKIE, &person_id(subject), app.sandbox.is_none(), ""));
}

pub fn clear_subject_cookie(app: &App, headers: &mut HeaderMap) {
    headers.append(SET_COOKIE, cleared(SUBJECT_COOKIE, app.sandbox.is_none()));
}

/// Keeps an institution's key in the cashier's browser, until it closes. Only keys that were verified get here.
pub fn set_till_cookie(app: &App, headers: &mut HeaderMap, key: &str) {
    headers.append(SET_COOKIE, cookie_line(till_cookie_name(app), key, app.sandbox.is_none(), ""));
}

pub fn clear_till_cookie(app: &App, headers: &mut HeaderMap) {
    headers.append(SET_COOKIE, cleared(till_cookie_name(app), app.sandbox.is_none()));
}

pub(super) fn cleared(name: &str, secure: bool) -> HeaderValue {
    cookie_line(name, "", secure, "; Max-Age=0")
}

fn cookie_line(name: &str, value: &str, secure: bool, more: &str) -> HeaderValue {
    line(name, value, secure, "Lax", more)
}

fn strict_line(name: &str, value: &str, secure: bool, more: &str) -> HeaderValue {
    line(name, value, secure, "Strict", more)
}

fn line(name: &str, value: &str, secure: bool, same_site: &str, more: &str) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let mut line =
        HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}{more}")).expect("tokens, ids and keys are ASCII");
    line.set_sensitive(true);
    line
}
