//! Sorting more than memory should hold: runs on disk, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

/// How many bytes are held before a sorted run goes to disk.
const RUN_LEN: usize = 16 << 20;

/// Sorts blobs by (time, `seq`) in bounded memory. Runs go to files in a
/// folder that have no name and are gone with the process.
pub struct Sorter {
    dir: PathBuf,
    held: Vec<Item>,
    held_len: usize,
    runs: Vec<BufReader<File>>,
    run_len: usize,
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
            runs: Vec::new(),
            run_len: RUN_LEN,
        }
    }

    /// Takes a blob.
    pub fn push(&mut self, time: i64, seq: u64, blob: Vec<u8>) -> io::Result<()> {
        self.held_len += blob.len() + size_of::<Item>();
        self.held.push(Item { time, seq, blob });
        if self.held_len >= self.run_len {
            self.spill()
        } else {
            Ok(())
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let mut file = BufWriter::with_capacity(1 << 16, tempfile::tempfile_in(&self.dir)?);
        for item in self.held.drain(..) {
            item.write(&mut file)?;
        }
        self.held_len = 0;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(BufReader::with_capacity(1 << 16, file));
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
        for (number, run) in self.runs.iter_mut().enumerate() {
            heap.extend(Item::read(run)?.map(|item| Reverse((item, number))));
        }
        let memory = self.runs.len();
        heap.extend(held.next().map(|item| Reverse((item, memory))));
        while let Some(Reverse((item, number))) = heap.pop() {
            if !each(&item.blob)? {
                return Ok(());
            }
            let next = match self.runs.get_mut(number) {
                Some(run) => Item::read(run)?,
                None => held.next(),
            };
            heap.extend(next.map(|item| Reverse((item, number))));
        }
        Ok(())
    }
}

impl Item {
    fn write(&self, file: &mut impl Write) -> io::Result<()> {
        file.write_all(&self.time.to_le_bytes())?;
        file.write_all(&self.seq.to_le_bytes())?;
        file.write_all(&(self.blob.len() as u64).to_le_bytes())?;
        file.write_all(&self.blob)
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_row_comes_out_in_order(times: Vec<i8>, run_len in 1_usize..2_000) {
            let mut sorter = Sorter::new(std::env::temp_dir());
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
            let expected: Vec<String> = expected.iter().map(|(t, s)| format!("{t} {s}")).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
