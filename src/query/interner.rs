//! Names by number, so that what is counted by many names holds each once.

use std::collections::HashMap;
use std::hash::Hash;

/// A bounded number of names, numbered in the order in which they came.
#[derive(Debug)]
pub(super) struct Interner<T> {
    numbers: HashMap<T, u32>,
    names: Vec<T>,
    most: usize,
}

impl<T: Eq + Hash + Clone> Interner<T> {
    /// An interner of so many names at most.
    pub fn new(most: usize) -> Self {
        Self {
            numbers: HashMap::new(),
            names: Vec::new(),
            most,
        }
    }

    /// The name of a number.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.names.get(number as usize)
    }

    /// The names in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.names.iter()
    }

    /// The numbers of names, to look up a name that is only borrowed.
    pub const fn numbers(&self) -> &HashMap<T, u32> {
        &self.numbers
    }

    /// The number of a name, which gets one if there is room; `None` if not.
    pub fn number(&mut self, name: T) -> Option<u32> {
        if let Some(number) = self.numbers.get(&name) {
            return Some(*number);
        }
        if self.names.len() >= self.most {
            return None;
        }
        let number = u32::try_from(self.names.len()).ok()?;
        self.numbers.insert(name.clone(), number);
        self.names.push(name);
        Some(number)
    }
}
