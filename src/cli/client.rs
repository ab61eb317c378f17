//! Connects a command to the running server, or else opens the folder.
//!
//! If no server runs, this process opens the folder and answers its own command
//! ([`Commands`]) in a thread, over a pair of sockets. So both cases share one code path.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use crossbeam_channel::{Sender, bounded};
use serde_json::Value;

use super::{Bar, CommandContext};
use crate::log::OpenMode;
use crate::query::{Answered, Query, Stage};
use crate::server::control::{ChunkedReader, Control, Request, TARGET, read_head, write_chunk};
use crate::server::{Commands, reachable};
use crate::store::{Folder, OpenOptions, Trail, TrailError};

/// How long a command waits for another one, or for a server that starts.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes are read and sent at once.
const PIECE: usize = 64 * 1024;

/// The message if a server's answer is incomplete.
pub const BROKEN_OFF: &str = "the running server stopped in the middle of its answer; ask again";

/// Opens the folder to add events, with the default segment size of `serve`.
pub const APPEND: OpenMode = OpenMode::Append {
    segment_size: 64 << 20,
};

pub struct Connection {
    stream: UnixStream,
    /// If no server runs, the thread that answers.
    offline: Option<JoinHandle<()>>,
}

/// Reaches the data. A server that is just starting or stopping is waited for.
pub fn reach(context: &CommandContext, mode: OpenMode) -> anyhow::Result<Connection> {
    let begun = Instant::now();
    loop {
        if let Ok(Some(connection)) = connect(&context.data) {
            return Ok(connection);
        }
        let options = OpenOptions {
            mode,
            server: false,
            cache: context.cache,
            patience: Duration::from_millis(200),
        };
        match Trail::open(&context.data, options) {
            Ok((trail, appender)) => {
                return offline(Commands::offline(trail, appender, context.zone));
            }
            Err(error @ TrailError::InUse { .. }) if begun.elapsed() >= PATIENCE => {
                return Err(error).context("it does not answer commands, and it has not ended");
            }
            Err(TrailError::InUse { .. }) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn offline(commands: Commands) -> anyhow::Result<Connection> {
    let (stream, other) = UnixStream::pair().context("making a pair of sockets")?;
    let answer = move || {
        if let Err(error) = commands.serve(&other) {
            tracing::debug!("the command disconnected: {error}");
        }
    };
    let thread = std::thread::Builder::new().name("command".to_owned());
    let thread = thread.spawn(answer).context("starting a thread")?;
    Ok(Connection {
        stream,
        offline: Some(thread),
    })
}

/// Connects to the server that runs on a data folder; `None` if none runs.
pub fn connect(data: &Path) -> io::Result<Option<Connection>> {
    use ErrorKind::{ConnectionRefused, NotFound};
    let socket = reachable(&Folder::socket_of(data));
    let stream = match socket.and_then(|(path, _dir)| UnixStream::connect(path)) {
        // A socket without a listener was left by a crash.
        Err(error) if matches!(error.kind(), ConnectionRefused | NotFound) => return Ok(None),
        connected => connected?,
    };
    let offline = None;
    Ok(Some(Connection { stream, offline }))
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may have been shut down already.
        let _ = self.stream.shutdown(Shutdown::Both);
        let panicked = self.offline.take().map(JoinHandle::join);
        if panicked.is_some_and(|joined| joined.is_err()) {
            tracing::error!("the answering thread panicked");
        }
    }
}

impl Connection {
    /// Sets the longest wait for the next bytes of the answer.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(patience))
    }

    /// Sends a request without lines; the answer follows.
    pub fn send(self, request: &Request) -> io::Result<Answer> {
        let mut stream = &self.stream;
        send_request(stream, request)?;
        write_chunk(&mut stream, b"")?;
        Answer::of(self)
    }

    /// Sends a request and the lines that follow it. If the lines cannot be read, `unread` gets
    /// the error.
    fn upload(
        self,
        request: &Request,
        mut lines: Box<dyn Read + Send>,
        unread: Sender<io::Error>,
    ) -> anyhow::Result<Answer> {
        send_request(&self.stream, request)?;
        let mut stream = self.stream.try_clone()?;
        let upload = move || {
            let mut piece = vec![0; PIECE];
            loop {
                let count = match lines.read(&mut piece) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => {
                        // Without its last chunk the body is not whole.
                        let _ = unread.send(error);
                        let _ = stream.shutdown(Shutdown::Both);
                        return;
                    }
                    Ok(count) => count,
                };
                // If the server reads no more, its answer says why.
                let sent = write_chunk(&mut stream, piece.get(..count).unwrap_or_default());
                if count == 0 || sent.is_err() {
                    return;
                }
            }
        };
        // Not joined: it may be reading a pipe when the server disconnects.
        let thread = std::thread::Builder::new().name("upload".to_owned());
        thread.spawn(upload).context("starting a thread")?;
        Ok(Answer::of(self)?)
    }
}

/// A request, and how it is run.
pub struct Task {
    pub request: Request,
    /// The mode in which the folder is opened if no server runs.
    pub mode: OpenMode,
    /// The text of the progress bar.
    pub doing: &'static str,
    /// Lines that the server is to read.
    pub lines: Option<Box<dyn Read + Send>>,
    /// The message if the server's answer is incomplete.
    pub broken_off: &'static str,
    /// Whether the answer goes to a terminal: its first line hides the bar.
    pub to_terminal: bool,
}

impl Task {
    /// A task without lines.
    pub const fn new(request: Request, mode: OpenMode, doing: &'static str) -> Self {
        Self {
            request,
            mode,
            doing,
            lines: None,
            broken_off: BROKEN_OFF,
            to_terminal: false,
        }
    }

    /// Runs the task, and writes the lines of the answer to `out`.
    pub fn run(self, context: &CommandContext, out: &mut dyn Write) -> anyhow::Result<Answered> {
        self.run_with(context, &mut |_, _| Ok(()), out)
    }

    /// The same; `on_report` gets the server's reports on the lines that were sent.
    pub fn run_with(
        self,
        context: &CommandContext,
        on_report: &mut dyn FnMut(Value, &mut Bar) -> anyhow::Result<()>,
        out: &mut dyn Write,
    ) -> anyhow::Result<Answered> {
        let mut bar = Bar::new(self.doing, context.progress);
        let connection = reach(context, self.mode)?;
        let (unread, reading) = bounded(1);
        let answer = match self.lines {
            Some(lines) => connection.upload(&self.request, lines, unread),
            None => connection.send(&self.request).map_err(Into::into),
        };
        let answer = answer.context(self.broken_off);
        let end = answer.and_then(|mut answer| {
            loop {
                match answer.next().context(self.broken_off)? {
                    Part::Line(line) => {
                        if self.to_terminal {
                            bar.hide();
                        }
                        out.write_all(line)?;
                    }
                    Part::Control(Control::End(end)) => return Ok(end),
                    Part::Control(Control::Failed { reason }) => bail!("{reason}"),
                    Part::Control(Control::Report(report)) => on_report(report, &mut bar)?,
                    Part::Control(control) => bar.show(&control),
                }
            }
        });
        match reading.try_recv() {
            Ok(error) => Err(error).context("reading the lines"),
            Err(_) => end,
        }
    }
}

fn send_request(mut stream: &UnixStream, request: &Request) -> io::Result<()> {
    let head = format!(
        "POST {TARGET} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    write_chunk(&mut stream, &line)
}

pub struct Answer {
    input: ChunkedReader<BufReader<UnixStream>>,
    /// The line that was returned last.
    line: Vec<u8>,
    _connection: Connection,
}

pub enum Part<'a> {
    /// A line of the answer itself, with its end.
    Line(&'a [u8]),
    /// A line about it.
    Control(Control),
}

impl Answer {
    fn of(connection: Connection) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(PIECE, connection.stream.try_clone()?);
        let head = read_head(&mut input)?;
        if !head.starts_with(b"HTTP/1.1 200 ") {
            let mut reason = String::new();
            input.read_to_string(&mut reason)?;
            let what = format!(
                "the running server does not understand this command; is it another version? {reason}"
            );
            return Err(io::Error::other(what));
        }
        Ok(Self {
            input: ChunkedReader::new(input),
            line: Vec::new(),
            _connection: connection,
        })
    }

    /// The next part; an error if the other side has disconnected.
    pub fn next(&mut self) -> io::Result<Part<'_>> {
        self.line.clear();
        self.input.read_until(b'\n', &mut self.line)?;
        if !self.line.ends_with(b"\n") {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match Control::of_line(&self.line) {
            Some(control) => control.map(Part::Control),
            None => Ok(Part::Line(&self.line)),
        }
    }
}

/// Runs a query and writes the lines of its answer to `out`.
pub fn ask(
    query: &Query,
    context: &CommandContext,
    out: &mut dyn Write,
) -> anyhow::Result<Answered> {
    for note in query.time_notes(context.view.now) {
        message!("note: {note}");
    }
    let request = Request::Ask(Box::new(query.clone()));
    let task = Task {
        to_terminal: context.terminal,
        ..Task::new(request, OpenMode::Read, Stage::Index.text())
    };
    task.run(context, out)
}
