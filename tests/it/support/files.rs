//! Reading and writing whole files and folders through [`Storage`].

use std::collections::BTreeMap;
use std::path::Path;

use profiletrail::storage::{Access, Storage};

/// Files by name, with their bytes.
pub type Folder = BTreeMap<String, Vec<u8>>;

/// The bytes of a file.
pub fn read(storage: &dyn Storage, path: &Path) -> Vec<u8> {
    let file = storage.open(path, Access::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

/// Creates a file. Its name is not synced.
pub fn write_new(storage: &dyn Storage, path: &Path, bytes: &[u8]) {
    let file = storage.open(path, Access::CreateNew).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
}

/// All files of a folder.
pub fn read_folder(storage: &dyn Storage, dir: &Path) -> Folder {
    let names = storage.list(dir).unwrap().into_iter();
    names
        .map(|name| {
            let bytes = read(storage, &dir.join(&name));
            (name, bytes)
        })
        .collect()
}

/// Creates the files of a folder.
pub fn write_folder(storage: &dyn Storage, dir: &Path, folder: &Folder) {
    for (name, bytes) in folder {
        write_new(storage, &dir.join(name), bytes);
    }
    storage.sync_dir(dir).unwrap();
}
