//! Reaching the data: the running server if there is one, else the folder.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::progress::Bar;
use super::setting::Setting;
use crate::query::{Query, answer};
use crate::server::protocol::{End, Kind, Request, Waiting, parse, receive, send_json};
use crate::server::reachable;
use crate::trail::{Appender, Folder, OpenOptions, Purpose, Trail, TrailError};

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
pub fn reach(setting: &Setting, purpose: Purpose) -> anyhow::Result<Access> {
    let begun = Instant::now();
    loop {
        if let Some(stream) = connect(setting) {
            return Ok(Access::Live(stream));
        }
        let options = OpenOptions {
            purpose,
            cache: setting.cache,
            patience: Duration::from_millis(200),
        };
        match Trail::open(&setting.data, options) {
            Ok((trail, appender)) => return Ok(Access::Offline(trail, appender.map(Box::new))),
            Err(error @ TrailError::InUse { .. }) if begun.elapsed() >= PATIENCE => {
                return Err(error).context("it does not answer commands, and it has not ended");
            }
            Err(TrailError::InUse { .. }) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn connect(setting: &Setting) -> Option<UnixStream> {
    let (path, _dir) = reachable(&Folder::socket_of(&setting.data)).ok()?;
    UnixStream::connect(path).ok()
}

/// Asks, and writes the answer's lines to `out`.
pub fn ask(query: &Query, setting: &Setting, out: &mut dyn Write) -> anyhow::Result<End> {
    let mut bar = Bar::new("the index is made", setting.progress);
    match reach(setting, Purpose::Ask)? {
        Access::Live(stream) => ask_server(stream, query, &mut bar, out),
        Access::Offline(trail, _) => {
            trail.wait_for_index(|progress| bar.set(progress.applied, progress.last))?;
            drop(bar);
            let answered = answer(&trail, query, out)?;
            Ok(End {
                found: answered.found,
                damage: answered.damage,
            })
        }
    }
}

fn ask_server(
    mut stream: UnixStream,
    query: &Query,
    bar: &mut Bar,
    out: &mut dyn Write,
) -> anyhow::Result<End> {
    let request = Request::Ask(Box::new(query.clone()));
    send_json(&mut stream, Kind::Request, &request)?;
    follow(stream, bar, out)
}

/// Writes the lines that a server sends to `out`, up to the end.
pub fn follow(stream: UnixStream, bar: &mut Bar, out: &mut dyn Write) -> anyhow::Result<End> {
    let mut stream = io::BufReader::with_capacity(1 << 16, stream);
    loop {
        let frame = receive(&mut stream).context("the running server broke its answer off")?;
        let Some((kind, bytes)) = frame else {
            bail!("the running server broke its answer off; is it stopping? Ask again");
        };
        match kind {
            Kind::Lines => out.write_all(&bytes)?,
            Kind::Progress => {
                let waiting: Waiting = parse(&bytes)?;
                bar.set(waiting.applied, waiting.last);
            }
            Kind::Done => return Ok(parse(&bytes)?),
            Kind::Failed => bail!("{}", String::from_utf8_lossy(&bytes)),
            Kind::Request | Kind::Report => bail!("the running server is of another version"),
        }
    }
}
