//! `scripts/install` into a folder of its own: what it puts where, again over
//! what is there, and what it takes away.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{BINARY, Cli, Outcome, clean, files_below, has};

fn install(root: &Path, args: &[&str]) -> Outcome {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install");
    let mut command = clean(script);
    command.arg("--root").arg(root).args(args);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome {
        status: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Every file below a folder, with its mode.
fn files(root: &Path) -> BTreeMap<String, u32> {
    let with_mode = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        (name.to_owned(), mode)
    };
    files_below(root).into_iter().map(with_mode).collect()
}

const UNITS: [&str; 6] = [
    "profiletrail.service",
    "profiletrail.socket",
    "profiletrail-backup.service",
    "profiletrail-backup.timer",
    "profiletrail-pull.service",
    "profiletrail-pull.timer",
];

fn expected(prefix: &str) -> BTreeMap<String, u32> {
    // A page for each command, and one for all.
    let dir = tempfile::tempdir().unwrap();
    Cli::bare(&["man", "--dir", dir.path().to_str().unwrap()])
        .run()
        .ok();
    let pages: Vec<String> = files(dir.path()).into_keys().collect();
    for page in ["profiletrail.1", "profiletrail-history.1"] {
        assert!(pages.iter().any(|known| known == page), "{pages:?}");
    }
    let pages = pages.into_iter();
    let mut all: BTreeMap<String, u32> = pages
        .map(|page| (format!("{prefix}/share/man/man1/{page}"), 0o644))
        .collect();
    for place in [
        "bash-completion/completions/profiletrail",
        "zsh/site-functions/_profiletrail",
        "fish/vendor_completions.d/profiletrail.fish",
    ] {
        all.insert(format!("{prefix}/share/{place}"), 0o644);
    }
    all.extend(UNITS.map(|unit| (format!("etc/systemd/system/{unit}"), 0o644)));
    all.extend([
        ("etc/profiletrail.env".to_owned(), 0o644),
        ("etc/profiletrail.env.example".to_owned(), 0o644),
        (format!("{prefix}/bin/profiletrail"), 0o755),
        (format!("{prefix}/bin/profiletrail-pull"), 0o755),
    ]);
    all
}

#[test]
fn an_upgrade_keeps_what_was_written_and_nothing_takes_data_away() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let said = install(root, &["--binary", BINARY]).ok();
    has(&said, &["systemctl enable --now profiletrail"]);
    assert_eq!(files(root), expected("usr/local"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let unit = read("etc/systemd/system/profiletrail.service");
    assert!(unit.contains("ExecStart=/usr/local/bin/profiletrail serve\n"));
    let page = read("usr/local/share/man/man1/profiletrail-history.1");
    assert!(page.contains("Newest first"), "{page}");
    // Of a command that is no more.
    fs::write(root.join("usr/local/share/man/man1/profiletrail-old.1"), "").unwrap();
    let backups = root.join("var/backups/profiletrail");
    let mode = backups.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    // Again, after settings, data and backups are there.
    let settings = "PROFILETRAIL_LISTEN=127.0.0.1:8081\n";
    fs::write(root.join("etc/profiletrail.env"), settings).unwrap();
    fs::write(backups.join("manifest.json"), "{}").unwrap();
    let data = root.join("var/lib/profiletrail/log");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("00000000000000000001.log"), "x").unwrap();
    let mut before = files(root);
    before.remove("usr/local/share/man/man1/profiletrail-old.1");
    let said = install(root, &["--binary", BINARY]).ok();
    assert!(said.contains("systemctl restart profiletrail"), "{said}");
    assert_eq!(files(root), before);
    assert_eq!(read("etc/profiletrail.env"), settings);

    // The other way round, twice.
    for _ in 0..2 {
        install(root, &["--uninstall"]).ok();
        let left: Vec<String> = files(root).into_keys().collect();
        let kept = [
            "etc/profiletrail.env",
            "var/backups/profiletrail/manifest.json",
            "var/lib/profiletrail/log/00000000000000000001.log",
        ];
        assert_eq!(left, kept);
    }
}

#[test]
fn the_prefix_stands_in_the_unit_and_low_ports_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    install(root, &["--binary", BINARY, "--prefix", "/opt/p-1/"]).ok();
    assert_eq!(files(root), expected("opt/p-1"));
    let unit = root.join("etc/systemd/system/profiletrail.service");
    let text = fs::read_to_string(&unit).unwrap();
    assert!(text.contains("ExecStart=/opt/p-1/bin/profiletrail serve\n"));
    let pull = fs::read_to_string(root.join("opt/p-1/bin/profiletrail-pull")).unwrap();
    has(&pull, &[" /opt/p-1/bin/profiletrail import "]);
    assert!(!text.contains("CAP_NET_BIND_SERVICE"));
    install(root, &["--binary", BINARY, "--low-port"]).ok();
    let drop_in = root.join("etc/systemd/system/profiletrail.service.d/low-port.conf");
    let text = fs::read_to_string(&drop_in).unwrap();
    assert!(text.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE\n"));
    install(root, &["--uninstall"]).ok();
    assert!(!drop_in.parent().unwrap().exists());
}

#[test]
fn what_is_wrong_is_said_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (args, status, reason) in [
        (&["--prefix", "opt"][..], 2, "absolute path"),
        (&["--prefix", "/opt/a b"], 2, "absolute path"),
        (&["--prefix", "/opt/%h"], 2, "absolute path"),
        (&["--prefix"], 2, "--prefix needs a value"),
        (&["--everything"], 2, "--everything is not known"),
        (&["--binary", "/nowhere"], 3, "/nowhere is not a program"),
        (
            &["--binary", "/bin/false"],
            3,
            "does not run on this machine",
        ),
    ] {
        let said = install(root, args).failed(status);
        assert!(said.contains(reason), "{args:?}: {said}");
    }
    assert_eq!(files(root), BTreeMap::new());
}

#[test]
fn the_settings_file_has_every_setting_that_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/profiletrail.env.example");
    let text = fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line));
    let names = lines.filter_map(|line| Some(line.split_once('=')?.0));
    let mut named: Vec<&str> = names
        .filter(|name| name.starts_with("PROFILETRAIL_"))
        .collect();
    named.sort_unstable();
    // What clap says of the server, of its diagnosis, and of an answer.
    let asked = [
        &["--help"][..],
        &["serve", "--help"],
        &["doctor", "--help"],
        &["history", "--help"],
    ];
    let help = asked.map(|args| Cli::bare(args).run().ok()).concat();
    let settings = help.split("[env:").skip(1);
    let settings = settings.map(|rest| rest.split('=').next().unwrap().trim());
    let mut settings: Vec<&str> = settings.collect();
    settings.sort_unstable();
    settings.dedup();
    // It cannot name itself.
    settings.retain(|name| *name != "PROFILETRAIL_ENV_FILE");
    // Of the script that adds another receiver's events.
    settings.extend(["PROFILETRAIL_PEER", "PROFILETRAIL_PEER_TOKEN"]);
    // Of a build with that feature.
    if !cfg!(feature = "nats") {
        named.retain(|name| !name.starts_with("PROFILETRAIL_NATS"));
    }
    settings.sort_unstable();
    assert_eq!(named, settings);
}

#[test]
fn an_old_binary_is_not_put_in_place() {
    // A checkout in which cargo is not to be used, as under sudo.
    let dir = tempfile::tempdir().unwrap();
    let checkout = dir.path().join("checkout");
    for folder in ["scripts", "src", "target/dist"] {
        fs::create_dir_all(checkout.join(folder)).unwrap();
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = ["install", "profiletrail-pull", "profiletrail.env.example"];
    for name in UNITS.into_iter().chain(others) {
        let name = Path::new("scripts").join(name);
        fs::copy(source.join(&name), checkout.join(&name)).unwrap();
    }
    let binary = checkout.join("target/dist/profiletrail");
    let root = dir.path().join("root");
    fs::write(checkout.join("Cargo.lock"), "").unwrap();
    let run = || {
        // Not run by itself: a child of another test's may hold the fresh copy
        // open for a moment, and then it is busy.
        let mut command = clean("bash");
        command.arg(checkout.join("scripts/install"));
        command.arg("--root").arg(&root).env("SUDO_USER", "someone");
        command.env_remove("CARGO_TARGET_DIR");
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (status, said) = run();
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("cargo build --profile dist"), "{said}");
    fs::copy(BINARY, &binary).unwrap();
    let (status, said) = run();
    assert_eq!(status, Some(0), "{said}");
    let newer = fs::File::create(checkout.join("src/main.rs")).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    newer.set_modified(later).unwrap();
    let (status, said) = run();
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("older than its sources"), "{said}");
}
