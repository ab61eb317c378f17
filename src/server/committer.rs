//! The one thread that appends: group commit.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::gather::Gathering;
use super::reply::{Batch, Caller, Reply};
use super::room::Room;
use super::silence::Silence;
use crate::frontend::Answers;
use crate::metrics::Metrics;
use crate::store::{Appender, Arrival, Outcome, ParsedCall};

/// The most calls in one group; more wait for the next.
const GROUP_LEN: usize = 256;

enum Job {
    Call(Box<ParsedCall>, Caller),
    Import(Vec<Arrival>, Sender<Vec<Outcome>>),
}

/// Whether events can be appended.
#[derive(Debug)]
pub(super) struct Health {
    poison: Mutex<Option<String>>,
    room: Room,
    /// The bytes that the longest call needs.
    longest: u64,
}

impl Health {
    pub fn new(room: Room, longest: u64, poison: Option<&str>) -> Self {
        Self {
            poison: Mutex::new(poison.map(str::to_owned)),
            room,
            longest,
        }
    }

    /// Why no event can be appended, for anyone to read; `None` while they can.
    /// What the log says of its disk is the operator's.
    pub fn trouble(&self) -> Option<&'static str> {
        if self.poison().is_some() {
            return Some("events cannot be kept; the server's log says why");
        }
        if self.room.is_short(0) {
            return Some("the disk is almost full");
        }
        let full = self.room.free()? < self.longest;
        full.then_some("the disk is full")
    }

    /// Whether the log has failed: then nothing need be tried.
    fn poison(&self) -> Option<String> {
        self.poison
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Why nothing more is taken, of which so many bytes came: a word, and what
    /// the operator is told.
    fn refusal(&self, bytes: usize) -> Option<(&'static str, String)> {
        let short = || {
            let is_short = self.room.is_short(bytes);
            is_short.then(|| ("disk_full", self.room.shortage()))
        };
        let poison = self.poison().map(|why| ("log_failed", why));
        poison.or_else(short)
    }

    /// The bytes that are free on the data folder's disk, where it is known.
    pub fn free(&self) -> Option<u64> {
        self.room.free()
    }
}

/// The way to the committer; clones share it.
#[derive(Clone)]
pub(super) struct Queue {
    sender: Sender<Job>,
    health: Arc<Health>,
    gathering: Arc<Gathering>,
    metrics: Metrics,
}

impl Queue {
    /// Queues a call. The caller is answered when it is kept, or at once where
    /// the queue is full, the log has failed or the disk is almost full.
    pub fn call(&self, call: ParsedCall, caller: Caller) {
        let refuse = |caller: Caller, reason: &'static str, why: String| {
            self.metrics.refused(reason);
            caller.answer(&Outcome::Unavailable(why).into());
        };
        if let Some((reason, why)) = self.health.refusal(call.body.len()) {
            return refuse(caller, reason, why);
        }
        match self.sender.try_send(Job::Call(Box::new(call), caller)) {
            Ok(()) => {
                let queued = self.sender.len();
                self.metrics.queued(queued);
                self.gathering.arrived(queued);
            }
            Err(TrySendError::Full(Job::Call(_, caller))) => {
                refuse(
                    caller,
                    "queue_full",
                    "too many calls are waiting".to_owned(),
                );
            }
            Err(TrySendError::Disconnected(Job::Call(_, caller))) => {
                refuse(caller, "stopping", "the server is stopping".to_owned());
            }
            Err(_) => {}
        }
    }

    /// Keeps a group of imported events and waits for the outcome.
    pub fn import(&self, arrivals: Vec<Arrival>) -> Vec<Outcome> {
        let count = arrivals.len();
        if let Some((_, why)) = self.health.refusal(0) {
            return vec![Outcome::Unavailable(why); count];
        }
        let (told, outcome) = bounded(1);
        let sent = self.sender.send(Job::Import(arrivals, told));
        let stopping = || vec![Outcome::Unavailable("the server is stopping".to_owned()); count];
        if sent.is_err() {
            return stopping();
        }
        outcome.recv().unwrap_or_else(|_| stopping())
    }
}

/// Starts the committer. It ends, with everything synced, when the last
/// [`Queue`] is gone. `answers` tells how many calls are under way; what comes
/// of calls is told to `told`.
pub(super) fn start(
    appender: Appender,
    health: Arc<Health>,
    answers: Answers,
    told: (Metrics, Silence),
    queue_len: usize,
) -> std::io::Result<(Queue, JoinHandle<()>)> {
    let (sender, receiver) = bounded(queue_len);
    let queue = Queue {
        sender,
        health: Arc::clone(&health),
        gathering: Arc::new(Gathering::new()),
        metrics: told.0.clone(),
    };
    let gathering = Arc::clone(&queue.gathering);
    let thread = std::thread::Builder::new()
        .name("committer".to_owned())
        .spawn(move || {
            run(appender, &health, &told, &receiver, || {
                let half = answers.under_way().min(GROUP_LEN) / 2;
                gathering.wait(half.saturating_sub(1), || receiver.len());
            });
        })?;
    Ok((queue, thread))
}

/// Says so when the committer has ended, however it ended.
struct Ended<'a>(&'a Health);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut poison = self.0.poison.lock().unwrap_or_else(PoisonError::into_inner);
        poison.get_or_insert_with(|| "the committer has ended".to_owned());
    }
}

/// Commits what comes, in groups; `gather` is called when the first of one has
/// come.
fn run(
    mut appender: Appender,
    health: &Health,
    told: &(Metrics, Silence),
    jobs: &Receiver<Job>,
    gather: impl Fn(),
) {
    let _ended = Ended(health);
    let mut arrivals = Vec::new();
    let mut callers = Vec::new();
    while let Ok(first) = jobs.recv() {
        gather();
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Call(call, caller) => {
                    callers.push((caller, call.received));
                    arrivals.push(Arrival::Call(call));
                    if arrivals.len() < GROUP_LEN {
                        next = jobs.try_recv().ok();
                    }
                }
                Job::Import(group, importer) => {
                    commit(&mut appender, health, told, &mut arrivals, &mut callers);
                    let outcomes = appender.append(group);
                    tell_poison(&appender, health);
                    // The importer may have gone; its events are kept all the same.
                    let _ = importer.send(outcomes);
                }
            }
        }
        commit(&mut appender, health, told, &mut arrivals, &mut callers);
        told.0.queued(jobs.len());
    }
}

fn commit(
    appender: &mut Appender,
    health: &Health,
    (metrics, silence): &(Metrics, Silence),
    arrivals: &mut Vec<Arrival>,
    callers: &mut Vec<(Caller, i64)>,
) {
    if arrivals.is_empty() {
        return;
    }
    let begun = Instant::now();
    let calls = arrivals.len();
    let outcomes = appender.append(std::mem::take(arrivals));
    metrics.committed(calls, begun.elapsed());
    tell_poison(appender, health);
    let mut batch = Batch::default();
    let (mut kept, mut last) = (0, i64::MIN);
    for ((mut caller, received), outcome) in callers.drain(..).zip(outcomes) {
        if !matches!(outcome, Outcome::Unavailable(_)) {
            caller.was_kept();
        }
        match &outcome {
            Outcome::Kept(_) => {
                kept += 1;
                last = last.max(received);
            }
            Outcome::Rejected(status, _) => metrics.rejected(*status),
            Outcome::Unavailable(_) => metrics.refused("log_failed"),
        }
        batch.add(caller, &Reply::from(outcome));
    }
    if kept > 0 {
        metrics.accepted(kept);
        silence.heard(last);
    }
}

/// Says once what the operator must do, and lets everybody know.
fn tell_poison(appender: &Appender, health: &Health) {
    let Some(reason) = appender.poison() else {
        return;
    };
    let mut poison = health.poison.lock().unwrap_or_else(PoisonError::into_inner);
    if poison.is_none() {
        tracing::error!(
            "events cannot be kept any more: {reason}. Every call is answered 503 from now on. \
             See to the disk (is it full, or failing?), then start the server again: that recovers the log, \
             and nothing that was acknowledged is lost"
        );
        *poison = Some(reason.to_owned());
    }
}
