//! External merge sort: sorted runs on disk, merged when read.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bincode::config::{Configuration, standard};
use bincode::{Decode, Encode};

use super::error::TrailError;
use crate::storage::free_bytes;

/// The encoding of keys in a run.
const KEYS: Configuration = standard();

/// The default memory limit in bytes, beyond which a sorted run is spilled.
const RUN_LEN: usize = 4 << 20;

/// The least and the most bytes of a run's read buffer, …
const READ_LEN: (usize, usize) = (8 << 10, 64 << 10);

/// … and about how many bytes all of them have, unless there are very many runs.
const READ_LENS: usize = 2 << 20;

/// The most bytes of a blob that are held while runs are merged. The rest is read when
/// the blob is returned.
const HEAD_LEN: usize = 4 << 10;

/// The maximum number of first blobs whose keys are held.
const MOST_TRACKED: usize = 1 << 16;

/// The disk space in bytes that is reserved for events. An answer that is too large
/// to sort can be queried in parts.
const RESERVED: u64 = 256 << 20;

/// The sort key of blobs.
pub trait SortKey: Ord + Clone + Encode + Decode<()> {}

impl<K: Ord + Clone + Encode + Decode<()>> SortKey for K {}

/// Sorts blobs by their keys and then by their first [`HEAD_LEN`] bytes, in bounded
/// memory. All runs go to one unnamed temporary file, which is deleted with the sorter.
pub struct Sorter<K> {
    dir: PathBuf,
    descending: bool,
    held: Held<K>,
    file: Option<File>,
    /// The begin and end offset of each run in the file.
    runs: Vec<(u64, u64)>,
    run_len: usize,
    reserved: u64,
    /// The number of first blobs to return.
    most: usize,
    /// The keys of the first `most` blobs so far, unless these are many.
    first: BinaryHeap<Directed<K>>,
    /// The number of blobs pushed.
    len: u64,
}

/// A key in the order of the result; a sorter has only one of the two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Directed<K> {
    Ascending(K),
    Descending(Reverse<K>),
}

impl<K> Directed<K> {
    const fn new(key: K, descending: bool) -> Self {
        match descending {
            true => Self::Descending(Reverse(key)),
            false => Self::Ascending(key),
        }
    }

    const fn key(&self) -> &K {
        match self {
            Self::Ascending(key) | Self::Descending(Reverse(key)) => key,
        }
    }

    fn into_key(self) -> K {
        match self {
            Self::Ascending(key) | Self::Descending(Reverse(key)) => key,
        }
    }
}

/// A blob of a run that is merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item<K> {
    key: Directed<K>,
    /// The blob, or its first bytes.
    blob: Vec<u8>,
    /// The number of its bytes that are still to be read from the run.
    rest: u64,
}

/// Blobs in memory, with their bytes in one buffer.
struct Held<K> {
    items: VecDeque<(Directed<K>, Range<usize>)>,
    bytes: Vec<u8>,
}

impl<K: SortKey> Held<K> {
    const fn new() -> Self {
        Self {
            items: VecDeque::new(),
            bytes: Vec::new(),
        }
    }

    /// About how many bytes of memory it takes.
    fn len(&self) -> usize {
        self.bytes.len() + self.items.len() * size_of::<(Directed<K>, Range<usize>)>()
    }

    fn push(&mut self, key: Directed<K>, blob: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(blob);
        self.items.push_back((key, begin..self.bytes.len()));
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let head = |range: &Range<usize>| {
            let blob = bytes.get(range.clone()).unwrap_or_default();
            blob.get(..HEAD_LEN).unwrap_or(blob)
        };
        let items = self.items.make_contiguous();
        items.sort_unstable_by(|(key, blob), (other, other_blob)| {
            key.cmp(other)
                .then_with(|| head(blob).cmp(head(other_blob)))
        });
    }

    /// Keeps the first blobs in order.
    fn truncate(&mut self, most: usize) {
        self.sort();
        let mut kept = Self::new();
        for (key, range) in self.items.drain(..).take(most) {
            kept.push(key, self.bytes.get(range).unwrap_or_default());
        }
        *self = kept;
    }

    /// Takes the first blob.
    fn next(&mut self) -> Option<Item<K>> {
        let (key, range) = self.items.pop_front()?;
        let blob = self.bytes.get(range).unwrap_or_default().to_vec();
        Some(Item { key, blob, rest: 0 })
    }
}

impl<K: SortKey> Sorter<K> {
    /// Creates a sorter that spills to `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            descending: false,
            held: Held::new(),
            file: None,
            runs: Vec::new(),
            run_len: RUN_LEN,
            reserved: RESERVED,
            most: usize::MAX,
            first: BinaryHeap::new(),
            len: 0,
        }
    }

    /// Limits the result to the first `most` blobs; later ones may be dropped early.
    pub fn keep(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Sorts the keys the other way round.
    pub const fn descending(mut self, descending: bool) -> Self {
        self.descending = descending;
        self
    }

    /// The key of the last of the first `most` blobs so far, which may still decrease;
    /// `None` if there are fewer, or the key is unknown.
    pub fn bound(&self) -> Option<&K> {
        let is_full = self.first.len() >= self.most;
        self.first.peek().filter(|_| is_full).map(Directed::key)
    }

    /// Sets the number of bytes held in memory before a run is spilled.
    pub const fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.run_len = bytes;
        self
    }

    /// Adds a blob.
    pub fn push(&mut self, key: K, blob: &[u8]) -> Result<(), TrailError> {
        let key = Directed::new(key, self.descending);
        if self.most <= MOST_TRACKED {
            let is_full = self.first.len() >= self.most;
            if is_full && self.first.peek().is_none_or(|last| *last < key) {
                return Ok(());
            }
            self.first.push(key.clone());
            if is_full {
                self.first.pop();
            }
        }
        self.len += 1;
        self.held.push(key, blob);
        if self.held.len() >= self.run_len && self.held.items.len() > self.most {
            self.held.truncate(self.most);
            // Else most blobs would be sorted again and again.
            if self.held.len() < self.run_len / 2 {
                return Ok(());
            }
        }
        match self.held.len() >= self.run_len {
            true => self.spill().map_err(sorting_in(&self.dir)),
            false => Ok(()),
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        check_free_space(&self.dir, self.reserved, self.held.len() as u64)?;
        self.held.sort();
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.dir)?,
        };
        let begin = self.runs.last().map_or(0, |(_, end)| *end);
        let mut end = begin;
        let mut out = BufWriter::with_capacity(1 << 16, &file);
        for (key, range) in self.held.items.drain(..) {
            let blob = self.held.bytes.get(range).unwrap_or_default();
            end += write_item(key.key(), blob, &mut out)?;
        }
        out.flush()?;
        drop(out);
        self.held.bytes.clear();
        self.runs.push((begin, end));
        self.file = Some(file);
        Ok(())
    }

    /// Calls `each` with the keys and blobs in order until it returns `false`.
    pub fn finish<E: From<TrailError>>(
        self,
        mut each: impl FnMut(K, &[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut sorted = self.sorted()?;
        while let Some((key, blob)) = sorted.next()? {
            if !each(key, &blob)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns the blobs in order, to be read one by one.
    pub fn sorted(mut self) -> Result<Sorted<K>, TrailError> {
        self.held.sort();
        let mut runs = Vec::new();
        if let Some(file) = self.file.map(Arc::new) {
            let len = READ_LENS / self.runs.len().max(1);
            let len = len.clamp(READ_LEN.0, READ_LEN.1);
            runs.extend(self.runs.into_iter().map(|(at, end)| {
                let file = Arc::clone(&file);
                BufReader::with_capacity(len, Run { file, at, end })
            }));
        }
        let mut heap = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            let first = Item::read(run, self.descending).map_err(sorting_in(&self.dir))?;
            heap.extend(first.map(|item| Reverse((item, number))));
        }
        heap.extend(self.held.next().map(|item| Reverse((item, runs.len()))));
        Ok(Sorted {
            dir: self.dir,
            heap,
            runs,
            held: self.held,
            descending: self.descending,
            len: self.len,
        })
    }
}

/// Sorted blobs that are read one by one. Holds one blob, or its first bytes, of each
/// run on disk.
pub struct Sorted<K> {
    dir: PathBuf,
    /// The next item of each run with the run's number; the blobs in memory are the
    /// last run.
    heap: BinaryHeap<Reverse<(Item<K>, usize)>>,
    runs: Vec<BufReader<Run>>,
    held: Held<K>,
    descending: bool,
    /// The number of blobs that were sorted.
    pub len: u64,
}

impl<K: SortKey> Sorted<K> {
    /// The next key and blob.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn next(&mut self) -> Result<Option<(K, Vec<u8>)>, TrailError> {
        self.take_first().map_err(sorting_in(&self.dir))
    }

    fn take_first(&mut self) -> io::Result<Option<(K, Vec<u8>)>> {
        let Some(mut first) = self.heap.peek_mut() else {
            return Ok(None);
        };
        let Reverse((item, number)) = &mut *first;
        let next = match self.runs.get_mut(*number) {
            Some(run) => {
                item.read_rest(run)?;
                Item::read(run, self.descending)?
            }
            None => self.held.next(),
        };
        let item = match next {
            Some(next) => std::mem::replace(item, next),
            None => PeekMut::pop(first).0.0,
        };
        Ok(Some((item.key.into_key(), item.blob)))
    }
}

/// For `map_err`: names the folder only if there is an error.
fn sorting_in(dir: &Path) -> impl FnOnce(io::Error) -> TrailError {
    move |cause| TrailError::io("sorting in", dir)(cause)
}

/// Fails if writing `more` bytes would use disk space that is reserved for events.
pub fn ensure_free_space(dir: &Path, more: u64) -> io::Result<()> {
    check_free_space(dir, RESERVED, more)
}

/// The free bytes on the disk of a folder, without those reserved for events.
pub fn free_space(dir: &Path) -> io::Result<u64> {
    Ok(free_bytes(dir)?.saturating_sub(RESERVED))
}

fn check_free_space(dir: &Path, reserved: u64, more: u64) -> io::Result<()> {
    let free = free_bytes(dir)?;
    if free >= reserved.saturating_add(more) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::StorageFull,
        format!(
            "the answer is too large to be sorted on this disk: {} MiB are free, and {} MiB are \
             reserved for events; ask for a shorter span of time, or free some space",
            free >> 20,
            reserved >> 20
        ),
    ))
}

/// The unread part of a run.
struct Run {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Run {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        let part = buffer.get_mut(..len).unwrap_or_default();
        let read = self.file.read_at(part, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Writes an item of a run and returns its length in bytes.
fn write_item(key: &impl Encode, blob: &[u8], file: &mut impl Write) -> io::Result<u64> {
    let len = bincode::encode_into_std_write(key, file, KEYS).map_err(io::Error::other)?;
    file.write_all(&(blob.len() as u64).to_le_bytes())?;
    file.write_all(blob)?;
    Ok((len + 8 + blob.len()) as u64)
}

impl<K: SortKey> Item<K> {
    fn read(file: &mut impl BufRead, descending: bool) -> io::Result<Option<Self>> {
        if file.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let key = bincode::decode_from_std_read(file, KEYS).map_err(io::Error::other)?;
        let mut number = [0; 8];
        file.read_exact(&mut number)?;
        let len = u64::from_le_bytes(number);
        let held = len.min(HEAD_LEN as u64);
        let mut item = Self {
            key: Directed::new(key, descending),
            blob: Vec::new(),
            rest: held,
        };
        item.read_rest(file)?;
        item.rest = len - held;
        Ok(Some(item))
    }

    fn read_rest(&mut self, file: &mut impl Read) -> io::Result<()> {
        let rest = usize::try_from(self.rest).map_err(io::Error::other)?;
        let held = self.blob.len();
        self.blob.resize(held + rest, 0);
        self.rest = 0;
        file.read_exact(self.blob.get_mut(held..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogError;
    use proptest::prelude::*;

    #[test]
    fn a_run_leaves_room_for_events() {
        let mut sorter = Sorter::new(std::env::temp_dir());
        sorter.run_len = 100;
        sorter.reserved = u64::MAX;
        sorter.push(1, &[]).unwrap();
        let error = sorter.push(2, &[0; 100]).unwrap_err();
        assert!(
            matches!(&error, TrailError::Log(LogError::Io { cause, .. }) if cause.kind() == io::ErrorKind::StorageFull)
        );
        assert!(
            error.to_string().contains("too large to be sorted"),
            "{error}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_row_comes_out_in_order(
            times: Vec<i8>, run_len in 1_usize..2_000, most in 0_usize..200, descending: bool
        ) {
            let mut sorter = Sorter::new(std::env::temp_dir()).keep(most).descending(descending);
            sorter.run_len = run_len;
            let mut expected = Vec::new();
            for (seq, time) in times.iter().enumerate() {
                expected.push((*time, seq));
                sorter.push((*time, seq as u64), format!("{time} {seq}").as_bytes()).unwrap();
            }
            expected.sort_unstable();
            if descending {
                expected.reverse();
            }
            let mut found = Vec::new();
            sorter.finish::<TrailError>(|_, blob| {
                found.push(String::from_utf8(blob.to_vec()).unwrap());
                Ok(true)
            }).unwrap();
            found.truncate(most);
            let expected: Vec<String> = expected.iter().take(most).map(|(t, s)| format!("{t} {s}")).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
