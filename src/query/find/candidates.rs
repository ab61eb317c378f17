//! Selects the (sub)profiles that may have or may have had a value.
//!
//! The lookup index returns them if it covers the field, up to the last event it
//! has indexed; the rest, or everything, is read from the log. Pruned events are
//! covered by the baselines, unless the lookups cover those too. Each source
//! returns all matching (sub)profiles, and possibly others.

use std::collections::BTreeSet;

use super::QueryError;
use super::matcher::{FindQuery, ValueMatcher};
use crate::event::{Content, ProfileKey, decode_content, values_of};
use crate::history::Subject;
use crate::index::{LookupPage, LookupQuery};
use crate::log::record::{EventRecord, RecordError};
use crate::query::answer::Lines;
use crate::query::parallel::batches_of;
use crate::store::{Missing, Snapshot, Trail};

/// The maximum number of (sub)profiles held; beyond it, all of them are examined.
pub(super) const MOST_KEYS: usize = 400_000;

/// How many entries are requested from the index at once.
const PAGE: usize = 4096;

/// The maximum number of candidates, and of events beyond the lookups, for an
/// immediate answer.
const QUICK: usize = 1000;

/// The index query for the value, if there is one.
fn probe(query: &FindQuery) -> Option<LookupQuery> {
    let field = query.field.as_ref().filter(|_| !query.matches)?;
    Some(LookupQuery::new(field, &query.value, query.prefix))
}

impl FindQuery {
    /// Whether the lookups return few (sub)profiles and lack hardly any event: then the
    /// answer takes little time and memory.
    pub fn is_quick(&self, trail: &Trail) -> bool {
        let snapshot = trail.snapshot();
        let last = snapshot.last_seq();
        let look_up = |probe| snapshot.look_up(&probe, None, QUICK).ok().flatten();
        let looked = probe(self).and_then(look_up);
        looked.is_some_and(|looked| {
            looked.is_last() && looked.baselines && last.saturating_sub(looked.up_to) < QUICK as u64
        })
    }
}

/// The (sub)profiles to examine; `None` means all of them, if there are more than the given
/// number.
pub(super) fn gather(
    snapshot: &Snapshot<'_>,
    query: &FindQuery,
    matcher: &ValueMatcher,
    most: usize,
    lines: &mut Lines<'_>,
) -> Result<Option<BTreeSet<ProfileKey>>, QueryError> {
    let mut found = Some(BTreeSet::new());
    let mut take = |keys: Vec<ProfileKey>| {
        if let Some(known) = &mut found {
            known.extend(keys);
        }
        found = found.take().filter(|known| known.len() <= most);
        found.is_some()
    };
    let (up_to, baselines) = match probe(query) {
        Some(probe) => look_up(snapshot, &probe, &mut take)?,
        None => (0, false),
    };
    if take(Vec::new()) {
        scan(snapshot, matcher, up_to + 1, &mut take, lines)?;
    }
    if !baselines {
        in_baselines(snapshot, matcher, &mut take)?;
    }
    Ok(found)
}

/// Queries the index until `take` wants no more; returns the event up to which it is
/// complete, and whether it covers the baselines too.
fn look_up(
    snapshot: &Snapshot<'_>,
    probe: &LookupQuery,
    take: &mut impl FnMut(Vec<ProfileKey>) -> bool,
) -> Result<(u64, bool), QueryError> {
    let (mut up_to, mut baselines) = (u64::MAX, true);
    let mut before: Option<LookupPage> = None;
    loop {
        let Some(looked) = snapshot.look_up(probe, before.as_ref(), PAGE)? else {
            return Ok((0, false));
        };
        // Another index may have replaced it: the result is only complete up to the last
        // event that all pages covered.
        up_to = up_to.min(looked.up_to);
        baselines &= looked.baselines;
        if !take(looked.keys.clone()) || looked.is_last() {
            return Ok((up_to, baselines));
        }
        before = Some(looked);
    }
}

fn in_baselines(
    snapshot: &Snapshot<'_>,
    matcher: &ValueMatcher,
    take: &mut impl FnMut(Vec<ProfileKey>) -> bool,
) -> Result<(), QueryError> {
    let mut walk = snapshot.retention().walk_baselines();
    while let Some(kept) = walk.step()? {
        let state = kept.baseline.known.state();
        if state.is_some_and(|state| matcher.matches(&state.value_of(&matcher.subject))) {
            take(vec![kept.key]);
        }
    }
    Ok(())
}

/// Reads the log from an event on.
fn scan(
    snapshot: &Snapshot<'_>,
    matcher: &ValueMatcher,
    from: u64,
    take: &mut impl FnMut(Vec<ProfileKey>) -> bool,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let walk = snapshot.walk_from(from)?;
    if walk.events == 0 {
        return Ok(());
    }
    lines.in_order(
        batches_of(walk),
        || (),
        |(), batch, damage| {
            let mut keys = Vec::new();
            damage.extend(batch.damage);
            for (seq, record) in batch.records.iter() {
                match may_give(record, matcher) {
                    Ok(key) => keys.extend(key),
                    Err(error) => damage.add(Missing::of_record(seq, error)),
                }
            }
            keys.sort_unstable();
            keys.dedup();
            Ok(keys)
        },
        |_, keys| Ok(take(keys)),
    )
}

/// The (sub)profile to which an event may have given the value.
fn may_give(record: &[u8], matcher: &ValueMatcher) -> Result<Option<ProfileKey>, RecordError> {
    let record = EventRecord::decode(record)?;
    let (kind, body) = (record.head.body_kind, record.body);
    let mut gives = false;
    match &matcher.subject {
        Subject::Field(name) => values_of(kind, body, &[name.as_ref()], |_, value| {
            gives = matcher.matches_text(&value);
        })?,
        Subject::Interest(name) => {
            let Content { interests, .. } = decode_content(kind, body)?;
            gives = interests.is_some_and(|interests| interests.members().contains(name));
        }
    }
    Ok(gives.then(|| record.head.key()))
}
