//! What tests need to make a log, to damage it and to judge what is read.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use profiletrail::log::{Damage, Log, LogError, OpenMode, Recovered, Scanned, Torn, frame};
use profiletrail::storage::{SimulatedDisk, Storage};

use crate::support::files::{Folder, read_folder, write_folder};

pub const DIR: &str = "/log";
pub const ID: u64 = 0x00DA_4A6E;
pub const APPEND: OpenMode = OpenMode::Append { segment_size: 700 };

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
        drop(writer);
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
            "silently skipped, or reported twice: {findings:?}"
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
    pub fn reports(&self, segment: &str, bytes: Range<u64>) -> bool {
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
