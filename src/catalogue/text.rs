//! What is the same for every reader of JSON here: where text that needs no look ends, and UTF-8 in pieces.

/// How many bytes from the start are plain text: no quote, no backslash, no control character.
/// Eight at a time, because most of an answer is text nobody looks at.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (eights, rest) = bytes.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        // A byte's top bit is set where it is zero, or below 0x20; a borrow can only mark bytes
        // above a true mark, and the lowest mark is the one that counts.
        let marks = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let marks = marks & TOPS;
        if marks != 0 {
            return index * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f));
    eights.len() * 8 + plain.count()
}

/// Checks UTF-8 across pieces: keeps the start of a character that is cut.
#[derive(Default)]
pub(super) struct Utf8 {
    tail: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Whether the next piece goes on with it.
    pub(super) fn accepts(&mut self, mut chunk: &[u8]) -> bool {
        while self.length > 0 {
            let [first, rest @ ..] = chunk else {
                return true;
            };
            self.tail[self.length] = *first;
            self.length += 1;
            chunk = rest;
            match std::str::from_utf8(&self.tail[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        match std::str::from_utf8(chunk) {
            Ok(_) => true,
            Err(error) if error.error_len().is_none() => {
                let cut = &chunk[error.valid_up_to()..];
                self.length = cut.len();
                self.tail[..cut.len()].copy_from_slice(cut);
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_ends_at_the_first_special_byte() {
        for length in 0..40 {
            for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
                let mut bytes = vec![b'x'; length];
                bytes.push(special);
                bytes.extend_from_slice(b"\"\\\x01 after that");
                assert_eq!(plain_length(&bytes), length);
            }
        }
        let every: Vec<u8> = (0x20..=0xff)
            .filter(|byte| !matches!(byte, b'"' | b'\\'))
            .collect();
        assert_eq!(plain_length(&every), every.len());
    }
}
