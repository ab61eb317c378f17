//! The file of the keys that were seen valid, so that a restart during an outage still finds them.
//!
//! ```text
//! {"remembered":1}
//! {"name":"one._domainkey.copernica.com","record":"v=DKIM1; …","fetched":1763892005}
//! ```
//!
//! Lines of JSON: the first says the version, each of the others is a [`Remembered`]. The file is
//! written aside, synced and renamed. It is no more than a help: one that cannot be read is told and
//! then as good as none, and a line that is no key below the key domain counts for nothing.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::MAX_RECORD;
use super::{KeyConfig, KeyName, PublicKey};
use crate::storage::{Access, RealDisk, Storage};

/// The version that this program writes, and the only one that it reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Head {
    remembered: u32,
}

/// A key that was seen valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// Its name, as of [`KeyName::as_str`].
    pub name: String,
    /// Its TXT record's strings, joined.
    pub record: String,
    /// When DNS last gave it, in Unix seconds.
    pub fetched: i64,
}

/// Reads the keys of the configured file; without a file, or with one that cannot be read, there
/// are none.
pub(super) fn read(config: &KeyConfig) -> Vec<(PublicKey, i64)> {
    let Some(path) = &config.remembered else {
        return Vec::new();
    };
    match read_file(path, config) {
        Ok(keys) => keys,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "the remembered keys are not used: they are fetched anew");
            Vec::new()
        }
    }
}

fn read_file(path: &Path, config: &KeyConfig) -> io::Result<Vec<(PublicKey, i64)>> {
    let file = RealDisk.open(path, Access::Read)?;
    let longest = config.max_seen.saturating_mul(2 * MAX_RECORD);
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if len > longest {
        return Err(io::Error::other("it is too long"));
    }
    let mut text = vec![0; len];
    let read = file.read_at(&mut text, 0)?;
    text.truncate(read);
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    let mut lines = text.lines();
    let head: Head = serde_json::from_str(lines.next().unwrap_or_default())?;
    if head.remembered != VERSION {
        return Err(io::Error::other("it is of another version"));
    }
    let mut keys = Vec::new();
    for line in lines {
        let line: Remembered = serde_json::from_str(line)?;
        let name = KeyName::below(&line.name, &config.domain);
        let key = name.and_then(|name| PublicKey::from_record(&name, &line.record).ok());
        keys.extend(key.map(|key| (key, line.fetched)));
    }
    Ok(keys)
}

/// Puts the keys in the place of what the file holds; when this returns without an error, they are
/// on stable storage.
pub(super) fn write(path: &Path, keys: &[Remembered]) -> io::Result<()> {
    let mut text = serde_json::to_string(&Head {
        remembered: VERSION,
    })?;
    text.push('\n');
    for key in keys {
        text.push_str(&serde_json::to_string(key)?);
        text.push('\n');
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = Path::new(&aside);
    RealDisk.remove_if_there(aside)?;
    let file = RealDisk.open(aside, Access::CreateNew)?;
    file.write_at(text.as_bytes(), 0)?;
    file.sync()?;
    RealDisk.rename(aside, path)?;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    RealDisk.sync_dir(folder.unwrap_or(Path::new(".")))
}
