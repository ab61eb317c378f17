//! Names by number, so that what is counted by many names holds each once.

use std::collections::HashMap;
use std::hash::Hash;

/// Names, numbered in the order in which they were met.
#[derive(Debug)]
pub(super) struct Names<T> {
    numbers: HashMap<T, u32>,
    names: Vec<T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            names: Vec::new(),
        }
    }
}

impl<T: Eq + Hash + Clone> Names<T> {
    /// The name of a number.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.names.get(number as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// In the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.names.iter()
    }

    /// The numbers of names: to look one up that is only borrowed.
    pub const fn numbers(&self) -> &HashMap<T, u32> {
        &self.numbers
    }

    /// The number of a name, which gets one if it has none.
    pub fn number(&mut self, name: T) -> u32 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        // Memory ends before these numbers do.
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.clone(), number);
        self.names.push(name);
        number
    }
}
