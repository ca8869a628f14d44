//! Every "no" of this module in words.

use gongji_store::vault::{CodeError, VaultError, WeakPassword};
use gongji_wallet::reason::Words;

use super::adapter::AdapterError;

/// One field of a form that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Name of the field in API and form: `id_number`, `name`, `phone`.
    pub field: &'static str,
    /// For the person, beside the field.
    pub message: String,
    pub message_en: String,
}

impl FieldError {
    pub(super) fn new(field: &'static str, message: String, message_en: String) -> Self {
        Self { field, message, message_en }
    }
}

/// Why somebody is not let in, not confirmed, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("fields are wrong")]
    Invalid(Vec<FieldError>),
    #[error("the password is too simple")]
    WeakPassword(WeakPassword),
    /// Wrong password, unknown person or no password set: one answer.
    #[error("ID number or password is wrong")]
    LoginRefused { attempts_left: u32 },
    /// The wrong password of somebody who is logged in.
    #[error("the password is wrong")]
    WrongPassword { attempts_left: u32 },
    #[error("too many wrong passwords")]
    Locked { until_ms: i64, now_ms: i64 },
    #[error("the code is wrong")]
    WrongCode { attempts_left: u32 },
    #[error("the code is over")]
    CodeGone,
    #[error("too many codes")]
    TooManyCodes { retry_ms: i64, now_ms: i64 },
    #[error("the face did not match")]
    FaceFailed,
    #[error("the face check cannot be reached")]
    FaceUnavailable,
    #[error("the register cannot be reached")]
    RegistryUnavailable,
    #[error("too many at once")]
    Busy,
    #[error("no session")]
    LoginRequired,
    #[error("not found")]
    NotFound,
    /// Money or an open matter would be out of its owner's reach.
    #[error("there is something left in the wallet")]
    SignOffOpen,
    #[error("made and confirmed by one operator")]
    SameOperator,
    /// The world failed; logged where it is handled, never shown.
    #[error("the vault failed")]
    Fault(#[from] VaultError),
}

impl IdentityError {
    pub(super) fn field(field: &'static str, message: String, message_en: String) -> Self {
        Self::Invalid(vec![FieldError::new(field, message, message_en)])
    }

    /// HTTP status of the refusal.
    pub fn status(&self) -> u16 {
        match self {
            Self::LoginRefused { .. } | Self::LoginRequired => 401,
            Self::WrongPassword { .. } | Self::FaceFailed | Self::SameOperator => 403,
            Self::NotFound => 404,
            Self::SignOffOpen => 409,
            Self::Invalid(_) | Self::WeakPassword(_) | Self::WrongCode { .. } | Self::CodeGone => 422,
            Self::Locked { .. } | Self::TooManyCodes { .. } => 429,
            Self::FaceUnavailable | Self::RegistryUnavailable | Self::Busy => 503,
            Self::Fault(_) => 500,
        }
    }

    /// When the same request may succeed (ms, UTC), if known.
    pub fn not_before(&self) -> Option<i64> {
        match self {
            Self::Locked { until_ms, .. } => Some(*until_ms),
            Self::TooManyCodes { retry_ms, .. } => Some(*retry_ms),
            _ => None,
        }
    }

    /// Seconds until then, for `Retry-After`: a movable clock is nobody else's.
    pub fn wait_s(&self) -> Option<u64> {
        let (Self::Locked { until_ms: at, now_ms } | Self::TooManyCodes { retry_ms: at, now_ms }) = self else { return None };
        Some(u64::try_from(at - now_ms).unwrap_or(0).div_ceil(1_000))
    }

    /// Code, words and what to do next, as for every refusal of the wallet.
    pub fn words(&self) -> Words {
        let say =
            |code, title: &str, title_en, next_step: &str| Words { code, title: title.to_owned(), title_en, next_step: next_step.to_owned(), retryable: false };
        let later = |words: Words| Words { retryable: true, ..words };
        let attempts = |left: &u32| format!("还可以试 {left} 次;也可以用手机验证码。");
        match self {
            Self::Invalid(fields) => {
                let title = fields.first().map_or("填写的内容不对。", |field| &field.message);
                say("FIELDS_INVALID", title, "Some fields are wrong", "照着提示改好,再提交。")
            }
            Self::WeakPassword(weakness) => say("PASSWORD_TOO_SIMPLE", weakness_title(*weakness), "Password is too simple", "换 6 位别人猜不到的数字。"),
            Self::LoginRefused { attempts_left } => say("LOGIN_REFUSED", "身份证号或密码不对。", "ID number or password is wrong", &attempts(attempts_left)),
            Self::WrongPassword { attempts_left } => say("PASSWORD_WRONG", "医保码密码不对。", "Password is wrong", &attempts(attempts_left)),
            Self::Locked { .. } => later(say(
                "PASSWORD_LOCKED",
                "密码错的次数太多,先锁住了。",
                "Locked after too many wrong passwords",
                "现在就要用:用手机验证码登录,或重设密码。",
            )),
            Self::WrongCode { attempts_left } => {
                say("SMS_CODE_WRONG", "验证码不对。", "One-time code is wrong", &format!("看看最新的一条短信,还可以试 {attempts_left} 次。"))
            }
            Self::CodeGone => say("SMS_CODE_EXPIRED", "验证码失效了。", "One-time code is over", "重新获取一个验证码。"),
            Self::TooManyCodes { .. } => {
                later(say("SMS_CODE_LIMIT", "验证码要得太频繁了。", "Too many one-time codes", "每分钟一条,每天最多 10 条,过一会儿再要。"))
            }
            Self::FaceFailed => say("FACE_FAILED", "人脸没有通过。", "Face check failed", "换个亮的地方再试,或改用医保码密码。"),
            Self::FaceUnavailable => later(say("FACE_UNAVAILABLE", "人脸核验现在用不了。", "Face check is unavailable", "改用医保码密码,或过一会儿再试。")),
            Self::RegistryUnavailable => {
                later(say("REGISTRY_UNAVAILABLE", "现在核对不了参保登记。", "The register is unavailable", "过几分钟再试,填过的内容还在。"))
            }
            Self::Busy => later(say("BUSY", "现在办的人多,还没轮到。", "Busy", "等几秒再点一次。")),
            Self::LoginRequired => say("LOGIN_REQUIRED", "请先登录。", "Login required", "登录后接着办。"),
            Self::NotFound => say("NOT_FOUND", "没有找到。", "Not found", "刷新页面再看一遍。"),
            Self::SignOffOpen => say(
                "SIGN_OFF_OPEN",
                "钱包里还有钱,或者有没办完的事,现在不能注销登录。",
                "There is money in the wallet or something not decided yet",
                "把钱用掉或转给家人,等没办完的办完,再来注销。",
            ),
            Self::SameOperator => say("SAME_OPERATOR", "经办和复核不能是同一个人。", "Maker and checker must differ", "请另一位经办人复核。"),
            Self::Fault(_) => later(say("INTERNAL", "我们这边出了问题,你的钱没有动。", "Internal fault", "过几分钟再试;还不行,请告诉我们编号。")),
        }
    }
}

fn weakness_title(weakness: WeakPassword) -> &'static str {
    match weakness {
        WeakPassword::NotSixDigits => "密码要正好 6 位数字。",
        WeakPassword::AllSame => "密码不能是 6 个一样的数字。",
        WeakPassword::Straight => "密码不能是连着的数字。",
        WeakPassword::Repeating => "密码不能是重复的两三个数字。",
        WeakPassword::Birthday => "密码不能是生日。",
        WeakPassword::InIdNumber => "密码不能是身份证号里的数字。",
        WeakPassword::InPhone => "密码不能是手机号里的数字。",
    }
}

impl From<CodeError> for IdentityError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Wrong { attempts_left } => Self::WrongCode { attempts_left },
            CodeError::Gone => Self::CodeGone,
        }
    }
}

/// What an adapter of the *register* could not do; face and SMS map theirs themselves.
impl From<AdapterError> for IdentityError {
    fn from(_: AdapterError) -> Self {
        Self::RegistryUnavailable
    }
}
