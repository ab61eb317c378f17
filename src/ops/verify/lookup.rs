//! Whether the look-ups lack a value of the log. Values that they have in excess
//! do no harm.

use crate::index::LookupValues;
use crate::ops::Output;
use crate::store::{Snapshot, Step};

/// How many values are searched for at a time.
const BATCH: usize = 65_536;

/// The remedy for look-ups that lack values.
const REMEDY: &str = "start the server once without --lookup, and then with it: they are rebuilt";

/// Describes the first value that the look-ups lack, of the events that they
/// include or of the baselines.
pub(super) fn check(
    snapshot: &Snapshot<'_>,
    output: &mut Output<'_>,
) -> anyhow::Result<Option<String>> {
    let Some(state) = snapshot.ask(|index| Ok(index.lookup_state()))? else {
        return Ok(None);
    };
    let fields = &state.fields;
    let mut values = LookupValues::default();
    let mut walk = snapshot.walk(i64::MIN, i64::MAX)?;
    let mut end = false;
    while !end {
        let step = walk.step(|seq, record| {
            if seq <= state.up_to {
                values.add_record(record, fields);
            }
        })?;
        end = matches!(step, Step::End) || walk.events_done > state.up_to;
        (output.progress)(walk.events_done, walk.events);
        if let Some(what) = lacks(snapshot, fields, &mut values, end)? {
            return Ok(Some(what));
        }
    }
    if state.generation != snapshot.retention().generation() {
        return Ok(None);
    }
    let mut walk = snapshot.retention().walk_baselines();
    while let Some(kept) = walk.step()? {
        values.add_baseline(&kept, fields);
        if let Some(what) = lacks(snapshot, fields, &mut values, false)? {
            return Ok(Some(what));
        }
    }
    lacks(snapshot, fields, &mut values, true)
}

/// Describes the first missing value. Searches once a batch is complete, or at the
/// `end`.
fn lacks(
    snapshot: &Snapshot<'_>,
    fields: &[String],
    values: &mut LookupValues,
    end: bool,
) -> anyhow::Result<Option<String>> {
    if values.len() < BATCH && !end {
        return Ok(None);
    }
    let values = std::mem::take(values);
    // Look-ups of other fields have replaced them.
    let lacking = snapshot.ask(|index| match index.fields() == fields {
        true => index.first_missing(&values),
        false => Ok(None),
    })?;
    Ok(lacking.map(|(place, key)| {
        let name = fields.get(place).map_or("", String::as_str);
        format!("the look-ups of {name:?} lack a value of {key}; {REMEDY}")
    }))
}
