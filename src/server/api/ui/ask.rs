//! Runs a query and processes its lines one by one.
//!
//! A line may be as long as a call's body, so only one is buffered at a time; the
//! consumer keeps only what it shows.

use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;

use crate::query::{Answered, Query, QueryError, answer};
use crate::store::Trail;

/// Passes each line of an answer to `take` until that stops.
pub(super) fn each<T: DeserializeOwned>(
    trail: &Trail,
    query: &Query,
    take: impl FnMut(T) -> ControlFlow<()>,
) -> Result<Answered, QueryError> {
    let mut lines = Lines {
        held: Vec::new(),
        take,
        enough: false,
        line: std::marker::PhantomData,
    };
    match answer(trail, query, &mut lines) {
        // Stopping early looks like a reader that has disconnected.
        Err(QueryError::Output(_)) if lines.enough => Ok(Answered {
            found: true,
            ..Answered::default()
        }),
        answered => answered,
    }
}

/// The first line of an answer, if it has any.
pub(super) fn first<T: DeserializeOwned>(
    trail: &Trail,
    query: &Query,
) -> Result<(Option<T>, Answered), QueryError> {
    let mut first = None;
    let answered = each(trail, query, |line| {
        if first.is_none() {
            first = Some(line);
        }
        ControlFlow::Continue(())
    })?;
    Ok((first, answered))
}

struct Lines<T, F> {
    /// The incomplete line.
    held: Vec<u8>,
    take: F,
    enough: bool,
    line: std::marker::PhantomData<fn(T)>,
}

impl<T: DeserializeOwned, F: FnMut(T) -> ControlFlow<()>> Write for Lines<T, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let line = if self.held.is_empty() {
                serde_json::from_slice(line)
            } else {
                self.held.extend_from_slice(line);
                let whole = serde_json::from_slice(&self.held);
                self.held.clear();
                whole
            };
            if (self.take)(line?).is_break() {
                self.enough = true;
                return Err(ErrorKind::BrokenPipe.into());
            }
        }
        self.held.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_however_they_are_cut() {
        let mut taken = Vec::new();
        let mut lines = Lines {
            held: Vec::new(),
            take: |number: u64| {
                taken.push(number);
                if number == 40 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
            enough: false,
            line: std::marker::PhantomData,
        };
        for part in ["1", "\n2", "3\n4\n", "\x20", "5\n"] {
            lines.write_all(part.as_bytes()).unwrap();
        }
        lines.write_all(b"4").unwrap();
        let error = lines.write_all(b"0\n7\n").unwrap_err();
        assert!(lines.enough && error.kind() == ErrorKind::BrokenPipe);
        assert!(lines.write_all(b"x\n").is_err());
        assert_eq!(taken, [1, 23, 4, 5, 40]);
    }
}
