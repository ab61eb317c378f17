//! Finds the part of the stream that the own log has.

use std::sync::Arc;

use async_nats::jetstream::consumer::{DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Info, Stream};
use futures_util::StreamExt;

use super::{Publish, Published, Session, Subject, Trouble, consumer, passing};
use crate::cluster::applier::Place;
use crate::cluster::marks::{mark_at, root_at};
use crate::cluster::message::Mark;
use crate::cluster::sequencer::DEADLINE;
use crate::proofs::{ProofError, Prover};

impl Session {
    /// Finds the part of the stream that the own log has, with the marks of all nodes.
    pub(super) async fn find_place(
        &self,
        context: &Context,
        stream: &Stream,
        info: &Info,
    ) -> Result<Place, Trouble> {
        if info.state.last_sequence == 0 {
            return self.begin_stream(context).await;
        }
        let trail = &self.shared.trail;
        let own = (trail.last_seq(), trail.rejected().last_seq());
        let consumer = pull::Config {
            filter_subject: Subject::Mark.of(self.shared.log_id()),
            ..consumer(DeliverPolicy::All)
        };
        let consumer: PullConsumer = passing(stream.create_consumer(consumer)).await?;
        let (mut best, mut found): (Option<Mark>, usize) = (None, 0);
        loop {
            let mut read = 0;
            let mut marks = passing(consumer.fetch().max_messages(1_000).messages()).await?;
            while let Some(message) = marks.next().await {
                let message = message.map_err(Trouble::passing)?;
                read += 1;
                let Ok(mark) = serde_json::from_slice::<Mark>(&message.payload) else {
                    continue;
                };
                let info = message.info().map_err(Trouble::passing)?;
                self.nodes.note(&mark, info.published.unix_timestamp());
                let is_later = best
                    .as_ref()
                    .is_none_or(|best| best.place.applied <= mark.place.applied);
                if is_later && mark.place.events <= own.0 && mark.place.rejected <= own.1 {
                    best = Some(mark);
                }
            }
            found += read;
            if read == 0 {
                break;
            }
        }
        let mark = best.filter(|mark| mark.place.applied + 1 >= info.state.first_sequence);
        let Some(mark) = mark else {
            return Err(Trouble::Refused(format!(
                "this folder has {} events and {} rejected calls, and the stream begins later ({found} \
                 marks): restore a newer backup of another node",
                own.0, own.1
            )));
        };
        let events = mark.place.events;
        let root = self.prove(move |prover| root_at(prover, events)).await?;
        if root != mark.root {
            return Err(Trouble::Diverged(format!(
                "the first {events} events of this folder are not those of node {}: restore a backup of \
                 another node",
                mark.node
            )));
        }
        Ok(mark.place)
    }

    /// Begins a new stream at the end of the own log.
    async fn begin_stream(&self, context: &Context) -> Result<Place, Trouble> {
        let place = Place {
            applied: 0,
            events: self.shared.trail.last_seq(),
            rejected: self.shared.trail.rejected().last_seq(),
        };
        match self.publish_mark(context, place, Some(0)).await? {
            Published::At(1) => Ok(place),
            _ => Err(Trouble::passing("the stream has begun")),
        }
    }

    /// Sends the other nodes the position from which this one reads.
    pub(super) async fn claim(&self, context: &Context, place: Place) -> Result<(), Trouble> {
        match self.publish_mark(context, place, None).await? {
            Published::At(_) => Ok(()),
            _ => Err(Trouble::passing("the stream takes no messages")),
        }
    }

    async fn publish_mark(
        &self,
        context: &Context,
        place: Place,
        after: Option<u64>,
    ) -> Result<Published, Trouble> {
        let mark = self.prove(move |prover| mark_at(prover, place)).await?;
        let payload = serde_json::to_vec(&mark).map_err(Trouble::refused)?;
        let publish = Publish {
            after,
            ..Publish::unanswered(Subject::Mark, payload, DEADLINE)
        };
        Ok(self.publish(context, &publish).await)
    }

    /// Runs a query that reads the log, on a thread that may wait for it.
    async fn prove<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Prover) -> Result<T, ProofError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let prover = Arc::clone(self.shared.trail.prover());
        let answer = tokio::task::spawn_blocking(move || ask(&prover)).await;
        answer.map_err(Trouble::refused)?.map_err(Trouble::refused)
    }
}
