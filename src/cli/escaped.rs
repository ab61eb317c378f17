//! JSON lines and CSV on a terminal.

use std::io::{self, Write};

use crate::format::is_unsafe;

/// Writes characters that would control the terminal as `\u009b`, which JSON reads back.
pub struct Escaped<W> {
    out: W,
    /// The first bytes of an incomplete character.
    held: Vec<u8>,
}

impl<W: Write> Escaped<W> {
    pub const fn new(out: W) -> Self {
        Self {
            out,
            held: Vec::new(),
        }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            if is_unsafe(c) && !matches!(c, '\n' | '\r' | '\t') {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    safe += &format!("\\u{unit:04x}");
                }
            } else {
                safe.push(c);
            }
        }
        self.out.write_all(safe.as_bytes())
    }
}

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&text) {
            // The last character is not complete yet.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => text.len(),
        };
        let (whole, held) = text.split_at(whole);
        self.put(&String::from_utf8_lossy(whole))?;
        self.held = held.to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_controls_a_terminal_gets_through() {
        let line = "{\"a\":\"é\u{9b}31m\u{202e}😀\u{e0001}\"}\n1;\u{1b}[2J\r\n";
        for size in [1, 2, 3, 100] {
            let mut bytes = Vec::new();
            let mut out = Escaped::new(&mut bytes);
            for part in line.as_bytes().chunks(size) {
                out.write_all(part).unwrap();
            }
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(
                text,
                "{\"a\":\"é\\u009b31m\\u202e😀\\udb40\\udc01\"}\n1;\\u001b[2J\r\n"
            );
            let read: serde_json::Value =
                serde_json::from_str(text.lines().next().unwrap()).unwrap();
            assert_eq!(read["a"], "é\u{9b}31m\u{202e}😀\u{e0001}");
        }
    }
}
