//! The look-ups that go on: who waits for them, at whose charge, and the bounds on all of it.
//!
//! Two kinds are counted apart: those of names that a stranger may have invented, each at the charge
//! of the address that asked first, and those of keys seen valid, at nobody's. So invented names
//! cannot keep a real key from being fetched again.

use std::collections::HashMap;

use super::asker::Asker;
use super::book::Then;
use super::{Busy, KeyConfig, KeyName};

struct Flight {
    /// Who is charged for it; nobody for a key seen valid.
    starter: Option<Asker>,
    waiting: Vec<Then>,
}

/// What goes on of one kind.
#[derive(Default)]
struct Load {
    look_ups: usize,
    waiting: usize,
}

/// The look-ups that go on, by name.
#[derive(Default)]
pub(super) struct Flights {
    flights: HashMap<KeyName, Flight>,
    /// Names that are being looked up at each asker's charge.
    askers: HashMap<Asker, usize>,
    charged: Load,
    free: Load,
}

impl Flights {
    /// Lets a call wait for a name's look-up if one goes on; else gives it back.
    pub(super) fn join(
        &mut self,
        name: &KeyName,
        then: Then,
        config: &KeyConfig,
    ) -> Result<Option<Then>, Busy> {
        let Some(flight) = self.flights.get_mut(name) else {
            return Ok(Some(then));
        };
        let load = match flight.starter {
            Some(_) => &mut self.charged,
            None => &mut self.free,
        };
        if flight.waiting.len() >= config.max_waiting_per_name || load.waiting >= config.max_waiting
        {
            return Err(Busy::Waiting);
        }
        load.waiting += 1;
        flight.waiting.push(then);
        Ok(None)
    }

    /// Enters a look-up that is now to be started, at the charge of who is named.
    pub(super) fn take_off(
        &mut self,
        name: &KeyName,
        starter: Option<Asker>,
        then: Then,
        config: &KeyConfig,
    ) -> Result<(), Busy> {
        let load = match starter {
            Some(_) => &mut self.charged,
            None => &mut self.free,
        };
        if load.look_ups >= config.max_look_ups {
            return Err(Busy::Names);
        }
        if load.waiting >= config.max_waiting {
            return Err(Busy::Waiting);
        }
        if let Some(asker) = starter {
            let names = self.askers.entry(asker).or_default();
            // At a bound of zero the entry made just now would stay.
            if *names >= config.max_per_asker.max(1) {
                return Err(Busy::Asker);
            }
            *names += 1;
        }
        load.look_ups += 1;
        load.waiting += 1;
        let waiting = vec![then];
        let flight = Flight { starter, waiting };
        self.flights.insert(name.clone(), flight);
        Ok(())
    }

    /// Ends a look-up; gives who waited for it.
    pub(super) fn land(&mut self, name: &KeyName) -> Vec<Then> {
        let Some(flight) = self.flights.remove(name) else {
            return Vec::new();
        };
        let load = match flight.starter {
            Some(asker) => {
                match self.askers.get_mut(&asker) {
                    Some(names) if *names > 1 => *names -= 1,
                    _ => {
                        self.askers.remove(&asker);
                    }
                }
                &mut self.charged
            }
            None => &mut self.free,
        };
        load.look_ups = load.look_ups.saturating_sub(1);
        load.waiting = load.waiting.saturating_sub(flight.waiting.len());
        flight.waiting
    }
}
