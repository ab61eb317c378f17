//! `tail`: the newest events, and with `-f` new ones as they arrive.
//!
//! Without `-f` and without a cursor file it is an ordinary query. Otherwise events
//! are read from the running server, or from the folder if none runs, and [`sink`]
//! writes each with one write and then saves the position in the [`cursor`] file.
//! With `-f` only a server is read. When it stops, the next one is waited for, and
//! the tail continues after the last event.

mod appended;
mod cursor;
mod sink;

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::answer_args::AskStates;
use super::ask;
use super::client::{BROKEN_OFF, Connection, Part, connect, reach};
use super::{Bar, CommandContext, ExitStatus, Format, TIMES};
use crate::format::shell;
use crate::log::OpenMode;
use crate::query::{Filter, Query, Span, Stage, TailQuery};
use crate::server::control::{Control, Request};
use crate::store::{Folder, TrailError};
use sink::Sink;

/// How many events are shown by default.
const LAST: u64 = 10;

/// The first pause before a server is looked for again, …
const PAUSE: Duration = Duration::from_millis(20);

/// … and the longest; each time twice as long.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{TIMES}\n\nExample: profiletrail tail -f --field newsletter --new Nee"))]
pub struct TailArgs {
    /// Follow new events; waits for a server if none runs
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Show the newest N events, or all [default: 10; all with --since or --until]
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_most)]
    pub limit: Option<u64>,
    /// Continue after the last event that was shown with this file, and save the position in it
    #[arg(long, value_name = "FILE")]
    pub cursor_file: Option<PathBuf>,
    #[command(flatten)]
    pub ask: AskStates<Filter>,
}

fn parse_most(text: &str) -> Result<u64, String> {
    match text {
        "all" => Ok(u64::MAX),
        number => number
            .parse()
            .map_err(|_| "write a number, or all".to_owned()),
    }
}

impl TailArgs {
    fn query(&self) -> TailQuery {
        let filter = self.ask.query.clone();
        let last = match self.limit {
            Some(most) => Some(most).filter(|most| *most != u64::MAX),
            None if filter.span != Span::default() => None,
            None => Some(LAST),
        };
        TailQuery {
            filter,
            after: None,
            last,
            limit: None,
        }
    }
}

pub fn run(args: &TailArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let mut query = args.query();
    query.filter.cascade |=
        ask::shows_cascade(args.ask.no_cascade, args.ask.output.format, context);
    if !args.follow && args.cursor_file.is_none() {
        return ask::run(Query::Tail(query), args.ask.output.clone(), context);
    }
    let for_people = match context.format(args.ask.output.format) {
        Format::Table => true,
        Format::Jsonl => false,
        Format::Csv | Format::Xlsx | Format::Html => {
            wrong_usage!(
                "--format: with --follow or --cursor-file the format must be jsonl or table"
            );
        }
    };
    let mut sink = Sink::open(context, for_people, args.cursor_file.as_deref())?;
    write(query, args.follow, context, &mut sink)
}

/// Writes the requested events, with `on` until the process ends.
fn write(
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
        // What was written is safe while it is waited.
        sink.sync(Duration::ZERO)?;
        std::thread::sleep(PAUSE);
    }
    sink.sync(Duration::ZERO)?;
    if sink.damaged {
        message!("the answer lacks events that cannot be read");
        return Ok(ExitStatus::Failed);
    }
    if !sink.found {
        return super::nothing_found("no new event matches");
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

/// Reads what a server sends; returns whether that is all, or it has stopped before the end.
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

/// Whether an error says that the other side has gone.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
