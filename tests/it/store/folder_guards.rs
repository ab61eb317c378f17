//! What must leave a data folder as it is: a command of another user, and a server
//! that cannot listen.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{BODY, Server, clean, cli, new_server};

/// Every file and folder below a folder with its owner, and the content of files.
fn content(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::symlink_metadata(&path).unwrap();
            let mut bytes = Vec::new();
            if data.is_dir() {
                folders.push(path.clone());
            } else if data.is_file() {
                bytes = fs::read(&path).unwrap();
            }
            all.insert(path, (data.uid(), bytes));
        }
    }
    all
}

/// A data folder with an event, looked up by its mail address, that nobody uses.
fn stopped_server() -> (tempfile::TempDir, PathBuf) {
    let (dir, server) = new_server(&["--lookup", "mail"]);
    assert_eq!(server.client().post("/webhook", BODY).status, 200);
    let data = crate::support::data(&dir);
    cli(&data, &["find", "mail=a"]).ok();
    server.stop();
    (dir, data)
}

fn give_to(dir: &Path, owner: u32) {
    for path in content(dir).keys() {
        chown(path, Some(owner), Some(owner)).unwrap();
    }
    chown(dir, Some(owner), Some(owner)).unwrap();
}

#[test]
fn a_command_of_another_user_changes_nothing_and_says_how_to_ask() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a folder to another user");
        return;
    }
    let (_dir, data) = stopped_server();
    let owner = 54_321;
    give_to(&data, owner);
    let before = content(&data);
    let commands: [&[&str]; 14] = [
        &["history", "5"],
        &["show", "5"],
        &["blame", "5"],
        &["diff", "5", "--from", "2020-01-01"],
        &["changes"],
        &["export"],
        &["find", "mail=a"],
        &["tail"],
        &["report"],
        &["rejected"],
        &["stats"],
        &["verify"],
        &["seal"],
        &["prune", "--before", "2020-01-01", "--dry-run"],
    ];
    for command in commands {
        let error = cli(&data, command).failed(3);
        assert!(
            error.contains("sudo -u '#54321' profiletrail"),
            "{command:?}: {error}"
        );
    }
    let (status, log) = Server::try_start(&data, &[]).unwrap_err();
    assert_eq!(status, Some(3), "{log}");
    assert!(log.contains("sudo -u '#54321'"), "{log}");
    // No command says that the folder is missing to a user who may not look into it.
    for command in ["history 5", "doctor --offline", "serve"] {
        let program = env!("CARGO_BIN_EXE_profiletrail");
        let mut unprivileged = clean("setpriv");
        unprivileged.args(["--bounding-set", "-dac_override,-dac_read_search", program]);
        unprivileged
            .args(command.split(' '))
            .arg("--data")
            .arg(&data);
        let output = unprivileged.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("this user may not read"), "{said}");
        assert!(said.contains("sudo -u '#54321' profiletrail"), "{said}");
    }
    assert_eq!(content(&data), before);
    // The owner, here root again, is answered.
    give_to(&data, 0);
    cli(&data, &["history", "5"]).ok();
}

#[test]
fn a_server_that_cannot_listen_changes_nothing() {
    let (dir, data) = stopped_server();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let before = content(&data);
    for args in [["--listen", &address], ["--api", &address]] {
        let (status, log) = Server::try_start(&data, &args).unwrap_err();
        assert_eq!(status, Some(3), "{log}");
        assert!(log.contains("cannot listen"), "{log}");
        assert_eq!(content(&data), before, "{args:?}");
    }
    let absent = dir.path().join("absent");
    Server::try_start(&absent, &["--listen", &address]).unwrap_err();
    assert!(!absent.exists());
}

fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

/// The data folder as it was stopped, with the file `name` moved away, which is returned.
fn without(name: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (dir, data) = stopped_server();
    let aside = dir.path().join("aside");
    let place = data.join(name);
    match place.exists() {
        true => fs::rename(&place, &aside).unwrap(),
        false => fs::write(&aside, "not ours").unwrap(),
    }
    (dir, data, aside)
}

#[test]
fn a_symbolic_link_in_place_of_a_file_is_not_followed() {
    let commands: [(&str, &[&str]); 4] = [
        ("lock", &["history", "5"]),
        ("format", &["history", "5"]),
        ("tokens", &["token", "list"]),
        ("tokens.lock", &["token", "create"]),
    ];
    for (name, command) in commands {
        let (dir, data, aside) = without(name);
        let before = fs::read(&aside).unwrap();
        symlink(&aside, data.join(name)).unwrap();
        let error = cli(&data, command).failed(3);
        assert!(error.contains("symbolic link"), "{name}: {error}");
        assert!(error.contains(name), "{name}: {error}");
        if matches!(name, "lock" | "format") {
            let (status, log) = Server::try_start(&data, &[]).unwrap_err();
            assert_eq!(status, Some(3), "{name}: {log}");
            assert!(log.contains("symbolic link"), "{name}: {log}");
        }
        assert_eq!(fs::read(&aside).unwrap(), before, "{name}");
        // Nothing is created where a dangling link points.
        let absent = dir.path().join("absent");
        fs::remove_file(data.join(name)).unwrap();
        symlink(&absent, data.join(name)).unwrap();
        cli(&data, command).failed(3);
        assert!(!absent.exists(), "{name}");
    }
}

#[test]
fn a_cursor_file_that_is_a_symbolic_link_is_not_followed() {
    let (dir, data, _) = without("cursor");
    let (target, cursor) = (dir.path().join("target"), dir.path().join("cursor"));
    symlink(&target, &cursor).unwrap();
    let command = ["tail", "--cursor-file", cursor.to_str().unwrap()];
    let error = cli(&data, &command).failed(3);
    assert!(error.contains("symbolic link"), "{error}");
    assert!(!target.exists());
}

#[test]
fn folders_in_the_data_folder_are_no_symbolic_links_but_it_may_be_one() {
    for name in ["log", "index"] {
        let (dir, data, aside) = without(name);
        symlink(&aside, data.join(name)).unwrap();
        let before = content(&aside);
        let error = cli(&data, &["history", "5"]).failed(3);
        assert!(error.contains("is a symbolic link"), "{error}");
        assert!(error.contains("move the whole data folder"), "{error}");
        Server::try_start(&data, &[]).unwrap_err();
        assert_eq!(content(&aside), before);
        fs::remove_file(data.join(name)).unwrap();
        fs::rename(&aside, data.join(name)).unwrap();
        let link = dir.path().join("link");
        symlink(&data, &link).unwrap();
        cli(&link, &["history", "5"]).ok();
    }
}

#[test]
fn a_pipe_in_place_of_a_file_keeps_nothing_waiting() {
    let (_dir, data, _) = without("format");
    fifo(&data.join("format"));
    fifo(&data.join("tokens"));
    for command in [["history", "5"], ["token", "list"]] {
        let error = cli(&data, &command).failed(3);
        assert!(error.contains("not a regular file"), "{error}");
    }
    Server::try_start(&data, &[]).unwrap_err();

    // The keys are only a cache.
    let (dir, data, _) = without("keys");
    fifo(&data.join("keys"));
    let signed = ["--copernica-id", "7", "--public-host", "x.example"];
    let log = Server::start(&data, &signed).stop();
    assert!(log.contains("the stored keys are ignored"), "{log}");

    let key = dir.path().join("key.pem");
    fifo(&key);
    let key = key.to_str().unwrap();
    for path in [key, "/dev/zero"] {
        let args = ["--tls-cert", path, "--tls-key", path];
        let (_, log) = Server::try_start(&data, &args).unwrap_err();
        assert!(log.contains("not a regular file"), "{log}");
        let error = cli(&data, &["--env-file", path, "stats"]).failed(2);
        assert!(error.contains("not a regular file"), "{error}");
    }

    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    fs::remove_file(backup.join("format")).unwrap();
    fifo(&backup.join("format"));
    let restored = dir.path().join("restored");
    let error = cli(&restored, &["restore", backup.to_str().unwrap()]).failed(3);
    assert!(error.contains("not a regular file"), "{error}");
}

#[test]
fn a_server_warns_of_a_folder_that_others_may_use() {
    let (_dir, data) = stopped_server();
    let warning = "other users may access the data folder";
    assert!(!Server::start(&data, &[]).stop().contains(warning));
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let log = Server::start(&data, &[]).stop();
    assert!(log.contains(warning) && log.contains("chmod"), "{log}");
}
