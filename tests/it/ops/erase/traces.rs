//! Nothing of the person is left in any file, nor in memory.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use profiletrail::log::salt::{SaltTree, Salts};
use profiletrail::store::FILES;
use serde_json::Value;

use super::{CANARIES, PERSON, erase, found_in, found_within, import, line, lines};
use crate::support::{
    Cli, Server, clean, cli, files_below, fixture_path, has, json_lines, new_server,
};

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
            let found = found_within(bytes, &CANARIES);
            assert_eq!(found, Vec::<&str>::new(), "{target:?}");
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
        has(&why, &[&said, &format!("receipt {receipt}")]);
    }
    let changes = cli(&data, &["changes"]);
    has(&changes.stderr, &["1 profile was erased"]);
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
    has(&why, &["was erased", &format!("prove {receipt}")]);
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
    let files = files_below(&data);
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
