//! The server's metrics in the OpenMetrics text format, and in Prometheus' older one.
//!
//! [`Metrics`] has the counters; it is cheap to clone, and counting is one atomic addition for a
//! group of calls. A [`Collector`] reads existing values (sizes, lengths, ages) at each scrape.
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
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Prometheus,
}

impl Exposition {
    /// The format for an `Accept` header: OpenMetrics, unless the header names only the older
    /// one.
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

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Converts OpenMetrics text: the older format describes a counter under its name with `_total`,
/// and has neither units nor an end.
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

impl Metrics {
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

    /// All metrics as text; `gauges` has those that are read for each scrape.
    pub fn text(&self, gauges: impl Collector, form: Exposition) -> String {
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

pub(crate) fn gauge(
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
pub(crate) fn family<const N: usize>(
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

    #[derive(Debug)]
    struct Age;

    impl Collector for Age {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let out = &mut encoder;
            gauge(out, "last_event_age", "Age", Some(&Unit::Seconds), 1.5)?;
            let rejected = ([("log", "rejected")], 20);
            family(out, "log_bytes", "Files", std::iter::once(rejected))
        }
    }

    #[test]
    fn everything_is_encoded() {
        let metrics = Metrics::new();
        metrics.clone().accepted(3);
        metrics.refused("method");
        metrics.refused("method");
        metrics.rejected(413);
        metrics.committed(3, Duration::from_millis(1));
        // Twice: gauges do not add up.
        metrics.text(Age, Exposition::OpenMetrics);
        let text = metrics.text(Age, Exposition::OpenMetrics);
        for line in [
            "profiletrail_calls_accepted_total 3",
            "profiletrail_calls_refused_total{reason=\"method\"} 2",
            "profiletrail_calls_rejected_total{status=\"413\"} 1",
            "profiletrail_commit_seconds_bucket{le=\"0.001\"} 1",
            "profiletrail_commit_group_calls_bucket{le=\"2.0\"} 0",
            "profiletrail_commit_group_calls_bucket{le=\"4.0\"} 1",
            "profiletrail_log_bytes{log=\"rejected\"} 20",
            "profiletrail_last_event_age_seconds 1.5",
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
