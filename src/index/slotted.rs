//! What runs are made of, whatever they are for.

use std::fmt::Debug;

use super::slot::Item;

/// What an item belongs to. Two kinds of runs stand in one database, with the
/// same blocks, merges and manifest: of [`super::slot::Slot`] and of
/// [`super::word::Word`].
///
/// The order of slots is that of their names.
pub(super) trait Slotted: Copy + Debug + Ord + Send + Sync + 'static {
    /// What the next slot of a block is told by.
    type Base: Copy + Default;

    /// The lowest of all.
    const FIRST: Self;

    /// What the names of runs' trees begin with; the run's number follows, in hex.
    const TREES: &'static str;

    /// Under which name the manifest is kept, in sled's default tree.
    const MANIFEST: &'static [u8];

    /// There is but one item of a slot, 0 and 0, which takes no bytes.
    const BARE: bool;

    /// The name of an item by its number.
    fn name(self, number: u64) -> Vec<u8>;

    /// Whether only the newest item counts: then there is one.
    fn is_single(self) -> bool;

    /// The time of an item in Unix seconds, where it is an event's.
    fn time(self, item: Item) -> Option<i64>;

    /// Appends the head of a piece: the slot and the number of its items.
    fn put(self, count: u64, base: &mut Self::Base, bytes: &mut Vec<u8>);

    /// Takes the head of a piece off the front.
    fn take(bytes: &mut &[u8], base: &mut Self::Base) -> Option<(Self, usize)>;
}
