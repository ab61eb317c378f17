//! The load generator: one thread, keep-alive connections, one request under
//! way on each.
//!
//! It must not be the bottleneck, so a request costs it one write, one read and a share
//! of an epoll wait. Connections are opened one by one, each with one answered request
//! before the next: a plain tiny_http starves some of those that are opened together.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::{Events, Interest, Poll, Token};

use super::generate::Bodies;
use super::wire::{Secure, Wire};

/// How long an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer is read into so many bytes; it has a few hundred.
const ANSWER_LEN: usize = 4096;

/// The most header lines of an answer.
const MAX_HEADERS: usize = 32;

struct Connection {
    stream: Wire,
    /// The pieces of the answer so far.
    partial: Vec<u8>,
    sent: Instant,
}

/// The request of a call with this body.
pub fn request(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /webhook HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// `count` requests, made before a measurement, so that making them costs nothing in it.
pub fn prepare(bodies: &mut Bodies, count: usize) -> Vec<Vec<u8>> {
    bodies.take(count).map(|body| request(&body)).collect()
}

/// Open connections to a server.
pub struct Load {
    poll: Poll,
    connections: Vec<Connection>,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests answered 200.
    pub kept: u64,
    /// Requests answered otherwise.
    pub refused: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The time of each request in nanoseconds, sorted.
    pub latencies: Vec<u32>,
}

impl Outcome {
    /// Requests answered 200 in a second.
    pub fn rate(&self) -> f64 {
        self.kept as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Itself, if no request was answered otherwise.
    pub fn all_kept(self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.refused == 0, "{} calls were refused", self.refused);
        Ok(self)
    }

    /// The latency in microseconds that a part of the requests stays below.
    pub fn quantile(&self, part: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * part).round() as usize;
        self.latencies
            .get(place)
            .map_or(0.0, |nanos| f64::from(*nanos) / 1_000.0)
    }
}

/// The status and length of an answer, if it is complete.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(bytes).context("reading an answer")? else {
        return Ok(None);
    };
    let length = answer
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| {
            std::str::from_utf8(header.value)
                .ok()?
                .parse::<usize>()
                .ok()
        })
        .context("an answer without a length")?;
    let status = answer.code.context("an answer without a status")?;
    Ok((bytes.len() >= head + length).then_some((status, head + length)))
}

/// Sends the first request of a connection, and waits for its answer.
fn ask_first(stream: &mut (impl Read + Write), request: &[u8]) -> anyhow::Result<()> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut buffer = [0; ANSWER_LEN];
    while parse(&answer)?.is_none() {
        let count = stream.read(&mut buffer).context("the first answer")?;
        if count == 0 {
            bail!("a connection was closed before its first answer");
        }
        answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    Ok(())
}

impl Load {
    /// Opens `count` connections, each with one answered request; with TLS if there is a
    /// certificate for it.
    pub fn open(
        address: SocketAddr,
        count: usize,
        requests: &mut impl Iterator<Item = impl AsRef<[u8]>>,
        secure: Option<&Secure>,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for number in 0..count {
            let mut stream = std::net::TcpStream::connect(address).context("connecting")?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut tls = secure.map(Secure::session).transpose()?;
            let request = requests.next().context("no more requests")?;
            let request = request.as_ref();
            match &mut tls {
                Some(tls) => ask_first(&mut rustls::Stream::new(tls, &mut stream), request)?,
                None => ask_first(&mut stream, request)?,
            }
            let mut stream = Wire::new(stream, tls)?;
            poll.registry()
                .register(&mut stream.socket, Token(number), Interest::READABLE)?;
            connections.push(Connection {
                stream,
                partial: Vec::new(),
                sent: Instant::now(),
            });
        }
        Ok(Self { poll, connections })
    }

    /// Sends requests for a time, or until there are no more; every request is
    /// waited for.
    pub fn run(
        &mut self,
        requests: &mut impl Iterator<Item = impl AsRef<[u8]>>,
        time: Option<Duration>,
    ) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut events = Events::with_capacity(self.connections.len().max(16));
        let mut buffer = [0; ANSWER_LEN];
        let begun = Instant::now();
        let over = |now: Instant| time.is_some_and(|time| now.duration_since(begun) >= time);
        let mut under_way = 0_usize;
        for connection in &mut self.connections {
            let Some(request) = requests.next() else {
                break;
            };
            connection.send(request.as_ref())?;
            under_way += 1;
        }
        while under_way > 0 {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            if events.is_empty() {
                bail!("no answer came for {PATIENCE:?}");
            }
            for event in &events {
                let Some(connection) = self.connections.get_mut(event.token().0) else {
                    continue;
                };
                let Some(status) = connection.receive(&mut buffer)? else {
                    continue;
                };
                let now = Instant::now();
                let took = now.duration_since(connection.sent).as_nanos();
                outcome
                    .latencies
                    .push(u32::try_from(took).unwrap_or(u32::MAX));
                if status == 200 {
                    outcome.kept += 1;
                } else {
                    outcome.refused += 1;
                }
                match requests.next().filter(|_| !over(now)) {
                    Some(request) => connection.send(request.as_ref())?,
                    None => under_way -= 1,
                }
            }
        }
        outcome.elapsed = begun.elapsed();
        outcome.latencies.sort_unstable();
        Ok(outcome)
    }
}

impl Connection {
    fn send(&mut self, mut request: &[u8]) -> anyhow::Result<()> {
        self.sent = Instant::now();
        while !request.is_empty() {
            match self.stream.write(request) {
                Ok(0) => bail!("a connection takes nothing"),
                Ok(count) => request = request.get(count..).unwrap_or_default(),
                // The socket's buffer holds a request; this is for very long ones.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending a request"),
            }
        }
        Ok(())
    }

    /// Reads once; the status of the answer if it is whole.
    fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<Option<u16>> {
        let count = match self.stream.read(buffer) {
            Ok(0) => bail!("a connection was closed by the server"),
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error).context("reading an answer"),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if self.partial.is_empty()
            && let Some((status, _)) = parse(bytes)?
        {
            return Ok(Some(status));
        }
        self.partial.extend_from_slice(bytes);
        let whole = parse(&self.partial)?;
        if whole.is_some() {
            self.partial.clear();
        }
        Ok(whole.map(|(status, _)| status))
    }
}
