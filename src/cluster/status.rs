//! The state of the cluster that a server knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "nats")]
use std::time::Instant;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Whether calls can be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "nats"),
    expect(dead_code, reason = "a build without the feature is never a node")
)]
enum State {
    /// The node has not caught up with the others yet.
    Joining(String),
    /// Calls are accepted.
    Ready,
    /// The stream takes no messages, or cannot be read.
    Apart(String),
    /// The log is not that of the other nodes, or the stream is not to be trusted. It stays so.
    Diverged(String),
}

/// Why a node whose log differs from the others' accepts no calls.
const OUTVOTED: &str = "the events of this node are not those of the other nodes: restore a backup of one that \
     agrees with another";

/// The state of a node; clones share it.
#[derive(Clone, Debug)]
pub struct Status(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Whether the other nodes have another log, as their marks say.
    outvoted: AtomicBool,
    erasures: Mutex<Erasures>,
    facts: Mutex<ClusterFacts>,
}

/// The erasures whose data the stream may still have, by the `seq` of their control
/// records.
#[derive(Debug, Default)]
struct Erasures {
    /// The last one.
    last: u64,
    /// The last one that the stream has no more.
    purged: u64,
    /// When the last one was noticed.
    #[cfg(feature = "nats")]
    since: Option<Instant>,
}

/// The state of the cluster for `doctor` and the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterFacts {
    /// Why no calls are accepted, if that is so.
    pub trouble: Option<String>,
    /// The version of the NATS server that the node is connected to.
    pub version: String,
    /// On how many NATS servers the stream is kept.
    pub replicas: u64,
    /// The number of up-to-date servers among them.
    pub current: u64,
    /// Messages of the stream that are not applied yet.
    pub lag: u64,
    /// Whether the stream may still have erased data.
    pub has_erased: bool,
    /// Groups of which it was not known in time whether they are kept.
    pub in_doubt: u64,
    /// Messages that were delivered more than once.
    pub redelivered: u64,
}

impl Default for Status {
    fn default() -> Self {
        let joining = State::Joining("the NATS servers are not reached yet".to_owned());
        Self(Arc::new(Shared {
            state: Mutex::new(joining),
            outvoted: AtomicBool::new(false),
            erasures: Mutex::default(),
            facts: Mutex::default(),
        }))
    }
}

impl Status {
    /// Why no calls are accepted, for the operator; `None` while they are.
    pub fn trouble(&self) -> Option<String> {
        match &*self.0.state.lock() {
            State::Ready if self.0.outvoted.load(Ordering::Relaxed) => Some(OUTVOTED.to_owned()),
            State::Ready => None,
            State::Joining(why) | State::Apart(why) | State::Diverged(why) => Some(why.clone()),
        }
    }

    /// The data for `doctor` and the metrics.
    pub fn facts(&self) -> ClusterFacts {
        let has_erased = {
            let erasures = self.0.erasures.lock();
            erasures.last > erasures.purged
        };
        ClusterFacts {
            trouble: self.trouble(),
            has_erased,
            ..self.0.facts.lock().clone()
        }
    }
}

#[cfg(feature = "nats")]
impl Status {
    /// Whether the log differs from that of the other nodes.
    pub fn is_diverged(&self) -> bool {
        self.0.outvoted.load(Ordering::Relaxed)
            || matches!(&*self.0.state.lock(), State::Diverged(_))
    }

    /// Calls are accepted from now on, unless the log has diverged.
    pub(super) fn ready(&self) {
        let mut state = self.0.state.lock();
        if matches!(*state, State::Joining(_) | State::Apart(_)) {
            tracing::info!("calls are accepted: this node follows the order of the cluster");
            *state = State::Ready;
        }
    }

    /// The node cannot begin to follow.
    pub(super) fn joining(&self, why: String) {
        let mut state = self.0.state.lock();
        if !matches!(*state, State::Diverged(_)) && *state != State::Joining(why.clone()) {
            tracing::warn!("no calls are accepted yet: {why}");
            *state = State::Joining(why);
        }
    }

    /// No calls are accepted for now.
    pub(super) fn apart(&self, why: &str) {
        let mut state = self.0.state.lock();
        if *state == State::Ready {
            tracing::error!("no calls are accepted until this ends: {why}");
            *state = State::Apart(why.to_owned());
        }
    }

    /// No calls are accepted any more.
    pub(super) fn diverged(&self, why: String) {
        let mut state = self.0.state.lock();
        if !matches!(*state, State::Diverged(_)) {
            tracing::error!("no calls are accepted any more: {why}");
            *state = State::Diverged(why);
        }
    }

    /// Whether at least as many nodes contradict this one as agree with it, including itself.
    pub(super) fn set_outvoted(&self, outvoted: bool) {
        if self.0.outvoted.swap(outvoted, Ordering::Relaxed) != outvoted && outvoted {
            tracing::error!("no calls are accepted until this ends: {OUTVOTED}");
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        *self.0.state.lock() == State::Ready
    }

    /// Changes the data for `doctor` and the metrics.
    pub(super) fn update(&self, change: impl FnOnce(&mut ClusterFacts)) {
        change(&mut self.0.facts.lock());
    }

    /// Something was erased, as the control record with this `seq` says.
    pub(super) fn note_erased(&self, receipt: u64) {
        let mut erasures = self.0.erasures.lock();
        if receipt > erasures.last {
            erasures.last = receipt;
            erasures.since = Some(Instant::now());
        }
    }

    /// The control record of the last erasure, and when it was noticed, if the stream may still
    /// have what it erased.
    pub(super) fn erased(&self) -> Option<(u64, Instant)> {
        let erasures = self.0.erasures.lock();
        let since = erasures.since.filter(|_| erasures.last > erasures.purged)?;
        Some((erasures.last, since))
    }

    /// The stream has nothing any more of the erasures up to this control record.
    pub(super) fn set_purged(&self, receipt: u64) {
        let mut erasures = self.0.erasures.lock();
        erasures.purged = erasures.purged.max(receipt);
    }

    /// The control record up to which that is so.
    pub(super) fn purged(&self) -> u64 {
        self.0.erasures.lock().purged
    }

    /// Whether all NATS servers have the whole stream.
    pub(super) fn is_replicated(&self) -> bool {
        let facts = self.0.facts.lock();
        facts.replicas > 0 && facts.current >= facts.replicas
    }
}
