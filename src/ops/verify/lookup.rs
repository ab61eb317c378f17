//! The lookups against the log: whether a value is missing in them. That they
//! tell of more does no harm.

use crate::event::{ProfileKey, values_of};
use crate::history::Known;
use crate::index::LookedValues;
use crate::log::record::EventRecord;
use crate::ops::{CareError, Told};
use crate::store::{Snapshot, Step, Trail, TrailError};

/// How many values are looked for together.
const TOGETHER: usize = 65_536;

/// What can be done about lookups that lack values.
const WAY_OUT: &str =
    "start the server once without --lookup, and then with it: they are made anew";

/// Tells where the lookups lack a value of an event up to where they are, or of
/// what is left of pruned ones.
pub(super) fn check(
    snapshot: &Snapshot<'_>,
    told: &mut Told<'_>,
) -> Result<Option<String>, CareError> {
    let trail = snapshot.trail();
    let state = trail.index().lookup_state();
    let Some(state) = state.map_err(TrailError::Index)? else {
        return Ok(None);
    };
    let fields = &state.fields;
    let mut values = LookedValues::default();
    let mut walk = snapshot.walk(i64::MIN, i64::MAX)?;
    let mut end = false;
    while !end {
        let step = walk.step(|seq, record| {
            if seq <= state.up_to {
                read(record, fields, &mut values);
            }
        })?;
        end = matches!(step, Step::End) || walk.events_done() > state.up_to;
        (told.progress)(walk.events_done(), walk.events());
        if let Some(what) = lacks(trail, fields, &mut values, end)? {
            return Ok(Some(what));
        }
    }
    let known = state.pruned == snapshot.retention().pruned;
    let Some(baselines) = snapshot.baselines().filter(|_| known) else {
        return Ok(None);
    };
    let mut walk = baselines.walk();
    while let Some(kept) = walk.step()? {
        if let Known::Present(state) = &kept.baseline.known {
            for (place, field) in fields.iter().enumerate() {
                if let Some(value) = state.fields.get(field) {
                    values.add(place, value, kept.key);
                }
            }
        }
        if let Some(what) = lacks(trail, fields, &mut values, false)? {
            return Ok(Some(what));
        }
    }
    lacks(trail, fields, &mut values, true)
}

fn read(record: &[u8], fields: &[String], values: &mut LookedValues) {
    let Ok(record) = EventRecord::decode(record) else {
        return;
    };
    let (key, kind): (ProfileKey, _) = (record.head.key(), record.head.body_kind);
    // A body that cannot be read is told of as the log's damage.
    let _ = values_of(kind, record.body, fields, |place, value| {
        values.add(place, &value, key);
    });
}

/// The first value that is missing, looked for once there are many, or at the
/// `end`.
fn lacks(
    trail: &Trail,
    fields: &[String],
    values: &mut LookedValues,
    end: bool,
) -> Result<Option<String>, CareError> {
    if values.len() < TOGETHER && !end {
        return Ok(None);
    }
    let values = std::mem::take(values);
    let lacking = trail.index().lookup_lacks(fields, &values);
    let lacking = lacking.map_err(TrailError::Index)?;
    Ok(lacking.map(|(place, key)| {
        let name = fields.get(place).map_or("", String::as_str);
        format!("the lookups of {name:?} lack a value of {key}; {WAY_OUT}")
    }))
}
