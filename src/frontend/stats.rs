//! Counters for monitoring: connections by phase, and requests that the frontend refused itself.

/// The frontend's counters, updated by the event loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Open connections.
    pub connections: usize,
    /// Complete requests that wait for a private connection.
    pub waiting: usize,
    /// Requests that tiny_http has and that are not answered.
    pub in_flight: usize,
    /// Connections by phase, counted when deadlines are checked: at most a second old.
    pub phases: [(&'static str, usize); 6],
    /// Requests that the frontend refused itself, by status.
    pub refused: [(&'static str, u64); 7],
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            connections: 0,
            waiting: 0,
            in_flight: 0,
            phases: ["idle", "head", "body", "waiting", "answer", "linger"].map(|name| (name, 0)),
            refused: ["400", "408", "417", "431", "502", "503", "505"].map(|status| (status, 0)),
        }
    }
}

impl Stats {
    /// Counts the connections by phase, given the name of each one's.
    pub(super) fn count_phases(&mut self, phases: impl Iterator<Item = &'static str>) {
        for (_, count) in &mut self.phases {
            *count = 0;
        }
        for phase in phases {
            let known = self.phases.iter_mut().find(|(name, _)| *name == phase);
            known.into_iter().for_each(|(_, count)| *count += 1);
        }
    }

    pub(super) fn count_refused(&mut self, status: u16) {
        let status = status.to_string();
        let known = self.refused.iter_mut().find(|(name, _)| *name == status);
        known.into_iter().for_each(|(_, count)| *count += 1);
    }
}
