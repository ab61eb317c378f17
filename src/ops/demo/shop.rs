//! The shop's own records: the state of each (sub)profile, and the state that its calls
//! have shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Amsterdam;

use super::cast::{Customer, DATABASE, ORDERS};
use super::plot::{DAY, Deed, What};
use super::story::Unexplained;
use crate::dice::Dice;
use crate::event::ProfileKey;

/// One of this many calls is sent twice.
const RETRIED: u64 = 180;

/// The state of a (sub)profile.
struct Known {
    fields: Vec<(&'static str, String)>,
    interests: Vec<(&'static str, bool)>,
    created: i64,
    /// The time of the last deed.
    last: i64,
    /// The fields in the last call, and its time; `None` before the first.
    shown: Option<(Vec<(&'static str, String)>, i64)>,
}

impl Known {
    fn new(
        fields: Vec<(&'static str, String)>,
        interests: Vec<(&'static str, bool)>,
        created: i64,
    ) -> Self {
        Self {
            fields,
            interests,
            created,
            last: i64::MIN,
            shown: None,
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(field, _)| *field == name)?;
        Some(value)
    }

    /// The form of the last deed's call.
    fn body(
        &self,
        event_type: &str,
        key: ProfileKey,
        parameters: &[(&'static str, String)],
    ) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", event_type)
            .append_pair("profile", &key.profile.to_string());
        if let Some(subprofile) = key.subprofile {
            form.append_pair("subprofile", &subprofile.to_string())
                .append_pair("collection", &ORDERS.to_string());
        }
        form.append_pair("database", &DATABASE.to_string());
        for (name, value) in parameters {
            form.append_pair(&format!("parameters[{name}]"), value);
        }
        form.append_pair("time", &self.last.to_string());
        if matches!(event_type, "create" | "update") {
            for (name, value) in &self.fields {
                form.append_pair(&format!("fields[{name}]"), value);
            }
            for (name, held) in &self.interests {
                let held = if *held { "1" } else { "0" };
                form.append_pair(&format!("interests[{name}]"), held);
            }
        }
        if event_type != "delete" {
            form.append_pair("created", &local(self.created))
                .append_pair("modified", &local(self.last));
        }
        form.finish()
    }

    /// Whether the fields differ from those of the last call.
    fn has_unseen(&self) -> bool {
        let shown = self.shown.as_ref();
        shown.is_some_and(|(shown, _)| *shown != self.fields)
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The moment of receipt in Unix microseconds.
    pub received: i64,
    /// The label in the webhook's address.
    pub label: &'static str,
    /// The form, as PHP's encoder would make it.
    pub body: String,
}

/// A moment as Copernica writes it.
pub(super) fn local(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).map_or_else(String::new, |time| {
        let local = time.with_timezone(&Amsterdam);
        local.format("%Y-%m-%d %H:%M:%S").to_string()
    })
}

/// The shop, and its calls.
pub(super) struct Shop {
    known: BTreeMap<ProfileKey, Known>,
    lost: (i64, i64),
    pub calls: Vec<Call>,
    /// Fields that a call shows changed without naming them.
    pub unexplained: Vec<Unexplained>,
}

impl Shop {
    /// The shop before the story begins; the calls of `lost` never arrive.
    pub fn open(customers: Vec<Customer>, begin: i64, lost: (i64, i64)) -> Self {
        let known = |customer: Customer| {
            let created = begin - DAY * (30 + (customer.number % 900).cast_signed());
            let known = Known::new(customer.fields, customer.interests, created);
            (ProfileKey::profile(customer.number), known)
        };
        Self {
            known: customers.into_iter().map(known).collect(),
            lost,
            calls: Vec::new(),
            unexplained: Vec::new(),
        }
    }

    /// The present value of a profile's field; `None` if there is no such profile.
    pub fn field(&self, profile: u64, field: &str) -> Option<&str> {
        self.known.get(&ProfileKey::profile(profile))?.field(field)
    }

    /// Does a deed, and keeps its call. Returns the deed's time: no two of one
    /// (sub)profile are in the same second. `None` if nothing is done.
    pub fn act(&mut self, deed: &Deed, dice: &mut Dice) -> Option<i64> {
        let Deed { key, label, .. } = *deed;
        if let What::Place(fields) = &deed.what {
            let order = Known::new(fields.clone(), Vec::new(), deed.time);
            self.known.insert(key, order);
        }
        let known = self.known.get_mut(&key)?;
        // A click shows no fields. After a lost change, it would only make the
        // lost hour harder to find.
        if matches!(deed.what, What::Click) && known.has_unseen() {
            return None;
        }
        let time = deed.time.max(known.last.saturating_add(1));
        known.last = time;
        let (event_type, parameters) = match &deed.what {
            What::Create | What::Place(_) => {
                known.created = time;
                ("create", known.fields.clone())
            }
            What::Set(parameters) => ("update", parameters.clone()),
            What::Reward(points) => {
                let now = known
                    .field("points")
                    .and_then(|now| now.parse::<u64>().ok());
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
        let has_fields = matches!(event_type, "create" | "update");
        if !(self.lost.0..self.lost.1).contains(&time) {
            let call = Call {
                received: time * 1_000_000 + 120_000 + dice.seconds(1_400_000),
                label,
                body: known.body(event_type, key, &parameters),
            };
            if dice.below(RETRIED) == 0 {
                self.calls.push(Call {
                    received: call.received + 20_000_000,
                    ..call.clone()
                });
            }
            self.calls.push(call);
            if event_type == "update"
                && let Some((shown, since)) = &known.shown
            {
                for ((field, now), (_, before)) in known.fields.iter().zip(shown) {
                    if now != before && !parameters.iter().any(|(name, _)| name == field) {
                        self.unexplained.push(Unexplained {
                            key,
                            field,
                            since: *since,
                            time,
                        });
                    }
                }
            }
            known.shown = match known.shown.take() {
                _ if has_fields => Some((known.fields.clone(), time)),
                shown => shown.map(|(fields, _)| (fields, time)),
            };
        }
        if event_type == "delete" {
            self.known.retain(|other, _| other.profile != key.profile);
        }
        Some(time)
    }
}
