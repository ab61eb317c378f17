//! The cursor file, in which a tail keeps its position.
//!
//! | bytes | content |
//! | --- | --- |
//! | 0–511 | a slot |
//! | 512–1023 | the other one |
//!
//! A slot is the CRC-32C of the rest in eight hex digits, a space, a [`Mark`] with a
//! sequence number as JSON, spaces and a line feed. The valid slot with the higher
//! number counts. The slots are written alternately, in place, each by one write of a
//! sector, so after a torn write the other one is intact. A file with other content
//! is never written to. The file is locked while in use, so two tails never share it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::storage::open_or_create;

/// The length of a slot in bytes.
const SLOT: usize = 512;

/// The length of the checksum in hex digits.
const CHECKSUM: usize = 8;

/// Marks a file as a cursor file.
const KIND: &str = "profiletrail tail 1";

/// The position of a tail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The data folder's own number.
    pub log: u64,
    /// The last event that was written, or passed over.
    pub seq: u64,
    /// Its time of receipt in Unix microseconds, if known.
    pub received: Option<i64>,
    /// The output, if it is a file opened for appending.
    pub output: Option<OutputMark>,
}

/// The state of an output file that is appended to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputMark {
    pub device: u64,
    pub inode: u64,
    /// Its length after the last line, in bytes.
    pub len: u64,
    /// Its length when it was last synced, …
    pub synced_len: u64,
    /// … and the last event in it then.
    pub synced_seq: u64,
}

#[derive(Serialize, Deserialize)]
struct Slot {
    cursor: String,
    turn: u64,
    #[serde(flatten)]
    mark: Mark,
}

/// A cursor file that is open and locked.
#[derive(Debug)]
pub struct CursorFile {
    pub path: PathBuf,
    file: File,
    /// The number of the newest slot; 0 at first.
    turn: u64,
}

impl CursorFile {
    /// Opens a cursor file, or makes one, and reads it.
    pub fn open(path: &Path) -> anyhow::Result<(Self, Option<Mark>)> {
        let shown = path.display();
        let mut file = open_or_create(path)
            .with_context(|| format!("opening the cursor file {shown} (name another one)"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                bail!("the cursor file {shown} is used by another tail; give each its own");
            }
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking the cursor file {shown}"));
            }
        }
        let mut bytes = Vec::new();
        let most = 2 * SLOT as u64 + 1;
        (&mut file)
            .take(most)
            .read_to_end(&mut bytes)
            .with_context(|| format!("reading the cursor file {shown}"))?;
        let newest = bytes
            .chunks(SLOT)
            .filter_map(decode)
            .max_by_key(|slot| slot.turn);
        let (turn, mark) = match newest {
            Some(slot) if bytes.len() <= 2 * SLOT => (slot.turn, Some(slot.mark)),
            None if bytes.is_empty() => (0, None),
            _ => bail!(
                "{shown} is not a cursor file, or it is damaged: name another one; or, to start over, \
                 remove it (with `-n all` every event is shown again, with `-n 0` only new ones)"
            ),
        };
        let path = path.to_owned();
        Ok((Self { path, file, turn }, mark))
    }

    /// Writes the position; a kill afterwards does not undo it.
    pub fn keep(&mut self, mark: &Mark) -> anyhow::Result<()> {
        let turn = self.turn.saturating_add(1);
        let at = if turn.is_multiple_of(2) { SLOT } else { 0 };
        let write = || self.file.write_all_at(&encode(turn, mark)?, at as u64);
        write().with_context(|| format!("writing the cursor file {}", self.path.display()))?;
        self.turn = turn;
        Ok(())
    }

    /// Syncs the file, so that a power cut does not undo the last write.
    pub fn sync(&self) -> anyhow::Result<()> {
        self.file
            .sync_all()
            .with_context(|| format!("syncing the cursor file {}", self.path.display()))
    }
}

fn encode(turn: u64, mark: &Mark) -> io::Result<Vec<u8>> {
    let slot = Slot {
        cursor: KIND.to_owned(),
        turn,
        mark: mark.clone(),
    };
    let mut rest = b" ".to_vec();
    serde_json::to_writer(&mut rest, &slot)?;
    if rest.len() + CHECKSUM >= SLOT {
        return Err(io::Error::other("the mark is too long"));
    }
    rest.resize(SLOT - CHECKSUM - 1, b' ');
    rest.push(b'\n');
    let mut bytes = format!("{:08x}", crc32c::crc32c(&rest)).into_bytes();
    bytes.append(&mut rest);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Option<Slot> {
    let (checksum, rest) = bytes.split_at_checked(CHECKSUM)?;
    if bytes.len() != SLOT || checksum != format!("{:08x}", crc32c::crc32c(rest)).as_bytes() {
        return None;
    }
    let slot: Slot = serde_json::from_slice(rest).ok()?;
    (slot.cursor == KIND).then_some(slot)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(seq: u64) -> Mark {
        Mark {
            log: u64::MAX,
            seq,
            received: Some(i64::MIN),
            output: Some(OutputMark {
                device: u64::MAX,
                inode: u64::MAX,
                len: u64::MAX,
                synced_len: u64::MAX,
                synced_seq: u64::MAX,
            }),
        }
    }

    fn opened(path: &Path) -> Option<Mark> {
        CursorFile::open(path).unwrap().1
    }

    #[test]
    fn the_last_mark_is_read_back_and_a_torn_one_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cursor");
        let (mut file, none) = CursorFile::open(&path).unwrap();
        assert_eq!(none, None);
        assert!(
            CursorFile::open(&path)
                .unwrap_err()
                .to_string()
                .contains("another tail")
        );
        for seq in [7, u64::MAX, 3, 9] {
            file.keep(&mark(seq)).unwrap();
        }
        file.sync().unwrap();
        drop(file);
        assert_eq!(opened(&path), Some(mark(9)));
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), 2 * SLOT);
        // The newest is the second slot: if any part of it is torn, the other counts.
        for at in [SLOT, SLOT + 3, SLOT + 40, 2 * SLOT - 1] {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(opened(&path), Some(mark(3)), "{at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(opened(&path), Some(mark(3)), "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1100)) {
            for part in bytes.chunks(SLOT) {
                prop_assert!(decode(part).is_none());
            }
        }
    }
}
