//! Every fuzz target on every file of its committed corpus: the seeds, what
//! coverage has chosen, and the inputs of findings. `scripts/fuzz` goes on from
//! there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use profiletrail::fuzzing::TARGETS;

/// The names of what a folder of `tests/fuzz` holds.
fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz")
        .join(folder);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: Result<fs::DirEntry, _>| entry.unwrap().file_name();
    let names = entries.map(|entry| name(entry).into_string().unwrap());
    names.collect()
}

#[test]
fn every_target_takes_its_corpus() {
    for (name, target) in TARGETS {
        let folder = format!("corpus/{name}");
        let files = names(&folder);
        assert!(files.len() > 5, "{name} has no corpus");
        for file in files {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/fuzz")
                .join(&folder)
                .join(&file);
            // Printed, so that the output shows which file caused a panic.
            println!("{name}: {}", path.display());
            target(&fs::read(&path).unwrap());
        }
    }
}

#[test]
fn every_target_has_a_binary_and_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let binaries = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names("fuzz_targets"), binaries);
    assert_eq!(names("corpus"), targets);
}
