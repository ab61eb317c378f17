//! The file of verified keys, so that a restart while DNS is unreachable still has them.
//!
//! ```text
//! {"remembered":1}
//! {"name":"one._domainkey.copernica.com","record":"v=DKIM1; …","fetched":1763892005}
//! ```
//!
//! JSON lines: the first has the version, each further one is a [`StoredKey`]. The file is replaced
//! atomically. It is only a cache: a file that cannot be read is logged and ignored, and a line
//! that is not a key below the key domain is skipped.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::MAX_VERIFIED;
use super::record::MAX_RECORD;
use super::{KeyConfig, KeyName, PublicKey};
use crate::storage::{Links, RealDisk, atomic_replace, found, read_small};

/// The version that is read and written.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    remembered: u32,
}

/// A verified key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredKey {
    /// Its name, as of [`KeyName::as_str`].
    pub name: String,
    /// Its TXT record's strings, joined.
    pub record: String,
    /// When DNS last gave it, in Unix seconds.
    pub fetched: i64,
}

/// The stored keys and when they were fetched; none without a readable file.
pub(super) fn read(config: &KeyConfig) -> Vec<(PublicKey, i64)> {
    let Some(path) = &config.key_store else {
        return Vec::new();
    };
    let read = found(read_file(path, config)).unwrap_or_else(|error| {
        let path = path.display();
        tracing::warn!(%path, %error, "the stored keys are ignored and fetched again");
        None
    });
    read.unwrap_or_default()
}

fn read_file(path: &Path, config: &KeyConfig) -> io::Result<Vec<(PublicKey, i64)>> {
    let longest = MAX_VERIFIED * 2 * MAX_RECORD;
    let text = read_small(path, longest as u64, Links::Refuse)?;
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next().unwrap_or_default())?;
    if header.remembered != VERSION {
        return Err(io::Error::other("the file has an unknown version"));
    }
    let mut keys = Vec::new();
    for line in lines {
        let line: StoredKey = serde_json::from_str(line)?;
        let name = KeyName::below(&line.name, &config.domain);
        let key = name.and_then(|name| PublicKey::from_record(&name, &line.record).ok());
        keys.extend(key.map(|key| (key, line.fetched)));
    }
    Ok(keys)
}

/// Replaces the file. When this returns without an error, the keys are on stable storage.
pub(super) fn write(path: &Path, keys: &[StoredKey]) -> io::Result<()> {
    let mut text = serde_json::to_string(&Header {
        remembered: VERSION,
    })?;
    text.push('\n');
    for key in keys {
        text.push_str(&serde_json::to_string(key)?);
        text.push('\n');
    }
    atomic_replace(&RealDisk, path, text.as_bytes())
}
