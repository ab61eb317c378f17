//! Copies and hashes files.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::failed;
use crate::storage::{Access, Storage, StorageFile, found};

/// How many bytes are read at a time.
const CHUNK: usize = 256 << 10;

/// After how many bytes to sync: one large sync would delay those of a server that
/// writes to the same disk.
const SYNC_LEN: u64 = 4 << 20;

/// The SHA-256 of the first `len` bytes of a file, which are copied to a new file if
/// there is one. `progress` gets the length of each chunk.
pub fn read_through(
    (from, file): (&Path, &dyn StorageFile),
    len: u64,
    copy: Option<(&Path, &dyn StorageFile)>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let (mut at, mut synced) = (0, 0);
    while at < len {
        let wanted = usize::try_from(len - at).map_or(CHUNK, |left| left.min(CHUNK));
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        let read = file.read_at(chunk, at).and_then(|read| match read {
            read if read < wanted => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        });
        read.map_err(failed("reading", from))?;
        digest.update(&*chunk);
        if let Some((to, copy)) = copy {
            let written = copy.write_at(chunk, at);
            written.map_err(failed("copying to", to))?;
        }
        at += wanted as u64;
        if let Some((to, copy)) = copy.filter(|_| at - synced >= SYNC_LEN || at == len) {
            copy.sync().map_err(failed("syncing", to))?;
            synced = at;
        }
        progress(wanted as u64);
    }
    Ok(format!("{:x}", digest.finalize()))
}

/// Copies the first `len` bytes of a file to a new one and syncs it, but not its
/// name. Returns their SHA-256.
pub fn copy(
    from: (&Path, &dyn StorageFile),
    len: u64,
    storage: &dyn Storage,
    to: &Path,
    progress: impl FnMut(u64),
) -> anyhow::Result<String> {
    let made = storage
        .remove_if_there(to)
        .and_then(|()| storage.open(to, Access::CreateNew));
    let copy = made.map_err(failed("making", to))?;
    read_through(from, len, Some((to, copy.as_ref())), progress)
}

/// The names in a directory that may not be there.
pub fn list(storage: &dyn Storage, dir: &Path) -> io::Result<Vec<String>> {
    Ok(found(storage.list(dir))?.unwrap_or_default())
}
