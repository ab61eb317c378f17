//! Checkpoints and proofs, by the real binary: checked by strangers, against a forger,
//! and over the life of a data folder.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use profiletrail::log::record::EventRecord;
use profiletrail::log::{Log, OpenMode, Scanned};
use profiletrail::proofs::{Vkey, check_bundle};
use profiletrail::storage::RealDisk;
use profiletrail::store::Folder;

use crate::support::api::{fill, text};
use crate::support::visitor::{Visitor, visited};
use crate::support::{
    Cli, clean, cli, copy_folder, fixture_path, flip, has, json_lines, new_server, segments,
};

const FILES: [&str; 8] = [
    "event.tlog-proof",
    "checkpoint",
    "leaf",
    "salt",
    "body",
    "vkey",
    "key.pem",
    "check.sh",
];

/// Events of as many days, in small segments.
pub(super) fn import(data: &Path, days: std::ops::Range<u64>) {
    let lines: Vec<String> = days
        .map(|day| {
            let time = chrono::DateTime::from_timestamp(1_500_000_000 + day as i64 * 86_400, 0);
            let time = time.unwrap().format("%Y-%m-%dT%H:%M:%S").to_string();
            format!(
                "{{\"seq\":{day},\"received\":\"{time}.000000Z\",\"remote\":null,\"label\":null,\"type\":\"update\",\"time\":\"{time}Z\",\"time_source\":\"time\",\
                 \"profile\":{},\"subprofile\":null,\"database\":1,\"collection\":null,\"created\":null,\"modified\":null,\"parameters\":{{}},\"fields\":{{\"v\":\"value {day}\"}},\"interests\":[],\"extra\":{{}}}}\n",
                day % 9 + 1
            )
        })
        .collect();
    for part in lines.chunks(40) {
        Cli::new(data, &["import", "--segment-size", "20KB"])
            .stdin(part.concat())
            .run()
            .ok();
    }
}

pub(super) fn key(data: &Path) -> String {
    cli(data, &["checkpoint", "--key"]).ok().trim().to_owned()
}

/// Writes today's checkpoint to a file.
fn save(data: &Path, path: &Path) -> String {
    let note = cli(data, &["checkpoint"]).ok();
    fs::write(path, &note).unwrap();
    note
}

fn since(data: &Path, path: &Path) -> String {
    cli(data, &["checkpoint", "--since", path.to_str().unwrap()]).ok()
}

pub(super) fn prove(data: &Path, seq: u64, dir: &Path) {
    let (seq, dir) = (seq.to_string(), dir.to_str().unwrap());
    cli(data, &["prove", &seq, "--out", dir]).ok();
}

fn checks(dir: &Path, key: &str) -> Result<u64, String> {
    let checked = check_bundle(
        &|name| fs::read(dir.join(name)),
        &Vkey::parse(key).unwrap().into(),
    )?;
    Ok(checked.seq)
}

fn by_shell(dir: &Path, key: &str) -> bool {
    let mut command = clean("sh");
    let output = command.arg(dir.join("check.sh")).arg(key).output().unwrap();
    output.status.success() && output.stdout.starts_with(b"proved: ")
}

fn by_python(dir: &Path, key: &str) -> bool {
    let script = fixture_path("verify_proof.py");
    let mut command = clean("python3");
    let output = command.arg(script).arg(dir).arg(key).output().unwrap();
    output.status.success()
}

/// What Go's own packages for its log of modules say.
pub(super) fn by_go(args: &[&str]) -> bool {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/install");
    let installed = clean(install).output().unwrap();
    let said = String::from_utf8_lossy(&installed.stderr);
    assert!(installed.status.success(), "{said}");
    let program = String::from_utf8(installed.stdout).unwrap();
    let output = clean(program.trim()).args(args).output().unwrap();
    output.status.success()
}

#[test]
fn strangers_check_a_proof_and_refuse_every_changed_byte() {
    let (place, server) = new_server(&["--segment-size", "20KB"]);
    let data = crate::support::data(&place);
    let mut client = server.client();
    for number in 0..300 {
        let body = format!("type=update&profile=7&time={number}&fields%5Bv%5D=%C3%A9%00{number}");
        client.post("/webhook/crm", body).seq();
    }
    let key = key(&data);
    let note = save(&data, &place.path().join("note"));
    let (origin, rest) = note.split_once('\n').unwrap();
    assert!(rest.starts_with("300\n") && key.starts_with(&format!("{origin}+")));
    for seq in [1, 7, 256, 257, 300] {
        let dir = place.path().join(format!("event-{seq}"));
        prove(&data, seq, &dir);
        assert_eq!(checks(&dir, &key), Ok(seq));
        assert!(by_python(&dir, &key), "{seq}");
        assert!(by_go(&["event", dir.to_str().unwrap(), &key]), "{seq}");
    }
    let other = new_server(&[]);
    let others = self::key(&crate::support::data(&other.0));
    let dir = place.path().join("event-7");
    assert!(by_shell(&dir, &key) && by_shell(&place.path().join("event-300"), &key));
    assert!(
        !by_shell(&dir, &others) && !by_python(&dir, &others) && checks(&dir, &others).is_err()
    );
    let shown = dir.to_str().unwrap();
    let check = |key: &str| Cli::bare(&["prove", "--check", shown, "--vkey", key]).run();
    let line = json_lines(&check(&key).ok()).remove(0);
    assert_eq!(
        (&line["seq"], &line["profile"], &line["size"]),
        (&7.into(), &7.into(), &300.into())
    );
    assert_eq!(
        fs::read(dir.join("body")).unwrap(),
        b"type=update&profile=7&time=6&fields%5Bv%5D=%C3%A9%006"
    );
    check(&others).failed(3);
    check("nonsense").failed(2);
    let mut places = Vec::new();
    for (number, name) in FILES.into_iter().enumerate() {
        let whole = fs::read(dir.join(name)).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << ((place + number) % 8);
            let read = |asked: &str| match asked == name {
                true => Ok(bytes.clone()),
                false => fs::read(dir.join(asked)),
            };
            let checked = check_bundle(&read, &Vkey::parse(&key).unwrap().into());
            assert!(checked.is_err(), "{name} {place}");
        }
        places.extend([(name, 0, whole.len() / 2), (name, 1, whole.len() - 1)]);
    }
    // It cannot check itself.
    for (name, bit, place) in places.into_iter().filter(|(name, ..)| *name != "check.sh") {
        let whole = fs::read(dir.join(name)).unwrap();
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << bit;
        fs::write(dir.join(name), bytes).unwrap();
        assert!(!by_shell(&dir, &key), "{name} {place}");
        if place + 1 != whole.len() && !["vkey", "key.pem"].contains(&name) {
            assert!(!by_python(&dir, &key), "{name} {place}");
        }
        if !["vkey", "key.pem"].contains(&name) {
            assert!(!by_go(&["event", shown, &key]), "{name} {place}");
        }
        let why = check(&key).failed(3);
        assert!(why.contains("not proved"), "{why}");
        fs::write(dir.join(name), whole).unwrap();
    }
    assert!(by_shell(&dir, &key));
    cli(&data, &["prove", "7", "--out", shown]).failed(2);
    let new = place.path().join("new");
    let why = cli(&data, &["prove", "301", "--out", new.to_str().unwrap()]).failed(1);
    assert!(
        why.contains("there is no event 301") && !new.exists(),
        "{why}"
    );
    // The same without a server, and nothing new to sign.
    server.stop();
    assert_eq!(cli(&data, &["checkpoint"]).ok(), note);
    prove(&data, 300, &new);
    assert_eq!(checks(&new, &key), Ok(300));
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = data.join("proofs").join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (mode(""), mode("key"), mode("tiles")),
        (0o700, 0o600, 0o600)
    );
}

#[test]
fn go_agrees_that_a_log_only_grew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut notes: Vec<PathBuf> = Vec::new();
    for (number, days) in [1..2, 2..4, 4..257, 257..300, 300..513, 513..700]
        .into_iter()
        .enumerate()
    {
        import(&data, days);
        let note = dir.path().join(format!("note-{number}"));
        save(&data, &note);
        let key = key(&data);
        let grown = dir.path().join("grown");
        for old in notes.iter().chain([&note]) {
            fs::write(&grown, since(&data, old)).unwrap();
            let args = [&grown, old].map(|path| path.to_str().unwrap());
            assert!(
                by_go(&["grown", args[0], args[1], &key]),
                "{old:?} {number}"
            );
        }
        if let Some(old) = notes.first() {
            // Another log's tree of that size is none of its beginnings.
            let proof = since(&data, &note);
            fs::write(&grown, proof).unwrap();
            let args = [&grown, old].map(|path| path.to_str().unwrap());
            assert!(!by_go(&["grown", args[0], args[1], &key]));
        }
        notes.push(note);
    }
}

#[test]
fn a_proof_is_the_same_over_http_and_on_the_page() {
    let (dir, server, visitor) = visited();
    let data = crate::support::data(&dir);
    fill(&server);
    let out = dir.path().join("out");
    prove(&data, 2, &out);
    let token = cli(
        &data,
        &["token", "create", "--name", "x", "--format", "jsonl"],
    )
    .ok();
    let token = format!(
        "Bearer {}",
        json_lines(&token)[0]["token"].as_str().unwrap()
    );
    let api = Visitor::new(server.api());
    let ask = |target: &str| {
        let reply = api.ask("GET", target, &[("Authorization", &token)], "");
        assert_eq!(reply.status, 200, "{target}");
        json_lines(text(&reply))
    };
    let lines = ask("/v1/proof/2");
    assert_eq!(lines.len(), FILES.len());
    let packed = visitor.get("/event/2/proof.zip");
    assert_eq!(packed.header("content-type"), Some("application/zip"));
    let mut packed = zip::ZipArchive::new(std::io::Cursor::new(packed.body)).unwrap();
    for line in &lines {
        let name = line["file"].as_str().unwrap();
        let bytes = fs::read(out.join(name)).unwrap();
        let sent =
            base64::engine::general_purpose::STANDARD.decode(line["content"].as_str().unwrap());
        assert_eq!(sent.unwrap(), bytes, "{name}");
        let mut own = Vec::new();
        let mut file = packed.by_name(&format!("event-2/{name}")).unwrap();
        file.read_to_end(&mut own).unwrap();
        assert_eq!(own, bytes, "{name}");
    }
    let checkpoint = ask("/v1/checkpoint").remove(0);
    let note = cli(&data, &["checkpoint"]).ok();
    assert_eq!(checkpoint["note"], note);
    let encoded = crate::support::visitor::encoded(&note);
    let since = ask(&format!("/v1/checkpoint?since={encoded}")).remove(0);
    assert_eq!(since["since"]["consistent"], true);
    let page = visitor.page("/event/2");
    assert!(page.contains("href=\"/event/2/proof.zip\""), "{page}");
    let size = checkpoint["size"].as_u64().unwrap();
    let start = visitor.page("/");
    assert!(start.contains(&format!("of {size} events")), "{start}");
    assert!(ask("/v1/proof/9999").is_empty());
    assert_eq!(visitor.get("/event/9999/proof.zip").status, 404);
    let dossier = json_lines(&cli(&data, &["dossier", "123", "--format", "jsonl"]).ok());
    assert_eq!(dossier[0]["checkpoint"], note);
    server.stop();
}

/// Rewrites the body of an event, all checksums, the tree and its signature, with the
/// real key.
pub(super) fn forge(data: &Path, seq: u64) {
    let id = Folder::peek(data).unwrap();
    let (path, new) = (data.join("log"), data.join("forged"));
    let storage = || Arc::new(RealDisk);
    let old = Log::open(storage(), &path, id, OpenMode::Read).unwrap().log;
    fs::create_dir(&new).unwrap();
    let segment_size = 20_000;
    let opened = Log::open(storage(), &new, id, OpenMode::Append { segment_size });
    let mut writer = opened.unwrap().writer.unwrap();
    let mut scan = old.scan(1);
    while let Some(found) = scan.step().unwrap() {
        let Scanned::Records(records) = found else {
            panic!("damage")
        };
        for (own, bytes) in records {
            let mut record = EventRecord::decode(bytes).unwrap();
            let body = String::from_utf8_lossy(record.body).replace("value", "VALUE");
            if own == seq {
                record.body = body.as_bytes();
            }
            writer.append(&[record.encode().unwrap()]).unwrap();
        }
    }
    drop(writer);
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&new, &path).unwrap();
    fs::remove_dir_all(data.join("index")).unwrap();
    for name in ["tiles", "partial", "checkpoint"] {
        fs::remove_file(data.join("proofs").join(name)).unwrap();
    }
}

#[test]
fn a_forger_with_the_real_key_is_exposed_by_the_checkpoint_of_yesterday() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    import(&data, 1..601);
    let (backup, alone) = (dir.path().join("backup"), dir.path().join("alone"));
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let old = backup.join("proofs/checkpoint");
    fs::copy(&old, &alone).unwrap();
    import(&data, 601..640);
    let verify = |old: &Path| cli(&data, &["verify", "--checkpoint", old.to_str().unwrap()]);
    verify(&old).ok();
    let proof = since(&data, &alone);
    assert!(proof.starts_with("old 600\n"), "{proof}");
    let key = key(&data);
    forge(&data, 300);
    let today = cli(&data, &["checkpoint"]).ok();
    assert_eq!(self::key(&data), key);
    cli(&data, &["verify"]).ok();
    let output = verify(&old);
    assert_eq!(output.status, Some(3));
    let differs = |output: &str| -> Vec<(u64, u64)> {
        let lines = json_lines(output).into_iter();
        lines
            .filter(|line| line["kind"] == "proof" && line["result"] == "differs")
            .map(|line| {
                (
                    line["first_seq"].as_u64().unwrap(),
                    line["last_seq"].as_u64().unwrap(),
                )
            })
            .collect()
    };
    assert_eq!(differs(&output.stdout), [(257, 512)]);
    let output = verify(&alone);
    assert_eq!(
        (differs(&output.stdout), output.status),
        (vec![(1, 600)], Some(3))
    );
    let why = cli(&data, &["checkpoint", "--since", alone.to_str().unwrap()]).failed(1);
    let root = |note: &str| note.lines().nth(2).unwrap().to_owned();
    let old_root = root(&fs::read_to_string(&alone).unwrap());
    has(&why, &[&old_root, &root(&today)]);
    // Of another log, or signed by nobody.
    let note = fs::read_to_string(&alone).unwrap();
    for (from, to) in [("profiletrail/", "profiletrail/0"), ("\n600\n", "\n599\n")] {
        fs::write(&alone, note.replace(from, to)).unwrap();
        assert_eq!(verify(&alone).status, Some(3));
        cli(&data, &["checkpoint", "--since", alone.to_str().unwrap()]).failed(3);
    }
}

#[test]
fn a_forged_event_under_an_untouched_tree_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    import(&data, 1..301);
    cli(&data, &["checkpoint"]).ok();
    let kept = dir.path().join("proofs");
    copy_folder(&data.join("proofs"), &kept);
    forge(&data, 20);
    copy_folder(&kept, &data.join("proofs"));
    let output = cli(&data, &["verify"]);
    has(&output.stdout, &["\"first_seq\":1,\"last_seq\":256"]);
    assert_eq!(output.status, Some(3));
    let out = dir.path().join("out");
    let why = cli(&data, &["prove", "20", "--out", out.to_str().unwrap()]).failed(3);
    assert!(why.contains("not those that the tree has"), "{why}");
}

/// Changes a byte of an event's body in the newest segment.
fn damage(data: &Path) {
    let mut paths = segments(data);
    paths.retain(|path| path.extension().is_some_and(|end| end == "log"));
    flip(paths.last().unwrap(), |bytes| bytes.len() / 3);
}

#[test]
fn proofs_outlive_seal_prune_restore_and_repair() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    import(&data, 1..601);
    let old = dir.path().join("old");
    save(&data, &old);
    let first = key(&data);
    let bundles = [30, 300, 600].map(|seq| {
        let out = dir.path().join(format!("event-{seq}"));
        prove(&data, seq, &out);
        out
    });
    let valid = |data: &Path| {
        for bundle in &bundles {
            checks(bundle, &first).unwrap();
        }
        assert!(since(data, &old).starts_with("old 600\n"));
        cli(data, &["verify", "--checkpoint", old.to_str().unwrap()]).ok();
    };
    import(&data, 601..660);
    cli(&data, &["seal"]).ok();
    valid(&data);
    let before = format!("@{}", 1_500_000_000 + 400 * 86_400);
    cli(&data, &["prune", "--before", &before, "--yes"]).ok();
    valid(&data);
    let refused = |data: &Path, seq: &str, word: &str| {
        let out = dir.path().join("none");
        let why = cli(data, &["prove", seq, "--out", out.to_str().unwrap()]).failed(1);
        assert!(why.contains(word) && !out.exists(), "{why}");
    };
    refused(&data, "30", "was pruned");
    refused(&data, "300", "was pruned");
    let kept = dir.path().join("event-450");
    prove(&data, 450, &kept);
    let (history, stats) = (
        cli(&data, &["history", "3"]).ok(),
        cli(&data, &["stats"]).ok(),
    );
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    assert!(!backup.join("proofs/key").exists());
    let restored = dir.path().join("restored");
    let output = cli(&restored, &["restore", backup.to_str().unwrap()]);
    assert!(output.stderr.contains("a new key"), "{}", output.stderr);
    output.ok();
    valid(&restored);
    assert_eq!(cli(&restored, &["history", "3"]).ok(), history);
    assert_eq!(cli(&restored, &["stats"]).ok(), stats);
    import(&restored, 700..720);
    let second = key(&restored);
    let name = |key: &str| key.split('+').next().unwrap().to_owned();
    assert!(
        name(&second).starts_with(&format!("{}/", name(&first))),
        "{second}"
    );
    valid(&restored);
    let new = dir.path().join("event-451");
    prove(&restored, 451, &new);
    assert_eq!(checks(&new, &second), Ok(451));
    // Events of the last tile, which were signed, are lost.
    let last = dir.path().join("last");
    save(&restored, &last);
    damage(&restored);
    cli(&restored, &["verify"]).failed(3);
    cli(&restored, &["repair", "--yes"]).ok();
    valid(&restored);
    assert!(since(&restored, &last).starts_with("old 679\n"));
    import(&restored, 720..800);
    valid(&restored);
    since(&restored, &last);
    let lost = cli(&restored, &["verify"]).ok();
    let lost = json_lines(&lost)
        .into_iter()
        .find(|line| line["kind"] == "lost")
        .unwrap();
    refused(&restored, &lost["first_seq"].to_string(), "lost");
}
