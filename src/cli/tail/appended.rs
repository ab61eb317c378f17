//! Standard output that is a file opened for appending.
//!
//! The file then records the written lines: a tail that was killed between a line and its
//! cursor update finds the line there, and truncates a torn one. Its lines are recognised
//! by their beginning, `{"seq":N,`. Other content of the file is left unchanged, except
//! for a partial line at its end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use rustix::fs::{OFlags, fcntl_getfl};

use super::cursor::{Mark, OutputMark};

/// How a line begins, before its `seq`.
const BEGIN: &[u8] = b"{\"seq\":";

/// How many bytes of a line are looked at: its beginning and the longest number.
const LOOK: usize = 7 + 20 + 1;

/// The `seq` of a line of an event.
fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(BEGIN)?;
    let end = rest.iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

/// Whether a file is a regular one that is only appended to.
pub fn is_appended(file: &File) -> io::Result<bool> {
    let flags = fcntl_getfl(file)?;
    Ok(file.metadata()?.is_file() && flags.contains(OFlags::APPEND))
}

/// The current state of the file; the synced part is taken from `before`.
pub fn mark_of(file: &File, before: Option<OutputMark>) -> io::Result<OutputMark> {
    let found = file.metadata()?;
    let (device, inode, len) = (found.dev(), found.ino(), found.len());
    let same = before.filter(|mark| (mark.device, mark.inode) == (device, inode));
    let mark = same.unwrap_or_default();
    Ok(OutputMark {
        device,
        inode,
        len,
        // Somebody may have emptied it.
        synced_len: mark.synced_len.min(len),
        synced_seq: mark.synced_seq,
    })
}

/// The written part, according to a mark and the file. Cuts off a torn line.
pub fn reconcile(file: &File, mut mark: Mark) -> anyhow::Result<Mark> {
    let now = mark_of(file, None)?;
    let Some(output) = mark.output else {
        return Ok(mark);
    };
    if (output.device, output.inode) != (now.device, now.inode) {
        return Ok(mark);
    }
    let (from, seq) = if now.len >= output.len {
        (output.len, mark.seq)
    } else if now.len >= output.synced_len {
        // A power cut has lost the unsynced part.
        (output.synced_len, output.synced_seq)
    } else {
        // Somebody has emptied or truncated the file: its earlier content is their
        // responsibility.
        return Ok(mark);
    };
    let mut reader = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .context("reading standard output back, to continue at its end")?;
    reader.seek(SeekFrom::Start(from))?;
    let (end, last) = last_line(reader, seq)?;
    if from + end < now.len {
        file.set_len(from + end)
            .context("cutting a torn line off standard output")?;
    }
    if last != mark.seq {
        mark.received = None;
    }
    mark.seq = last;
    Ok(mark)
}

/// The end of the last complete line, and the highest `seq` of lines beyond `seq`.
fn last_line(mut reader: impl Read, mut seq: u64) -> io::Result<(u64, u64)> {
    let mut buffer = vec![0; 64 * 1024];
    let mut begin = Vec::with_capacity(LOOK);
    let (mut at, mut end) = (0, 0);
    loop {
        let count = reader.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
            return Ok((end, seq));
        };
        for part in read.split_inclusive(|byte| *byte == b'\n') {
            at += part.len() as u64;
            begin.extend(part.iter().take(LOOK - begin.len()));
            if part.ends_with(b"\n") {
                end = at;
                seq = seq.max(seq_of(&begin).unwrap_or(0));
                begin.clear();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::path::Path;

    fn line(seq: u64) -> String {
        format!("{{\"seq\":{seq},\"type\":\"update\"}}\n")
    }

    fn file(path: &Path, text: &str) -> File {
        std::fs::write(path, text).unwrap();
        OpenOptions::new().append(true).open(path).unwrap()
    }

    /// A mark after the event `seq`, for this end of the file.
    fn mark(file: &File, seq: u64, len: usize, synced: (usize, u64)) -> Mark {
        Mark {
            log: 1,
            seq,
            received: Some(5),
            output: Some(OutputMark {
                len: len as u64,
                synced_len: synced.0 as u64,
                synced_seq: synced.1,
                ..mark_of(file, None).unwrap()
            }),
        }
    }

    #[test]
    fn the_file_decides_what_was_written_whatever_the_mark_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (one, two, three) = (line(7), line(8), line(9));
        let all = format!("{one}{two}{three}");
        for cut in 0..=all.len() {
            let text = &all[..cut];
            let out = file(&path, text);
            // The line after the mark is whole, torn or not there.
            if cut >= one.len() {
                let read = reconcile(&out, mark(&out, 7, one.len(), (0, 6))).unwrap();
                let whole = text.rfind('\n').unwrap() + 1;
                assert_eq!(read.seq, 6 + text.matches('\n').count() as u64, "{cut}");
                assert_eq!(read.received.is_some(), read.seq == 7);
                assert_eq!(std::fs::read_to_string(&path).unwrap(), &all[..whole]);
            }
            // A power cut has lost some of the unsynced part.
            let out = file(&path, text);
            let read = reconcile(&out, mark(&out, 9, all.len(), (0, 6))).unwrap();
            assert_eq!(read.seq, 6 + text.matches('\n').count() as u64, "{cut}");
        }
        // Somebody has emptied it, or it is another one.
        let out = file(&path, "");
        let emptied = mark(&out, 9, all.len(), (one.len(), 7));
        assert_eq!(reconcile(&out, emptied.clone()).unwrap(), emptied);
        let other = file(&dir.path().join("other"), &all);
        assert_eq!(reconcile(&other, emptied.clone()).unwrap(), emptied);
        // Lines of other programs are neither counted nor cut.
        let text = format!("{one}x{{\"seq\":99,\n{{\"seq\":x,\n\n{two}");
        let out = file(&path, &text);
        let read = reconcile(&out, mark(&out, 7, one.len(), (0, 6))).unwrap();
        assert_eq!(read.seq, 8);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn only_what_is_appended_to_is_taken_for_such() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        assert!(is_appended(&file(&path, "")).unwrap());
        assert!(!is_appended(&File::create(&path).unwrap()).unwrap());
        assert!(!is_appended(&File::open("/dev/null").unwrap()).unwrap());
    }
}
