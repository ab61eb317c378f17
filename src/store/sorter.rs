//! Sorting more than memory should hold: runs on disk, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How many bytes are held before a sorted run goes to disk.
const RUN_LEN: usize = 4 << 20;

/// How many bytes of a run are read at once.
const READ_LEN: usize = 8 << 10;

/// How many bytes a run must leave free on the disk: events need them, and an
/// answer that is too large can be asked for in parts.
const ROOM: u64 = 256 << 20;

/// Sorts blobs by (time, `seq`) in bounded memory. Runs go one after the other
/// to one file in a folder, which has no name and is gone with the sorter.
pub struct Sorter {
    dir: PathBuf,
    held: Vec<Item>,
    held_len: usize,
    file: Option<File>,
    /// Where each run begins and ends in the file.
    runs: Vec<(u64, u64)>,
    run_len: usize,
    room: u64,
    /// How many blobs are wanted in the end.
    most: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    time: i64,
    seq: u64,
    blob: Vec<u8>,
}

impl Sorter {
    /// A sorter whose runs go to a folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            held: Vec::new(),
            held_len: 0,
            file: None,
            runs: Vec::new(),
            run_len: RUN_LEN,
            room: ROOM,
            most: usize::MAX,
        }
    }

    /// The same, of which only so many of the first blobs are wanted: others
    /// are let go as soon as that is known.
    pub fn keep(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// The same that holds so many bytes before a run goes to disk.
    pub const fn holding(mut self, bytes: usize) -> Self {
        self.run_len = bytes;
        self
    }

    /// Takes a blob.
    pub fn push(&mut self, time: i64, seq: u64, blob: Vec<u8>) -> io::Result<()> {
        self.held_len += blob.len() + size_of::<Item>();
        self.held.push(Item { time, seq, blob });
        if self.held_len >= self.run_len {
            if self.held.len() > self.most {
                self.held.sort_unstable();
                self.held.truncate(self.most);
                let lens = self.held.iter().map(|item| item.blob.len());
                self.held_len = lens.sum::<usize>() + self.held.len() * size_of::<Item>();
            }
            if self.held_len < self.run_len / 2 {
                return Ok(());
            }
            self.spill()
        } else {
            Ok(())
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        check_room(&self.dir, self.room, self.held_len as u64)?;
        self.held.sort_unstable();
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.dir)?,
        };
        let begin = self.runs.last().map_or(0, |(_, end)| *end);
        let mut end = begin;
        let mut out = BufWriter::with_capacity(1 << 16, &file);
        for item in self.held.drain(..) {
            end += item.write(&mut out)?;
        }
        out.flush()?;
        drop(out);
        self.held_len = 0;
        self.runs.push((begin, end));
        self.file = Some(file);
        Ok(())
    }

    /// Hands the blobs out in order, until `each` answers `false`.
    pub fn finish<E: From<io::Error>>(
        mut self,
        mut each: impl FnMut(&[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.held.sort_unstable();
        let mut held = std::mem::take(&mut self.held).into_iter();
        let mut heap = BinaryHeap::new();
        let file = self.file.as_ref();
        let mut runs: Vec<_> = file
            .into_iter()
            .flat_map(|file| self.runs.iter().map(move |run| Run::reader(file, *run)))
            .collect();
        for (number, run) in runs.iter_mut().enumerate() {
            heap.extend(Item::read(run)?.map(|item| Reverse((item, number))));
        }
        let memory = runs.len();
        heap.extend(held.next().map(|item| Reverse((item, memory))));
        while let Some(Reverse((item, number))) = heap.pop() {
            if !each(&item.blob)? {
                return Ok(());
            }
            let next = match runs.get_mut(number) {
                Some(run) => Item::read(run)?,
                None => held.next(),
            };
            heap.extend(next.map(|item| Reverse((item, number))));
        }
        Ok(())
    }
}

/// Refuses so many more bytes where they would take room that events need.
pub fn leave_room(dir: &Path, more: u64) -> io::Result<()> {
    check_room(dir, ROOM, more)
}

/// How many bytes there are on a folder's disk beside the room that events need.
pub fn room_left(dir: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(dir)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok(free.saturating_sub(ROOM))
}

fn check_room(dir: &Path, room: u64, more: u64) -> io::Result<()> {
    let disk = rustix::fs::statvfs(dir)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= room.saturating_add(more) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::StorageFull,
        format!(
            "the answer is too large to be sorted on this disk: {} MiB are free, and {} MiB \
             are left to events; ask for a shorter span of time, or make room",
            free >> 20,
            room >> 20
        ),
    ))
}

/// The part of a run that is still to be read.
struct Run<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> Run<'a> {
    fn reader(file: &'a File, (at, end): (u64, u64)) -> BufReader<Self> {
        BufReader::with_capacity(READ_LEN, Self { file, at, end })
    }
}

impl Read for Run<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        let part = buffer.get_mut(..len).unwrap_or_default();
        let read = self.file.read_at(part, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Item {
    /// Writes it and tells how many bytes it takes.
    fn write(&self, file: &mut impl Write) -> io::Result<u64> {
        file.write_all(&self.time.to_le_bytes())?;
        file.write_all(&self.seq.to_le_bytes())?;
        file.write_all(&(self.blob.len() as u64).to_le_bytes())?;
        file.write_all(&self.blob)?;
        Ok(24 + self.blob.len() as u64)
    }

    fn read(file: &mut impl Read) -> io::Result<Option<Self>> {
        let mut number = [0; 8];
        match file.read_exact(&mut number) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let time = i64::from_le_bytes(number);
        file.read_exact(&mut number)?;
        let seq = u64::from_le_bytes(number);
        file.read_exact(&mut number)?;
        let mut blob =
            vec![0; usize::try_from(u64::from_le_bytes(number)).map_err(io::Error::other)?];
        file.read_exact(&mut blob)?;
        Ok(Some(Self { time, seq, blob }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_leaves_room_for_events() {
        let mut sorter = Sorter::new(std::env::temp_dir());
        sorter.run_len = 100;
        sorter.room = u64::MAX;
        sorter.push(1, 1, Vec::new()).unwrap();
        let error = sorter.push(1, 2, vec![0; 100]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(
            error.to_string().contains("too large to be sorted"),
            "{error}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_row_comes_out_in_order(times: Vec<i8>, run_len in 1_usize..2_000, most in 0_usize..200) {
            let mut sorter = Sorter::new(std::env::temp_dir()).keep(most);
            sorter.run_len = run_len;
            let mut expected = Vec::new();
            for (seq, time) in times.iter().enumerate() {
                expected.push((*time, seq));
                sorter.push(i64::from(*time), seq as u64, format!("{time} {seq}").into_bytes()).unwrap();
            }
            expected.sort_unstable();
            let mut found = Vec::new();
            sorter.finish::<io::Error>(|blob| {
                found.push(String::from_utf8(blob.to_vec()).unwrap());
                Ok(true)
            }).unwrap();
            found.truncate(most);
            let expected: Vec<String> = expected.iter().take(most).map(|(t, s)| format!("{t} {s}")).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
