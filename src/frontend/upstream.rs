//! A private connection to tiny_http, and how it is opened.
//!
//! It carries many requests at one time, one after the other. Answers come another way (see
//! [`super::call`]), so nothing is ever read from it but its end.
//!
//! Invariant: the unanswered bytes and requests of a connection are bounded, so that a long request
//! delays few others and tiny_http never holds more than the frontend allows.

use super::call::{CALL_HEADER, CallId};
use super::head::push_number;
use super::nonblocking::{Readiness, WriteOutcome, reset_to, write_from};
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
/// The most written bytes kept before the unwritten ones, and the capacity kept for further
/// requests.
const KEPT_BYTES: usize = 64 * 1024;

/// A private connection.
pub(super) struct Upstream {
    pub(super) stream: UnixStream,
    pub(super) readiness: Readiness,
    /// Unanswered requests.
    calls: usize,
    /// Their bytes.
    bytes: usize,
    /// Requests to write; the first `sent` bytes are written.
    output: Vec<u8>,
    sent: usize,
    watches_writing: bool,
    token: Token,
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
            output: Vec::new(),
            sent: 0,
            watches_writing: false,
            token,
        })
    }

    /// Whether bytes are unwritten.
    pub(super) fn is_writing(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether it accepts a further request, of `most_calls` in flight.
    pub(super) fn has_room(&self, most_calls: usize) -> bool {
        self.bytes < FULL_BYTES && self.calls < most_calls
    }

    /// Appends a request as written by [`super::head::parse`], with its number; the next
    /// [`Self::flush`] writes it. Returns its bytes, for [`Self::answered`].
    pub(super) fn take(&mut self, request: &[u8], id: CallId) -> usize {
        if self.sent > KEPT_BYTES {
            self.output.drain(..self.sent.min(self.output.len()));
            self.sent = 0;
        }
        let line = super::response::first_line(request);
        let (start, rest) = request.split_at_checked(line).unwrap_or((request, &[]));
        self.output.extend_from_slice(start);
        self.output.extend_from_slice(CALL_HEADER.as_bytes());
        self.output.extend_from_slice(b": ");
        push_number(&mut self.output, id.number());
        self.output.extend_from_slice(b"\r\n");
        self.output.extend_from_slice(rest);
        self.calls = self.calls.saturating_add(1);
        self.bytes = self.bytes.saturating_add(request.len());
        request.len()
    }

    /// A request of this many bytes was answered.
    pub(super) fn answered(&mut self, bytes: usize) {
        self.calls = self.calls.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Writes what is unwritten. Writability is watched only while it is wanted: a Unix socket
    /// reports it whenever the peer has read, which would wake the loop for every request.
    pub(super) fn flush(&mut self, registry: &Registry) -> WriteOutcome {
        let outcome = write_from(&mut self.stream, &self.output, &mut self.sent);
        if outcome == WriteOutcome::Done {
            self.sent = 0;
            reset_to(&mut self.output, KEPT_BYTES);
        }
        let wants = outcome == WriteOutcome::Blocked;
        if wants != self.watches_writing && outcome != WriteOutcome::Broken {
            self.watches_writing = wants;
            let interest = if wants {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            if registry
                .reregister(&mut self.stream, self.token, interest)
                .is_err()
            {
                return WriteOutcome::Broken;
            }
        }
        outcome
    }
}

/// Opens `count` private connections to tiny_http at `path`, one by one: the greeting on each is
/// answered before the next is opened, so that tiny_http has given each a thread of its own.
pub fn connect_private(
    path: &Path,
    count: usize,
) -> io::Result<Vec<std::os::unix::net::UnixStream>> {
    (0..count).map(|_| connect_one(path)).collect()
}

fn connect_one(path: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(HELLO_TIMEOUT))?;
    stream.set_write_timeout(Some(HELLO_TIMEOUT))?;
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
