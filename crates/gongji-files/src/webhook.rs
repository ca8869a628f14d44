//! Signatures of webhooks. 依据：Standard Webhooks 1.0.0 (symmetric scheme, `v1`).

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with when it is shown.
pub const SECRET_PREFIX: &str = "whsec_";

/// Bytes of a secret that is made here; the standard asks for 24 to 64.
pub const SECRET_LEN: usize = 32;

/// A secret as it is shown: the prefix, and base64.
pub fn secret_text(secret: &[u8; SECRET_LEN]) -> String {
    format!("{SECRET_PREFIX}{}", Base64::encode_string(secret))
}

/// One entry of `webhook-signature`, by a secret as it was shown; `None` where the text is no secret. `at` is `webhook-timestamp`, in seconds.
pub fn sign(secret: &str, id: &str, at: i64, body: &[u8]) -> Option<String> {
    let secret = Base64::decode_vec(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&secret).ok()?;
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_standards_libraries() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(sign("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg", 0, b""), None);
        assert!(sign(&secret_text(&[7; SECRET_LEN]), "msg", 0, b"").is_some());
    }
}
