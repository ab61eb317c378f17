//! Removes erased data from the stream.
//!
//! A purge alone removes no byte of the newest messages from JetStream's files, so messages of
//! random bytes are published first, more than fit these: see `docs/cluster.md`, "What is erased".
//! How far the stream is purged is in the folder, so that a restart neither forgets nor repeats it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::Stream;
use tokio::time::sleep;

use super::{ATTEMPT, KEPT, LOOK, Publish, Published, Session, Subject, Trouble, passing};
use crate::cluster::message::Mark;
use crate::cluster::sequencer::DEADLINE;

/// How many messages of random bytes are published, and the bytes of each: 11 MiB, which do not
/// compress.
const FILLER: (usize, usize) = (46, 250_000);

/// How long a node waits for each node whose name comes before its own, since one of them
/// suffices. It is longer than the minute between two marks of a node.
const RANK: Duration = Duration::from_secs(90);

/// The pause after a request that failed.
const RETRY: Duration = Duration::from_secs(30);

/// How far each node has read, as its last mark in the stream says, and when that was published,
/// in Unix seconds.
#[derive(Default)]
pub(super) struct Nodes(RefCell<BTreeMap<String, (u64, i64)>>);

impl Nodes {
    /// Notes a mark that was published at a moment in Unix seconds.
    pub fn note(&self, mark: &Mark, published: i64) {
        let mut nodes = self.0.borrow_mut();
        let oldest = published.saturating_sub(KEPT.as_secs().cast_signed());
        nodes.insert(mark.node.clone(), (mark.place.applied, published));
        nodes.retain(|_, (_, published)| *published > oldest);
    }

    /// The message that all have read.
    fn applied(&self) -> u64 {
        let nodes = self.0.borrow();
        let applied = nodes.values().map(|(applied, _)| *applied);
        applied.min().unwrap_or(0)
    }

    /// How many names come before this one.
    fn rank(&self, own: &str) -> usize {
        let nodes = self.0.borrow();
        nodes.keys().take_while(|name| name.as_str() < own).count()
    }
}

/// A purge that is due.
#[derive(Clone, Copy)]
pub(super) struct Due {
    /// The `seq` of the last control record of an erasure when it became due.
    receipt: u64,
    /// The message after which the own log had that record.
    at: u64,
    /// Since when all nodes have read up to there.
    all_read_since: Option<Instant>,
    /// How many messages of random bytes were published, and the last of them.
    filled: usize,
    filler: u64,
}

impl Session {
    /// Purges the stream after every erasure. A failed purge is tried again: nobody waits for
    /// it.
    pub(super) async fn purge(&self, context: &Context, stream: &Stream) -> Infallible {
        loop {
            sleep(LOOK).await;
            if let Err(trouble) = self.purge_step(context, stream).await {
                if let Trouble::Passing(why) | Trouble::Refused(why) = trouble {
                    tracing::warn!("what was erased is still in the stream: {why}");
                }
                sleep(RETRY).await;
            }
        }
    }

    async fn purge_step(&self, context: &Context, stream: &Stream) -> Result<(), Trouble> {
        let status = &self.shared.status;
        let Some((receipt, _)) = status.erased() else {
            self.due.set(None);
            return Ok(());
        };
        let place = *self.shared.place.lock();
        let (Some(place), true) = (place, status.is_ready()) else {
            return Ok(());
        };
        let mut due = match self.due.get() {
            Some(due) => due,
            // The stream has it up to there.
            None if place.events >= receipt => Due {
                receipt,
                at: place.applied,
                all_read_since: None,
                filled: 0,
                filler: 0,
            },
            None => return Ok(()),
        };
        let info = passing(stream.get_info()).await?;
        self.check(&info, &context.client())?;
        // By another node, if not by this one.
        let end = due.filler.max(due.at + FILLER.0 as u64);
        if info.state.first_sequence > end {
            tracing::info!("what was erased is not in the stream any more");
            status.set_purged(due.receipt);
            self.due.set(None);
            return Ok(());
        }
        let done = self.fill_or_purge(context, stream, &mut due).await;
        self.due.set(Some(due));
        done
    }

    /// Publishes random bytes, or purges, when all nodes have read the messages before.
    async fn fill_or_purge(
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
        if due.filled < FILLER.0 {
            let since = *due.all_read_since.get_or_insert_with(Instant::now);
            let own = self.shared.trail.prover().vkey();
            let rank = own.map_or(0, |own| self.nodes.rank(&own.name));
            if since.elapsed() < RANK * u32::try_from(rank).unwrap_or(u32::MAX) {
                return Ok(());
            }
            return self.fill(context, due).await;
        }
        if applied >= due.filler {
            // The mark of a node that has read exactly this far still names the next
            // message.
            let purged = stream.purge().sequence(due.filler + 1).await;
            purged.map_err(Trouble::passing)?;
        }
        Ok(())
    }

    /// Publishes the random bytes that are missing.
    async fn fill(&self, context: &Context, due: &mut Due) -> Result<(), Trouble> {
        while due.filled < FILLER.0 {
            let mut payload = vec![0; FILLER.1];
            getrandom::fill(&mut payload).map_err(Trouble::passing)?;
            let publish = Publish::unanswered(Subject::Probe, payload, DEADLINE);
            match self.publish(context, &publish).await {
                Published::At(at) => {
                    due.filled += 1;
                    due.filler = at;
                }
                _ => return Err(Trouble::passing("the stream takes no messages")),
            }
            // Calls come between.
            sleep(ATTEMPT / 40).await;
        }
        Ok(())
    }
}
