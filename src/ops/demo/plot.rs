//! The events of the story and their times: the shop's daily business, and the five
//! events to ask about.
//!
//! Times count from the first midnight (UTC) of the two weeks, so the day of an
//! event does not depend on the time of day at which the story ends.

use super::cast::{
    CITIES, COUNTRY, Customer, EMMA, END, FIRST, FIRST_NEW, FIRST_ORDER, FOUGHT_OVER, VANISHED,
    order,
};
use super::shop::local;
use crate::dice::Dice;
use crate::event::ProfileKey;

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;

/// How many cities the import overwrites.
const HARMED: usize = 120;

/// How many of them are corrected by hand.
const CORRECTED: usize = 14;

/// How many customers answer the newsletter's question in the lost hour.
const ANSWERS: usize = 44;

/// The two formats of the disputed telephone number, by label.
pub(super) const WRITTEN: [(&str, &str); 2] = [("crm", "+31612345678"), ("webshop", "06-12345678")];

/// How often each system writes it.
const ROUNDS: i64 = 72;

/// A change to a (sub)profile.
pub(super) struct Deed {
    pub time: i64,
    pub key: ProfileKey,
    pub label: &'static str,
    pub what: What,
}

/// The kind of change.
pub(super) enum What {
    /// Create a profile.
    Create,
    /// Create an order with these fields.
    Place(Vec<(&'static str, String)>),
    /// Set fields.
    Set(Vec<(&'static str, String)>),
    /// Add points.
    Reward(u64),
    /// Delete it.
    Delete,
    /// Click in a mail.
    Click,
}

/// The changes in the two weeks before a moment, sorted by time, and the lost hour.
pub(super) fn plot(end: i64, customers: &[Customer], dice: &mut Dice) -> (Vec<Deed>, (i64, i64)) {
    let midnight = (end - 14 * DAY).div_euclid(DAY) * DAY + DAY;
    let mut made = Making {
        midnight,
        end,
        deeds: Vec::new(),
    };
    let lost = (made.at(7, 13 * HOUR), made.at(7, 14 * HOUR));
    made.appear(dice);
    made.daily(dice);
    made.orders(dice, lost);
    made.change_minds();
    made.fight(dice);
    made.answer_in_lost_hour(customers, lost, dice);
    made.import(customers, dice);
    let vanishes = made.at(11, 15 * HOUR + 20 * MINUTE);
    let vanished = ProfileKey::profile(VANISHED);
    made.put(vanishes, vanished, "crm", What::Delete);
    // Nothing changes after a removal, and calls of the last half minute have not
    // arrived yet.
    let mut deeds = made.deeds;
    deeds.retain(|deed| {
        let gone = deed.key.profile == VANISHED && deed.time > vanishes;
        deed.time < end - MINUTE / 2 && !gone
    });
    deeds.sort_by_key(|deed| (deed.time, deed.key));
    (deeds, lost)
}

struct Making {
    midnight: i64,
    end: i64,
    deeds: Vec<Deed>,
}

impl Making {
    const fn at(&self, day: i64, second: i64) -> i64 {
        self.midnight + day * DAY + second
    }

    fn put(&mut self, time: i64, key: ProfileKey, label: &'static str, what: What) {
        self.deeds.push(Deed {
            time,
            key,
            label,
            what,
        });
    }

    fn set(
        &mut self,
        time: i64,
        profile: u64,
        label: &'static str,
        field: &'static str,
        value: impl Into<String>,
    ) {
        let what = What::Set(vec![(field, value.into())]);
        self.put(time, ProfileKey::profile(profile), label, what);
    }

    /// A moment within opening hours of one of these days.
    fn busy(&self, dice: &mut Dice, days: std::ops::Range<i64>) -> i64 {
        let day = days.start + dice.seconds(days.end - days.start);
        self.at(day, 6 * HOUR + dice.seconds(15 * HOUR))
    }

    /// Every customer has a first event before most other changes.
    fn appear(&mut self, dice: &mut Dice) {
        for profile in FIRST..FIRST_NEW {
            let time = self.at(0, dice.seconds(30 * HOUR));
            self.set(time, profile, "webshop", "last_visit", local(time));
        }
        for profile in FIRST_NEW..END {
            // Not in the lost hour, which is on the seventh day.
            let time = self.busy(dice, 1..7);
            let label = dice.one(&["webshop", "webshop", "newsletter-form"]);
            self.put(time, ProfileKey::profile(profile), label, What::Create);
        }
    }

    /// Everyday changes that nobody asks about.
    fn daily(&mut self, dice: &mut Dice) {
        let who = |dice: &mut Dice| FIRST + dice.below(END - FIRST);
        for _ in 0..1_250 {
            let time = self.busy(dice, 2..14);
            self.set(time, who(dice), "webshop", "last_visit", local(time));
        }
        for _ in 0..850 {
            let (time, profile) = (self.busy(dice, 2..14), who(dice));
            self.put(time, ProfileKey::profile(profile), "mailing", What::Click);
        }
        for _ in 0..200 {
            let (time, profile) = (self.busy(dice, 2..14), who(dice));
            let answer = dice.one(&["Ja", "Nee"]);
            if profile != EMMA {
                self.set(time, profile, "newsletter-form", "newsletter", answer);
            }
        }
        for _ in 0..180 {
            // Customers move before the import, so that later changes are corrections.
            let (time, profile) = (self.busy(dice, 2..10), who(dice));
            let city = dice.one(&CITIES);
            self.set(time, profile, "crm", "city", city);
        }
        for _ in 0..120 {
            let (time, profile) = (self.busy(dice, 2..14), who(dice));
            let phone = format!("06-{:08}", dice.below(100_000_000));
            if profile != FOUGHT_OVER {
                self.set(time, profile, "crm", "phone", phone);
            }
        }
    }

    /// Orders, and what follows from each.
    fn orders(&mut self, dice: &mut Dice, lost: (i64, i64)) {
        for (number, count) in (FIRST_ORDER..).zip(0..400_u64) {
            // The customer who vanishes has three orders.
            let profile = match count {
                0..3 => VANISHED,
                _ => match FIRST + dice.below(FIRST_NEW - FIRST) {
                    VANISHED => FIRST,
                    other => other,
                },
            };
            let mut time = self.busy(dice, if count < 3 { 2..6 } else { 2..14 });
            if (lost.0..lost.1).contains(&time) {
                time += 3 * HOUR;
            }
            let key = ProfileKey::subprofile(profile, number);
            let fields = order(dice, number);
            self.put(time, key, "webshop", What::Place(fields));
            let points = 5 + 5 * dice.below(8);
            let profile = ProfileKey::profile(profile);
            let what = What::Set(vec![("last_order", format!("O-{number}"))]);
            self.put(time + 2, profile, "webshop", what);
            self.put(time + 5 * MINUTE, profile, "crm", What::Reward(points));
            for (status, wait) in [
                ("paid", HOUR),
                ("shipped", 20 * HOUR),
                ("delivered", 30 * HOUR),
            ] {
                time += MINUTE + dice.seconds(wait);
                let what = What::Set(vec![("status", status.to_owned())]);
                self.put(time, key, "webshop", what);
            }
        }
    }

    /// A customer changes her mind about the newsletter three times.
    fn change_minds(&mut self) {
        for (day, hour, label, answer) in [
            (2, 19, "newsletter-form", "Ja"),
            (5, 8, "crm", "Nee"),
            (9, 18, "newsletter-form", "Ja"),
        ] {
            let time = self.at(day, hour * HOUR + 12 * MINUTE + 7);
            self.set(time, EMMA, label, "newsletter", answer);
        }
    }

    /// Two systems write the same telephone number in different formats.
    fn fight(&mut self, dice: &mut Dice) {
        let mut time = self.at(8, 10 * HOUR);
        for _ in 0..ROUNDS {
            for (label, phone) in WRITTEN {
                self.set(time, FOUGHT_OVER, label, "phone", phone);
                time += 20 + dice.seconds(30);
            }
            time += 27 * MINUTE;
        }
    }

    /// A mailing asks about the newsletter, and many answer within an hour. All calls
    /// of that hour are lost; later calls show the changes.
    fn answer_in_lost_hour(
        &mut self,
        customers: &[Customer],
        (begin, end): (i64, i64),
        dice: &mut Dice,
    ) {
        let asked = customers.iter().map(|customer| customer.number);
        let asked = asked.filter(|number| ![EMMA, FOUGHT_OVER, VANISHED].contains(number));
        let answering = dice.some(asked.collect(), ANSWERS);
        for (place, profile) in answering.into_iter().enumerate() {
            let time = begin + MINUTE + dice.seconds(HOUR - 2 * MINUTE);
            // Nobody has this value yet, so the answer always changes something.
            self.set(
                time,
                profile,
                "newsletter-form",
                "newsletter",
                "Ja, wekelijks",
            );
            if place % 6 == 0 {
                let before = begin - MINUTE - dice.seconds(20 * MINUTE);
                self.set(before, profile, "webshop", "last_visit", local(before));
            }
            let after = match place % 6 {
                1 => end + MINUTE + dice.seconds(20 * MINUTE),
                _ => end + HOUR + dice.seconds(18 * HOUR),
            };
            self.set(after, profile, "webshop", "last_visit", local(after));
        }
    }

    /// An import writes the country into the city; a few are corrected.
    fn import(&mut self, customers: &[Customer], dice: &mut Dice) {
        let begin = self.at(10, 9 * HOUR);
        let all = customers.iter().map(|customer| customer.number);
        let others = all.filter(|number| ![EMMA, FOUGHT_OVER, VANISHED].contains(number));
        let mut harmed = dice.some(others.collect(), HARMED - 1);
        harmed.push(VANISHED);
        harmed.sort_unstable();
        for (place, profile) in (0..).zip(&harmed) {
            self.set(begin + 2 * place, *profile, "import", "city", COUNTRY);
        }
        let may = harmed.iter().copied().filter(|number| *number != VANISHED);
        let corrected = dice.some(may.collect(), CORRECTED);
        for profile in corrected {
            let time = begin + 2 * HOUR + dice.seconds(40 * HOUR);
            let time = time.min(self.end - HOUR);
            self.set(time, profile, "crm", "city", dice.one(&CITIES));
        }
    }
}
