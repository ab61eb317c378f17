//! The part of a (sub)profile's events that a replay visits.

use std::cell::RefCell;
use std::rc::Rc;

use super::Seconds;
use crate::event::ProfileKey;
use crate::history::CascadeDelete;
use crate::query::cascade::ProfileDeletes;
use crate::store::EventsOf;

/// A (sub)profile to replay.
pub(in crate::query) struct Track {
    pub key: ProfileKey,
    /// Its events up to the end of the span, starting at the latest with the last
    /// second before it.
    pub events: EventsOf,
    /// Whether the index may have earlier events than those; only without cascade.
    pub is_cut: bool,
    /// The span, or a part of it.
    pub seconds: Seconds,
    /// The profile's deletes in the span that may end it.
    pub(super) cascades: Vec<CascadeDelete>,
    /// All of the profile's deletes, shared by its subprofiles; `None` without cascade.
    pub(super) deletes: Option<Rc<RefCell<ProfileDeletes>>>,
}

impl Track {
    /// The (time, `seq`) pairs of the events in the span.
    pub fn in_span(&self) -> &[(i64, u64)] {
        let times = self.events.up_to(self.seconds.1);
        times.get(self.before()..).unwrap_or_default()
    }

    /// Whether nothing in the span can have changed it, and nothing was pruned there.
    pub fn is_idle(&self) -> bool {
        let (first, last) = self.seconds;
        let pruned = self.events.baseline_time();
        self.in_span().is_empty()
            && self.cascades().is_empty()
            && pruned.is_none_or(|time| time < first || last < time)
    }

    /// The profile's deletes in the span that may end it.
    pub fn cascades(&self) -> &[CascadeDelete] {
        let (first, last) = self.seconds;
        let begin = self
            .cascades
            .partition_point(|delete| delete.place.time < first);
        let end = self
            .cascades
            .partition_point(|delete| delete.place.time <= last);
        self.cascades.get(begin..end).unwrap_or_default()
    }

    /// How many of its events come before the span.
    fn before(&self) -> usize {
        let since = self.seconds.0;
        self.events.times.partition_point(|(time, _)| *time < since)
    }

    /// The `seq` of its events in the span, and of the last second before it.
    pub fn near(&self) -> impl Iterator<Item = u64> {
        let before = self.events.times.get(..self.before()).unwrap_or_default();
        let last = before.last().map(|pair| pair.0);
        let from = before.partition_point(|pair| Some(pair.0) < last);
        let near = self.events.up_to(self.seconds.1).iter().skip(from);
        near.map(|(_, seq)| *seq)
    }
}
