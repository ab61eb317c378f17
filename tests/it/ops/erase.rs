//! `erase`, driven as an operator drives it, searched by a stranger, and killed.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use profiletrail::log::salt::{SaltTree, Salts};
use profiletrail::store::FILES;
use serde_json::Value;

use crate::support::{Cli, Server, clean, cli, fixture_path, json_lines, new_server};

/// The person; the subprofile's number has too few digits to be found in any text.
pub(super) const PERSON: u64 = 47_110_815;

/// What nobody else has, one for each place where a person can be.
pub(super) const CANARIES: [&str; 9] = [
    "canaryfield7f3a91c2",
    "canaryname5b0d44e8@example.com",
    "canaryinterest1ee07d",
    "canaryparameter92c0b",
    "canarybaseline66d1fa",
    "canaryrejected03bf5e",
    "canarysubprofile8a42",
    "canarytorn0d9e11c7b5",
    "canarylookup40c2e8aa@example.com",
];

fn moment(time: i64) -> String {
    let time = chrono::DateTime::from_timestamp(time, 0).unwrap();
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A line that `import` takes, of an event that arrived a second after it happened.
fn line(profile: u64, subprofile: Option<u64>, time: i64, event_type: &str, value: &str) -> String {
    let subprofile = subprofile.map_or("null".to_owned(), |own| own.to_string());
    format!(
        "{{\"seq\":1,\"received\":\"{}.000000Z\",\"remote\":null,\"label\":null,\"type\":\"{event_type}\",\"time\":\"{}Z\",\
         \"time_source\":\"time\",\"profile\":{profile},\"subprofile\":{subprofile},\"database\":1,\"collection\":null,\"created\":null,\
         \"modified\":null,\"parameters\":{{}},\"fields\":{{\"v\":\"{value}\"}},\"interests\":[],\"extra\":{{}}}}\n",
        moment(time + 1),
        moment(time),
    )
}

/// Events of others and of the person, one a day each.
pub(super) fn lines(days: std::ops::Range<i64>, with_person: bool) -> String {
    let mut lines = String::new();
    for day in days {
        let time = 1_500_000_000 + day * 86_400;
        lines += &line(
            day as u64 % 30 + 1,
            None,
            time,
            "update",
            &format!("value {day}"),
        );
        if with_person && day % 7 == 3 {
            let subprofile = (day % 2 == 0).then_some(31);
            lines += &line(PERSON, subprofile, time, "update", CANARIES[0]);
        }
    }
    if with_person {
        lines += &line(PERSON, None, 1_690_000_000, "delete", "");
    }
    lines
}

pub(super) fn import(data: &Path, lines: &str) {
    for part in lines.split_inclusive('\n').collect::<Vec<_>>().chunks(40) {
        Cli::new(data, &["import", "--segment-size", "20KB"])
            .stdin(part.concat())
            .run()
            .ok();
    }
}

pub(super) fn erase(data: &Path, more: &[&str]) -> Vec<Value> {
    let person = PERSON.to_string();
    let all = [&["erase", &person, "--reason", "asked for it"], more].concat();
    json_lines(&cli(data, &all).ok())
}

fn files_in(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files_in(&entry.path(), files),
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

/// Whether a text is in the bytes as they are, or after every place where zstd begins.
fn holds(bytes: &[u8], text: &str) -> bool {
    let has = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|found| found == text.as_bytes())
    };
    const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
    let starts = bytes.windows(4).enumerate();
    let mut starts = starts.filter(|(_, found)| *found == MAGIC);
    has(bytes)
        || starts.any(|(at, _)| {
            let mut plain = Vec::new();
            let decoder = zstd::Decoder::new(&bytes[at..]).unwrap().single_frame();
            let _ = std::io::Read::read_to_end(&mut { decoder }, &mut plain);
            has(&plain)
        })
}

/// The files of a folder in which one of the texts occurs.
pub(super) fn found_in(dir: &Path, texts: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    files_in(dir, &mut files);
    let mut found = Vec::new();
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let own = texts.iter().filter(|text| holds(&bytes, text));
        found.extend(own.map(|text| format!("{text} in {}", file.display())));
    }
    found
}

/// The texts that a process has in the memory that it may write to.
fn in_memory<'a>(pid: u32, texts: &[&'a str]) -> Vec<&'a str> {
    use std::os::unix::fs::FileExt;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (begin, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [begin, end] = [begin, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - begin).unwrap()];
        // Some pages of the kernel's own cannot be read.
        if memory.read_exact_at(&mut bytes, begin).is_ok() {
            let is_there = |text: &&&str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
            found.extend(texts.iter().filter(is_there));
        }
    }
    found
}

#[test]
fn nothing_of_an_erased_person_is_left_in_any_file_and_a_receipt_is() {
    let (dir, server) = new_server(&[]);
    let data = crate::support::data(&dir);
    server.stop();
    // What was pruned, in a baseline; calls; a rejected one; and what a crash has cut short.
    let early = line(PERSON, None, 1_400_000_000, "create", CANARIES[4]);
    import(&data, &(early + &lines(0..200, false)));
    cli(&data, &["prune", "--before", "@1505000000", "--yes"]).ok();
    let server = Server::start(&data, &["--lookup", "mail", "--segment-size", "20KB"]);
    let mut client = server.client();
    let person = |client: &mut crate::support::Client, more: &str| {
        client
            .post(
                "/webhook/crm",
                format!("profile={PERSON}&database=1&{more}"),
            )
            .seq()
    };
    let mut seqs = Vec::new();
    for number in 0..200 {
        let other = number % 30 + 1;
        let body = format!(
            "type=update&profile={other}&database=1&time={}&fields%5Bv%5D=other{number}",
            1_700_000_000 + number
        );
        client.post("/webhook/crm", body).seq();
        if number % 40 == 7 {
            let [field, name, interest, parameter, ..] = CANARIES;
            seqs.push(person(&mut client, &format!(
                "type=update&time={}&fields%5Bv%5D={field}&fields%5B{name}%5D=1&interests%5B{interest}%5D=1\
                 &parameters%5Bv%5D={parameter}&fields%5Bmail%5D={}",
                1_700_000_000 + number, CANARIES[8],
            )));
            seqs.push(person(
                &mut client,
                &format!(
                    "type=update&subprofile=31&time={}&fields%5Bw%5D={}",
                    1_700_000_000 + number,
                    CANARIES[6]
                ),
            ));
        }
    }
    seqs.push(person(&mut client, "type=delete&time=1700001000"));
    let mut reject = |body: String| assert_eq!(client.post("/webhook", body).status, 400);
    reject(format!("profile={PERSON}&x={}", CANARIES[5]));
    reject(format!(
        "mail={}&x={}",
        CANARIES[8].replace('@', "%40"),
        CANARIES[5]
    ));
    reject("profile=1&x=other".to_owned());
    let note = dir.path().join("note");
    fs::write(&note, cli(&data, &["checkpoint"]).ok()).unwrap();
    let other = dir.path().join("other");
    let other_seq = (seqs[0] - 1).to_string();
    cli(
        &data,
        &["prove", &other_seq, "--out", other.to_str().unwrap()],
    )
    .ok();
    let key = cli(&data, &["checkpoint", "--key"]).ok();
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let torn = data.join("log/00000000000000000001.log.torn-20260101T000000Z");
    fs::write(&torn, CANARIES[7]).unwrap();
    let before = found_in(&data, &CANARIES);
    for canary in CANARIES {
        assert!(
            before.iter().any(|found| found.contains(canary)),
            "{canary}: {before:?}"
        );
    }
    assert!(!found_in(&backup, &CANARIES).is_empty());

    let would = erase(&data, &["--dry-run"]).remove(0);
    assert_eq!(
        (
            &would["events"],
            &would["subprofiles"],
            &would["baselines"],
            &would["rejected"]
        ),
        (
            &(seqs.len() as u64).into(),
            &serde_json::json!([31]),
            &1.into(),
            &2.into()
        ),
        "{would}"
    );
    let files = would["files"].to_string();
    for place in ["log/0", "rejected/0", "baselines", "index"] {
        assert!(files.contains(place), "{files}");
    }
    let after = found_in(&data, &CANARIES);
    assert!(
        CANARIES
            .iter()
            .all(|canary| after.iter().any(|found| found.contains(canary)))
    );
    let person = PERSON.to_string();
    let shown = cli(&data, &["history", &person]).ok();

    let done = erase(&data, &["--yes", "--backup", backup.to_str().unwrap()]).remove(0);
    let receipt = done["receipt"].as_u64().unwrap();
    assert_eq!(
        (&done["events"], done["dry_run"].as_bool()),
        (&would["events"], Some(false))
    );
    assert_eq!(found_in(&data, &CANARIES), Vec::<String>::new());
    assert_eq!(found_in(&backup, &CANARIES), Vec::<String>::new());
    // Nor in a deleted file that the server holds open.
    for entry in fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap() {
        let path = entry.unwrap().path();
        let target = fs::read_link(&path).unwrap_or_default();
        if target.to_string_lossy().ends_with("(deleted)") {
            let bytes = fs::read(&path).unwrap_or_default();
            assert!(
                CANARIES.iter().all(|text| !holds(&bytes, text)),
                "{target:?}"
            );
        }
    }

    // What answers say.
    for question in [
        &["history", &person][..],
        &["show", &person],
        &["blame", &person],
    ] {
        let why = cli(&data, question).failed(1);
        let said = format!("profile {person} was erased on 2");
        assert!(
            why.contains(&said) && why.contains(&format!("receipt {receipt}")),
            "{why}"
        );
    }
    let changes = cli(&data, &["changes"]);
    assert!(
        changes.stderr.contains("1 profile was erased"),
        "{}",
        changes.stderr
    );
    assert!(!changes.ok().contains(&person));
    let value = format!("mail={}", CANARIES[8]);
    cli(&data, &["find", &value]).failed(1);
    assert!(shown.contains(CANARIES[0]));
    let verified = json_lines(&cli(&data, &["verify"]).ok());
    assert_eq!(verified.last().unwrap()["damages"], 0);
    let rejected = cli(&data, &["rejected"]).ok();
    assert!(
        rejected.contains("other") && rejected.lines().count() == 1,
        "{rejected}"
    );

    // Proofs.
    let why = cli(
        &data,
        &["prove", &seqs[0].to_string(), "--out", "/nowhere/x"],
    )
    .failed(1);
    assert!(
        why.contains("was erased") && why.contains(&format!("prove {receipt}")),
        "{why}"
    );
    let out = dir.path().join("receipt");
    let (shown, receipt) = (out.to_str().unwrap(), receipt.to_string());
    cli(&data, &["prove", &receipt, "--out", shown]).ok();
    let checked = Cli::bare(&["prove", "--check", shown, "--vkey", key.trim()])
        .run()
        .ok();
    let checked = json_lines(&checked).remove(0);
    assert_eq!(
        (
            &checked["type"],
            &checked["erased"]["reason"],
            &checked["erased"]["events"]
        ),
        (&"erased".into(), &"asked for it".into(), &would["events"])
    );
    let by_shell = |dir: &Path| {
        let output = clean("sh")
            .arg(dir.join("check.sh"))
            .arg(key.trim())
            .output()
            .unwrap();
        output.status.success()
    };
    let by_python = |dir: &Path| {
        let script = fixture_path("verify_proof.py");
        clean("python3")
            .arg(script)
            .arg(dir)
            .arg(key.trim())
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(by_shell(&out) && by_python(&out) && by_shell(&other) && by_python(&other));
    let leaf = fs::read(out.join("leaf")).unwrap();
    for place in 0..leaf.len() {
        let mut bytes = leaf.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(out.join("leaf"), bytes).unwrap();
        let check = Cli::bare(&["prove", "--check", shown, "--vkey", key.trim()]);
        if place % 40 == 0 {
            check.run().failed(3);
            assert!(!by_shell(&out), "{place}");
        }
    }
    let proof = cli(&data, &["checkpoint", "--since", note.to_str().unwrap()]).ok();
    assert!(proof.starts_with("old "), "{proof}");
    cli(&data, &["verify", "--checkpoint", note.to_str().unwrap()]).ok();
    let again = dir.path().join("again");
    cli(
        &data,
        &["prove", &other_seq, "--out", again.to_str().unwrap()],
    )
    .ok();
    assert!(by_shell(&again));

    // A guesser who has the folder cannot derive a salt of an erased event.
    let format: Value = serde_json::from_slice(&fs::read(data.join("format")).unwrap()).unwrap();
    assert!(format.get("salt_root").is_none());
    let salts = base64::engine::general_purpose::STANDARD
        .decode(format["salts"].as_str().unwrap())
        .unwrap();
    let mut salts = Salts::new(SaltTree::decode(&salts).unwrap());
    assert!(seqs.iter().all(|seq| salts.salt(*seq).is_none()));
    assert!(salts.salt(seqs[0] - 1).is_some());

    // What arrives later begins anew, and the next start finds everything in its place.
    let body = format!("type=create&profile={PERSON}&database=1&time=1700002000&fields%5Bv%5D=new");
    server.client().post("/webhook/crm", body).seq();
    let history = json_lines(&cli(&data, &["history", &person]).ok());
    assert_eq!(history.len(), 1);
    server.stop();
    assert_eq!(json_lines(&cli(&data, &["history", &person]).ok()), history);
    // Nor in memory, after a restart.
    let server = Server::start(&data, &["--lookup", "mail"]);
    for question in ["changes", "export", "rejected"] {
        cli(&data, &[question]).ok();
    }
    // It has its own folder's name there.
    let known = data.to_str().unwrap();
    let mut found = in_memory(server.pid(), &[&CANARIES[..], &[known]].concat());
    found.dedup();
    assert_eq!(found, [known]);
    server.stop();
    let restored = dir.path().join("restored");
    cli(&restored, &["restore", backup.to_str().unwrap()]).ok();
    let why = cli(&restored, &["history", &person]).failed(1);
    assert!(why.contains("was erased on"), "{why}");
}

#[test]
fn others_have_the_answers_of_a_log_in_which_the_person_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let (data, never) = (dir.path().join("data"), dir.path().join("never"));
    import(&data, &lines(0..300, true));
    import(&never, &lines(0..300, false));
    erase(&data, &["--yes"]);
    for question in [
        &["changes"][..],
        &["changes", "--reverse", "--limit", "7"],
        &["history", "4"],
        &["show", "4", "--at", "@1520000000"],
        &["blame", "4"],
        &["report", "--by", "field"],
        &["gaps"],
        &["incidents"],
        &["loops"],
        &["find", "v=value 7"],
        &["stats"],
        &["export"],
    ] {
        let answer = |data: &Path| {
            let mut lines = json_lines(&cli(data, question).stdout);
            lines.retain(|line| line["type"] != "erased");
            for line in &mut lines {
                let line = line.as_object_mut().unwrap();
                // Numbers are given in the order of arrival; the folders are not equally large.
                for name in [
                    "seq",
                    "first_seq",
                    "last_seq",
                    "bytes",
                    "rejected_bytes",
                    "last_event",
                    "log_bytes",
                    "index_bytes",
                    "plain_segments",
                    "sealed_segments",
                ] {
                    line.remove(name);
                }
            }
            lines
        };
        assert_eq!(answer(&data), answer(&never), "{question:?}");
    }
}

#[test]
fn an_erasure_travels_in_an_export_and_is_repeated_on_an_older_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let all = lines(0..100, true);
    import(&data, &all);
    import(&copy, &all);
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let old = cli(&data, &["export", "--raw"]).ok();
    let line = cli(
        &data,
        &["erase", &PERSON.to_string(), "--reason", "asked", "--yes"],
    )
    .ok();
    let person = PERSON.to_string();
    // The other folder erases, too, and neither takes the events again.
    let export = cli(&data, &["export", "--raw"]).ok();
    Cli::new(&copy, &["import"])
        .stdin(export.clone())
        .run()
        .ok();
    let why = cli(&copy, &["history", &person]).failed(1);
    assert!(why.contains("was erased on"), "{why}");
    assert_eq!(found_in(&copy, &CANARIES), Vec::<String>::new());
    for folder in [&data, &copy] {
        let output = Cli::new(folder, &["import"]).stdin(old.clone()).run();
        assert!(
            output.stderr.contains("of erased profiles left out"),
            "{}",
            output.stderr
        );
        cli(folder, &["history", &person]).failed(1);
    }
    // An empty folder learns of it, and so refuses the old events.
    let new = dir.path().join("new");
    Cli::new(&new, &["import"]).stdin(export.clone()).run().ok();
    Cli::new(&new, &["import"]).stdin(old).run().ok();
    cli(&new, &["history", &person]).failed(1);

    for (name, lines) in [("line", &line), ("export", &export)] {
        let file = dir.path().join(name);
        fs::write(&file, lines).unwrap();
        let restored = dir.path().join(format!("restored-{name}"));
        let asked = [
            "restore",
            backup.to_str().unwrap(),
            "--erasures",
            file.to_str().unwrap(),
        ];
        cli(&restored, &asked).ok();
        let why = cli(&restored, &["history", &person]).failed(1);
        assert!(why.contains("was erased on"), "{why}");
        assert_eq!(found_in(&restored, &CANARIES), Vec::<String>::new());
        assert!(!dir.path().join(format!("restored-{name}.erasing")).exists());
        cli(&restored, &["history", "4"]).ok();
    }
    let file = dir.path().join("line");
    let asked = [
        "restore",
        backup.to_str().unwrap(),
        "--erasures",
        file.to_str().unwrap(),
    ];
    let why = cli(&data, &asked).failed(3);
    assert!(why.contains("exists and is not empty"), "{why}");
    assert!(!dir.path().join("data.erasing").exists());
    let wrong = dir.path().join("wrong");
    fs::write(&wrong, "nonsense\n").unwrap();
    let target = dir.path().join("target");
    let asked = [
        "restore",
        backup.to_str().unwrap(),
        "--erasures",
        wrong.to_str().unwrap(),
    ];
    let why = cli(&target, &asked).failed(2);
    assert!(why.contains("line 1") && !target.exists(), "{why}");
}

#[test]
fn an_erasure_under_load_takes_nobody_else_s_events() {
    let (dir, server) = new_server(&["--segment-size", "20KB"]);
    let data = crate::support::data(&dir);
    let mut client = server.client();
    for number in 0..300 {
        // Every other event: whole blocks keep some of the others.
        let profile = if number % 2 == 0 { PERSON } else { 7 };
        let body =
            format!("type=update&profile={profile}&time={number}&fields%5Bv%5D={number:0200}");
        client.post("/webhook", body).seq();
    }
    // A subprofile of the person, who gave it away.
    for (profile, time) in [(PERSON, 500), (8, 501)] {
        let body =
            format!("type=update&profile={profile}&subprofile=77&time={time}&fields%5Bv%5D=x");
        client.post("/webhook", body).seq();
    }
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut client = server.client();
            for number in 0..400 {
                let body = format!("type=update&profile=9&time={number}&fields%5Bv%5D={number}");
                client.post("/webhook", body).seq();
            }
            400
        });
        let done = erase(&data, &["--yes", "--still-present"]).remove(0);
        assert_eq!(
            (&done["events"], done["receipt"].is_u64()),
            (&151.into(), true)
        );
        sender.join().unwrap()
    });
    let count = |profile: &str| json_lines(&cli(&data, &["history", profile]).stdout).len();
    let counts = (
        count("7"),
        count("8/77"),
        count("9"),
        count(&PERSON.to_string()),
    );
    assert_eq!(counts, (150, 1, sent, 0));
    // Erased again, with what has come since.
    let body = format!("type=update&profile={PERSON}&time=900&fields%5Bv%5D=x");
    client.post("/webhook", body).seq();
    let again = erase(&data, &["--yes", "--still-present"]).remove(0);
    assert_eq!(again["events"], 1);
    // A call that names only the subprofile is of its new owner.
    let gone = client.post("/webhook", "type=delete&subprofile=77&time=950");
    assert_eq!((gone.status, count("8/77")), (200, 2));
    server.stop();
    let verified = json_lines(&cli(&data, &["verify"]).ok());
    let summary = verified.last().unwrap();
    assert_eq!(
        (&summary["damages"], &summary["pruned"]),
        (&0.into(), &152.into())
    );
    // Who removes an event in secret is found out.
    let format = fs::read_to_string(data.join("format")).unwrap();
    let begin = format.find(",\"erasures\":").unwrap();
    let end = begin + format[begin..].find(']').unwrap() + 1;
    fs::write(
        data.join("format"),
        [&format[..begin], &format[end..]].concat(),
    )
    .unwrap();
    let output = cli(&data, &["verify"]);
    assert_eq!(output.status, Some(3));
    assert!(
        output.stdout.contains("neither a prune nor the receipt"),
        "{}",
        output.stdout
    );
}

#[test]
fn what_arrives_during_an_erasure_is_counted_in_it_or_kept() {
    let (dir, server) = new_server(&["--segment-size", "20KB"]);
    let data = crate::support::data(&dir);
    let send = |calls: std::ops::Range<u64>| {
        let mut client = server.client();
        for call in calls {
            let body = format!(
                "type=update&profile={PERSON}&subprofile={}&time={call}&fields%5Bv%5D={call}",
                call % 50 + 1
            );
            client.post("/webhook", body).seq();
        }
    };
    send(0..30);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| send(30..600));
        erase(&data, &["--yes", "--still-present"]).remove(0)
    });
    let left = cli(&data, &["export"]).ok();
    let left = json_lines(&left)
        .iter()
        .filter(|line| line["profile"] == PERSON && line["type"] == "update")
        .count() as u64;
    let erased = done["events"].as_u64().unwrap();
    assert_eq!(erased + left, 600, "{done}");
    assert!(erased >= 30);
    let subprofiles = done["subprofiles"].as_array().unwrap().len() as u64;
    assert_eq!(subprofiles, erased.min(50), "{done}");
    let receipt = dir.path().join("receipt");
    let out = receipt.to_str().unwrap();
    cli(
        &data,
        &["prove", &done["receipt"].to_string(), "--out", out],
    )
    .ok();
    let record = fs::read(receipt.join("leaf")).unwrap();
    let record: Value = serde_json::from_slice(&record[1..]).unwrap();
    assert_eq!(record["erased"]["events"], done["events"]);
    assert_eq!(record["erased"]["subprofiles"], done["subprofiles"]);
    server.stop();
}

#[test]
fn what_cannot_be_erased_is_said_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    import(&data, &lines(0..60, true));
    let before = cli(&data, &["export"]).ok();
    let refuse = |args: &[&str], status: i32, says: &str| {
        let all = [&["erase"], args].concat();
        let why = cli(&data, &all).failed(status);
        assert!(why.contains(says), "{args:?}: {why}");
        assert_eq!(cli(&data, &["export"]).ok(), before);
    };
    refuse(&["4", "--reason", "x", "--yes"], 3, "--still-present");
    refuse(&["4", "--reason", " ", "--yes"], 2, "--reason");
    refuse(&["4", "--yes"], 2, "--reason");
    refuse(&["--reason", "x", "--yes"], 2, "PROFILE");
    refuse(&["4", "--reason", "x"], 2, "--dry-run");
    refuse(
        &["999999", "--reason", "x", "--yes"],
        1,
        "nothing is known of profile 999999",
    );
    let list = dir.path().join("list");
    fs::write(&list, "4\n\nfour\n").unwrap();
    let shown = list.to_str().unwrap();
    refuse(&["--file", shown, "--reason", "x", "--yes"], 2, "line 3");
    fs::write(&list, "\n").unwrap();
    refuse(
        &["--file", shown, "--reason", "x", "--yes"],
        2,
        "lists no profile",
    );
    refuse(
        &[
            &PERSON.to_string(),
            "--reason",
            "x",
            "--yes",
            "--backup",
            shown,
        ],
        2,
        "is no backup",
    );
    // Many at once, of whom one is unknown.
    fs::write(&list, format!("{PERSON}\n 5 \n999999\n")).unwrap();
    let asked = [
        "erase",
        "--file",
        shown,
        "--reason",
        "x",
        "--yes",
        "--still-present",
    ];
    let lines = json_lines(&cli(&data, &asked).ok());
    let profiles: Vec<_> = lines
        .iter()
        .map(|line| line["profile"].as_u64().unwrap())
        .collect();
    assert_eq!(profiles, [5, PERSON]);
    assert!(lines.iter().all(|line| line["receipt"].is_u64()));
    let table = cli(
        &data,
        &[
            "erase",
            "6",
            "--reason",
            "x",
            "--yes",
            "--still-present",
            "--format",
            "table",
        ],
    )
    .ok();
    assert!(
        table.starts_with("profile 6: erased 2 events; the receipt is number "),
        "{table}"
    );
}

#[test]
fn every_file_of_a_data_folder_is_in_the_table() {
    let (dir, server) = new_server(&[]);
    let data = crate::support::data(&dir);
    server.stop();
    import(&data, &lines(0..100, false));
    let server = Server::start(&data, &["--lookup", "v", "--segment-size", "20KB"]);
    let mut client = server.client();
    for number in 0..100 {
        let body = format!("type=update&profile=7&time={number}&fields%5Bv%5D={number:0400}");
        client.post("/webhook", body).seq();
    }
    assert_eq!(client.post("/webhook", "nothing=1").status, 400);
    cli(&data, &["token", "create", "--name", "reader"]).ok();
    cli(&data, &["checkpoint"]).ok();
    cli(&data, &["seal"]).ok();
    fs::write(dir.path().join("copernica.txt"), "x").unwrap();
    let file = dir.path().join("copernica.txt");
    cli(&data, &["validation", "add", file.to_str().unwrap()]);
    server.stop();
    cli(&data, &["prune", "--before", "@1505000000", "--yes"]).ok();
    let mut files = Vec::new();
    files_in(&data, &mut files);
    for file in &files {
        let path = file.strip_prefix(&data).unwrap().to_str().unwrap();
        assert!(FILES.iter().any(|file| file.matches(path)), "{path}");
    }
    let has = |text: &str| {
        files
            .iter()
            .any(|file| file.to_string_lossy().contains(text))
    };
    for part in [
        "/log/",
        "/rejected/",
        "/index/",
        "/proofs/",
        "/tokens",
        "/format",
        "/baselines/",
    ] {
        assert!(has(part), "{part}");
    }
    // What can hold something of a person says what becomes of it.
    assert!(
        FILES
            .iter()
            .all(|file| file.holds.is_empty() == file.erased.is_empty())
    );
    let table = fs::read_to_string(fixture_path("../../docs/erasure.md")).unwrap();
    for file in FILES.iter().filter(|file| !file.holds.is_empty()) {
        let (holds, erased) = (file.holds, file.erased);
        assert!(
            table.contains(&format!("| {holds} | {erased} |")),
            "{holds}: {erased}"
        );
    }
}
