//! Answers that show a secret.

use bytes::{Bytes, BytesMut};
use generect_guard::proxy::redact::{KeptBack, Redactor};

pub fn run(input: &[u8]) {
    let Some(([pieces, length], rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let length = usize::from(*length % 12) + 2;
    let Some((secret, text)) = rest.split_at_checked(length) else {
        return;
    };
    let Ok(secret) = std::str::from_utf8(secret) else {
        return;
    };
    // Of these letters one must be left to cover it with.
    if b"x*#~"
        .iter()
        .all(|letter| secret.as_bytes().contains(letter))
    {
        return;
    }
    // One byte stands for the secret, so that it is met often.
    let mut answer = Vec::new();
    for byte in text {
        match byte {
            b'\n' => answer.extend_from_slice(secret.as_bytes()),
            byte => answer.push(*byte),
        }
    }
    let redactor = Redactor::new(secret);
    let whole = redactor.cover(Bytes::copy_from_slice(&answer));
    assert_eq!(whole.len(), answer.len());
    assert!(!redactor.is_in(&whole), "{secret:?} in {whole:?}");
    let (mut kept, mut out) = (KeptBack::default(), BytesMut::new());
    for piece in answer.chunks(usize::from(*pieces) + 1) {
        out.extend_from_slice(&redactor.cover_next(&mut kept, Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&redactor.end(&mut kept));
    assert_eq!(out, whole, "{secret:?} is covered in other places");
}
