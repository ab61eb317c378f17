//! The table of all clients, and their totals.
//!
//! Invariants: the counts by address and the buffered bytes are those of the clients in the table.
//! A place is reused, so a user of a stored place checks the client's phase, which has the call's
//! number; the queue of requests has only the places of waiting clients.

use super::client::{Client, Phase};
use super::origin::Peer;
use super::stream::Stream;
use mio::{Interest, Registry, Token};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// The first token of a client; below it are the listener, the waker and the private connections.
pub(super) const FIRST_TOKEN: usize = 1 << 20;

/// The clients, each at the place its token names.
#[derive(Default)]
pub(super) struct Clients {
    slots: Vec<Option<Client>>,
    free: Vec<usize>,
    by_address: HashMap<IpAddr, usize>,
    /// The bytes of all clients' buffers.
    pub(super) held: usize,
}

impl Clients {
    pub(super) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    pub(super) fn count_of(&self, counted: IpAddr) -> usize {
        self.by_address.get(&counted).copied().unwrap_or(0)
    }

    pub(super) fn update_weight(&mut self, index: usize) {
        if let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) {
            let weight = client.weight();
            self.held = self
                .held
                .saturating_sub(client.weighed)
                .saturating_add(weight);
            client.weighed = weight;
        }
    }

    /// The least key, and the index of its client, among the clients that have a key.
    pub(super) fn least<K: Ord>(&self, key: impl Fn(&Client) -> Option<K>) -> Option<(K, usize)> {
        let clients = self.slots.iter().enumerate();
        let keys = clients.filter_map(|(index, slot)| Some((key(slot.as_ref()?)?, index)));
        keys.min()
    }

    /// One past the highest place in use so far.
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    /// Adds a connection and registers it.
    pub(super) fn add(
        &mut self,
        registry: &Registry,
        mut stream: Stream,
        peer: Peer,
        now: Instant,
    ) -> std::io::Result<()> {
        let index = self.free.last().copied().unwrap_or(self.slots.len());
        let token = Token(FIRST_TOKEN.saturating_add(index));
        registry.register(stream.socket(), token, Interest::READABLE)?;
        if let Some(counted) = peer.counted {
            let count = self.by_address.entry(counted).or_default();
            *count = count.saturating_add(1);
        }
        let client = Client::new(stream, peer, token, now);
        match self.slots.get_mut(index) {
            Some(slot) => {
                self.free.pop();
                *slot = Some(client);
            }
            None => self.slots.push(Some(client)),
        }
        Ok(())
    }

    pub(super) fn phases(&self) -> impl Iterator<Item = &'static str> {
        let clients = self.slots.iter().flatten();
        clients.map(|client| client.phase.name())
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Client> {
        self.slots.get_mut(index)?.as_mut()
    }

    /// The client in a phase that no other client is in.
    pub(super) fn in_phase(&mut self, phase: Phase) -> Option<(usize, &mut Client)> {
        let mut clients = self.slots.iter_mut().enumerate();
        clients.find_map(|(index, slot)| {
            let client = slot.as_mut().filter(|client| client.phase == phase)?;
            Some((index, client))
        })
    }

    pub(super) fn remove(&mut self, registry: &Registry, index: usize) -> Option<Client> {
        let mut client = self.slots.get_mut(index)?.take()?;
        self.free.push(index);
        self.held = self.held.saturating_sub(client.weighed);
        if let Some(counted) = client.peer.counted
            && let Some(count) = self.by_address.get_mut(&counted)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&counted);
            }
        }
        // The descriptor is closed next, which ends the registration in any case.
        let _ = registry.deregister(client.stream.socket());
        Some(client)
    }
}
