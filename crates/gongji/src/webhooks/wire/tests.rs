//! A receiver on this machine that speaks TLS. Its certificate is for `hook.example`, by a root that was made for these tests; the root's key is gone.

use super::*;
use std::io::{Read as _, Write as _};
use std::sync::mpsc;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

const ROOT: &[u8] = include_bytes!("root.der");
const RECEIVER: &[u8] = include_bytes!("receiver.der");
const RECEIVER_KEY: &[u8] = include_bytes!("receiver.key.der");

/// Takes one connection, answers 204 if TLS comes about, and tells what it read.
fn receiver() -> (SocketAddr, mpsc::Receiver<Option<String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(RECEIVER_KEY));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![CertificateDer::from(RECEIVER)], key).unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket);
        let mut read = Vec::new();
        let mut some = [0; 1_024];
        // The body of these tests ends with a brace.
        while !read.ends_with(b"}") {
            match stream.read(&mut some) {
                Ok(count) if count > 0 => read.extend_from_slice(&some[..count]),
                _ => return tell.send(None).unwrap(),
            }
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nlocation: http://127.0.0.1/\r\n\r\n").unwrap();
        tell.send(Some(String::from_utf8(read).unwrap())).unwrap();
    });
    (address, told)
}

fn trusting_the_tests() -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ROOT)).unwrap();
    trusting(roots)
}

async fn post_to(url: &str, address: SocketAddr, tls: &Tls) -> Result<StatusCode, WireError> {
    let target = Target::parse(url, false).unwrap();
    post(&target, &[address], tls, &[("webhook-id", "msg_1")], br#"{"a":1}"#).await
}

#[tokio::test]
async fn an_encrypted_receiver_is_told_at_the_address_that_was_looked_at() {
    let (address, told) = receiver();
    // Nobody can resolve this name: it is the checked address that is connected to, and the name that the certificate must have.
    let answered = post_to("https://hook.example:8443/gongji?of=1", address, &trusting_the_tests()).await;
    assert_eq!(answered, Ok(StatusCode::NO_CONTENT));
    let read = told.recv().unwrap().unwrap();
    assert!(read.starts_with("POST /gongji?of=1 HTTP/1.1\r\n"), "{read}");
    assert!(read.contains("host: hook.example:8443\r\n") && read.contains("webhook-id: msg_1\r\n") && read.ends_with("{\"a\":1}"), "{read}");
}

#[tokio::test]
async fn who_cannot_prove_the_name_is_told_nothing() {
    for (url, tls) in [
        ("https://other.example/", trusting_the_tests()),
        ("https://hook.example/", trusting(RootCertStore::empty())),
        ("https://8.8.8.8/", trusting_the_tests()),
    ] {
        let (address, told) = receiver();
        assert_eq!(post_to(url, address, &tls).await, Err(WireError::Untrusted), "{url}");
        assert_eq!(told.recv().unwrap(), None, "{url}");
    }
}

#[tokio::test]
async fn plain_text_is_not_taken_for_tls() {
    let (address, told) = receiver();
    assert_eq!(post_to("http://hook.example/", address, &trusting_the_tests()).await, Err(WireError::Unreachable));
    assert_eq!(told.recv().unwrap(), None);
}
