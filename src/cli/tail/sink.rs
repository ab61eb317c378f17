//! Writes the events of a tail and saves its position.
//!
//! Each event is one write; then the position is saved in the cursor file. So no event is
//! skipped, whenever the process ends, and at most the one between the two steps is
//! repeated. If the output is a file opened for appending, none is repeated
//! ([`super::appended`]).

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::appended::{is_appended, mark_of, reconcile};
use super::cursor::{CursorFile, Mark};
use crate::cli::Format;
use crate::cli::context::CommandContext;
use crate::cli::output::History;
use crate::cli::pager::Escaped;
use crate::event::parse_rfc3339_micros;
use crate::format::Printer;
use crate::query::Position;

/// How often the output and the cursor file are synced at most.
const SYNC: Duration = Duration::from_secs(1);

pub struct Sink<'s> {
    context: &'s CommandContext,
    for_people: bool,
    out: File,
    /// Whether the output is a file opened for appending: it shows what was written.
    appended: bool,
    cursor: Option<CursorFile>,
    /// How far it is, once that is known.
    mark: Option<Mark>,
    /// Something was kept since the last sync.
    dirty: bool,
    synced: Instant,
    /// Whether any event was written.
    pub found: bool,
    /// Whether any could not be read.
    pub damaged: bool,
}

impl<'s> Sink<'s> {
    /// Standard output, with an optional cursor file.
    pub fn open(
        context: &'s CommandContext,
        for_people: bool,
        cursor: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let (cursor, mut mark) = match cursor.map(CursorFile::open).transpose()? {
            Some((cursor, mark)) => (Some(cursor), mark),
            None => (None, None),
        };
        let out = std::io::stdout().as_fd().try_clone_to_owned();
        let out = File::from(out.context("opening standard output")?);
        let appended = cursor.is_some() && !for_people && is_appended(&out)?;
        if appended && let Some(kept) = mark {
            mark = Some(reconcile(&out, kept)?);
        }
        Ok(Self {
            context,
            for_people,
            out,
            appended,
            cursor,
            mark,
            dirty: false,
            synced: Instant::now(),
            found: false,
            damaged: false,
        })
    }

    /// The event after which to continue; `None` at first.
    pub fn after(&self) -> Option<u64> {
        self.mark.as_ref().map(|mark| mark.seq)
    }

    /// Takes the position at which a tail begins or continues; an error if it cannot.
    pub fn begin(&mut self, position: &Position) -> anyhow::Result<()> {
        if let Some(mark) = &self.mark
            && let Some(wrong) = mismatch(mark, position)
        {
            match &self.cursor {
                Some(cursor) => {
                    let file = cursor.path.display();
                    bail!(
                        "cannot continue from {file}: {wrong}. Name the folder that it belongs to with --data; or, \
                         to start over with this folder, name another file, or remove this one (with `-n all` every \
                         event is shown again, with `-n 0` only new ones)"
                    );
                }
                None => bail!("cannot continue: {wrong}. Run the command again to start over"),
            }
        }
        self.position(position)?;
        // The output may differ from the one in the cursor.
        self.keep()?;
        self.sync(Duration::ZERO)
    }

    /// Writes an event's line, which ends with a line feed.
    pub fn line(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let head: LineHead<'_> =
            serde_json::from_slice(line).context("the running server is another version")?;
        if self.for_people {
            let mut text = Vec::new();
            History::new(true, self.context.view, &mut text).line(line)?;
            self.write(&text)?;
        } else if self.context.escapes(Format::Jsonl) {
            let mut text = Vec::new();
            Escaped::new(&mut text).write_all(line)?;
            self.write(&text)?;
        } else {
            self.write(line)?;
        }
        self.found = true;
        if let Some(mark) = &mut self.mark {
            mark.seq = head.seq;
            mark.received = parse_rfc3339_micros(head.received);
        }
        self.keep()
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let written = self.out.write_all(bytes);
        written.map_err(crate::cli::mark_closed)
    }

    /// Takes the position up to which everything was received, and reports the
    /// events before it that cannot be read.
    pub fn position(&mut self, position: &Position) -> anyhow::Result<()> {
        for damage in &position.damage {
            self.damaged = true;
            message!("{damage}");
        }
        for lost in &position.lost {
            message!("note: {lost}; the answer lacks it");
        }
        let before = self.mark.take();
        let moved = before
            .as_ref()
            .is_none_or(|mark| mark.seq != position.seq || mark.log != position.log);
        self.mark = Some(Mark {
            log: position.log,
            seq: position.seq,
            received: position.received,
            output: before.and_then(|mark| mark.output),
        });
        if moved {
            self.keep()?;
        }
        self.sync(SYNC)
    }

    /// Saves the position in the cursor file.
    fn keep(&mut self) -> anyhow::Result<()> {
        let (Some(cursor), Some(mark)) = (&mut self.cursor, &mut self.mark) else {
            return Ok(());
        };
        mark.output = match self.appended {
            true => Some(mark_of(&self.out, mark.output).context("looking at standard output")?),
            false => None,
        };
        self.dirty = true;
        cursor.keep(mark)
    }

    /// Syncs the output and the cursor, so that a power cut neither loses written lines
    /// nor leaves the cursor ahead of them; at most once in each `pause`, and at the end.
    pub fn sync(&mut self, pause: Duration) -> anyhow::Result<()> {
        let (Some(cursor), Some(mark)) = (&mut self.cursor, &mut self.mark) else {
            return Ok(());
        };
        if !self.dirty || self.synced.elapsed() < pause {
            return Ok(());
        }
        if self.appended {
            self.out.sync_data().context("syncing standard output")?;
        }
        if let Some(output) = &mut mark.output {
            (output.synced_len, output.synced_seq) = (output.len, mark.seq);
        }
        cursor.keep(mark)?;
        cursor.sync()?;
        self.dirty = false;
        self.synced = Instant::now();
        Ok(())
    }
}

/// Why a tail cannot continue here, if it cannot: the log is not the one that it read.
fn mismatch(mark: &Mark, position: &Position) -> Option<String> {
    if mark.log != position.log {
        return Some("it belongs to another data folder".to_owned());
    }
    if mark.seq > position.last {
        return Some(format!(
            "it is at event {}, and the log ends with event {}, as after a restore of an older backup",
            mark.seq, position.last
        ));
    }
    let other = mark.received.is_some()
        && position.received.is_some()
        && position.seq == mark.seq
        && mark.received != position.received;
    other.then(|| {
        format!(
            "event {} is a different one now, as after a restore of an older backup",
            mark.seq
        )
    })
}

/// The part of an event's line that the cursor file keeps.
#[derive(Deserialize)]
struct LineHead<'a> {
    seq: u64,
    received: &'a str,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_receipt_is_read_past_hostile_types() {
        let hostile =
            serde_json::json!(",\"received\":\"2001-01-01T00:00:00.000000Z\"").to_string();
        let line = format!(
            "{{\"seq\":1,\"type\":{hostile},\"received\":\"1970-01-01T00:00:01.000002Z\",\"x\":1}}\n"
        );
        let head: LineHead<'_> = serde_json::from_str(&line).unwrap();
        assert_eq!(parse_rfc3339_micros(head.received), Some(1_000_002));
        assert!(serde_json::from_str::<LineHead<'_>>("{\"seq\":1}").is_err());
    }

    #[test]
    fn an_event_that_was_pruned_is_no_other_one() {
        let mark = Mark {
            log: 1,
            seq: 5,
            received: Some(9),
            output: None,
        };
        let pruned = Position {
            log: 1,
            seq: 5,
            received: None,
            last: 5,
            ..Position::default()
        };
        assert_eq!(mismatch(&mark, &pruned), None);
    }
}
