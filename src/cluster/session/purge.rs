//! Removes from the stream what was erased.
//!
//! JetStream keeps the bytes of a message until nothing of their file is left: in a block of the
//! stream (8 MiB at most), and in the log of each server's Raft group until that has a snapshot
//! (at 8 MiB, or after some minutes without traffic). So a purge alone removes no byte of the
//! newest messages. Once all nodes have the erasure, messages of random bytes are published,
//! more than fit these files; once all nodes have read them, everything before is purged.
//!
//! A node that is away holds it up until it is back, or cannot follow the stream any more.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::Stream;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{ATTEMPT, KEPT, LOOK, Publish, Published, Session, Subject, Trouble, passing};
use crate::cluster::message::Mark;
use crate::cluster::sequencer::{DEADLINE, random};

/// How many messages of random bytes are published, and the bytes of each: 11 MiB, which do not
/// compress.
const FILLER: (usize, usize) = (46, 250_000);

/// How long a node waits for each one whose name comes before its own: one of them suffices.
const RANK: Duration = Duration::from_secs(30);

/// How far each node has read, as its last mark in the stream says, and when that was published,
/// in Unix seconds.
#[derive(Default)]
pub(super) struct Nodes(Mutex<BTreeMap<String, (u64, i64)>>);

impl Nodes {
    /// Notes a mark that was published at a moment in Unix seconds.
    pub fn note(&self, mark: &Mark, published: i64) {
        let mut nodes = self.0.lock();
        let oldest = published.saturating_sub(KEPT.as_secs().cast_signed());
        nodes.insert(mark.node.clone(), (mark.applied, published));
        nodes.retain(|_, (_, published)| *published > oldest);
    }

    /// The message that all have read.
    fn applied(&self) -> u64 {
        let nodes = self.0.lock();
        let applied = nodes.values().map(|(applied, _)| *applied);
        applied.min().unwrap_or(0)
    }

    /// How many names come before this one.
    fn rank(&self, own: &str) -> usize {
        let nodes = self.0.lock();
        nodes.keys().take_while(|name| name.as_str() < own).count()
    }
}

/// A purge that is due.
struct Due {
    /// How often something was erased up to now.
    erasures: u64,
    /// What was erased is not after this message.
    at: u64,
    /// Since when all nodes have read up to there.
    read: Option<Instant>,
    /// The last message of random bytes.
    filler: Option<u64>,
}

impl Session {
    /// Purges the stream whenever something was erased.
    pub(super) async fn purge(
        &self,
        context: &Context,
        stream: &Stream,
    ) -> Result<Infallible, Trouble> {
        let mut due: Option<Due> = None;
        loop {
            sleep(LOOK).await;
            let Some(erasures) = self.shared.status.erasures_in_stream() else {
                continue;
            };
            let place = *self.shared.place.lock();
            let (Some(place), true) = (place, self.shared.status.is_ready()) else {
                continue;
            };
            // Also anew where something was erased meanwhile.
            let own = due.take_if(|due| due.erasures == erasures);
            let mut own = own.unwrap_or(Due {
                erasures,
                at: place.applied,
                read: None,
                filler: None,
            });
            let info = passing(stream.get_info()).await?;
            if info.state.first_sequence > own.at {
                tracing::info!("what was erased is not in the stream any more");
                self.shared.status.purged(erasures);
                continue;
            }
            self.proceed(context, stream, &mut own).await?;
            due = Some(own);
        }
    }

    /// Does what can be done now for a purge.
    async fn proceed(
        &self,
        context: &Context,
        stream: &Stream,
        due: &mut Due,
    ) -> Result<(), Trouble> {
        let applied = self.nodes.applied();
        // A NATS server that is away would keep it, and bring it back.
        if applied < due.at || !self.shared.status.is_replicated() {
            return Ok(());
        }
        match due.filler {
            None => {
                let since = *due.read.get_or_insert_with(Instant::now);
                let own = self.trail.prover().vkey();
                let rank = own.map_or(0, |own| self.nodes.rank(&own.name));
                if since.elapsed() >= RANK * u32::try_from(rank).unwrap_or(u32::MAX) {
                    due.filler = self.fill(context).await;
                }
            }
            Some(filler) if applied >= filler => {
                // The message after it stays: from there on the last of the nodes reads.
                passing(async { stream.purge().sequence(applied + 1).await }).await?;
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Publishes random bytes; returns the number of the last message, or `None` if it is in
    /// doubt.
    async fn fill(&self, context: &Context) -> Option<u64> {
        let mut last = None;
        for _ in 0..FILLER.0 {
            let mut payload = vec![0; FILLER.1];
            getrandom::fill(&mut payload).ok()?;
            let (reply, _) = std::sync::mpsc::sync_channel(1);
            let publish = Publish {
                subject: Subject::Probe,
                id: format!("{:016x}", random()),
                payload,
                after: None,
                deadline: Instant::now() + DEADLINE,
                reply,
            };
            match self.publish(context, &publish).await {
                Published::At(at) => last = Some(at),
                _ => return None,
            }
            // Calls come between.
            sleep(ATTEMPT / 40).await;
        }
        last
    }
}
