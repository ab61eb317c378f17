//! The request of a command, and the lines that follow it.

use std::io::{self, BufRead, Read};

use super::control::{ChunkedReader, Request, TARGET, read_head};

/// The maximum length of a request in bytes, without the lines that follow it.
const MAX_REQUEST: u64 = 16 << 20;

/// The number of lines that are imported or compared at once, …
const BATCH_LINES: u64 = 1000;

/// … and about how many bytes of them.
const BATCH_LEN: usize = 4 << 20;

/// The longest line in bytes that is read.
const MAX_LINE: usize = 128 << 20;

/// Reads a request, and returns it with the rest of its body.
pub(super) fn read_request<R: BufRead>(mut input: R) -> io::Result<(Request, ChunkedReader<R>)> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let head = read_head(&mut input)?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    let read = parsed.parse(&head);
    read.map_err(|error| invalid(format!("the head is not HTTP: {error}")))?;
    if (parsed.method, parsed.path) != (Some("POST"), Some(TARGET)) {
        return Err(invalid(format!("only POST {TARGET} is allowed here")));
    }
    let is_chunked = parsed.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("Transfer-Encoding")
            && header.value.eq_ignore_ascii_case(b"chunked")
    });
    if !is_chunked {
        return Err(invalid("the body must be chunked".to_owned()));
    }
    let mut body = ChunkedReader::new(input);
    let mut line = Vec::new();
    (&mut body).take(MAX_REQUEST).read_until(b'\n', &mut line)?;
    let request = serde_json::from_slice(&line)?;
    Ok((request, body))
}

pub(super) struct Batches<R> {
    input: R,
    next_line: u64,
}

impl<R: BufRead> Batches<R> {
    pub const fn new(input: R) -> Self {
        let next_line = 1;
        Self { input, next_line }
    }

    /// The number of the first line, and the lines; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let first = self.next_line;
        let mut lines = Vec::new();
        while self.next_line - first < BATCH_LINES && lines.len() < BATCH_LEN {
            let mut input = (&mut self.input).take(MAX_LINE as u64);
            let len = input.read_until(b'\n', &mut lines)?;
            if len == 0 {
                break;
            }
            if len >= MAX_LINE {
                let what = format!("line {} is longer than {MAX_LINE} bytes", self.next_line);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            self.next_line += 1;
        }
        Ok((!lines.is_empty()).then_some((first, lines)))
    }
}
