//! The protocol between a command and a running server: HTTP over the control socket.
//!
//! A command sends `POST /command`. The first line of the body is a [`Request`]; lines to
//! import or rows to compare follow it. The answer is chunked lines of JSON: those of the
//! answer itself, as `--format jsonl` prints them, and between them [`Control`] lines,
//! which begin with `{"control":` as no other line does. The last one is [`Control::End`]
//! or [`Control::Failed`], so a truncated answer is never treated as complete.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::frontend::ChunkDecoder;
use crate::ops::Maintenance;
use crate::query::{Answered, Position, Progress, Query, ReconcileOrder, TailQuery};

/// The target of every request.
pub const TARGET: &str = "/command";

/// The maximum length of a head in bytes.
const MAX_HEAD: u64 = 16 * 1024;

/// How a control line begins.
const CONTROL: &[u8] = b"{\"control\":";

/// The request of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// An answer to a question.
    Ask(Box<Query>),
    /// To add the exported events that follow.
    Import,
    /// A comparison of the rows that follow with the trail.
    Reconcile(Box<ReconcileOrder>),
    /// To enter rejected calls that can be read now: those of these numbers, or all.
    Retry(Vec<u64>),
    /// Maintenance of the data folder.
    Maintenance(Maintenance),
    /// The newest events, or those after one, and with `on` those that arrive until the
    /// command disconnects.
    Tail {
        /// Which.
        query: Box<TailQuery>,
        /// Those that come, too.
        on: bool,
    },
    /// The state of the server: one line of [`crate::ops::doctor::Running`].
    About,
}

/// A line about an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "lowercase")]
pub enum Control {
    /// How far the answer is.
    Progress(Progress),
    /// The result of some lines that were sent: a [`crate::query::ImportReport`] or a
    /// [`crate::query::ReconcileReport`].
    Report(Value),
    /// The position of a tail: first its start, then up to where everything was sent.
    Position(Position),
    /// The answer is complete.
    End(Answered),
    /// There is no answer, or no more of it.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Control {
    /// Reads a control line; `None` for a line of the answer itself.
    pub fn of_line(line: &[u8]) -> Option<io::Result<Self>> {
        let read = || serde_json::from_slice(line).map_err(io::Error::from);
        line.starts_with(CONTROL).then(read)
    }
}

/// Reads the head of a request or of an answer.
pub fn read_head(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut input = input.take(MAX_HEAD);
    while !head.ends_with(b"\r\n\r\n") {
        if input.read_until(b'\n', &mut head)? == 0 {
            let kind = match head.is_empty() {
                true => io::ErrorKind::UnexpectedEof,
                false => io::ErrorKind::InvalidData,
            };
            return Err(io::Error::new(kind, "it is not a whole HTTP head"));
        }
    }
    Ok(head)
}

/// Writes a chunk of a body; an empty one ends it.
pub fn write_chunk(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    // A small chunk is written at once, a large one without being copied.
    let mut out = io::BufWriter::new(out);
    write!(out, "{:x}\r\n", bytes.len())?;
    out.write_all(bytes)?;
    out.write_all(b"\r\n")?;
    out.flush()
}

/// Reads a chunked body; one without its last chunk ends with an error.
pub struct ChunkedReader<R> {
    input: R,
    decoder: ChunkDecoder,
    /// The received bytes that are not decoded yet: a part of a line between chunks.
    received: Vec<u8>,
    decoded: io::Cursor<Vec<u8>>,
}

impl<R: BufRead> ChunkedReader<R> {
    /// Reads the body that follows in `input`.
    pub const fn new(input: R) -> Self {
        Self {
            input,
            decoder: ChunkDecoder::new(),
            received: Vec::new(),
            decoded: io::Cursor::new(Vec::new()),
        }
    }
}

impl<R: BufRead> BufRead for ChunkedReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.decoded.fill_buf()?.is_empty() && !self.decoder.is_done() {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let count = bytes.len();
            let body = self.decoded.get_mut();
            body.clear();
            // Nearly always nothing is left from before, and nothing needs to be copied.
            let is_whole = self.received.is_empty();
            let used = if is_whole {
                self.decoder.decode(bytes, body, usize::MAX)
            } else {
                self.received.extend_from_slice(bytes);
                self.decoder.decode(&self.received, body, usize::MAX)
            };
            self.decoded.set_position(0);
            let used = used.map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, "the body is not chunked")
            })?;
            if is_whole {
                let left = bytes.get(used..).unwrap_or_default();
                self.received.extend_from_slice(left);
            } else {
                self.received.drain(..used);
            }
            self.input.consume(count);
        }
        self.decoded.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.decoded.consume(count);
    }
}

impl<R: BufRead> Read for ChunkedReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fill_buf()?;
        self.decoded.read(out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_as_written_however_they_arrive_and_never_without_their_end() {
        let body: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
        let mut sent = Vec::new();
        for part in body.chunks(70_001) {
            write_chunk(&mut sent, part).unwrap();
        }
        write_chunk(&mut sent, b"").unwrap();
        for capacity in [1, 7, 100_000] {
            let mut read = Vec::new();
            let input = io::BufReader::with_capacity(capacity, sent.as_slice());
            let mut reader = ChunkedReader::new(input);
            reader.read_to_end(&mut read).unwrap();
            assert!(read == body);
            assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        }
        for cut in [0, 1, 4, 5, 70_000, sent.len() - 1] {
            let mut reader = ChunkedReader::new(&sent[..cut]);
            let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }

    #[test]
    fn control_lines_are_distinguished_from_those_of_an_answer() {
        let end = Control::End(Answered {
            found: true,
            ..Answered::default()
        });
        for control in [
            Control::Progress(Progress::default()),
            Control::Report(serde_json::json!({ "added": 1 })),
            Control::Position(Position::default()),
            Control::Failed {
                reason: "\n".to_owned(),
            },
            end,
        ] {
            let line = serde_json::to_vec(&control).unwrap();
            assert_eq!(Control::of_line(&line).unwrap().unwrap(), control);
        }
        assert!(Control::of_line(b"{\"seq\":1}").is_none());
        assert!(Control::of_line(b"{\"control\":1}").unwrap().is_err());
    }
}
