//! The server's metrics in the OpenMetrics text format.
//!
//! [`Metrics`] counts what happens; it is cheap to clone, and counting is an atomic addition, once
//! for a group of calls. What exists anyway (sizes, lengths, ages) is passed in as [`Gauges`] for
//! each scrape.
//!
//! A call is *accepted* once it is synced, *rejected* if it could not be read and is kept as such,
//! and *refused* if nothing of it is kept.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The prefix of all names.
const PREFIX: &str = "profiletrail";

/// Counters by the value of one label.
type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// The counters of a server; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    accepted: Counter,
    rejected: Labelled,
    refused: Labelled,
    commit: Histogram,
    group: Histogram,
    questions: Labelled,
    queued: Gauge,
}

/// The state at the moment of a scrape.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// The last event's number.
    pub events: u64,
    /// Events that are synced and not indexed.
    pub lag: u64,
    /// Bytes of the log of events, and of that of rejected calls.
    pub log: [u64; 2],
    /// Bytes of the index.
    pub index: u64,
    /// Closed segments that are to be sealed.
    pub unsealed: usize,
    /// Free bytes on the data folder's disk, if known.
    pub free: Option<u64>,
    /// The process's resident memory in bytes, if known.
    pub memory: Option<u64>,
    /// The time since the last event was received, if there is one.
    pub age: Option<Duration>,
    /// Whether that is longer than it may be.
    pub silent: bool,
    /// The counters of the frontends, by name.
    pub frontends: Vec<(&'static str, crate::frontend::StatsSnapshot)>,
    /// The age in seconds of the last verified call's date at its receipt.
    pub signed_age: Option<i64>,
    /// Questions over HTTP that are answered or wait.
    pub asked: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All counters are zero.
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix(PREFIX),
            accepted: Counter::default(),
            rejected: Family::default(),
            refused: Family::default(),
            commit: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            group: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            questions: Family::default(),
            queued: Gauge::default(),
        };
        let registry = &mut inner.registry;
        registry.register(
            "calls_accepted",
            "Calls that were synced and answered 200",
            inner.accepted.clone(),
        );
        registry.register(
            "calls_rejected",
            "Calls that could not be read and are kept, by status",
            inner.rejected.clone(),
        );
        registry.register(
            "calls_refused",
            "Calls of which nothing is kept, by reason",
            inner.refused.clone(),
        );
        registry.register_with_unit(
            "commit",
            "Writing and syncing a group of calls",
            Unit::Seconds,
            inner.commit.clone(),
        );
        registry.register(
            "commit_group_calls",
            "Calls in a group",
            inner.group.clone(),
        );
        registry.register(
            "questions",
            "Requests to the query API, by outcome",
            inner.questions.clone(),
        );
        registry.register(
            "committer_queue_calls",
            "Calls that wait for the committer",
            inner.queued.clone(),
        );
        Self(Arc::new(inner))
    }

    /// Calls were accepted.
    pub fn accepted(&self, calls: u64) {
        self.0.accepted.inc_by(calls);
    }

    /// A call was rejected with a status, and kept.
    pub fn rejected(&self, status: u16) {
        let status = match status {
            400 => "400",
            401 => "401",
            404 => "404",
            413 => "413",
            415 => "415",
            _ => "other",
        };
        self.0.rejected.get_or_create(&[("status", status)]).inc();
    }

    /// A call was refused, and nothing of it is kept. The reasons are few, and in `snake_case`.
    pub fn refused(&self, reason: &'static str) {
        self.0.refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// A group of calls was committed within this time.
    pub fn committed(&self, calls: usize, took: Duration) {
        self.0.commit.observe(took.as_secs_f64());
        // Groups are small.
        let calls = u32::try_from(calls).map_or(f64::MAX, f64::from);
        self.0.group.observe(calls);
    }

    /// So many calls wait for the committer.
    pub fn queued(&self, calls: usize) {
        let calls = i64::try_from(calls).unwrap_or(i64::MAX);
        self.0.queued.set(calls);
    }

    /// A request to the query API had this outcome.
    pub fn asked(&self, outcome: &'static str) {
        let questions = &self.0.questions;
        questions.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// All metrics as text.
    pub fn text(&self, gauges: Gauges) -> String {
        let mut state = Registry::with_prefix(PREFIX);
        state.register_collector(Box::new(gauges));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, &self.0.registry)
            .and_then(|()| encode_registry(&mut text, &state))
            .and_then(|()| encode_eof(&mut text));
        text
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        gauge(
            out,
            "last_event",
            "The last event's number",
            None,
            self.events,
        )?;
        let help = "Events that are synced and not indexed";
        gauge(out, "index_lag_events", help, None, self.lag)?;
        let logs = ["events", "rejected"].into_iter().zip(self.log);
        let logs = logs.map(|(log, bytes)| ([("log", log)], bytes));
        family(out, "log_bytes", "Files of the logs", logs)?;
        gauge(out, "index_bytes", "Files of the index", None, self.index)?;
        let help = "Closed segments that are to be sealed";
        gauge(out, "segments_unsealed", help, None, self.unsealed)?;
        let help = "Free on the data folder's disk; -1 if unknown";
        gauge(out, "disk_free_bytes", help, None, or_unknown(self.free))?;
        let help = "Memory of the process; -1 if unknown";
        gauge(
            out,
            "resident_memory_bytes",
            help,
            None,
            or_unknown(self.memory),
        )?;
        let help = "Since the last event came; -1 if there is none";
        let age = self.age.map_or(-1.0, |age| age.as_secs_f64());
        gauge(out, "last_event_age", help, Some(&Unit::Seconds), age)?;
        let help = "1 if no event came for longer than --alert-after";
        gauge(out, "silent", help, None, u32::from(self.silent))?;
        let help = "What the last verified call's date was behind this machine's clock";
        let age = self.signed_age.unwrap_or(0);
        gauge(out, "last_signed_date_age", help, Some(&Unit::Seconds), age)?;
        let help = "Questions over HTTP that are answered or wait";
        gauge(out, "questions_under_way", help, None, self.asked)?;
        self.encode_frontends(out)
    }
}

impl Gauges {
    fn encode_frontends(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let each = || self.frontends.iter();
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

/// Encodes a gauge.
fn gauge(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    out.encode_descriptor(name, help, unit, MetricType::Gauge)?
        .encode_gauge(&value)
}

/// Encodes a gauge for each value of its labels.
fn family<const N: usize>(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl Iterator<Item = ([(&'static str, &'static str); N], impl EncodeGaugeValue)>,
) -> fmt::Result {
    let mut gauges = out.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        gauges.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

fn or_unknown(bytes: Option<u64>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::frontend::StatsSnapshot;

    #[test]
    fn everything_is_encoded() {
        let metrics = Metrics::new();
        metrics.clone().accepted(3);
        metrics.refused("method");
        metrics.refused("method");
        metrics.rejected(413);
        metrics.committed(3, Duration::from_millis(1));
        let stats = StatsSnapshot {
            connections: 2,
            phases: vec![("idle", 2)],
            refused: vec![("408", 7)],
            ..StatsSnapshot::default()
        };
        let gauges = Gauges {
            log: [10, 20],
            age: Some(Duration::from_millis(1500)),
            frontends: vec![("webhook", stats)],
            ..Gauges::default()
        };
        // Twice: gauges do not add up.
        metrics.text(gauges.clone());
        let text = metrics.text(gauges);
        for line in [
            "profiletrail_calls_accepted_total 3",
            "profiletrail_calls_refused_total{reason=\"method\"} 2",
            "profiletrail_calls_rejected_total{status=\"413\"} 1",
            "profiletrail_commit_seconds_bucket{le=\"0.001\"} 1",
            "profiletrail_commit_group_calls_bucket{le=\"2.0\"} 0",
            "profiletrail_commit_group_calls_bucket{le=\"4.0\"} 1",
            "profiletrail_log_bytes{log=\"rejected\"} 20",
            "profiletrail_last_event_age_seconds 1.5",
            "profiletrail_disk_free_bytes -1",
            "profiletrail_connections{gate=\"webhook\",phase=\"idle\"} 2",
            "profiletrail_gate_refused_total{gate=\"webhook\",status=\"408\"} 7",
            "# TYPE profiletrail_commit_seconds histogram",
            "# EOF",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
