//! Reaching the data: the running server if there is one, else the folder.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::context::CommandContext;
use super::progress::{Bar, Unbarred};
use crate::query::{Progress, Query, Stage, answer_with_progress};
use crate::server::protocol::{End, Kind, Request, parse, receive, send_json};
use crate::server::reachable;
use crate::store::{Appender, Folder, OpenOptions, Purpose, Trail, TrailError};

/// How long a command waits for another one, or for a server that starts.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the data is reached.
pub enum Access {
    /// A running server has it.
    Live(UnixStream),
    /// No server runs: this process has the folder's lock.
    Offline(Arc<Trail>, Option<Box<Appender>>),
}

/// Reaches the data. A server that is just starting or stopping is waited for.
pub fn reach(context: &CommandContext, purpose: Purpose) -> anyhow::Result<Access> {
    let begun = Instant::now();
    loop {
        if let Some(stream) = connect(context) {
            return Ok(Access::Live(stream));
        }
        let options = OpenOptions {
            purpose,
            cache: context.cache,
            patience: Duration::from_millis(200),
        };
        match Trail::open(&context.data, options) {
            Ok((trail, appender)) => return Ok(Access::Offline(trail, appender.map(Box::new))),
            Err(error @ TrailError::InUse { .. }) if begun.elapsed() >= PATIENCE => {
                return Err(error).context("it does not answer commands, and it has not ended");
            }
            Err(TrailError::InUse { .. }) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn connect(context: &CommandContext) -> Option<UnixStream> {
    connect_to(&context.data).ok()
}

/// Connects to the server that runs on a data folder.
pub fn connect_to(data: &Path) -> io::Result<UnixStream> {
    let (path, _dir) = reachable(&Folder::socket_of(data))?;
    UnixStream::connect(path)
}

/// Runs a query and writes the lines of its answer to `out`.
pub fn ask(query: &Query, context: &CommandContext, out: &mut dyn Write) -> anyhow::Result<End> {
    let bar = RefCell::new(Bar::new(Stage::Index.text(), context.progress));
    let mut out = Unbarred {
        out,
        bar: &bar,
        terminal: context.terminal,
    };
    let mut report = |progress: Progress| {
        let (what, all) = (progress.stage.text(), progress.all);
        bar.borrow_mut().set_of(what, progress.done, all);
    };
    match reach(context, Purpose::Ask)? {
        Access::Live(stream) => ask_server(stream, query, &mut report, &mut out),
        Access::Offline(trail, _) => {
            trail.wait_for_index(|progress| {
                report(Progress {
                    stage: Stage::Index,
                    done: progress.applied,
                    all: progress.last,
                });
            })?;
            let answered = answer_with_progress(&trail, query, &mut out, &mut report)?;
            Ok(answered.into())
        }
    }
}

fn ask_server(
    mut stream: UnixStream,
    query: &Query,
    report: &mut dyn FnMut(Progress),
    out: &mut dyn Write,
) -> anyhow::Result<End> {
    let request = Request::Ask(Box::new(query.clone()));
    send_json(&mut stream, Kind::Request, &request)?;
    follow(stream, report, out)
}

/// Writes a server's lines to `out` up to the end, and passes its progress to
/// `report`.
pub fn follow(
    stream: UnixStream,
    report: &mut dyn FnMut(Progress),
    out: &mut dyn Write,
) -> anyhow::Result<End> {
    let mut stream = io::BufReader::with_capacity(1 << 16, stream);
    loop {
        let frame = receive(&mut stream).context("the running server broke its answer off")?;
        let Some((kind, bytes)) = frame else {
            bail!("the running server broke its answer off; is it stopping? Ask again");
        };
        match kind {
            Kind::Lines => out.write_all(&bytes)?,
            Kind::Progress => report(parse(&bytes)?),
            Kind::Done => return Ok(parse(&bytes)?),
            Kind::Failed => bail!("{}", String::from_utf8_lossy(&bytes)),
            Kind::Request | Kind::Report | Kind::Position => {
                bail!("the running server is of another version: restart it with this one")
            }
        }
    }
}
