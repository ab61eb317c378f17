//! The lines of an answer, or a document, on their way to a client.
//!
//! A short answer goes as one piece with its length; one that grows beyond
//! [`PIECE`], or takes longer than [`SOON`], goes piece by piece. Until the first
//! piece is out, a failure has a status of its own.

use std::cell::RefCell;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::frontend::ResponseStream;
use crate::query::Answered;
use crate::server::reply::{Reply, Responder};

/// How many bytes of an answer go at once.
const PIECE: usize = 64 * 1024;

/// How many bytes of a page are held so that its head can name the next one:
/// many clients do not read trailers.
const PAGE: usize = 1024 * 1024;

/// After how long a client gets the beginning of its answer.
const SOON: Duration = Duration::from_secs(5);

/// The type of lines of JSON.
const LINES: &str = "application/x-ndjson";

/// The header, or the trailer's field, for what a reader should know.
const NOTE: &str = "Profiletrail-Note";

/// What a trailer may have.
const TRAILER: &str = "Profiletrail-Note, Link";

/// The most notes, and the most characters of one.
const NOTES: (usize, usize) = (8, 500);

/// Takes an answer's lines.
pub(super) struct Sink(RefCell<Inner>);

struct Inner {
    way: Way,
    held: Vec<u8>,
    begun: Instant,
    /// How many bytes are held before the first of them go.
    first: usize,
    /// What stands before the body.
    head: Reply,
    /// Whether it may have a trailer, as lines may.
    trailed: bool,
}

enum Way {
    /// Nothing is out yet.
    Whole(Responder),
    /// It goes piece by piece.
    Pieces(ResponseStream),
    /// There is nobody to answer.
    Nobody,
}

impl Sink {
    /// For who asked, an answer that may have a tag, or be a page.
    pub fn new(caller: Responder, tag: Option<String>, is_page: bool) -> Self {
        let head = Reply::new(200, LINES, Vec::new());
        Self(RefCell::new(Inner {
            way: Way::Whole(caller),
            held: Vec::new(),
            begun: Instant::now(),
            first: if is_page { PAGE } else { PIECE },
            head: match tag {
                Some(tag) => head.tagged(&tag),
                None => head,
            },
            trailed: true,
        }))
    }

    /// For who asked, a document with this head.
    pub fn document(caller: Responder, head: Reply) -> Self {
        Self(RefCell::new(Inner {
            way: Way::Whole(caller),
            held: Vec::new(),
            begun: Instant::now(),
            first: PIECE,
            head,
            trailed: false,
        }))
    }

    /// To be called now and then while no line comes: lets the client know that
    /// its answer is being made.
    pub fn tick(&self) {
        if let Ok(mut inner) = self.0.try_borrow_mut()
            && matches!(inner.way, Way::Whole(_))
            && inner.begun.elapsed() >= SOON
        {
            // Whether the client is there shows when lines are sent.
            let _ = inner.hand_over();
        }
    }

    /// Ends the answer; where it is a page, with the target of the next one.
    pub fn finish(self, answered: &Answered, next: Option<&str>) {
        let mut inner = self.0.into_inner();
        let held = &mut inner.held;
        if !answered.damage.is_empty() {
            held.extend_from_slice(json!({ "damage": answered.damage }).to_string().as_bytes());
            held.push(b'\n');
        }
        let mut fields = notes(&answered.notes);
        if let Some(next) = next {
            fields.push_str(&format!("Link: <{next}>; rel=\"next\"\r\n"));
        }
        inner.end(fields);
    }

    /// Ends a document.
    pub fn end(self) {
        self.0.into_inner().end(String::new());
    }

    /// Ends it without an answer; one of which a part is out is broken off.
    pub fn fail(self, reply: &Reply) {
        if let Way::Whole(caller) = self.0.into_inner().way {
            caller.answer(reply);
        }
    }
}

impl Inner {
    /// Sends what is held, with what is known now of it.
    fn end(self, fields: String) {
        match self.way {
            Way::Whole(caller) => {
                caller.answer(&self.head.with_headers(&fields).with_body(self.held));
            }
            Way::Pieces(mut stream) => {
                // What could not be handed over is no whole answer.
                if stream.write(self.held).is_ok() {
                    stream.end(fields.into_bytes());
                }
            }
            Way::Nobody => {}
        }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        self.way = match std::mem::replace(&mut self.way, Way::Nobody) {
            Way::Whole(caller) => {
                if self.trailed {
                    self.head.add("Trailer", TRAILER);
                }
                caller.stream(&self.head).map_or(Way::Nobody, Way::Pieces)
            }
            way => way,
        };
        match &mut self.way {
            Way::Pieces(stream) => stream.write(std::mem::take(&mut self.held)),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Write for &Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        // Not all of it at once: what is handed over is held until it is sent.
        let most = match inner.way {
            Way::Whole(_) => inner.first,
            Way::Pieces(_) | Way::Nobody => PIECE,
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

/// The notes as header fields.
fn notes(notes: &[String]) -> String {
    let (most, length) = NOTES;
    let plain = |c: char| match c {
        ' '..='~' => c,
        _ => '?',
    };
    let field = |note: &String| {
        let text: String = note.chars().take(length).map(plain).collect();
        format!("{NOTE}: {text}\r\n")
    };
    notes.iter().take(most).map(field).collect()
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
