//! Why a request of an institution is not believed or not let in.

use crate::problem::{FieldBody, Problem};
use axum::http::StatusCode;
use gongji_files::signature::{AGE_MAX_S, Refused};
use gongji_store::vault::Admission;
use gongji_wallet::reason::Words;

/// A refusal at the entrance. Nothing was done; but an earlier arrival of the same request may have been: ask again with the same idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    SignatureRequired,
    SignatureInvalid,
    KeyUnknown,
    SignatureStale,
    KeyRevoked,
    KeyExpired,
    AddressNotAllowed,
    CertificateNotAllowed,
    NonceReused,
}

impl Untrusted {
    /// In the order of the checks.
    pub const ALL: [Untrusted; 9] = [
        Untrusted::SignatureRequired,
        Untrusted::SignatureInvalid,
        Untrusted::KeyUnknown,
        Untrusted::SignatureStale,
        Untrusted::KeyRevoked,
        Untrusted::KeyExpired,
        Untrusted::AddressNotAllowed,
        Untrusted::CertificateNotAllowed,
        Untrusted::NonceReused,
    ];

    pub fn of(admission: Admission) -> Result<(), Untrusted> {
        match admission {
            Admission::Admitted => Ok(()),
            Admission::Revoked => Err(Untrusted::KeyRevoked),
            Admission::Expired => Err(Untrusted::KeyExpired),
            Admission::AddressNotAllowed => Err(Untrusted::AddressNotAllowed),
            Admission::CertificateNotAllowed => Err(Untrusted::CertificateNotAllowed),
            Admission::NonceReused => Err(Untrusted::NonceReused),
        }
    }

    pub fn status(self) -> StatusCode {
        match self {
            Untrusted::AddressNotAllowed | Untrusted::CertificateNotAllowed => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    pub fn words(self) -> Words {
        let say =
            |code, title: &str, title_en, next_step: &str| Words { code, title: title.to_owned(), title_en, next_step: next_step.to_owned(), retryable: false };
        match self {
            Untrusted::SignatureRequired => say(
                "SIGNATURE_REQUIRED",
                "请求要签名,只有机构密钥不够。",
                "A signed request is required; a bearer key alone is not enough here",
                "照 docs/institutions/signing.md 给请求签名;公钥先向我们登记。",
            ),
            Untrusted::SignatureInvalid => say(
                "SIGNATURE_INVALID",
                "签名核对不上,没有办理。",
                "The signature is not that of this request",
                "看 fields 里写的是哪一处;再把你的待签名文本和文档里的例子逐行比,沙箱会把我们算出的一份放在 expected 里。",
            ),
            Untrusted::KeyUnknown => say(
                "KEY_UNKNOWN",
                "这个密钥编号没有登记过。",
                "No public key with this keyid is registered",
                "核对 keyid:它是公钥摘要的前 32 位,gongji institution keygen 会显示;还没登记就先登记。",
            ),
            Untrusted::SignatureStale => say(
                "SIGNATURE_STALE",
                "签名的时间离现在太远,没有办理。",
                "created lies more than 300 seconds from our clock, or expires has passed",
                "校准机器的时钟,用新的 created 和 nonce 重新签名,Idempotency-Key 不变。",
            ),
            Untrusted::KeyRevoked => say("KEY_REVOKED", "这把密钥已经停用。", "This key is revoked", "换用登记过的另一把;不是你们停用的,请马上打电话给我们。"),
            Untrusted::KeyExpired => say("KEY_EXPIRED", "这把密钥已经到期。", "This key has expired", "换用登记过的另一把,或登记一把新的。"),
            Untrusted::AddressNotAllowed => say(
                "ADDRESS_NOT_ALLOWED",
                "这个网络地址不在机构登记的范围里。",
                "The institution may not ask from this address",
                "从登记过的网络发请求;出口地址变了,先来改登记。",
            ),
            Untrusted::CertificateNotAllowed => say(
                "CERTIFICATE_NOT_ALLOWED",
                "没有客户端证书,或证书不是这家机构登记的。",
                "No client certificate, or not one of this institution",
                "用登记过的客户端证书连接;换了证书,先来改登记。",
            ),
            Untrusted::NonceReused => say(
                "NONCE_REUSED",
                "这个随机串用过了:同样的请求到过一次。",
                "This nonce was used before; the first arrival may have been carried out",
                "不要重发原来的字节:用新的 nonce 重新签名,Idempotency-Key 不变,就能得到第一次的结果。",
            ),
        }
    }

    /// With what is wrong, for whoever has to find it.
    pub fn because(self, field: &str, message: impl Into<String>, message_en: impl Into<String>) -> Problem {
        let mut problem = Problem::from(self);
        problem.body.fields.push(FieldBody { field: field.to_owned(), message: message.into(), message_en: message_en.into() });
        problem
    }

    /// The signature's time, beside ours.
    pub fn stale(created: i64, now_ms: i64) -> Problem {
        let time = |seconds: i64| crate::time::rfc3339(seconds.saturating_mul(1_000));
        let now = now_ms / 1_000;
        // A time that nobody can write is told as the number it is.
        let created_text = if (0..=253_402_300_799).contains(&created) { time(created) } else { created.to_string() };
        Untrusted::SignatureStale.because(
            "signature-input",
            format!("签名时间 {created_text},我们的时间 {},最多相差 {AGE_MAX_S} 秒。", time(now)),
            format!("created={created}, our clock {now}"),
        )
    }
}

/// What is wrong with a signature, and what to compare.
pub fn why(refused: Refused) -> Problem {
    let (field, message) = match refused {
        Refused::Missing(field) => (field, format!("缺少 {field} 头。")),
        Refused::Malformed(field) => (field, format!("{field} 头读不懂:它只能有一个,写法要和文档里的一字不差,多一个空格也不行。")),
        Refused::Parameter(name) => ("signature-input", format!("Signature-Input 里的 {name} 缺了,或者不合写法。")),
        Refused::NotCovered(name) => ("signature-input", format!("签名没有包括 {name}:把它加进 Signature-Input 的括号和待签名文本里。")),
        Refused::Unknown => ("signature-input", "签名包括了这个请求里没有的、或者我们不认识的一项。".to_owned()),
        Refused::Algorithm => ("signature-input", "alg 和登记的密钥不是一种;算法由密钥决定,不写 alg 就行。".to_owned()),
        Refused::DigestKind(profile) => ("content-digest", format!("Content-Digest 里没有 {}:用这把密钥签名就要用这种摘要。", profile.digest_name())),
        Refused::DigestDiffers => ("content-digest", "Content-Digest 和收到的内容对不上:摘要要按实际发出的字节算,之后一个字节也不能变。".to_owned()),
        Refused::Differs => {
            ("signature", "摘要对得上,签名对不上:逐行核对待签名文本(换行是一个 LF,最后一行后面没有换行),再核对私钥是不是这个 keyid 的。".to_owned())
        }
    };
    Untrusted::SignatureInvalid.because(field, message, refused.to_string())
}
