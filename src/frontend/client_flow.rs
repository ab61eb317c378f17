//! The life of a client: its bytes become a request, the request is handed on, the answer is written,
//! and the connection stays open, lingers or ends.
//!
//! Invariant: every function leaves a client waiting for something that will come (an event, an
//! answer, a deadline), or removed.

use super::call::CallId;
use super::chunked::{ChunkDecoder, ChunkError};
use super::client::{Client, Phase, ResponseOptions};
use super::event_loop::EventLoop;
use super::head::{Body, Fault, Refusal, parse};
use super::nonblocking::{CLIENT_KEPT, ReadOutcome, WriteOutcome, reset};
use super::response;
use mio::event::Event;
use std::cmp::Reverse;

/// Bytes that are read and dropped after an answer that ends a connection early.
const LINGER_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of empty lines that are tolerated before a request.
const MAX_BLANK: usize = 8;

impl EventLoop {
    pub(super) fn client_event(&mut self, index: usize, event: &Event) {
        let Some(client) = self.clients.get(index) else {
            return;
        };
        client.readiness.note(event);
        if event.is_writable() && client.outbox.is_writing() {
            let before = client.outbox.sent;
            let outcome = client.flush(self.poll.registry());
            if outcome == WriteOutcome::Done || client.outbox.sent > before {
                client.since = match client.phase {
                    Phase::Answer | Phase::Streaming(_) => self.now,
                    _ => client.since,
                };
                client.report_unsent();
            }
            if outcome == WriteOutcome::Broken || client.phase == Phase::Answer {
                self.finish(index, outcome);
            }
        }
        self.pump(index);
    }

    /// Advances a client as far as possible without waiting.
    pub(super) fn pump(&mut self, index: usize) {
        loop {
            let Some(client) = self.clients.get(index) else {
                return;
            };
            let moved = match client.phase {
                Phase::Idle | Phase::Head => self.take_head(index) || self.read(index),
                Phase::Body(_) | Phase::Discard(_) | Phase::Linger(_) => self.read(index),
                Phase::Chunks => self.take_chunks(index) || self.read(index),
                // Bytes that arrive during a request are kept, up to a limit; the rest of an
                // unwanted body stays in the socket until the answer is sent.
                Phase::Queued | Phase::Upstream(_) | Phase::Streaming(_) => {
                    !client.options.linger
                        && client.waiting().len() <= self.config.max_head
                        && self.clients.held <= self.config.max_buffered
                        && self.read(index)
                }
                Phase::Answer => false,
            };
            if !moved {
                return self.clients.update_weight(index);
            }
        }
    }

    /// Reads once; false if nothing arrived or the client has disconnected.
    fn read(&mut self, index: usize) -> bool {
        let Self {
            clients,
            scratch,
            poll,
            ..
        } = self;
        let Some(client) = clients.get(index) else {
            return false;
        };
        let read = if client.ended {
            ReadOutcome::End
        } else {
            client.read(poll.registry(), scratch)
        };
        let in_flight = matches!(
            client.phase,
            Phase::Queued | Phase::Upstream(_) | Phase::Streaming(_)
        );
        match read {
            ReadOutcome::Bytes(count) => {
                let bytes = scratch.get(..count).unwrap_or_default();
                match client.phase {
                    Phase::Body(missing) => {
                        let (body, rest) = bytes.split_at(missing.min(count));
                        client.feed_body(body, missing);
                        if !rest.is_empty() {
                            client.feed(rest);
                        }
                        let missing = missing.saturating_sub(body.len());
                        client.phase = Phase::Body(missing);
                        if missing == 0 {
                            self.submit(index);
                        }
                    }
                    Phase::Discard(missing) => match missing.saturating_sub(count) {
                        0 => self.submit(index),
                        missing => client.phase = Phase::Discard(missing),
                    },
                    Phase::Linger(left) => match left.checked_sub(count) {
                        Some(left) => client.phase = Phase::Linger(left),
                        None => self.close(index),
                    },
                    _ => client.feed(bytes),
                }
                self.clients.update_weight(index);
                self.keep_within_memory();
                true
            }
            ReadOutcome::Drained => {
                if client.phase == Phase::Idle && !client.is_new && self.deadline.is_some() {
                    self.close(index);
                }
                false
            }
            // A client that has ended only its sending side still gets its answers.
            ReadOutcome::End if in_flight => {
                client.ended = true;
                false
            }
            ReadOutcome::End | ReadOutcome::Broken => {
                self.close(index);
                false
            }
        }
    }

    /// Takes a request's head off the waiting bytes; false when it is not complete.
    fn take_head(&mut self, index: usize) -> bool {
        let now = self.now;
        let Some(client) = self.clients.get(index) else {
            return false;
        };
        if client.phase == Phase::Idle {
            let blank = client
                .waiting()
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
            if blank > 0 {
                client.take(blank);
                client.blank = client.blank.saturating_add(blank);
                if client.blank > MAX_BLANK {
                    self.refuse(index, TOO_BLANK);
                    return true;
                }
            }
            if client.waiting().is_empty() {
                return false;
            }
            client.enter(Phase::Head, now);
            client.is_new = false;
        }
        if !client.should_parse() && client.waiting().len() < self.config.max_head {
            return false;
        }
        let (bytes, peer, upstream) = client.parse_parts();
        let head = match parse(bytes, peer, &self.config, upstream) {
            Ok(Some(head)) => head,
            Ok(None) => return false,
            Err(refusal) => {
                client.options.bodyless = client.waiting().starts_with(b"HEAD ");
                self.refuse(index, refusal);
                return true;
            }
        };
        client.blank = 0;
        if head.passed {
            let received = client.waiting().get(..head.len);
            client.payload.head = received.unwrap_or_default().to_vec();
        }
        client.payload.fault = head.fault;
        client.take(head.len);
        client.options = head.options;
        let wanted = match head.body {
            Body::Whole(wanted) => wanted,
            Body::TooLarge { arrived, missing } => {
                client.take_body(arrived);
                let missing = usize::try_from(missing).unwrap_or(usize::MAX);
                let here = client.waiting().len().min(missing);
                client.take(here);
                match missing.saturating_sub(here) {
                    // A client that asks before it sends is refused at once.
                    missing @ 1..=LINGER_BYTES if !head.expects_continue => {
                        client.phase = Phase::Discard(missing);
                    }
                    _ => self.submit(index),
                }
                return true;
            }
            Body::Chunked => {
                client.phase = Phase::Chunks;
                client.decoder = ChunkDecoder::new();
                if head.expects_continue && client.waiting().is_empty() {
                    self.send_continue(index);
                }
                return true;
            }
            Body::Unframed => 0,
        };
        let taken = client.take_body(wanted);
        if taken == wanted {
            self.submit(index);
            return true;
        }
        client.phase = Phase::Body(wanted.saturating_sub(taken));
        if head.expects_continue && taken == 0 {
            self.send_continue(index);
        }
        true
    }

    fn send_continue(&mut self, index: usize) {
        let line = b"HTTP/1.1 100 Continue\r\n\r\n";
        if let Some(client) = self.clients.get(index)
            && client.send(self.poll.registry(), line) == WriteOutcome::Broken
        {
            self.close(index);
        }
    }

    /// Decodes the waiting bytes of a chunked body, and submits the request at its end; false when
    /// more bytes are needed.
    fn take_chunks(&mut self, index: usize) -> bool {
        let limit = self.config.max_body;
        let Some(client) = self.clients.get(index) else {
            return false;
        };
        match client.decode_chunks(limit) {
            Ok(false) => return false,
            Ok(true) => {
                if client.payload.body.is_empty() {
                    client.payload.fault = None;
                }
            }
            Err(ChunkError::TooLarge) => {
                let received = client.payload.body.len() as u64;
                client.payload.fault = Some(Fault::TooLarge(received.saturating_add(1)));
                client.options.linger = true;
            }
            Err(ChunkError::Malformed) => {
                self.refuse(index, BAD_CHUNKS);
                return true;
            }
        }
        self.submit(index);
        true
    }

    /// Writes an answer to the client at a place, if it still waits for that of this call.
    pub(super) fn deliver(&mut self, index: usize, id: CallId, bytes: &[u8]) {
        let Some(client) = self.clients.get(index) else {
            return;
        };
        if client.phase != Phase::Upstream(id) {
            return;
        }
        client.enter(Phase::Answer, self.now);
        // Whoever has sent more is answered on, also while stopping.
        if self.deadline.is_some() && client.waiting().is_empty() {
            client.options.close = true;
        }
        let line: &[u8] = match client.options {
            ResponseOptions { close: true, .. } => b"Connection: close\r\n",
            ResponseOptions { http10: true, .. } => b"Connection: keep-alive\r\n",
            _ => b"",
        };
        let registry = self.poll.registry();
        let outcome = if line.is_empty() {
            client.send(registry, bytes)
        } else {
            client.outbox.append_message(bytes, line);
            client.flush(registry)
        };
        self.finish(index, outcome);
    }

    /// Answers a client with the frontend's own answer, which ends its connection.
    pub(super) fn refuse(&mut self, index: usize, refusal: Refusal) {
        self.unqueue(index);
        let Some(client) = self.clients.get(index) else {
            return;
        };
        let bodyless = client.options.bodyless;
        client.forget_requests();
        client.options = ResponseOptions {
            close: true,
            linger: true,
            ..ResponseOptions::default()
        };
        client.enter(Phase::Answer, self.now);
        client.outbox.append(&[&response::own(refusal, bodyless)]);
        self.answers.stats().count_refused(refusal.status);
        let outcome = client.flush(self.poll.registry());
        self.finish(index, outcome);
    }

    /// Goes on after (a part of) an answer was written.
    pub(super) fn finish(&mut self, index: usize, outcome: WriteOutcome) {
        match outcome {
            WriteOutcome::Blocked => {
                self.clients.update_weight(index);
                return self.keep_within_memory();
            }
            WriteOutcome::Broken => return self.close(index),
            WriteOutcome::Done => {}
        }
        let Some(client) = self.clients.get(index) else {
            return;
        };
        client.since = self.now;
        client.outgoing = None;
        reset(&mut client.upstream, CLIENT_KEPT);
        let options = std::mem::take(&mut client.options);
        if !options.close {
            client.phase = Phase::Idle;
        } else if options.linger && !client.ended && client.stream.end_sending().is_ok() {
            client.phase = Phase::Linger(LINGER_BYTES);
            client.readiness.arm();
        } else {
            return self.close(index);
        }
        self.pump(index);
    }

    /// While all clients together exceed the limit, refuses those with the most bytes of
    /// incomplete requests or unread answers.
    fn keep_within_memory(&mut self) {
        while self.clients.held > self.config.max_buffered {
            let heaviest = self.clients.least(|client| match client.phase {
                Phase::Head | Phase::Body(_) | Phase::Chunks | Phase::Answer => {
                    Some(Reverse(client.weighed))
                }
                _ => None,
            });
            let Some((_, index)) = heaviest else { return };
            let answering = |client: &mut Client| client.phase == Phase::Answer;
            if self.clients.get(index).is_some_and(answering) {
                self.close(index);
            } else {
                self.refuse(index, TOO_FULL);
                self.clients.update_weight(index);
            }
        }
    }

    /// Closes a connection; answers to its requests upstream go to nobody.
    pub(super) fn close(&mut self, index: usize) {
        self.unqueue(index);
        if let Some(client) = self.clients.get(index) {
            client.stream.send_close_notify();
        }
        self.clients.remove(self.poll.registry(), index);
    }

    /// Takes a client out of the queue, so that the queue is never longer than the table.
    fn unqueue(&mut self, index: usize) {
        if let Some(client) = self.clients.get(index)
            && client.phase == Phase::Queued
        {
            self.queue.retain(|queued| *queued != index);
        }
    }
}

const TOO_FULL: Refusal = Refusal::new(503, "too much is being received", "body");

const BAD_CHUNKS: Refusal = Refusal::new(400, "the chunked body is malformed", "body");

const TOO_BLANK: Refusal = Refusal::new(400, "too many empty lines", "request line");
