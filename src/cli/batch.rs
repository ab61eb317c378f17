//! Sending lines in batches to the running server: `import` and `reconcile`.

use std::io::Write;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

use super::progress::Bar;
use crate::query::Progress;
use crate::server::protocol::{End, Kind, Request, parse, receive, send, send_json};

/// A running server that takes batches.
pub struct BatchClient {
    stream: UnixStream,
    /// What to do where the server breaks off.
    broken_off: &'static str,
}

/// What a server answers.
pub enum Reply<T> {
    /// The report on a batch.
    Report(T),
    /// The end, which comes only after [`BatchClient::end`].
    Done(End),
}

impl BatchClient {
    /// Sends the request that batches follow.
    pub fn start(
        mut stream: UnixStream,
        request: &Request,
        broken_off: &'static str,
    ) -> anyhow::Result<Self> {
        send_json(&mut stream, Kind::Request, request)?;
        Ok(Self { stream, broken_off })
    }

    /// Sends a batch.
    pub fn send(&mut self, batch: &[u8]) -> anyhow::Result<()> {
        send(&mut self.stream, Kind::Lines, batch).context(self.broken_off)
    }

    /// Says that there are no more batches.
    pub fn end(&mut self) -> anyhow::Result<()> {
        send_json(&mut self.stream, Kind::Done, &End::default()).context(self.broken_off)
    }

    /// Reads up to the next report, or to the end; lines before it go to `out`.
    pub fn reply<T: DeserializeOwned>(
        &mut self,
        bar: &mut Bar,
        out: &mut dyn Write,
    ) -> anyhow::Result<Reply<T>> {
        loop {
            let Some((kind, bytes)) = receive(&mut self.stream).context(self.broken_off)? else {
                bail!(self.broken_off);
            };
            match kind {
                Kind::Progress => {
                    let progress: Progress = parse(&bytes)?;
                    bar.set(progress.done, progress.all);
                }
                Kind::Lines => out.write_all(&bytes)?,
                Kind::Report => return Ok(Reply::Report(parse(&bytes)?)),
                Kind::Done => return Ok(Reply::Done(parse(&bytes)?)),
                Kind::Failed => bail!("{}", String::from_utf8_lossy(&bytes)),
                Kind::Request | Kind::Position => bail!(self.broken_off),
            }
        }
    }

    /// The report on the batch that was sent last.
    pub fn report<T: DeserializeOwned>(
        &mut self,
        bar: &mut Bar,
        out: &mut dyn Write,
    ) -> anyhow::Result<T> {
        match self.reply(bar, out)? {
            Reply::Report(report) => Ok(report),
            Reply::Done(_) => bail!(self.broken_off),
        }
    }
}
