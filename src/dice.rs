//! Random numbers, and pseudo-random ones from a seed (SplitMix64), the same in every version.

/// A number that no other process has.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => u64::from(std::process::id()) ^ crate::event::now_micros().unsigned_abs(),
    }
}

/// A generator.
pub(crate) struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number of seconds below `bound`, or 0.
    pub fn seconds(&mut self, bound: i64) -> i64 {
        self.below(bound.max(1).unsigned_abs()).cast_signed()
    }

    /// One of some texts.
    pub fn one(&mut self, of: &[&'static str]) -> &'static str {
        let place = self.below(of.len() as u64);
        of.get(place as usize).copied().unwrap_or_default()
    }

    /// `count` of these numbers, in their order.
    pub fn some(&mut self, mut of: Vec<u64>, count: usize) -> Vec<u64> {
        while of.len() > count {
            let place = self.below(of.len() as u64) as usize;
            of.remove(place);
        }
        of
    }
}
