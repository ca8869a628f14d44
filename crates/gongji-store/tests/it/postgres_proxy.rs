//! Stands between a store and its PostgreSQL, and cuts the wire where a test wants it cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What happens to the next bytes that a client sends, on any connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cut {
    Nowhere,
    /// The server does not see them.
    Before,
    /// The server sees half of them.
    Halfway,
    /// The server answers, and the client does not hear it.
    After,
}

pub struct Proxy {
    port: u16,
    next: Arc<AtomicU8>,
}

impl Proxy {
    pub fn before(socket: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(AtomicU8::new(0));
        let cut = next.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&socket)) else { return };
                // A commit is one small write; it leaves at once.
                client.set_nodelay(true).unwrap();
                let cut = cut.clone();
                std::thread::spawn(move || carry(client, server, &cut));
            }
        });
        Proxy { port, next }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn cut_next(&self, cut: Cut) {
        self.next.store(cut as u8, Ordering::Release);
    }
}

fn carry(client: TcpStream, server: UnixStream, next: &Arc<AtomicU8>) {
    let is_deaf = Arc::new(AtomicU8::new(0));
    let answers = {
        let (mut from, mut to, is_deaf) = (server.try_clone().unwrap(), client.try_clone().unwrap(), is_deaf.clone());
        move || {
            let mut bytes = [0; 65_536];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if is_deaf.load(Ordering::Acquire) == 1 || to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        }
    };
    let answering = std::thread::spawn(answers);
    let (mut from, mut to) = (client, server);
    let mut bytes = vec![0; 1 << 20];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let cut = next.swap(0, Ordering::AcqRel);
        let count = match cut {
            cut if cut == Cut::Before as u8 => 0,
            cut if cut == Cut::Halfway as u8 => count / 2,
            _ => count,
        };
        if cut == Cut::After as u8 {
            is_deaf.store(1, Ordering::Release);
        }
        let is_cut = to.write_all(&bytes[..count]).is_err() || cut == Cut::Before as u8 || cut == Cut::Halfway as u8;
        if is_cut {
            break;
        }
    }
    if is_deaf.load(Ordering::Acquire) == 0 {
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
    let _ = answering.join();
}
