//! The generated state of a (sub)profile, from its first call to its last.

use chrono::DateTime;
use chrono_tz::Europe::Amsterdam;

use super::generate::Mix;
use super::random::Random;

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
/// The interests that a profile may have.
pub const INTERESTS: [&str; 3] = ["news", "sale", "events"];
const STATUSES: [&str; 3] = ["open", "paid", "shipped"];
const YES_NO: [&str; 2] = ["Ja", "Nee"];

/// The fields of a profile in their order; those that change come first.
pub const FIELDS: [&str; 22] = [
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

pub const SUB_FIELDS: [&str; 3] = ["order_id", "status", "total"];

/// The memory of a (sub)profile. Millions of them must fit in memory, so only changed
/// values are kept; the first values are computed again from the same random generator.
pub struct State {
    /// The generator as it was before it made the first values.
    origin: Random,
    /// When it was created, in Unix seconds.
    pub created: i64,
    /// When it last logged in, in Unix seconds.
    last_login: Option<i64>,
    /// The part of the mail address after the `+`.
    alias: Option<u8>,
    score: Option<u8>,
    /// A place in [`YES_NO`].
    newsletter: Option<u8>,
    /// A place in [`STATUSES`].
    status: Option<u8>,
    /// Places in [`INTERESTS`] in the order of joining.
    interests: [Option<u8>; INTERESTS.len()],
}

/// The changes of an update.
pub enum Change {
    /// Nothing: it is a `create`.
    Created,
    /// Places of fields.
    Fields(Vec<usize>),
    /// An interest, and whether it is one now.
    Interest(&'static str, bool),
}

impl State {
    /// A new (sub)profile; `random` continues after its values.
    pub fn create(random: &mut Random, mix: &Mix, profile: u64, sub: bool, created: i64) -> Self {
        let origin = random.clone();
        first_values(random, mix, profile, sub);
        let mut interests = [None; INTERESTS.len()];
        if !sub && let Some(first) = interests.first_mut() {
            *first = Some(0);
        }
        Self {
            origin,
            created,
            last_login: None,
            alias: None,
            score: None,
            newsletter: None,
            status: None,
            interests,
        }
    }

    /// Its interests in the order of joining.
    pub fn interests(&self) -> impl Iterator<Item = &'static str> {
        let places = self.interests.into_iter().flatten();
        places.filter_map(|place| INTERESTS.get(usize::from(place)).copied())
    }

    /// The values of its fields, in the order of their names.
    pub fn values(&self, mix: &Mix, profile: u64, sub: bool) -> Vec<String> {
        let mut values = first_values(&mut self.origin.clone(), mix, profile, sub);
        let word =
            |words: &[&str], place: Option<u8>| Some((*words.get(usize::from(place?))?).to_owned());
        let changed = if sub {
            vec![(1, word(&STATUSES, self.status))]
        } else {
            let mail = |alias| format!("user{profile}+{alias}@example.com");
            vec![
                (1, self.alias.map(mail)),
                (2, self.score.map(|score| score.to_string())),
                (3, self.last_login.map(local)),
                (4, word(&YES_NO, self.newsletter)),
            ]
        };
        for (place, value) in changed {
            if let (Some(old), Some(new)) = (values.get_mut(place), value) {
                *old = new;
            }
        }
        values
    }

    /// Changes something at random; `time` is in Unix seconds.
    pub fn change(&mut self, random: &mut Random, mix: &Mix, sub: bool, time: i64) -> Change {
        if !sub && random.chance(mix.interests) {
            return self.change_interest(random);
        }
        let changed = if sub {
            self.status = Some(random.below(STATUSES.len() as u64) as u8);
            vec![1]
        } else {
            match random.below(4) {
                0 => {
                    self.score = Some(random.below(10) as u8);
                    vec![2]
                }
                1 => {
                    self.last_login = Some(time);
                    vec![3]
                }
                2 => {
                    self.alias = Some(1 + random.below(9) as u8);
                    vec![1]
                }
                _ => {
                    self.newsletter = Some(random.below(YES_NO.len() as u64) as u8);
                    self.score = Some(random.below(10) as u8);
                    vec![4, 2]
                }
            }
        };
        // With fewer fields asked for, some of them do not exist.
        let count = names(mix, sub).len();
        Change::Fields(changed.into_iter().filter(|place| *place < count).collect())
    }

    fn change_interest(&mut self, random: &mut Random) -> Change {
        let place = random.below(INTERESTS.len() as u64);
        let on = random.below(2) == 1;
        let mut left = self.interests;
        let kept = left.iter_mut().filter_map(Option::take);
        let kept = kept.filter(|known| u64::from(*known) != place);
        let now = kept.chain(on.then_some(place as u8));
        self.interests = [None; INTERESTS.len()];
        for (slot, interest) in self.interests.iter_mut().zip(now) {
            *slot = Some(interest);
        }
        let name = INTERESTS.get(place as usize).copied().unwrap_or_default();
        Change::Interest(name, on)
    }
}

fn names(mix: &Mix, sub: bool) -> &'static [&'static str] {
    if sub {
        &SUB_FIELDS
    } else {
        FIELDS.get(..mix.fields).unwrap_or(&FIELDS)
    }
}

fn first_values(random: &mut Random, mix: &Mix, profile: u64, sub: bool) -> Vec<String> {
    names(mix, sub)
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
        .collect()
}

/// A time in the form of the sender's `timestamp`.
pub fn local(time: i64) -> String {
    DateTime::from_timestamp(time, 0)
        .map(|moment| moment.with_timezone(&Amsterdam).naive_local().to_string())
        .unwrap_or_default()
}
