//! The file system of the machine.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, linkat};

use super::{
    Access, Links, Storage, StorageFile, name_of_new, open_regular, rename_durably, write_new,
};

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Storage for RealDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // The program makes no name that is not UTF-8.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(access != Access::Read)
            .create_new(access == Access::CreateNew)
            .mode(0o600);
        let links = match access {
            // A closed segment may have been moved to another disk.
            Access::Read => Links::Follow,
            Access::Write | Access::CreateNew => Links::Refuse,
        };
        Ok(Arc::new(RealFile(open_regular(&mut options, path, links)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        // For a symbolic link, the file that it points to.
        Ok(linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            made => made,
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

struct RealFile(File);

impl StorageFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn stamp(&self) -> io::Result<String> {
        // Not the time of the inode's change, since a new link changes it.
        let data = self.0.metadata()?;
        let (seconds, nanos) = (data.mtime(), data.mtime_nsec());
        Ok(format!(
            "{:x}-{:x}-{seconds}.{nanos:09}",
            data.dev(),
            data.ino()
        ))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.0.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync: the content, and the length that is needed to read it.
        self.0.sync_data()
    }
}

/// Creates a directory (mode 0700) and its parents unless they exist, and makes the new names
/// durable. Returns the directories that got one.
pub fn make_dirs(path: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = path.ancestors().take_while(|dir| !dir.exists());
    let parents: Vec<PathBuf> = missing
        .filter_map(Path::parent)
        .map(|parent| match parent.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => parent.to_owned(),
        })
        .collect();
    DirBuilder::new().mode(0o700).recursive(true).create(path)?;
    for parent in &parents {
        RealDisk.sync_dir(parent)?;
    }
    Ok(parents)
}

/// Gives a file to the owner of its data folder, if root creates it for a server that
/// runs as another user and could not read it.
pub fn give_to_owner(path: &Path, folder: &Path) -> io::Result<()> {
    let (folder, file) = (fs::metadata(folder)?, fs::symlink_metadata(path)?);
    if rustix::process::geteuid().is_root() && file.uid() != folder.uid() {
        lchown(path, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

/// Replaces a file of a data folder by one that belongs to the folder's owner. When this returns
/// without an error, it is on stable storage.
pub fn replace_for_owner(path: &Path, folder: &Path, content: &[u8]) -> io::Result<()> {
    let new = name_of_new(path);
    write_new(&RealDisk, &new, content)?;
    give_to_owner(&new, folder)?;
    rename_durably(&RealDisk, &new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_with_a_new_name_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        let synced = make_dirs(&top.join("a/b/c")).unwrap();
        assert_eq!(synced, [top.join("a/b"), top.join("a"), top.to_owned()]);
        assert!(make_dirs(&top.join("a/b/c")).unwrap().is_empty());
    }
}
