//! Unix sockets in the data folder, with a path of any length.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::process::{Uid, geteuid};

use crate::storage::found;

/// A short path to a socket in a folder with a path of any length: a socket address holds
/// 107 bytes. The folder must stay open while the path is used.
pub fn reachable(path: &Path) -> io::Result<(PathBuf, Option<fs::File>)> {
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    if path.as_os_str().as_bytes().len() < 100 {
        return Ok((path.to_owned(), None));
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((path.to_owned(), None));
    };
    let dir = fs::File::open(dir)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name);
    Ok((short, Some(dir)))
}

/// Whether the peer runs as this process's user or as root. The modes of folder and
/// socket admit nobody else; this check also holds if they were changed.
pub(super) fn is_owner(stream: &UnixStream) -> bool {
    match rustix::net::sockopt::socket_peercred(stream) {
        Ok(peer) => may_ask(geteuid(), peer.uid),
        Err(error) => {
            tracing::warn!("the user of a command could not be determined: {error}");
            false
        }
    }
}

fn may_ask(own: Uid, peer: Uid) -> bool {
    peer == own || peer.is_root()
}

/// Listens at a path in the data folder. This process holds the folder's lock, so an
/// existing socket is left over from a dead process.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    found(fs::remove_file(path))?;
    let (short, _dir) = reachable(path)?;
    let listener = UnixListener::bind(short)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_root_may_ask_and_nobody_else() {
        let uid = Uid::from_raw;
        assert!(may_ask(uid(1000), uid(1000)) && may_ask(uid(1000), uid(0)));
        assert!(!may_ask(uid(1000), uid(1001)) && !may_ask(uid(0), uid(1000)));
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(is_owner(&one));
    }

    #[test]
    fn a_socket_is_its_owner_s_alone_and_takes_the_place_of_a_leftover() {
        let dir = tempfile::tempdir().unwrap();
        // Longer than an address of a socket has room for.
        let folder = dir.path().join("x".repeat(120));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("socket");
        drop(bind(&path).unwrap());
        let _listener = bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (short, _dir) = reachable(&path).unwrap();
        UnixStream::connect(short).unwrap();
    }
}
