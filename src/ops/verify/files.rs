//! Files in a data folder that the program does not use.

use std::fs;
use std::path::Path;

use crate::store::{FILES, Trail};

/// The kind of a file with an unknown name.
const FOREIGN: &str = "it does not belong here";

/// The paths of unexpected files, each with its kind. Files appear and disappear while a
/// server runs; a file that has disappeared is left out.
pub(super) fn unexpected_files(trail: &Trail) -> Vec<(String, &'static str)> {
    let folder = trail.folder();
    let mut found = Vec::new();
    let mut look = |dir: &Path, known: &dyn Fn(&str) -> bool| {
        let mut names: Vec<String> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort();
        for name in names.iter().filter(|name| !known(name)) {
            found.push((dir.join(name).display().to_string(), what_is(name)));
        }
    };
    look(folder.path(), &|name| {
        what_is(name) == FOREIGN && FILES.iter().any(|file| file.matches_name(name))
    });
    let logs = [
        (folder.log(), trail.events()),
        (folder.rejected(), trail.rejected()),
    ];
    for (dir, log) in logs {
        let before = log.segments();
        // A segment may have been closed or sealed since.
        look(&dir, &|name| {
            let is = |(_, known): &(u64, String)| known == name;
            before.iter().any(is) || log.segments().iter().any(is)
        });
    }
    found
}

fn what_is(name: &str) -> &'static str {
    if name.contains(".torn-") {
        "a write that a crash cut short, kept aside; it can be deleted"
    } else if name.contains("damaged-") {
        "kept aside when it was damaged; it can be deleted"
    } else if name.ends_with(".new") || name.ends_with(".part") {
        "left by interrupted work; the next start removes it, or it can be deleted"
    } else if name.ends_with(".log") || name.ends_with(".log.zst") {
        "left by interrupted sealing; the next start removes it"
    } else {
        FOREIGN
    }
}
