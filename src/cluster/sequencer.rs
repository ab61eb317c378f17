//! The sequencer of a cluster, to which the committer appends.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Sender, UnboundedSender, channel, unbounded_channel};
use tokio::sync::watch;

use super::applier::{Applier, Place, Shared, Task, Waiting};
use super::marks::{self, Marks};
use super::message;
use super::session::{Publish, Published, Session, Subject};
use super::status::Status;
use crate::background::Background;
use crate::dice::random;
use crate::log::AppendError;
use crate::log::record::EventRecord;
use crate::store::{Appender, Group, Moved, Placed, Sequencer, Trail, frame_len};

/// How long a group may be in doubt. An election among NATS servers takes up to nine seconds.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// About the most bytes of a message with more than one record.
pub const MESSAGE: usize = 256 * 1024;

/// How many messages of the stream wait for the own log.
const TASKS: usize = 64;

/// The longest wait for the place that a group was refused for.
const MOVED: Duration = Duration::from_millis(500);

/// Gets each event that another node has appended, or that this one has appended after its caller gave up.
pub type Observer = Box<dyn Fn(u64, &EventRecord<'_>) + Send>;

/// The connection settings of a node.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The addresses of NATS servers, the nearest first.
    pub servers: Vec<String>,
    /// The file with the node's credentials.
    pub credentials: Option<PathBuf>,
    /// The most bytes of a call's body.
    pub max_body: usize,
}

/// The threads of a node other than the committer. Dropped after the committer has ended.
pub struct Cluster {
    marks: Option<Background>,
    /// What is known of the cluster.
    pub status: Status,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Cluster {
    /// Lets an appender share its order. Events of other nodes are handed to the observer.
    pub fn join(
        config: ClusterConfig,
        trail: &Arc<Trail>,
        appender: Appender,
        observer: Observer,
    ) -> std::io::Result<(Appender, Self)> {
        let shared = Arc::new(Shared::new(Arc::clone(trail), appender.poison()));
        let (tasks, applied) = channel(TASKS);
        let (publish, published) = unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (mark, claims) = std::sync::mpsc::channel();
        let mut threads = Vec::new();
        let status = shared.status.clone();
        let marks = marks::start(Marks::new(Arc::clone(&shared), publish.clone()), claims)?;
        let session = Session::new(config, Arc::clone(&shared), tasks.clone());
        let appender = appender.through(|inner, owners| {
            let applier = Applier {
                shared: Arc::clone(&shared),
                inner,
                owners,
                observer,
                marks: mark,
                place: Place::default(),
                settle: None,
                events: trail.events().cursor(),
                rejected: trail.rejected().cursor(),
            };
            let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
            threads.push(spawn("applier").spawn(move || applier.run(applied))?);
            threads.push(spawn("nats").spawn(move || session.run(published, stopped))?);
            Ok::<_, std::io::Error>(Box::new(JetStream {
                shared,
                publish,
                tasks,
                prefix: random(),
                groups: 0,
            }) as Box<dyn Sequencer>)
        })?;
        let cluster = Self {
            marks: Some(marks),
            status,
            stop,
            threads,
        };
        Ok((appender, cluster))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.marks.take();
        // The session ends, and with it the last sender of tasks.
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..).rev() {
            if thread.join().is_err() {
                tracing::error!("a thread of the cluster panicked");
            }
        }
    }
}

/// Publishes groups, and waits until the own log has them.
struct JetStream {
    shared: Arc<Shared>,
    publish: UnboundedSender<Publish>,
    tasks: Sender<Task>,
    /// The beginning of the ids of this process's groups.
    prefix: u64,
    groups: u64,
}

/// Why a part of a group was not placed.
enum NotPlaced {
    Moved,
    Failed(AppendError),
}

impl JetStream {
    /// Publishes one message; returns its number and those of its records.
    fn share(
        &mut self,
        (events, rejected): (&[Vec<u8>], &[Vec<u8>]),
        after: Option<u64>,
        deadline: Instant,
    ) -> Result<(u64, Placed), NotPlaced> {
        let log_id = self.shared.log_id();
        let bytes = || events.iter().chain(rejected).map(Vec::len).sum();
        let Some(payload) = message::encode(log_id, events, rejected) else {
            return Err(NotPlaced::Failed(AppendError::TooLarge(bytes())));
        };
        self.groups += 1;
        let id = format!("{:016x}-{}", self.prefix, self.groups);
        let (placed, of_own_log) = sync_channel(1);
        *self.shared.waiting.lock() = Some(Waiting {
            id: id.clone(),
            placed,
        });
        let (reply, answer) = sync_channel(1);
        let sent = self.publish.send(Publish {
            subject: Subject::Group,
            id,
            payload,
            after,
            deadline,
            reply,
        });
        let answer = match sent {
            Ok(()) => wait(&answer, deadline + Duration::from_secs(1)),
            Err(_) => None,
        };
        let result = match answer {
            Some(Published::At(at)) => match wait(&of_own_log, deadline) {
                Some((applied, placed)) if applied == at => Ok((at, placed)),
                _ => Err(self.in_doubt("the own log does not have it yet")),
            },
            Some(Published::Moved) => Err(NotPlaced::Moved),
            Some(Published::TooLarge) => Err(NotPlaced::Failed(AppendError::TooLarge(bytes()))),
            Some(Published::InDoubt(why)) => Err(self.in_doubt(&why)),
            None => Err(self.in_doubt("the server is stopping")),
        };
        self.shared.waiting.lock().take();
        result
    }

    fn in_doubt(&self, why: &str) -> NotPlaced {
        self.shared.status.update(|facts| facts.in_doubt += 1);
        self.shared
            .status
            .apart(&format!("a group of calls is in doubt: {why}"));
        NotPlaced::Failed(AppendError::InDoubt(why.to_owned()))
    }

    /// Waits until more than a place is applied, so that a group that depends on it can be
    /// decided again.
    fn wait_beyond(&self, place: u64, deadline: Instant) {
        let until = deadline.min(Instant::now() + MOVED);
        let mut present = self.shared.place.lock();
        let is_there =
            |present: &mut Option<Place>| !present.is_some_and(|present| present.applied > place);
        self.shared
            .moved
            .wait_while_until(&mut present, is_there, until);
    }
}

/// Receives until a moment.
fn wait<T>(receiver: &Receiver<T>, until: Instant) -> Option<T> {
    let left = until.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).ok()
}

/// How many of the events and of the rejected calls make the next message.
fn message_len(events: &[Vec<u8>], rejected: &[Vec<u8>]) -> (usize, usize) {
    let first = (frame_len(events), frame_len(rejected));
    let bytes =
        |records: &[Vec<u8>], len: usize| -> usize { records.iter().take(len).map(Vec::len).sum() };
    match bytes(events, first.0) + bytes(rejected, first.1) <= MESSAGE {
        true => first,
        false if events.is_empty() => (0, first.1),
        false => (first.0, 0),
    }
}

impl Sequencer for JetStream {
    fn position(&self) -> Option<u64> {
        Some(self.shared.place.lock().map_or(0, |place| place.applied))
    }

    fn append(&mut self, group: &Group) -> Result<Placed, Moved> {
        if let Some(why) = self.shared.status.trouble() {
            return Ok(Placed::failed(group, &AppendError::Refused(why)));
        }
        let begun = Instant::now();
        let deadline = begun + DEADLINE;
        let mut placed = Placed::default();
        let mut after = group.after;
        let (mut events, mut rejected) = (group.events.as_slice(), group.rejected.as_slice());
        while !(events.is_empty() && rejected.is_empty()) {
            let (some, calls) = message_len(events, rejected);
            let (now, later) = events.split_at(some);
            let (calls_now, calls_later) = rejected.split_at(calls);
            let failed = match self.share((now, calls_now), after, deadline) {
                Ok((at, mut part)) => {
                    placed.events.append(&mut part.events);
                    placed.rejected.append(&mut part.rejected);
                    after = after.map(|_| at);
                    (events, rejected) = (later, calls_later);
                    continue;
                }
                Err(NotPlaced::Moved) => {
                    let place = after.unwrap_or(0);
                    self.wait_beyond(place, deadline);
                    // A group that has a place cannot be decided again.
                    if placed == Placed::default() && self.shared.status.is_ready() {
                        return Err(Moved);
                    }
                    let why = "another node was given the place that it depends on";
                    AppendError::Refused(why.to_owned())
                }
                Err(NotPlaced::Failed(error)) => error,
            };
            placed
                .events
                .resize(group.events.len(), Err(failed.clone()));
            placed.rejected.resize(group.rejected.len(), Err(failed));
            break;
        }
        Ok(placed)
    }

    fn close_segments(&mut self) -> Result<(), AppendError> {
        let (reply, answer) = sync_channel(1);
        let ended = || AppendError::Refused("the own log takes nothing any more".to_owned());
        let sent = self.tasks.blocking_send(Task::Close(reply));
        sent.map_err(|_| ended())?;
        answer.recv().unwrap_or_else(|_| Err(ended()))
    }

    fn poison(&self) -> Option<String> {
        self.shared.poison.lock().clone()
    }
}
