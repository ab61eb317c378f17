//! The weighted semaphore that limits how many queries, commands and tails run at a time.
//!
//! A query that reads the whole log holds some MiB for each core while it runs, so it
//! waits for a permit of its weight. A command keeps its permit while its reader pages
//! through the answer, so commands and the query API have a semaphore each. A client of
//! the query API gets at most half of each, so that its unread answers leave the rest to
//! others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::frontend::client_network;
use crate::query::Query;
use crate::store::Trail;

/// The total weight of the queries that run at a time: two `changes` or `report`, or
/// four `export`, over everything.
pub(super) const CAPACITY: u32 = 4;

/// How often progress is reported to a waiting command.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The client that a query is counted for. The owner's commands are not counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Client(Vec<ClientKey>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ClientKey {
    Token(String),
    Network(IpAddr),
}

impl Client {
    /// A client with the token of that ID, at an address. A loopback address
    /// may be a proxy or a tunnel for many clients, so only tokens distinguish them.
    pub fn new(token: &str, address: &str) -> Self {
        let address = address
            .parse()
            .map(|address: IpAddr| address.to_canonical());
        let network = address.ok().filter(|address| !address.is_loopback());
        let network = network.map(|address| ClientKey::Network(client_network(address)));
        let token = ClientKey::Token(token.to_owned());
        Self([token].into_iter().chain(network).collect())
    }
}

/// The used part of a limit: in total, and by each client.
#[derive(Debug, Default)]
struct Taken {
    total: u32,
    by_client: HashMap<ClientKey, u32>,
}

impl Taken {
    /// Takes a weight for a client, if that exceeds neither the capacity nor the
    /// client's half of it.
    fn take(&mut self, weight: u32, client: &Client, capacity: u32) -> bool {
        let share = |key| self.by_client.get(key).copied().unwrap_or(0);
        let exceeds = |key| share(key) + weight > capacity / 2;
        if weight > 0 && (self.total + weight > capacity || client.0.iter().any(exceeds)) {
            return false;
        }
        self.total += weight;
        for key in client.0.iter().filter(|_| weight > 0) {
            *self.by_client.entry(key.clone()).or_default() += weight;
        }
        true
    }

    fn release(&mut self, weight: u32, client: &Client) {
        self.total -= weight;
        for key in &client.0 {
            if let Some(share) = self.by_client.get_mut(key) {
                *share -= weight;
            }
        }
        self.by_client.retain(|_, share| *share > 0);
    }
}

/// A weighted semaphore; clones share its permits.
#[derive(Clone, Debug)]
pub(super) struct Semaphore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    capacity: u32,
    taken: Mutex<Taken>,
    released: Condvar,
}

/// A permit; released on drop.
#[derive(Debug)]
pub(super) struct Permit {
    semaphore: Semaphore,
    weight: u32,
    client: Client,
}

/// The weight of a query; 0 for one that needs little.
pub(super) fn weight(query: &Query, trail: &Trail) -> u32 {
    match query {
        query if query.is_over_all() => 2,
        Query::Find(find) if !find.is_quick(trail) => 2,
        Query::Export(query) if query.profile.is_none() => 1,
        _ => 0,
    }
}

impl Semaphore {
    /// Gives permits up to a total weight.
    pub fn new(capacity: u32) -> Self {
        Self(Arc::new(Shared {
            capacity,
            taken: Mutex::default(),
            released: Condvar::new(),
        }))
    }

    /// The total weight of the permits that are held.
    pub fn held(&self) -> u32 {
        self.0.taken.lock().total
    }

    /// A permit of weight 1 for a client, if there is one now.
    pub fn try_acquire(&self, client: &Client) -> Option<Permit> {
        let taken = self.0.taken.lock().take(1, client, self.0.capacity);
        taken.then(|| self.permit(1, client))
    }

    /// Waits for a permit for a client. Meanwhile `report` is called every [`PROGRESS_INTERVAL`];
    /// an error from it ends the wait.
    pub fn acquire<E>(
        &self,
        weight: u32,
        client: &Client,
        mut report: impl FnMut() -> Result<(), E>,
    ) -> Result<Permit, E> {
        loop {
            let mut taken = self.0.taken.lock();
            let is_full = |taken: &mut Taken| !taken.take(weight, client, self.0.capacity);
            let waited = self
                .0
                .released
                .wait_while_for(&mut taken, is_full, PROGRESS_INTERVAL);
            drop(taken);
            if !waited.timed_out() {
                return Ok(self.permit(weight, client));
            }
            report()?;
        }
    }

    fn permit(&self, weight: u32, client: &Client) -> Permit {
        Permit {
            semaphore: self.clone(),
            weight,
            client: client.clone(),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let shared = &self.semaphore.0;
        shared.taken.lock().release(self.weight, &self.client);
        shared.released.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_third_waits_for_one_of_two_and_light_ones_never() {
        let (semaphore, owner) = (Semaphore::new(4), &Client::default());
        let one = semaphore.acquire(2, owner, || Err(())).unwrap();
        let two = semaphore.acquire(2, owner, || Err(())).unwrap();
        semaphore.acquire(2, owner, || Err(())).unwrap_err();
        semaphore.acquire(0, owner, || Err(())).unwrap();
        assert!(semaphore.try_acquire(owner).is_none());
        let mut one = Some(one);
        let report = || {
            one.take();
            Ok::<(), ()>(())
        };
        drop(semaphore.acquire(2, owner, report).unwrap());
        assert_eq!(semaphore.held(), 2);
        let three = semaphore.try_acquire(owner).unwrap();
        assert_eq!(semaphore.held(), 3);
        drop((two, three));
        assert_eq!(semaphore.held(), 0);
    }

    #[test]
    fn a_client_has_half() {
        let semaphore = Semaphore::new(4);
        let try_acquire = |token, address| {
            let client = Client::new(token, address);
            semaphore.acquire(1, &client, || Err(()))
        };
        let held = [
            try_acquire("a", "127.0.0.1").unwrap(),
            try_acquire("a", "192.0.2.1").unwrap(),
        ];
        try_acquire("a", "2001:db8::1").unwrap_err();
        // Others at the loopback address are not treated as the same client, …
        drop(try_acquire("b", "127.0.0.1").unwrap());
        drop(held);
        // … but those of one network are.
        let held = [
            try_acquire("a", "2001:db8::1").unwrap(),
            try_acquire("b", "2001:db8::2").unwrap(),
        ];
        try_acquire("c", "2001:db8::3").unwrap_err();
        drop(try_acquire("c", "2001:db8:0:1::1").unwrap());
        drop(held);
        assert!(semaphore.0.taken.lock().by_client.is_empty());
    }

    #[test]
    fn one_that_waits_is_woken() {
        let (semaphore, owner) = (Semaphore::new(1), &Client::default());
        let one = semaphore.acquire(1, owner, || Err(())).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| semaphore.acquire(1, owner, || Ok::<(), ()>(())).is_ok());
            drop(one);
            assert!(waiting.join().unwrap());
        });
    }
}
