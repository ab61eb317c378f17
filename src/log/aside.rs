//! Copies of bytes that a recovery or a repair removes, for a later examination.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::LogError;
use crate::storage::{Access, Storage, StorageFile, found, name_of_new, rename_durably};

/// How many bytes are copied at once.
const CHUNK: usize = 1 << 20;

/// Copies a part of a file to the path `aside`, durably. If another file has that path,
/// `-1`, `-2`, … is appended; one with the same content, which an interrupted run has
/// left, is the copy.
pub(super) fn keep_aside(
    storage: &dyn Storage,
    file: &dyn StorageFile,
    part: Range<u64>,
    aside: &Path,
) -> Result<PathBuf, LogError> {
    let mut path = aside.to_owned();
    for number in 1_u64.. {
        let there = found(storage.open(&path, Access::Read));
        let Some(there) = there.map_err(LogError::io("opening", &path))? else {
            break;
        };
        let same = is_same(file, part.clone(), there.as_ref());
        if same.map_err(LogError::io("reading", &path))? {
            return Ok(path);
        }
        let mut name = aside.as_os_str().to_owned();
        name.push(format!("-{number}"));
        path = name.into();
    }
    let new = name_of_new(&path);
    let write = || {
        storage.remove_if_there(&new)?;
        let copy = storage.open(&new, Access::CreateNew)?;
        each_chunk(file, part.clone(), |bytes, at| copy.write_at(bytes, at))?;
        copy.sync()?;
        rename_durably(storage, &new, &path)
    };
    write().map_err(LogError::io("making", &path))?;
    Ok(path)
}

/// Whether a part of a file is the whole of another.
fn is_same(file: &dyn StorageFile, part: Range<u64>, other: &dyn StorageFile) -> io::Result<bool> {
    let mut same = other.len()? == part.end - part.start;
    each_chunk(file, part, |bytes, at| {
        let mut there = vec![0; bytes.len()];
        same = same && other.read_at(&mut there, at)? == bytes.len() && there == bytes;
        Ok(())
    })?;
    Ok(same)
}

/// Calls `each` with the bytes of a part of a file and where in the part they are.
fn each_chunk(
    file: &dyn StorageFile,
    part: Range<u64>,
    mut each: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut at = part.start;
    while at < part.end {
        let mut bytes = vec![0; CHUNK.min((part.end - at) as usize)];
        if file.read_at(&mut bytes, at)? < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        each(&bytes, at - part.start)?;
        at += bytes.len() as u64;
    }
    Ok(())
}
