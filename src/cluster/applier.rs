//! The one thread that appends to the node's own log: the messages of the stream, in
//! order.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Receiver;

use super::message::{self, Mark};
use super::sequencer::Observer;
use super::status::Status;
use crate::log::record::{EventHead, EventRecord, Lost, is_pruned};
use crate::log::{AppendError, Cursor, LogError};
use crate::store::{Group, Owners, Placed, Sequencer, Trail};

/// The most records and about the most bytes that are appended at once.
const BATCH: (usize, usize) = (256, 256 * 1024);

pub enum Task {
    /// The part of the stream that the own log has, before any of these.
    Begin(Place),
    /// Calls are accepted once a message is applied and the own log has nothing beyond.
    Settle { at: u64 },
    /// A group of the stream.
    Group {
        /// The number of the message.
        at: u64,
        /// The id that its publisher gave it.
        id: String,
        payload: Vec<u8>,
    },
    /// The position of another log.
    Mark { at: u64, mark: Mark },
    /// A message that adds nothing to the own log.
    Other { at: u64 },
    /// The present segments are to be closed.
    Close(SyncSender<Result<(), AppendError>>),
}

/// The part of the stream that the own log has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the last message; 0 before the first.
    pub applied: u64,
    /// The number of events up to there, including control records.
    pub events: u64,
    /// How many rejected calls.
    pub rejected: u64,
}

/// The waiters for the numbers of a group.
pub struct Waiting {
    pub id: String,
    pub placed: SyncSender<(u64, Placed)>,
}

/// The state that the threads of a node share.
pub struct Shared {
    pub trail: Arc<Trail>,
    pub status: Status,
    /// `None` until the node has found its place.
    pub place: Mutex<Option<Place>>,
    /// Notified when the place has changed.
    pub moved: Condvar,
    pub waiting: Mutex<Option<Waiting>>,
    /// Why the own log accepts nothing any more.
    pub poison: Mutex<Option<String>>,
}

impl Shared {
    /// For a node that has not found its place yet.
    pub fn new(trail: Arc<Trail>, poison: Option<String>) -> Self {
        Self {
            trail,
            status: Status::default(),
            place: Mutex::default(),
            moved: Condvar::new(),
            waiting: Mutex::default(),
            poison: Mutex::new(poison),
        }
    }

    pub fn log_id(&self) -> u64 {
        self.trail.folder().log_id
    }
}

/// Appends delivered messages.
pub struct Applier {
    pub shared: Arc<Shared>,
    pub inner: Box<dyn Sequencer>,
    pub owners: Owners,
    pub observer: Observer,
    /// The receiver of marks.
    pub marks: Sender<Mark>,
    pub place: Place,
    /// The message after which calls are accepted.
    pub settle: Option<u64>,
    /// Reads events of the own log that the stream delivers again, …
    pub events: Cursor,
    /// … and rejected calls of the own log.
    pub rejected: Cursor,
}

/// A message whose records are to be appended.
struct Pending {
    at: u64,
    id: String,
    events: usize,
    rejected: usize,
}

/// Why the thread ends.
struct Ended;

impl Applier {
    /// Runs until nobody can send tasks, or nothing can be appended.
    pub fn run(mut self, mut tasks: Receiver<Task>) {
        let mut next = None;
        while let Some(task) = next.take().or_else(|| tasks.blocking_recv()) {
            let done = match task {
                Task::Begin(place) => {
                    self.place = place;
                    self.publish_place(place.applied)
                }
                Task::Settle { at } => {
                    self.settle.get_or_insert(at);
                    self.publish_place(self.place.applied)
                }
                Task::Group { at, id, payload } => {
                    self.groups((at, id, payload), &mut tasks, &mut next)
                }
                Task::Mark { at, mark } => self.mark(at, mark),
                Task::Other { at } => self.publish_place(at),
                Task::Close(reply) => {
                    // The sender of the task may have ended.
                    let _ = reply.send(self.inner.close_segments());
                    self.note_poison()
                }
            };
            if done.is_err() {
                break;
            }
        }
        // Whoever waits is answered.
        self.shared.waiting.lock().take();
        self.shared.moved.notify_all();
    }

    /// Appends a group and the groups that wait behind it. Leaves in `next` the first message
    /// that is not a group.
    fn groups(
        &mut self,
        first: (u64, String, Vec<u8>),
        tasks: &mut Receiver<Task>,
        next: &mut Option<Task>,
    ) -> Result<(), Ended> {
        let (mut group, mut pending) = (Group::default(), Vec::new());
        let mut bytes = 0;
        let mut current = Some(first);
        while let Some((at, id, payload)) = current.take() {
            bytes += payload.len();
            let records = self.decode(at, &payload)?;
            let new = self.without_present(at, records)?;
            pending.push(Pending {
                at,
                id,
                events: new.events.len(),
                rejected: new.rejected.len(),
            });
            group.events.extend(new.events);
            group.rejected.extend(new.rejected);
            let records = group.events.len() + group.rejected.len();
            if records < BATCH.0 && bytes < BATCH.1 {
                match tasks.try_recv() {
                    Ok(Task::Group { at, id, payload }) => current = Some((at, id, payload)),
                    other => *next = other.ok(),
                }
            }
        }
        self.append(&group, pending)
    }

    fn decode(&self, at: u64, payload: &[u8]) -> Result<Group, Ended> {
        message::decode(self.shared.log_id(), payload).map_err(|why| {
            self.diverged(format!(
                "message {at} of the stream cannot be read: {why}. Restore a backup of a node that goes on"
            ))
        })
    }

    /// Counts the records of a message, and keeps those that the own logs lack. The others
    /// must equal the records that the logs have.
    fn without_present(&mut self, at: u64, records: Group) -> Result<Group, Ended> {
        let last = self.shared.trail.last_seq();
        let counted = &mut self.place.events;
        let events = new_of(&mut self.events, records.events, counted, last);
        let last = self.shared.trail.rejected().last_seq();
        let counted = &mut self.place.rejected;
        let rejected = new_of(&mut self.rejected, records.rejected, counted, last);
        let differs = |what: &str, number: u64| {
            self.diverged(format!(
                "{what} {number} of this folder is not the one that message {at} of the stream has: the \
                 folder was written to outside of the cluster. Restore a backup of another node"
            ))
        };
        Ok(Group {
            events: events.map_err(|number| differs("event", number))?,
            rejected: rejected.map_err(|number| differs("rejected call", number))?,
            after: None,
        })
    }

    /// Appends the records of messages, and sends their numbers to the waiting publisher.
    fn append(&mut self, group: &Group, pending: Vec<Pending>) -> Result<(), Ended> {
        let first = self.place.events + 1 - group.events.len() as u64;
        let first_rejected = self.place.rejected + 1 - group.rejected.len() as u64;
        let Ok(placed) = self.inner.append(group) else {
            return Err(self.diverged("the own log has moved".to_owned()));
        };
        self.note_poison()?;
        let expected = [(&placed.events, first), (&placed.rejected, first_rejected)];
        for (placed, first) in expected {
            let right = (first..).zip(placed).all(|(seq, found)| *found == Ok(seq));
            if !right {
                return Err(self.diverged(
                    "the own log gave another number than the stream: restore a backup of another node"
                        .to_owned(),
                ));
            }
        }
        for (seq, record) in (first..).zip(&group.events) {
            if let Ok(head) = EventHead::decode(record) {
                self.owners.note(seq, &head);
            }
        }
        if let Some(last) = pending.last() {
            self.publish_place(last.at)?;
        }
        let (mut events, mut rejected) = (placed.events.into_iter(), placed.rejected.into_iter());
        let mut records = (first..).zip(&group.events);
        for message in pending {
            let placed = Placed {
                events: events.by_ref().take(message.events).collect(),
                rejected: rejected.by_ref().take(message.rejected).collect(),
            };
            let of_message = records.by_ref().take(message.events);
            let waiting = &mut *self.shared.waiting.lock();
            match waiting.take_if(|waiting| waiting.id == message.id) {
                Some(own) => {
                    of_message.for_each(drop);
                    // It may have given up.
                    let _ = own.placed.try_send((message.at, placed));
                }
                None => of_message.for_each(|(seq, record)| {
                    if let Ok(record) = EventRecord::decode(record) {
                        (self.observer)(seq, &record);
                    }
                }),
            }
        }
        Ok(())
    }

    fn mark(&mut self, at: u64, mark: Mark) -> Result<(), Ended> {
        let (own, other) = (self.place, mark.place);
        // Nothing came between: the node had counted up to this one.
        if other.applied == own.applied && other != own {
            return Err(self.diverged(format!(
                "after message {} node {} had {} events and {} rejected calls, and this one {} and {}: \
                 restore a backup of the other nodes",
                other.applied, mark.node, other.events, other.rejected, own.events, own.rejected
            )));
        }
        // If the thread has ended, nobody compares any more.
        let _ = self.marks.send(mark);
        self.publish_place(at)
    }

    fn publish_place(&mut self, at: u64) -> Result<(), Ended> {
        self.place.applied = at;
        *self.shared.place.lock() = Some(self.place);
        self.shared.moved.notify_all();
        if self.settle.take_if(|settle| *settle <= at).is_none() {
            return Ok(());
        }
        let trail = &self.shared.trail;
        let own = (trail.last_seq(), trail.rejected().last_seq());
        if own != (self.place.events, self.place.rejected) {
            return Err(self.diverged(format!(
                "this folder has {} events and {} rejected calls, and the stream {} and {}: the folder was \
                 written to outside of the cluster. Restore a backup of another node",
                own.0, own.1, self.place.events, self.place.rejected
            )));
        }
        self.shared.status.ready();
        Ok(())
    }

    fn note_poison(&self) -> Result<(), Ended> {
        match self.inner.poison() {
            None => Ok(()),
            poison => {
                *self.shared.poison.lock() = poison;
                Err(Ended)
            }
        }
    }

    fn diverged(&self, why: String) -> Ended {
        self.shared.status.diverged(why);
        Ended
    }
}

/// Counts records, and returns those that a log with this last number lacks; the number of the
/// first that it has as another one.
fn new_of(
    own: &mut Cursor,
    mut records: Vec<Vec<u8>>,
    counted: &mut u64,
    last: u64,
) -> Result<Vec<Vec<u8>>, u64> {
    let present = usize::try_from(last.saturating_sub(*counted)).unwrap_or(usize::MAX);
    let new = records.split_off(present.min(records.len()));
    for (number, record) in (*counted + 1..).zip(&records) {
        if !is_same(own, number, record) {
            return Err(number);
        }
    }
    *counted += (records.len() + new.len()) as u64;
    Ok(new)
}

/// Whether the own log has this record. A pruned, lost or unreadable record counts as equal.
fn is_same(cursor: &mut Cursor, number: u64, record: &[u8]) -> bool {
    match cursor.get(number) {
        Ok(own) => own == record || is_pruned(own) || Lost::decode(own).is_some(),
        Err(LogError::Damaged { .. } | LogError::NotFound { .. }) => true,
        Err(error) => {
            tracing::warn!("record {number} could not be compared: {error}");
            true
        }
    }
}
