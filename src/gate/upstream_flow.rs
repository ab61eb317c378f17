//! What a private connection goes through: it takes a request, brings the answer, and is free
//! for the next.
//!
//! Leaves out how a client became one that asks. Invariant: a private connection of which it is
//! not certain where its next answer begins is dropped, never used again.

use super::answer;
use super::client::{Phase, Ticket};
use super::engine::Engine;
use super::head::Refusal;
use super::link::{Pull, Push, reset};
use super::upstream::Job;
use mio::event::Event;

impl Engine {
    /// Takes a whole request to a free private connection, or lets it wait for one.
    pub(super) fn submit(&mut self, index: usize) {
        let now = self.now;
        let Some(client) = self.clients.get(index) else {
            return;
        };
        client.phase = Phase::Queued;
        client.since = now;
        let Some(ticket) = self.clients.ticket(index) else {
            return;
        };
        if let Some(place) = self.free.pop() {
            self.hand_over(place, ticket);
        } else if self.upstreams.iter().any(Option::is_some) {
            self.queue.push_back(ticket);
        } else {
            self.refuse(index, NOBODY);
        }
    }

    /// Writes a client's request to a private connection that carries nothing.
    fn hand_over(&mut self, place: usize, ticket: Ticket) {
        let Self {
            clients,
            upstreams,
            now,
            poll,
            ..
        } = self;
        let Some(upstream) = upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let Some(client) = clients.find(ticket) else {
            return;
        };
        std::mem::swap(&mut client.message, &mut upstream.output);
        client.phase = Phase::Upstream(place);
        client.since = *now;
        upstream.job = Some(Job {
            ticket,
            bodyless: client.manner.bodyless,
        });
        if upstream.flush(poll.registry()) == Push::Broken {
            self.lost(place, "it takes no request");
        }
    }

    /// Takes an event of a private connection.
    pub(super) fn upstream_event(&mut self, place: usize, event: &Event) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        upstream.edge.note(event);
        if event.is_writable() && upstream.is_writing() {
            match upstream.flush(self.poll.registry()) {
                Push::Done => self.settle(place),
                Push::Blocked => {}
                Push::Broken => return self.lost(place, "it takes no request"),
            }
        }
        loop {
            let Self {
                upstreams, scratch, ..
            } = self;
            let Some(upstream) = upstreams.get_mut(place).and_then(Option::as_mut) else {
                return;
            };
            match upstream.edge.pull(&mut upstream.stream, scratch) {
                Pull::Bytes(count) => self.absorb(place, count),
                Pull::Drained => return,
                Pull::End => return self.lost(place, "it was closed"),
                Pull::Broken => return self.lost(place, "it is broken"),
            }
        }
    }

    /// Takes `count` bytes that were read from a private connection. An answer that came in one
    /// piece goes on from where it was read, without a copy.
    fn absorb(&mut self, place: usize, count: usize) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let Some(job) = upstream.job else {
            return self.lost(place, "it sent what nobody asked for");
        };
        let bytes = self.scratch.get(..count).unwrap_or_default();
        if upstream.input.is_empty()
            && !upstream.is_writing()
            && answer::length(bytes, job.bodyless) == Ok(Some(count))
        {
            upstream.job = None;
            let scratch = std::mem::take(&mut self.scratch);
            let bytes = scratch.get(..count).unwrap_or_default();
            let delivered = self.deliver(place, job, bytes);
            self.scratch = scratch;
            self.go_on(place, delivered);
            return;
        }
        upstream.input.extend_from_slice(bytes);
        self.settle(place);
    }

    /// Passes the collected answer on if it is whole.
    fn settle(&mut self, place: usize) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let Some(job) = upstream.job else {
            return;
        };
        // An answer before the request is written whole waits for that.
        if upstream.is_writing() {
            return;
        }
        if upstream.expected.is_none() {
            match answer::length(&upstream.input, job.bodyless) {
                Ok(length) => upstream.expected = length,
                Err(why) => return self.lost(place, why),
            }
        }
        let arrived = upstream.input.len();
        match upstream.expected {
            Some(length) if length == arrived => {}
            Some(length) if length < arrived => {
                return self.lost(place, "it sent more than an answer");
            }
            _ => return,
        }
        upstream.job = None;
        upstream.expected = None;
        let mut input = std::mem::take(&mut upstream.input);
        let delivered = self.deliver(place, job, &input);
        reset(&mut input);
        if let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) {
            upstream.input = input;
        }
        self.go_on(place, delivered);
    }

    /// Goes on with both ends once an answer was written: the private connection first, so that
    /// whoever waits comes before the same client's next request.
    fn go_on(&mut self, place: usize, delivered: Option<(usize, Push)>) {
        self.release(place);
        if let Some((index, push)) = delivered {
            self.finish(index, push);
        }
    }

    /// Gives a private connection that carries nothing its next request, or lets it wait for one.
    pub(super) fn release(&mut self, place: usize) {
        while let Some(ticket) = self.queue.pop_front() {
            let waits = self
                .clients
                .find(ticket)
                .is_some_and(|client| client.phase == Phase::Queued);
            if waits {
                return self.hand_over(place, ticket);
            }
        }
        self.free.push(place);
    }

    /// Gives a private connection up. Its client, and when it was the last one also those that
    /// wait, are told.
    fn lost(&mut self, place: usize, why: &'static str) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::take) else {
            return;
        };
        tracing::error!(place, why, "a private connection is lost");
        self.free.retain(|free| *free != place);
        let mut upstream = upstream;
        // The descriptor is closed next, which ends the registration in any case.
        let _ = self.poll.registry().deregister(&mut upstream.stream);
        if let Some(job) = upstream.job
            && let Some(client) = self.clients.find(job.ticket)
            && client.phase == Phase::Upstream(place)
        {
            self.refuse(job.ticket.index, LOST);
        }
        if self.upstreams.iter().all(Option::is_none) {
            while let Some(ticket) = self.queue.pop_front() {
                if self.clients.find(ticket).is_some() {
                    self.refuse(ticket.index, NOBODY);
                }
            }
        }
    }
}

const LOST: Refusal = Refusal::new(502, "the server behind broke off", "server");

const NOBODY: Refusal = Refusal::new(503, "the server behind is not there", "server");
