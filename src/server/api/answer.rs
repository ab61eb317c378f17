//! The lines of an answer, or a document, on their way to a client.
//!
//! A short answer is sent whole, with its length. One that grows beyond [`PIECE`] or
//! takes longer than [`SOON`] is streamed in pieces. A failure before the first
//! piece has its own status.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;

use crate::frontend::ResponseStream;
use crate::query::Answered;
use crate::server::reply::{Reply, Responder};

/// The size of a piece in bytes.
const PIECE: usize = 64 * 1024;

/// The bytes of a page that are buffered so that its head can name the next one:
/// many clients do not read trailers.
const PAGE: usize = 1024 * 1024;

/// The time after which a client gets the beginning of its answer.
const SOON: Duration = Duration::from_secs(5);

const LINES: &str = "application/x-ndjson";

/// The header or trailer field of notes.
const NOTE: &str = "Profiletrail-Note";

/// The header that announces the fields of a trailer.
const TRAILER: &[u8] = b"Trailer: Profiletrail-Note, Link\r\n";

/// The maximum number of notes, and of characters in one.
const NOTES: (usize, usize) = (8, 500);

/// Receives the lines of an answer.
pub(super) struct Sink(Mutex<Inner>);

struct Inner {
    state: State,
    held: Vec<u8>,
    begun: Instant,
    /// The number of bytes buffered before the first are sent.
    first: usize,
    head: Reply,
    /// Whether it may have a trailer, as lines may.
    trailed: bool,
}

enum State {
    /// Nothing is sent yet.
    Unsent(Responder),
    /// It is streamed.
    Streamed(ResponseStream),
    /// One state is being replaced by the next.
    Changing,
}

impl Sink {
    /// An answer of lines, which may have a tag or be a page.
    pub fn new(caller: Responder, tag: Option<String>, is_page: bool) -> Self {
        let head = Reply::new(200, LINES, Vec::new());
        let mut sink = Self::document(
            caller,
            match tag {
                Some(tag) => head.tagged(&tag),
                None => head,
            },
        );
        let inner = sink.0.get_mut();
        inner.trailed = true;
        if is_page {
            inner.first = PAGE;
        }
        sink
    }

    /// A document with this head.
    pub fn document(caller: Responder, head: Reply) -> Self {
        Self(Mutex::new(Inner {
            state: State::Unsent(caller),
            held: Vec::new(),
            begun: Instant::now(),
            first: PIECE,
            head,
            trailed: false,
        }))
    }

    /// To be called regularly while there is no line: shows the client that its answer
    /// is in progress.
    pub fn tick(&self) {
        if let Some(mut inner) = self.0.try_lock()
            && matches!(inner.state, State::Unsent(_))
            && inner.begun.elapsed() >= SOON
        {
            // A lost connection is noticed when lines are sent.
            let _ = inner.hand_over();
        }
    }

    /// Ends the answer; a page with the target of the next one.
    pub fn finish(self, answered: &Answered, next: Option<&str>) {
        let mut inner = self.0.into_inner();
        let held = &mut inner.held;
        if !answered.damage.is_empty() {
            held.extend_from_slice(json!({ "damage": answered.damage }).to_string().as_bytes());
            held.push(b'\n');
        }
        let mut fields = notes(answered.notes.iter().chain(&answered.hints));
        if let Some(next) = next {
            fields.push_str(&format!("Link: <{next}>; rel=\"next\"\r\n"));
        }
        inner.end(fields);
    }

    /// Ends a document.
    pub fn end(self) {
        self.0.into_inner().end(String::new());
    }

    /// Sends a failure instead; an answer that is partly sent is aborted.
    pub fn fail(self, reply: &Reply) {
        if let State::Unsent(caller) = self.0.into_inner().state {
            caller.answer(reply);
        }
    }
}

impl Inner {
    /// Sends the buffered bytes with the final fields.
    fn end(self, fields: String) {
        match self.state {
            State::Unsent(caller) => {
                caller.answer(&self.head.with_headers(&fields).with_body(self.held));
            }
            State::Streamed(mut stream) => {
                // The answer is incomplete if a piece was not accepted.
                if stream.write(self.held).is_ok() {
                    stream.end(fields.into_bytes());
                }
            }
            State::Changing => {}
        }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::Changing) {
            State::Unsent(caller) => {
                let mut head = self.head.head();
                if self.trailed {
                    head.extend_from_slice(TRAILER);
                }
                State::Streamed(caller.stream(head))
            }
            state => state,
        };
        match &mut self.state {
            State::Streamed(stream) => stream.write(std::mem::take(&mut self.held)),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Write for &Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock();
        // Not all of it at once: passed bytes are held until they are sent.
        let most = match inner.state {
            State::Unsent(_) => inner.first,
            State::Streamed(_) | State::Changing => PIECE,
        };
        let room = most.saturating_sub(inner.held.len());
        let part = bytes.get(..room).unwrap_or(bytes);
        inner.held.extend_from_slice(part);
        if inner.held.len() >= most {
            inner.hand_over()?;
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn notes<'a>(notes: impl IntoIterator<Item = &'a String>) -> String {
    let (most, length) = NOTES;
    let plain = |c: char| match c {
        ' '..='~' => c,
        _ => '?',
    };
    let field = |note: &String| {
        let text: String = note.chars().take(length).map(plain).collect();
        format!("{NOTE}: {text}\r\n")
    };
    notes.into_iter().take(most).map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::notes;

    #[test]
    fn a_note_is_one_line_of_a_head() {
        let headers = notes(&["a\r\nX: é".to_owned(), "b".to_owned()]);
        assert_eq!(
            headers,
            "Profiletrail-Note: a??X: ?\r\nProfiletrail-Note: b\r\n"
        );
        let many = vec!["x".repeat(9000); 100];
        assert!(notes(&many).len() < 5000);
    }
}
