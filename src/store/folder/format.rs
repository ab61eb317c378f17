//! The `format` file of a data folder.

use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::log::salt::SaltRoot;
use crate::storage::{RealDisk, atomic_replace};
use crate::store::TrailError;
use crate::store::retention::Pruned;

/// The format of a folder of which nothing was ever pruned, as this program
/// writes it.
pub(super) const FORMAT: u32 = 2;

/// The oldest format that this program reads.
const OLDEST: u32 = 1;

/// The format of a folder of which something was: a program that knows nothing
/// of baselines would answer wrongly from it.
const FORMAT_PRUNED: u32 = 3;

/// The format of a folder that may have observed events, whether something was
/// pruned or not: a program that does not know them would take them for damage.
const FORMAT_OBSERVED: u32 = 4;

/// The newest format that this program reads.
const NEWEST: u32 = FORMAT_OBSERVED;

#[derive(Serialize, Deserialize)]
pub(super) struct Format {
    profiletrail: u32,
    log_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt_root: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pruned: Option<Pruned>,
}

/// What a `format` file says.
pub(super) struct Parsed {
    pub number: u32,
    pub log_id: u64,
    pub salt_root: Option<SaltRoot>,
    pub pruned: Option<Pruned>,
    /// Whether there may be observed events.
    pub observed: bool,
}

impl Format {
    /// The present format, with a new secret.
    pub fn new(log_id: u64) -> io::Result<Self> {
        let mut root = [0; 32];
        getrandom::fill(&mut root).map_err(io::Error::other)?;
        Ok(Self {
            profiletrail: FORMAT,
            log_id: format!("{log_id:016x}"),
            salt_root: Some(BASE64.encode(root)),
            pruned: None,
        })
    }

    /// That of a folder of which so much is pruned, and that may have
    /// `observed` events.
    pub fn of(
        log_id: u64,
        salt_root: Option<SaltRoot>,
        pruned: Option<Pruned>,
        observed: bool,
    ) -> Self {
        let profiletrail = match (pruned, salt_root) {
            _ if observed => FORMAT_OBSERVED,
            (Some(_), _) => FORMAT_PRUNED,
            (None, Some(_)) => FORMAT,
            (None, None) => OLDEST,
        };
        Self {
            profiletrail,
            log_id: format!("{log_id:016x}"),
            salt_root: salt_root.map(|root| BASE64.encode(root.0)),
            pruned,
        }
    }

    /// What it says; `None` where that makes no sense.
    pub fn parse(&self) -> Option<Parsed> {
        let parsed = Parsed {
            number: self.profiletrail,
            log_id: u64::from_str_radix(&self.log_id, 16).ok()?,
            salt_root: match &self.salt_root {
                None => None,
                Some(root) => Some(SaltRoot(BASE64.decode(root).ok()?.try_into().ok()?)),
            },
            pruned: self.pruned,
            observed: self.profiletrail >= FORMAT_OBSERVED,
        };
        let rooted = parsed.salt_root.is_some() || self.profiletrail == OLDEST;
        let fits =
            parsed.observed || parsed.pruned.is_some() == (self.profiletrail == FORMAT_PRUNED);
        (rooted && fits).then_some(parsed)
    }

    pub fn text(&self) -> String {
        // A struct of numbers and words always makes JSON.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Puts it in the place of what is there, by a rename.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        atomic_replace(&RealDisk, &path.join("format"), self.text().as_bytes())
    }
}

/// Reads the `format` file of a data folder.
pub(super) fn read_format(path: &Path, file: &Path) -> Result<Parsed, TrailError> {
    let text = fs::read(file).map_err(TrailError::io("reading", file))?;
    let text = String::from_utf8_lossy(&text);
    let damaged = || TrailError::FormatDamaged(file.to_owned());
    // What a newer version writes has its number in the same place.
    let format: serde_json::Value = serde_json::from_str(&text).map_err(|_| damaged())?;
    let number = format.get("profiletrail").ok_or_else(damaged)?;
    let known = |number: u64| (u64::from(OLDEST)..=u64::from(NEWEST)).contains(&number);
    if !number.as_u64().is_some_and(known) {
        return Err(TrailError::Format {
            path: path.to_owned(),
            found: number.to_string(),
            known: NEWEST,
        });
    }
    let format: Format = serde_json::from_value(format).map_err(|_| damaged())?;
    format.parse().ok_or_else(damaged)
}
