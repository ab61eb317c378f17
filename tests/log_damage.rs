//! What is damaged is reported, and nothing else is lost.
//!
//! A log of several small segments is damaged on purpose: a byte flipped at
//! every offset, files cut at every length, bytes put in, taken out, zeroed or
//! replaced by noise, files deleted or exchanged. Proven for each:
//!
//! - every event that is read, in a row or alone, has its bytes;
//! - reading in a row and reading alone agree on what can be read;
//! - what cannot be read is reported with segment and offsets that cover the
//!   damaged byte: what is read and what is reported is 1 to the last `seq`;
//! - reading changes no file; a recovery sets aside what it cuts off;
//! - what is at the end and can be more than one torn frame is not cut off: the
//!   log is read up to it and takes nothing;
//! - frames that a sender puts into a body are never taken for the log's.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use profiletrail::log::{Damage, Log, LogError, OpenMode, Recovered, Scanned, Torn, frame};
use profiletrail::storage::{Access, RealDisk, SimulatedDisk, Storage, StorageFile};
use proptest::prelude::*;

/// What the tests need to make a log, to damage it and to judge what is read.
mod bench {
    use super::*;

    pub const DIR: &str = "/log";
    pub const ID: u64 = 0x00DA_4A6E;
    pub const APPEND: OpenMode = OpenMode::Append { segment_size: 700 };

    /// Files by name, with their bytes.
    pub type Folder = BTreeMap<String, Vec<u8>>;

    pub fn write_folder(storage: &dyn Storage, dir: &Path, folder: &Folder) {
        for (name, bytes) in folder {
            let file = storage.open(&dir.join(name), Access::CreateNew).unwrap();
            file.write_at(bytes, 0).unwrap();
            file.sync().unwrap();
        }
        storage.sync_dir(dir).unwrap();
    }

    pub fn read_folder(storage: &dyn Storage, dir: &Path) -> Folder {
        let read = |name: String| {
            let file = storage.open(&dir.join(&name), Access::Read).unwrap();
            let mut bytes = vec![0; file.len().unwrap() as usize];
            file.read_at(&mut bytes, 0).unwrap();
            (name, bytes)
        };
        storage.list(dir).unwrap().into_iter().map(read).collect()
    }

    pub fn open(storage: Arc<dyn Storage>, dir: &Path, mode: OpenMode) -> Recovered {
        Log::open(storage, dir, ID, mode).unwrap()
    }

    /// A whole log: its files, and its events in order.
    pub struct Whole {
        pub folder: Folder,
        pub events: Vec<Vec<u8>>,
    }

    impl Whole {
        /// The log of these groups of events.
        pub fn new(groups: &[Vec<Vec<u8>>], mode: OpenMode) -> Self {
            let disk = SimulatedDisk::new();
            let mut writer = open(Arc::new(disk.clone()), Path::new(DIR), mode)
                .writer
                .unwrap();
            for group in groups {
                writer.append(group).unwrap();
            }
            Self {
                folder: read_folder(&disk, Path::new(DIR)),
                events: groups.concat(),
            }
        }

        /// Four segments of a few frames each.
        pub fn small() -> Self {
            let event = |n: usize| vec![n as u8; (n * 37) % 90];
            let groups: Vec<Vec<Vec<u8>>> = (0..24)
                .map(|group| (0..1 + group % 3).map(|i| event(group * 3 + i)).collect())
                .collect();
            let whole = Self::new(&groups, APPEND);
            assert!(whole.segments().len() >= 4);
            whole
        }

        /// The names of the segments in order.
        pub fn segments(&self) -> Vec<String> {
            let names = self.folder.keys();
            names.filter(|n| n.ends_with(".log")).cloned().collect()
        }

        /// The log with one of its files changed.
        pub fn with(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Folder {
            let mut folder = self.folder.clone();
            change(folder.get_mut(name).unwrap());
            folder
        }

        /// The segments alone, without their block indexes.
        pub fn bare(&self) -> Self {
            let mut folder = self.folder.clone();
            folder.retain(|name, _| name.ends_with(".log"));
            Self {
                folder,
                events: self.events.clone(),
            }
        }

        /// Opens the folder for reading and for appending, reads all there is,
        /// and checks what holds for any damage.
        pub fn examine(&self, folder: &Folder) -> Findings {
            let disk = SimulatedDisk::new();
            write_folder(&disk, Path::new(DIR), folder);
            let try_open = |mode| Log::open(Arc::new(disk.clone()), Path::new(DIR), ID, mode);
            let opened = match try_open(OpenMode::Read) {
                Ok(opened) => opened,
                Err(refused) => {
                    assert!(try_open(APPEND).is_err());
                    assert!(read_folder(&disk, Path::new(DIR)) == *folder);
                    return Findings::refused(&refused);
                }
            };
            let findings = self.read(&opened);
            assert!(
                read_folder(&disk, Path::new(DIR)) == *folder,
                "reading wrote"
            );
            let recovered = open(Arc::new(disk.clone()), Path::new(DIR), APPEND);
            let again = self.read(&recovered);
            assert_eq!(recovered.report.poison.is_some(), again.end.is_some());
            assert_eq!(again.end, findings.end);
            assert_eq!(again.damage, findings.damage);
            assert_eq!(again.lost, findings.lost);
            self.check_recovery(folder, &read_folder(&disk, Path::new(DIR)), again.torn);
            findings
        }

        fn read(&self, opened: &Recovered) -> Findings {
            let log = &opened.log;
            let at_end = |damage: &&Damage| damage.last_seq == Damage::UNKNOWN;
            let findings = Findings {
                end: opened.report.damage.iter().find(at_end).cloned(),
                torn: opened.report.torn.clone(),
                last: log.last_seq(),
                ..self.scan(log, 1)
            };
            assert_eq!(
                findings.reported(),
                (1..=findings.last).collect::<Vec<_>>(),
                "silently skipped, or told twice: {findings:?}"
            );
            assert!(findings.end.is_none() || findings.torn.is_none());
            for damage in opened.report.damage.iter().filter(|d| !at_end(d)) {
                assert!(findings.damage.contains(damage), "{damage} is not read");
            }
            let mut cursor = log.cursor();
            for seq in 1..=findings.last {
                match cursor.get(seq) {
                    Ok(bytes) => {
                        assert!(bytes == self.events[seq as usize - 1]);
                        assert!(findings.readable.contains(&seq), "{seq} only alone");
                    }
                    Err(LogError::Damaged { damage, .. }) => {
                        assert!(findings.damage.contains(&damage), "{damage}: {findings:?}");
                        assert!((damage.first_seq..=damage.last_seq).contains(&seq));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            for seq in [findings.last / 3, findings.last / 2, findings.last] {
                let part = self.scan(log, seq.max(1));
                let from = |all: &[u64]| -> Vec<u64> {
                    all.iter().copied().filter(|found| *found >= seq).collect()
                };
                assert_eq!(part.readable, from(&findings.readable), "from {seq}");
                assert_eq!(from(&part.lost), from(&findings.lost), "from {seq}");
            }
            findings
        }

        fn scan(&self, log: &Log, from: u64) -> Findings {
            let mut findings = Findings::default();
            let mut scan = log.scan(from);
            while let Some(found) = scan.step().unwrap() {
                match found {
                    Scanned::Records(records) => {
                        for (seq, bytes) in records {
                            assert!(bytes == self.events[seq as usize - 1], "event {seq}");
                            findings.readable.push(seq);
                        }
                    }
                    Scanned::Damage(damage) => {
                        assert!(damage.offset <= damage.end, "{damage:?}");
                        findings.lost.extend(damage.first_seq..=damage.last_seq);
                        findings.damage.push(damage);
                    }
                }
            }
            findings
        }

        /// A recovery cuts the torn bytes off, sets them aside, and changes
        /// nothing else.
        fn check_recovery(&self, before: &Folder, after: &Folder, torn: Option<Torn>) {
            let mut expected = before.clone();
            if let Some(torn) = torn {
                let segment = expected.get_mut(&file_name(&torn.segment)).unwrap();
                let cut = segment.split_off(torn.offset as usize);
                assert_eq!(cut.len() as u64, torn.bytes);
                if let Some(saved) = torn.saved {
                    expected.insert(file_name(&saved), cut);
                } else {
                    assert!(cut.iter().all(|byte| *byte == 0));
                }
            }
            assert!(*after == expected, "a recovery changed something else");
        }
    }

    pub fn file_name(path: &Path) -> String {
        path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// What was read of a log.
    #[derive(Debug, Default)]
    pub struct Findings {
        pub readable: Vec<u64>,
        pub lost: Vec<u64>,
        pub damage: Vec<Damage>,
        pub torn: Option<Torn>,
        /// Damage at the end that is no torn frame.
        pub end: Option<Damage>,
        /// The segment and the offset for which the log was not opened.
        pub refused: Option<(PathBuf, u64)>,
        pub last: u64,
    }

    impl Findings {
        fn refused(error: &LogError) -> Self {
            let (LogError::OtherLog { segment, offset }
            | LogError::Newer {
                segment, offset, ..
            }) = error
            else {
                panic!("{error}");
            };
            Self {
                refused: Some((segment.clone(), *offset)),
                ..Self::default()
            }
        }

        fn reported(&self) -> Vec<u64> {
            let mut all = [self.readable.as_slice(), &self.lost].concat();
            all.sort_unstable();
            all
        }

        /// Whether damage or a torn tail is reported that covers some of these
        /// bytes, or ends where they were.
        pub fn tells_of(&self, segment: &str, bytes: Range<u64>) -> bool {
            let torn = self.torn.iter().map(|torn| {
                let end = torn.offset + torn.bytes;
                (&torn.segment, torn.offset, end)
            });
            let damage = self.damage.iter().chain(&self.end);
            let damage = damage.map(|d| (&d.segment, d.offset, d.end));
            let refused = self.refused.iter();
            let refused = refused.map(|(path, offset)| (path, *offset, u64::MAX));
            damage
                .chain(torn)
                .chain(refused)
                .any(|(path, offset, end)| {
                    file_name(path) == segment && offset <= bytes.start && bytes.end <= end
                })
        }

        pub fn is_clean(&self) -> bool {
            self.damage.is_empty()
                && self.torn.is_none()
                && self.end.is_none()
                && self.refused.is_none()
        }
    }

    /// A whole frame as the log would write it.
    pub fn forged(id: u64, first_seq: u64, events: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, id, first_seq, events).unwrap();
        bytes
    }
}

use bench::{APPEND, DIR, ID, Whole, forged};

#[test]
fn a_whole_log_is_clean() {
    let whole = Whole::small();
    for whole in [whole.bare(), whole] {
        let findings = whole.examine(&whole.folder);
        assert!(findings.is_clean());
        assert_eq!(findings.last, whole.events.len() as u64);
    }
}

#[test]
fn a_flipped_byte_loses_one_group_and_is_told() {
    let whole = Whole::small();
    let active = whole.segments().pop().unwrap();
    for name in whole.segments() {
        for offset in 0..whole.folder[&name].len() {
            let flip = 1 << (offset % 8);
            let findings = whole.examine(&whole.with(&name, |bytes| bytes[offset] ^= flip));
            let place = offset as u64..offset as u64 + 1;
            assert!(findings.tells_of(&name, place), "{offset}: {findings:?}");
            assert!(findings.lost.len() <= 3);
            // A frame of one's own that is damaged so that it cannot be told
            // from a newer one, another log's, or several, is not cut off.
            let kept = findings.end.is_some() || findings.refused.is_some();
            let torn = findings.torn.is_some() || kept;
            assert!(!torn || name == active && findings.damage.is_empty());
            assert!(torn || findings.last == whole.events.len() as u64);
        }
    }
}

#[test]
fn a_file_cut_at_any_length_loses_its_end_alone() {
    let whole = Whole::small();
    let active = whole.segments().pop().unwrap();
    for name in whole.segments() {
        for len in 0..whole.folder[&name].len() {
            let findings = whole.examine(&whole.with(&name, |bytes| bytes.truncate(len)));
            if name == active {
                assert!(findings.damage.is_empty());
                assert!(findings.last < whole.events.len() as u64);
            } else {
                assert_eq!(findings.last, whole.events.len() as u64);
                let end = len as u64;
                assert!(findings.tells_of(&name, end..end), "{name} {len}");
                assert_eq!(findings.damage.len(), 1);
            }
        }
    }
}

#[test]
fn bytes_put_in_lose_at_most_the_group_they_are_put_into() {
    let whole = Whole::small();
    for name in whole.segments() {
        for offset in (0..whole.folder[&name].len()).step_by(3) {
            let folder = whole.with(&name, |bytes| {
                bytes.splice(offset..offset, *b"PTLF!");
            });
            let findings = whole.examine(&folder);
            let place = offset as u64..offset as u64 + 5;
            assert!(
                findings.tells_of(&name, place),
                "{name} {offset}: {findings:?}"
            );
            assert!(findings.lost.len() <= 3);
        }
    }
}

#[test]
fn bytes_taken_out_lose_the_groups_they_belong_to() {
    let whole = Whole::small();
    for name in whole.segments() {
        for offset in (0..whole.folder[&name].len() - 50).step_by(7) {
            for count in [1, 50] {
                let folder = whole.with(&name, |bytes| {
                    bytes.drain(offset..offset + count);
                });
                let findings = whole.examine(&folder);
                assert!(!findings.is_clean(), "{name} {offset}");
            }
        }
    }
}

#[test]
fn a_stretch_of_zeros_or_noise_is_told() {
    let whole = Whole::small();
    for name in whole.segments() {
        let len = whole.folder[&name].len();
        for offset in (0..len).step_by(23) {
            for count in [8, 100, 512, len] {
                let end = len.min(offset + count);
                for noise in [false, true] {
                    let folder = whole.with(&name, |bytes| {
                        for (i, byte) in bytes[offset..end].iter_mut().enumerate() {
                            *byte = if noise { (i * i % 251) as u8 ^ 0x5A } else { 0 };
                        }
                    });
                    if folder != whole.folder {
                        assert!(!whole.examine(&folder).is_clean());
                    }
                }
            }
        }
    }
}

#[test]
fn a_missing_segment_is_told() {
    let whole = Whole::small();
    let mut names = whole.segments();
    names.pop();
    for name in names {
        let mut folder = whole.folder.clone();
        folder.remove(&name);
        let findings = whole.examine(&folder);
        assert_eq!(findings.last, whole.events.len() as u64);
        assert!(!findings.lost.is_empty());
        assert_eq!(findings.damage.len(), 1);
    }
}

#[test]
fn an_empty_segment_is_told() {
    let whole = Whole::small();
    for name in &whole.segments()[..3] {
        let findings = whole.examine(&whole.with(name, Vec::clear));
        assert_eq!(findings.last, whole.events.len() as u64);
        assert!(findings.tells_of(name, 0..0));
    }
}

#[test]
fn exchanged_segments_are_not_believed() {
    let whole = Whole::small();
    let names = whole.segments();
    for (i, one) in names.iter().enumerate() {
        for other in &names[i + 1..] {
            let mut folder = whole.folder.clone();
            folder.insert(one.clone(), whole.folder[other].clone());
            folder.insert(other.clone(), whole.folder[one].clone());
            let findings = whole.examine(&folder);
            assert!(findings.tells_of(one, 0..1), "{findings:?}");
            assert!(findings.tells_of(other, 0..1), "{findings:?}");
        }
    }
}

#[test]
fn a_frame_that_stands_twice_is_read_once() {
    let whole = Whole::small();
    for name in whole.segments() {
        let len = u32::from_le_bytes(whole.folder[&name][28..32].try_into().unwrap());
        let frame = whole.folder[&name][..frame::HEADER_LEN + len as usize].to_vec();
        let folder = whole.with(&name, |bytes| {
            bytes.splice(frame.len()..frame.len(), frame.clone());
        });
        let findings = whole.examine(&folder);
        assert_eq!(findings.readable.len(), whole.events.len());
        assert!(findings.tells_of(&name, frame.len() as u64..2 * frame.len() as u64));
    }
}

#[test]
fn a_block_index_is_a_help_and_no_more() {
    let whole = Whole::small();
    let indexes = whole.folder.keys().filter(|n| n.ends_with(".blocks"));
    for name in indexes {
        let len = whole.folder[name].len();
        for offset in 0..len {
            let flipped = whole.with(name, |bytes| bytes[offset] ^= 0x10);
            let cut = whole.with(name, |bytes| bytes.truncate(offset));
            for folder in [flipped, cut] {
                let findings = whole.examine(&folder);
                assert_eq!(findings.readable.len(), whole.events.len());
                assert!(findings.is_clean());
            }
        }
    }
}

/// Segments of several blocks, with bytes moved under an index that has still
/// the right length.
#[test]
fn bytes_that_moved_are_found_as_well_alone_as_in_a_row() {
    let mode = OpenMode::Append {
        segment_size: 300_000,
    };
    let groups: Vec<_> = (0..500_usize)
        .map(|n| vec![vec![n as u8; 900 + n % 7]])
        .collect();
    let whole = Whole::new(&groups, mode);
    let names = whole.segments();
    assert!(names.len() >= 2);
    for name in &names[..1] {
        let len = whole.folder[name].len();
        for (put, taken) in [(1000, len - 2000), (70_000, 200_000), (200_000, 10)] {
            let moved = whole.with(name, |bytes| {
                bytes.splice(put..put, [0; 300]);
                bytes.drain(taken..taken + 300);
            });
            let findings = whole.examine(&moved);
            assert!(findings.lost.len() <= 4, "{findings:?}");
        }
        for offset in (0..len).step_by(40_009) {
            let damaged = whole.with(name, |bytes| bytes[offset..][..2000].fill(0xEE));
            let findings = whole.examine(&damaged);
            let place = offset as u64..offset as u64 + 2000;
            assert!(findings.tells_of(name, place), "{offset} {findings:?}");
            assert!(findings.lost.len() <= 4);
        }
    }
}

/// The log of a sender's frame inside the second of three events.
fn with_planted(frame: &[u8]) -> Whole {
    let body = [b"body=", frame, b"&more"].concat();
    let groups = [vec![b"one".to_vec()], vec![body], vec![b"three".to_vec()]];
    Whole::new(
        &[groups.clone(), groups.map(|_| vec![b"x".to_vec()])].concat(),
        APPEND,
    )
}

/// Damages the header of the frame that holds the planted one.
fn examine_planted(id: u64, first_seq: u64) -> bench::Findings {
    let whole = with_planted(&forged(id, first_seq, &[b"forged"]));
    let name = &whole.segments()[0];
    let second = frame::HEADER_LEN + 4 + 3;
    let damaged = whole.with(name, |bytes| bytes[second + 9] ^= 1);
    if id == ID {
        // Without the id nobody can make such a frame; the events after it are
        // believed only as far as they can be told from it.
        let disk = SimulatedDisk::new();
        bench::write_folder(&disk, Path::new(DIR), &damaged);
        let opened = bench::open(Arc::new(disk), Path::new(DIR), OpenMode::Read);
        let mut last = 0;
        let mut scan = opened.log.scan(1);
        while let Some(found) = scan.step().unwrap() {
            if let Scanned::Records(records) = found {
                for (seq, _) in records {
                    assert!(seq > last);
                    last = seq;
                }
            }
        }
        return bench::Findings {
            last,
            ..bench::Findings::default()
        };
    }
    whole.examine(&damaged)
}

#[test]
fn a_frame_in_a_body_is_never_the_logs() {
    for first_seq in [1, 2, 3, 4, 1000, u64::MAX] {
        for id in [0, ID ^ 1, u64::MAX] {
            let findings = examine_planted(id, first_seq);
            assert_eq!(findings.lost, [2]);
            assert_eq!(findings.last, 6);
        }
    }
}

#[test]
fn a_frame_in_a_body_with_the_right_id_counts_only_where_its_number_fits() {
    // Before the place where it stands: not taken.
    assert_eq!(examine_planted(ID, 1).last, 6);
    // It fits: what it displaces is still in order.
    assert_eq!(examine_planted(ID, 2).last, 6);
}

#[test]
fn reading_from_a_real_disk_changes_no_file() {
    let whole = Whole::small();
    let dir = tempfile::tempdir().unwrap();
    let active = whole.segments().pop().unwrap();
    let damaged = whole.with(&active, |bytes| {
        let len = bytes.len();
        bytes.truncate(len - 3);
    });
    bench::write_folder(&RealDisk, dir.path(), &damaged);
    let times = || -> Vec<_> {
        let mut entries: Vec<(PathBuf, _)> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap()))
            .collect();
        entries.sort();
        entries
    };
    let before = times();
    let opened = bench::open(Arc::new(RealDisk), dir.path(), OpenMode::Read);
    let torn = opened.report.torn.unwrap();
    assert_eq!(torn.saved, None);
    let mut scan = opened.log.scan(1);
    while scan.step().unwrap().is_some() {}
    assert_eq!(times(), before);
    assert!(bench::read_folder(&RealDisk, dir.path()) == damaged);

    let recovered = bench::open(Arc::new(RealDisk), dir.path(), APPEND);
    let saved = recovered.report.torn.unwrap().saved.unwrap();
    assert!(damaged[&active].ends_with(&std::fs::read(saved).unwrap()));
    let mut writer = recovered.writer.unwrap();
    let seq = writer.append(&[b"goes on"]).unwrap();
    assert_eq!(recovered.log.cursor().get(seq).unwrap(), b"goes on");
}

/// A disk whose reads fail while that is asked for.
struct Flaky(SimulatedDisk, Arc<AtomicBool>);

struct FlakyFile(Arc<dyn StorageFile>, Arc<AtomicBool>);

impl Storage for Flaky {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.0.open(path, access)?;
        Ok(Arc::new(FlakyFile(file, Arc::clone(&self.1))))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.link(from, to)
    }
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.make_dir(dir)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
}

impl StorageFile for FlakyFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn stamp(&self) -> io::Result<String> {
        self.0.stamp()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.1.load(Ordering::Relaxed) {
            return Err(io::Error::other("cannot read now"));
        }
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_read_that_fails_is_an_error_and_no_damage() {
    let whole = Whole::small();
    let disk = SimulatedDisk::new();
    bench::write_folder(&disk, Path::new(DIR), &whole.folder);
    let failing = Arc::new(AtomicBool::new(false));
    let flaky = Arc::new(Flaky(disk, Arc::clone(&failing)));
    let log = bench::open(flaky, Path::new(DIR), OpenMode::Read).log;
    let (mut cursor, mut scan) = (log.cursor(), log.scan(1));
    for seq in (1..=log.last_seq()).step_by(7) {
        failing.store(true, Ordering::Relaxed);
        assert!(matches!(log.cursor().get(seq), Err(LogError::Io { .. })));
        // What was read before may still be answered.
        let _ = (cursor.get(seq), scan.step());
        failing.store(false, Ordering::Relaxed);
        assert!(cursor.get(seq).unwrap() == whole.events[seq as usize - 1]);
    }
    while let Some(found) = scan.step().unwrap() {
        assert!(!matches!(found, Scanned::Damage(_)));
    }
}

/// A way to damage a file.
#[derive(Clone, Debug)]
enum Harm {
    Overwrite(Vec<u8>),
    PutIn(Vec<u8>),
    TakeOut(usize),
    Cut,
    Delete,
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        bytes().prop_map(Harm::Overwrite),
        bytes().prop_map(Harm::PutIn),
        (1..300_usize).prop_map(Harm::TakeOut),
        Just(Harm::Cut),
        Just(Harm::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    })]

    /// Several damages to any files at once.
    #[test]
    fn any_damage_is_told(
        harms in prop::collection::vec((any_harm(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5),
    ) {
        let whole = Whole::small();
        let active = whole.segments().pop().unwrap();
        let mut folder = whole.folder.clone();
        for (harm, file, place) in harms {
            let name = file.get(&folder.keys().cloned().collect::<Vec<_>>()).clone();
            let bytes = folder.get_mut(&name).unwrap();
            let offset = place.index(bytes.len() + 1);
            match harm {
                Harm::Overwrite(noise) => {
                    let end = bytes.len().min(offset + noise.len());
                    bytes.splice(offset..end, noise.into_iter().take(end - offset));
                }
                Harm::PutIn(noise) => drop(bytes.splice(offset..offset, noise)),
                Harm::TakeOut(count) => {
                    let end = bytes.len().min(offset + count);
                    bytes.drain(offset..end);
                }
                Harm::Cut => bytes.truncate(offset),
                Harm::Delete if name != active => drop(folder.remove(&name)),
                Harm::Delete => {}
            }
        }
        whole.examine(&folder);
    }
}
