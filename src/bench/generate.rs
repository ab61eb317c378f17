//! An endless stream of webhook bodies like those of the real sender.
//!
//! They are encoded like PHP's `http_build_query`. Profiles and subprofiles are
//! created, or first seen in an update; updates change one or two fields or an
//! interest; some calls are repeated, late or lost; some profiles are deleted. The same seed gives the same bytes.

use std::collections::{HashMap, VecDeque};

use form_urlencoded::Serializer;

use super::args::SINCE;
use super::profile::{Change, FIELDS, INTERESTS, SUB_FIELDS, State, local};
use super::random::Random;

/// How often what happens. Shares are in percent of the events.
#[derive(Clone, Debug, clap::Args)]
pub struct Mix {
    /// How many fields a profile has; 22 make a body of about 870 bytes
    #[arg(long, value_name = "N", default_value_t = 22)]
    pub fields: usize,
    /// Events of subprofiles
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    pub subprofiles: f64,
    /// Updates of an interest instead of fields
    #[arg(long, value_name = "PERCENT", default_value_t = 20.0)]
    pub interests: f64,
    /// Calls that are sent a second time
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub retries: f64,
    /// Calls that come after later ones
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub late: f64,
    /// Calls that never come
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub lost: f64,
    /// Calls after which the (sub)profile is deleted
    #[arg(long, value_name = "PERCENT", default_value_t = 0.25)]
    pub deletes: f64,
    /// Calls with a `timestamp` alone, as in the documentation's example
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0)]
    pub timestamp_alone: f64,
}

/// How many, of whom, and when.
#[derive(Clone, Debug, clap::Args)]
pub struct Plan {
    /// How many
    #[arg(long, value_name = "N")]
    pub events: u64,
    /// Over how many profiles
    #[arg(long, value_name = "P")]
    pub profiles: u64,
    /// Equal seeds give equal bodies
    #[arg(long, value_name = "S", default_value_t = 7)]
    pub seed: u64,
    /// The first event's time
    #[arg(long, value_name = "UNIX", default_value_t = SINCE)]
    pub since: i64,
    /// Over how many days they are spread
    #[arg(long, value_name = "D", default_value_t = 30.0)]
    pub days: f64,
    /// About how many of them are of one profile, number P + 1
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub hot: u64,
}

impl Plan {
    /// The number of the hot profile.
    pub const fn hot_profile(&self) -> u64 {
        self.profiles + 1
    }
}

/// Subprofile numbers begin after this.
const SUBPROFILES: u64 = 1_000_000_000;

/// The bodies, without end.
pub struct Bodies {
    plan: Plan,
    mix: Mix,
    random: Random,
    states: HashMap<(u64, bool), State>,
    late: VecDeque<Vec<u8>>,
    ready: VecDeque<Vec<u8>>,
    number: u64,
}

impl Bodies {
    pub fn new(plan: Plan, mix: Mix) -> Self {
        Self {
            random: Random::new(plan.seed),
            plan,
            mix,
            states: HashMap::new(),
            late: VecDeque::new(),
            ready: VecDeque::new(),
            number: 0,
        }
    }

    /// The time of the next event.
    fn tick(&mut self) -> i64 {
        let part = self.number as f64 / self.plan.events.max(1) as f64;
        self.number += 1;
        self.plan.since + (part * self.plan.days * 86_400.0) as i64
    }

    /// Of which profile the next event is, and whether of its subprofile.
    fn whose(&mut self) -> (u64, bool) {
        // Without a hot profile no number is drawn for it.
        if self.plan.hot > 0 && self.random.below(self.plan.events) < self.plan.hot {
            return (self.plan.hot_profile(), false);
        }
        let profile = 1 + self.random.below(self.plan.profiles);
        (profile, self.random.chance(self.mix.subprofiles))
    }

    /// Makes the next event, which may be none, one, or several calls.
    fn step(&mut self) {
        let time = self.tick();
        let (profile, sub) = self.whose();
        let key = (profile, sub);
        let (state, change) = match self.states.remove(&key) {
            Some(mut state) => {
                let change = state.change(&mut self.random, &self.mix, sub, time);
                (state, change)
            }
            None => {
                let state = State::create(&mut self.random, &self.mix, profile, sub, time);
                let change = match self.random.below(3) {
                    0 => Change::Fields(vec![1]),
                    _ => Change::Created,
                };
                (state, change)
            }
        };
        let alone = self.random.chance(self.mix.timestamp_alone);
        let as_map = self.random.below(10) == 0;
        let values = state.values(&self.mix, profile, sub);
        let content = Content {
            key,
            state: &state,
            values: &values,
            time,
        };
        let body = content.body(Some(&change), alone, as_map);
        let is_lost = self.random.chance(self.mix.lost);
        let is_late = !is_lost && self.random.chance(self.mix.late);
        let mut is_deleted = false;
        if is_late {
            self.late.push_back(body);
        } else if !is_lost {
            if self.random.chance(self.mix.retries) {
                self.ready.push_back(body.clone());
            }
            self.ready.push_back(body);
            if self.random.below(10) == 0 {
                self.ready.extend(self.late.pop_front());
            }
            is_deleted = self.random.chance(self.mix.deletes);
            if is_deleted {
                self.ready.push_back(content.body(None, false, false));
            }
        }
        if !is_deleted {
            self.states.insert(key, state);
        }
    }
}

impl Iterator for Bodies {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(body) = self.ready.pop_front() {
                return Some(body);
            }
            self.step();
        }
    }
}

/// Adds an entry, `name[key]`.
pub fn append_entry(form: &mut Serializer<'_, String>, name: &str, key: &str, value: &str) {
    form.append_pair(&format!("{name}[{key}]"), value);
}

struct Content<'a> {
    /// The profile, and whether its subprofile is meant.
    key: (u64, bool),
    state: &'a State,
    values: &'a [String],
    /// In Unix seconds.
    time: i64,
}

impl Content<'_> {
    /// The call of a change; without one, of the removal.
    fn body(&self, change: Option<&Change>, timestamp_alone: bool, as_map: bool) -> Vec<u8> {
        let (profile, sub) = self.key;
        let names: &[&str] = if sub { &SUB_FIELDS } else { &FIELDS };
        let fields = || {
            let values = self.values.iter().map(String::as_str);
            names.iter().copied().zip(values)
        };
        let mut form = Serializer::new(String::new());
        let kind = match change {
            Some(Change::Created) => "create",
            Some(_) => "update",
            None => "delete",
        };
        form.append_pair("type", kind);
        match change {
            Some(Change::Created) => {
                for (name, value) in fields() {
                    append_entry(&mut form, "parameters", name, value);
                }
            }
            Some(Change::Fields(changed)) => {
                for (name, value) in changed.iter().filter_map(|place| fields().nth(*place)) {
                    append_entry(&mut form, "parameters", name, value);
                }
            }
            Some(Change::Interest(name, on)) => {
                append_entry(&mut form, "parameters", name, if *on { "1" } else { "0" });
            }
            None => {}
        }
        let stamp = local(self.time);
        form.append_pair("timestamp", &stamp);
        if !timestamp_alone {
            form.append_pair("time", &self.time.to_string());
        }
        form.append_pair("profile", &profile.to_string());
        form.append_pair("database", "1");
        if sub {
            form.append_pair("subprofile", &(SUBPROFILES + profile).to_string());
            form.append_pair("collection", "2");
        }
        if change.is_some() {
            form.append_pair("created", &local(self.state.created));
            form.append_pair("modified", &stamp);
        }
        for (name, value) in fields() {
            append_entry(&mut form, "fields", name, value);
        }
        if !sub && change.is_some() {
            if as_map {
                for name in INTERESTS {
                    let on = self.state.interests().any(|member| member == name);
                    append_entry(&mut form, "interests", name, if on { "1" } else { "0" });
                }
            } else {
                for (number, name) in self.state.interests().enumerate() {
                    append_entry(&mut form, "interests", &number.to_string(), name);
                }
            }
        }
        form.finish().into_bytes()
    }
}
