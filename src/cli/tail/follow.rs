//! Reads the events of a tail from the running server, or from the folder if none
//! runs.
//!
//! With `-f` it reads only from a server. When the server stops, it waits for the next
//! one and continues after the last event.

use std::io::{self, BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::sink::Sink;
use crate::cli::client::{Access, connect_to, reach};
use crate::cli::context::CommandContext;
use crate::cli::progress::Bar;
use crate::cli::{ExitStatus, say};
use crate::query::{Position, Progress, Stage, Tail, TailPage, TailQuery};
use crate::server::protocol::{Kind, Request, parse, receive, send_json};
use crate::store::{Damages, Folder, Purpose, Trail, TrailError};

/// The first pause before a server is looked for again, …
const PAUSE: Duration = Duration::from_millis(20);

/// … and the longest; each time twice as long.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Writes the events that are asked for, with `on` until the process ends.
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
        let access = match on {
            true => Access::Live(wait_for_server(context, &mut said)?),
            false => reach(context, Purpose::Ask)?,
        };
        match access {
            Access::Offline(trail, _) => {
                from_folder(&trail, &query, context, sink)?;
                break;
            }
            Access::Live(stream) => match from_server(stream, &query, on, context, sink)? {
                Some(Over) => break,
                None if on => {
                    if !std::mem::replace(&mut said, true) {
                        say("profiletrail: the server has gone; waiting for one");
                    }
                    // What was written is safe while it is waited.
                    sink.finish()?;
                    std::thread::sleep(PAUSE);
                }
                None => bail!("the running server broke its answer off; is it stopping? Ask again"),
            },
        }
    }
    sink.finish()?;
    if sink.damaged {
        say("profiletrail: the answer lacks events that cannot be read");
        return Ok(ExitStatus::Failed);
    }
    if !sink.found {
        say("profiletrail: nothing found: no new event matches");
        return Ok(ExitStatus::Nothing);
    }
    Ok(ExitStatus::Success)
}

/// Ends the process when nobody reads standard output any more, which a tail
/// that waits would only find out with the next event. Wherever it is then, the
/// cursor file is good.
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

/// Everything that was asked for has been written.
struct Over;

/// Connects to the server, and waits for one where there is none; says so once.
fn wait_for_server(context: &CommandContext, said: &mut bool) -> anyhow::Result<UnixStream> {
    let data = &context.data;
    let mut pause = PAUSE;
    loop {
        match connect_to(data) {
            Ok(stream) => {
                return Ok(stream);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "asking the server on {}; run this as its user, or as root",
                        data.display()
                    )
                });
            }
        }
        // On these no server will ever run.
        if let Err(
            error @ (TrailError::Backup(_)
            | TrailError::Format { .. }
            | TrailError::FormatDamaged(_)),
        ) = Folder::peek(data)
        {
            return Err(error.into());
        }
        if !std::mem::replace(said, true) {
            let data = data.display();
            say(&format!(
                "profiletrail: no server runs on {data}; waiting for one (`profiletrail serve --data {data}`)"
            ));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads from the folder what is in it.
fn from_folder(
    trail: &Trail,
    query: &TailQuery,
    context: &CommandContext,
    sink: &mut Sink<'_>,
) -> anyhow::Result<()> {
    let mut bar = Bar::new(Stage::Index.text(), context.progress);
    let mut show =
        |progress: Progress| bar.set_of(progress.stage.text(), progress.done, progress.all);
    trail.wait_for_index(|index| {
        show(Progress {
            stage: Stage::Index,
            done: index.applied,
            all: index.last,
        });
    })?;
    let mut damage = Damages::default();
    let (mut tail, begin) = Tail::begin(trail, query, &mut damage, &mut |progress| {
        show(progress);
        Ok(())
    })?;
    drop(bar);
    sink.begin(&begin.with(damage))?;
    let mut damage = Damages::default();
    while let Some(TailPage { lines, position }) = tail.page(&mut damage)? {
        for (_, line) in &lines {
            sink.line(line)?;
        }
        sink.position(&position.with(std::mem::take(&mut damage)))?;
    }
    Ok(())
}

/// Reads what a server sends; `None` where it goes before the end.
fn from_server(
    mut stream: UnixStream,
    query: &TailQuery,
    on: bool,
    context: &CommandContext,
    sink: &mut Sink<'_>,
) -> anyhow::Result<Option<Over>> {
    let request = Request::Tail {
        query: Box::new(query.clone()),
        on,
    };
    if send_json(&mut stream, Kind::Request, &request).is_err() {
        return Ok(None);
    }
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let mut bar = Some(Bar::new(Stage::Index.text(), context.progress));
    loop {
        let (kind, bytes) = match receive(&mut stream) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(None),
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(error).context("reading from the running server"),
        };
        match kind {
            Kind::Progress => {
                let progress: Progress = parse(&bytes)?;
                if let Some(bar) = &mut bar {
                    bar.set_of(progress.stage.text(), progress.done, progress.all);
                }
            }
            Kind::Position => {
                let position: Position = parse(&bytes)?;
                match bar.take() {
                    Some(_) => sink.begin(&position)?,
                    None => sink.position(&position)?,
                }
            }
            Kind::Lines if bar.is_none() => {
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    sink.line(line)?;
                }
            }
            Kind::Done => return Ok(Some(Over)),
            Kind::Failed => bail!("{}", String::from_utf8_lossy(&bytes)),
            Kind::Lines | Kind::Request | Kind::Report => {
                bail!("the running server is of another version")
            }
        }
    }
}

/// Whether an error says that the other side has gone.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
