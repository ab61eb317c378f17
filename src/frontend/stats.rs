//! Counters for monitoring: connections by phase, and requests that the frontend refused itself.
//!
//! Invariant: updating costs the event loop a few relaxed stores; connections by phase are counted
//! only when deadlines are checked.

use super::client::Phase;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The statuses with which the frontend refuses requests itself.
const STATUSES: [(u16, &str); 7] = [
    (400, "400"),
    (408, "408"),
    (417, "417"),
    (431, "431"),
    (502, "502"),
    (503, "503"),
    (505, "505"),
];

/// The phases of connections.
const PHASES: [&str; 6] = ["idle", "head", "body", "waiting", "answer", "linger"];

/// The counters; written by the event loop.
#[derive(Debug, Default)]
pub(super) struct Stats {
    connections: AtomicUsize,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
    phases: [AtomicUsize; PHASES.len()],
    refused: [AtomicU64; STATUSES.len()],
}

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Open connections.
    pub connections: usize,
    /// Complete requests that wait for a private connection.
    pub waiting: usize,
    /// Requests that tiny_http has and that are not answered.
    pub in_flight: usize,
    /// Connections by phase, at most a second old.
    pub phases: Vec<(&'static str, usize)>,
    /// Requests that the frontend refused itself, by status.
    pub refused: Vec<(&'static str, u64)>,
}

impl Stats {
    /// Sets the numbers of open connections and of requests that wait and are in flight.
    pub(super) fn set(&self, connections: usize, waiting: usize, in_flight: usize) {
        self.connections.store(connections, Relaxed);
        self.waiting.store(waiting, Relaxed);
        self.in_flight.store(in_flight, Relaxed);
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Counts the connections by phase.
    pub(super) fn count_phases(&self, phases: impl Iterator<Item = Phase>) {
        let mut counts = [0usize; PHASES.len()];
        for phase in phases {
            let place = match phase {
                Phase::Idle => 0,
                Phase::Head => 1,
                Phase::Body(_) | Phase::Chunks | Phase::Discard(_) => 2,
                Phase::Queued | Phase::Upstream(_) => 3,
                Phase::Streaming | Phase::Answer => 4,
                Phase::Linger(_) => 5,
            };
            if let Some(count) = counts.get_mut(place) {
                *count = count.saturating_add(1);
            }
        }
        for (counter, count) in self.phases.iter().zip(counts) {
            counter.store(count, Relaxed);
        }
    }

    /// Counts a refused request.
    pub(super) fn count_refused(&self, status: u16) {
        let place = STATUSES.iter().position(|(known, _)| *known == status);
        if let Some(counter) = place.and_then(|place| self.refused.get(place)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// The counters now.
    pub(super) fn snapshot(&self) -> StatsSnapshot {
        let connections = self.connections.load(Relaxed);
        // Without connections deadlines are not checked, so phases may be outdated.
        let phase = |count: &AtomicUsize| count.load(Relaxed).min(connections);
        let names = STATUSES.into_iter().map(|(_, name)| name);
        StatsSnapshot {
            connections,
            waiting: self.waiting.load(Relaxed),
            in_flight: self.in_flight(),
            phases: PHASES
                .into_iter()
                .zip(self.phases.iter().map(phase))
                .collect(),
            refused: names
                .zip(self.refused.iter().map(|count| count.load(Relaxed)))
                .collect(),
        }
    }
}
