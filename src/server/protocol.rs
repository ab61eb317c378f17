//! The protocol between a command and a running server, over the Unix socket.
//!
//! A frame is a kind (1 byte), a length (4 bytes, little-endian) and that many
//! bytes. A command sends one [`Request`]. The server answers with any number of
//! [`Kind::Progress`] and [`Kind::Lines`], and one final [`Kind::Done`] or
//! [`Kind::Failed`], so a truncated answer is never taken for a complete one. A
//! [`Kind::Lines`] frame may end within a line.
//!
//! - Import: after the request the command sends [`Kind::Lines`], each answered by
//!   one [`Kind::Report`], and then [`Kind::Done`], answered by [`Kind::Done`].
//! - Comparison: the same, but [`Kind::Lines`] carry rows of the file. Each is
//!   answered by any number of [`Kind::Lines`] and one [`Kind::Report`];
//!   [`Kind::Done`] is answered likewise, followed by [`Kind::Done`].
//! - Tail: the server first sends a [`Kind::Position`], the start. Then it sends
//!   [`Kind::Lines`], which never end within a line here, and after some of them the
//!   position up to which everything has been sent.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ops::Maintenance;
use crate::query::{Answered, Query, ReconcileOrder, TailQuery};

/// The maximum length of a frame in bytes.
const MAX_FRAME: u32 = 256 << 20;

/// The number of bytes of lines that are buffered for a frame.
const LINES_LEN: usize = 64 * 1024;

/// The maximum number of bytes of lines in a frame; a longer line is split.
const LINES_MAX: usize = 1 << 20;

/// What a command wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// An answer to a question.
    Ask(Box<Query>),
    /// To add exported events.
    Import,
    /// A comparison of a file's rows with what is known.
    Reconcile(Box<ReconcileOrder>),
    /// Maintenance for the data folder.
    Maintenance(Maintenance),
    /// The newest events, or those after one, and with `on` those that come until
    /// the command goes.
    Tail {
        /// Which.
        query: Box<TailQuery>,
        /// Those that come, too.
        on: bool,
    },
    /// The state of the server: one line of [`crate::ops::doctor::Running`].
    About,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`Request`] as JSON.
    Request,
    /// [`crate::query::Progress`] as JSON.
    Progress,
    /// Lines. In an import: the number of the first (8 bytes), then lines.
    Lines,
    /// [`crate::query::ImportReport`] or [`crate::query::ReconcileReport`] as JSON.
    Report,
    /// [`crate::query::Position`] as JSON.
    Position,
    /// The end of an answer, or of an import: [`End`] as JSON.
    Done,
    /// There is no answer: the reason as text.
    Failed,
}

/// The end of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Whether anything was found.
    pub found: bool,
    /// Events that belong to the answer but cannot be read.
    pub damage: Vec<String>,
    /// What a reader should know of the answer: which events are known to be
    /// lost since a repair, and what speaks of a time of which events were pruned.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Where nothing was found: what to ask instead.
    #[serde(default)]
    pub hints: Vec<String>,
}

impl From<Answered> for End {
    fn from(answered: Answered) -> Self {
        Self {
            found: answered.found,
            damage: answered.damage,
            notes: answered.notes,
            hints: answered.hints,
        }
    }
}

impl Kind {
    const ALL: [(Self, u8); 7] = [
        (Self::Request, b'Q'),
        (Self::Progress, b'P'),
        (Self::Lines, b'L'),
        (Self::Report, b'R'),
        (Self::Position, b'S'),
        (Self::Done, b'D'),
        (Self::Failed, b'F'),
    ];

    fn byte(self) -> u8 {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or(0, |(_, byte)| *byte)
    }

    fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == byte)
            .map(|(kind, _)| *kind)
    }
}

/// Sends a frame.
pub fn send(stream: &mut impl Write, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(bytes.len() + 5);
    frame.push(kind.byte());
    frame.extend_from_slice(&len.to_le_bytes());
    frame.extend_from_slice(bytes);
    stream
        .write_all(&frame)
        .map_err(|error| match error.kind() {
            // Not to be taken for a reader of standard output that has gone.
            io::ErrorKind::BrokenPipe => io::Error::other("the other side has gone"),
            _ => error,
        })
}

/// Sends a frame of JSON.
pub fn send_json(stream: &mut impl Write, kind: Kind, value: &impl Serialize) -> io::Result<()> {
    send(stream, kind, &serde_json::to_vec(value)?)
}

/// Receives a frame; `None` where the other side has closed.
pub fn receive(stream: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = [0; 5];
    let mut filled = 0;
    while let Some(rest) = head.get_mut(filled..)
        && !rest.is_empty()
    {
        match stream.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [kind, len @ ..] = head;
    let len = u32::from_le_bytes(len);
    let kind = Kind::of_byte(kind).filter(|_| len <= MAX_FRAME);
    let kind = kind.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a frame"))?;
    let mut bytes = Vec::new();
    // Memory grows with what arrives, not with what is announced.
    stream.take(u64::from(len)).read_to_end(&mut bytes)?;
    if bytes.len() != len as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((kind, bytes)))
}

/// Reads a frame's JSON.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(io::Error::from)
}

/// A writer that sends what is written as frames of lines.
pub struct LinesWriter<'a, W: Write> {
    stream: &'a mut W,
    held: Vec<u8>,
}

impl<'a, W: Write> LinesWriter<'a, W> {
    /// A writer to a stream.
    pub fn new(stream: &'a mut W) -> Self {
        Self {
            stream,
            held: Vec::new(),
        }
    }
}

impl<W: Write> Write for LinesWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= LINES_LEN {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        for part in self.held.chunks(LINES_MAX) {
            send(self.stream, Kind::Lines, part)?;
        }
        self.held.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_in_several_frames() {
        let line: Vec<u8> = (0..5 * LINES_MAX / 2).map(|place| place as u8).collect();
        let mut bytes = Vec::new();
        let mut lines = LinesWriter::new(&mut bytes);
        lines.write_all(&line).unwrap();
        lines.flush().unwrap();
        let mut rest = bytes.as_slice();
        let mut found = Vec::new();
        while let Some((kind, part)) = receive(&mut rest).unwrap() {
            assert_eq!(kind, Kind::Lines);
            assert!(part.len() <= LINES_MAX);
            found.extend(part);
        }
        assert!(found == line);
    }

    #[test]
    fn frames_are_received_as_sent_and_nothing_else_is() {
        let mut bytes = Vec::new();
        send_json(&mut bytes, Kind::Request, &Request::Import).unwrap();
        let (kind, content) = receive(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(
            (kind, parse::<Request>(&content).unwrap()),
            (Kind::Request, Request::Import)
        );
        assert!(receive(&mut [].as_slice()).unwrap().is_none());
        for len in 1..bytes.len() {
            assert!(receive(&mut &bytes[..len]).is_err());
        }
        assert!(receive(&mut b"Q\xff\xff\xff\xff".as_slice()).is_err());
        assert!(receive(&mut b"x\0\0\0\0".as_slice()).is_err());
    }
}
