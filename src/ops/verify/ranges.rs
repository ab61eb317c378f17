//! A set of event numbers, as ranges: a segment with a wrong name makes one of 10^18 numbers.

/// Numbers, as the first and last of each range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds the numbers from `first` to `last`; nothing if `last` is less.
    pub fn add(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        match self.0.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
            _ => self.0.push((first, last)),
        }
    }

    /// Sorts and merges the ranges. Call it before [`Self::holds`].
    pub fn merge(&mut self) {
        self.0.sort_unstable();
        for (first, last) in std::mem::take(&mut self.0) {
            match self.0.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => self.0.push((first, last)),
            }
        }
    }

    /// Whether all numbers from `first` to `last` are in the set.
    pub fn holds(&self, first: u64, last: u64) -> bool {
        let after = self.0.partition_point(|(begin, _)| *begin <= first);
        let range = after.checked_sub(1).and_then(|at| self.0.get(at));
        range.is_some_and(|(_, end)| *end >= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_their_ranges() {
        let mut ranges = Ranges::default();
        for (first, last) in [(20, 30), (5, 7), (8, 9), (3, 2), (25, 40)] {
            ranges.add(first, last);
        }
        ranges.merge();
        assert_eq!(ranges.0, [(5, 9), (20, 40)]);
        for (first, last, held) in [(5, 9, true), (4, 5, false), (9, 10, false), (30, 40, true)] {
            assert_eq!(ranges.holds(first, last), held, "{first} to {last}");
        }
        assert!(!ranges.holds(41, 41));
    }
}
