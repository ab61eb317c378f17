//! Copies and hashes files.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::storage::{Access, Storage, StorageFile};

/// How many bytes are read at a time.
const CHUNK: usize = 256 << 10;

/// After how many bytes to sync: one large sync would delay those of a server that
/// writes to the same disk.
const SYNC_LEN: u64 = 4 << 20;

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The content of a file; an error if it is longer than `most`.
pub fn read_small(file: &dyn StorageFile, most: u64) -> io::Result<Vec<u8>> {
    let len = file.len()?;
    if len > most {
        return Err(io::Error::other("it is too long"));
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Hands the first `len` bytes of a file to `each`, in chunks.
fn each_chunk(
    file: &dyn StorageFile,
    len: u64,
    mut each: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < len {
        let wanted = usize::try_from(len - at).map_or(CHUNK, |left| left.min(CHUNK));
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        if file.read_at(chunk, at)? < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        each(chunk, at)?;
        at += wanted as u64;
    }
    Ok(())
}

/// The SHA-256 of the first `len` bytes of a file. `progress` gets the length of
/// each chunk.
pub fn hash(file: &dyn StorageFile, len: u64, mut progress: impl FnMut(u64)) -> io::Result<String> {
    let mut digest = Sha256::new();
    each_chunk(file, len, |chunk, _| {
        digest.update(chunk);
        progress(chunk.len() as u64);
        Ok(())
    })?;
    Ok(hex(&digest.finalize()))
}

/// Copies the first `len` bytes of a file to a new one and syncs it, but not its
/// name. Returns their SHA-256.
pub fn copy(
    from: &dyn StorageFile,
    len: u64,
    storage: &dyn Storage,
    to: &Path,
    mut progress: impl FnMut(u64),
) -> io::Result<String> {
    remove(storage, to)?;
    let target = storage.open(to, Access::CreateNew)?;
    let mut digest = Sha256::new();
    let mut synced = 0;
    each_chunk(from, len, |chunk, at| {
        digest.update(chunk);
        target.write_at(chunk, at)?;
        let end = at + chunk.len() as u64;
        if end - synced >= SYNC_LEN {
            target.sync()?;
            synced = end;
        }
        progress(chunk.len() as u64);
        Ok(())
    })?;
    target.sync()?;
    Ok(hex(&digest.finalize()))
}

/// Removes a file that may not be there.
pub fn remove(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    match storage.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names in a directory that may not be there.
pub fn list(storage: &dyn Storage, dir: &Path) -> io::Result<Vec<String>> {
    match storage.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}
