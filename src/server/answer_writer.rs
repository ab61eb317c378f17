//! Writes the answer to a command to its connection.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::control::{Control, write_chunk};
use super::reply::Reply;
use crate::query::Progress;

/// The number of bytes of lines that are buffered for a chunk.
const CHUNK: usize = 64 * 1024;

/// Sends the lines of an answer, and control lines between them, in chunks.
pub(super) struct AnswerWriter<'a> {
    pub stream: &'a UnixStream,
    stopping: &'a AtomicBool,
    held: RefCell<Held>,
}

/// The unsent bytes.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// Whether the last byte, sent or not, is within a line.
    in_line: bool,
}

impl<'a> AnswerWriter<'a> {
    /// Begins an answer, which fails once `stopping` is set.
    pub fn begin(stream: &'a UnixStream, stopping: &'a AtomicBool) -> io::Result<Self> {
        let head = Reply::new(200, "application/x-ndjson", Vec::new());
        let head = head.with("Transfer-Encoding", "chunked");
        let mut head = head.with("Connection", "close").head();
        head.extend_from_slice(b"\r\n");
        (&*stream).write_all(&head)?;
        Ok(Self {
            stream,
            stopping,
            held: RefCell::default(),
        })
    }

    /// Fails once the server stops.
    pub fn check(&self) -> io::Result<()> {
        match self.stopping.load(Ordering::Acquire) {
            true => Err(io::Error::other("the server is stopping")),
            false => Ok(()),
        }
    }

    /// Sends the held bytes, and then a control line; sends nothing within a line.
    pub fn control(&self, control: &Control) -> io::Result<()> {
        let mut held = self.held.borrow_mut();
        if held.in_line {
            return Ok(());
        }
        serde_json::to_writer(&mut held.bytes, control)?;
        held.bytes.push(b'\n');
        self.send(&mut held.bytes)
    }

    /// Sends the progress. A lost connection is noticed when lines are sent.
    pub fn progress(&self, progress: Progress) {
        let _ = self.control(&Control::Progress(progress));
    }

    /// Sends the report on some lines.
    pub fn report(&self, report: &impl Serialize) -> io::Result<()> {
        self.control(&Control::Report(serde_json::to_value(report)?))
    }

    /// Sends the last line, and ends the body.
    pub fn end(&self, last: &Control) -> io::Result<()> {
        let in_line = self.held.borrow().in_line;
        if in_line {
            { self }.write_all(b"\n")?;
        }
        self.control(last)?;
        write_chunk(&mut Unhurried(self), b"")
    }

    fn send(&self, held: &mut Vec<u8>) -> io::Result<()> {
        if !held.is_empty() {
            write_chunk(&mut Unhurried(self), held)?;
        }
        held.clear();
        Ok(())
    }
}

impl Write for &AnswerWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.held.borrow_mut();
        if let Some(last) = bytes.last() {
            held.in_line = *last != b'\n';
        }
        if bytes.len() >= CHUNK {
            self.send(&mut held.bytes)?;
            write_chunk(&mut Unhurried(self), bytes)?;
            return Ok(bytes.len());
        }
        held.bytes.extend_from_slice(bytes);
        if held.bytes.len() >= CHUNK {
            self.send(&mut held.bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send(&mut self.held.borrow_mut().bytes)
    }
}

/// Waits for a command that reads slowly, until the server stops.
struct Unhurried<'a>(&'a AnswerWriter<'a>);

impl Write for Unhurried<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use io::ErrorKind::{TimedOut, WouldBlock};
        loop {
            match (&*self.0.stream).write(bytes) {
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => self.0.check()?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
