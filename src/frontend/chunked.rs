//! Decoding of a request body in the chunked transfer coding (RFC 9112, section 7.1).
//!
//! Strict where leniency helps request smuggling: lines end with CRLF, sizes are 1 to 16 hexadecimal
//! digits. Extensions and trailers are bounded and ignored.

/// The most bytes of a line with a chunk's size and extensions.
const MAX_LINE: usize = 256;
/// The most bytes of all trailers.
const MAX_TRAILERS: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the line with a chunk's size.
    Size,
    /// The number of missing bytes of the chunk.
    Data(u64),
    /// Before the line break behind a chunk.
    DataEnd,
    /// In the trailers, with their length so far in bytes.
    Trailers(usize),
    /// After the last line.
    Done,
}

#[derive(Debug)]
pub(crate) struct ChunkDecoder(State);

/// Why decoding ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkError {
    /// It is not the chunked coding.
    Malformed,
    /// The body is longer than its limit; as much of it was decoded.
    TooLarge,
}

impl ChunkDecoder {
    pub(crate) const fn new() -> Self {
        Self(State::Size)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Decodes as much of `input` as possible and appends it to `body`, up to `limit` bytes of body
    /// in all. Returns how many bytes of `input` were used.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        limit: usize,
    ) -> Result<usize, ChunkError> {
        let mut rest = input;
        loop {
            match self.0 {
                State::Size => {
                    let Some((line, after)) = line(rest, MAX_LINE)? else {
                        break;
                    };
                    rest = after;
                    self.0 = match size(line).ok_or(ChunkError::Malformed)? {
                        0 => State::Trailers(0),
                        size => State::Data(size),
                    };
                }
                State::Data(missing) => {
                    let count = usize::try_from(missing).unwrap_or(usize::MAX);
                    let (data, after) = rest.split_at(count.min(rest.len()));
                    let room = limit.saturating_sub(body.len());
                    if data.len() > room || missing > limit as u64 {
                        body.extend_from_slice(data.get(..room).unwrap_or(data));
                        return Err(ChunkError::TooLarge);
                    }
                    if data.is_empty() {
                        break;
                    }
                    body.extend_from_slice(data);
                    rest = after;
                    self.0 = match missing.saturating_sub(data.len() as u64) {
                        0 => State::DataEnd,
                        missing => State::Data(missing),
                    };
                }
                State::DataEnd => match rest {
                    [b'\r', b'\n', after @ ..] => {
                        rest = after;
                        self.0 = State::Size;
                    }
                    [] | [b'\r'] => break,
                    _ => return Err(ChunkError::Malformed),
                },
                State::Trailers(before) => {
                    let Some((line, after)) = line(rest, MAX_TRAILERS.saturating_sub(before))?
                    else {
                        break;
                    };
                    rest = after;
                    self.0 = match line.len() {
                        0 => State::Done,
                        len => State::Trailers(before.saturating_add(len)),
                    };
                }
                State::Done => break,
            }
        }
        Ok(input.len().saturating_sub(rest.len()))
    }
}

type Line<'a> = Option<(&'a [u8], &'a [u8])>;

/// The first line without its CRLF, and the rest; `None` if the line is incomplete.
fn line(input: &[u8], max: usize) -> Result<Line<'_>, ChunkError> {
    let Some(end) = memchr::memchr(b'\n', input) else {
        // The line may be as long as allowed, and only its line feed is missing.
        return match input.len() > max.saturating_add(1) {
            true => Err(ChunkError::Malformed),
            false => Ok(None),
        };
    };
    let (line, rest) = input.split_at(end);
    let line = line.strip_suffix(b"\r").ok_or(ChunkError::Malformed)?;
    let rest = rest.get(1..).unwrap_or_default();
    match line.len() > max || line.contains(&b'\r') {
        true => Err(ChunkError::Malformed),
        false => Ok(Some((line, rest))),
    }
}

/// The size in a chunk's first line, whose extensions are ignored.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    let digits = std::str::from_utf8(digits.trim_ascii_end()).ok()?;
    let is_size = (1..=16).contains(&digits.len());
    if !is_size || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes pieces in the order of arrival; returns the body and the rest.
    fn decode(input: &[u8], piece: usize, limit: usize) -> Result<(Vec<u8>, Vec<u8>), ChunkError> {
        let (mut decoder, mut body, mut waiting) = (ChunkDecoder::new(), Vec::new(), Vec::new());
        for bytes in input.chunks(piece) {
            waiting.extend_from_slice(bytes);
            let used = decoder.decode(&waiting, &mut body, limit)?;
            waiting.drain(..used);
        }
        match decoder.is_done() {
            true => Ok((body, waiting)),
            false => Ok((Vec::new(), b"not done".to_vec())),
        }
    }

    #[test]
    fn bodies_are_decoded_however_they_arrive() {
        let input = b"3\r\nabc\r\n00A;x=\"y\" \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET /";
        for piece in [1, 2, 3, 7, input.len()] {
            let decoded = decode(input, piece, 13).unwrap();
            assert_eq!(decoded, (b"abc0123456789".to_vec(), b"GET /".to_vec()));
        }
        assert_eq!(decode(b"0\r\n\r\n", 9, 0), Ok((Vec::new(), Vec::new())));
        let longest = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(MAX_LINE - 2));
        for piece in [1, longest.len()] {
            let decoded = decode(longest.as_bytes(), piece, 1);
            assert_eq!(decoded, Ok((b"a".to_vec(), Vec::new())));
        }
        assert_eq!(decode(input, 4, 12), Err(ChunkError::TooLarge));
    }

    #[test]
    fn anything_else_is_malformed() {
        let long = format!("{}\r\n", "1".repeat(17));
        let extension = format!("1;{}\r\n", "x".repeat(300));
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(3000));
        for input in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 1\r\n",
            "1\n",
            "1\r\r\n",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rb",
            ";\r\n",
            &long,
            &extension,
            &trailers,
        ] {
            let decoded = decode(input.as_bytes(), 5, 100);
            assert_eq!(decoded, Err(ChunkError::Malformed), "{input:.40?}");
        }
        let huge = "ffffffffffffffff\r\n";
        assert_eq!(decode(huge.as_bytes(), 9, 100), Err(ChunkError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            piece in 1usize..50,
        ) {
            let mut input = Vec::new();
            for chunk in &chunks {
                input.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                input.extend_from_slice(chunk);
                input.extend_from_slice(b"\r\n");
            }
            input.extend_from_slice(b"0\r\n\r\n");
            let body = chunks.concat();
            prop_assert_eq!(decode(&input, piece, body.len()), Ok((body.clone(), Vec::new())));
        }

        #[test]
        fn no_bytes_make_it_panic(input in prop::collection::vec(any::<u8>(), 1..200), piece in 1usize..9) {
            let _ = decode(&input, piece, 50);
        }
    }
}
