//! What goes between two processes: frames that only the holder of the installation's keys can read or make.
//!
//! Both sides send 32 random bytes; the key of the connection is made of them and of the installation's token key, so that every connection has its own.
//! A frame is its length (4 bytes, big endian) and SM4-GCM over the rest; the nonce counts the frames of a direction, so that none can be repeated,
//! left out or turned around. Whoever cannot open a frame hangs up and says nothing.

use crate::seal::{Keys, Sm4Gcm, random, sm4_gcm};
use aes_gcm::Nonce;
use aes_gcm::aead::Aead as _;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Largest frame: a directory of the whole country is a few megabytes.
const FRAME_LEN_MAX: usize = 64 << 20;

/// What both sides say first, so that each knows that the other has the keys.
const HELLO: &[u8] = b"gongji 1";

pub struct Reading {
    stream: OwnedReadHalf,
    cipher: Sm4Gcm,
    nonces: Nonces,
}

pub struct Writing {
    stream: OwnedWriteHalf,
    cipher: Sm4Gcm,
    nonces: Nonces,
}

struct Nonces {
    direction: u8,
    count: u64,
}

impl Nonces {
    fn next(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[0] = self.direction;
        nonce[4..].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        nonce
    }
}

/// Makes sure that the other side has the same keys.
///
/// # Errors
/// It has not, or the connection is lost. The caller limits the time.
pub async fn open(mut stream: TcpStream, keys: &Keys, is_caller: bool) -> Result<(Reading, Writing)> {
    stream.set_nodelay(true)?;
    let mine: [u8; 32] = random();
    let mut theirs = [0; 32];
    stream.write_all(&mine).await?;
    stream.read_exact(&mut theirs).await?;
    let (caller, called) = if is_caller { (mine, theirs) } else { (theirs, mine) };
    let key = keys.token_mac("peers", &[&caller, &called]);
    let (reader, writer) = stream.into_split();
    let nonces = |direction| Nonces { direction, count: 0 };
    let mut reading = Reading { stream: reader, cipher: sm4_gcm(&key[..16]), nonces: nonces(u8::from(is_caller)) };
    let mut writing = Writing { stream: writer, cipher: sm4_gcm(&key[..16]), nonces: nonces(u8::from(!is_caller)) };
    writing.write(HELLO).await?;
    if reading.read().await? != HELLO {
        return Err(Error::from(ErrorKind::InvalidData));
    }
    Ok((reading, writing))
}

impl Reading {
    pub async fn read(&mut self) -> Result<Vec<u8>> {
        let len = usize::try_from(self.stream.read_u32().await?).unwrap_or(usize::MAX);
        // Nobody is given memory for what was never sent, before or after it is known who asks.
        if len > FRAME_LEN_MAX || self.nonces.count == 0 && len > HELLO.len() + 16 {
            return Err(Error::from(ErrorKind::InvalidData));
        }
        let mut sealed = vec![0; len];
        self.stream.read_exact(&mut sealed).await?;
        self.cipher.decrypt(&Nonce::from(self.nonces.next()), sealed.as_slice()).map_err(|_| Error::from(ErrorKind::InvalidData))
    }
}

impl Writing {
    pub async fn write(&mut self, plain: &[u8]) -> Result<()> {
        let sealed = self.cipher.encrypt(&Nonce::from(self.nonces.next()), plain).map_err(|_| Error::from(ErrorKind::InvalidData))?;
        if sealed.len() > FRAME_LEN_MAX {
            return Err(Error::from(ErrorKind::InvalidData));
        }
        let len = u32::try_from(sealed.len()).expect("a frame is smaller");
        let mut frame = Vec::with_capacity(sealed.len() + 4);
        frame.extend_from_slice(&len.to_be_bytes());
        frame.extend_from_slice(&sealed);
        self.stream.write_all(&frame).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (caller, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn frames_arrive_between_those_who_have_the_same_keys() {
        let (caller, called) = pair().await;
        let keys = Keys::for_tests(1);
        let (caller, called) = tokio::join!(open(caller, &keys, true), open(called, &keys, false));
        let ((mut caller, mut to_called), (mut called, mut to_caller)) = (caller.unwrap(), called.unwrap());
        to_called.write(b"one").await.unwrap();
        to_called.write(&[7; 100_000]).await.unwrap();
        to_caller.write(b"two").await.unwrap();
        assert_eq!(called.read().await.unwrap(), b"one");
        assert_eq!(called.read().await.unwrap(), [7; 100_000]);
        assert_eq!(caller.read().await.unwrap(), b"two");
    }

    #[tokio::test]
    async fn other_keys_open_nothing() {
        let (caller, called) = pair().await;
        let (one, other) = (Keys::for_tests(1), Keys::for_tests(2));
        let (caller, called) = tokio::join!(open(caller, &one, true), open(called, &other, false));
        assert!(caller.is_err() && called.is_err());
    }

    #[tokio::test]
    async fn a_frame_that_is_repeated_or_changed_is_refused() {
        let keys = Keys::for_tests(1);
        for (repeat, change) in [(true, false), (false, true), (false, false)] {
            let (caller, between) = pair().await;
            let (on, called) = pair().await;
            let meddling = tokio::spawn(async move {
                let ((mut from_caller, mut to_caller), (mut from_called, mut to_called)) = (between.into_split(), on.into_split());
                let back = tokio::spawn(async move { tokio::io::copy(&mut from_called, &mut to_caller).await });
                let mut first = [0; 32 + 4 + 8 + 16];
                from_caller.read_exact(&mut first).await.unwrap();
                to_called.write_all(&first).await.unwrap();
                let mut frame = [0; 4 + 3 + 16];
                from_caller.read_exact(&mut frame).await.unwrap();
                if change {
                    frame[5] ^= 1;
                }
                to_called.write_all(&frame).await.unwrap();
                if repeat {
                    to_called.write_all(&frame).await.unwrap();
                }
                drop((to_called, back));
            });
            let (caller, called) = tokio::join!(open(caller, &keys, true), open(called, &keys, false));
            let ((_, mut writing), (mut reading, _)) = (caller.unwrap(), called.unwrap());
            writing.write(b"one").await.unwrap();
            assert_eq!(reading.read().await.is_ok(), !change);
            assert!(reading.read().await.is_err(), "repeated: {repeat}");
            meddling.await.unwrap();
        }
    }
}
