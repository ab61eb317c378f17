//! The server's metrics in the OpenMetrics text format, and in Prometheus' older one.
//!
//! [`Metrics`] counts what happens; it is cheap to clone, and counting is an atomic addition, once
//! for a group of calls. What exists anyway (sizes, lengths, ages) is passed in as [`Gauges`] for
//! each scrape.
//!
//! A call is *accepted* once it is synced, *rejected* if it could not be read and is kept as such,
//! and *refused* if nothing of it is kept.

use std::borrow::Cow;
use std::collections::HashSet;
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

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Prometheus,
}

impl Exposition {
    /// The one that an `Accept` header asks for: OpenMetrics unless only the older one is named.
    pub fn accepted(accept: Option<&str>) -> Self {
        let names = |kind: &str| {
            let kinds = accept.unwrap_or_default().split(',');
            let mut kinds = kinds.filter_map(|one| one.split(';').next());
            kinds.any(|one| one.trim().eq_ignore_ascii_case(kind))
        };
        match names("text/plain") && !names("application/openmetrics-text") {
            true => Self::Prometheus,
            false => Self::OpenMetrics,
        }
    }

    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Converts OpenMetrics text: the older format describes a counter under its name with `_total`, and
/// knows neither units nor an end.
fn to_prometheus(text: &str) -> String {
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let counters: HashSet<&str> = typed
        .filter_map(|typed| typed.strip_suffix(" counter"))
        .collect();
    let mut older = String::with_capacity(text.len());
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let line = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT" | "EOF"), ..) => continue,
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(name) => {
                Cow::Owned(format!("# {what} {name}_total {rest}"))
            }
            _ => Cow::Borrowed(line),
        };
        older.push_str(&line);
        older.push('\n');
    }
    older
}

/// The prefix of all names.
const PREFIX: &str = "profiletrail";

/// The statuses of rejected calls; any other is `other`.
const STATUSES: [&str; 5] = ["400", "401", "404", "413", "415"];

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
    /// Bytes of the log of events, and of that of rejected calls, if known.
    pub log: [Option<u64>; 2],
    /// Bytes of the index, if known.
    pub index: Option<u64>,
    /// Closed segments that wait to be sealed.
    pub unsealed: u64,
    /// Free bytes on the data folder's disk, if known.
    pub free: Option<u64>,
    /// The process's resident memory in bytes, if known.
    pub memory: Option<u64>,
    /// The time since the last event was received, if there is one.
    pub age: Option<Duration>,
    /// Whether that is longer than it may be.
    pub silent: bool,
    /// The counters of the frontends, by name.
    pub frontends: Vec<(&'static str, crate::frontend::Stats)>,
    /// The age in seconds of the last verified call's date at its receipt.
    pub signed_age: Option<i64>,
    /// Questions over HTTP that are being answered or wait.
    pub asked: u32,
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
        let help = "Calls that were synced and answered 200";
        registry.register("calls_accepted", help, inner.accepted.clone());
        let help = "Calls that could not be read and are kept, by status";
        registry.register("calls_rejected", help, inner.rejected.clone());
        let help = "Calls that were refused and not kept, by reason";
        registry.register("calls_refused", help, inner.refused.clone());
        let help = "Writing and syncing a group of calls";
        registry.register_with_unit("commit", help, Unit::Seconds, inner.commit.clone());
        let help = "Calls in a group";
        registry.register("commit_group_calls", help, inner.group.clone());
        let help = "Requests to the query API, by outcome";
        registry.register("questions", help, inner.questions.clone());
        let help = "Calls that wait for the committer";
        registry.register("committer_queue_calls", help, inner.queued.clone());
        let metrics = Self(Arc::new(inner));
        // An alert on an increase needs a sample before the first one.
        for reason in ["disk_full", "log_failed", "owner_unknown", "queue_full"] {
            let _ = metrics.0.refused.get_or_create(&[("reason", reason)]);
        }
        for status in STATUSES {
            let _ = metrics.0.rejected.get_or_create(&[("status", status)]);
        }
        metrics
    }

    /// Calls were accepted.
    pub fn accepted(&self, calls: u64) {
        self.0.accepted.inc_by(calls);
    }

    /// A call was rejected with a status, and kept.
    pub fn rejected(&self, status: u16) {
        let status = status.to_string();
        let known = STATUSES.into_iter().find(|known| *known == status);
        let status = known.unwrap_or("other");
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

    /// The number of calls that wait for the committer.
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
    pub fn text(&self, gauges: Gauges, form: Exposition) -> String {
        let mut state = Registry::with_prefix(PREFIX);
        state.register_collector(Box::new(gauges));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, &self.0.registry)
            .and_then(|()| encode_registry(&mut text, &state))
            .and_then(|()| encode_eof(&mut text));
        match form {
            Exposition::OpenMetrics => text,
            Exposition::Prometheus => to_prometheus(&text),
        }
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        let silent = "1 if no event came for longer than --alert-after";
        let asked = "Questions over HTTP that are being answered or wait";
        for (name, help, value) in [
            ("last_event", "The last event's number", Some(self.events)),
            (
                "index_lag_events",
                "Events that are synced and not indexed",
                Some(self.lag),
            ),
            ("index_bytes", "Files of the index", self.index),
            (
                "segments_unsealed",
                "Closed segments that wait to be sealed",
                Some(self.unsealed),
            ),
            (
                "disk_free_bytes",
                "Free space on the data folder's disk",
                self.free,
            ),
            (
                "resident_memory_bytes",
                "Memory of the process",
                self.memory,
            ),
            ("silent", silent, Some(self.silent.into())),
            ("questions_under_way", asked, Some(self.asked.into())),
        ] {
            // What is not known has no sample.
            if let Some(value) = value {
                gauge(out, name, help, None, value)?;
            }
        }
        let seconds = Some(&Unit::Seconds);
        if let Some(age) = self.age.map(|age| age.as_secs_f64()) {
            let help = "Time since the last event arrived";
            gauge(out, "last_event_age", help, seconds, age)?;
        }
        if let Some(age) = self.signed_age {
            let help = "How far the last verified call's date was behind this machine's clock";
            gauge(out, "last_signed_date_age", help, seconds, age)?;
        }
        let logs = ["events", "rejected"].into_iter().zip(self.log);
        let logs = logs.filter_map(|(log, bytes)| Some(([("log", log)], bytes?)));
        family(out, "log_bytes", "Files of the logs", logs)?;
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", env!("PROFILETRAIL_COMMIT")),
            ("target", env!("PROFILETRAIL_TARGET")),
        ];
        let help = "What this program was built from";
        family(out, "build_info", help, std::iter::once((build, 1)))?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::frontend::Stats;

    #[test]
    fn everything_is_encoded() {
        let metrics = Metrics::new();
        metrics.clone().accepted(3);
        metrics.refused("method");
        metrics.refused("method");
        metrics.rejected(413);
        metrics.committed(3, Duration::from_millis(1));
        let mut stats = Stats {
            connections: 2,
            ..Stats::default()
        };
        stats.phases[0].1 = 2;
        stats.refused[1].1 = 7;
        let gauges = Gauges {
            log: [None, Some(20)],
            age: Some(Duration::from_millis(1500)),
            frontends: vec![("webhook", stats)],
            ..Gauges::default()
        };
        // Twice: gauges do not add up.
        metrics.text(gauges.clone(), Exposition::OpenMetrics);
        let text = metrics.text(gauges, Exposition::OpenMetrics);
        for line in [
            "profiletrail_calls_accepted_total 3",
            "profiletrail_calls_refused_total{reason=\"method\"} 2",
            "profiletrail_calls_rejected_total{status=\"413\"} 1",
            "profiletrail_commit_seconds_bucket{le=\"0.001\"} 1",
            "profiletrail_commit_group_calls_bucket{le=\"2.0\"} 0",
            "profiletrail_commit_group_calls_bucket{le=\"4.0\"} 1",
            "profiletrail_log_bytes{log=\"rejected\"} 20",
            "profiletrail_last_event_age_seconds 1.5",
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
        assert!(
            !text.contains("disk_free") && !text.contains("index_bytes") && !text.contains("-1"),
            "{text}"
        );
    }
}
