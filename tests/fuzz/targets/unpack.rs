//! Packed answers of the upstream.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use generect_guard::proxy::unpack::Unpacker;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

/// What a kilobyte of gzip can be at most, and some.
const PIECE_BYTES_MAX: usize = 2 << 20;

/// Everything that comes out, or `None` where an error does.
fn unpacked(packed: &[u8], pieces: usize) -> Option<Vec<u8>> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let mut unpacker = Unpacker::of(&headers).unwrap();
    let mut out = Vec::new();
    for piece in packed.chunks(pieces.max(1)) {
        unpacker.take(Bytes::copy_from_slice(piece));
        while let Some(clear) = unpacker.unpacked().ok()? {
            assert!(
                clear.len() <= PIECE_BYTES_MAX,
                "{} bytes at once",
                clear.len()
            );
            out.extend_from_slice(&clear);
        }
    }
    out.extend_from_slice(&unpacker.end().ok()?);
    Some(out)
}

pub fn run(input: &[u8]) {
    let Some((pieces, rest)) = input.split_first() else {
        return;
    };
    let pieces = usize::from(*pieces) + 1;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(rest).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(unpacked(&packed, pieces).as_deref(), Some(rest));

    let whole = unpacked(rest, rest.len());
    assert_eq!(unpacked(rest, pieces), whole);
    let mut reference = Vec::new();
    let read = MultiGzDecoder::new(rest).read_to_end(&mut reference);
    // An answer without a body is no broken gzip.
    if let (Some(whole), false) = (&whole, rest.is_empty()) {
        assert!(read.is_ok(), "broken, and read all the same: {read:?}");
        assert_eq!(whole, &reference);
    }
}
