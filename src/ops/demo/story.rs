//! The story: its calls and its facts.

use super::cast::{COUNTRY, EMMA, FOUGHT_OVER, VANISHED, customers};
use super::plot::{Deed, WRITTEN, What, plot};
use super::shop::{Call, Shop};
use crate::dice::Dice;
use crate::event::ProfileKey;

/// The fortnight of a small shop. Times are Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// The calls in the order of arrival.
    pub calls: Vec<Call>,
    /// A bad import.
    pub import: BadImport,
    /// Two systems that overwrite each other.
    pub fight: Fight,
    /// An hour whose calls were lost.
    pub lost: LostHour,
    /// A customer who changes her mind.
    pub mind: Mind,
    /// A customer who was removed.
    pub vanished: Vanished,
}

/// An import that has overwritten a field of many profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadImport {
    /// The label of its calls.
    pub label: &'static str,
    /// The field.
    pub field: &'static str,
    /// The value it wrote.
    pub value: &'static str,
    /// The `seq` of its first call, if the calls are numbered in order from 1 on.
    pub first_seq: u64,
    /// The time of its first call.
    pub began: i64,
    /// The time of its last call.
    pub ended: i64,
    /// The (sub)profiles whose values it overwrote, sorted by profile.
    pub harmed: Vec<Harmed>,
}

/// A profile whose value was overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harmed {
    /// The profile.
    pub profile: u64,
    /// The value before.
    pub before: String,
    /// Whether it still has the import's value; if not, it was corrected by hand, or
    /// the profile is gone.
    pub still: bool,
}

/// A field that two systems write in different formats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fight {
    /// The profile.
    pub profile: u64,
    /// The field.
    pub field: &'static str,
    /// The labels, and the value that each writes.
    pub sides: [(&'static str, &'static str); 2],
    /// How often the field changed.
    pub changes: u64,
    /// The time of the last change.
    pub ended: i64,
}

/// An hour whose calls were lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostHour {
    /// Its first second.
    pub begin: i64,
    /// The first second after it.
    pub end: i64,
    /// The lost changes that later calls showed, sorted by time.
    pub unexplained: Vec<Unexplained>,
}

/// A field that changed by a lost call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The (sub)profile.
    pub key: ProfileKey,
    /// The field.
    pub field: &'static str,
    /// The time of the call before.
    pub since: i64,
    /// The time of the call that showed it.
    pub time: i64,
}

/// A customer who changes her mind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mind {
    /// The profile.
    pub profile: u64,
    /// Her mail address.
    pub mail: String,
    /// The field.
    pub field: &'static str,
    /// Time, label and value of each change; the last value is the present one.
    pub turns: Vec<(i64, &'static str, String)>,
}

/// A profile that was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vanished {
    /// The profile.
    pub profile: u64,
    /// Its mail address.
    pub mail: String,
    /// When it was removed.
    pub time: i64,
    /// The label of the call that removed it.
    pub label: &'static str,
    /// Its subprofiles, which were deleted with it without a call.
    pub subprofiles: Vec<u64>,
}

impl Story {
    /// The story of the two weeks that end at a moment.
    pub fn generate(seed: u64, end: i64) -> Self {
        let mut dice = Dice(seed);
        let customers = customers(&mut dice);
        let (deeds, lost) = plot(end, &customers, &mut dice);
        let mut shop = Shop::open(customers, lost.0, lost);
        let mail = |profile| shop.field(profile, "mail").unwrap_or_default().to_owned();
        let mut story = Self {
            import: BadImport {
                label: "import",
                field: "city",
                value: COUNTRY,
                ..BadImport::default()
            },
            fight: Fight {
                profile: FOUGHT_OVER,
                field: "phone",
                sides: WRITTEN,
                ..Fight::default()
            },
            mind: Mind {
                profile: EMMA,
                mail: mail(EMMA),
                field: "newsletter",
                ..Mind::default()
            },
            vanished: Vanished {
                profile: VANISHED,
                mail: mail(VANISHED),
                label: "crm",
                ..Vanished::default()
            },
            ..Self::default()
        };
        for deed in deeds {
            let before = shop.field(deed.key.profile, story.import.field);
            let before = before.unwrap_or_default().to_owned();
            if let Some(time) = shop.act(&deed, &mut dice) {
                story.record(&deed, before, time);
            }
        }
        for harmed in &mut story.import.harmed {
            harmed.still = shop.field(harmed.profile, story.import.field) == Some(COUNTRY);
        }
        story.vanished.subprofiles.sort_unstable();
        story.lost = LostHour {
            begin: lost.0,
            end: lost.1,
            unexplained: shop.unexplained,
        };
        story.calls = shop.calls;
        story.calls.sort_by_key(|call| call.received);
        let label = story.import.label;
        let mut numbered = (1..).zip(&story.calls);
        let first = numbered.find(|(_, call)| call.label == label);
        story.import.first_seq = first.map_or(0, |(seq, _)| seq);
        story
    }

    /// Records the effect of an action on the story. `before` is the profile's city
    /// before it.
    fn record(&mut self, deed: &Deed, before: String, time: i64) {
        let profile = deed.key.profile;
        match &deed.what {
            What::Place(_) if profile == VANISHED => {
                self.vanished.subprofiles.extend(deed.key.subprofile);
            }
            What::Delete => self.vanished.time = time,
            What::Set(parameters) => {
                let Some((field, value)) = parameters.first() else {
                    return;
                };
                if deed.label == self.import.label {
                    if self.import.harmed.is_empty() {
                        self.import.began = time;
                    }
                    self.import.ended = time;
                    self.import.harmed.push(Harmed {
                        profile,
                        before,
                        still: false,
                    });
                } else if profile == EMMA && *field == self.mind.field {
                    self.mind.turns.push((time, deed.label, value.clone()));
                } else if profile == FOUGHT_OVER && *field == self.fight.field {
                    self.fight.changes += 1;
                    self.fight.ended = time;
                }
            }
            _ => {}
        }
    }
}
