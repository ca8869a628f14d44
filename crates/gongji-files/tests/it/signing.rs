//! The examples of `docs/institutions/signing.md`, made from the code that checks signatures.

use gongji_files::signature::{Profile, Request, Response, SigningKey, VerifyingKey, authority, content_digest, sign_request, sign_response, verify_response};
use std::fmt::Write as _;
use std::path::Path;

const MARK: &str = "<!-- examples -->\n";
const NONCE: &str = "nonce-of-the-example";
const CREATED: i64 = 1_795_000_000;

fn example(profile: Profile, name: &str, out: &mut String) {
    let key = SigningKey::from_seed(profile, &[7; 32]).unwrap();
    let platform = SigningKey::from_seed(profile, &[9; 32]).unwrap();
    let body = r#"{"amount":{"amount":1234,"currency":"CNY"},"last":true}"#;
    let digest = content_digest(profile, body.as_bytes());
    let plain = [("content-type", "application/json"), ("content-digest", digest.as_str()), ("idempotency-key", "019345a0-0000-7000-8000-000000000001")];
    let host = authority("Wallet.Example.CN:443");
    let request = Request { method: "POST", authority: &host, path: "/api/v1/institutions/payments/0001/capture", query: "", headers: &plain };
    let signed = sign_request(&key, &request, CREATED, NONCE);
    writeln!(out, "\n### {name}\n").unwrap();
    writeln!(out, "机构私钥(种子是 32 个 0x07)、公钥,密钥编号 `{}`:\n", key.verifying_key().key_id()).unwrap();
    fenced(out, &format!("{}{}", key.to_pem().as_str(), key.verifying_key().to_pem()));
    writeln!(out, "请求的内容:\n").unwrap();
    fenced(out, body);
    writeln!(out, "待签名文本:\n").unwrap();
    fenced(out, &signed.base);
    writeln!(out, "发出的头:\n").unwrap();
    let mut lines: Vec<(&str, &str)> = plain.to_vec();
    lines.extend([("signature-input", signed.signature_input.as_str()), ("signature", signed.signature.as_str())]);
    fenced(out, &lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>());

    let request = Request { headers: &lines, ..request };
    let answer = r#"{"state":"captured"}"#;
    let digest = content_digest(profile, answer.as_bytes());
    let headers = [("content-digest", digest.as_str())];
    let response = Response { status: 200, headers: &headers };
    let answered = sign_response(&platform, &response, &request, CREATED + 1);
    writeln!(out, "平台公钥,密钥编号 `{}`:\n", platform.verifying_key().key_id()).unwrap();
    fenced(out, &platform.verifying_key().to_pem());
    writeln!(out, "回答是 200,内容 `{answer}`,待签名文本:\n").unwrap();
    fenced(out, &answered.base);
    writeln!(out, "回答的头:\n").unwrap();
    let headers = [headers[0], ("signature-input", answered.signature_input.as_str()), ("signature", answered.signature.as_str())];
    fenced(out, &headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>());

    // What stands in the document is what a vendor's program would accept.
    let public = VerifyingKey::from_pem(&platform.verifying_key().to_pem()).unwrap();
    assert_eq!(verify_response(&public, &Response { status: 200, headers: &headers }, &request, answer.as_bytes()), Ok(()));
}

fn fenced(out: &mut String, text: &str) {
    writeln!(out, "```\n{}\n```\n", text.trim_end()).unwrap();
}

#[test]
fn the_examples_of_the_signing_rule_are_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/institutions/signing.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (rule, examples) = page.split_once(MARK).unwrap();
    let mut made = String::new();
    example(Profile::Ed25519, "方案 A:Ed25519", &mut made);
    example(Profile::Sm2, "方案 B:SM2", &mut made);
    let made = format!("{}\n", made.trim_end());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{rule}{MARK}{made}")).unwrap();
    } else {
        assert_eq!(examples, made, "the examples are out of date: UPDATE=1 cargo nextest run -p gongji-files signing");
    }
}
