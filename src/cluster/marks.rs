//! Marks: the sizes and roots that each node publishes of its logs, and their comparison.
//!
//! Each node publishes its number of events and their root once a minute. A node that
//! contradicts as many nodes as agree with it (including itself) accepts no calls: of
//! three nodes the wrong one stops, and of two both stop.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::applier::{Place, Shared};
use super::message::Mark;
use super::session::{Publish, Subject};
use crate::background::{Background, Stop};
use crate::proofs::{ProofError, Prover};

/// How often a node publishes a mark.
const INTERVAL: Duration = Duration::from_secs(60);

/// The same while the stream may still have erased data, since the others wait for this node's
/// mark before they purge; and how long that applies.
const HASTE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

/// How long another node's mark counts.
const COUNTED: Duration = Duration::from_secs(600);

/// The pause between two looks at the time.
const PAUSE: Duration = Duration::from_millis(500);

/// Publishes marks, and compares those of others.
pub struct Marks {
    shared: Arc<Shared>,
    publish: UnboundedSender<Publish>,
    /// Whether the last mark of each node agrees, and when it arrived.
    others: HashMap<String, (bool, Instant)>,
}

/// This node's mark at a place.
pub fn mark_at(prover: &Prover, place: Place) -> Result<Mark, ProofError> {
    Ok(Mark {
        node: prover.vkey()?.name,
        place,
        root: root_at(prover, place.events)?,
    })
}

/// The root over the first events, in hexadecimal.
pub fn root_at(prover: &Prover, events: u64) -> Result<String, ProofError> {
    let root = prover.root_of(events)?;
    Ok(root.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub fn start(mut marks: Marks, claims: Receiver<Mark>) -> std::io::Result<Background> {
    Background::start("marks", move |stop| marks.run(&claims, stop))
}

impl Marks {
    pub fn new(shared: Arc<Shared>, publish: UnboundedSender<Publish>) -> Self {
        Self {
            shared,
            publish,
            others: HashMap::new(),
        }
    }

    fn run(&mut self, claims: &Receiver<Mark>, stop: &Stop) {
        let mut published: Option<Instant> = None;
        while !stop.is_set() {
            match claims.recv_timeout(PAUSE) {
                Ok(claim) => self.compare(claim),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let erased = self.shared.status.erased();
            let interval = match erased.is_some_and(|(_, since)| since.elapsed() < HASTE.1) {
                true => HASTE.0,
                false => INTERVAL,
            };
            let is_due = published.is_none_or(|published| published.elapsed() >= interval);
            if is_due && self.shared.status.is_ready() {
                published = Some(Instant::now());
                self.publish_mark();
            }
        }
    }

    fn publish_mark(&self) {
        let Some(place) = *self.shared.place.lock() else {
            return;
        };
        let mark = match mark_at(self.shared.trail.prover(), place) {
            Ok(mark) => mark,
            Err(error) => return tracing::warn!("no mark can be published: {error}"),
        };
        let Ok(payload) = serde_json::to_vec(&mark) else {
            return;
        };
        // After the end of the session nothing is published.
        let _ = self.publish.send(Publish {
            id: format!("{}-{}", mark.node, mark.place.applied),
            ..Publish::unanswered(Subject::Mark, payload, Duration::from_secs(5))
        });
    }

    fn compare(&mut self, claim: Mark) {
        let prover = self.shared.trail.prover();
        if prover.vkey().is_ok_and(|own| own.name == claim.node) {
            return;
        }
        let own = match root_at(prover, claim.place.events) {
            Ok(root) => root,
            Err(error) => {
                return tracing::warn!(
                    "the events of node {} are not compared: {error}",
                    claim.node
                );
            }
        };
        let agrees = own == claim.root;
        if !agrees {
            tracing::error!(
                "the first {} events of this node and of node {} differ: {own} here, {} there",
                claim.place.events,
                claim.node,
                claim.root
            );
        }
        self.others.insert(claim.node, (agrees, Instant::now()));
        self.others.retain(|_, (_, came)| came.elapsed() < COUNTED);
        let contradicted = self.others.values().filter(|(agrees, _)| !agrees).count();
        let agreed = self.others.len() - contradicted;
        self.shared.status.set_outvoted(contradicted > agreed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::log::OpenMode;
    use crate::store::{Folder, OpenOptions, Trail};

    #[test]
    fn a_node_that_the_others_contradict_takes_no_calls() {
        let dir = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            mode: OpenMode::Append {
                segment_size: 1 << 20,
            },
            server: true,
            cache: 1 << 20,
            patience: Duration::ZERO,
        };
        let data = dir.path().join("data");
        Folder::make(&data).unwrap();
        let (trail, _appender) = Trail::open(&data, options).unwrap();
        let own = root_at(trail.prover(), 0).unwrap();
        let shared = Arc::new(Shared::new(trail, None));
        shared.status.ready();
        let mut marks = Marks::new(Arc::clone(&shared), unbounded_channel().0);
        let mut takes_calls = |node: &str, root: &str| {
            marks.compare(Mark {
                node: node.to_owned(),
                place: Place::default(),
                root: root.to_owned(),
            });
            shared.status.trouble().is_none()
        };
        assert!(takes_calls("b", &own));
        // One agrees with this node: the other one is wrong.
        assert!(takes_calls("c", "00"));
        assert!(!takes_calls("b", "00"));
        assert!(shared.status.is_diverged());
        assert!(takes_calls("b", &own));
    }
}
