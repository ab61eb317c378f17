//! Backups of real folders by the real binary: under load, killed at random
//! moments, damaged, and refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{
    BINARY, Cli, Dice, Outcome, Server, clean, cli, copy_folder, data, exported, files_below, flip,
    has, json_lines,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

const SMALL: [&str; 2] = ["--segment-size", "20KB"];

fn body(number: u64) -> String {
    let noise = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!(
        "type=update&profile={}&time={}&fields%5Bv%5D={noise:x}{noise:o}",
        number % 7 + 1,
        1_760_000_000 + number
    )
}

fn post(server: &Server, numbers: std::ops::Range<u64>) {
    let mut client = server.client();
    for number in numbers {
        client.post("/webhook", body(number)).seq();
    }
}

fn backup(data: &Path, dir: &Path, more: &[&str]) -> Outcome {
    let mut args = vec!["backup", dir.to_str().unwrap()];
    args.extend(more);
    cli(data, &args)
}

/// The last line of a successful backup, and the files that it listed.
fn done(outcome: Outcome) -> (Value, Vec<Value>) {
    let mut lines = json_lines(&outcome.ok());
    (lines.pop().unwrap(), lines)
}

fn restore(backup: &Path, data: &Path) -> Outcome {
    cli(data, &["restore", backup.to_str().unwrap()])
}

fn verify(backup: &Path) -> Outcome {
    Cli::bare(&["restore", "--verify-only", backup.to_str().unwrap()]).run()
}

/// A folder with a few segments and a rejected call, which no server uses.
fn filled(dir: &tempfile::TempDir) -> PathBuf {
    let data = data(dir);
    let server = Server::start(&data, &SMALL);
    post(&server, 0..300);
    let refused = server.client().post("/webhook", "type=update&profile=x");
    assert_eq!(refused.status, 400);
    server.stop();
    cli(&data, &["seal"]).ok();
    data
}

#[test]
fn a_backup_under_load_has_all_that_was_acknowledged() {
    let (dir, server) = crate::support::new_server(&SMALL);
    let data = data(&dir);
    let copy = dir.path().join("backup");
    post(&server, 0..200);
    let acknowledged = AtomicU64::new(200);
    let stop = AtomicBool::new(false);
    let mut manifests = Vec::new();
    std::thread::scope(|scope| {
        for client in 1..4 {
            let (server, acknowledged, stop) = (&server, &acknowledged, &stop);
            scope.spawn(move || {
                let mut posts = server.client();
                for number in 0.. {
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    let seq = posts
                        .post("/webhook", body(client * 1_000_000 + number))
                        .seq();
                    acknowledged.fetch_max(seq, Ordering::AcqRel);
                }
            });
        }
        for round in 0..6 {
            let before = acknowledged.load(Ordering::Acquire);
            let more: &[&str] = if round % 3 == 2 { &["--copy"] } else { &[] };
            let (line, _) = done(backup(&data, &copy, more));
            let last = line["last_event"].as_u64().unwrap();
            assert!(last >= before, "{last} of {before}");
            assert!(verify(&copy).ok().contains(&format!("event {last}")));
            let to = dir.path().join(format!("restored-{round}"));
            restore(&copy, &to).ok();
            manifests.push((last, to));
        }
        stop.store(true, Ordering::Release);
    });
    let all = exported(&data);
    for (last, restored) in manifests {
        assert_eq!(exported(&restored), all[..last as usize]);
    }
    let log = server.stop();
    assert!(!log.contains("ERROR"), "{log}");
    // It goes on where the backup ended.
    let restored = dir.path().join("restored-5");
    let count = exported(&restored).len() as u64;
    let server = Server::start(&restored, &[]);
    assert_eq!(server.client().post("/webhook", body(1)).seq(), count + 1);
    server.stop();
}

#[test]
fn only_what_is_new_is_taken_and_only_closed_files_are_linked() {
    let dir = tempfile::tempdir().unwrap();
    let data = filled(&dir);
    let copy = dir.path().join("deep/in/backup");
    let (first, _) = done(backup(&data, &copy, &[]));
    assert!(first["linked_files"].as_u64() >= Some(2), "{first}");
    assert_eq!(first["last_event"], 300);
    assert_eq!(first["last_rejected"], 1);
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o700);
    for file in files_below(&copy) {
        let name = file.strip_prefix(&copy).unwrap();
        let here = fs::metadata(&file).unwrap();
        assert_eq!(here.mode() & 0o777, 0o600, "{file:?}");
        let sealed = file.extension().is_some_and(|end| end == "zst");
        let same = fs::metadata(data.join(name)).is_ok_and(|there| there.ino() == here.ino());
        assert_eq!(same, sealed, "{file:?}");
    }
    let (second, new) = done(backup(&data, &copy, &[]));
    assert_eq!(new, Vec::<Value>::new());
    assert_eq!(second["files"], first["files"]);
    let server = Server::start(&data, &SMALL);
    post(&server, 300..400);
    let (third, new) = done(backup(&data, &copy, &[]));
    assert_eq!(third["last_event"], 400);
    assert!(!new.is_empty() && new.len() <= 4, "{new:?}");
    server.stop();
    // A copy of its own, on another file system as well.
    let shm = tempfile::tempdir_in("/dev/shm");
    let others = [
        Some(dir.path().join("own")),
        shm.as_ref().ok().map(|dir| dir.path().join("b")),
    ];
    for (place, other) in others.into_iter().flatten().enumerate() {
        let more: &[&str] = if place == 0 { &["--copy"] } else { &[] };
        let (line, _) = done(backup(&data, &other, more));
        assert_eq!(line["linked_files"], 0);
        let restored = dir.path().join(format!("from-{place}"));
        restore(&other, &restored).ok();
        assert_eq!(exported(&restored), exported(&data));
        let rejected = cli(&data, &["rejected"]).ok();
        assert_eq!(cli(&restored, &["rejected"]).ok(), rejected);
        done(backup(&restored, &other, &[]));
        assert!(verify(&other).ok().contains("event 400"));
    }
}

#[test]
fn a_flipped_byte_anywhere_is_found_before_anything_is_put_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let data = filled(&dir);
    let copy = dir.path().join("backup");
    done(backup(&data, &copy, &["--copy"]));
    let target = dir.path().join("target");
    let mut dice = Dice(7);
    for file in files_below(&copy) {
        let whole = fs::read(&file).unwrap();
        let last = whole.len().saturating_sub(1) as u64;
        let places = [0, last, dice.below(last + 1), dice.below(last + 1)];
        for place in places.into_iter().filter(|_| !whole.is_empty()) {
            let mut flipped = whole.clone();
            flipped[place as usize] ^= 1 << dice.below(8);
            fs::write(&file, flipped).unwrap();
            let error = restore(&copy, &target).failed(3);
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(error.contains(name), "{error}");
            assert!(!target.exists());
            assert!(!dir.path().join("target.restoring").exists());
            fs::write(&file, &whole[..place as usize]).unwrap();
            restore(&copy, &target).failed(3);
        }
        fs::write(&file, &whole).unwrap();
    }
    restore(&copy, &target).ok();
    assert_eq!(exported(&target), exported(&data));
}

#[test]
fn what_would_destroy_something_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = filled(&dir);
    let older = dir.path().join("older");
    copy_folder(&data, &older);
    let copy = dir.path().join("backup");
    let refused = |outcome: Outcome, what: &str| {
        let error = outcome.failed(3);
        assert!(error.contains(what), "{error}");
    };
    let letters = dir.path().join("letters");
    fs::create_dir(&letters).unwrap();
    fs::write(letters.join("letter"), "Dear").unwrap();
    refused(backup(&data, &letters, &[]), "other than a backup");
    assert_eq!(files_below(&letters).len(), 1);
    refused(
        backup(&data, &data.join("backup"), &[]),
        "inside the data folder",
    );
    refused(backup(&data, &older, &[]), "other than a backup");
    refused(verify(&letters), "no backup");
    let server = Server::start(&data, &SMALL);
    post(&server, 300..310);
    done(backup(&data, &copy, &[]));
    refused(restore(&copy, &data), "in use by a server");
    server.stop();
    refused(restore(&copy, &data), "move it away");
    refused(restore(&copy, &letters), "move it away");
    for inside in [copy.join("data"), copy.join("log").join("data")] {
        refused(restore(&copy, &inside), "into the backup");
        assert!(!inside.exists());
    }
    refused(backup(&older, &copy, &[]), "up to event 310");
    let other = dir.path().join("other");
    let server = Server::start(&other, &[]);
    refused(backup(&other, &copy, &[]), "another data folder");
    server.stop();
    refused(cli(&copy, &["export"]), "profiletrail restore");
    let (status, log) = Server::try_start(&copy, &[]).unwrap_err();
    assert_eq!(status, Some(3), "{log}");
    assert!(verify(&copy).ok().contains("event 310"));
    // An empty folder is as good as none.
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    restore(&copy, &empty).ok();
    assert_eq!(exported(&empty), exported(&data));
}

#[test]
fn a_damaged_folder_is_backed_up_as_it_is_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let data = filled(&dir);
    let copy = dir.path().join("backup");
    let segment = data.join("log/00000000000000000001.log.zst");
    flip(&segment, |_| 900);
    for _ in 0..2 {
        let outcome = backup(&data, &copy, &[]);
        has(&outcome.stdout, &["\"last_event\":300"]);
        let error = outcome.failed(3);
        has(&error, &["damage in", "checksum"]);
    }
    let outcome = verify(&copy);
    assert!(outcome.stderr.contains("damage in"), "{}", outcome.stderr);
    outcome.ok();
    let restored = dir.path().join("restored");
    restore(&copy, &restored).ok();
    let lost = |data: &Path| cli(data, &["export", "--raw"]).stdout;
    assert_eq!(lost(&restored), lost(&data));
}

/// Changes a backup's manifest, and its checksum with it.
fn forge(backup: &Path, change: impl FnOnce(&mut Value)) {
    let path = backup.join("manifest.json");
    let mut signed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut signed["manifest"]);
    let digest = Sha256::digest(serde_json::to_vec(&signed["manifest"]).unwrap());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    signed["sha256"] = digest.into();
    let text = serde_json::to_string_pretty(&signed).unwrap() + "\n";
    fs::write(&path, text).unwrap();
}

#[test]
fn what_a_forged_manifest_claims_is_compared_with_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let data = filled(&dir);
    let copy = dir.path().join("backup");
    done(backup(&data, &copy, &["--copy"]));
    forge(&copy, |_| ());
    verify(&copy).ok();
    let target = dir.path().join("target");
    for (key, what, last) in [
        ("last_event", "event", 300),
        ("last_rejected", "rejected call", 1),
    ] {
        forge(&copy, |manifest| manifest[key] = 10_u64.pow(18).into());
        let claim = format!("the last {what} is 1000000000000000000, but it is {last}");
        for error in [verify(&copy).failed(3), restore(&copy, &target).failed(3)] {
            assert!(error.contains(&claim), "{error}");
        }
        assert!(!target.exists() && !dir.path().join("target.restoring").exists());
        forge(&copy, |manifest| manifest[key] = last.into());
    }
    verify(&copy).ok();
    fs::write(copy.join("log/run-me.sh"), "").unwrap();
    forge(&copy, |manifest| {
        let mut file = manifest["files"][0].clone();
        file["path"] = "log/run-me.sh".into();
        file["stored"] = file["path"].clone();
        manifest["files"].as_array_mut().unwrap().push(file);
    });
    let error = restore(&copy, &target).failed(3);
    assert!(error.contains("it was changed"), "{error}");
}

#[test]
fn what_a_symbolic_link_leads_to_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let data = filled(&dir);
    let segment = data.join("log/00000000000000000001.log.zst");
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&segment, &elsewhere).unwrap();
    symlink(&elsewhere, &segment).unwrap();
    let copy = dir.path().join("backup");
    let (line, _) = done(backup(&data, &copy, &[]));
    assert!(line["linked_files"].as_u64() >= Some(2), "{line}");
    let taken = fs::symlink_metadata(copy.join("log/00000000000000000001.log.zst")).unwrap();
    assert!(taken.is_file());
    assert_eq!(taken.ino(), fs::metadata(&elsewhere).unwrap().ino());
    fs::remove_file(&elsewhere).unwrap();
    verify(&copy).ok();
}

#[test]
fn a_killed_backup_leaves_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let data = filled(&dir);
    let copy = dir.path().join("backup");
    let mut dice = Dice(20_260_102);
    let mut before = None;
    let mut posted = 300;
    for round in 0..40_u64 {
        let live = round % 2 == 0;
        let server = live.then(|| Server::start(&data, &SMALL));
        if let Some(server) = &server {
            post(server, posted..posted + 20);
            posted += 20;
        }
        let mut command = clean(BINARY);
        command.arg("backup").arg(&copy).arg("--data").arg(&data);
        if round % 3 == 0 {
            command.arg("--copy");
        }
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = quiet.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(dice.below(60_000)));
        if let Some(server) = server {
            server.kill();
        } else {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let outcome = verify(&copy);
        if before.is_some() || outcome.status == Some(0) {
            let text = outcome.ok();
            let last = text.split("event ").nth(1).unwrap();
            let last: u64 = last.split_whitespace().next().unwrap().parse().unwrap();
            assert!(Some(last) >= before && last <= posted, "{last} {before:?}");
            before = Some(last);
        }
    }
    done(backup(&data, &copy, &[]));
    let restored = dir.path().join("restored");
    restore(&copy, &restored).ok();
    assert_eq!(exported(&restored), exported(&data));
}

/// Where mounting is permitted.
#[test]
fn a_disk_that_is_full_keeps_the_backup_before() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = dir.path().join("tiny");
    fs::create_dir(&tiny).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=200k", "tmpfs"])
        .arg(&tiny)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no file system can be mounted here");
        return;
    }
    let unmount = Unmount(tiny.clone());
    let data = filled(&dir);
    let copy = tiny.join("backup");
    done(backup(&data, &copy, &[]));
    let server = Server::start(&data, &["--segment-size", "1GiB"]);
    post(&server, 300..1500);
    for _ in 0..2 {
        let error = backup(&data, &copy, &[]).failed(3);
        assert!(error.contains("still complete"), "{error}");
        assert!(verify(&copy).ok().contains("event 300"));
    }
    assert!(
        files_below(&copy)
            .iter()
            .all(|file| !file.to_string_lossy().ends_with('~'))
    );
    server.stop();
    drop(unmount);
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
