//! Numbers for names, so that counts by several names store each name once.

use std::collections::HashMap;
use std::hash::Hash;

/// A bounded number of names, numbered in order of first use.
#[derive(Debug)]
pub(super) struct Interner<T> {
    numbers: HashMap<T, u32>,
    names: Vec<T>,
    most: usize,
}

impl<T: Eq + Hash + Clone> Interner<T> {
    /// An interner for at most this many names.
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

    /// The number of a name, assigned if there is room; otherwise `None`.
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
