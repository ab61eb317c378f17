//! Answers commands over a connection: those to a running server, and, if none runs,
//! those of a command that has opened the folder itself.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::answer_writer::AnswerWriter;
use super::command_request::{Batches, read_request};
use super::control::{Control, Request};
use super::refusals::Refusals;
use super::reply::Reply;
use super::semaphore::{CAPACITY, Client, Permit, Semaphore, weight};
use super::signed::Checker;
use super::tails::Tails;
use crate::background::{Pace, lower_priority};
use crate::cluster::Status;
use crate::event::{DecodeError, Zone};
use crate::ops::doctor::{Running, Settings};
use crate::ops::{self, Maintenance};
use crate::proofs::Countersigning;
use crate::query::{
    Answered, Importer, Progress, Query, ReconcileOrder, Reconciler, Stage, answer, retry,
    with_causes,
};
use crate::store::{Appender, Arrival, Outcome, Trail};

/// The maximum number of concurrent commands; more wait to be accepted.
const MAX_COMMANDS: u32 = 64;

/// How long a connected command may take to send its request.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);

/// A server's description of itself.
pub(super) struct About {
    pub settings: Settings,
    pub refusals: Arc<Refusals>,
    /// The checker of signatures, if they are checked.
    pub checker: Option<Checker>,
    pub countersigning: Countersigning,
    /// The state of the cluster, if the server is a node of one.
    pub cluster: Option<Status>,
}

/// Appends events and returns the outcome of each.
type Append = Arc<dyn Fn(Vec<Arrival>) -> Vec<Outcome> + Send + Sync>;

/// Why a command fails: the connection is lost, or a reason that is sent.
type Failure = Box<dyn Error>;

pub struct Commands {
    pub(super) trail: Arc<Trail>,
    /// `None` once the server stops, so that the committer can end.
    append: Mutex<Option<Append>>,
    /// Limits the queries that run.
    queries: Semaphore,
    /// The zone in which calls are read.
    zone: Zone,
    about: Option<About>,
    stopping: AtomicBool,
    /// The commands that run, without tails.
    pub(super) running: Semaphore,
    tails: Tails,
}

impl Commands {
    /// Answers the commands of a running server.
    pub(super) fn new(
        trail: Arc<Trail>,
        append: impl Fn(Vec<Arrival>) -> Vec<Outcome> + Send + Sync + 'static,
        zone: Zone,
        about: Option<About>,
    ) -> Self {
        Self {
            trail,
            append: Mutex::new(Some(Arc::new(append))),
            queries: Semaphore::new(CAPACITY),
            zone,
            about,
            stopping: AtomicBool::new(false),
            running: Semaphore::new(MAX_COMMANDS),
            tails: Tails::default(),
        }
    }

    /// Answers a command of the process that has opened the folder.
    pub fn offline(trail: Arc<Trail>, appender: Option<Appender>, zone: Zone) -> Self {
        let appender = Mutex::new(appender);
        let append = move |group: Vec<Arrival>| {
            let mut appender = appender.lock();
            match &mut *appender {
                Some(appender) => appender.append(group),
                None => {
                    let why = "the folder cannot be written".to_owned();
                    vec![Outcome::Unavailable(why); group.len()]
                }
            }
        };
        Self::new(trail, append, zone, None)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The number of running commands, with tails.
    pub(super) fn in_flight(&self) -> u32 {
        self.running.held() + self.tails.count()
    }

    /// Tails end, and other commands are not begun any more.
    pub(super) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.trail.events().notifier().wake_all();
    }

    /// Nothing is appended any more.
    pub(super) fn end_stop(&self) {
        *self.append.lock() = None;
    }

    /// Answers one command; an error if it has disconnected.
    pub fn serve(&self, stream: &UnixStream) -> io::Result<()> {
        self.serve_counted(stream, None)
    }

    /// The same; `running` counts it among the running ones.
    pub(super) fn serve_counted(
        &self,
        stream: &UnixStream,
        running: Option<Permit>,
    ) -> io::Result<()> {
        // A command that connects and sends no request must not hold a thread. After
        // the request there is no limit: a reader may page, an import may read a pipe.
        stream.set_read_timeout(Some(REQUEST_PATIENCE))?;
        let (request, mut body) = match read_request(BufReader::new(stream)) {
            Ok(read) => read,
            Err(error) => {
                let refusal = DecodeError::new(error.to_string(), "request");
                return (&*stream).write_all(&Reply::refused(400, &refusal).bytes(false));
            }
        };
        let uploads = matches!(request, Request::Import | Request::Reconcile(_));
        if !uploads {
            io::copy(&mut body, &mut io::sink())?;
        }
        stream.set_read_timeout(None)?;
        let out = AnswerWriter::begin(stream, &self.stopping)?;
        let answered = match request {
            Request::Ask(query) => self.ask(&query, &out),
            Request::Maintenance(order) => self.maintain(&order, &out),
            Request::Import => self.import(body, &out),
            Request::Reconcile(order) => self.reconcile(*order, body, &out),
            Request::Retry(numbers) => self.retry(&numbers, &out),
            Request::About => self.describe(&out),
            Request::Tail { query, on } => {
                // A waiting tail does not count as a running command.
                let tail = self.tails.enter();
                drop(running);
                tail.and_then(|_tail| self.tails.send(&self.trail, &query, on, &out))
            }
        };
        out.end(&match answered {
            Ok(end) => Control::End(end),
            Err(error) => {
                // A command that is broken off asks again, or waits for the next server.
                out.check()?;
                let reason = with_causes(error.as_ref());
                Control::Failed { reason }
            }
        })
    }

    /// How events are appended, unless the server stops.
    fn append(&self) -> Result<Append, Failure> {
        let append = self.append.lock();
        append
            .clone()
            .ok_or_else(|| "the server is stopping".into())
    }

    /// Appends, unless the server stops.
    fn try_append(&self, group: Vec<Arrival>) -> Vec<Outcome> {
        match self.append() {
            Ok(append) => append(group),
            Err(why) => vec![Outcome::Unavailable(why.to_string()); group.len()],
        }
    }

    fn wait_for_index(&self, out: &AnswerWriter<'_>) -> Result<(), Failure> {
        let report = |index: crate::index::Progress| out.progress(index.into());
        Ok(self.trail.wait_for_index(report)?)
    }

    fn ask(&self, query: &Query, out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        let weight = weight(query, &self.trail);
        let permit = self.queries.acquire(weight, &Client::default(), || {
            out.check()?;
            out.control(&Control::Progress(Progress {
                stage: Stage::Waiting,
                ..Progress::default()
            }))
        });
        let _permit = permit?;
        let mut lines = out;
        let report = &mut |progress| out.progress(progress);
        Ok(answer(&self.trail, query, None, &mut lines, report)?.0)
    }

    /// Reports the progress of long work. Long work of a server has the lowest priority from
    /// here on, and rests while many calls arrive.
    fn paced(&self, out: &AnswerWriter<'_>) -> impl FnMut(u64, u64) {
        let events = self.trail.events();
        let mut pace = self.about.is_some().then(|| {
            // This thread has no other command.
            lower_priority();
            Pace::new(events.last_seq())
        });
        move |done, all| {
            let stage = Stage::Working;
            out.progress(Progress { stage, done, all });
            if let Some(step) = &mut pace {
                if let Some(rest) = step.rest(events.last_seq()) {
                    std::thread::sleep(rest);
                }
                *step = Pace::new(events.last_seq());
            }
        }
    }

    fn maintain(&self, order: &Maintenance, out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        let mut lines = out;
        let mut output = ops::Output {
            out: &mut lines,
            progress: &mut self.paced(out),
        };
        Ok(ops::run(
            &self.trail,
            order,
            &|group| self.try_append(group),
            &mut output,
        )?)
    }

    fn describe(&self, mut out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        let about = self.about.as_ref().ok_or("no server runs")?;
        // In the literal their locks would be held while the index is waited for.
        let last_age = *about.refusals.last_age.lock();
        let countersigners = about.countersigning.lock().clone();
        let running = Running {
            checks: about.checker.is_some(),
            last_age,
            refused: about.refusals.counts(),
            countersigners,
            cluster: about.cluster.as_ref().map(Status::facts),
            ..Running::of(&self.trail, about.settings.clone())
        };
        serde_json::to_writer(&mut out, &running)?;
        out.write_all(b"\n")?;
        Ok(Answered::default())
    }

    fn import(&self, body: impl BufRead, out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        self.wait_for_index(out)?;
        let mut importer = Importer::new(&self.trail);
        let mut batches = Batches::new(body);
        while let Some((first, lines)) = batches.next()? {
            let append = self.append()?;
            let report = importer.import(first, &lines, |group| append(group))?;
            drop(append);
            out.report(&report)?;
            if report.failure.is_some() {
                return Ok(Answered::default());
            }
        }
        importer.finish()?;
        let report = &mut self.paced(out);
        for order in importer.new_erasures() {
            self.trail
                .erase(&order, &|group| self.try_append(group), &|| false, report)?;
        }
        Ok(Answered::default())
    }

    fn retry(&self, numbers: &[u64], out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        self.wait_for_index(out)?;
        let append = self.append()?;
        let mut lines = out;
        let answered = retry(
            &self.trail,
            numbers,
            self.zone,
            &mut |group| append(group),
            &mut lines,
        )?;
        // Their senders may send them again.
        let about = self.about.as_ref();
        if let Some(checker) = about.and_then(|about| about.checker.as_ref()) {
            checker.note_events(&self.trail)?;
        }
        Ok(answered)
    }

    fn reconcile(
        &self,
        order: ReconcileOrder,
        body: impl BufRead,
        mut out: &AnswerWriter<'_>,
    ) -> Result<Answered, Failure> {
        self.wait_for_index(out)?;
        let mut reconciler = Reconciler::new(&self.trail, order)?;
        let mut batches = Batches::new(body);
        loop {
            let rows = batches.next()?;
            let append = self.append()?;
            let append = &mut |group| append(group);
            let report = match &rows {
                Some((_, rows)) => reconciler.rows(rows, &mut out, append)?,
                None => reconciler.finish(&mut out, append)?,
            };
            out.report(report)?;
            if rows.is_none() || report.failure.is_some() {
                return Ok(reconciler.answered());
            }
        }
    }
}
