//! Shared by the frontend's tests: a real tiny_http server that echoes the requests that reach it,
//! and a client.
//!
//! Invariant: every read has a deadline, so a lost answer fails a test and does not hang it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod hostile;
mod limits;
mod origin;
mod requests;
mod responses;
mod tls;

use crate::frontend::{
    Answers, CALL_HEADER, CallId, Fault, Frontend, FrontendConfig, Payload, connect_private,
};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A server behind and the frontend before it.
struct Rig {
    frontend: Frontend,
    address: SocketAddr,
    /// Requests that reached a worker.
    reached: Arc<AtomicUsize>,
    server: Arc<tiny_http::Server>,
    _dir: tempfile::TempDir,
}

/// A frontend with `private` connections and the given limits.
fn rig_with(private: usize, config: FrontendConfig) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    let server = Arc::new(tiny_http::Server::http_unix(&path).unwrap());
    let reached = Arc::new(AtomicUsize::new(0));
    let answers = Answers::default();
    for _ in 0..4 {
        let (server, reached) = (Arc::clone(&server), Arc::clone(&reached));
        let answers = answers.clone();
        std::thread::spawn(move || {
            while let Ok(request) = server.recv() {
                if request.url() != "/-/hello" {
                    reached.fetch_add(1, Ordering::SeqCst);
                }
                echo(request, &answers);
            }
        });
    }
    let upstreams = connect_private(&path, private).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let frontend = Frontend::start(listener, upstreams, config, answers).unwrap();
    Rig {
        frontend,
        address,
        reached,
        server,
        _dir: dir,
    }
}

fn rig() -> Rig {
    rig_with(8, FrontendConfig::default())
}

/// `/sleep/N` waits N ms, `/big/N` answers with N bytes, `/empty` with nothing (204), anything else
/// with the received request.
fn echo(request: tiny_http::Request, answers: &Answers) {
    let url = request.url().to_owned();
    let Some(call) = call_of(&request) else {
        let _ = request.respond(tiny_http::Response::from_string("hello"));
        return;
    };
    let Payload { head, body, fault } = answers.take_payload(call).unwrap();
    let number = |prefix: &str| url.strip_prefix(prefix).and_then(|n| n.parse().ok());
    if let Some(ms) = number("/sleep/") {
        std::thread::sleep(Duration::from_millis(ms as u64));
    }
    let answer = if let Some(size) = number("/big/") {
        "x".repeat(size)
    } else {
        let mut text = format!("{} {url}\n", request.method());
        for header in request.headers() {
            if header.field.equiv(CALL_HEADER) {
                continue;
            }
            text.push_str(&format!("{header}\n"));
        }
        if let Some(fault) = fault {
            text.push_str(&format!("fault: {fault:?}\n"));
        }
        let payload = [head, body].concat();
        format!("{text}\n{}", String::from_utf8_lossy(&payload))
    };
    let status = match fault {
        _ if url == "/empty" => 204,
        Some(Fault::TooLarge(_)) => 413,
        Some(_) => 411,
        None => 200,
    };
    if url == "/rubbish" {
        let mut writer = request.into_writer();
        let _ = writer.write_all(b"no answer at all\r\n\r\n");
        let _ = writer.flush();
        return;
    }
    let bodyless = *request.method() == tiny_http::Method::Head || status == 204;
    drop(request.into_writer());
    let mut bytes = format!(
        "HTTP/1.1 {status} OK\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    if !bodyless {
        bytes.push_str(&answer);
    }
    answers.send([(call, bytes.into_bytes())]);
}

/// The number of a request that came through the frontend.
fn call_of(request: &tiny_http::Request) -> Option<CallId> {
    let headers = request.headers();
    let call = headers
        .iter()
        .find(|header| header.field.equiv(CALL_HEADER))?;
    Some(CallId::parse(call.value.as_str()).unwrap())
}

/// The bytes that a client reads.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// A client with deadlines.
struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a POST of `body`.
    fn post(&mut self, target: &str, body: &str) {
        let length = body.len();
        self.send(format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Reads one answer; `None` at the end of the connection.
    fn answer(&mut self, bodyless: bool) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                assert!(self.buffer.is_empty(), "a part of an answer");
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length: usize = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().unwrap());
        let length = if bodyless || status < 200 || status == 204 {
            0
        } else {
            length
        };
        while self.buffer.len() < length {
            assert!(self.more(), "a part of a body");
        }
        let body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        Some(Answer { status, head, body })
    }

    /// Sends, and reads the one answer.
    fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes);
        self.answer(false).unwrap()
    }

    /// Whether the frontend has closed, after the remaining bytes.
    fn is_closed(&mut self) -> bool {
        self.answer(false).is_none()
    }
}

/// A client of a frontend.
fn peer_of(address: SocketAddr) -> Peer {
    peer_over(TcpStream::connect(address).unwrap())
}

/// A client over a connection.
fn peer_over(stream: TcpStream) -> Peer {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.set_nodelay(true).unwrap();
    Peer {
        stream,
        buffer: Vec::new(),
    }
}

impl Rig {
    fn peer(&self) -> Peer {
        peer_of(self.address)
    }

    /// Sends a request over a new connection.
    fn once(&self, bytes: impl AsRef<[u8]>) -> Answer {
        self.peer().ask(bytes)
    }

    /// Whether the frontend still serves.
    fn serves(&self) -> bool {
        let answer = self.once("GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
        answer.status == 200 && answer.body.starts_with("GET /alive\n")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for _ in 0..4 {
            self.server.unblock();
        }
    }
}
