//! One request to a receiver: connected to the addresses that were looked at, encrypted where the address says so, and only the answer's status read.
//!
//! Connection, TLS and HTTP are put together here instead of in a client that could look names up, follow redirects, ask proxies or keep
//! connections by itself: each of these would be a way around the look at the address (docs/decisions/0018).

use super::target::Target;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use axum::http::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whom we believe that a receiver is who it says.
pub type Tls = Arc<ClientConfig>;

/// Largest head of an answer; its body is not read.
const HEAD_LEN_MAX: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Nobody answers, or not in HTTP.
    Unreachable,
    /// Somebody answers who is not proven to be the receiver.
    Untrusted,
}

/// Those that the machine believes (`/etc/ssl/certs`, or the file that `SSL_CERT_FILE` names), read when the first message is sent.
pub async fn of_system() -> Tls {
    static OF_SYSTEM: OnceCell<Tls> = OnceCell::const_new();
    let read = || async {
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let mut roots = RootCertStore::empty();
        match found {
            Ok(found) => {
                let (known, _) = roots.add_parsable_certificates(found.certs);
                if known == 0 {
                    tracing::warn!("this machine has no root certificates: webhooks with https:// cannot be delivered");
                }
            }
            Err(error) => tracing::error!(%error, "root certificates could not be read: webhooks with https:// cannot be delivered"),
        }
        trusting(roots)
    };
    Arc::clone(OF_SYSTEM.get_or_init(read).await)
}

/// TLS 1.2 and 1.3, with a certificate for the name in the address by one of these.
pub fn trusting(roots: RootCertStore) -> Tls {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    Arc::new(config.expect("the provider knows these versions").with_root_certificates(roots).with_no_client_auth())
}

/// Posts once and tells the answer's status.
///
/// # Errors
/// [`WireError`].
pub async fn post(target: &Target, addresses: &[SocketAddr], tls: &Tls, headers: &[(&str, &str)], body: &[u8]) -> Result<StatusCode, WireError> {
    let request = request(target, headers, body).ok_or(WireError::Unreachable)?;
    let socket = TcpStream::connect(addresses).await.map_err(|_| WireError::Unreachable)?;
    if !target.is_encrypted() {
        return exchange(socket, request).await;
    }
    let name = ServerName::try_from(target.host().to_owned()).map_err(|_| WireError::Untrusted)?;
    let encrypted = TlsConnector::from(Arc::clone(tls)).connect(name, socket).await.map_err(|_| WireError::Untrusted)?;
    exchange(encrypted, request).await
}

fn request(target: &Target, headers: &[(&str, &str)], body: &[u8]) -> Option<Request<Body>> {
    let url = &target.url;
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.port().map_or_else(|| url.host_str().unwrap_or_default().to_owned(), |port| format!("{}:{port}", url.host_str().unwrap_or_default()));
    let mut request = Request::builder().method(Method::POST).uri(path).header(HOST, host).header(USER_AGENT, "gongji-webhooks/1");
    request = request.header(CONTENT_LENGTH, body.len());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(Bytes::copy_from_slice(body))).ok()
}

async fn exchange(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, request: Request<Body>) -> Result<StatusCode, WireError> {
    let mut begin = hyper::client::conn::http1::Builder::new();
    begin.max_buf_size(HEAD_LEN_MAX);
    let (mut sender, connection) = begin.handshake(TokioIo::new(io)).await.map_err(|_| WireError::Unreachable)?;
    let (mut connection, mut asking) = (pin!(connection), pin!(sender.send_request(request)));
    let answered = tokio::select! {
        biased;
        answered = &mut asking => answered,
        // Closed behind the answer: it is there, or will never be.
        _ = &mut connection => asking.await,
    };
    answered.map(|answer| answer.status()).map_err(|_| WireError::Unreachable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
