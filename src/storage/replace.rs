//! Replaces a file atomically: a crash leaves the old or the new content.
//!
//! The new content is written next to the file, under its name plus `.new`, and then
//! renamed to the file's name.

use std::io;
use std::path::{Path, PathBuf};

use super::{Access, Storage};

/// Replaces the content of a file, which need not exist yet. When this returns
/// without an error, the new content is on stable storage; after an error or a
/// crash the file has the old content or the new, never a mixture.
pub fn atomic_replace(storage: &dyn Storage, path: &Path, content: &[u8]) -> io::Result<()> {
    let new = name_of_new(path);
    write_new(storage, &new, content)?;
    rename_durably(storage, &new, path)
}

/// The name under which the new content of a file is written.
pub fn name_of_new(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Writes a new file and syncs its content, but not its name. A file that an interrupted
/// run left under that name is removed first, so that its content, its owner or its link
/// target does not matter.
pub fn write_new(storage: &dyn Storage, path: &Path, content: &[u8]) -> io::Result<()> {
    storage.remove_if_there(path)?;
    let file = storage.open(path, Access::CreateNew)?;
    file.write_at(content, 0)?;
    file.sync()
}

/// Renames a synced file, or a directory whose content is synced, to a name in
/// the same directory, and syncs that directory: the last step of a
/// replacement. After an error either name may be the one on stable storage.
pub fn rename_durably(storage: &dyn Storage, from: &Path, to: &Path) -> io::Result<()> {
    storage.rename(from, to)?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty());
    storage.sync_dir(dir.unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, SimulatedDisk, read_start};
    use super::*;

    fn content(disk: &SimulatedDisk, path: &Path) -> Vec<u8> {
        read_start(disk, path, usize::MAX).unwrap()
    }

    #[test]
    fn a_crash_at_any_operation_leaves_the_old_content_or_the_new() {
        let path = Path::new("/folder/file");
        let (old, new) = ([1; 700], [2; 1500]);
        for operation in 1..=20 {
            for fault in [Fault::Error, Fault::Full, Fault::PowerCut] {
                let disk = SimulatedDisk::new();
                atomic_replace(&disk, path, &old).unwrap();
                disk.plan(disk.operations() + operation, fault);
                let replaced = atomic_replace(&disk, path, &new);
                for seed in 0..20 {
                    let after = disk.power_cut(seed);
                    let found = content(&after, path);
                    assert!(found == new || replaced.is_err() && found == old);
                    after.make_room();
                    atomic_replace(&after, path, &[3]).unwrap();
                    assert_eq!(content(&after, path), [3]);
                }
            }
        }
    }

    #[test]
    fn a_relative_path_without_a_folder_is_synced_in_the_current_one() {
        assert_eq!(name_of_new(Path::new("a.json")), Path::new("a.json.new"));
        let disk = SimulatedDisk::new();
        atomic_replace(&disk, Path::new("a.json"), b"x").unwrap();
    }
}
