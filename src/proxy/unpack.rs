//! Brings an upstream answer into the clear, piece by piece.
//!
//! The guard asks for identity, so that it can read the charge and cover the token. An upstream
//! that answers in gzip all the same is unpacked on the way: packed, the token would pass unseen.
//! An answer in any other coding cannot be looked through and is not passed on.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, HeaderMap};

/// Packed bytes that are unpacked at a time. Gzip makes at most 1032 bytes of one, so that a bomb
/// is never more than about a megabyte in memory.
const STEP_BYTES: usize = 1024;

/// Unpacks one answer.
#[derive(Debug, Default)]
pub struct Unpacker {
    /// What has arrived and is not unpacked yet.
    waiting: Bytes,
    /// `None`: as it is.
    gzip: Option<Box<MultiGzDecoder<Vec<u8>>>>,
    /// Whether any packed byte was seen: an answer without a body is no broken gzip.
    begun: bool,
}

/// Codings that the guard does not read, and may be told by their names. The name of any other is what the
/// upstream says, in which the token may stand.
const NAMED: [&str; 4] = ["br", "compress", "deflate", "zstd"];

/// A content coding that the guard neither asked for nor reads.
#[derive(Debug, thiserror::Error)]
#[error("the answer is in {0} coding, which was not asked for")]
pub struct UnknownCoding(&'static str);

impl Unpacker {
    /// An unpacker for an answer with these headers.
    ///
    /// # Errors
    /// When the answer is in a coding other than gzip, or in several.
    pub fn of(headers: &HeaderMap) -> Result<Self, UnknownCoding> {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter().map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.trim().to_ascii_lowercase()
        });
        match (codings.next().as_deref(), codings.next()) {
            (None | Some("identity"), None) => Ok(Self::default()),
            (Some("gzip" | "x-gzip"), None) => Ok(Self {
                gzip: Some(Box::new(MultiGzDecoder::new(Vec::new()))),
                ..Self::default()
            }),
            (Some(one), None) => {
                let named = NAMED.into_iter().find(|named| *named == one);
                Err(UnknownCoding(named.unwrap_or("another")))
            }
            (_, Some(_)) => Err(UnknownCoding("more than one")),
        }
    }

    /// Whether the answer is packed, so that its length says nothing.
    pub fn is_packed(&self) -> bool {
        self.gzip.is_some()
    }

    /// Takes the next bytes from the wire; [`unpacked`](Self::unpacked) must have had the earlier ones.
    pub fn take(&mut self, packed: Bytes) {
        self.begun |= !packed.is_empty();
        self.waiting = packed;
    }

    /// The next bytes in the clear, perhaps none; `None` when more must be taken first.
    ///
    /// # Errors
    /// When the packed bytes are not what they say.
    pub fn unpacked(&mut self) -> io::Result<Option<Bytes>> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let Some(gzip) = &mut self.gzip else {
            return Ok(Some(std::mem::take(&mut self.waiting)));
        };
        let step = STEP_BYTES.min(self.waiting.len());
        gzip.write_all(&self.waiting.split_to(step))?;
        Ok(Some(std::mem::take(gzip.get_mut()).into()))
    }

    /// The last bytes in the clear, once nothing more comes.
    ///
    /// # Errors
    /// When the packed bytes stop before their end.
    pub fn end(&mut self) -> io::Result<Bytes> {
        let Some(mut gzip) = self.gzip.take().filter(|_| self.begun) else {
            return Ok(Bytes::new());
        };
        gzip.try_finish()?;
        Ok(std::mem::take(gzip.get_mut()).into())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip() -> Unpacker {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        Unpacker::of(&headers).unwrap()
    }

    fn unpacked(packed: &[u8], size: usize) -> io::Result<(Vec<u8>, usize)> {
        let (mut unpacker, mut out, mut largest) = (gzip(), Vec::new(), 0);
        for chunk in packed.chunks(size) {
            unpacker.take(Bytes::copy_from_slice(chunk));
            while let Some(clear) = unpacker.unpacked()? {
                largest = largest.max(clear.len());
                out.extend_from_slice(&clear);
            }
        }
        out.extend_from_slice(&unpacker.end()?);
        Ok((out, largest))
    }

    #[test]
    fn gzip_is_unpacked_at_every_chunking() {
        let text = b"a text, a text, a text, and another".repeat(9);
        let twice = [packed(&text), packed(b"more")].concat();
        for size in 1..twice.len() {
            let (out, _) = unpacked(&twice, size).unwrap();
            assert_eq!(out, [&text[..], b"more"].concat(), "in chunks of {size}");
        }
        assert_eq!(unpacked(b"", 1).unwrap().0, b"");
    }

    #[test]
    fn gzip_that_breaks_off_or_is_none_is_an_error() {
        let whole = packed(b"a text");
        for length in 1..whole.len() {
            assert!(unpacked(&whole[..length], 7).is_err(), "{length} bytes");
        }
        assert!(unpacked(b"no gzip at all", 7).is_err());
        assert!(unpacked(&[&whole[..], b"rubbish"].concat(), 7).is_err());
    }

    #[test]
    fn a_bomb_comes_in_bounded_pieces() {
        let bomb = packed(&vec![0; 64 << 20]);
        let (out, largest) = unpacked(&bomb, bomb.len()).unwrap();
        assert_eq!(out.len(), 64 << 20);
        assert!(largest <= 2 << 20, "{largest}");
    }

    #[test]
    fn other_codings_and_several_are_not_read() {
        for codings in [
            &["br"][..],
            &["gzip, gzip"],
            &["gzip", "gzip"],
            &["identity", "br"],
        ] {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(CONTENT_ENCODING, coding.parse().unwrap());
            }
            assert!(Unpacker::of(&headers).is_err(), "{codings:?}");
        }
    }

    #[test]
    fn of_a_coding_only_a_name_that_is_known_is_told() {
        for (coding, told) in [
            ("BR", "br"),
            ("the-token", "another"),
            ("br, br", "another"),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding.parse().unwrap())]);
            let why = Unpacker::of(&headers).unwrap_err().to_string();
            let expected = format!("the answer is in {told} coding, which was not asked for");
            assert_eq!(why, expected);
        }
    }
}
