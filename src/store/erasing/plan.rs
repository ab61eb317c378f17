//! Finds all data of the persons to erase.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode;

use super::{EraseError, EraseLine, EraseOrder, is_before};
use crate::event::{ProfileKey, values_of};
use crate::history::Known;
use crate::log::record::{EventHead, EventRecord, RecordError, RejectedRecord, is_pruned};
use crate::log::{Erasure, Log};
use crate::store::pruning::PruneError;
use crate::store::{Snapshot, Step, Trail};

/// Shorter values of looked-up fields are not searched for in rejected calls: they would
/// be found in calls of others.
const MIN_VALUE: usize = 5;

/// A number with fewer digits is searched for only next to the word `profile`.
const MIN_DIGITS: usize = 5;

/// How far before such a number the word may end, in bytes.
const WORD_DISTANCE: usize = 16;

/// The number of records between two progress reports.
const PROGRESS_INTERVAL: u64 = 1 << 16;

/// The erased data, by profile.
pub(super) struct Plan(BTreeMap<u64, Person>);

struct Person {
    erasure: Erasure,
    /// The number of baselines that are erased.
    baselines: u64,
    /// The looked-up values, by which rejected calls are found, too.
    values: BTreeSet<String>,
}

impl Plan {
    /// Reads the head of every event, and every rejected call.
    pub fn find(
        snapshot: &Snapshot<'_>,
        order: &EraseOrder,
        until: i64,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, EraseError> {
        let person = |profile: u64| Person {
            erasure: Erasure {
                profile,
                until,
                reason: order.reason.clone(),
                events: 0,
                subprofiles: Vec::new(),
                seqs: Vec::new(),
                rejected: Vec::new(),
                receipt: None,
            },
            baselines: 0,
            values: BTreeSet::new(),
        };
        let profiles = order.profiles.iter();
        let persons = profiles.map(|profile| (*profile, person(*profile)));
        let mut plan = Self(persons.collect());
        let fields = snapshot.ask(|index| Ok(index.fields()))?;
        let mut subprofiles: BTreeSet<(u64, u64)> = BTreeSet::new();
        // The profiles of such events are unknown.
        let mut unreadable = Vec::new();
        let mut walk = snapshot.walk_from(1)?;
        let mut reported = 0;
        loop {
            let step = walk.step(|seq, record| {
                let head = match EventHead::decode(record) {
                    Ok(head) => head,
                    Err(RecordError::Lost(_)) => return,
                    Err(error) => return unreadable.push(format!("event {seq}: {error}")),
                };
                let found = plan.0.get_mut(&head.profile);
                let Some(person) = found.filter(|_| head.received <= until) else {
                    return;
                };
                person.erasure.push(seq);
                subprofiles.extend(head.subprofile.map(|own| (head.profile, own)));
                if !fields.is_empty() {
                    add_values(record, &fields, &mut person.values);
                }
            })?;
            match step {
                Step::Records => {}
                Step::Damage(damage) => unreadable.push(damage.to_string()),
                Step::End => break,
            }
            if walk.events_done >= reported + PROGRESS_INTERVAL {
                reported = walk.events_done;
                progress(reported, walk.events);
                if stop() {
                    return Err(PruneError::Stopped.into());
                }
            }
        }
        if let Some(baselines) = &snapshot.retention().baselines {
            for (profile, person) in &mut plan.0 {
                for key in snapshot.keys(Some(ProfileKey::profile(*profile))) {
                    let key = key?;
                    let baseline = baselines.find(key)?;
                    if baseline.is_some_and(|own| is_before(&own, until)) {
                        person.baselines += 1;
                        subprofiles.extend(key.subprofile.map(|own| (*profile, own)));
                    }
                }
            }
        }
        for (profile, subprofile) in subprofiles {
            if let Some(person) = plan.0.get_mut(&profile) {
                person.erasure.subprofiles.push(subprofile);
            }
        }
        plan.find_rejected(snapshot, &mut unreadable)?;
        match unreadable.is_empty() {
            true => Ok(plan),
            false => Err(PruneError::Unreadable(unreadable).into()),
        }
    }

    /// Finds the rejected calls in which the numbers or the looked-up values occur.
    fn find_rejected(
        &mut self,
        snapshot: &Snapshot<'_>,
        unreadable: &mut Vec<String>,
    ) -> Result<(), EraseError> {
        let mut scan = snapshot.trail().rejected().scan(1);
        while let Some(records) = scan.next_records(|lost| unreadable.push(lost.to_string()))? {
            for (number, bytes) in records {
                if is_pruned(bytes) {
                    continue;
                }
                let call = match RejectedRecord::decode(bytes) {
                    Ok(call) => call,
                    Err(RecordError::Lost(_)) => continue,
                    Err(error) => {
                        unreadable.push(format!("rejected call {number}: {error}"));
                        continue;
                    }
                };
                let received = call.head.received;
                if snapshot
                    .retention()
                    .hides_rejected(received.div_euclid(1_000_000), number)
                {
                    continue;
                }
                let texts = [
                    String::from_utf8_lossy(call.body),
                    decoded(call.body).into(),
                    unescaped(call.body),
                    call.head.reason.into(),
                    call.head.label.unwrap_or_default().into(),
                ]
                .map(|text| text.to_lowercase());
                for person in self.0.values_mut() {
                    let erasure = &mut person.erasure;
                    let own = std::iter::once(&erasure.profile).chain(&erasure.subprofiles);
                    let has_number = own
                        .map(u64::to_string)
                        .any(|digits| texts.iter().any(|text| names(text, &digits)));
                    let mut values = person.values.iter();
                    let mut has_value =
                        || values.any(|value| texts.iter().any(|text| text.contains(value)));
                    if received <= erasure.until && (has_number || has_value()) {
                        erasure.rejected.push(number);
                    }
                }
            }
        }
        Ok(())
    }

    /// The profiles whose last event is not a `delete`.
    pub fn still_present(&self, snapshot: &Snapshot<'_>) -> Result<Vec<u64>, EraseError> {
        let mut present = Vec::new();
        for Person { erasure, .. } in self.0.values() {
            let events = snapshot.events_of(ProfileKey::profile(erasure.profile))?;
            let last = events.times.last().map(|(_, seq)| *seq);
            let ended = match last {
                Some(seq) => snapshot
                    .record_of(seq, |record| {
                        Ok(EventHead::decode(record).is_ok_and(|head| head.end().is_some()))
                    })
                    .is_ok_and(|found| found == Some(true)),
                None => match events.baseline.map(|baseline| baseline.known) {
                    Some(known) => matches!(known, Known::Deleted { .. }),
                    None => erasure.events == 0,
                },
            };
            if !ended {
                present.push(erasure.profile);
            }
        }
        Ok(present)
    }

    /// The line of each profile.
    pub fn lines(&self, trail: &Trail, dry_run: bool) -> Vec<EraseLine> {
        let line = |person: &Person| {
            let (erasure, baselines) = (&person.erasure, person.baselines);
            let mut files = files_of(trail.events(), "log", erasure.each_seq());
            let rejected = erasure.rejected.iter().copied();
            files.extend(files_of(trail.rejected(), "rejected", rejected));
            files.extend((baselines > 0).then(|| "baselines".to_owned()));
            files.extend((erasure.events > 0).then(|| "index".to_owned()));
            EraseLine {
                profile: erasure.profile,
                until: erasure.until,
                reason: erasure.reason.clone(),
                dry_run,
                events: erasure.events,
                subprofiles: erasure.subprofiles.clone(),
                baselines,
                rejected: erasure.rejected.len() as u64,
                files,
                receipt: None,
            }
        };
        self.0.values().map(line).collect()
    }

    /// Drops the profiles of which nothing is there.
    pub fn forget_unknown(&mut self) {
        self.0.retain(|_, person| {
            let rejected = person.erasure.rejected.len() as u64;
            person.erasure.events + person.baselines + rejected > 0
        });
    }

    /// Whether anything has a baseline that is erased.
    pub fn has_baselines(&self) -> bool {
        self.0.values().any(|person| person.baselines > 0)
    }

    /// The erasures, to be committed.
    pub fn into_erasures(self) -> impl Iterator<Item = Erasure> {
        self.0.into_values().map(|person| person.erasure)
    }
}

/// The files of a log that hold some records, in order.
fn files_of(log: &Log, dir: &str, seqs: impl Iterator<Item = u64>) -> Vec<String> {
    let segments = log.segments();
    let mut files: Vec<String> = Vec::new();
    for seq in seqs {
        let after = segments.partition_point(|(first, _)| *first <= seq);
        let name = after.checked_sub(1).and_then(|at| segments.get(at));
        let file = name.map(|(_, name)| format!("{dir}/{name}"));
        if file.as_ref() != files.last() {
            files.extend(file);
        }
    }
    files
}

/// Adds the values of some fields that an event sets, in lower case.
fn add_values(record: &[u8], fields: &[String], values: &mut BTreeSet<String>) {
    let Ok(record) = EventRecord::decode(record) else {
        return;
    };
    // A record that cannot be decoded is damage, and nothing is erased.
    let _ = values_of(record.head.body_kind, record.body, fields, |_, value| {
        if value.len() >= MIN_VALUE {
            values.insert(value.to_lowercase());
        }
    });
}

/// The text of a form body without its escapes.
fn decoded(body: &[u8]) -> String {
    let spaced = body.iter().map(|byte| match byte {
        b'+' => b' ',
        byte => *byte,
    });
    let spaced: Vec<u8> = spaced.collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

/// The text of a JSON body without its escapes; empty if it is not JSON.
fn unescaped(body: &[u8]) -> Cow<'_, str> {
    fn collect(value: &serde_json::Value, text: &mut String) {
        match value {
            serde_json::Value::String(own) => text.push_str(own),
            serde_json::Value::Array(all) => all.iter().for_each(|own| collect(own, text)),
            serde_json::Value::Object(all) => all.iter().for_each(|(name, own)| {
                text.push_str(name);
                text.push('=');
                collect(own, text);
            }),
            other => text.push_str(&other.to_string()),
        }
        text.push('\n');
    }
    let mut text = String::new();
    if let Ok(value) = serde_json::from_slice(body) {
        collect(&value, &mut text);
    }
    text.into()
}

/// Whether a text in lower case names a profile or subprofile by its number.
fn names(text: &str, digits: &str) -> bool {
    text.match_indices(digits).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.get(digits.len()..).unwrap_or_default();
        let is_whole = !before.ends_with(|c: char| c.is_ascii_digit())
            && !after.starts_with(|c: char| c.is_ascii_digit());
        let near = before
            .char_indices()
            .rev()
            .nth(WORD_DISTANCE + "profile".len())
            .map_or(0, |(place, _)| place);
        is_whole
            && (digits.len() >= MIN_DIGITS
                || before
                    .get(near..)
                    .is_some_and(|near| near.contains("profile")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_as_a_whole_and_a_short_one_only_by_its_name() {
        for (text, digits, found) in [
            ("type=update&profile=12&x=1", "12", true),
            ("type=update&subprofile=12", "12", true),
            ("profile=123", "12", false),
            ("profile=312", "12", false),
            ("{\"profile\": \"12\"}", "12", true),
            ("age=12", "12", false),
            ("id=12345;", "12345", true),
            ("id=123456;", "12345", false),
            ("é12", "12", false),
            ("profile and then a long text with 12", "12", false),
        ] {
            assert_eq!(names(text, digits), found, "{text} {digits}");
        }
    }
}
