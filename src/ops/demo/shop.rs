//! The shop's own books: what each (sub)profile is, and what calls showed of it.

use std::collections::BTreeMap;

use super::call::{Call, Said};
use super::cast::Customer;
use super::dice::Dice;
use super::plot::{DAY, Deed, What};
use super::story::Unexplained;
use crate::event::ProfileKey;

/// Of so many calls one is sent twice.
const RETRIED: u64 = 180;

/// A (sub)profile as it is.
struct Known {
    fields: Vec<(&'static str, String)>,
    interests: Vec<(&'static str, bool)>,
    created: i64,
    /// The time of the last deed.
    last: i64,
    /// What the last call showed, and when that was; `None` before the first.
    shown: Option<(Vec<(&'static str, String)>, i64)>,
}

impl Known {
    /// Whether the last call showed something else.
    fn has_unseen(&self) -> bool {
        let shown = self.shown.as_ref();
        shown.is_some_and(|(shown, _)| *shown != self.fields)
    }
}

/// The shop, and the calls that came of it.
pub(super) struct Shop {
    known: BTreeMap<ProfileKey, Known>,
    lost: (i64, i64),
    pub calls: Vec<Call>,
    /// Fields that a call shows otherwise than those before, without saying so.
    pub unexplained: Vec<Unexplained>,
    /// How many calls were lost.
    pub lost_calls: u64,
}

impl Shop {
    /// The shop before the story begins; calls of an hour are lost.
    pub fn open(customers: Vec<Customer>, begin: i64, lost: (i64, i64)) -> Self {
        let known = |customer: Customer| {
            let known = Known {
                created: begin - DAY * (30 + (customer.number % 900).cast_signed()),
                fields: customer.fields,
                interests: customer.interests,
                last: i64::MIN,
                shown: None,
            };
            (ProfileKey::profile(customer.number), known)
        };
        Self {
            known: customers.into_iter().map(known).collect(),
            lost,
            calls: Vec::new(),
            unexplained: Vec::new(),
            lost_calls: 0,
        }
    }

    /// What a field is now; `None` where the (sub)profile is not there.
    pub fn field(&self, profile: u64, field: &str) -> Option<&str> {
        let known = self.known.get(&ProfileKey::profile(profile))?;
        let (_, value) = known.fields.iter().find(|(name, _)| *name == field)?;
        Some(value)
    }

    /// Does a deed, and keeps the call that it makes. Gives its time: no two of
    /// one (sub)profile are of one second.
    pub fn act(&mut self, deed: Deed, dice: &mut Dice) -> Option<i64> {
        let Deed {
            time,
            key,
            label,
            what,
        } = deed;
        if let What::Place(fields) = &what {
            let order = Known {
                fields: fields.clone(),
                interests: Vec::new(),
                created: time,
                last: i64::MIN,
                shown: None,
            };
            self.known.insert(key, order);
        }
        let known = self.known.get_mut(&key)?;
        // Nobody clicks while there is something that no call has shown: a click
        // shows nothing either, and the hour would be harder to tell.
        if matches!(what, What::Click) && known.has_unseen() {
            return None;
        }
        let time = time.max(known.last.saturating_add(1));
        known.last = time;
        let (word, parameters) = match what {
            What::Create | What::Place(_) => {
                known.created = time;
                ("create", known.fields.clone())
            }
            What::Set(parameters) => ("update", parameters),
            What::Reward(points) => {
                let now = known.fields.iter().find(|(name, _)| *name == "points");
                let now = now.and_then(|(_, value)| value.parse::<u64>().ok());
                let sum = now.unwrap_or_default() + points;
                ("update", vec![("points", sum.to_string())])
            }
            What::Delete => ("delete", Vec::new()),
            What::Click => ("click", Vec::new()),
        };
        for (name, value) in &parameters {
            if let Some((_, now)) = known.fields.iter_mut().find(|(known, _)| known == name) {
                now.clone_from(value);
            }
        }
        let tells = matches!(word, "create" | "update");
        let said = Said {
            what: word,
            key,
            time,
            parameters: &parameters,
            fields: if tells { &known.fields } else { &[] },
            interests: if tells { &known.interests } else { &[] },
            created: known.created,
        };
        let is_lost = (self.lost.0..self.lost.1).contains(&time);
        if is_lost {
            self.lost_calls += 1;
        } else {
            let call = Call {
                received: time * 1_000_000 + 120_000 + dice.seconds(1_400_000),
                label,
                body: said.body(),
            };
            if dice.below(RETRIED) == 0 {
                self.calls.push(Call {
                    received: call.received + 20_000_000,
                    ..call.clone()
                });
            }
            self.calls.push(call);
            if word == "update"
                && let Some((shown, since)) = &known.shown
            {
                for ((name, now), (_, before)) in known.fields.iter().zip(shown) {
                    let named = parameters.iter().any(|(known, _)| known == name);
                    if now != before && !named {
                        self.unexplained.push(Unexplained {
                            key,
                            field: name,
                            since: *since,
                            time,
                        });
                    }
                }
            }
            known.shown = match (word, known.shown.take()) {
                ("create" | "update", _) => Some((known.fields.clone(), time)),
                (_, shown) => shown.map(|(fields, _)| (fields, time)),
            };
        }
        if word == "delete" {
            self.known.retain(|other, _| other.profile != key.profile);
        }
        Some(time)
    }
}
