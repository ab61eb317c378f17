//! How requests reach private connections, and answers the clients.
//!
//! A request goes to the first private connection with room, and all requests of a round of events
//! are written at its end, so that tiny_http is woken once and reads several at a time. The further
//! connections are for what the first cannot accept.
//!
//! Invariants: a private connection that sends anything is dropped and never used again; requests
//! that wait are handed over in order.

use super::call::{Call, CallId};
use super::client::{ClientHandle, Phase};
use super::event_loop::EventLoop;
use super::head::Refusal;
use super::nonblocking::{CLIENT_KEPT, ReadOutcome, WriteOutcome, reset};
use super::upstream::Upstream;
use mio::event::Event;

impl EventLoop {
    /// Hands a complete request to a private connection with room, or queues it.
    pub(super) fn submit(&mut self, index: usize) {
        let now = self.now;
        let Some(client) = self.clients.get(index) else {
            return;
        };
        client.phase = Phase::Queued;
        client.since = now;
        let Some(handle) = self.clients.handle(index) else {
            return;
        };
        if self.upstreams.iter().all(Option::is_none) {
            return self.refuse(index, NOBODY);
        }
        self.queue.push_back(handle);
        self.dispatch_queued();
    }

    /// Hands over queued requests while there is room.
    pub(super) fn dispatch_queued(&mut self) {
        while !self.queue.is_empty() {
            let most = self.config.calls_per_connection;
            let room = |upstream: &Option<Upstream>| {
                upstream.as_ref().is_some_and(|some| some.has_room(most))
            };
            let Some(place) = self.upstreams.iter().position(room) else {
                return;
            };
            if let Some(handle) = self.queue.pop_front() {
                self.hand_over(place, handle);
            }
        }
    }

    /// Hands a client's request to a private connection, to be written at the round's end.
    fn hand_over(&mut self, place: usize, handle: ClientHandle) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let Some(client) = self.clients.find(handle) else {
            return;
        };
        if client.phase != Phase::Queued {
            return;
        }
        let id = self.calls.next_id();
        if !upstream.outbox.is_writing() {
            self.unwritten.push(place);
        }
        let bytes = upstream.take(&client.message, id);
        reset(&mut client.message, CLIENT_KEPT);
        client.phase = Phase::Upstream(id);
        client.since = self.now;
        let call = Call {
            client: handle.index,
            place,
            bytes,
        };
        self.calls.begin(id, call);
        self.clients.update_weight(handle.index);
    }

    /// Writes the requests handed over since the last call.
    pub(super) fn write_requests(&mut self) {
        while let Some(place) = self.unwritten.pop() {
            self.write_to(place);
        }
    }

    fn write_to(&mut self, place: usize) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        if upstream.flush(self.poll.registry()) == WriteOutcome::Broken {
            self.lost(place, "it takes no request");
        }
    }

    /// Handles an event of a private connection: it is writable again, or lost.
    pub(super) fn upstream_event(&mut self, place: usize, event: &Event) {
        let Self {
            upstreams, scratch, ..
        } = self;
        let Some(upstream) = upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        upstream.readiness.note(event);
        match upstream.readiness.read(&mut upstream.stream, scratch) {
            ReadOutcome::Drained => {}
            ReadOutcome::Bytes(_) => {
                return self.lost(place, "it sent an answer without a request");
            }
            ReadOutcome::End => return self.lost(place, "it was closed"),
            ReadOutcome::Broken => return self.lost(place, "it is broken"),
        }
        if event.is_writable() && upstream.outbox.is_writing() {
            self.write_to(place);
        }
    }

    /// Removes an answered request from its private connection.
    pub(super) fn end_call(&mut self, id: CallId) -> Option<Call> {
        let Some(call) = self.calls.end(id) else {
            // Its private connection was lost, and its client answered.
            tracing::debug!("an answer arrived for a call that had already timed out");
            return None;
        };
        if let Some(upstream) = self.upstreams.get_mut(call.place).and_then(Option::as_mut) {
            upstream.answered(call.bytes);
        }
        self.dispatch_queued();
        Some(call)
    }

    /// Closes a lost private connection, and refuses the requests that it carried and, if it was
    /// the last one, those that wait.
    fn lost(&mut self, place: usize, why: &'static str) {
        let Some(mut upstream) = self.upstreams.get_mut(place).and_then(Option::take) else {
            return;
        };
        tracing::error!(place, why, "a private connection is lost");
        // The descriptor is closed next, which ends the registration in any case.
        let _ = self.poll.registry().deregister(&mut upstream.stream);
        drop(upstream);
        for (id, call) in self.calls.end_of_place(place) {
            if self
                .clients
                .get(call.client)
                .is_some_and(|client| client.phase == Phase::Upstream(id))
            {
                self.refuse(call.client, LOST);
            }
        }
        if self.upstreams.iter().all(Option::is_none) {
            while let Some(handle) = self.queue.pop_front() {
                if self.clients.find(handle).is_some() {
                    self.refuse(handle.index, NOBODY);
                }
            }
        }
    }
}

const LOST: Refusal = Refusal::new(502, "tiny_http closed the connection", "server");

const NOBODY: Refusal = Refusal::new(503, "tiny_http cannot be reached", "server");
