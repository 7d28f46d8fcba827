//! Packed pages of the account.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use generect_guard::account::{AccountError, in_the_clear};
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

/// The page, read as it is said to be coded.
fn read(coding: &[u8], body: &[u8], bytes_max: usize) -> Result<Vec<u8>, AccountError> {
    let coding = HeaderValue::from_bytes(coding).map_err(|_| AccountError::Coded)?;
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding)]);
    in_the_clear(&headers, body.to_vec(), bytes_max)
}

pub fn run(input: &[u8]) {
    let Some(([most, often], rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let bytes_max = usize::from(*most) * 16;
    // A coding's name, a line end, a body.
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (coding, body) = rest.split_at(end.unwrap_or(rest.len()));
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    if let Ok(clear) = read(coding, body, bytes_max) {
        let packed = coding.to_ascii_lowercase().ends_with(b"gzip");
        assert!(clear.len() <= bytes_max || !packed, "{} bytes", clear.len());
        assert!(packed || clear == body, "{coding:?}");
    }
    // Members behind one another are one text, as long as it is within the bound.
    let times = usize::from(*often % 4) + 1;
    let text = body.repeat(times * times);
    let mut packed = Vec::new();
    for part in text.chunks(text.len() / times + 1) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(part).unwrap();
        packed.extend(encoder.finish().unwrap());
    }
    let clear = read(b"GZip", &packed, bytes_max);
    match clear {
        Ok(clear) => assert!(clear == text && text.len() <= bytes_max),
        Err(AccountError::TooLarge) => assert!(text.len() > bytes_max),
        Err(other) => assert!(text.is_empty(), "{other}"),
    }
    let cut = &packed[..packed.len().saturating_sub(1)];
    assert!(
        read(b"gzip", cut, usize::MAX).is_err(),
        "cut and read all the same"
    );
}
