//! A set of numbers of events.

/// Numbers of events, one bit for each up to the greatest: 1.25 MB for ten million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeqSet {
    words: Vec<u64>,
}

impl SeqSet {
    /// Adds a number.
    pub fn insert(&mut self, seq: u64) {
        let (word, bit) = place(seq);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether a number is in it.
    pub fn contains(&self, seq: u64) -> bool {
        let (word, bit) = place(seq);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether all numbers from one to another are in it.
    pub fn contains_all(&self, first: u64, last: u64) -> bool {
        (first..=last).all(|seq| self.contains(seq))
    }
}

/// The word of a number, and its bit in there.
const fn place(seq: u64) -> (usize, u64) {
    ((seq / 64) as usize, 1 << (seq % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_what_was_inserted() {
        let mut set = SeqSet::default();
        assert!(!set.contains(0) && !set.contains(u64::MAX));
        for seq in [1, 63, 64, 65, 1000] {
            set.insert(seq);
        }
        let found: Vec<u64> = (0..2000).filter(|seq| set.contains(*seq)).collect();
        assert_eq!(found, [1, 63, 64, 65, 1000]);
        assert!(set.contains_all(63, 65) && !set.contains_all(62, 65));
    }
}
