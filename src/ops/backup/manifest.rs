//! The manifest: the list of a backup's files.
//!
//! `manifest.json` contains the [`Manifest`] and its SHA-256. A manifest that was
//! changed in any byte is refused.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::failed;
use crate::log::{is_segment_name, sealed_segment_of};
use crate::proofs::is_anchor_name;
use crate::storage::{Storage, atomic_replace, found, read_start};

/// The manifest's file.
pub const NAME: &str = "manifest.json";

/// Its temporary name.
pub const NEW_NAME: &str = "manifest.json.new";

/// The version of the manifest that this program writes.
const VERSION: u32 = 1;

/// The longest manifest that is read, in bytes: millions of files.
const LONGEST: usize = 1 << 30;

/// The folders of a backup.
pub const PARTS: [&str; 2] = ["log", "rejected"];

/// The folder of baselines, if there are any.
pub const BASELINES: &str = "baselines";

/// The folder of proofs, if there are any.
pub const PROOFS: &str = "proofs";

/// The files of proofs other than the anchors, without the signing key.
pub const PROOF_FILES: [&str; 3] = ["tiles", "partial", "checkpoint"];

/// The list of a backup's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The manifest's version.
    pub profiletrail_backup: u32,
    /// The data folder's number, in hexadecimal.
    pub log_id: String,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The `seq` of the last event in it; 0 if there is none.
    pub last_event: u64,
    /// The number of the last rejected call in it; 0 if there is none.
    pub last_rejected: u64,
    /// Its files.
    pub files: Vec<ManifestFile>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its path in the data folder.
    pub path: String,
    /// Its path in the backup: the same, or with `~` at its end.
    pub stored: String,
    /// Its length.
    pub bytes: u64,
    /// Its checksum, in hexadecimal.
    pub sha256: String,
    /// The stamp of the original file.
    pub stamp: String,
    /// Damage in it when it was copied.
    pub damage: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    manifest: Manifest,
    sha256: String,
}

impl Manifest {
    /// A manifest without files.
    pub fn new(log_id: u64, made: String) -> Self {
        Self {
            profiletrail_backup: VERSION,
            log_id: format!("{log_id:016x}"),
            made,
            last_event: 0,
            last_rejected: 0,
            files: Vec::new(),
        }
    }

    /// The length of all its files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Whether it has proofs, whose key stays behind.
    pub fn has_proofs(&self) -> bool {
        self.files.iter().any(|file| file.path.starts_with(PROOFS))
    }

    /// The folders of its files.
    pub(super) fn parts(&self) -> Vec<&'static str> {
        let has = |part: &&str| self.files.iter().any(|file| file.path.starts_with(part));
        let optional = [BASELINES, PROOFS].into_iter().filter(has);
        PARTS.into_iter().chain(optional).collect()
    }

    /// Damage in its files when they were copied.
    pub fn damage(&self) -> Vec<String> {
        let damage = self.files.iter().flat_map(|file| file.damage.iter());
        damage.cloned().collect()
    }

    /// Its bytes on disk.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let digest = Sha256::digest(serde_json::to_vec(self)?);
        let signed = Signed {
            manifest: self.clone(),
            sha256: format!("{digest:x}"),
        };
        let mut bytes = serde_json::to_vec_pretty(&signed)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a manifest. The error has the fault and the solution.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let version = serde_json::from_slice::<serde_json::Value>(bytes)
            .ok()
            .and_then(|value| value.get("manifest")?.get("profiletrail_backup")?.as_u64());
        if let Some(version) = version.filter(|version| *version > u64::from(VERSION)) {
            return Err(format!(
                "a newer profiletrail wrote this backup (version {version}): use that one"
            ));
        }
        let changed = || {
            "this is not a manifest of a backup, or it was changed: name another backup".to_owned()
        };
        let signed: Signed = serde_json::from_slice(bytes).map_err(|_| changed())?;
        let again = signed.manifest.encode().map_err(|_| changed())?;
        if again != bytes || !signed.manifest.is_sane() {
            return Err(changed());
        }
        Ok(signed.manifest)
    }

    /// Whether every path is allowed and unique.
    fn is_sane(&self) -> bool {
        let mut places = BTreeSet::new();
        let mut stored = BTreeSet::new();
        let each = self.files.iter().all(|file| {
            let second = file.stored.strip_suffix('~').unwrap_or(&file.stored);
            is_place(&file.path)
                && second == file.path
                && places.insert(&file.path)
                && stored.insert(&file.stored)
        });
        each && places.contains(&"format".to_owned())
    }

    /// The manifest of a backup; `None` if there is none.
    pub fn read(storage: &dyn Storage, dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = dir.join(NAME);
        let read = found(read_start(storage, &path, LONGEST));
        let Some(bytes) = read.map_err(failed("reading", &path))? else {
            return Ok(None);
        };
        let decoded = Self::decode(&bytes);
        decoded
            .map(Some)
            .map_err(|reason| anyhow!("{}: {reason}", path.display()))
    }

    /// Replaces the previous manifest atomically.
    pub fn write(&self, storage: &dyn Storage, dir: &Path) -> anyhow::Result<()> {
        let path = dir.join(NAME);
        self.encode()
            .map_err(std::io::Error::from)
            .and_then(|bytes| atomic_replace(storage, &path, &bytes))
            .map_err(failed("writing", &path))
    }
}

/// Whether a backup writes a file with this path.
fn is_place(path: &str) -> bool {
    match path.split_once('/') {
        Some((BASELINES, name)) => sealed_segment_of(name).is_some(),
        Some((PROOFS, name)) => PROOF_FILES.contains(&name) || is_anchor_name(name),
        Some((part, name)) => PARTS.contains(&part) && is_segment_name(name),
        None => path == "format",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: &str = "log/00000000000000000001.log";

    fn sample() -> Manifest {
        let file = |path: &str, stored: &str| ManifestFile {
            path: path.to_owned(),
            stored: stored.to_owned(),
            bytes: 17,
            sha256: "00".to_owned(),
            stamp: "1-2".to_owned(),
            damage: vec!["a \"quoted\" place".to_owned()],
        };
        Manifest {
            files: vec![
                file("format", "format"),
                file(SEGMENT, &format!("{SEGMENT}~")),
            ],
            ..Manifest::new(7, "2026-01-01T00:00:00Z".to_owned())
        }
    }

    #[test]
    fn a_manifest_is_read_unchanged_or_not_at_all() {
        let bytes = sample().encode().unwrap();
        assert_eq!(Manifest::decode(&bytes), Ok(sample()));
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                assert!(Manifest::decode(&flipped).is_err(), "{place} {bit}");
            }
        }
        for len in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..len]).is_err());
        }
        let newer = br#"{"manifest":{"profiletrail_backup":2,"more":1},"sha256":""}"#;
        assert!(Manifest::decode(newer).unwrap_err().contains("newer"));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "/etc/passwd",
            "../x",
            "log/../../x",
            "log/..",
            "log/",
            "log//x",
            "index/x",
            "lock",
            "log/a/b",
            "log/a~",
            "log/1.log",
            "log/00000000000000000001.log.exe",
            "baselines/00000000000000000001.log",
            "log/\u{202e}x",
            "proofs/key",
        ] {
            let mut manifest = sample();
            let file = &mut manifest.files[1];
            (file.path, file.stored) = (path.to_owned(), path.to_owned());
            let bytes = manifest.encode().unwrap();
            assert!(Manifest::decode(&bytes).is_err(), "{path}");
        }
        let mut twice = sample();
        twice.files.push(twice.files[1].clone());
        assert!(Manifest::decode(&twice.encode().unwrap()).is_err());
        let mut other = sample();
        other.files[1].stored = "format~".to_owned();
        assert!(Manifest::decode(&other.encode().unwrap()).is_err());
    }
}
