//! How many clients there are and where they stand, for whoever watches the server.
//!
//! Invariant: telling costs the event loop a few plain stores; connections by phase are counted
//! only when deadlines are looked at.

use super::client::Phase;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The statuses with which the frontend refuses by itself; others are not counted.
const STATUSES: [(u16, &str); 7] = [
    (400, "400"),
    (408, "408"),
    (417, "417"),
    (431, "431"),
    (502, "502"),
    (503, "503"),
    (505, "505"),
];

/// Where connections stand.
const PHASES: [&str; 6] = ["idle", "head", "body", "waiting", "answer", "linger"];

/// What the frontend tells of itself.
#[derive(Debug, Default)]
pub(super) struct Stats {
    connections: AtomicUsize,
    waiting: AtomicUsize,
    phases: [AtomicUsize; PHASES.len()],
    refused: [AtomicU64; STATUSES.len()],
}

/// What a frontend has told last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Open connections.
    pub connections: usize,
    /// Requests that wait for a private connection.
    pub waiting: usize,
    /// Requests that are with tiny_http.
    pub in_flight: usize,
    /// Connections by where they stand, as they were within the last second.
    pub phases: Vec<(&'static str, usize)>,
    /// Requests that the frontend has refused by itself, by status.
    pub refused: Vec<(&'static str, u64)>,
}

impl Stats {
    /// Tells how many connections are open, and how many requests wait.
    pub(super) fn tell(&self, connections: usize, waiting: usize) {
        self.connections.store(connections, Ordering::Relaxed);
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Tells where the connections stand.
    pub(super) fn count_phases(&self, phases: impl Iterator<Item = Phase>) {
        let mut counts = [0usize; PHASES.len()];
        for phase in phases {
            let place = match phase {
                Phase::Idle => 0,
                Phase::Head => 1,
                Phase::Body(_) => 2,
                Phase::Queued | Phase::Upstream(_) => 3,
                Phase::Streaming | Phase::Answer => 4,
                Phase::Linger(_) => 5,
            };
            if let Some(count) = counts.get_mut(place) {
                *count = count.saturating_add(1);
            }
        }
        for (told, count) in self.phases.iter().zip(counts) {
            told.store(count, Ordering::Relaxed);
        }
    }

    /// Tells that a request was refused.
    pub(super) fn count_refused(&self, status: u16) {
        let counters = STATUSES.iter().zip(&self.refused);
        for (_, counter) in counters.filter(|((known, _), _)| *known == status) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was told.
    pub(super) fn snapshot(&self, in_flight: usize) -> StatsSnapshot {
        let connections = self.connections.load(Ordering::Relaxed);
        // Without connections nobody looks at deadlines.
        let known = |count: &AtomicUsize| count.load(Ordering::Relaxed).min(connections);
        let refused = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StatsSnapshot {
            connections,
            waiting: self.waiting.load(Ordering::Relaxed),
            in_flight,
            phases: PHASES
                .into_iter()
                .zip(self.phases.iter().map(known))
                .collect(),
            refused: STATUSES
                .into_iter()
                .map(|(_, name)| name)
                .zip(self.refused.iter().map(refused))
                .collect(),
        }
    }
}
