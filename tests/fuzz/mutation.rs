//! Changes inputs by chance.

use rand::RngExt;
use rand::rngs::StdRng;

/// Changes of one input at most.
const CHANGES_MAX: usize = 6;
/// A piece of another input that is put in at most.
const PIECE_BYTES_MAX: usize = 64;
/// What readers trip over.
const STUMBLES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\u005f",
    b"{}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-",
    b"0",
    b"1e999",
    b"0.0000005",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r\n",
    b"//",
    b"%2e",
    b"../",
    b" ",
];

/// The inputs that others are made of.
pub struct Mutation<'a> {
    corpus: &'a [Vec<u8>],
}

impl<'a> Mutation<'a> {
    pub fn of(corpus: &'a [Vec<u8>]) -> Self {
        Self { corpus }
    }

    /// One of them, changed in a few places.
    pub fn next(&self, random: &mut StdRng) -> Vec<u8> {
        let mut input = self.any(random).to_vec();
        for _ in 0..random.random_range(1..=CHANGES_MAX) {
            self.change(&mut input, random);
        }
        input
    }

    fn any(&self, random: &mut StdRng) -> &'a [u8] {
        &self.corpus[random.random_range(0..self.corpus.len())]
    }

    fn change(&self, input: &mut Vec<u8>, random: &mut StdRng) {
        let at = random.random_range(0..=input.len());
        let end = (at + random.random_range(0..8)).min(input.len());
        match random.random_range(0..6) {
            0 => drop(input.drain(at..end)),
            1 => {
                let again = input[at..end].to_vec();
                drop(input.splice(at..at, again));
            }
            2 => {
                let stumble = STUMBLES[random.random_range(0..STUMBLES.len())];
                drop(input.splice(at..end, stumble.iter().copied()));
            }
            3 => {
                let other = self.any(random);
                let from = random.random_range(0..=other.len());
                let to = (from + random.random_range(0..PIECE_BYTES_MAX)).min(other.len());
                drop(input.splice(at..end, other[from..to].iter().copied()));
            }
            4 => input.truncate(at),
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.random_range(0..8);
                }
            }
        }
    }
}
