//! Reads the events of a tail from the running server, or from the folder if none
//! runs.
//!
//! With `-f` it reads only from a server. When the server stops, it waits for the next
//! one and continues after the last event.

use std::io::{self, ErrorKind};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::sink::Sink;
use crate::cli::client::{BROKEN_OFF, Connection, Part, connect, reach};
use crate::cli::{Bar, CommandContext, ExitStatus};
use crate::format::shell;
use crate::log::OpenMode;
use crate::query::{Stage, TailQuery};
use crate::server::control::{Control, Request};
use crate::store::{Folder, TrailError};

/// The first pause before a server is looked for again, …
const PAUSE: Duration = Duration::from_millis(20);

/// … and the longest; each time twice as long.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Writes the requested events, with `on` until the process ends.
pub fn run(
    mut query: TailQuery,
    on: bool,
    context: &CommandContext,
    sink: &mut Sink<'_>,
) -> anyhow::Result<ExitStatus> {
    let mut said = false;
    if on {
        end_with_reader().context("watching standard output")?;
    }
    loop {
        query.after = sink.after();
        let connection = match on {
            true => wait_for_server(context, &mut said)?,
            false => reach(context, OpenMode::Read)?,
        };
        if read(connection, &query, on, context, sink)? {
            break;
        }
        if !on {
            bail!(BROKEN_OFF);
        }
        if !std::mem::replace(&mut said, true) {
            message!("the server has stopped; waiting for one");
        }
        // The written lines are safe while the tail waits.
        sink.finish()?;
        std::thread::sleep(PAUSE);
    }
    sink.finish()?;
    if sink.damaged {
        message!("the answer lacks events that cannot be read");
        return Ok(ExitStatus::Failed);
    }
    if !sink.found {
        return crate::cli::nothing_found("no new event matches");
    }
    Ok(ExitStatus::Success)
}

/// Ends the process when nobody reads standard output any more, which a waiting tail
/// would only notice at the next event. The cursor file is valid at any point.
fn end_with_reader() -> io::Result<()> {
    let watch = || {
        let stdout = io::stdout();
        loop {
            // No events are requested: `poll` always reports a closed reader.
            let mut of_output = [PollFd::new(&stdout, PollFlags::empty())];
            match poll(&mut of_output, None) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => std::process::exit(0),
                Err(error) => {
                    tracing::debug!("standard output is not watched: {error}");
                    return;
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("output".to_owned());
    thread.spawn(watch).map(drop)
}

/// Connects to the server, and waits for one if none runs; says so once.
fn wait_for_server(context: &CommandContext, said: &mut bool) -> anyhow::Result<Connection> {
    let data = &context.data;
    let mut pause = PAUSE;
    loop {
        let connected = connect(data).with_context(|| {
            let data = data.display();
            format!("asking the server on {data}; run this as its user, or as root")
        });
        if let Some(connection) = connected? {
            return Ok(connection);
        }
        // On these no server will ever run.
        if let Err(
            error @ (TrailError::Backup(_)
            | TrailError::NoPermission { .. }
            | TrailError::Format { .. }
            | TrailError::FormatDamaged(_)),
        ) = Folder::peek(data)
        {
            return Err(error.into());
        }
        if !std::mem::replace(said, true) {
            let shown = data.display();
            let word = shell(&data.to_string_lossy());
            message!(
                "no server runs on {shown}; waiting for one (`profiletrail serve --data {word}`)"
            );
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads the lines of a server; returns whether they are complete, or the server has stopped
/// before the end.
fn read(
    connection: Connection,
    query: &TailQuery,
    on: bool,
    context: &CommandContext,
    sink: &mut Sink<'_>,
) -> anyhow::Result<bool> {
    let request = Request::Tail {
        query: Box::new(query.clone()),
        on,
    };
    let mut answer = match connection.send(&request) {
        Ok(answer) => answer,
        Err(error) if is_gone(&error) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let mut bar = Some(Bar::new(Stage::Index.text(), context.progress));
    loop {
        let part = match answer.next() {
            Ok(part) => part,
            Err(error) if is_gone(&error) => return Ok(false),
            Err(error) => return Err(error).context("reading from the running server"),
        };
        match part {
            Part::Line(line) => sink.line(line)?,
            Part::Control(Control::Position(position)) => match bar.take() {
                Some(_) => sink.begin(&position)?,
                None => sink.position(&position)?,
            },
            Part::Control(Control::End(_)) => return Ok(true),
            Part::Control(Control::Failed { reason }) => bail!("{reason}"),
            Part::Control(control) => {
                if let Some(bar) = &mut bar {
                    bar.show(&control);
                }
            }
        }
    }
}

/// Whether an error means that the other side has disconnected.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
