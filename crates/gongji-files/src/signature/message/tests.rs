#![allow(clippy::unwrap_used)]

use super::*;
use crate::signature::content_digest;
use proptest::prelude::*;

const NOW: i64 = 1_795_000_000;
const NONCE: &str = "nonce-of-16-char";

fn key(profile: Profile, first: u8) -> SigningKey {
    SigningKey::from_seed(profile, &[first; 32]).unwrap()
}

#[test]
fn a_request_is_signed_as_rfc_9421_shows() {
    // B.2.6, with the key of B.1.4.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n";
    let key = SigningKey::from_pem(pem).unwrap();
    let headers = [("host", "example.com"), ("date", "Tue, 20 Apr 2021 02:07:55 GMT"), ("content-type", "application/json"), ("content-length", "18")];
    let request = Request { method: "POST", authority: "example.com", path: "/foo", query: "param=Value&Pet=dog", headers: &headers };
    let text = r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
    let input = field::input(text).unwrap();
    let base = base(&input.components, input.params, |component| of_request(&request, &component.name)).unwrap();
    let shown = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\"@authority\": example.com\n\"content-type\": application/json\n\
                 \"content-length\": 18\n\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;\
                 keyid=\"test-key-ed25519\"";
    assert_eq!(base, shown);
    let signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    assert_eq!(key.sign_base64(base.as_bytes()), signature);
    assert_eq!(of_request(&request, "@query").unwrap(), "?param=Value&Pet=dog");
}

#[test]
fn the_digest_is_that_of_rfc_9530_and_of_sm3() {
    // RFC 9530, B.1, without its final line feed as in RFC 9421, B.2.
    assert_eq!(content_digest(Profile::Ed25519, b"{\"hello\": \"world\"}"), "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    assert_eq!(content_digest(Profile::Sm2, b"abc"), "sm3=:Zsfw9GLu7dnR8tRr3BDk4kFnxIdc8veiKX2gK49LqOA=:");
}

#[test]
fn a_host_is_signed_in_lower_case_without_the_usual_port() {
    for (host, signed) in
        [("Wallet.Example.CN", "wallet.example.cn"), ("a.cn:443", "a.cn"), ("a.cn:80", "a.cn"), ("a.cn:8443", "a.cn:8443"), ("[::1]:8080", "[::1]:8080")]
    {
        assert_eq!(authority(host), signed);
    }
}

/// A message that can be changed before it is looked at.
#[derive(Clone)]
struct Sent {
    method: String,
    authority: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn signed(key: &SigningKey) -> Sent {
        let body = br#"{"amount":1}"#.to_vec();
        let headers = vec![
            ("content-digest".to_owned(), content_digest(key.profile(), &body)),
            ("idempotency-key".to_owned(), "order-1".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        let [method, authority, path, query] = ["POST", "wallet.example.cn", "/api/v1/payments", "a=1"].map(str::to_owned);
        let mut sent = Sent { method, authority, path, query, headers, body };
        sent.sign(key);
        sent
    }

    fn sign(&mut self, key: &SigningKey) {
        self.headers.retain(|(name, _)| !name.starts_with("signature"));
        let signed = self.with(|request| sign_request(key, request, NOW, NONCE));
        self.headers.push(("signature-input".to_owned(), signed.signature_input));
        self.headers.push(("signature".to_owned(), signed.signature));
    }

    fn with<T>(&self, work: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        work(&Request { method: &self.method, authority: &self.authority, path: &self.path, query: &self.query, headers: &headers })
    }

    fn check(&self, key: &VerifyingKey) -> Result<Presented, Refused> {
        let presented = self.with(Presented::read)?;
        presented.verify(key, &self.body).map(|()| presented)
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.iter_mut().find(|(known, _)| known == name).unwrap().1 = value.into();
    }

    fn header(&self, name: &str) -> String {
        self.headers.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }

    fn drop_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }
}

#[test]
fn a_signed_request_says_who_signed_it_and_when() {
    for profile in Profile::ALL {
        let key = key(profile, 1);
        let presented = Sent::signed(&key).check(key.verifying_key()).unwrap();
        assert_eq!((presented.key_id.as_str(), presented.created, presented.nonce.as_str()), (key.verifying_key().key_id(), NOW, NONCE));
        assert!(presented.is_timely(NOW - 300) && presented.is_timely(NOW + 300) && !presented.is_timely(NOW - 301) && !presented.is_timely(NOW + 301));
        assert!(!presented.is_timely(i64::MIN) && !presented.is_timely(i64::MAX));
    }
}

#[test]
fn whatever_is_changed_on_the_way_is_noticed() {
    type Change = (&'static str, fn(&mut Sent), Refused);
    let changes: [Change; 21] = [
        ("body", |sent| sent.body = br#"{"amount":9}"#.to_vec(), Refused::DigestDiffers),
        ("no body", |sent| sent.body.clear(), Refused::DigestDiffers),
        (
            "body and digest",
            |sent| {
                sent.body = b"{}".to_vec();
                let digests = Profile::ALL.map(|profile| content_digest(profile, b"{}")).join(", ");
                sent.set("content-digest", digests);
            },
            Refused::Differs,
        ),
        ("method", |sent| sent.method = "PUT".to_owned(), Refused::Differs),
        ("host", |sent| sent.authority = "other.example.cn".to_owned(), Refused::Differs),
        ("path", |sent| sent.path.push('x'), Refused::Differs),
        ("query", |sent| sent.query = "a=2".to_owned(), Refused::Differs),
        ("no query", |sent| sent.query.clear(), Refused::Differs),
        ("idempotency key", |sent| sent.set("idempotency-key", "order-2"), Refused::Differs),
        ("second idempotency key", |sent| sent.headers.push(("idempotency-key".to_owned(), "order-2".to_owned())), Refused::Differs),
        ("no idempotency key", |sent| sent.drop_header("idempotency-key"), Refused::Unknown),
        ("no digest", |sent| sent.drop_header("content-digest"), Refused::Unknown),
        ("no signature", |sent| sent.drop_header("signature"), Refused::Missing("signature")),
        ("no input", |sent| sent.drop_header("signature-input"), Refused::Missing("signature-input")),
        ("two signatures", |sent| sent.headers.push(("signature".to_owned(), sent.header("signature"))), Refused::Malformed("signature")),
        ("label", |sent| sent.set("signature", sent.header("signature").replace("sig1", "sig2")), Refused::Malformed("signature")),
        ("time", |sent| sent.set("signature-input", sent.header("signature-input").replace("1795000000", "1795000001")), Refused::Differs),
        ("nonce", |sent| sent.set("signature-input", sent.header("signature-input").replace(NONCE, "nonce-of-17-chars")), Refused::Differs),
        ("short nonce", |sent| sent.set("signature-input", sent.header("signature-input").replace(NONCE, "short")), Refused::Parameter("nonce")),
        ("fewer covered", |sent| sent.set("signature-input", sent.header("signature-input").replace("\"@query\" ", "")), Refused::NotCovered("@query")),
        ("algorithm", |sent| sent.set("signature-input", sent.header("signature-input") + ";alg=\"hmac-sha256\""), Refused::Algorithm),
    ];
    for profile in Profile::ALL {
        let key = key(profile, 1);
        for (what, change, why) in changes {
            let mut sent = Sent::signed(&key);
            change(&mut sent);
            assert_eq!(sent.check(key.verifying_key()).unwrap_err(), why, "{profile:?}: {what}");
        }
    }
}

#[test]
fn an_idempotency_key_or_body_must_be_covered() {
    let key = key(Profile::Ed25519, 1);
    let mut sent = Sent::signed(&key);
    let late = sent.headers.remove(1);
    sent.sign(&key);
    assert!(sent.check(key.verifying_key()).is_ok());
    sent.headers.push(late);
    assert_eq!(sent.check(key.verifying_key()).unwrap_err(), Refused::NotCovered("idempotency-key"));
    let mut sent = Sent::signed(&key);
    sent.drop_header("content-digest");
    sent.sign(&key);
    assert_eq!(sent.check(key.verifying_key()).unwrap_err(), Refused::Missing("content-digest"));
    sent.body.clear();
    assert!(sent.check(key.verifying_key()).is_ok(), "nothing needs no digest");
}

#[test]
fn the_key_alone_says_which_algorithm() {
    let (ed, sm2) = (key(Profile::Ed25519, 1), key(Profile::Sm2, 1));
    let sent = Sent::signed(&ed);
    assert_eq!(sent.check(sm2.verifying_key()).unwrap_err(), Refused::DigestKind(Profile::Sm2));
    assert_eq!(sent.check(key(Profile::Ed25519, 2).verifying_key()).unwrap_err(), Refused::Differs);
    let mut named = sent.clone();
    let input = format!("{};alg=\"ed25519\"", sent.header("signature-input"));
    named.set("signature-input", input.clone());
    assert_eq!(named.check(ed.verifying_key()).unwrap_err(), Refused::Differs, "what is named is signed as well");
    let base = named.with(Presented::read).unwrap().base;
    named.set("signature", format!("sig1=:{}:", ed.sign_base64(base.as_bytes())));
    assert!(named.check(ed.verifying_key()).is_ok());
}

#[test]
fn an_expired_signature_is_not_timely() {
    let key = key(Profile::Ed25519, 1);
    let mut sent = Sent::signed(&key);
    sent.set("signature-input", sent.header("signature-input") + &format!(";expires={}", NOW + 10));
    let presented = sent.with(Presented::read).unwrap();
    assert!(presented.is_timely(NOW + 9) && !presented.is_timely(NOW + 10));
}

#[test]
fn an_answer_belongs_to_its_request() {
    for profile in Profile::ALL {
        let (ours, theirs) = (key(profile, 9), key(profile, 1));
        let (sent, mut other) = (Sent::signed(&theirs), Sent::signed(&theirs));
        other.path.push('2');
        other.sign(&theirs);
        let body = br#"{"state":"held"}"#;
        let digest = content_digest(profile, body);
        let plain = [("content-digest", digest.as_str()), ("content-type", "application/json")];
        let signed = sent.with(|request| sign_response(&ours, &Response { status: 201, headers: &plain }, request, NOW));
        let headers = [plain[0], plain[1], ("signature-input", signed.signature_input.as_str()), ("signature", signed.signature.as_str())];
        let check = |sent: &Sent, status: u16, headers: &Headers<'_>, body: &[u8], key: &SigningKey| {
            sent.with(|request| verify_response(key.verifying_key(), &Response { status, headers }, request, body))
        };
        assert_eq!(check(&sent, 201, &headers, body, &ours), Ok(()));
        assert_eq!(check(&other, 201, &headers, body, &ours), Err(Refused::Differs), "the answer to another request");
        assert_eq!(check(&sent, 200, &headers, body, &ours), Err(Refused::Differs), "another outcome");
        assert_eq!(check(&sent, 201, &headers, b"{}", &ours), Err(Refused::DigestDiffers));
        assert_eq!(check(&sent, 201, &headers, body, &theirs), Err(Refused::Parameter("keyid")), "not the platform");
        assert_eq!(check(&sent, 201, &headers[..2], body, &ours), Err(Refused::Missing("signature-input")));
        let less = signed.signature_input.replace(" \"signature\";req", "");
        let headers = [headers[0], ("signature-input", less.as_str()), headers[3]];
        assert_eq!(check(&sent, 201, &headers, body, &ours), Err(Refused::NotCovered("signature")));
    }
}

proptest! {
    #[test]
    fn no_field_breaks_the_reading_of_a_message(input in "\\PC{0,200}", signature in "\\PC{0,200}", digest in "\\PC{0,80}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
        let key = key(Profile::Sm2, 1);
        let headers = [("signature-input", input.as_str()), ("signature", &signature), ("content-digest", &digest)];
        let request = Request { method: "POST", authority: "a.cn", path: "/", query: "", headers: &headers };
        prop_assert!(Presented::read(&request).is_err());
        let response = Response { status: 200, headers: &headers };
        prop_assert!(verify_response(key.verifying_key(), &response, &request, &body).is_err());
        let mut sent = Sent::signed(&key);
        sent.set("content-digest", digest.clone());
        prop_assert!(sent.check(key.verifying_key()).is_err());
        sent.set("signature", signature.clone());
        prop_assert!(sent.check(key.verifying_key()).is_err());
    }

    #[test]
    fn whatever_is_signed_is_accepted(path in "/[!-~]{0,40}", query in "[!-~]{0,40}", body in proptest::collection::vec(any::<u8>(), 0..300), is_sm2: bool) {
        let key = key(if is_sm2 { Profile::Sm2 } else { Profile::Ed25519 }, 3);
        let digest = content_digest(key.profile(), &body);
        let mut sent = Sent { method: "POST".to_owned(), authority: "a.cn".to_owned(), path, query, headers: vec![("content-digest".to_owned(), digest)], body };
        sent.sign(&key);
        prop_assert!(sent.check(key.verifying_key()).is_ok());
    }
}
