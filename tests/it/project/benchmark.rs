//! The benchmark: a small run measures everything it names, agrees with the
//! program that it measures, and leaves nothing behind, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{BINARY, NEVER, clean, entries, has};

const EVENTS: u64 = 2_000;

fn bench() -> Command {
    clean(env!("CARGO_BIN_EXE_profiletrail-bench"))
}

/// A small run of so many rounds on stores that are kept in `dir`; what is asked of them is asked
/// twice.
fn small_run(dir: &Path, events: u64, rounds: u64) -> Command {
    let mut command = bench();
    command
        .args(["--events", &events.to_string(), "--seconds", "0.1"])
        .args(["--large", "2", "--times", "2"])
        .args([
            "--rounds",
            &rounds.to_string(),
            "--connections",
            "1,8",
            "--peers",
            "none",
        ])
        .args(["--binary", BINARY])
        .arg("--dir")
        .arg(dir.join("scratch"))
        .arg("--store")
        .arg(dir.join("stores"))
        .arg("--json")
        .arg(dir.join("bench.json"));
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn generated(args: &[&str]) -> Vec<u8> {
    let output = bench().arg("generate").args(args).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn names<'a>(rows: &'a Value, key: &str) -> Vec<&'a str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[key].as_str().unwrap()).collect()
}

#[test]
fn a_small_run_measures_everything_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) = run(&mut small_run(dir.path(), EVENTS, 1));
    assert_eq!(status, Some(0), "{stderr}");
    for title in [
        "| server",
        "| on disk",
        "| command",
        "Side by side",
        "| what decides",
    ] {
        assert!(stdout.contains(title), "no {title:?} in {stdout}");
    }
    assert!(stdout.contains("--:|"), "numbers stand right: {stdout}");
    let scratch = dir.path().join("scratch");
    let left = std::fs::read_dir(&scratch).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["peers"], "only what is kept between runs");

    let json = std::fs::read(dir.path().join("bench.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let report = &json["runs"][0];
    assert_eq!(report["events"], EVENTS);
    assert_eq!(report["peers"], Value::Null);

    let rows = &report["rates"]["rows"];
    let turn = ["empty", "full", "wrk", "tls", "nothing"];
    assert_eq!(names(rows, "kind"), [turn, turn].concat());
    for row in rows.as_array().unwrap() {
        assert!(row["per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["p50_us"].as_f64() <= row["p99_us"].as_f64(), "{row}");
        assert!(row["memory"]["rss_kib"].as_u64().unwrap() > 0, "{row}");
    }

    let keeping = &report["keeping"];
    let bodies = generated(&[
        "--events",
        "2000",
        "--profiles",
        "100",
        "--seed",
        "9",
        "--days",
        "365",
        "--hot",
        "200",
    ]);
    assert_eq!(keeping["made"]["raw_bytes"], bodies.len() as u64);
    let zstd = keeping["made"]["zstd_bytes"].as_u64().unwrap();
    assert!((10_000..bodies.len() as u64 / 5).contains(&zstd), "{zstd}");
    assert!(keeping["log_bytes"].as_u64().unwrap() >= zstd / 2);
    assert!(keeping["index_bytes"].as_u64().unwrap() > 0);
    let asked = [
        "history",
        "field",
        "as-of",
        "hour",
        "day",
        "report",
        "gaps",
        "incidents",
        "loops",
        "stats",
        "hot",
        "changes of a field",
        "changes",
        "export",
        "export --raw",
    ];
    assert_eq!(names(&keeping["asked"], "name"), asked);
    for row in keeping["asked"].as_array().unwrap() {
        assert_eq!(row["live"]["bytes"], row["offline"]["bytes"], "{row}");
        assert!(row["offline"]["peak_kib"].as_u64().unwrap() > 0, "{row}");
        let lines = row["live"]["lines"].as_u64().unwrap();
        match row["name"].as_str().unwrap() {
            "export" | "export --raw" => assert_eq!(lines, EVENTS),
            "history" => assert_eq!(keeping["usual_events"], lines),
            // A tenth of the events is of the hot profile, within what chance does.
            "hot" => assert!((150..250).contains(&lines), "{lines}"),
            "as-of" => assert_eq!(lines, 1),
            _ => {}
        }
    }
    let large = report["large_events"].as_array().unwrap();
    let asked = large
        .iter()
        .find(|row| row["command"] == "changes")
        .unwrap();
    assert_eq!(asked["live"]["lines"], 4);
    let looked_up = &keeping["looked_up"];
    assert!(looked_up["entries"].as_u64().unwrap() >= 100, "{looked_up}");
    assert!(looked_up["bytes"].as_u64().unwrap() > 0, "{looked_up}");
    assert_eq!(names(&looked_up["asked"], "name"), ["find", "find --ever"]);
    for row in looked_up["asked"].as_array().unwrap() {
        assert_eq!(row["live"]["lines"], 1, "{row}");
    }
    let marks = names(&report["marks"], "what");
    assert!(marks.contains(&"full export"), "{marks:?}");
}

#[test]
fn calls_with_proofs_are_measured_beside_those_without() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = bench();
    command
        .args(["proofs", "--rounds", "2", "--seconds", "0.1"])
        .args(["--connections", "1,8", "--binary", BINARY])
        .arg("--dir")
        .arg(dir.path());
    let (status, stdout, stderr) = run(&mut command);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains("8 connections, pair 2: "), "{stderr}");
    has(&stdout, &["with proofs to those without, 8 connections"]);
    assert!(!stdout.contains("NaN"), "{stdout}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_kept_store_is_used_again_and_not_taken_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("stores/500/made.json");
    let log = dir.path().join("stores/500/data/log");
    let bytes_of_log = || -> Vec<(PathBuf, Vec<u8>)> {
        let read = |path: PathBuf| (path.clone(), std::fs::read(path).unwrap());
        entries(&log).into_iter().map(read).collect()
    };
    let (status, _, stderr) = run(&mut small_run(dir.path(), 500, 0));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains("loading 500 events"), "{stderr}");
    let before = (std::fs::read(&made).unwrap(), bytes_of_log());

    let (status, _, stderr) = run(&mut small_run(dir.path(), 500, 1));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(!stderr.contains("loading 500 events"), "{stderr}");
    assert!((std::fs::read(&made).unwrap(), bytes_of_log()) == before);

    let (status, _, stderr) = run(small_run(dir.path(), 500, 0).args(["--seed", "8"]));
    assert_eq!(status, Some(1));
    assert!(stderr.contains("speaks of other events"), "{stderr}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_ever() {
    let args = ["--events", "5000", "--profiles", "200", "--days", "365"];
    let bodies = generated(&args);
    assert_eq!(bodies.iter().filter(|byte| **byte == b'\n').count(), 5_000);
    assert!(bodies == generated(&args));
    assert!(bodies != generated(&[&args[..], &["--seed", "8"]].concat()));
    // A kept store is known by its seed: other bytes would be another store.
    let digest = Sha256::digest(&bodies);
    assert_eq!(
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
        "c2e1ee97b2ea390e50b9d470451b9f1ec6fd02920c8025101c3f3faf0158b005"
    );
}

/// The processes that name a folder on their command line.
fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(dir))
        .collect()
}

/// Ends a benchmark by a signal while its server runs, and waits for the end of
/// all that it started.
#[track_caller]
fn ended_by(signal: Signal, dir: &Path) {
    let mut child = small_run(dir, 20_000, 0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bounded = |what: &str, done: &dyn Fn(&[String]) -> bool| {
        let begun = Instant::now();
        while !done(&processes_of(dir)) {
            assert!(begun.elapsed() < NEVER, "{what}: {:?}", processes_of(dir));
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let serves = |line: &String| line.contains(" serve ") && !line.contains(" supervised ");
    bounded("no server", &|all| all.iter().any(serves));
    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "it was not under way any more");
    bounded("left behind", &<[String]>::is_empty);
}

#[test]
fn a_killed_benchmark_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    ended_by(Signal::KILL, dir.path());
}

#[test]
fn an_interrupted_benchmark_leaves_no_process_and_no_data() {
    let dir = tempfile::tempdir().unwrap();
    ended_by(Signal::TERM, dir.path());
    let left = std::fs::read_dir(dir.path().join("scratch")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["peers"], "only what is kept between runs");
}
