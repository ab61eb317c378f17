//! Deadlines of every phase.
//!
//! | waits for | at most | then |
//! | --- | --- | --- |
//! | the TLS handshake | `handshake_timeout`; while stopping, [`NEW_STOPPING`] | closed |
//! | a request, on an open connection | `idle_timeout`; while stopping, [`NEW_STOPPING`] from its opening on, and none after a request | closed |
//! | the rest of a head | `head_timeout` | 408 |
//! | the rest of a request | `request_timeout`, and a second more for each [`BODY_RATE`] bytes | 408 |
//! | the rest of a body that is too large | [`LINGER`] | 413 |
//! | a private connection | `answer_timeout` | 503 |
//! | the answer | `answer_timeout` | 502 |
//! | the client to read more of its answer | `write_timeout` | closed |
//! | the client to end, after its last answer | [`LINGER`] | closed |
//!
//! A head and a request are timed from their first byte to their last, so sending single bytes gains
//! no time. A client's socket becomes writable only when a good part of its buffer is free, so an
//! answer cannot be read in single bytes for long either.
//!
//! Invariant: every phase has a deadline.

use super::client::Phase;
use super::event_loop::EventLoop;
use super::head::Refusal;
use std::time::Duration;

/// How often deadlines are checked.
pub(super) const SWEEP: Duration = Duration::from_secs(1);
/// The same while stopping.
pub(super) const SWEEP_STOPPING: Duration = Duration::from_millis(100);
/// How long the remaining bytes of a client are read and dropped, before or after its
/// answer.
const LINGER: Duration = Duration::from_secs(5);
/// The same while stopping.
const LINGER_STOPPING: Duration = Duration::from_secs(1);
/// How long after its opening a connection may begin its first request while stopping: its caller
/// could not know of the stop.
const NEW_STOPPING: Duration = Duration::from_secs(1);
/// Bytes of a body that allow a request another second.
const BODY_RATE: usize = 256 * 1024;

impl EventLoop {
    pub(super) fn sweep(&mut self) {
        self.swept = self.now;
        let linger = if self.deadline.is_some() {
            LINGER_STOPPING
        } else {
            LINGER
        };
        for index in 0..self.clients.places() {
            let Some(client) = self.clients.get(index) else {
                continue;
            };
            let age = self.now.saturating_duration_since(client.since);
            let config = &self.config;
            let idle = match client.stream.is_handshaking() {
                _ if self.deadline.is_some() => NEW_STOPPING,
                true => config.handshake_timeout,
                false => config.idle_timeout,
            };
            match client.phase {
                Phase::Idle if age > idle => self.close(index),
                Phase::Answer if age > config.write_timeout => self.close(index),
                Phase::Streaming(_) if age > config.write_timeout && client.outbox.unsent() > 0 => {
                    self.close(index);
                }
                Phase::Linger(_) if age > linger => self.close(index),
                Phase::Discard(_) if age > linger => self.submit(index),
                Phase::Head if age > config.head_timeout.min(config.request_timeout) => {
                    self.refuse(index, TOO_SLOW);
                }
                Phase::Body(_) | Phase::Chunks => {
                    let missing = match client.phase {
                        Phase::Body(missing) => missing,
                        _ => 0,
                    };
                    let body = client.payload.body.len().saturating_add(missing);
                    let more = Duration::from_secs((body / BODY_RATE) as u64);
                    if age > config.request_timeout.saturating_add(more) {
                        self.refuse(index, TOO_SLOW);
                    }
                }
                Phase::Queued if age > config.answer_timeout => self.refuse(index, BUSY),
                Phase::Upstream(_) if age > config.answer_timeout => {
                    tracing::error!("a request was not answered in time");
                    self.refuse(index, UNANSWERED);
                }
                _ => {}
            }
        }
        self.answers.stats().count_phases(self.clients.phases());
        self.reconnect();
    }
}

const TOO_SLOW: Refusal = Refusal::new(408, "the request took too long", "request");
const BUSY: Refusal = Refusal::new(503, "no request could be taken in time", "server");
const UNANSWERED: Refusal = Refusal::new(502, "no answer came in time", "server");
