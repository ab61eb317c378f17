//! `erase`, killed at each of its changes to the disk, and after a power cut there.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::{CANARIES, PERSON, erase, found_in, import, lines};
use crate::support::{BINARY, Server, clean, cli, copy_folder, eventually, json_lines};

/// The system calls that change a folder for good, or make a change durable.
const CHANGES: [&str; 8] = [
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "unlinkat",
    "ftruncate",
    "link",
    "mkdir",
];

/// Erases the person, and is killed when one of its threads enters a system call for the `at`th
/// time. Returns what strace wrote, or `None` if it came to its end.
fn killed(data: &Path, trace: &Path, change: &str, at: usize) -> Option<String> {
    let status = clean("strace")
        .args(["-f", "-q", "-y", "-s", "4096", "-e"])
        .arg(format!("trace={}", CHANGES.join(",")))
        .arg("-e")
        .arg(format!("inject={change}:signal=KILL:when={at}"))
        .arg("-o")
        .arg(trace)
        .args([BINARY, "erase", &PERSON.to_string()])
        .args(["--reason", "x", "--yes", "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    match status.signal() {
        Some(9) => Some(fs::read_to_string(trace).unwrap()),
        _ => {
            assert!(status.success(), "{change} {at}: {status}");
            None
        }
    }
}

/// The file that was to be synced when the process was killed, if nothing of it had been
/// synced before and it is not of `whole`: a power cut may take all that it has.
fn unsynced(trace: &str, data: &Path, whole: &Path) -> Option<PathBuf> {
    let synced = |line: &str| {
        let (_, call) = line.split_once("sync(")?;
        let (_, path) = call.split_once('<')?;
        Some(PathBuf::from(path.split_once('>')?.0))
    };
    let mut all: Vec<_> = trace.lines().filter_map(synced).collect();
    let last = all.pop()?;
    let name = last.strip_prefix(data).ok()?;
    let is_new = !all.contains(&last) && !whole.join(name).exists();
    (is_new && last.is_file()).then_some(last)
}

#[test]
fn no_kill_and_no_power_cut_leaves_an_erasure_half_done() {
    let dir = tempfile::tempdir().unwrap();
    // As strace writes it.
    let dir = dir.path().canonicalize().unwrap();
    let (whole, data, trace) = (dir.join("whole"), dir.join("data"), dir.join("trace"));
    import(&whole, &lines(0..400, true));
    let early = "@1502000000";
    cli(&whole, &["prune", "--before", early, "--yes"]).ok();
    let person = PERSON.to_string();
    let shown = cli(&whole, &["history", &person]).ok();
    let others = cli(&whole, &["history", "4"]).ok();
    let (mut undone, mut hidden, mut lost) = (0, 0, 0);
    for change in CHANGES {
        for at in 1.. {
            let _ = fs::remove_dir_all(&data);
            copy_folder(&whole, &data);
            let Some(trace) = killed(&data, &trace, change, at) else {
                break;
            };
            let place = format!("{change} {at}");
            let cut = change.ends_with("sync");
            if let Some(file) = cut.then(|| unsynced(&trace, &data, &whole)).flatten() {
                // All of its content, or a half.
                let length = file.metadata().unwrap().len() * (at as u64 % 2) / 2;
                let file = fs::File::options().write(true).open(file).unwrap();
                file.set_len(length).unwrap();
                lost += 1;
            }
            let format = fs::read_to_string(data.join("format")).unwrap();
            match format.contains("\"erasures\"") {
                false => {
                    undone += 1;
                    assert_eq!(cli(&data, &["history", &person]).ok(), shown, "{place}");
                    erase(&data, &["--yes"]);
                }
                true => {
                    hidden += 1;
                    let why = cli(&data, &["history", &person]).failed(1);
                    assert!(why.contains("was erased"), "{place}: {why}");
                    // A server goes on by itself.
                    let server = Server::start(&data, &[]);
                    eventually("it is erased", || {
                        fs::read_to_string(data.join("format"))
                            .unwrap()
                            .contains("\"receipt\"")
                    });
                    server.stop();
                }
            }
            assert_eq!(found_in(&data, &CANARIES), Vec::<String>::new(), "{place}");
            assert_eq!(cli(&data, &["history", "4"]).ok(), others, "{place}");
            let summary = json_lines(&cli(&data, &["verify"]).ok());
            assert_eq!(summary.last().unwrap()["damages"], 0, "{place}");
            let lines = json_lines(&cli(&data, &["export"]).ok());
            let receipts = lines.iter().filter(|line| line["type"] == "erased");
            assert_eq!(receipts.count(), 1, "{place}");
        }
    }
    println!("{undone} kills before the commit, {hidden} after it; {lost} lost a file, too");
    assert!(undone > 0 && hidden > 0 && lost > 0);
}
