//! What of a message is signed, and the signing and checking of requests and answers.

use super::digest::BodyDigest;
use super::field::{self, Component, NONCE_LEN_MAX, NONCE_LEN_MIN};
use super::key::{Profile, SigningKey, VerifyingKey};
use super::{CONTENT_DIGEST, IDEMPOTENCY_KEY, SIGNATURE, SIGNATURE_INPUT, digest};
use base64ct::{Base64, Encoding as _};
use std::fmt::Write as _;

/// The label that we give our signatures.
const LABEL: &str = "sig1";

/// Fields by name in lower case, in the order in which they stand in the message; one name may stand more than once.
pub type Headers<'a> = [(&'a str, &'a str)];

/// A request as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// As [`authority`] writes it.
    pub authority: &'a str,
    /// Still percent-encoded, exactly as in the request line.
    pub path: &'a str,
    /// What follows the question mark, exactly as in the request line; nothing where there is none.
    pub query: &'a str,
    pub headers: &'a Headers<'a>,
}

/// An answer as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    pub status: u16,
    pub headers: &'a Headers<'a>,
}

/// The two fields of a signature, and what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub signature_input: String,
    pub signature: String,
    pub base: String,
}

/// Why a signature does not hold. The checks run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the field {0} is missing")]
    Missing(&'static str),
    #[error("the field {0} cannot be read")]
    Malformed(&'static str),
    #[error("the parameter {0} is missing or out of range")]
    Parameter(&'static str),
    #[error("the signature does not cover {0}")]
    NotCovered(&'static str),
    #[error("the signature covers something that this message does not have or that we do not know")]
    Unknown,
    #[error("the key is of another kind than the message says")]
    Algorithm,
    #[error("Content-Digest has no {}", .0.digest_name())]
    DigestKind(Profile),
    #[error("Content-Digest is not that of the body")]
    DigestDiffers,
    #[error("the signature is not that of this message by this key")]
    Differs,
}

/// `Host` as it is signed: lower case, without the port that the scheme implies. 依据：RFC 9421, 2.2.3.
pub fn authority(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let bare = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(&host);
    bare.to_owned()
}

/// Signs a request. Its `content-digest` (and `idempotency-key`) must stand in the headers already; what stands there is covered.
///
/// `created` is in seconds since 1970 UTC; the nonce has 16 to 64 printable letters and is used once.
///
/// # Panics
/// When the nonce has letters that cannot stand in a field.
pub fn sign_request(key: &SigningKey, request: &Request<'_>, created: i64, nonce: &str) -> Signed {
    assert!(nonce.bytes().all(is_nonce_letter), "a nonce is of letters, digits, '-', '_', '.' and ':'");
    let mut names = vec!["@method", "@authority", "@path", "@query"];
    names.extend([CONTENT_DIGEST, IDEMPOTENCY_KEY].into_iter().filter(|name| request.headers.iter().any(|(known, _)| known == name)));
    let components: Vec<Component> = names.iter().map(|name| Component { name: (*name).to_owned(), of_request: false }).collect();
    let params = format!("{};created={created};nonce=\"{nonce}\";keyid=\"{}\"", list(&components), key.verifying_key().key_id());
    let base = base(&components, &params, |component| of_request(request, &component.name)).expect("only what is there was listed");
    signed(key, base, &params)
}

/// Signs the answer to a request that was itself signed. The `content-digest` must stand in the headers already.
///
/// # Panics
/// When the answer has no digest or the request no signature.
pub fn sign_response(key: &SigningKey, response: &Response<'_>, request: &Request<'_>, created: i64) -> Signed {
    let component = |name: &str, of_request| Component { name: name.to_owned(), of_request };
    let components = [component("@status", false), component(CONTENT_DIGEST, false), component(SIGNATURE, true)];
    let params = format!("{};created={created};keyid=\"{}\"", list(&components), key.verifying_key().key_id());
    let base = base(&components, &params, |component| of_response(response, request, component)).expect("a signed answer has a digest and a signed request");
    signed(key, base, &params)
}

/// A request's signature as it was presented: readable and complete, but not believed yet.
#[derive(Clone, Debug)]
pub struct Presented {
    pub key_id: String,
    /// Seconds since 1970 UTC.
    pub created: i64,
    pub expires: Option<i64>,
    pub nonce: String,
    /// What must have been signed.
    pub base: String,
    algorithm: Option<String>,
    signature: Vec<u8>,
    digest: Option<String>,
}

impl Presented {
    /// Reads the signature of a request and sees that it covers everything it must.
    ///
    /// # Errors
    /// [`Refused`], for what can be known without the key.
    pub fn read(request: &Request<'_>) -> Result<Presented, Refused> {
        let (input_text, signature_text) = (single(request.headers, SIGNATURE_INPUT)?, single(request.headers, SIGNATURE)?);
        let input = field::input(input_text).ok_or(Refused::Malformed(SIGNATURE_INPUT))?;
        let signature = the_signature(signature_text, input.label)?;
        let created = input.created.ok_or(Refused::Parameter("created"))?;
        let key_id = input.key_id.ok_or(Refused::Parameter("keyid"))?;
        let is_nonce = |nonce: &String| (NONCE_LEN_MIN..=NONCE_LEN_MAX).contains(&nonce.len()) && nonce.bytes().all(is_nonce_letter);
        let nonce = input.nonce.filter(is_nonce).ok_or(Refused::Parameter("nonce"))?;
        let digest = value(request.headers, CONTENT_DIGEST);
        let covers = |name: &str| input.components.iter().any(|component| component.name == name && !component.of_request);
        for name in ["@method", "@authority", "@path", "@query"] {
            if !covers(name) {
                return Err(Refused::NotCovered(name));
            }
        }
        for name in [CONTENT_DIGEST, IDEMPOTENCY_KEY] {
            if request.headers.iter().any(|(known, _)| *known == name) && !covers(name) {
                return Err(Refused::NotCovered(name));
            }
        }
        let base = base(&input.components, input.params, |component| if component.of_request { None } else { of_request(request, &component.name) });
        let base = base.ok_or(Refused::Unknown)?;
        Ok(Presented { key_id, created, expires: input.expires, nonce, base, algorithm: input.algorithm, signature, digest })
    }

    /// Whether `key` signed this request with this body.
    ///
    /// # Errors
    /// [`Refused`], for what can be known with the key. A body needs a digest; without a body a digest may be left out.
    pub fn verify(&self, key: &VerifyingKey, body: &[u8]) -> Result<(), Refused> {
        check_algorithm(key, self.algorithm.as_deref())?;
        match &self.digest {
            Some(digest) => digest::check(key.profile(), digest, body)?,
            None if body.is_empty() => {}
            None => return Err(Refused::Missing(CONTENT_DIGEST)),
        }
        self.check_signature(key)
    }

    /// Whether `key` signed this request, whose body is still to come: what is signed covers the digest that the body must have.
    ///
    /// # Errors
    /// As [`Presented::verify`], for what can be known without the body.
    pub fn verify_ahead(&self, key: &VerifyingKey) -> Result<(), Refused> {
        check_algorithm(key, self.algorithm.as_deref())?;
        if self.digest.is_none() {
            return Err(Refused::Missing(CONTENT_DIGEST));
        }
        self.check_signature(key)
    }

    /// Whether the body that came after [`Presented::verify_ahead`] is the one that was signed.
    ///
    /// # Errors
    /// It is another.
    pub fn verify_body(&self, key: &VerifyingKey, body: BodyDigest) -> Result<(), Refused> {
        digest::check_finished(key.profile(), self.digest.as_deref().unwrap_or_default(), &body.finish())
    }

    fn check_signature(&self, key: &VerifyingKey) -> Result<(), Refused> {
        if key.verify(self.base.as_bytes(), &self.signature) { Ok(()) } else { Err(Refused::Differs) }
    }

    /// Whether the time of signing is near enough to `now` (s).
    pub fn is_timely(&self, now: i64) -> bool {
        self.created.abs_diff(now) <= super::AGE_MAX_S.unsigned_abs() && self.expires.is_none_or(|expires| expires > now)
    }
}

/// Whether `key` signed this answer, with this body, to this very request.
///
/// # Errors
/// [`Refused`].
pub fn verify_response(key: &VerifyingKey, response: &Response<'_>, request: &Request<'_>, body: &[u8]) -> Result<(), Refused> {
    let input = field::input(single(response.headers, SIGNATURE_INPUT)?).ok_or(Refused::Malformed(SIGNATURE_INPUT))?;
    let signature = the_signature(single(response.headers, SIGNATURE)?, input.label)?;
    if input.key_id.as_deref() != Some(key.key_id()) {
        return Err(Refused::Parameter("keyid"));
    }
    for (name, of_request) in [("@status", false), (CONTENT_DIGEST, false), (SIGNATURE, true)] {
        if !input.components.iter().any(|component| component.name == name && component.of_request == of_request) {
            return Err(Refused::NotCovered(name));
        }
    }
    let base = base(&input.components, input.params, |component| of_response(response, request, component)).ok_or(Refused::Unknown)?;
    check_algorithm(key, input.algorithm.as_deref())?;
    digest::check(key.profile(), &value(response.headers, CONTENT_DIGEST).unwrap_or_default(), body)?;
    if key.verify(base.as_bytes(), &signature) { Ok(()) } else { Err(Refused::Differs) }
}

/// RFC 9421 allows to name the algorithm. It may agree with the key; it never chooses.
fn check_algorithm(key: &VerifyingKey, stated: Option<&str>) -> Result<(), Refused> {
    let known = match key.profile() {
        Profile::Ed25519 => "ed25519",
        Profile::Sm2 => "sm2-sm3",
    };
    if stated.is_none_or(|stated| stated == known) { Ok(()) } else { Err(Refused::Algorithm) }
}

fn signed(key: &SigningKey, base: String, params: &str) -> Signed {
    let signature = Base64::encode_string(&key.sign(base.as_bytes()));
    Signed { signature_input: format!("{LABEL}={params}"), signature: format!("{LABEL}=:{signature}:"), base }
}

/// Letters of a nonce need no escape anywhere.
fn is_nonce_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)
}

fn list(components: &[Component]) -> String {
    let names: Vec<String> = components.iter().map(quoted).collect();
    format!("({})", names.join(" "))
}

fn quoted(component: &Component) -> String {
    format!("\"{}\"{}", component.name, if component.of_request { ";req" } else { "" })
}

/// The signature base: one line for each component, then the list of them. 依据：RFC 9421, 2.5. `None` where one has no value.
fn base(components: &[Component], params: &str, value_of: impl Fn(&Component) -> Option<String>) -> Option<String> {
    let mut base = String::with_capacity(512);
    for component in components {
        let value = value_of(component)?;
        // A line break inside a value would begin a line that nobody listed.
        if value.contains(['\n', '\r']) {
            return None;
        }
        writeln!(base, "{}: {value}", quoted(component)).expect("a string takes every write");
    }
    write!(base, "\"@signature-params\": {params}").expect("a string takes every write");
    Some(base)
}

fn of_request(request: &Request<'_>, name: &str) -> Option<String> {
    match name {
        "@method" => Some(request.method.to_owned()),
        "@authority" => Some(request.authority.to_owned()),
        "@path" => Some(if request.path.is_empty() { "/".to_owned() } else { request.path.to_owned() }),
        "@query" => Some(format!("?{}", request.query)),
        _ if name.starts_with('@') => None,
        _ => value(request.headers, name),
    }
}

fn of_response(response: &Response<'_>, request: &Request<'_>, component: &Component) -> Option<String> {
    match (component.of_request, component.name.as_str()) {
        (true, name) => of_request(request, name),
        (false, "@status") => Some(response.status.to_string()),
        (false, name) if name.starts_with('@') => None,
        (false, name) => value(response.headers, name),
    }
}

/// A field's lines, trimmed and joined. 依据：RFC 9421, 2.1.
fn value(headers: &Headers<'_>, name: &str) -> Option<String> {
    let lines: Vec<&str> = headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.trim_matches([' ', '\t'])).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// A field that stands once.
fn single<'a>(headers: &Headers<'a>, name: &'static str) -> Result<&'a str, Refused> {
    let mut lines = headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.trim_matches([' ', '\t']));
    let first = lines.next().ok_or(Refused::Missing(name))?;
    if lines.next().is_some() { Err(Refused::Malformed(name)) } else { Ok(first) }
}

/// The bytes of the one signature, which has the label of the input.
fn the_signature(text: &str, label: &str) -> Result<Vec<u8>, Refused> {
    let mut members = field::byte_sequences(text).ok_or(Refused::Malformed(SIGNATURE))?;
    match members.pop() {
        Some((known, signature)) if known == label && members.is_empty() => Ok(signature),
        _ => Err(Refused::Malformed(SIGNATURE)),
    }
}

#[cfg(test)]
mod tests;
