//! Registering, signing in, sessions, notices, and for whom one acts.

use askama::Template;

use super::{Hidden, Layout, Party, Tone};

/// `/register` — POST: `key`, `name`, `id_number`, `phone`, `consent` (=yes).
#[derive(Template, Clone, Debug, Default)]
#[template(path = "account/register.html")]
pub struct Register {
    pub layout: Layout,
    pub key: String,
    pub name: String,
    pub id_number: String,
    pub phone: String,
    pub consent: bool,
}

/// `/register/code`, `/login/code`, `/forgot/code` — the one-time code, and where needed a new password.
///
/// POST to `action`: `key`, the `hidden` fields, `code`, and with `new_password`: `password`, `password_again`.
/// POST to `resend`: `key`, the `hidden` fields.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "account/code.html")]
pub struct CodeEntry {
    pub layout: Layout,
    pub key: String,
    /// "验证码是多少?"
    pub heading: String,
    /// "199****0001".
    pub sent_to: String,
    pub action: String,
    pub resend: String,
    /// Clock time until which the code counts: "10:10".
    pub valid_until: String,
    pub hidden: Vec<Hidden>,
    /// Also ask for a new six-digit 医保码 password.
    pub new_password: bool,
    /// Words of the main action: "完成注册", "登录", "换成新密码".
    pub submit: String,
}

/// `/login` — POST: `key`, `account` (ID number), `password`, `back`; the second button sends
/// `by=code` and asks for a one-time code instead of the password.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "account/login.html")]
pub struct Login {
    pub layout: Layout,
    pub key: String,
    pub account: String,
    /// Where to go afterwards; a path of this site.
    pub back: String,
    /// Sandbox only: sample logins to try, (name, ID number, note).
    pub samples: Vec<SampleLogin>,
}

/// A person of the sandbox to sign in as.
#[derive(Clone, Debug, Default)]
pub struct SampleLogin {
    pub name: String,
    pub id_number: String,
    pub password: String,
    /// "济南 · 职工医保 · 个人账户 ¥8,300.00".
    pub note: String,
}

/// `/forgot` — POST: `key`, `id_number`. The code goes to the registered phone, if there is one; the page never says so.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "account/forgot.html")]
pub struct Forgot {
    pub layout: Layout,
    pub key: String,
    pub id_number: String,
}

/// `/security` — sessions and password.
///
/// POST `/security/sessions/{id}/revoke`: `key`. POST `/security/sessions/revoke-others`: `key`.
/// POST `/security/password`: `key`, `password_now`, `password`, `password_again`. POST `/security/data`: `key`, `password_for_data`; answers with a file.
/// POST `/security/sign-off`: `key`, `password_to_leave`, `sure` (=yes). POST `/logout`: `key`.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "account/security.html")]
pub struct Security {
    pub layout: Layout,
    pub key: String,
    pub name: String,
    pub id_number_masked: String,
    pub phone_masked: String,
    /// "2026年11月1日"; may be empty.
    pub password_since: String,
    pub sessions: Vec<SessionRow>,
}

#[derive(Clone, Debug, Default)]
pub struct SessionRow {
    pub id: String,
    /// "安卓手机 · Chrome".
    pub device: String,
    pub since: String,
    pub seen: String,
    pub current: bool,
}

/// `/notices` — the inbox. POST `/notices/read`: `key` marks all as read.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "account/notices.html")]
pub struct Notices {
    pub layout: Layout,
    pub key: String,
    pub rows: Vec<NoticeRow>,
    pub more: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct NoticeRow {
    pub title: String,
    pub text: String,
    pub at: String,
    pub tone: Tone,
    pub unread: bool,
    /// Where it leads; `None` when there is nothing to open.
    pub href: Option<String>,
}

/// `/act-for` — whom I act for. POST `/act-for`: `key`, `person` (id; empty = myself).
/// POST `/act-for/{id}/end`: `key` gives the authorisation back.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "account/act_for.html")]
pub struct ActFor {
    pub layout: Layout,
    pub key: String,
    pub people: Vec<ActForRow>,
    /// Those who may act for me, with the way to end it.
    pub helpers: Vec<ActForRow>,
}

#[derive(Clone, Debug, Default)]
pub struct ActForRow {
    pub id: String,
    pub party: Party,
    /// "可以替她接收、出示付款码、看明细".
    pub may: String,
    /// "2026年11月1日 起".
    pub since: String,
    pub chosen: bool,
}
