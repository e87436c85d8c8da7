//! Chance: secrets that nobody guesses, and a sequence that a printed seed brings back.

use aws_lc_rs::rand;

use crate::Result;

/// `bytes` of true randomness in hexadecimal.
pub(crate) fn secret(bytes: usize) -> Result<String> {
    let mut buffer = vec![0_u8; bytes];
    rand::fill(&mut buffer).map_err(|_| "the system gave no randomness")?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A seed for a run that nobody gave one.
pub(crate) fn seed() -> Result<u64> {
    let mut buffer = [0_u8; 8];
    rand::fill(&mut buffer).map_err(|_| "the system gave no randomness")?;
    Ok(u64::from_le_bytes(buffer))
}

/// SplitMix64: small, even, and the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let story = |seed| {
            let mut sequence = Sequence::from_seed(seed);
            [sequence.next(), sequence.next(), sequence.below(10)]
        };
        assert_eq!(story(7), story(7));
        assert_ne!(story(7), story(8));
        assert!(story(9)[2] < 10);
    }
}
