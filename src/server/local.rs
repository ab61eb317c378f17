//! The Unix socket in the data folder: questions and imports by the owner.

use std::fs;
use std::io::{self, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::committer::Queue;
use super::follow::Tails;
use super::protocol::{End, Kind, LinesWriter, Request, parse, receive, send, send_json};
use super::refusals::Refusals;
use super::socket::{bind, is_owner};
use super::turns::{Turns, take_turn};
use crate::ops::doctor::{Running, Settings, Signed};
use crate::ops::{self, Maintenance, MaintenanceError};
use crate::query::{
    Importer, Progress, Query, QueryError, ReconcileOrder, Reconciler, Stage, answer_with_progress,
};
use crate::store::{Folder, Trail};
use rustix::net::{Shutdown, shutdown};

/// The maximum number of concurrent commands; more wait to be accepted.
const MAX_COMMANDS: usize = 64;

/// How long a connected command may take to send its request.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);

/// The server's settings, and the calls refused for their signature, if
/// signatures are checked.
type About = (Settings, Option<Arc<Refusals>>);

/// The running socket.
pub(super) struct Local {
    path: PathBuf,
    listener: Arc<UnixListener>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    trail: Arc<Trail>,
    stopping: AtomicBool,
    commands: AtomicUsize,
    tails: Tails,
    /// Allows one import at a time: an import first looks up which events exist.
    importing: Mutex<()>,
    /// `None` once the server stops, so that the committer can end.
    queue: Mutex<Option<Queue>>,
    turns: Arc<Turns>,
    about: About,
}

impl Local {
    /// Starts answering commands.
    pub fn start(
        trail: Arc<Trail>,
        queue: Queue,
        turns: Arc<Turns>,
        about: About,
    ) -> io::Result<Self> {
        let path = Folder::socket_of(trail.folder().path());
        let listener = Arc::new(bind(&path)?);
        let shared = Arc::new(Shared {
            trail,
            stopping: AtomicBool::new(false),
            commands: AtomicUsize::new(0),
            tails: Tails::default(),
            importing: Mutex::new(()),
            queue: Mutex::new(Some(queue)),
            turns,
            about,
        });
        let (own, accepting) = (Arc::clone(&shared), Arc::clone(&listener));
        let thread = std::thread::Builder::new()
            .name("local".to_owned())
            .spawn(move || accept(&own, &accepting))?;
        Ok(Self {
            path,
            listener,
            shared,
            thread,
        })
    }

    /// Accepts no more commands, and waits a limited time for running ones.
    pub fn stop(self, grace: Duration) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.trail.events().notifier().wake_all();
        // Wakes the accepting thread, even if the socket's file was removed.
        if let Err(error) = shutdown(&self.listener, Shutdown::Both) {
            tracing::debug!("the local socket could not be shut down: {error}");
        }
        if self.thread.join().is_err() {
            tracing::error!("the local socket's thread had panicked");
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("the socket could not be removed: {error}");
        }
        let begun = std::time::Instant::now();
        let shared = &self.shared;
        let under_way = || shared.commands.load(Ordering::Acquire) + shared.tails.count();
        while under_way() > 0 && begun.elapsed() < grace {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

fn accept(shared: &Arc<Shared>, listener: &UnixListener) {
    loop {
        let accepted = listener.accept();
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        let stream = match accepted {
            Ok((stream, _)) if is_owner(&stream) => stream,
            Ok(_) => {
                tracing::warn!("a command of another user was turned away");
                continue;
            }
            Err(error) => {
                tracing::warn!("a command could not be accepted: {error}");
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        while shared.commands.load(Ordering::Acquire) >= MAX_COMMANDS {
            if shared.stopping.load(Ordering::Acquire) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        shared.commands.fetch_add(1, Ordering::AcqRel);
        let own = Arc::clone(shared);
        let spawned = std::thread::Builder::new()
            .name("command".to_owned())
            .spawn(move || {
                let mut counted = Counted::begun(&own.commands);
                if let Err(error) = serve(&own, &stream, &mut counted) {
                    tracing::debug!("a command went away: {error}");
                }
            });
        if let Err(error) = spawned {
            shared.commands.fetch_sub(1, Ordering::AcqRel);
            tracing::warn!("a command could not be answered: {error}");
        }
    }
}

/// Decrements the command count however the thread ends.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    /// Guards a command that is already counted.
    const fn begun(among: &'a AtomicUsize) -> Self {
        Self(among)
    }

    /// Moves it to another counter.
    fn moves_to(&mut self, others: &'a AtomicUsize) {
        others.fetch_add(1, Ordering::AcqRel);
        drop(std::mem::replace(self, Self(others)));
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve<'a>(shared: &'a Shared, stream: &UnixStream, counted: &mut Counted<'a>) -> io::Result<()> {
    // A command that connects and sends no request must not hold a thread. After
    // the request there is no limit: a reader may page, an import may read a pipe.
    stream.set_read_timeout(Some(REQUEST_PATIENCE))?;
    let mut input = BufReader::new(stream);
    let mut output = stream;
    let request = match receive(&mut input)? {
        Some((Kind::Request, bytes)) => parse::<Request>(&bytes),
        Some(_) => Err(io::Error::other("a request was expected")),
        None => return Ok(()),
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            let reason = format!(
                "the running server does not understand this command; is it another version? {error}"
            );
            return send(&mut output, Kind::Failed, reason.as_bytes());
        }
    };
    stream.set_read_timeout(None)?;
    if let Request::Ask(query) = &request
        && !query.needs_index()
    {
        return ask(shared, query, stream);
    }
    match &request {
        Request::Maintenance(order) => return care(shared, order, stream),
        Request::About => return about(shared, stream),
        Request::Tail { query, on } => {
            // A waiting tail does not count as a running command.
            counted.moves_to(shared.tails.counted());
            let (trail, stopping) = (&shared.trail, &shared.stopping);
            return shared.tails.serve(trail, query, *on, stopping, stream);
        }
        Request::Ask(_) | Request::Import | Request::Reconcile(_) => {}
    }
    let waited = shared.trail.wait_for_index(|progress| {
        let waiting = Progress {
            stage: Stage::Index,
            done: progress.applied,
            all: progress.last,
        };
        let _ = send_json(&mut output, Kind::Progress, &waiting);
    });
    if let Err(error) = waited {
        return send(&mut output, Kind::Failed, error.to_string().as_bytes());
    }
    match request {
        Request::Ask(query) => ask(shared, &query, stream),
        Request::Import => import(shared, &mut input, &mut output),
        Request::Reconcile(order) => reconcile(shared, *order, &mut input, stream),
        Request::Maintenance(order) => care(shared, &order, stream),
        Request::About | Request::Tail { .. } => about(shared, stream),
    }
}

fn about(shared: &Shared, mut stream: &UnixStream) -> io::Result<()> {
    let (settings, refusals) = &shared.about;
    let counts = |refusals: &Refusals| {
        let counts = refusals.counts().into_iter();
        counts
            .map(|(word, count)| (word.to_owned(), count))
            .collect()
    };
    let signed = refusals.as_ref().map(|refusals| Signed {
        last_age: refusals.last_age(),
        refused: counts(refusals),
    });
    let running = Running::of(&shared.trail, settings.clone(), signed);
    send_json(&mut stream, Kind::Lines, &running)?;
    send_json(&mut stream, Kind::Done, &End::default())
}

fn care(shared: &Shared, order: &Maintenance, stream: &UnixStream) -> io::Result<()> {
    let (mut output, mut aside) = (stream, stream);
    let mut lines = LinesWriter::new(&mut output);
    let mut output_sinks = ops::Output {
        out: &mut lines,
        progress: &mut |done, all| {
            let stage = Stage::Working;
            let _ = send_json(&mut aside, Kind::Progress, &Progress { stage, done, all });
        },
    };
    let done = ops::run(&shared.trail, order, &mut output_sinks);
    lines.flush()?;
    match done {
        Ok(answered) => send_json(&mut output, Kind::Done, &End::from(answered)),
        Err(MaintenanceError::Output(error)) => Err(error),
        Err(error) => send(&mut output, Kind::Failed, error.to_string().as_bytes()),
    }
}

fn ask(shared: &Shared, query: &Query, stream: &UnixStream) -> io::Result<()> {
    let (mut to_lines, mut to_progress) = (stream, stream);
    let waiting = Progress {
        stage: Stage::Waiting,
        ..Progress::default()
    };
    let turn = take_turn(&shared.turns, &shared.trail, query, || {
        if shared.stopping.load(Ordering::Acquire) {
            return Err(io::Error::other("the server is stopping"));
        }
        send_json(&mut to_progress, Kind::Progress, &waiting)
    })?;
    let mut lines = LinesWriter::new(&mut to_lines);
    let mut report = |progress: Progress| {
        // A lost connection is noticed when lines are sent.
        let _ = send_json(&mut to_progress, Kind::Progress, &progress);
    };
    let answered = answer_with_progress(&shared.trail, query, &mut lines, &mut report);
    lines.flush()?;
    drop(turn);
    let mut output = stream;
    let output = &mut output;
    match answered {
        Ok(answered) => send_json(output, Kind::Done, &End::from(answered)),
        Err(QueryError::Output(error)) => Err(error),
        Err(error) => send(output, Kind::Failed, error.with_causes().as_bytes()),
    }
}

fn import(shared: &Shared, input: &mut impl io::Read, output: &mut impl Write) -> io::Result<()> {
    let mut importer = Importer::new(&shared.trail);
    while let Some((kind, bytes)) = receive(input)? {
        if kind == Kind::Done {
            if let Err(error) = importer.finish() {
                return send(output, Kind::Failed, error.to_string().as_bytes());
            }
            return send_json(output, Kind::Done, &End::default());
        }
        let numbered = bytes
            .split_first_chunk::<8>()
            .filter(|_| kind == Kind::Lines);
        let Some((first, lines)) = numbered else {
            return send(output, Kind::Failed, b"lines were expected");
        };
        let report = {
            let _one = shared
                .importing
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let queue = shared
                .queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let Some(queue) = queue else {
                return send(output, Kind::Failed, b"the server is stopping");
            };
            importer.import(u64::from_le_bytes(*first), lines, |group| {
                queue.import(group)
            })
        };
        match report {
            Ok(report) => send_json(output, Kind::Report, &report)?,
            Err(error) => return send(output, Kind::Failed, error.to_string().as_bytes()),
        }
    }
    Ok(())
}

fn reconcile(
    shared: &Shared,
    order: ReconcileOrder,
    input: &mut impl io::Read,
    stream: &UnixStream,
) -> io::Result<()> {
    let (mut output, mut to_lines) = (stream, stream);
    let mut reconciler = match Reconciler::new(&shared.trail, order) {
        Ok(reconciler) => reconciler,
        Err(error) => return send(&mut output, Kind::Failed, error.to_string().as_bytes()),
    };
    while let Some((kind, bytes)) = receive(input)? {
        let queue = shared.queue.lock();
        let queue = queue.unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else {
            return send(&mut output, Kind::Failed, b"the server is stopping");
        };
        let mut lines = LinesWriter::new(&mut to_lines);
        let append = &mut |group| queue.import(group);
        let reconciled = match kind {
            Kind::Lines => reconciler.rows(&bytes, &mut lines, append),
            Kind::Done => reconciler.finish(&mut lines, append),
            _ => return send(&mut output, Kind::Failed, b"rows were expected"),
        };
        lines.flush()?;
        match reconciled {
            Ok(report) => send_json(&mut output, Kind::Report, &report)?,
            Err(error) => return send(&mut output, Kind::Failed, error.to_string().as_bytes()),
        }
        if kind == Kind::Done {
            return send_json(&mut output, Kind::Done, &End::from(reconciler.answered()));
        }
    }
    Ok(())
}
