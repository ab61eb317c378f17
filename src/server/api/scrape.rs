//! The server's state at the moment of a scrape.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::worker::Shared;
#[cfg(feature = "nats")]
use crate::cluster::Status;
use crate::event::{now_micros, now_seconds};
use crate::metrics::{family, gauge};
use crate::storage::bytes_of;

/// Everything that is not counted.
pub(super) struct State(pub Arc<Shared>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl Collector for State {
    /// Lists the folder's files, one for each segment.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        let (trail, parts) = (&self.0.parts.trail, &self.0.parts);
        let (folder, progress) = (trail.folder(), trail.index().progress());
        let bytes = |folder: &Path| folder.is_dir().then(|| bytes_of(folder));
        // Unknown values have no sample.
        let mut put = |name: &str, help: &str, value: Option<u64>| match value {
            Some(value) => gauge(out, name, help, None, value),
            None => Ok(()),
        };
        let last = Some(trail.last_seq()).filter(|last| *last > 0);
        put("last_event", "The last event's number", last)?;
        let lag = Some(progress.last.saturating_sub(progress.applied));
        let help = "Events that are synced and not indexed";
        put("index_lag_events", help, lag)?;
        put("index_bytes", "Files of the index", bytes(&folder.index()))?;
        let unsealed = Some(trail.unsealed_segments() as u64);
        let help = "Closed segments that wait to be sealed";
        put("segments_unsealed", help, unsealed)?;
        let help = "Free space on the data folder's disk";
        put("disk_free_bytes", help, parts.health.disk.free())?;
        put("resident_memory_bytes", "Memory of the process", resident())?;
        let silent = Some(parts.inactivity.is_alarm().into());
        let help = "1 if no event came for longer than --alert-after";
        put("silent", help, silent)?;
        let held = Some(self.0.questions.held().into());
        let help = "Questions over HTTP that are being answered or wait";
        put("questions_under_way", help, held)?;
        let seconds = Some(&Unit::Seconds);
        if let Some(last) = parts.inactivity.last_event() {
            let age = now_micros().saturating_sub(last).max(0).unsigned_abs();
            let age = Duration::from_micros(age).as_secs_f64();
            let help = "Time since the last event arrived";
            gauge(out, "last_event_age", help, seconds, age)?;
        }
        let last_age = *parts.refusals.last_age.lock();
        if let Some(age) = last_age {
            let help = "How far the last verified call's date was behind this machine's clock";
            gauge(out, "last_signed_date_age", help, seconds, age)?;
        }
        if let Some(anchor) = trail.prover().last_anchor() {
            let age = now_seconds() - anchor.time;
            let help = "Time since somebody else signed a checkpoint, too";
            gauge(out, "last_anchor_age", help, seconds, age.max(0) as f64)?;
            let help = "The last event that this checkpoint has";
            gauge(out, "last_anchor_event", help, None, anchor.size)?;
        }
        let logs = [("events", folder.log()), ("rejected", folder.rejected())];
        let logs = logs
            .iter()
            .filter_map(|(log, path)| Some(([("log", *log)], bytes(path)?)));
        family(out, "log_bytes", "Files of the logs", logs)?;
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", env!("PROFILETRAIL_COMMIT")),
            ("target", env!("PROFILETRAIL_TARGET")),
        ];
        let help = "What this program was built from";
        family(out, "build_info", help, std::iter::once((build, 1)))?;
        #[cfg(feature = "nats")]
        if let Some(cluster) = &parts.health.cluster {
            encode_cluster(cluster, out)?;
        }
        self.encode_frontends(out)
    }
}

/// The state of the cluster that this is a node of.
#[cfg(feature = "nats")]
fn encode_cluster(cluster: &Status, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let facts = cluster.facts();
    let mut put = |name: &str, help: &str, value: u64| gauge(out, name, help, None, value);
    let help = "Messages of the stream that this node has not applied yet";
    put("cluster_lag_messages", help, facts.lag)?;
    let help = "1 while this node takes calls for the cluster";
    put("cluster_ready", help, facts.trouble.is_none().into())?;
    let help = "1 if the log of this node is not that of the others";
    put("cluster_diverged", help, cluster.is_diverged().into())?;
    let help = "1 while the NATS servers may still have what was erased";
    put("cluster_erased_in_stream", help, facts.has_erased.into())?;
    let mut count = |name: &str, help: &str, value: u64| {
        let mut counter = out.encode_descriptor(name, help, None, MetricType::Counter)?;
        counter.encode_counter::<NoLabelSet, _, u64>(&value, None)
    };
    let help = "Groups of calls of which it was not known in time whether they are kept";
    count("cluster_in_doubt", help, facts.in_doubt)?;
    let help = "Messages of the stream that came more than once";
    count("cluster_redelivered", help, facts.redelivered)
}

impl State {
    fn encode_frontends(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let frontends = [
            ("webhook", self.0.parts.webhook.snapshot()),
            ("api", self.0.answers.snapshot()),
        ];
        let each = || frontends.iter();
        let phases = each().flat_map(|(name, stats)| {
            let phases = stats.phases.iter();
            phases.map(|(phase, count)| ([("gate", *name), ("phase", *phase)], *count))
        });
        family(out, "connections", "Open connections, by phase", phases)?;
        let help = "Requests that the frontend answered itself, by status";
        let mut refused = out.encode_descriptor("gate_refused", help, None, MetricType::Counter)?;
        for (name, stats) in each() {
            for (status, count) in &stats.refused {
                let labels = [("gate", *name), ("status", *status)];
                let mut counter = refused.encode_family(&labels)?;
                counter.encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let help = "Complete requests that wait in the frontend";
        let waiting = each().map(|(name, stats)| ([("gate", *name)], stats.waiting));
        family(out, "gate_waiting_requests", help, waiting)?;
        let help = "Requests that are being answered";
        let in_flight = each().map(|(name, stats)| ([("gate", *name)], stats.in_flight));
        family(out, "gate_under_way_requests", help, in_flight)
    }
}

/// The resident memory in bytes; the kernel reports KiB.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.saturating_mul(1024))
}
