//! What must leave a data folder as it is: a command of another user, and a server
//! that cannot listen.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use crate::support::{BODY, Server, cli, new_server};

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
