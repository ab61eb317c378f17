//! A data folder for tests, filled by calls and queried.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Query, answer};
use crate::event::{BodyKind, decode_envelope, zone_from_name};
use crate::log::OpenMode;
use crate::store::{Appender, Arrival, Folder, OpenOptions, ParsedCall, PruneOrder, Trail};

pub struct Store {
    pub trail: Arc<Trail>,
    appender: Appender,
    dir: tempfile::TempDir,
    /// How many calls have arrived.
    came: i64,
}

fn open(data: &Path) -> (Arc<Trail>, Appender) {
    let options = OpenOptions {
        mode: OpenMode::Append { segment_size: 1024 },
        server: false,
        cache: 1 << 20,
        patience: Duration::from_secs(10),
    };
    let (trail, appender) = Trail::open(data, options).unwrap();
    (trail, appender.unwrap())
}

impl Store {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Folder::make(&data).unwrap();
        let (trail, appender) = open(&data);
        Self {
            trail,
            appender,
            dir,
            came: 0,
        }
    }

    /// The same folder, opened again after something was done to it.
    pub fn reopened(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self {
            trail,
            appender,
            dir,
            came,
        } = self;
        drop((trail, appender));
        let data = dir.path().join("data");
        meanwhile(&data);
        let (trail, appender) = open(&data);
        Self {
            trail,
            appender,
            dir,
            came,
        }
    }

    /// Adds calls in groups of this many. Each third one has a label.
    pub fn add_bodies(
        &mut self,
        bodies: impl IntoIterator<Item = (BodyKind, String)>,
        group: usize,
    ) {
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let arrivals = bodies.into_iter().map(|(kind, body)| {
            self.came += 1;
            let envelope = decode_envelope(kind, body.as_bytes(), zone).unwrap();
            Arrival::Call(Box::new(ParsedCall {
                received: self.came * 1_000_000,
                remote: None,
                label: (self.came % 3 == 0).then(|| "crm".to_owned()),
                content_type: None,
                evidence: None,
                read: Ok((kind, envelope)),
                body: body.into_bytes(),
                is_repeated: false,
            }))
        });
        let mut arrivals = arrivals.collect::<Vec<_>>().into_iter();
        while arrivals.len() > 0 {
            self.appender
                .append(arrivals.by_ref().take(group).collect());
        }
    }

    /// The lines of an answer.
    pub fn ask(&self, query: &Query) -> Vec<String> {
        let mut out = Vec::new();
        let (answered, _) = answer(&self.trail, query, None, &mut out, &mut |_| ()).unwrap();
        assert_eq!(answered.damage, Vec::<String>::new());
        assert_eq!(answered.found, !out.is_empty());
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Prunes, and returns the number of removed events.
    pub fn prune(&self, before: i64) -> u64 {
        let order = PruneOrder {
            before,
            now: before + 1_000_000_000,
            dry_run: false,
            stop: &|| false,
            progress: &mut |_, _| (),
        };
        self.trail.prune(order).unwrap().events
    }
}
