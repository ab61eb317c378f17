//! Answers commands over a connection: those to a running server, and, where none
//! runs, those that a command asks of the folder that it has opened itself.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::control::{ChunkedReader, Control, Request, TARGET, read_head, write_chunk};
use super::query_limiter::{CAPACITY, Client, Entered, InFlight, QueryLimiter, weight};
use super::refusals::Refusals;
use super::reply::Reply;
use super::signed::Checker;
use super::tails::Tails;
use crate::background::{Pace, lower_priority};
use crate::cluster::Status;
use crate::event::{DecodeError, Zone};
use crate::ops::doctor::{Running, Settings};
use crate::ops::{self, Maintenance};
use crate::proofs::Countersigning;
use crate::query::{
    Answered, ImportReport, Importer, Progress, Query, ReconcileOrder, Reconciler, Stage, answer,
    retry, with_causes,
};
use crate::store::{Appender, Arrival, Outcome, Trail};

/// How long a connected command may take to send its request.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);

/// The maximum length of a request in bytes, without the lines that follow it.
const MAX_REQUEST: u64 = 16 << 20;

/// The number of lines that are imported or compared at once, …
const BATCH_LINES: u64 = 1000;

/// … and about how many bytes of them.
const BATCH_LEN: usize = 4 << 20;

/// The longest line in bytes that is read.
const MAX_LINE: usize = 128 << 20;

/// The number of bytes of lines that are buffered for a chunk.
const CHUNK: usize = 64 * 1024;

/// What a server says of itself.
pub(super) struct About {
    pub settings: Settings,
    pub refusals: Arc<Refusals>,
    /// What checks signatures, if they are checked.
    pub checker: Option<Checker>,
    pub countersigning: Countersigning,
    /// What is known of the cluster, if it is a node of one.
    pub cluster: Option<Status>,
}

/// Appends events and returns the outcome of each.
type Append = Arc<dyn Fn(Vec<Arrival>) -> Vec<Outcome> + Send + Sync>;

/// Why a command fails: the connection is lost, or a reason that is sent.
type Failure = Box<dyn Error>;

/// Answers commands.
pub struct Commands {
    trail: Arc<Trail>,
    /// `None` once the server stops, so that the committer can end.
    append: Mutex<Option<Append>>,
    limiter: Arc<QueryLimiter>,
    /// The zone in which calls are read.
    zone: Zone,
    about: Option<About>,
    stopping: AtomicBool,
    /// The commands that run, without tails.
    pub(super) running: InFlight,
    tails: Tails,
    /// Allows one import at a time: an import first looks up which events exist.
    importing: Mutex<()>,
}

impl Commands {
    /// Answers the commands of a running server.
    pub(super) fn new(
        trail: Arc<Trail>,
        append: impl Fn(Vec<Arrival>) -> Vec<Outcome> + Send + Sync + 'static,
        limiter: Arc<QueryLimiter>,
        zone: Zone,
        about: Option<About>,
    ) -> Self {
        Self {
            trail,
            append: Mutex::new(Some(Arc::new(append))),
            limiter,
            zone,
            about,
            stopping: AtomicBool::new(false),
            running: InFlight::default(),
            tails: Tails::default(),
            importing: Mutex::default(),
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
        let limiter = Arc::new(QueryLimiter::new(CAPACITY));
        Self::new(trail, append, limiter, zone, None)
    }

    /// The trail.
    pub(super) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The number of running commands, with tails.
    pub(super) fn in_flight(&self) -> u32 {
        self.running.count() + self.tails.count()
    }

    /// Tails end, and other commands are not begun any more.
    pub(super) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.trail.events().notifier().wake_all();
    }

    /// Nothing is appended any more.
    pub(super) fn end_stop(&self) {
        let mut append = self.append.lock();
        append.take();
    }

    /// Answers one command; an error if it has gone.
    pub fn serve(&self, stream: &UnixStream) -> io::Result<()> {
        self.serve_counted(stream, None)
    }

    /// The same; `entered` counts it among the running ones.
    pub(super) fn serve_counted(
        &self,
        stream: &UnixStream,
        entered: Option<Entered>,
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
                drop(entered);
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
        let permit = self.limiter.acquire(weight, &Client::default(), || {
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

    fn maintain(&self, order: &Maintenance, out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        let mut lines = out;
        let events = self.trail.events();
        let mut pace = self.about.is_some().then(|| {
            // This thread has no other command.
            lower_priority();
            Pace::new(events.last_seq())
        });
        let mut output = ops::Output {
            out: &mut lines,
            progress: &mut |done, all| {
                let stage = Stage::Working;
                out.progress(Progress { stage, done, all });
                if let Some(step) = &mut pace {
                    if let Some(rest) = step.rest(events.last_seq()) {
                        std::thread::sleep(rest);
                    }
                    *step = Pace::new(events.last_seq());
                }
            },
        };
        // No import adds again what is erased meanwhile.
        let _alone = matches!(order, Maintenance::Erase(_)).then(|| self.importing.lock());
        Ok(ops::run(
            &self.trail,
            order,
            &|group| self.try_append(group),
            &mut output,
        )?)
    }

    fn describe(&self, mut out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        let about = self.about.as_ref().ok_or("no server runs")?;
        let running = Running {
            checks: about.checker.is_some(),
            last_age: about.refusals.last_age(),
            refused: about.refusals.counts(),
            countersigners: about.countersigning.states(),
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
            let report: ImportReport = {
                let _one = self.importing.lock();
                let append = self.append()?;
                importer.import(first, &lines, |group| append(group))?
            };
            out.report(&report)?;
            if report.failure.is_some() {
                return Ok(Answered::default());
            }
        }
        importer.finish()?;
        if self.about.is_some() {
            lower_priority();
        }
        for order in importer.new_erasures() {
            let report = &mut |done, all| {
                let stage = Stage::Working;
                out.progress(Progress { stage, done, all });
            };
            let _one = self.importing.lock();
            self.trail
                .erase(&order, &|group| self.try_append(group), &|| false, report)?;
        }
        Ok(Answered::default())
    }

    fn retry(&self, numbers: &[u64], out: &AnswerWriter<'_>) -> Result<Answered, Failure> {
        self.wait_for_index(out)?;
        let _one = self.importing.lock();
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

/// Reads a request, and returns it with the rest of its body.
pub(super) fn read_request<'i, R: BufRead + 'i>(
    mut input: R,
) -> io::Result<(Request, Box<dyn BufRead + 'i>)> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let head = read_head(&mut input)?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    let read = parsed.parse(&head);
    read.map_err(|error| invalid(format!("the head is not HTTP: {error}")))?;
    if (parsed.method, parsed.path) != (Some("POST"), Some(TARGET)) {
        return Err(invalid(format!("only POST {TARGET} is allowed here")));
    }
    let header = |name: &str| {
        let mut headers = parsed.headers.iter();
        let header = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let length = header("Content-Length").and_then(|length| length.parse().ok());
    let mut body: Box<dyn BufRead + 'i> = match (header("Transfer-Encoding"), length) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => {
            Box::new(ChunkedReader::new(input))
        }
        (None, Some(length)) => Box::new(input.take(length)),
        _ => {
            return Err(invalid(
                "the body must be chunked or have a length".to_owned(),
            ));
        }
    };
    let mut line = Vec::new();
    (&mut body).take(MAX_REQUEST).read_until(b'\n', &mut line)?;
    let request = serde_json::from_slice(&line)?;
    Ok((request, body))
}

/// Lines in batches.
struct Batches<R> {
    input: R,
    next_line: u64,
}

impl<R: BufRead> Batches<R> {
    const fn new(input: R) -> Self {
        let next_line = 1;
        Self { input, next_line }
    }

    /// The number of the first line, and the lines; `None` at the end.
    fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let first = self.next_line;
        let mut lines = Vec::new();
        while self.next_line - first < BATCH_LINES && lines.len() < BATCH_LEN {
            let mut input = (&mut self.input).take(MAX_LINE as u64);
            let len = input.read_until(b'\n', &mut lines)?;
            if len == 0 {
                break;
            }
            if len >= MAX_LINE {
                let what = format!("line {} is longer than {MAX_LINE} bytes", self.next_line);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            self.next_line += 1;
        }
        Ok((!lines.is_empty()).then_some((first, lines)))
    }
}

/// Sends the lines of an answer, and control lines between them, in chunks.
pub(super) struct AnswerWriter<'a> {
    stream: &'a UnixStream,
    stopping: &'a AtomicBool,
    held: RefCell<Held>,
}

/// What is not sent yet.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// Whether the last byte, sent or not, is within a line.
    in_line: bool,
}

impl<'a> AnswerWriter<'a> {
    fn begin(stream: &'a UnixStream, stopping: &'a AtomicBool) -> io::Result<Self> {
        let head = Reply::new(200, "application/x-ndjson", Vec::new());
        let head = head.with("Transfer-Encoding", "chunked");
        let mut head = head.with("Connection", "close").head();
        head.extend_from_slice(b"\r\n");
        (&*stream).write_all(&head)?;
        Ok(Self {
            stream,
            stopping,
            held: RefCell::default(),
        })
    }

    /// The connection.
    pub const fn stream(&self) -> &UnixStream {
        self.stream
    }

    /// Fails once the server stops.
    pub fn check(&self) -> io::Result<()> {
        match self.stopping.load(Ordering::Acquire) {
            true => Err(io::Error::other("the server is stopping")),
            false => Ok(()),
        }
    }

    /// Sends what is held, and then a control line; within a line, nothing.
    pub fn control(&self, control: &Control) -> io::Result<()> {
        let mut held = self.held.borrow_mut();
        if held.in_line {
            return Ok(());
        }
        serde_json::to_writer(&mut held.bytes, control)?;
        held.bytes.push(b'\n');
        self.send(&mut held.bytes)
    }

    /// Sends the progress. A lost connection is noticed when lines are sent.
    pub fn progress(&self, progress: Progress) {
        let _ = self.control(&Control::Progress(progress));
    }

    /// Sends the report on some lines.
    fn report(&self, report: &impl Serialize) -> io::Result<()> {
        self.control(&Control::Report(serde_json::to_value(report)?))
    }

    /// Sends the last line, and ends the body.
    fn end(&self, last: &Control) -> io::Result<()> {
        let in_line = self.held.borrow().in_line;
        if in_line {
            { self }.write_all(b"\n")?;
        }
        self.control(last)?;
        write_chunk(&mut &*self.stream, b"")
    }

    fn send(&self, held: &mut Vec<u8>) -> io::Result<()> {
        if !held.is_empty() {
            write_chunk(&mut Unhurried(self), held)?;
        }
        held.clear();
        Ok(())
    }
}

impl Write for &AnswerWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.held.borrow_mut();
        if let Some(last) = bytes.last() {
            held.in_line = *last != b'\n';
        }
        if bytes.len() >= CHUNK {
            self.send(&mut held.bytes)?;
            write_chunk(&mut Unhurried(self), bytes)?;
            return Ok(bytes.len());
        }
        held.bytes.extend_from_slice(bytes);
        if held.bytes.len() >= CHUNK {
            self.send(&mut held.bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send(&mut self.held.borrow_mut().bytes)
    }
}

/// Waits for a command that reads slowly, until the server stops.
struct Unhurried<'a>(&'a AnswerWriter<'a>);

impl Write for Unhurried<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use io::ErrorKind::{TimedOut, WouldBlock};
        loop {
            match (&*self.0.stream).write(bytes) {
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => self.0.check()?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
