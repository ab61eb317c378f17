//! Recently decompressed blocks, shared by all readers of a log.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many bytes of blocks are kept. A profile's events are read in order, so a
/// block is seldom needed again after others.
const CAPACITY: usize = 2 << 20;

/// The block of a footer, by the footer's own number and the block's.
type Place = (u64, usize);

/// The least recently used blocks are evicted.
#[derive(Default)]
pub(in crate::log) struct BlockCache(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// The most recently used one is last.
    blocks: VecDeque<(Place, Arc<Vec<u8>>)>,
    bytes: usize,
}

impl BlockCache {
    /// A block, if it is cached.
    pub fn get(&self, place: Place) -> Option<Arc<Vec<u8>>> {
        let mut held = self.0.lock();
        let at = held.blocks.iter().rposition(|(kept, _)| *kept == place)?;
        let entry = held.blocks.remove(at)?;
        let block = Arc::clone(&entry.1);
        held.blocks.push_back(entry);
        Some(block)
    }

    /// Adds a block and evicts others.
    pub fn put(&self, place: Place, block: Arc<Vec<u8>>) {
        let mut held = self.0.lock();
        if block.len() > CAPACITY / 2 || held.blocks.iter().any(|(kept, _)| *kept == place) {
            return;
        }
        held.bytes += block.len();
        held.blocks.push_back((place, block));
        while held.bytes > CAPACITY
            && let Some((_, oldest)) = held.blocks.pop_front()
        {
            held.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_block_is_evicted() {
        let cache = BlockCache::default();
        let len = CAPACITY / 4;
        for number in 0..4 {
            cache.put((1, number), Arc::new(vec![number as u8; len]));
        }
        assert_eq!(cache.get((1, 0)).unwrap()[0], 0);
        cache.put((2, 0), Arc::new(vec![9; len]));
        assert!(cache.get((1, 1)).is_none());
        for place in [(1, 0), (1, 2), (1, 3), (2, 0)] {
            assert!(cache.get(place).is_some(), "{place:?}");
        }
        cache.put((3, 0), Arc::new(vec![0; CAPACITY]));
        assert!(cache.get((3, 0)).is_none());
    }
}
