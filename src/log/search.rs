//! Searching a file for the bytes with which a frame or a block begins.

use std::io;

use super::frame::HEADER_LEN;
use super::segment_file::SegmentFile;

/// How many bytes are read at once.
const WINDOW: usize = 256 * 1024;

/// Finds every place of a magic in a part of a file.
pub(super) struct MagicSearch<'a> {
    file: &'a SegmentFile,
    magic: [u8; 4],
    /// Where the search continues.
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
    /// Whether nothing can be read after the window.
    is_last: bool,
}

impl<'a> MagicSearch<'a> {
    /// Searches the bytes from `from` to `end`.
    pub fn new(file: &'a SegmentFile, magic: [u8; 4], from: u64, end: u64) -> Self {
        Self {
            file,
            magic,
            at: from,
            end,
            window: Vec::new(),
            window_at: from,
            is_last: false,
        }
    }

    pub fn skip_to(&mut self, offset: u64) {
        self.at = offset;
    }

    /// The offset of the next magic, and the bytes that begin there: at least
    /// [`HEADER_LEN`] of them, unless the part of the file ends before.
    pub fn next_hit(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            let bytes = self.window_from(self.at);
            match memchr::memmem::find(bytes, &self.magic) {
                Some(found) if self.is_last || bytes.len() - found >= HEADER_LEN => {
                    let hit = self.at + found as u64;
                    self.at = hit + 1;
                    return Ok(Some((hit, self.window_from(hit))));
                }
                Some(found) => self.at += found as u64,
                None if self.is_last => return Ok(None),
                // The window's end may cut a magic.
                None => self.at += bytes.len().saturating_sub(self.magic.len() - 1) as u64,
            }
            self.read_window()?;
        }
    }

    fn read_window(&mut self) -> io::Result<()> {
        let rest = self.end.saturating_sub(self.at);
        let room = WINDOW.min(rest as usize);
        if self.window.capacity() < room {
            // The allocator has zeros; `resize` adds each byte by itself in a debug build.
            self.window = vec![0; room];
        }
        self.window.resize(room, 0);
        self.window_at = self.at;
        let read = self.file.read_at(&mut self.window, self.at)?;
        self.is_last = read < WINDOW;
        self.window.truncate(read);
        Ok(())
    }

    fn window_from(&self, offset: u64) -> &[u8] {
        let skip = offset.saturating_sub(self.window_at) as usize;
        self.window.get(skip..).unwrap_or_default()
    }
}

/// The end of the last byte in a part of a file for which `is_meant` is true; `from` if
/// there is none.
pub(super) fn end_of(
    file: &SegmentFile,
    from: u64,
    end: u64,
    is_meant: impl Fn(u8) -> bool,
) -> io::Result<u64> {
    let (mut at, mut last) = (from, from);
    let mut bytes = vec![0; WINDOW];
    while at < end {
        let room = bytes.len().min((end - at) as usize);
        let read = file.read_at(bytes.get_mut(..room).unwrap_or_default(), at)?;
        if read == 0 {
            break;
        }
        let found = bytes.get(..read).unwrap_or_default();
        if let Some(place) = found.iter().rposition(|byte| is_meant(*byte)) {
            last = at + place as u64 + 1;
        }
        at += read as u64;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::storage::{Access, SimulatedDisk, Storage};

    #[test]
    fn every_magic_is_found_wherever_the_window_ends() {
        let disk = SimulatedDisk::new();
        for shift in 0..2 * HEADER_LEN {
            let path = format!("/{shift}");
            let file = disk.open(Path::new(&path), Access::CreateNew).unwrap();
            let places = [0, 4, WINDOW - shift, WINDOW + 100, 2 * WINDOW];
            let mut bytes = vec![7; 2 * WINDOW + 6];
            for place in places {
                bytes[place..place + 4].copy_from_slice(b"PTLF");
            }
            file.write_at(&bytes, 0).unwrap();
            let file = SegmentFile::Plain(file);
            let mut search = MagicSearch::new(&file, *b"PTLF", 0, bytes.len() as u64);
            let mut found = Vec::new();
            while let Some((at, rest)) = search.next_hit().unwrap() {
                let at = at as usize;
                assert_eq!(rest[..6], bytes[at..at + 6]);
                assert!(rest.len() >= HEADER_LEN.min(bytes.len() - at));
                found.push(at);
            }
            assert_eq!(found, places);
            assert_eq!(
                MagicSearch::new(&file, *b"PTLF", 1, 7).next_hit().unwrap(),
                None
            );
        }
    }
}
