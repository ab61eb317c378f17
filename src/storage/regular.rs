//! Opens only regular files.
//!
//! Otherwise a named pipe in place of a file would block the program, a device could be
//! read for ever, and a symbolic link in the data folder could point to a foreign file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Whether a symbolic link in place of a file is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Yes: the user names the file, and certbot's, for example, are links.
    Follow,
    /// No: only this program makes the file.
    Refuse,
}

/// A file's device, inode, size, and times of modification and of the inode's change with
/// nanoseconds; `None` if there is no file. A file that replaces another one has another identity
/// as long as the replaced one exists.
pub type FileIdentity = Option<[i64; 7]>;

/// The identity of the file at a path.
pub fn identity(path: &Path, links: Links) -> FileIdentity {
    let data = match links {
        Links::Follow => fs::metadata(path),
        Links::Refuse => fs::symlink_metadata(path),
    };
    let data = data.ok()?;
    Some([
        data.dev().cast_signed(),
        data.ino().cast_signed(),
        data.size().cast_signed(),
        data.mtime(),
        data.mtime_nsec(),
        data.ctime(),
        data.ctime_nsec(),
    ])
}

/// Opens a regular file with the access that `options` has. Anything else is refused
/// without waiting, and no file is created in the place that a link names if links are
/// refused.
pub fn open_regular(options: &mut OpenOptions, path: &Path, links: Links) -> io::Result<File> {
    let no_follow = match links {
        Links::Follow => 0,
        Links::Refuse => libc::O_NOFOLLOW,
    };
    let options = options.custom_flags(libc::O_NONBLOCK | no_follow);
    let file = options.open(path).map_err(|error| {
        match error.raw_os_error() == Some(libc::ELOOP) && links == Links::Refuse {
            true => io::Error::other(
                "it is a symbolic link, which is not followed: remove it, or put the file itself in its place",
            ),
            false => error,
        }
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Opens a regular file for reading and writing; one that is missing is made, empty and for its
/// owner alone.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open_regular(options.mode(0o600), path, Links::Refuse)
}

/// Reads a regular file of at most `limit` bytes; a longer one is an error.
pub fn read_small(path: &Path, limit: u64, links: Links) -> io::Result<Vec<u8>> {
    let file = open_regular(OpenOptions::new().read(true), path, links)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= limit {
        true => Ok(bytes),
        false => Err(io::Error::other(format!("it has more than {limit} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_of_a_limited_length_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let error = |path: &Path, links| read_small(path, 4, links).unwrap_err();
        assert_eq!(error(&path, Links::Refuse).kind(), io::ErrorKind::NotFound);
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read_small(&path, 4, Links::Refuse).unwrap(), b"1234");
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read_small(&link, 4, Links::Follow).unwrap(), b"1234");
        let refused = error(&link, Links::Refuse).to_string();
        assert!(refused.contains("symbolic link"), "{refused}");
        std::fs::write(&path, "12345").unwrap();
        let long = error(&path, Links::Refuse).to_string();
        assert!(long.contains("more than 4 bytes"), "{long}");
        for other in [Path::new("/dev/zero"), dir.path()] {
            let refused = error(other, Links::Follow).to_string();
            assert!(refused.contains("not a regular file"), "{refused}");
        }
    }

    #[test]
    fn no_file_is_created_where_a_link_points() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("link"), dir.path().join("target"));
        symlink(&target, &link).unwrap();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        open_regular(&mut options, &link, Links::Refuse).unwrap_err();
        assert!(!target.exists());
    }
}
