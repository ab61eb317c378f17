//! All checks in their order.

use std::path::PathBuf;

use serde::Serialize;

use super::disk::Disk;
use super::{
    Finding, LogFacts, Running, Settings, Verdict, backups, calls, certificate, descriptors, disk,
    dns, folder, index, owners, public, read_folder, server,
};
use crate::store::Folder;

/// What is to be checked.
pub struct Examination {
    /// The data folder.
    pub data: PathBuf,
    /// The settings that are known here; a running server's own come first.
    pub settings: Settings,
    /// Where a backup is kept.
    pub backup: Option<PathBuf>,
    /// Whether other machines may be asked: DNS, and the public address.
    pub outside: bool,
    /// What the running server tells; else why it could not be asked, where one
    /// is there.
    pub running: Result<Running, Option<String>>,
    /// The present second.
    pub now: i64,
}

/// What is known after all checks.
#[derive(Debug, Default)]
pub struct Found {
    /// How well the worst is.
    pub worst: Option<Verdict>,
    /// The addresses to enter in Copernica.
    pub addresses: Vec<Address>,
}

/// An address to enter in Copernica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The whole of it.
    pub address: String,
    /// The label in it.
    pub label: Option<String>,
}

/// Checks everything, and hands each finding to `tell` when it is there.
pub fn examine(examination: &Examination, tell: &mut dyn FnMut(Finding)) -> Found {
    let mut found = Found::default();
    let mut put = |finding: Finding| {
        found.worst = found.worst.max(Some(finding.result));
        tell(finding);
    };
    let Examination { data, now, .. } = examination;
    let running = examination.running.as_ref().ok();
    let settings = match running {
        Some(running) => running.settings.clone().or(examination.settings.clone()),
        None => examination.settings.clone(),
    };
    put(folder::format(data));
    owners::files(data).into_iter().for_each(&mut put);
    put(server::runs(
        &examination.running,
        Folder::holder(data).as_ref(),
    ));
    if let (Some(listen), Some(_)) = (settings.listen, running) {
        put(server::listens(listen, settings.tls_cert.is_some()));
    }
    if let Some(running) = running {
        put(index::state(running.indexed));
        if let Some((fields, up_to)) = &running.lookup {
            put(index::lookup(fields, *up_to, running.indexed.1));
        }
    }
    of_system(examination, &settings, running, &mut put);
    let log = match running {
        Some(running) => Ok(running.log.clone()),
        None => read_folder(data),
    };
    if let Ok(disk) = Disk::of(data) {
        let growth = log.as_ref().ok().and_then(|log| log.growth);
        put(disk::room(disk, settings.min_free.unwrap_or(0), growth));
        put(disk::files(disk));
    }
    let shown = data.to_string_lossy();
    // Why there is none, the check of the folder has told.
    if let Ok(log) = &log {
        put(calls::last_event(
            log.last_received,
            *now,
            settings.alert_after,
        ));
        put(calls::rejected(log.rejected_lately, &shown));
    }
    if let Some(running) = running {
        put(calls::signatures(running.signed.as_ref()));
        running.signed.iter().map(calls::refused).for_each(&mut put);
    }
    put(calls::clock(
        running.and_then(|running| running.signed.as_ref()),
    ));
    if let Some(path) = &settings.tls_cert {
        put(certificate::file(path, &settings.public_hosts, *now));
    }
    of_outside(examination.outside, &settings, &mut put);
    put(backups::age(examination.backup.as_deref(), &shown, *now));
    found.addresses = addresses(&settings.public_hosts, log.ok().as_ref());
    found
}

fn of_system(
    examination: &Examination,
    settings: &Settings,
    running: Option<&Running>,
    put: &mut dyn FnMut(Finding),
) {
    let Some(max_connections) = settings.max_connections else {
        return;
    };
    let own = || rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let open_files = match running {
        Some(running) => running.open_files,
        None => own().unwrap_or(u64::MAX),
    };
    let is_live = examination.running.is_ok();
    put(descriptors::limit(open_files, max_connections, is_live));
}

fn of_outside(outside: bool, settings: &Settings, put: &mut dyn FnMut(Finding)) {
    if !outside {
        let way = "leave --offline out".to_owned();
        let what = "nothing was asked of other machines";
        put(Finding::unknown("dns", what, Some(way.clone())));
        put(Finding::unknown("public", what, Some(way)));
        return;
    }
    put(dns::answers(
        settings.key_domain.as_deref(),
        settings.dns_server,
    ));
    for host in &settings.public_hosts {
        put(public::host(host));
    }
    if settings.public_hosts.is_empty() {
        put(Finding::unknown(
            "public",
            "it is not known under which name the server is called",
            Some("name it with --public-host, to have it tried".to_owned()),
        ));
    }
}

/// The addresses of each host: without a label, and with those that were seen.
fn addresses(hosts: &[String], log: Option<&LogFacts>) -> Vec<Address> {
    let unknown = ["YOUR-HOST".to_owned()];
    let hosts = if hosts.is_empty() { &unknown } else { hosts };
    let labels = log.map_or(&[][..], |log| &log.labels);
    let mut addresses = Vec::new();
    for host in hosts {
        addresses.push(Address {
            address: format!("https://{host}/webhook"),
            label: None,
        });
        addresses.extend(labels.iter().map(|label| Address {
            address: format!("https://{host}/webhook/{label}"),
            label: Some(label.clone()),
        }));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examination(data: PathBuf) -> Examination {
        Examination {
            data,
            settings: Settings::default(),
            backup: None,
            outside: false,
            running: Err(None),
            now: 0,
        }
    }

    #[test]
    fn a_folder_that_is_not_there_does_not_end_the_checks() {
        let dir = tempfile::tempdir().unwrap();
        let mut checks = Vec::new();
        let data = dir.path().join("none");
        let found = examine(&examination(data), &mut |finding| {
            checks.push(finding.check)
        });
        assert_eq!(
            checks,
            ["folder", "server", "clock", "dns", "public", "backup"]
        );
        assert_eq!(found.worst, Some(Verdict::Problem));
        assert_eq!(found.addresses[0].address, "https://YOUR-HOST/webhook");
        assert!(!dir.path().join("none").exists());
    }

    #[test]
    fn a_servers_own_settings_come_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut examination = examination(dir.path().to_owned());
        let hosts = |host: &str| Settings {
            public_hosts: vec![host.to_owned()],
            ..Settings::default()
        };
        examination.settings = hosts("flag.example");
        examination.running = Ok(Running {
            settings: hosts("real.example"),
            log: LogFacts {
                labels: vec!["crm".to_owned()],
                ..LogFacts::default()
            },
            ..Running::default()
        });
        let found = examine(&examination, &mut |_| ());
        let addresses: Vec<_> = found
            .addresses
            .iter()
            .map(|it| it.address.as_str())
            .collect();
        let expected = [
            "https://real.example/webhook",
            "https://real.example/webhook/crm",
        ];
        assert_eq!(addresses, expected);
    }
}
