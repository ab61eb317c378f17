//! What a running server tells of itself.

use serde::{Deserialize, Serialize};

use super::{LogFacts, Settings};
use crate::store::Trail;

/// What a running server tells of itself, as JSON over its socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// Its version.
    pub version: String,
    /// Its process's number.
    pub pid: u32,
    /// What it was told.
    pub settings: Settings,
    /// How many files it may have open.
    pub open_files: u64,
    /// The last event that is in the index, and the last that is to be.
    pub indexed: (u64, u64),
    /// The fields that are looked up, and the last event that is in the lookups;
    /// `None` where there are none.
    pub lookup: Option<(Vec<String>, u64)>,
    /// What its logs say.
    pub log: LogFacts,
    /// What signed calls came to; `None` where it checks no signatures.
    pub signed: Option<Signed>,
}

/// What signed calls came to since a server's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signed {
    /// By how many seconds the last signed call's date was before this
    /// machine's clock, whether it was refused or not; negative: after it.
    pub last_age: Option<i64>,
    /// How many were refused, by reason.
    pub refused: Vec<(String, u64)>,
}

impl Running {
    /// What the process that calls this tells.
    pub fn of(trail: &Trail, settings: Settings, signed: Option<Signed>) -> Self {
        let progress = trail.index().progress();
        let (events, rejected) = trail.logs();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            settings,
            open_files: limit.current.unwrap_or(u64::MAX),
            indexed: (progress.applied, progress.last),
            lookup: trail
                .index()
                .lookup_state()
                .ok()
                .flatten()
                .map(|state| (state.fields, state.up_to)),
            log: LogFacts::of(events, rejected, trail.folder().path()),
            signed,
        }
    }
}
