//! A private connection to tiny_http, and how it is opened.
//!
//! It carries many requests at one time, one after the other. Answers come another way (see
//! [`super::call`]), so nothing is ever read from it but its end.
//!
//! Invariant: the unanswered bytes and requests of a connection are bounded, so that a long request
//! delays few others and tiny_http never holds more than the frontend allows.

use super::call::{CALL_HEADER, CallId};
use super::nonblocking::{Outbox, Readiness, WriteOutcome};
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

/// The token of the first private connection.
pub(super) const FIRST_TOKEN: usize = 16;

/// The time-out of the greeting of a new private connection.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of the answer to the greeting.
const HELLO_MAX: u64 = 64 * 1024;

/// A private connection with more unanswered bytes accepts no further request.
const FULL_BYTES: usize = 64 * 1024;
/// The capacity kept for further requests.
const KEPT_BYTES: usize = 64 * 1024;

/// A private connection.
pub(super) struct Upstream {
    pub(super) stream: UnixStream,
    pub(super) readiness: Readiness,
    /// Unanswered requests.
    calls: usize,
    /// Their bytes.
    bytes: usize,
    /// Requests to write.
    pub(super) outbox: Outbox,
}

impl Upstream {
    /// Registers an opened connection for the place `index`.
    pub(super) fn new(
        registry: &Registry,
        stream: std::os::unix::net::UnixStream,
        index: usize,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(stream);
        let token = Token(FIRST_TOKEN.saturating_add(index));
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self {
            stream,
            readiness: Readiness::default(),
            calls: 0,
            bytes: 0,
            outbox: Outbox::new(token, KEPT_BYTES),
        })
    }

    /// Whether it accepts a further request, of `most_calls` in flight.
    pub(super) fn has_room(&self, most_calls: usize) -> bool {
        self.bytes < FULL_BYTES && self.calls < most_calls
    }

    /// Appends a request as written by [`super::head::parse`], with its number; the next
    /// [`Self::flush`] writes it. Returns its bytes, for [`Self::answered`].
    pub(super) fn take(&mut self, request: &[u8], id: CallId) -> usize {
        let line = super::response::first_line(request);
        let (start, rest) = request.split_at_checked(line).unwrap_or((request, &[]));
        let call = format!("{CALL_HEADER}: {}\r\n", id.number());
        self.outbox.append(&[start, call.as_bytes(), rest]);
        self.calls = self.calls.saturating_add(1);
        self.bytes = self.bytes.saturating_add(request.len());
        request.len()
    }

    /// A request of this many bytes was answered.
    pub(super) fn answered(&mut self, bytes: usize) {
        self.calls = self.calls.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Writes what is unwritten.
    pub(super) fn flush(&mut self, registry: &Registry) -> WriteOutcome {
        let outcome = self.outbox.write(&mut self.stream);
        self.outbox.watch(registry, &mut self.stream, outcome)
    }
}

/// Opens `count` private connections to tiny_http at `path`, one by one: the greeting on each is
/// answered before the next is opened, so that tiny_http has given each a thread of its own.
pub fn connect_private(
    path: &Path,
    count: usize,
) -> io::Result<Vec<std::os::unix::net::UnixStream>> {
    (0..count)
        .map(|_| connect_one(path, HELLO_TIMEOUT))
        .collect()
}

/// Opens one, with a time-out of its greeting.
pub(super) fn connect_one(
    path: &Path,
    timeout: Duration,
) -> io::Result<std::os::unix::net::UnixStream> {
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // The answer to HEAD ends with its head.
    stream.write_all(b"HEAD /-/hello HTTP/1.1\r\nHost: frontend\r\n\r\n")?;
    let mut answer = BufReader::new((&stream).take(HELLO_MAX));
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if answer.read_line(&mut line)? == 0 {
            let why = "the greeting of a private connection was not answered";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
    }
    if !answer.buffer().is_empty() {
        let why = "more than one answer to the greeting";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(stream)
}
