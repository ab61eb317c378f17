//! What the server counts, and how it is told in Prometheus' text form.
//!
//! [`Metrics`] is a handle that can be cloned cheaply; counting is an atomic
//! addition, once for a group where calls come in groups. What is there anyway
//! (sizes, lengths, ages) is not kept here, but handed in as [`Figures`] when it
//! is asked for.
//!
//! The words are those of [`crate`]: a call is *accepted* once it is synced,
//! *rejected* where it could not be read and is kept as such, and *refused*
//! where nothing of it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// By labels with their values.
type Labelled<T, const N: usize = 1> = Family<[(&'static str, &'static str); N], T>;

type Float = Gauge<f64, AtomicU64>;

/// The counters of a server; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    accepted: Counter,
    rejected: Labelled<Counter>,
    refused: Labelled<Counter>,
    commit: Histogram,
    group: Histogram,
    questions: Labelled<Counter>,
    queued: Gauge,
    gauges: Gauges,
}

/// What is looked at when it is asked for.
#[derive(Debug, Default)]
struct Gauges {
    events: Gauge,
    lag: Gauge,
    log: Labelled<Gauge>,
    index: Gauge,
    unsealed: Gauge,
    free: Gauge,
    memory: Gauge,
    age: Float,
    silent: Gauge,
    signed_age: Gauge,
    connections: Labelled<Gauge, 2>,
    refused: Labelled<Counter, 2>,
    waiting: Labelled<Gauge>,
    under_way: Labelled<Gauge>,
    asked: Gauge,
}

/// What there is at a moment.
#[derive(Clone, Debug, Default)]
pub struct Figures {
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
    /// Free bytes on the data folder's disk, where it is known.
    pub free: Option<u64>,
    /// Bytes of memory that the process has, where it is known.
    pub memory: Option<u64>,
    /// Since the last event came, where there is one.
    pub age: Option<Duration>,
    /// Whether that is longer than it may be.
    pub silent: bool,
    /// What the gates tell, by what they are for.
    pub gates: Vec<(&'static str, crate::frontend::StatsSnapshot)>,
    /// Calls that were refused for their signature, by reason.
    pub unsigned: Vec<(&'static str, u64)>,
    /// How many seconds ago the last verified date was when it came.
    pub signed_age: Option<i64>,
    /// Questions that are answered over HTTP, or wait to be.
    pub asked: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// With nothing counted.
    pub fn new() -> Self {
        let seconds = exponential_buckets(0.000_25, 2.0, 16);
        let calls = exponential_buckets(1.0, 2.0, 9);
        let mut inner = Inner {
            registry: Registry::with_prefix("profiletrail"),
            accepted: Counter::default(),
            rejected: Family::default(),
            refused: Family::default(),
            commit: Histogram::new(seconds),
            group: Histogram::new(calls),
            questions: Family::default(),
            queued: Gauge::default(),
            gauges: Gauges::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }

    /// So many calls were accepted.
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

    /// A call was refused, and nothing of it is kept. The reasons are few, and
    /// in `snake_case`.
    pub fn refused(&self, reason: &'static str) {
        self.0.refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// A group of so many calls was committed, which took so long.
    pub fn committed(&self, calls: usize, took: Duration) {
        self.0.commit.observe(took.as_secs_f64());
        self.0.group.observe(as_float(calls));
    }

    /// So many calls wait for the committer.
    pub fn queued(&self, calls: usize) {
        self.0.queued.set(as_gauge(calls));
    }

    /// A request for an answer over HTTP came to this.
    pub fn asked(&self, outcome: &'static str) {
        self.0
            .questions
            .get_or_create(&[("outcome", outcome)])
            .inc();
    }

    /// All of it as text, with what there is now.
    pub fn text(&self, figures: &Figures) -> String {
        self.0.gauges.set(figures);
        for (reason, count) in &figures.unsigned {
            let counter = self.0.refused.get_or_create(&[("reason", *reason)]);
            counter.inner().store(*count, Ordering::Relaxed);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

impl Inner {
    fn register(&mut self) {
        let Self {
            registry,
            gauges: its,
            ..
        } = self;
        registry.register(
            "calls_accepted",
            "Calls that were synced and answered 200",
            self.accepted.clone(),
        );
        registry.register(
            "calls_rejected",
            "Calls that could not be read and are kept, by status",
            self.rejected.clone(),
        );
        registry.register(
            "calls_refused",
            "Calls of which nothing is kept, by reason",
            self.refused.clone(),
        );
        let unit = || Unit::Seconds;
        registry.register_with_unit(
            "commit",
            "Writing and syncing a group of calls",
            unit(),
            self.commit.clone(),
        );
        registry.register("commit_group_calls", "Calls in a group", self.group.clone());
        registry.register(
            "questions",
            "Requests to the query API, by outcome",
            self.questions.clone(),
        );
        registry.register(
            "committer_queue_calls",
            "Calls that wait for the committer",
            self.queued.clone(),
        );
        registry.register("last_event", "The last event's number", its.events.clone());
        registry.register(
            "index_lag_events",
            "Events that are synced and not indexed",
            its.lag.clone(),
        );
        registry.register("log_bytes", "Files of the logs", its.log.clone());
        registry.register("index_bytes", "Files of the index", its.index.clone());
        registry.register(
            "segments_unsealed",
            "Closed segments that are to be sealed",
            its.unsealed.clone(),
        );
        registry.register(
            "disk_free_bytes",
            "Free on the data folder's disk",
            its.free.clone(),
        );
        registry.register(
            "resident_memory_bytes",
            "Memory of the process",
            its.memory.clone(),
        );
        registry.register_with_unit(
            "last_event_age",
            "Since the last event came; -1 where there is none",
            unit(),
            its.age.clone(),
        );
        registry.register(
            "silent",
            "1 where no event came for longer than --alert-after",
            its.silent.clone(),
        );
        registry.register_with_unit(
            "last_signed_date_age",
            "What the last verified call's date was behind this machine's clock",
            unit(),
            its.signed_age.clone(),
        );
        registry.register(
            "connections",
            "Open connections, by where they stand",
            its.connections.clone(),
        );
        registry.register(
            "gate_refused",
            "Requests that the frontend answered itself, by status",
            its.refused.clone(),
        );
        registry.register(
            "gate_waiting_requests",
            "Complete requests waiting in the frontend",
            its.waiting.clone(),
        );
        registry.register(
            "gate_under_way_requests",
            "Requests that are being answered",
            its.under_way.clone(),
        );
        registry.register(
            "questions_under_way",
            "Questions that are answered over HTTP, or wait to be",
            its.asked.clone(),
        );
    }
}

impl Gauges {
    fn set(&self, now: &Figures) {
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.events.set(bytes(now.events));
        self.lag.set(bytes(now.lag));
        for (log, size) in ["events", "rejected"].into_iter().zip(now.log) {
            self.log.get_or_create(&[("log", log)]).set(bytes(size));
        }
        self.index.set(bytes(now.index));
        self.unsealed.set(as_gauge(now.unsealed));
        self.free.set(now.free.map_or(-1, bytes));
        self.memory.set(now.memory.map_or(-1, bytes));
        self.age.set(now.age.map_or(-1.0, |age| age.as_secs_f64()));
        self.silent.set(i64::from(now.silent));
        self.signed_age.set(now.signed_age.unwrap_or(0));
        self.asked.set(as_gauge(now.asked));
        for (gate, told) in &now.gates {
            for (phase, count) in &told.phases {
                let labels = [("gate", *gate), ("phase", *phase)];
                self.connections
                    .get_or_create(&labels)
                    .set(as_gauge(*count));
            }
            for (status, count) in &told.refused {
                let labels = [("gate", *gate), ("status", *status)];
                let counter = self.refused.get_or_create(&labels);
                counter.inner().store(*count, Ordering::Relaxed);
            }
            let labels = [("gate", *gate)];
            self.waiting
                .get_or_create(&labels)
                .set(as_gauge(told.waiting));
            self.under_way
                .get_or_create(&labels)
                .set(as_gauge(told.in_flight));
        }
    }
}

fn as_gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn as_float(count: usize) -> f64 {
    // Groups are small.
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::frontend::StatsSnapshot;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::new();
        metrics.clone().accepted(3);
        metrics.refused("method");
        metrics.refused("method");
        metrics.rejected(413);
        metrics.committed(3, Duration::from_millis(1));
        let gate = StatsSnapshot {
            connections: 2,
            phases: vec![("idle", 2)],
            refused: vec![("408", 7)],
            ..StatsSnapshot::default()
        };
        let figures = Figures {
            log: [10, 20],
            age: Some(Duration::from_millis(1500)),
            gates: vec![("webhook", gate)],
            ..Figures::default()
        };
        // Twice: what is looked at does not add up.
        metrics.text(&figures);
        let text = metrics.text(&figures);
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
                text.lines().any(|told| told == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
