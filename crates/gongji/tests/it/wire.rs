//! Bytes as an attacker sends them, on a socket to the running program. Where a proxy stands in front, both must agree on where a request ends;
//! whatever could be read in two ways is refused, or is the last that its connection brings.

use crate::program::Program;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// The program closes every connection of these tests long before; this only keeps a wrong one from hanging.
const PATIENCE: Duration = Duration::from_secs(90);

struct Wire {
    program: Program,
    address: String,
}

impl Wire {
    fn new(data: &std::path::Path) -> Wire {
        let program = Program::sandbox(data, &[], "warn");
        let address = program.origin.trim_start_matches("http://").to_owned();
        Wire { program, address }
    }

    /// Sends bytes on a connection of their own and reads until it is closed. `HOST` stands for the program's own name.
    fn send(&self, bytes: &str) -> Answers {
        self.send_bytes(bytes.replace("HOST", &self.address).as_bytes())
    }

    fn send_bytes(&self, bytes: &[u8]) -> Answers {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may hang up before it has read everything.
        let _ = stream.write_all(bytes);
        let mut text = Vec::new();
        if let Err(error) = stream.read_to_end(&mut text) {
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset), "the connection stays open: {error}");
        }
        let _ = stream.shutdown(Shutdown::Both);
        Answers(String::from_utf8_lossy(&text).into_owned())
    }

    /// A request with these lines in its head and this body.
    fn post(&self, lines: &str, body: &str) -> Answers {
        self.send(&format!("POST /api/v1/sessions HTTP/1.1\r\nhost: HOST\r\ncontent-type: application/json\r\n{lines}\r\n\r\n{body}"))
    }
}

/// What came back on one connection.
struct Answers(String);

impl Answers {
    fn statuses(&self) -> Vec<u16> {
        let starts = self.0.match_indices("HTTP/1.1 ").map(|(at, start)| &self.0[at + start.len()..]);
        starts.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
    }

    #[track_caller]
    fn only(&self, status: u16) {
        assert_eq!(self.statuses(), [status], "{}", self.0);
    }
}

/// A request hidden in the body of another: it must never be answered as one of its own.
const HIDDEN: &str = "GET /api/v1/state-machines HTTP/1.1\r\nhost: HOST\r\n\r\n";

const LOGIN: &str = r#"{"id_number":"990151195203150023","password":"260002"}"#;

#[test]
fn a_request_ends_in_one_place_only() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::new(&folder.path().join("data"));
    let len = LOGIN.len();

    // What is right is taken, so that the rest of this test is about what is wrong.
    wire.post(&format!("connection: close\r\ncontent-length: {len}"), LOGIN).only(201);
    wire.post("connection: close\r\ntransfer-encoding: chunked", &format!("{len:x}\r\n{LOGIN}\r\n0\r\n\r\n")).only(201);

    // Both a length and chunks: the chunks count, and nothing more comes in on this connection.
    for lines in [format!("content-length: {len}\r\ntransfer-encoding: chunked"), format!("transfer-encoding: chunked\r\ncontent-length: {len}")] {
        wire.post(&lines, &format!("{len:x}\r\n{LOGIN}\r\n0\r\n\r\n{HIDDEN}")).only(201);
    }
    wire.post("content-length: 4\r\ntransfer-encoding: chunked", &format!("0\r\n\r\n{HIDDEN}")).only(400);

    // Lengths that differ, or are none.
    for lines in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "content-length: +5",
        "content-length: -5",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length: ",
        "content-length: 99999999999999999999",
        "content-length : 5",
        "content-length\t: 5",
    ] {
        wire.post(lines, &format!("hello{HIDDEN}")).only(400);
    }
    // The same length twice says one thing.
    wire.post(&format!("connection: close\r\ncontent-length: {len}\r\ncontent-length: {len}"), LOGIN).only(201);

    // Encodings that are not chunked in the end, or hide that they are.
    for lines in [
        "transfer-encoding: identity",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "transfer-encoding : chunked",
        "transfer-encoding: \x0bchunked",
    ] {
        wire.post(lines, &format!("0\r\n\r\n{HIDDEN}")).only(400);
    }
    wire.send(&format!("POST /api/v1/sessions HTTP/1.0\r\nhost: HOST\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}")).only(400);

    // Chunks whose size is no number, or too large for one.
    for chunk in ["zz\r\n", "-1\r\n", "0x5\r\n", "fffffffffffffffff\r\n", "5 5\r\n", "5\nhello\n"] {
        let answers = wire.post("transfer-encoding: chunked", &format!("{chunk}hello\r\n0\r\n\r\n{HIDDEN}"));
        assert!(answers.statuses().len() <= 1 && answers.statuses().iter().all(|status| *status == 400), "{chunk:?}: {}", answers.0);
    }
    assert!(wire.program.stop().status.success());
}

#[test]
fn a_head_is_read_in_one_way_only() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::new(&folder.path().join("data"));
    let get = |lines: &str| wire.send(&format!("GET /healthz HTTP/1.1\r\nhost: HOST\r\n{lines}\r\n\r\n"));
    get("connection: close").only(200);

    // A line that goes on in the next one; a lone carriage return; characters that no line has.
    for lines in ["x-a: 1\r\n folded: 2", "x-a: 1\r\n\tfolded", "x-a: 1\rx-b: 2", "x-a: \x00", "x-a\x00: 1", "x a: 1", ": 1", "no colon"] {
        get(lines).only(400);
    }
    // A lone line feed ends a line for us (RFC 9112, 2.2); what follows an empty line is another request, here one that is refused for its name.
    wire.send("GET /healthz HTTP/1.1\nhost: HOST\nconnection: close\n\n").only(200);
    // Two names: a proxy may have looked at the other one.
    get("host: HOST\r\nconnection: close").only(421);
    wire.send("GET /healthz HTTP/1.1\r\nhost: evil.example\r\nhost: HOST\r\nconnection: close\r\n\r\n").only(421);
    wire.send("GET http://evil.example/api/v1/state-machines HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n").only(421);

    // Methods and targets that are none; another protocol.
    for line in
        ["GET /healthz HTTP/9.9", "GET /healthz", "G\x01T / HTTP/1.1", "GET /a b HTTP/1.1", "GET /\x7f HTTP/1.1", "\x16\x03\x01\x02", "/healthz HTTP/1.1"]
    {
        let answers = wire.send(&format!("{line}\r\nhost: HOST\r\nconnection: close\r\n\r\n"));
        assert!(answers.statuses().iter().all(|status| (400..600).contains(status)) && answers.statuses().len() <= 1, "{line:?}: {}", answers.0);
    }
    // Nobody is echoed, and no tunnel is dug.
    for method in ["TRACE", "CONNECT", "TRACK"] {
        let answers = wire.send(&format!("{method} /healthz HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\nx-secret: canary\r\n\r\n"));
        assert!(answers.statuses().iter().all(|status| (400..500).contains(status)) && !answers.0.contains("canary"), "{method}: {}", answers.0);
    }
    assert!(wire.program.stop().status.success());
}

#[test]
fn what_is_too_large_is_refused_before_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::new(&folder.path().join("data"));
    let head = |lines: String| wire.send(&format!("GET /healthz HTTP/1.1\r\nhost: HOST\r\n{lines}\r\n\r\n"));
    // One long line, many short ones, a long address.
    let long = head(format!("x-a: {}", "a".repeat(1 << 20)));
    assert!(long.statuses().iter().all(|status| matches!(status, 400 | 431)), "{}", long.0);
    let many = head((0..200).map(|number| format!("x-{number}: 1")).collect::<Vec<_>>().join("\r\n"));
    assert!(many.statuses().iter().all(|status| matches!(status, 400 | 431)), "{}", many.0);
    let address = wire.send(&format!("GET /{} HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\n\r\n", "a".repeat(70_000)));
    assert!(address.statuses().iter().all(|status| matches!(status, 400 | 404 | 414 | 431)), "{}", address.0);

    // A body that says how long it is, and one that does not.
    let body = format!("{{\"id_number\":\"{}\"}}", "1".repeat(gongji::server::BODY_LEN_MAX));
    wire.post(&format!("connection: close\r\ncontent-length: {}", body.len()), &body).only(413);
    wire.post("connection: close\r\ntransfer-encoding: chunked", &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).only(413);
    // A length that is never sent takes no memory: it is refused for what it says.
    wire.post("connection: close\r\ncontent-length: 9000000000000000", "").only(413);
    assert!(wire.program.stop().status.success());
}

/// The program waits fifteen seconds for a body and thirty for a head; so does this test.
#[test]
fn a_caller_who_never_ends_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::new(&folder.path().join("data"));
    std::thread::scope(|scope| {
        let body = scope.spawn(|| wire.post("content-length: 100", "{\"id_number\""));
        let head = scope.spawn(|| wire.send("GET /healthz HTTP/1.1\r\nhost: HOST\r\nx-slow: "));
        let body = body.join().unwrap();
        body.only(503);
        assert!(body.0.contains("\"TIMED_OUT\""), "{}", body.0);
        assert!(head.join().unwrap().statuses().is_empty(), "nothing was asked, and nothing is answered");
    });
    assert!(wire.program.stop().status.success());
}
