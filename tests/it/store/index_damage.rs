//! Whatever happens to the index, the answers stay what the log says.
//!
//! Between two runs the index is removed, cut, overwritten with noise, swapped
//! for another one, or left behind by the log; then a command alone, and a
//! server, must answer `changes`, `history` and `blame` as before and end well.
//! An index that could not be used stands aside as `index.damaged-…`. A command
//! that does not end is a failure like any other.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{
    Dice, Server, cli, copy_folder, eventually, files_below, fixture, has, segments,
};
use tempfile::TempDir;

/// What is asked each time.
const QUESTIONS: [&[&str]; 4] = [
    &["changes"],
    &["history", "1", "--all", "--subprofiles"],
    &["history", "2/1000002"],
    &["blame", "3", "--at", "2030-01-01"],
];

fn answers(data: &Path) -> Vec<String> {
    QUESTIONS
        .iter()
        .map(|words| cli(data, words).ok())
        .collect()
}

fn post(server: &Server, bodies: &[&str]) {
    let mut client = server.client();
    for body in bodies {
        client.post("/webhook", body).seq();
    }
}

/// A folder that has taken part of the stream, and that nothing uses.
fn filled(data: &Path, bodies: &[&str]) {
    let server = Server::start(data, &[]);
    post(&server, bodies);
    // It is the whole index that is to be damaged.
    cli(data, &["changes"]).ok();
    server.stop();
}

struct Case {
    dir: TempDir,
    whole: PathBuf,
    expected: Vec<String>,
}

impl Case {
    fn new(events: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let whole = dir.path().join("whole");
        let stream = fixture("stream-2k.txt");
        let bodies: Vec<&str> = stream.lines().take(events).collect();
        filled(&whole, &bodies);
        let expected = answers(&whole);
        assert_eq!(set_aside(&whole), 0);
        Self {
            dir,
            whole,
            expected,
        }
    }

    /// Damages a copy and asks it, alone and through a server.
    fn check(&self, what: &str, aside: Aside, damage: impl Fn(&Path)) {
        let data = self.dir.path().join("damaged");
        for live in [false, true] {
            copy_folder(&self.whole, &data);
            damage(&data);
            if live {
                let server = Server::start(&data, &[]);
                assert_eq!(answers(&data), self.expected, "{what}, live");
                post(&server, &["type=click&profile=1"]);
                server.stop();
            } else {
                assert_eq!(answers(&data), self.expected, "{what}, offline");
            }
            let found = set_aside(&data);
            match aside {
                Aside::Must => assert!(found > 0, "{what}: nothing stands aside"),
                Aside::MustNot => assert_eq!(found, 0, "{what}"),
                Aside::May => {}
            }
            // It is mended for good.
            cli(&data, &["history", "1"]).ok();
            assert_eq!(set_aside(&data), found, "{what}: set aside again");
            fs::remove_dir_all(&data).unwrap();
        }
    }
}

#[derive(Clone, Copy)]
enum Aside {
    Must,
    MustNot,
    May,
}

/// How many indexes were set aside.
fn set_aside(data: &Path) -> usize {
    let names = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("index.damaged-"))
        .count()
}

/// The files of an index, by their path in it.
fn files(index: &Path) -> Vec<PathBuf> {
    let relative = |path: &PathBuf| path.strip_prefix(index).unwrap().to_owned();
    files_below(index).iter().map(relative).collect()
}

#[test]
fn an_index_that_is_gone_or_replaced() {
    let case = Case::new(600);
    let index = |data: &Path| data.join("index");
    case.check("deleted", Aside::MustNot, |data| {
        fs::remove_dir_all(index(data)).unwrap();
    });
    case.check("emptied", Aside::MustNot, |data| {
        fs::remove_dir_all(index(data)).unwrap();
        fs::create_dir(index(data)).unwrap();
    });
    case.check("a file", Aside::Must, |data| {
        fs::remove_dir_all(index(data)).unwrap();
        fs::write(index(data), "not a folder").unwrap();
    });
    let other = case.dir.path().join("other");
    filled(
        &other,
        &[
            "type=create&profile=1&fields[x]=y",
            "type=create&profile=900",
        ],
    );
    case.check("another folder's", Aside::Must, |data| {
        fs::remove_dir_all(index(data)).unwrap();
        copy_folder(&index(&other), &index(data));
    });
    for name in files(&index(&case.whole)) {
        case.check(&format!("without {}", name.display()), Aside::May, |data| {
            fs::remove_file(index(data).join(&name)).unwrap();
        });
    }
}

#[test]
fn an_index_of_another_version() {
    let case = Case::new(300);
    case.check("version 2", Aside::Must, |data| {
        let db = sled::open(data.join("index")).unwrap();
        let mut manifest = db.get("m").unwrap().unwrap().to_vec();
        assert_eq!(manifest[0], 1);
        manifest[0] = 2;
        db.insert("m", manifest).unwrap();
        db.flush().unwrap();
    });
}

#[test]
fn a_segment_that_is_put_back_heals_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let stream = fixture("stream-2k.txt");
    let bodies: Vec<&str> = stream.lines().take(700).collect();
    let server = Server::start(&data, &["--segment-size", "30KB", "--lookup", "mail"]);
    post(&server, &bodies);
    server.stop();
    cli(&data, &["seal"]).ok();
    let expected = answers(&data);
    let segments = segments(&data);
    assert!(segments.len() > 3, "{segments:?}");
    let backup = fs::read(&segments[1]).unwrap();
    let mut damaged = backup.clone();
    for byte in &mut damaged[200..] {
        *byte ^= 0x5A;
    }
    for live in [false, true] {
        fs::write(&segments[1], &damaged).unwrap();
        fs::remove_dir_all(data.join("index")).unwrap();
        let server = Server::start(&data, &["--lookup", "mail"]);
        eventually("the look-ups are begun", || {
            cli(&data, &["stats"])
                .stdout
                .contains(r#""fields":["mail"]"#)
        });
        server.stop();
        cli(&data, QUESTIONS[0]).failed(3);
        cli(&data, QUESTIONS[1]).failed(3);
        fs::write(&segments[1], &backup).unwrap();
        let server = live.then(|| Server::start(&data, &["--lookup", "mail"]));
        assert_eq!(answers(&data), expected, "live: {live}");
        if let Some(server) = server {
            server.stop();
        }
        let repaired = cli(&data, &["repair", "--yes"]);
        has(&repaired.stderr, &["nothing to repair"]);
        repaired.ok();
        assert_eq!(set_aside(&data), 0, "it was no damaged index");
        // The lookups of the fields are kept.
        let stats = cli(&data, &["stats", "--format", "jsonl"]).ok();
        assert!(
            stats.contains(r#""fields":["mail"]"#),
            "live: {live}: {stats}"
        );
    }
}

#[test]
fn an_index_that_is_behind_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let stream = fixture("stream-2k.txt");
    let bodies: Vec<&str> = stream.lines().take(700).collect();
    filled(&data, &bodies[..300]);
    let older = dir.path().join("older");
    copy_folder(&data.join("index"), &older);
    filled(&data, &bodies[300..]);
    let expected = answers(&data);
    fs::remove_dir_all(data.join("index")).unwrap();
    copy_folder(&older, &data.join("index"));
    assert_eq!(answers(&data), expected);
    assert_eq!(set_aside(&data), 0, "what is only behind is no damage");
}

#[test]
fn an_index_that_is_ahead_of_the_log_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let stream = fixture("stream-2k.txt");
    let bodies: Vec<&str> = stream.lines().take(700).collect();
    filled(&data, &bodies[..300]);
    let expected = answers(&data);
    let shorter = dir.path().join("shorter");
    copy_folder(&data.join("log"), &shorter);
    filled(&data, &bodies[300..]);
    assert_ne!(answers(&data), expected);
    let whole = dir.path().join("whole");
    copy_folder(&data, &whole);
    let shorten = |data: &Path| {
        fs::remove_dir_all(data.join("log")).unwrap();
        copy_folder(&shorter, &data.join("log"));
    };
    shorten(&data);
    assert_eq!(answers(&data), expected, "offline");
    assert_eq!(set_aside(&data), 1);
    shorten(&whole);
    let server = Server::start(&whole, &[]);
    assert_eq!(answers(&whole), expected, "live");
    // The numbers go on after what the log has, and mean something else now.
    assert_eq!(server.client().post("/webhook", bodies[500]).seq(), 301);
    server.stop();
    assert_eq!(set_aside(&whole), 1);
}

#[test]
fn an_index_that_is_cut_short() {
    let case = Case::new(600);
    for name in files(&case.whole.join("index")) {
        let len = fs::metadata(case.whole.join("index").join(&name))
            .unwrap()
            .len();
        for kept in [
            0,
            1,
            len / 4,
            len / 2,
            len - len / 10,
            len.saturating_sub(1),
        ] {
            case.check(
                &format!("{} cut to {kept} of {len}", name.display()),
                Aside::May,
                |data| {
                    let path = data.join("index").join(&name);
                    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                    file.set_len(kept).unwrap();
                },
            );
        }
    }
}

#[test]
fn an_index_that_is_overwritten_with_noise() {
    let case = Case::new(600);
    let mut dice = Dice(42);
    for name in files(&case.whole.join("index")) {
        let len = fs::metadata(case.whole.join("index").join(&name))
            .unwrap()
            .len();
        for round in 0..8 {
            // From a single byte to all of it.
            let size = if round == 0 { len } else { 1 << dice.below(12) };
            let from = dice.below(len.saturating_sub(size) + 1);
            let noise: Vec<u8> = (0..size.min(len)).map(|_| dice.next() as u8).collect();
            let what = format!("{size} bytes of noise at {from} of {}", name.display());
            case.check(&what, Aside::May, |data| {
                let path = data.join("index").join(&name);
                let mut bytes = fs::read(&path).unwrap();
                let from = from as usize;
                bytes[from..from + noise.len()].copy_from_slice(&noise);
                fs::write(&path, bytes).unwrap();
            });
        }
    }
}
