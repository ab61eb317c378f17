//! `doctor`: checks a server for common problems, and suggests solutions.
//!
//! Each check is a small function from [`Facts`] to a [`Finding`]; [`CHECKS`] is
//! their table. Facts come from the running server ([`Running`], over its
//! socket), because it knows its own settings; without a server they come from
//! the folder and the flags.
//!
//! Nothing is changed, not even in the folder of a stopped server: it is read without its
//! lock and without its index, so that another user leaves no files there. Not here:
//! damage in the log, which `verify` finds, and the clocks of other machines, except for
//! the sender's clock in its signed calls.

mod certificate;
#[cfg(feature = "nats")]
mod cluster;
mod facts;
mod finding;
mod health;
mod machine;
mod network;
mod service;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

pub use facts::{LogFacts, Refused, Running, Settings, last_received, read_folder};
pub use finding::{Finding, Verdict};

use crate::format::shell;

/// An address to enter in Copernica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Address {
    /// The whole address.
    pub address: String,
    /// The label in it.
    pub label: Option<String>,
}

/// What the checks look at.
pub struct Facts {
    data: PathBuf,
    /// The data folder as one word of a shell command.
    data_word: String,
    /// The settings of this command; a running server's own take precedence.
    pub settings: Settings,
    /// Where backups are kept.
    pub backup: Option<PathBuf>,
    /// Whether to ask other machines: DNS, and the public address.
    pub outside: bool,
    /// What the running server says; else why it could not be asked, or `None`
    /// if none runs.
    pub contact: Result<Running, Option<String>>,
    /// `None` if the logs cannot be read; the check of the folder says why.
    log: Option<LogFacts>,
    /// The present moment in Unix seconds.
    now: i64,
}

impl Facts {
    /// Those of a data folder at a moment, without a server.
    pub fn new(data: PathBuf, now: i64) -> Self {
        Self {
            data_word: shell(&data.to_string_lossy()),
            data,
            settings: Settings::default(),
            backup: None,
            outside: false,
            contact: Err(None),
            log: None,
            now,
        }
    }

    fn running(&self) -> Option<&Running> {
        self.contact.as_ref().ok()
    }
}

/// A check; it has no finding if it does not apply.
type Check = fn(&Facts) -> Vec<Finding>;

/// The names of the checks, which are the same in every version, in their order.
const CHECKS: &[(&str, Check)] = &[
    ("folder", machine::folder),
    ("files", machine::files),
    ("server", service::server),
    ("listen", service::listen),
    ("index", service::index),
    ("lookup", service::lookup),
    ("proofs", service::proofs),
    ("countersigners", service::countersigners),
    ("erasure", service::erasure),
    #[cfg(feature = "nats")]
    ("cluster", cluster::cluster),
    #[cfg(feature = "nats")]
    ("nats", cluster::nats),
    ("descriptors", machine::descriptors),
    ("disk", machine::disk),
    ("inodes", machine::inodes),
    ("events", service::events),
    ("rejected", service::rejected),
    ("signatures", service::signatures),
    ("refused", service::refused),
    ("clock", service::clock),
    ("certificate", certificate::certificate),
    ("dns", network::dns),
    ("public", network::public),
    ("validation", network::validation),
    ("backup", machine::backup),
];

/// Runs all checks, and hands over each finding at once. Returns the addresses to enter in
/// Copernica.
pub fn examine(mut facts: Facts, each: &mut dyn FnMut(Finding)) -> Vec<Address> {
    match facts.contact.as_ref().ok().cloned() {
        Some(running) => {
            facts.settings = running.settings.or(facts.settings);
            facts.log = Some(running.log);
        }
        None => facts.log = read_folder(&facts.data),
    }
    for (check, run) in CHECKS {
        for finding in run(&facts) {
            each(Finding { check, ..finding });
        }
    }
    addresses(&facts)
}

/// The addresses of each host: without a label, and with each label seen.
fn addresses(facts: &Facts) -> Vec<Address> {
    let unknown = ["YOUR-HOST".to_owned()];
    let hosts = match facts.settings.public_hosts.as_slice() {
        [] => &unknown,
        hosts => hosts,
    };
    let labels = facts.log.iter().flat_map(|log| &log.labels);
    let labels: Vec<_> = labels.map(Some).collect();
    let mut addresses = Vec::new();
    for host in hosts {
        for label in std::iter::once(&None).chain(&labels) {
            let end = label.map_or_else(String::new, |label| format!("/{label}"));
            addresses.push(Address {
                address: format!("https://{host}/webhook{end}"),
                label: label.cloned(),
            });
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The facts of a folder without a server.
    pub(super) fn facts(data: &Path) -> Facts {
        Facts::new(data.to_owned(), 0)
    }

    /// The only finding.
    pub(super) fn one(mut found: Vec<Finding>) -> Finding {
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn a_missing_folder_does_not_end_the_checks() {
        let dir = tempfile::tempdir().unwrap();
        let mut checks = Vec::new();
        let data = dir.path().join("none");
        let addresses = examine(facts(&data), &mut |finding| {
            checks.push((finding.check, finding.result));
        });
        assert_eq!(checks[0], ("folder", Verdict::Problem));
        let names: Vec<_> = checks.iter().map(|(check, _)| *check).collect();
        assert_eq!(
            names,
            ["folder", "server", "clock", "dns", "public", "backup"]
        );
        assert_eq!(addresses[0].address, "https://YOUR-HOST/webhook");
        assert!(!dir.path().join("none").exists());
    }
}
