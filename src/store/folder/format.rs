//! The `format` file of a data folder.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::log::Erasure;
use crate::log::salt::SaltTree;
use crate::storage::{Links, read_small};
use crate::store::TrailError;
use crate::store::retention::Pruned;

/// The number of the only format.
pub const FORMAT: u32 = 1;

/// The longest file in bytes. Each erased event adds up to 3 KB of salts to it.
const MAX_LEN: u64 = 1 << 30;

/// The content of a `format` file.
#[derive(Clone, Debug)]
pub(in crate::store) struct Format {
    pub log_id: u64,
    /// The secrets from which salts are derived.
    pub salts: SaltTree,
    /// The pruned events, if any.
    pub pruned: Option<Pruned>,
    /// The erasures, in the order in which they began.
    pub erasures: Vec<Erasure>,
}

#[derive(Serialize, Deserialize)]
struct FormatJson {
    profiletrail: u32,
    log_id: String,
    /// The secret of all salts, or, once events were erased, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt_root: Option<String>,
    /// … the secrets of those that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salts: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pruned: Option<Pruned>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    erasures: Vec<Erasure>,
}

impl Format {
    /// The format of a new folder.
    pub fn new() -> io::Result<Self> {
        let (mut id, mut root) = ([0; 8], [0; 32]);
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        getrandom::fill(&mut root).map_err(io::Error::other)?;
        Ok(Self {
            log_id: u64::from_le_bytes(id),
            salts: SaltTree::new(root),
            pruned: None,
            erasures: Vec::new(),
        })
    }

    fn parse(json: FormatJson) -> Option<Self> {
        let decode = |text: String| BASE64.decode(text).ok();
        let salts = match (json.salt_root, json.salts) {
            (Some(root), None) => SaltTree::new(decode(root)?.try_into().ok()?),
            (None, Some(salts)) => SaltTree::decode(&decode(salts)?)?,
            _ => return None,
        };
        Some(Self {
            log_id: u64::from_str_radix(&json.log_id, 16).ok()?,
            salts,
            pruned: json.pruned,
            erasures: json.erasures,
        })
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let root = self.salts.root();
        let json = FormatJson {
            profiletrail: FORMAT,
            log_id: format!("{:016x}", self.log_id),
            salts: (root.is_none()).then(|| BASE64.encode(self.salts.encode())),
            salt_root: root.map(|root| BASE64.encode(root)),
            pruned: self.pruned,
            erasures: self.erasures.clone(),
        };
        // A struct of numbers and strings always makes JSON.
        serde_json::to_string(&json).unwrap_or_default() + "\n"
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
            });
        }
        let json: FormatJson = serde_json::from_value(json).map_err(|_| damaged())?;
        Self::parse(json).ok_or_else(damaged)
    }
}
