//! One private connection to tiny_http, and how they are opened.
//!
//! It carries many requests at one time, one after the other: answers come by another way (see
//! [`super::call`]), so nothing is ever read from it but its end.
//!
//! Leaves out which request goes where. Invariant: what it carries unanswered is bounded, so that
//! a long request delays few others, and tiny_http never holds more than the frontend lets it.

use super::call::{CALL_HEADER, CallId};
use super::head::push_number;
use super::nonblocking::{Readiness, WriteOutcome, reset_to, write_from};
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

/// The token of the first private connection.
pub(super) const FIRST_TOKEN: usize = 16;

/// How long the greeting of a new private connection may take.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes the answer to the greeting may have.
const HELLO_MAX: usize = 64 * 1024;

/// With so many bytes unanswered a private connection takes no further request.
const FULL_BYTES: usize = 64 * 1024;
/// Written bytes that are kept at the head of an output that is never quite written, and room
/// that is kept for the next requests.
const KEPT_BYTES: usize = 64 * 1024;

/// A private connection.
pub(super) struct Upstream {
    pub(super) stream: UnixStream,
    pub(super) readiness: Readiness,
    /// How many requests it carries that are not answered.
    calls: usize,
    /// Their bytes.
    bytes: usize,
    /// Requests as far as they are not written yet, after `sent` bytes that are.
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

    /// Whether a part of a request is unwritten.
    pub(super) fn is_writing(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether it takes a further request, of `most_calls` at one time.
    pub(super) fn has_room(&self, most_calls: usize) -> bool {
        self.bytes < FULL_BYTES && self.calls < most_calls
    }

    /// Takes a request, whose head is as [`super::head::parse`] wrote it, to be written under the
    /// number `id` by the next [`Self::flush`]. Returns its bytes, for [`Self::answered`].
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

    /// Takes note that a request of so many bytes was answered.
    pub(super) fn answered(&mut self, bytes: usize) {
        self.calls = self.calls.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Writes what is unwritten. Room for writing is watched only while it is wanted: a Unix
    /// socket reports it whenever the other side has read, which would wake the loop once more
    /// for every request.
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

/// Opens `count` private connections to the server at `path`, one by one: each is greeted, and
/// its answer read whole, before the next is opened, so that the server has given each a thread
/// of its own.
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
    stream.write_all(b"GET /-/hello HTTP/1.1\r\nHost: frontend\r\n\r\n")?;
    let rubbish = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut answer = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        match super::response::length(&answer, false).map_err(rubbish)? {
            Some(length) if answer.len() == length => break,
            Some(length) if answer.len() > length => {
                return Err(rubbish("more than one answer to the greeting"));
            }
            _ if answer.len() > HELLO_MAX => {
                return Err(rubbish("the answer to the greeting is too long"));
            }
            _ => {}
        }
        let count = match stream.read(&mut buffer) {
            Ok(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "closed before the greeting was answered",
                ));
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the greeting was not answered",
                ));
            }
            Err(error) => return Err(error),
        };
        answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(stream)
}
