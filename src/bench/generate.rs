//! Webhook bodies as a real sender would send them, without end.
//!
//! The form is that of PHP's `http_build_query`; the life they tell: profiles
//! and subprofiles are created or first seen by an update, updates change one
//! or two fields or an interest, some calls are sent twice, come late or never,
//! some profiles are deleted. The same seed gives the same bytes.

use std::collections::{HashMap, VecDeque};

use chrono::DateTime;
use chrono_tz::Europe::Amsterdam;

use super::form::Form;
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
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many events there are in the span of time; a generator goes on after.
    pub events: u64,
    /// How many profiles there are.
    pub profiles: u64,
    /// Equal seeds give equal bodies.
    pub seed: u64,
    /// The first event's time in Unix seconds.
    pub since: i64,
    /// The days over which the events are spread.
    pub days: f64,
}

const NAMES: [&str; 12] = [
    "Johny",
    "Anna",
    "Pieter",
    "Sanne",
    "Élise",
    "Jürgen",
    "Zoë",
    "O'Brien",
    "李雷",
    "a&b=c",
    "50% + [x]",
    "",
];
const CITIES: [&str; 6] = [
    "Amsterdam",
    "Rotterdam",
    "Utrecht",
    "Den Haag",
    "Gent",
    "Köln",
];
const INTERESTS: [&str; 3] = ["news", "sale", "events"];
const STATUSES: [&str; 3] = ["open", "paid", "shipped"];
const YES_NO: [&str; 2] = ["Ja", "Nee"];

/// The fields of a profile in their order; those that change come first.
const FIELDS: [&str; 22] = [
    "name",
    "mail",
    "score",
    "last_login",
    "newsletter",
    "city",
    "zip",
    "phone",
    "language",
    "First name",
    "gender",
    "company",
    "segment",
    "source",
    "orders",
    "customer",
    "country",
    "street",
    "birthdate",
    "title",
    "shop",
    "remarks",
];

/// The fields of a subprofile.
const SUB_FIELDS: [&str; 3] = ["order_id", "status", "total"];

/// Subprofile numbers begin after this.
const SUBPROFILES: u64 = 1_000_000_000;

struct State {
    fields: Vec<String>,
    interests: Vec<&'static str>,
    created: i64,
}

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

/// What an update changes.
enum Change {
    Created,
    Fields(Vec<usize>),
    Interest(&'static str, bool),
}

impl Bodies {
    /// A generator.
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

    /// Makes the next event, which may be none, one, or several calls.
    fn step(&mut self) {
        let time = self.tick();
        let profile = 1 + self.random.below(self.plan.profiles);
        let sub = self.random.chance(self.mix.subprofiles);
        let key = (profile, sub);
        let mut state = self.states.remove(&key);
        let change = match &mut state {
            Some(state) => self.change(state, profile, sub, time),
            None => {
                let fresh = self.create(profile, sub, time);
                let change = if self.random.below(3) == 0 {
                    Change::Fields(vec![1])
                } else {
                    Change::Created
                };
                state = Some(fresh);
                change
            }
        };
        let Some(state) = state else { return };
        let kind = if matches!(change, Change::Created) {
            "create"
        } else {
            "update"
        };
        let alone = self.random.chance(self.mix.timestamp_alone);
        let as_map = self.random.below(10) == 0;
        let body = body(kind, key, &state, Some(&change), time, alone, as_map);
        if self.random.chance(self.mix.lost) {
            self.states.insert(key, state);
            return;
        }
        if self.random.chance(self.mix.late) {
            self.late.push_back(body);
            self.states.insert(key, state);
            return;
        }
        if self.random.chance(self.mix.retries) {
            self.ready.push_back(body.clone());
        }
        self.ready.push_back(body);
        if self.random.below(10) == 0 {
            self.ready.extend(self.late.pop_front());
        }
        if self.random.chance(self.mix.deletes) {
            let gone = self::body("delete", key, &state, None, time, false, false);
            self.ready.push_back(gone);
        } else {
            self.states.insert(key, state);
        }
    }

    fn create(&mut self, profile: u64, sub: bool, created: i64) -> State {
        let random = &mut self.random;
        let names: &[&str] = if sub {
            &SUB_FIELDS
        } else {
            FIELDS.get(..self.mix.fields).unwrap_or(&FIELDS)
        };
        let fields = names
            .iter()
            .map(|name| match *name {
                "name" | "First name" => random.pick(&NAMES).to_owned(),
                "mail" => format!("user{profile}@example.com"),
                "city" | "shop" => random.pick(&CITIES).to_owned(),
                "zip" => format!("{} AB", 1000 + random.below(9000)),
                "phone" => format!("+31 6 {}", 10_000_000 + random.below(90_000_000)),
                "language" => "nl_NL".to_owned(),
                "country" => "NL".to_owned(),
                "newsletter" => "Ja".to_owned(),
                "score" | "orders" => "0".to_owned(),
                "customer" => format!("C{profile}"),
                "gender" => random.pick(&["f", "m", "x"]).to_owned(),
                "segment" => random.pick(&["A", "B", "C"]).to_owned(),
                "source" => random.pick(&["web", "shop", "import"]).to_owned(),
                "street" => format!("Dorpsstraat {}", 1 + random.below(300)),
                "birthdate" => format!(
                    "{}-0{}-1{}",
                    1940 + random.below(65),
                    1 + random.below(9),
                    random.below(10)
                ),
                "company" => format!("Bloemenhandel {} B.V.", random.below(999)),
                "title" => random.pick(&["", "dr.", "ir."]).to_owned(),
                "remarks" => "via de zomeractie, telefonisch bevestigd".to_owned(),
                "order_id" => (1 + random.below(99_999)).to_string(),
                "status" => "open".to_owned(),
                "total" => "0.00".to_owned(),
                _ => String::new(),
            })
            .collect();
        State {
            fields,
            interests: if sub { Vec::new() } else { vec!["news"] },
            created,
        }
    }

    fn change(&mut self, state: &mut State, profile: u64, sub: bool, time: i64) -> Change {
        let random = &mut self.random;
        if !sub && random.chance(self.mix.interests) {
            let (interest, on) = (random.pick(&INTERESTS), random.below(2) == 1);
            state.interests.retain(|known| *known != interest);
            if on {
                state.interests.push(interest);
            }
            return Change::Interest(interest, on);
        }
        let values = if sub {
            vec![(1, random.pick(&STATUSES).to_owned())]
        } else {
            match random.below(4) {
                0 => vec![(2, random.below(10).to_string())],
                1 => vec![(3, local(time))],
                2 => {
                    let alias = 1 + random.below(9);
                    vec![(1, format!("user{profile}+{alias}@example.com"))]
                }
                _ => vec![
                    (4, random.pick(&YES_NO).to_owned()),
                    (2, random.below(10).to_string()),
                ],
            }
        };
        let mut changed = Vec::new();
        for (place, value) in values {
            if let Some(field) = state.fields.get_mut(place) {
                *field = value;
                changed.push(place);
            }
        }
        Change::Fields(changed)
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

/// A moment as the sender's `timestamp` tells it.
fn local(time: i64) -> String {
    DateTime::from_timestamp(time, 0)
        .map(|moment| moment.with_timezone(&Amsterdam).naive_local().to_string())
        .unwrap_or_default()
}

fn body(
    kind: &str,
    (profile, sub): (u64, bool),
    state: &State,
    change: Option<&Change>,
    time: i64,
    timestamp_alone: bool,
    interests_as_map: bool,
) -> Vec<u8> {
    let names: &[&str] = if sub { &SUB_FIELDS } else { &FIELDS };
    let fields = || {
        let values = state.fields.iter().map(String::as_str);
        names.iter().copied().zip(values)
    };
    let mut form = Form::default();
    form.pair("type", kind);
    match change {
        Some(Change::Created) => {
            for (name, value) in fields() {
                form.entry("parameters", Some(name), value);
            }
        }
        Some(Change::Fields(changed)) => {
            for (name, value) in changed.iter().filter_map(|place| fields().nth(*place)) {
                form.entry("parameters", Some(name), value);
            }
        }
        Some(Change::Interest(name, on)) => {
            form.entry("parameters", Some(name), if *on { "1" } else { "0" });
        }
        None => {}
    }
    let stamp = local(time);
    form.pair("timestamp", &stamp);
    if !timestamp_alone {
        form.number("time", time);
    }
    form.number("profile", profile);
    form.number("database", 1);
    if sub {
        form.number("subprofile", SUBPROFILES + profile);
        form.number("collection", 2);
    }
    if change.is_some() {
        form.pair("created", &local(state.created));
        form.pair("modified", &stamp);
    }
    for (name, value) in fields() {
        form.entry("fields", Some(name), value);
    }
    if !sub && change.is_some() {
        if interests_as_map {
            for name in INTERESTS {
                let on = state.interests.contains(&name);
                form.entry("interests", Some(name), if on { "1" } else { "0" });
            }
        } else {
            for (number, name) in state.interests.iter().enumerate() {
                form.entry("interests", Some(&number.to_string()), name);
            }
        }
    }
    form.into_bytes()
}
