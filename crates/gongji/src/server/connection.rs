//! Connections that may not be held for nothing: whoever asks slowly, or not at all, gives the place to others.
//!
//! Behind the proxy of a production profile this matters little; a hospital's network may reach the program directly.

use crate::metrics::Metrics;
use crate::trust::{Origin, Policy, fingerprint};
use axum::extract::Request;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

/// From the first byte of a request to the first byte of its answer: longer than [`super::REQUEST_WAIT_MAX`], so that only a caller who
/// does not finish asking is cut off by it.
pub const ASKING_MAX: Duration = Duration::from_secs(30);

/// Between two requests, and for an answer that the caller does not take.
pub const RESTING_MAX: Duration = Duration::from_secs(75);

/// Open connections; a caller beyond them is hung up on. Each needs a file and some kilobytes.
pub const CONNECTIONS_MAX: u64 = 8_192;

/// Listens, and guards what it accepts.
pub struct Guard {
    pub listener: TcpListener,
    pub metrics: Arc<Metrics>,
}

impl Listener for Guard {
    type Io = Guarded<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded<TcpStream>, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // Answers are small; waiting to fill a packet costs 40 ms.
            let _ = stream.set_nodelay(true);
            let place = Place::take(&self.metrics);
            if self.metrics.connections.load(Relaxed) <= CONNECTIONS_MAX {
                return (Guarded::new(stream, place), address);
            }
            self.metrics.connections_refused.fetch_add(1, Relaxed);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Counts a connection for as long as it is open.
struct Place(Arc<Metrics>);

impl Place {
    fn take(metrics: &Arc<Metrics>) -> Place {
        metrics.connections.fetch_add(1, Relaxed);
        Place(Arc::clone(metrics))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Guard>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Guard>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

/// Where a request comes from. Behind a proxy on this machine, or one that the policy names, it is the address that the proxy saw, and what it says
/// of the client's certificate is believed; nobody else is believed anything.
pub fn origin(request: &Request, policy: &Policy) -> Origin {
    let peer = request.extensions().get::<axum::extract::ConnectInfo<Peer>>().map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.0.ip().to_canonical());
    if !peer.is_loopback() && !policy.proxies.contains(&peer) {
        return Origin { address: peer, certificate: None };
    }
    let field = |name: &str| request.headers().get_all(name).iter().next_back().and_then(|value| value.to_str().ok());
    let address = field("x-forwarded-for").and_then(|list| list.rsplit(',').next()?.trim().parse().ok()).unwrap_or(peer);
    let certificate = policy.certificate_header.as_ref().and_then(|name| field(name.as_str()));
    Origin { address, certificate: certificate.and_then(fingerprint) }
}

/// A stream that ends when its caller takes too long.
///
/// The timer is set anew only when it fires: a request costs two looks at the clock.
pub struct Guarded<S> {
    stream: S,
    is_asking: bool,
    /// When the phase began.
    since: Instant,
    timer: Pin<Box<Sleep>>,
    place: Place,
}

impl<S> Guarded<S> {
    fn new(stream: S, place: Place) -> Guarded<S> {
        // A caller connects in order to ask.
        Guarded { stream, is_asking: true, since: Instant::now(), timer: Box::pin(tokio::time::sleep(ASKING_MAX)), place }
    }

    fn change(&mut self, is_asking: bool) {
        (self.is_asking, self.since) = (is_asking, Instant::now());
    }

    /// Ready once the phase has lasted too long.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let max = if self.is_asking { ASKING_MAX } else { RESTING_MAX };
        loop {
            let ends = self.since + max;
            if self.timer.deadline() > ends {
                self.timer.as_mut().reset(ends);
            }
            ready!(self.timer.as_mut().poll(context));
            if self.timer.deadline() >= ends {
                self.place.0.connections_cut.fetch_add(1, Relaxed);
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(ends);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        if result.is_pending() {
            return this.poll_over(context).map(Err);
        }
        if !this.is_asking {
            this.change(true);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> Guarded<S> {
    fn written(&mut self, context: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_pending() {
            return self.poll_over(context).map(Err);
        }
        self.change(false);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, result)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    fn guarded(metrics: &Arc<Metrics>) -> (DuplexStream, Guarded<DuplexStream>) {
        let (caller, ours) = duplex(16);
        (caller, Guarded::new(ours, Place::take(metrics)))
    }

    #[test]
    fn a_proxy_is_believed_and_nobody_else() {
        let print = "ab".repeat(32);
        let policy =
            Policy { proxies: vec!["10.0.0.7".parse().unwrap()], certificate_header: Some("x-client-cert-sha256".parse().unwrap()), ..Policy::production() };
        let from = |peer: &str, policy: &Policy| {
            let mut request =
                Request::builder().header("x-forwarded-for", "203.0.113.9, 192.0.2.7").header("x-client-cert-sha256", &print).body(Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo(Peer(SocketAddr::new(peer.parse().unwrap(), 4_000))));
            let Origin { address, certificate } = origin(&request, policy);
            (address.to_string(), certificate)
        };
        for proxy in ["127.0.0.1", "10.0.0.7", "::ffff:10.0.0.7"] {
            assert_eq!(from(proxy, &policy), ("192.0.2.7".to_owned(), Some(print.clone())), "{proxy}: what the nearest proxy saw");
        }
        assert_eq!(from("10.0.0.8", &policy), ("10.0.0.8".to_owned(), None), "whoever comes directly says nothing of themselves");
        assert_eq!(from("127.0.0.1", &Policy::production()), ("192.0.2.7".to_owned(), None), "no header is named");
    }

    /// A caller who sends a letter now and then, and never ends.
    #[tokio::test(start_paused = true)]
    async fn whoever_asks_for_ever_is_cut_off() {
        let metrics = Arc::new(Metrics::default());
        let (mut caller, mut ours) = guarded(&metrics);
        let drip = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if caller.write_all(b"G").await.is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        let mut letter = [0];
        let error = loop {
            match ours.read(&mut letter).await {
                Ok(1) => {}
                Ok(_) => panic!("the caller is still there"),
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, ASKING_MAX));
        assert_eq!((metrics.connections.load(Relaxed), metrics.connections_cut.load(Relaxed)), (1, 1));
        drop(ours);
        assert_eq!(metrics.connections.load(Relaxed), 0);
        drip.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_answered_may_rest_for_a_while() {
        let metrics = Arc::new(Metrics::default());
        let (mut caller, mut ours) = guarded(&metrics);
        let mut letter = [0];
        for _ in 0..3 {
            caller.write_all(b"?").await.unwrap();
            assert_eq!(ours.read(&mut letter).await.unwrap(), 1);
            ours.write_all(b"!").await.unwrap();
            assert_eq!(caller.read(&mut letter).await.unwrap(), 1);
            let answered = Instant::now();
            // Just short of being cut off it asks again.
            let rest = tokio::time::timeout(RESTING_MAX - Duration::from_millis(1), ours.read(&mut letter)).await;
            assert!(rest.is_err(), "nothing came, and nothing was cut off, {:?} after the answer", answered.elapsed());
        }
        let error = ours.read(&mut letter).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let metrics = Arc::new(Metrics::default());
        let (mut caller, mut ours) = guarded(&metrics);
        caller.write_all(b"?").await.unwrap();
        let mut letter = [0];
        ours.read_exact(&mut letter).await.unwrap();
        let error = ours.write_all(&[b'!'; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
