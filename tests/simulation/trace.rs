//! What happened, in one number: two runs that have the same did the same.

/// FNV-1a over everything that was seen, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    pub digest: u64,
    pub steps: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            digest: 0xcbf2_9ce4_8422_2325,
            steps: 0,
        }
    }
}

impl Trace {
    pub fn note(&mut self, numbers: &[i64]) {
        self.steps += 1;
        for byte in numbers.iter().flat_map(|number| number.to_le_bytes()) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
