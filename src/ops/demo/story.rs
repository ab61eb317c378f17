//! What is true of the story.

use super::call::Call;
use super::cast::{COUNTRY, EMMA, FOUGHT_OVER, ORDERS, VANISHED, customers};
use super::dice::Dice;
use super::plot::{Deed, Plot, ROUNDS, WRITTEN, What, plot};
use super::shop::Shop;
use crate::event::ProfileKey;

/// The fortnight of a small shop. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The calls in the order of arrival.
    pub calls: Vec<Call>,
    /// A bad import.
    pub import: BadImport,
    /// Two systems that fight.
    pub fight: Fight,
    /// An hour of which no call came.
    pub lost: LostHour,
    /// Somebody who changes her mind.
    pub mind: Mind,
    /// Somebody who is not there any more.
    pub vanished: Vanished,
}

/// An import that has overwritten a field of many profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadImport {
    /// The label of its calls.
    pub label: &'static str,
    /// The field.
    pub field: &'static str,
    /// What it wrote.
    pub value: &'static str,
    /// The number that its first call gets where the calls are kept in their
    /// order from 1 on.
    pub first_seq: u64,
    /// The time of its first call, …
    pub began: i64,
    /// … and of its last.
    pub ended: i64,
    /// Whose values it overwrote, in the order of the profiles.
    pub harmed: Vec<Harmed>,
}

/// Whose value was overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harmed {
    /// The profile.
    pub profile: u64,
    /// What the field was before.
    pub before: String,
    /// Whether it is still what the import wrote; if not, it was put right by
    /// hand, or the profile is gone.
    pub still: bool,
}

/// A field that two systems write, each in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fight {
    /// The profile.
    pub profile: u64,
    /// The field.
    pub field: &'static str,
    /// The labels, and what each writes.
    pub sides: [(&'static str, &'static str); 2],
    /// How often the field changed in it.
    pub changes: u64,
    /// The time of the first change, …
    pub began: i64,
    /// … and of the last.
    pub ended: i64,
}

/// An hour of which no call came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostHour {
    /// Its first second.
    pub begin: i64,
    /// The first second after it.
    pub end: i64,
    /// How many calls were lost.
    pub calls: u64,
    /// What later calls showed of it, in the order of their times.
    pub unexplained: Vec<Unexplained>,
}

/// A field that changed unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// Whose.
    pub key: ProfileKey,
    /// Which.
    pub field: &'static str,
    /// The time of the call before it.
    pub since: i64,
    /// The time of the call that showed it.
    pub time: i64,
}

/// Somebody who changes her mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mind {
    /// The profile.
    pub profile: u64,
    /// Her mail address.
    pub mail: String,
    /// About what.
    pub field: &'static str,
    /// When, by which way, and to what; the last is what holds.
    pub turns: Vec<(i64, &'static str, String)>,
}

/// A profile that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vanished {
    /// The profile.
    pub profile: u64,
    /// Its mail address.
    pub mail: String,
    /// When it was removed, …
    pub time: i64,
    /// … and by which way.
    pub label: &'static str,
    /// Its subprofiles, which went with it without a call.
    pub subprofiles: Vec<u64>,
    /// Their collection.
    pub collection: u64,
}

impl Story {
    /// The story of the fortnight that ends at a moment.
    pub fn tell(seed: u64, end: i64) -> Self {
        let mut dice = Dice(seed);
        let customers = customers(&mut dice);
        let Plot {
            deeds,
            lost,
            import,
            fight,
            vanishes,
        } = plot(end, &customers, &mut dice);
        let mut shop = Shop::open(customers, lost.0, lost);
        let mail =
            |shop: &Shop, profile| shop.field(profile, "mail").unwrap_or_default().to_owned();
        let (emma, sanne) = (mail(&shop, EMMA), mail(&shop, VANISHED));
        let mut story = Self {
            calls: Vec::new(),
            import: BadImport {
                label: "import",
                field: "city",
                value: COUNTRY,
                first_seq: 0,
                began: import,
                ended: import,
                harmed: Vec::new(),
            },
            fight: Fight {
                profile: FOUGHT_OVER,
                field: "phone",
                sides: WRITTEN,
                changes: 2 * ROUNDS.unsigned_abs(),
                began: fight,
                ended: fight,
            },
            lost: LostHour {
                begin: lost.0,
                end: lost.1,
                calls: 0,
                unexplained: Vec::new(),
            },
            mind: Mind {
                profile: EMMA,
                mail: emma,
                field: "newsletter",
                turns: Vec::new(),
            },
            vanished: Vanished {
                profile: VANISHED,
                mail: sanne,
                time: vanishes,
                label: "crm",
                subprofiles: Vec::new(),
                collection: ORDERS,
            },
        };
        for deed in deeds {
            let noted = story.note(&deed, &shop);
            if let (Some(time), Some(noted)) = (shop.act(deed, &mut dice), noted) {
                story.happened(noted, time);
            }
        }
        for one in &mut story.import.harmed {
            one.still = shop.field(one.profile, "city") == Some(COUNTRY);
        }
        story.vanished.subprofiles.sort_unstable();
        story.lost.calls = shop.lost_calls;
        story.lost.unexplained = shop.unexplained;
        story.calls = shop.calls;
        story.calls.sort_by_key(|call| call.received);
        let label = story.import.label;
        let numbered = (1..).zip(&story.calls);
        let mut imported = numbered.filter(|(_, call)| call.label == label);
        story.import.first_seq = imported.next().map_or(0, |(seq, _)| seq);
        story
    }

    /// What a deed is to the story, before it is done.
    fn note(&self, deed: &Deed, shop: &Shop) -> Option<Noted> {
        let profile = deed.key.profile;
        match &deed.what {
            What::Place(_) if profile == VANISHED => deed.key.subprofile.map(Noted::Order),
            What::Delete => Some(Noted::Vanishing),
            What::Set(parameters) => {
                let (field, value) = parameters.first()?;
                if deed.label == self.import.label {
                    let before = shop.field(profile, field).unwrap_or_default().to_owned();
                    return Some(Noted::Harm(profile, before));
                }
                if profile == EMMA && *field == self.mind.field {
                    return Some(Noted::Turn(deed.label, value.clone()));
                }
                (profile == FOUGHT_OVER && *field == self.fight.field).then_some(Noted::Blow)
            }
            _ => None,
        }
    }

    /// Takes note of what was done at a time.
    fn happened(&mut self, noted: Noted, time: i64) {
        match noted {
            Noted::Order(number) => self.vanished.subprofiles.push(number),
            Noted::Vanishing => self.vanished.time = time,
            Noted::Turn(label, value) => self.mind.turns.push((time, label, value)),
            Noted::Blow => self.fight.ended = time,
            Noted::Harm(profile, before) => {
                self.import.ended = time;
                self.import.harmed.push(Harmed {
                    profile,
                    before,
                    still: false,
                });
            }
        }
    }
}

/// What a deed is to the story.
enum Noted {
    Harm(u64, String),
    Turn(&'static str, String),
    Blow,
    Order(u64),
    Vanishing,
}
