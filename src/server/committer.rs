//! Appending: group commit.
//!
//! One thread commits what is queued, in groups. The worker that decoded a lone call commits
//! it, which saves waking that thread. The committing thread holds the [`Committer`], so there
//! is never more than one at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use serde_json::json;
use tiny_http::Method;

use super::disk_space::DiskSpaceMonitor;
use super::group_commit::GroupCommitDelay;
use super::inactivity::InactivityAlarm;
use super::reply::{Batch, Reply, Responder};
use crate::cluster::Status;
use crate::event::micros_to_rfc3339;
use crate::frontend::Answers;
use crate::metrics::Metrics;
use crate::store::{Appender, Arrival, Outcome, ParsedCall};

/// The most calls in one group; more wait for the next.
const GROUP_LEN: usize = 256;

/// How long a call that names only a subprofile waits for the index to catch up. Other
/// calls are still committed.
const OWNER_PATIENCE: Duration = Duration::from_secs(2);

/// How often such calls are checked while no others arrive.
const OWNER_PAUSE: Duration = Duration::from_millis(5);

/// The most calls that wait for the index; more are refused.
const MAX_DEFERRED: usize = 1024;

/// A call that waits for the index, and since when.
type Deferred = (Box<ParsedCall>, Responder, Instant);

enum Job {
    Call(Box<ParsedCall>, Responder),
    Import(Vec<Arrival>, Sender<Vec<Outcome>>),
}

/// Whether events can be appended.
#[derive(Debug)]
pub(super) struct Health {
    /// Why the log has failed, if it has.
    poison: Mutex<Option<String>>,
    /// Since when the committer works on its present group; `None` while it waits for one.
    busy: Mutex<Option<Instant>>,
    pub disk: DiskSpaceMonitor,
    /// The bytes that the longest call may need.
    longest: u64,
    /// The state of the cluster, if this is a node of one.
    pub cluster: Option<Status>,
}

impl Health {
    pub fn new(
        disk: DiskSpaceMonitor,
        longest: u64,
        poison: Option<String>,
        cluster: Option<Status>,
    ) -> Self {
        Self {
            poison: Mutex::new(poison),
            busy: Mutex::default(),
            disk,
            longest,
            cluster,
        }
    }

    /// Why the cluster keeps no calls now, if that is so.
    fn apart(&self) -> Option<String> {
        self.cluster.as_ref()?.trouble()
    }

    /// Why no event can be appended, without details that are only for the operator; `None` while
    /// they can.
    pub fn trouble(&self) -> Option<&'static str> {
        if self.poison.lock().is_some() {
            return Some("events cannot be kept; the server's log says why");
        }
        if self.apart().is_some() {
            return Some("the cluster does not keep events now; the server's log says why");
        }
        if self.disk.is_short(0) {
            return Some("the disk is almost full");
        }
        let full = self.disk.free()? < self.longest;
        full.then_some("the disk is full")
    }

    /// Whether the committer has been working on one group for longer than this, or has ended.
    pub fn is_stuck(&self, now: Instant, after: Duration) -> bool {
        let busy = *self.busy.lock();
        busy.is_some_and(|since| now.saturating_duration_since(since) > after)
    }

    /// Why a call of this size is refused: the metric's label and a text for the operator.
    fn refusal(&self, bytes: usize) -> Option<(&'static str, String)> {
        let short = || {
            let is_short = self.disk.is_short(bytes);
            is_short.then(|| ("disk_full", self.disk.shortage()))
        };
        let poison = self.poison.lock().clone();
        let poison = poison.map(|why| ("log_failed", why));
        let apart = || self.apart().map(|why| ("cluster", why));
        poison.or_else(short).or_else(apart)
    }

    /// The answer at `/healthz` or `/readyz`: whether events can be kept and, at the former, whether
    /// any arrive.
    pub fn reply(&self, method: &Method, path: &str, inactivity: &InactivityAlarm) -> Reply {
        if !matches!(method, Method::Get | Method::Head) {
            return Reply::wrong_method("GET, HEAD");
        }
        if let Some(reason) = self.trouble() {
            return Reply::unavailable(reason);
        }
        if path == "/readyz" || !inactivity.is_alarm() {
            return Reply::healthy();
        }
        let last_event = inactivity.last_event().map(micros_to_rfc3339);
        let body = json!({ "status": "silent", "last_event": last_event });
        Reply::json(503, body.to_string().into_bytes())
    }
}

/// The queue to the committer; clones share it.
#[derive(Clone)]
pub(super) struct Queue {
    sender: Sender<Job>,
    pub health: Arc<Health>,
    delay: Arc<GroupCommitDelay>,
    /// Answers the frontend's clients.
    pub answers: Answers,
    pub metrics: Metrics,
    committer: Arc<Place>,
}

/// The place of the committer while nobody commits. It is not returned after a panic.
type Place = Mutex<Option<Box<Committer>>>;

impl Queue {
    /// Commits a lone call, or queues it. The call is answered when it is kept, or at once if the
    /// queue is full, the log has failed or the disk is almost full.
    pub fn call(&self, call: ParsedCall, responder: Responder) {
        let refuse = |responder: Responder, reason: &'static str, why: String| {
            self.metrics.refused(reason);
            responder.answer(&Outcome::Unavailable(why).into());
        };
        if let Some((reason, why)) = self.health.refusal(call.body.len()) {
            return refuse(responder, reason, why);
        }
        let call = Box::new(call);
        if self.answers.in_flight() <= 1
            && self.sender.is_empty()
            && let Some(mut place) = self.committer.try_lock()
            && let Some(mut committer) = place.take_if(|committer| committer.can_commit(&call))
        {
            committer.work(|committer| committer.take(call, responder));
            *place = Some(committer);
            return;
        }
        let (job, reason, why) = match self.sender.try_send(Job::Call(call, responder)) {
            Ok(()) => {
                let queued = self.sender.len();
                self.metrics.queued(queued);
                return self.delay.arrived(queued);
            }
            Err(TrySendError::Full(job)) => (job, "queue_full", "too many calls are waiting"),
            Err(TrySendError::Disconnected(job)) => (job, "stopping", "the server is stopping"),
        };
        if let Job::Call(_, responder) = job {
            refuse(responder, reason, why.to_owned());
        }
    }

    /// Appends a group of imported events and waits for the outcome.
    pub fn import(&self, arrivals: Vec<Arrival>) -> Vec<Outcome> {
        let count = arrivals.len();
        if let Some((_, why)) = self.health.refusal(0) {
            return vec![Outcome::Unavailable(why); count];
        }
        let (reply, outcome) = bounded(1);
        let sent = self.sender.send(Job::Import(arrivals, reply));
        let stopping = || vec![Outcome::Unavailable("the server is stopping".to_owned()); count];
        if sent.is_err() {
            return stopping();
        }
        outcome.recv().unwrap_or_else(|_| stopping())
    }
}

/// Starts the committer's thread. It ends, with everything synced, when the last [`Queue`] is dropped.
/// `answers` knows how many calls are in flight; the outcomes go to `metrics` and `inactivity`.
pub(super) fn start(
    appender: Appender,
    health: Arc<Health>,
    answers: Answers,
    (metrics, inactivity): (Metrics, InactivityAlarm),
    queue_len: usize,
) -> std::io::Result<(Queue, JoinHandle<()>)> {
    let (sender, receiver) = bounded(queue_len);
    let delay = Arc::new(GroupCommitDelay::new());
    let committer = Box::new(Committer {
        appender,
        health: Arc::clone(&health),
        metrics: metrics.clone(),
        inactivity,
        arrivals: Vec::new(),
        responders: Vec::new(),
        deferred: VecDeque::new(),
    });
    let committer = Arc::new(Mutex::new(Some(committer)));
    let queue = Queue {
        sender,
        health,
        delay: Arc::clone(&delay),
        answers: answers.clone(),
        metrics,
        committer: Arc::clone(&committer),
    };
    let thread = std::thread::Builder::new()
        .name("committer".to_owned())
        .spawn(move || {
            run(&committer, &receiver, || {
                let half = answers.in_flight().min(GROUP_LEN) / 2;
                delay.wait(half.saturating_sub(1), || receiver.len());
            });
        })?;
    Ok((queue, thread))
}

/// The committer.
struct Committer {
    appender: Appender,
    health: Arc<Health>,
    metrics: Metrics,
    inactivity: InactivityAlarm,
    /// The present group, …
    arrivals: Vec<Arrival>,
    /// … and who waits for it, with the moment of receipt.
    responders: Vec<(Responder, i64)>,
    deferred: VecDeque<Deferred>,
}

impl Drop for Committer {
    /// Marks the server unhealthy and refuses waiting calls when the committer ends for any reason.
    fn drop(&mut self) {
        for (_, responder, _) in std::mem::take(&mut self.deferred) {
            self.refuse_unresolved(responder);
        }
        let mut poison = self.health.poison.lock();
        poison.get_or_insert_with(|| "the committer has ended".to_owned());
        *self.health.busy.lock() = Some(Instant::now());
    }
}

/// Commits queued jobs in groups. `gather` is called when the first of a group has arrived, and
/// may wait for more.
fn run(place: &Place, jobs: &Receiver<Job>, gather: impl Fn()) {
    let mut has_deferred = false;
    loop {
        let first = match has_deferred {
            false => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            true => jobs.recv_timeout(OWNER_PAUSE),
        };
        let first = match first {
            Ok(first) => {
                gather();
                Some(first)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut place = place.lock();
        let Some(mut committer) = place.take() else {
            return;
        };
        committer.work(|committer| committer.take_group(first, jobs));
        has_deferred = !committer.deferred.is_empty();
        *place = Some(committer);
    }
    // Ends it.
    place.lock().take();
}

impl Committer {
    /// Whether a call can be committed at once.
    fn can_commit(&self, call: &ParsedCall) -> bool {
        self.deferred.is_empty() && !self.appender.must_wait_for_index(call)
    }

    /// Takes a group by `take`, and commits it.
    fn work(&mut self, take: impl FnOnce(&mut Self)) {
        *self.health.busy.lock() = Some(Instant::now());
        take(self);
        self.commit();
        *self.health.busy.lock() = None;
    }

    /// Takes deferred calls whose profile is known now, `first` and queued jobs.
    fn take_group(&mut self, first: Option<Job>, jobs: &Receiver<Job>) {
        self.take_resolved();
        let (mut next, mut taken) = (first, 0);
        while let Some(job) = next.take() {
            taken += 1;
            match job {
                Job::Call(call, responder) => {
                    self.take(call, responder);
                    if taken < GROUP_LEN {
                        next = jobs.try_recv().ok();
                    }
                }
                Job::Import(group, importer) => {
                    self.commit();
                    let outcomes = self.appender.append(group);
                    self.note_poison();
                    // The importer may have disconnected; its events are kept anyway.
                    let _ = importer.send(outcomes);
                }
            }
        }
        self.metrics.queued(jobs.len());
    }

    /// Adds a call to the group, or to those that wait for the index.
    fn take(&mut self, call: Box<ParsedCall>, responder: Responder) {
        if !self.appender.must_wait_for_index(&call) {
            self.responders.push((responder, call.received));
            self.arrivals.push(Arrival::Call(call));
        } else if self.deferred.len() < MAX_DEFERRED {
            self.deferred.push_back((call, responder, Instant::now()));
        } else {
            self.refuse_unresolved(responder);
        }
    }

    /// Moves the deferred calls into the group whose profile can be looked up now, and
    /// refuses those that have waited too long.
    fn take_resolved(&mut self) {
        for (call, responder, since) in std::mem::take(&mut self.deferred) {
            let fits = self.arrivals.len() < GROUP_LEN;
            if fits && !self.appender.must_wait_for_index(&call) {
                self.take(call, responder);
            } else if since.elapsed() >= OWNER_PATIENCE {
                self.refuse_unresolved(responder);
            } else {
                self.deferred.push_back((call, responder, since));
            }
        }
    }

    fn refuse_unresolved(&self, responder: Responder) {
        self.metrics.refused("owner_unknown");
        let why = "the index is not complete yet, so the profile of the subprofile is unknown";
        responder.answer(&Outcome::Unavailable(why.to_owned()).into());
    }

    fn commit(&mut self) {
        if self.arrivals.is_empty() {
            return;
        }
        let begun = Instant::now();
        let calls = self.arrivals.len();
        let outcomes = self.appender.append(std::mem::take(&mut self.arrivals));
        self.metrics.committed(calls, begun.elapsed());
        self.note_poison();
        let mut batch = Batch::default();
        let (mut kept, mut last) = (0, i64::MIN);
        for ((mut responder, received), outcome) in self.responders.drain(..).zip(outcomes) {
            match &outcome {
                Outcome::Kept(seq) => {
                    responder.was_kept(Some(*seq));
                    kept += 1;
                    last = last.max(received);
                }
                Outcome::Rejected(status, _) => {
                    responder.was_kept(None);
                    self.metrics.rejected(*status);
                }
                Outcome::Unavailable(_) if self.appender.poison().is_some() => {
                    self.metrics.refused("log_failed");
                }
                Outcome::Unavailable(_) if self.health.apart().is_some() => {
                    self.metrics.refused("cluster");
                }
                // Only this call: the index does not know yet whose subprofile it is.
                Outcome::Unavailable(_) => self.metrics.refused("owner_unknown"),
            }
            batch.add(responder, &Reply::from(outcome));
        }
        if kept > 0 {
            self.metrics.accepted(kept);
            self.inactivity.received(last);
        }
    }

    /// Logs once what the operator must do when the log has failed, and marks the server unhealthy.
    fn note_poison(&self) {
        let Some(reason) = self.appender.poison() else {
            return;
        };
        let mut poison = self.health.poison.lock();
        if poison.is_none() {
            tracing::error!(
                "events can no longer be kept: {reason}. Every call is answered 503 from now on. \
                 Check the disk (is it full, or failing?), then start the server again: that recovers the log, \
                 and nothing that was acknowledged is lost"
            );
            *poison = Some(reason);
        }
    }
}
