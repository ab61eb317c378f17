//! The `format` file of a data folder.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::log::salt::SaltRoot;
use crate::storage::{Links, RealDisk, atomic_replace, read_small};
use crate::store::TrailError;
use crate::store::retention::Pruned;

/// The number of the only format.
pub const FORMAT: u32 = 1;

/// The longest file in bytes.
const MAX_LEN: u64 = 1 << 16;

/// The content of a `format` file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub log_id: u64,
    /// The secret from which salts are derived.
    pub salt_root: SaltRoot,
    /// What is pruned, if anything is.
    pub pruned: Option<Pruned>,
}

#[derive(Serialize, Deserialize)]
struct FormatJson {
    profiletrail: u32,
    log_id: String,
    salt_root: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pruned: Option<Pruned>,
}

impl Format {
    /// That of a new folder.
    pub fn new() -> io::Result<Self> {
        let (mut id, mut root) = ([0; 8], [0; 32]);
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        getrandom::fill(&mut root).map_err(io::Error::other)?;
        Ok(Self {
            log_id: u64::from_le_bytes(id),
            salt_root: SaltRoot(root),
            pruned: None,
        })
    }

    fn parse(json: &FormatJson) -> Option<Self> {
        Some(Self {
            log_id: u64::from_str_radix(&json.log_id, 16).ok()?,
            salt_root: SaltRoot(BASE64.decode(&json.salt_root).ok()?.try_into().ok()?),
            pruned: json.pruned,
        })
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let json = FormatJson {
            profiletrail: FORMAT,
            log_id: format!("{:016x}", self.log_id),
            salt_root: BASE64.encode(self.salt_root.0),
            pruned: self.pruned,
        };
        // A struct of numbers and strings always makes JSON.
        serde_json::to_string(&json).unwrap_or_default() + "\n"
    }

    /// Writes it into a new folder, by a rename.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        atomic_replace(&RealDisk, &path.join("format"), self.text().as_bytes())
    }

    /// Reads that of a data folder.
    pub fn read(path: &Path) -> Result<Self, TrailError> {
        let file = path.join("format");
        let text =
            read_small(&file, MAX_LEN, Links::Refuse).map_err(TrailError::io("reading", &file))?;
        let text = String::from_utf8_lossy(&text);
        let damaged = || TrailError::FormatDamaged(file.clone());
        // Every version has its number in the same place.
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|_| damaged())?;
        let number = json.get("profiletrail").ok_or_else(damaged)?;
        if number.as_u64() != Some(u64::from(FORMAT)) {
            return Err(TrailError::Format {
                path: path.to_owned(),
                found: number.to_string(),
                known: FORMAT,
            });
        }
        let json: FormatJson = serde_json::from_value(json).map_err(|_| damaged())?;
        Self::parse(&json).ok_or_else(damaged)
    }
}
