//! Copying and checking files.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::storage::{Access, Storage, StorageFile};

/// How many bytes are read at once.
const PIECE: usize = 256 << 10;

/// After how many bytes written they are synced: a large sync at once would
/// hold up those of a server that writes to the same disk.
const SYNC_LEN: u64 = 4 << 20;

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The content of a file; an error where it is longer than that.
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

/// Hands the first `len` bytes of a file to `each`, piece by piece.
fn each_piece(
    file: &dyn StorageFile,
    len: u64,
    mut each: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    while at < len {
        let wanted = usize::try_from(len - at).map_or(PIECE, |left| left.min(PIECE));
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        if file.read_at(piece, at)? < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        each(piece, at)?;
        at += wanted as u64;
    }
    Ok(())
}

/// The SHA-256 of the first `len` bytes of a file.
pub fn hash(file: &dyn StorageFile, len: u64, mut tell: impl FnMut(u64)) -> io::Result<String> {
    let mut digest = Sha256::new();
    each_piece(file, len, |piece, _| {
        digest.update(piece);
        tell(piece.len() as u64);
        Ok(())
    })?;
    Ok(hex(&digest.finalize()))
}

/// Copies the first `len` bytes of a file to a new one and syncs that; its name
/// is not synced. Tells their SHA-256.
pub fn copy(
    from: &dyn StorageFile,
    len: u64,
    storage: &dyn Storage,
    to: &Path,
    mut tell: impl FnMut(u64),
) -> io::Result<String> {
    remove(storage, to)?;
    let target = storage.open(to, Access::CreateNew)?;
    let mut digest = Sha256::new();
    let mut synced = 0;
    each_piece(from, len, |piece, at| {
        digest.update(piece);
        target.write_at(piece, at)?;
        let end = at + piece.len() as u64;
        if end - synced >= SYNC_LEN {
            target.sync()?;
            synced = end;
        }
        tell(piece.len() as u64);
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
