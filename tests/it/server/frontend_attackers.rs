//! A server at the usual limit of 1,024 descriptors, and strangers who do all that they can at the
//! same time: thousands of idle connections, half-sent heads, header lines without an end, bodies
//! that come slowly, random bytes.
//!
//! Proven, with TLS and without: calls are answered meanwhile and afterwards, those that were are
//! kept, the server's memory stays below 200 MiB, and it is never started anew.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http::FORM;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::support::tls::Certificate;
use crate::support::{BINARY, Client, Dice, Server, clean, cli, eventually};

/// The server's limit on descriptors.
const DESCRIPTORS: &str = "1024";
const IDLE: usize = 3000;
const HALF_SENT: usize = 600;
const SLOW: usize = 300;
/// Calls made while the strangers are at it.
const CALLS: usize = 150;
const MOST_MEMORY_KIB: u64 = 200 * 1024;

/// A connection from one of the loopback's many addresses.
fn from(stranger: usize, address: SocketAddr) -> io::Result<TcpStream> {
    let own = Ipv4Addr::new(127, 0, 1, (stranger % 200) as u8 + 1);
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    // Servers that other tests start must not inherit it.
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddr::from((own, 0)))?;
    rustix::net::connect(&socket, &address)?;
    let stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    Ok(stream)
}

/// What strangers have in common.
struct Strangers {
    address: SocketAddr,
    over: AtomicBool,
    /// Connections that the server has ended, or refused.
    ended: AtomicUsize,
}

impl Strangers {
    fn over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Opens a connection in which `bytes` are sent.
    fn open(&self, stranger: usize, bytes: &[u8]) -> Option<TcpStream> {
        let mut stream = from(stranger, self.address).ok()?;
        stream.write_all(bytes).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    }

    /// Whether a connection has been ended or answered.
    fn is_ended(stream: &mut TcpStream) -> bool {
        let read = stream.read(&mut [0; 256]);
        !read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Keeps many connections open in which `bytes` were sent, and sends `crumbs` on each; one
    /// that is ended is opened again.
    fn keep(&self, count: usize, addresses: usize, bytes: &[u8], crumbs: &[u8]) {
        let mut streams: Vec<Option<TcpStream>> = (0..count).map(|_| None).collect();
        while !self.over() {
            for (number, slot) in streams.iter_mut().enumerate() {
                if self.over() {
                    return;
                }
                if let Some(stream) = slot {
                    let refused = !crumbs.is_empty() && stream.write_all(crumbs).is_err();
                    if refused || Self::is_ended(stream) {
                        self.ended.fetch_add(1, Ordering::Relaxed);
                        *slot = None;
                    }
                }
                if slot.is_none() {
                    *slot = self.open(number % addresses, bytes);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends what `bytes` gives until the server ends the connection, again and again.
    fn pour(&self, stranger: usize, mut bytes: impl FnMut(usize) -> Vec<u8>) {
        while !self.over() {
            let Ok(mut stream) = from(stranger, self.address) else {
                continue;
            };
            for piece in 0.. {
                if self.over() || piece > 2000 || stream.write_all(&bytes(piece)).is_err() {
                    break;
                }
            }
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn body(number: usize) -> String {
    let profile = number + 1;
    format!("type=update&profile={profile}&time=1760000000&fields%5Bn%5D={number}")
}

/// How calls are made.
enum Caller {
    Plain,
    Tls(Certificate),
}

impl Caller {
    /// Makes a call over a connection of its own; whether it was answered 200.
    fn call(&self, address: SocketAddr, number: usize) -> bool {
        let answer = match self {
            Self::Plain => Client::try_connect(address)
                .and_then(|mut client| client.try_post("/webhook", body(number)))
                .map(|reply| reply.status == 200),
            Self::Tls(certificate) => {
                let headers = [("Content-Type", FORM), ("Connection", "close")];
                let request = Client::bytes("POST", "/webhook", &headers, body(number).as_bytes());
                let answer = certificate.ask(address, &request);
                answer.map(|answer| answer.starts_with("HTTP/1.1 200"))
            }
        };
        answer.unwrap_or(false)
    }
}

fn withstands(caller: &Caller) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut command = clean("sh");
    command.args([
        "-c",
        &format!("ulimit -n {DESCRIPTORS} && exec \"$@\""),
        "sh",
    ]);
    let more: &[&str] = match caller {
        Caller::Plain => &[],
        Caller::Tls(certificate) => &certificate.arguments(),
    };
    command.arg(BINARY).args(Server::arguments(&data, more));
    let server = Server::spawn(command).unwrap();
    assert!(caller.call(server.address, 0));

    let strangers = Strangers {
        address: server.address,
        over: AtomicBool::new(false),
        ended: AtomicUsize::new(0),
    };
    let half_sent = b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Le";
    let mut slow =
        b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n".to_vec();
    slow.resize(700_000, b'a');
    // As TLS begins, where that is spoken; the rest never comes.
    let hello: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    let half_sent = match caller {
        Caller::Plain => &half_sent[..],
        Caller::Tls(_) => hello,
    };
    thread::scope(|scope| {
        let strangers = &strangers;
        scope.spawn(|| strangers.keep(IDLE, 40, b"", b""));
        scope.spawn(|| strangers.keep(HALF_SENT, 10, half_sent, b""));
        scope.spawn(|| strangers.keep(SLOW, 5, &slow, b"b"));
        scope.spawn(|| {
            strangers.pour(50, |piece| match piece {
                0 => b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ".to_vec(),
                _ => vec![b'x'; 64 * 1024],
            });
        });
        scope.spawn(|| {
            let mut dice = Dice(1);
            strangers.pour(51, |_| {
                (0..dice.below(64))
                    .flat_map(|_| dice.next().to_le_bytes())
                    .collect()
            });
        });
        eventually("the strangers are too many", || {
            strangers.ended.load(Ordering::Relaxed) > IDLE + HALF_SENT
        });
        let (mut tries, begun) = (0, Instant::now());
        for number in 1..=CALLS {
            // A connection may have to go before its call has come; who calls tries again.
            eventually("a call is answered", || {
                tries += 1;
                caller.call(server.address, number)
            });
        }
        let (took, ended) = (begun.elapsed(), strangers.ended.load(Ordering::Relaxed));
        println!("{CALLS} calls took {tries} tries and {took:?}; {ended} strangers were sent away");
        strangers.over.store(true, Ordering::Release);
    });
    for number in CALLS + 1..CALLS + 50 {
        eventually("a call is answered afterwards", || {
            caller.call(server.address, number)
        });
    }
    let most = server.memory_kib("VmHWM:");
    assert!(most < MOST_MEMORY_KIB, "{most} KiB were resident");
    println!("at most {most} KiB were resident");
    let log = server.stop();
    assert!(!log.contains("ERROR"), "{log}");
    let exported = cli(&data, &["export"]).ok();
    for profile in 1..=CALLS + 50 {
        assert!(exported.contains(&format!("\"profile\":{profile},")));
    }
}

#[test]
fn calls_are_answered_whatever_strangers_do() {
    withstands(&Caller::Plain);
}

#[test]
fn calls_are_answered_with_tls_whatever_strangers_do() {
    let dir = tempfile::tempdir().unwrap();
    withstands(&Caller::Tls(Certificate::new(dir.path())));
}
