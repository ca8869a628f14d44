//! The one source of chance: everything a run does follows from its seed.

/// xoshiro256**, seeded by splitmix64 (Blackman and Vigna). Small, and the same on every machine for ever.
pub struct Rng([u64; 4]);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        Rng([next(), next(), next(), next()])
    }

    pub fn draw(&mut self) -> u64 {
        let state = &mut self.0;
        let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// A number below `end`; the bias of the remainder does not matter here.
    pub fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "there is something to choose from");
        (self.draw() % end as u64) as usize
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + (self.draw() % (to - from + 1) as u64) as i64
    }

    pub fn percent(&mut self, chance: u32) -> bool {
        self.draw() % 100 < u64::from(chance)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(&from[self.below(from.len())]) }
    }

    /// An index by weight; `None` where all weigh nothing.
    pub fn weighted(&mut self, weights: &[u32]) -> Option<usize> {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        if total == 0 {
            return None;
        }
        let mut left = self.draw() % total;
        for (at, weight) in weights.iter().enumerate() {
            let weight = u64::from(*weight);
            if left < weight {
                return Some(at);
            }
            left -= weight;
        }
        None
    }

    pub fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.draw().to_be_bytes());
        bytes[8..].copy_from_slice(&self.draw().to_be_bytes());
        bytes
    }

    /// Sixteen bytes that begin with a time, as a UUIDv7 does.
    pub fn id(&mut self, now: i64) -> [u8; 16] {
        let mut bytes = self.bytes();
        bytes[..6].copy_from_slice(&now.max(0).to_be_bytes()[2..]);
        bytes
    }
}
