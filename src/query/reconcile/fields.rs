//! Selects the columns of a file that are fields.

use std::collections::BTreeSet;

use crate::event::decode_content;
use crate::log::record::EventRecord;
use crate::query::QueryError;
use crate::store::{Snapshot, Step};

/// The columns that are not a field of any (sub)profile in the trail; none if the trail has
/// no fields at all.
///
/// Reads events until every column is found to be a field.
pub(super) fn not_fields(
    snapshot: &Snapshot<'_>,
    columns: &[String],
) -> Result<BTreeSet<String>, QueryError> {
    let mut left: BTreeSet<String> = columns.iter().cloned().collect();
    let mut any = false;
    let mut walk = snapshot.retention().walk_baselines();
    while !left.is_empty()
        && let Some(kept) = walk.step()?
    {
        let state = kept.baseline.known.state();
        for name in state.iter().flat_map(|state| state.fields.keys()) {
            any = true;
            left.remove(name.as_ref());
        }
    }
    let mut walk = snapshot.walk(i64::MIN, i64::MAX)?;
    while !left.is_empty() {
        let step = walk.step(|_, record| {
            let content = EventRecord::decode(record).ok();
            let content = content.and_then(|it| decode_content(it.head.body_kind, it.body).ok());
            let Some(content) = content else { return };
            // An update without fields carries its parameters over as such.
            let named = match content.fields.is_empty() {
                true => content.parameters.keys(),
                false => content.fields.keys(),
            };
            for name in named {
                any = true;
                left.remove(AsRef::<str>::as_ref(name));
            }
        })?;
        if matches!(step, Step::End) {
            break;
        }
    }
    if !any {
        left.clear();
    }
    Ok(left)
}
