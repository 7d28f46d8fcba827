//! Answers, read as strictly as can be.

/// One answer as a client hears it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Its lines, each ended by CRLF.
    pub head: String,
    pub body: Vec<u8>,
    /// It ended where it said it would.
    pub is_whole: bool,
}

impl Answer {
    /// The value of a header, if there is one; two would not be strict.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.split("\r\n").skip(1);
        let mut values = fields.filter_map(|field| {
            let (found, value) = field.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        values.next()
    }

    fn headers(&self, name: &str) -> usize {
        let fields = self.head.split("\r\n").skip(1);
        let names = fields.filter_map(|field| field.split_once(':'));
        names
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .count()
    }
}

/// All answers, but for those that only say to go on. `bodiless`: some may be to requests for a head.
pub fn answers(mut heard: &[u8], bodiless: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !heard.is_empty() {
        let (answer, rest) = next(heard, bodiless);
        heard = rest;
        if answer.status >= 200 {
            answers.push(answer);
        }
    }
    answers
}

fn next(heard: &[u8], bodiless: bool) -> (Answer, &[u8]) {
    let shown = || String::from_utf8_lossy(heard);
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no whole head: {}", shown()));
    // Each byte a letter: what is no ASCII is passed on in headers.
    let head: String = heard[..end].iter().copied().map(char::from).collect();
    let rest = &heard[end + 4..];
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| head.strip_prefix("HTTP/1.0 "));
    let status = status.and_then(|line| line.get(..3)?.parse().ok());
    let mut answer = Answer {
        status: status.unwrap_or_else(|| panic!("no status: {}", shown())),
        head: head.clone(),
        body: Vec::new(),
        is_whole: true,
    };
    for field in head.split("\r\n").skip(1) {
        let bare = |letter: char| letter < ' ' && letter != '\t';
        assert!(
            field.contains(':') && !field.starts_with([' ', '\t']) && !field.contains(bare),
            "{field:?}"
        );
    }
    let lengths = answer.headers("content-length");
    let codings = answer.headers("transfer-encoding");
    assert!(lengths + codings <= 1, "two lengths: {head}");
    let none = answer.status < 200 || matches!(answer.status, 204 | 304);
    let headless = bodiless && (rest.is_empty() || rest.starts_with(b"HTTP/1."));
    if none || headless {
        return (answer, rest);
    }
    let rest = match (lengths, codings) {
        (1, _) => {
            let length = answer.header("content-length").map(str::parse::<usize>);
            let length = length.unwrap_or_else(|| panic!("{head}")).unwrap();
            answer.is_whole = rest.len() >= length;
            let (body, rest) = rest.split_at(length.min(rest.len()));
            answer.body = body.to_vec();
            rest
        }
        (_, 1) => chunks(rest, &mut answer),
        _ => {
            answer.body = rest.to_vec();
            &[]
        }
    };
    (answer, rest)
}

/// Reads chunks without extensions or trailers.
fn chunks<'a>(mut rest: &'a [u8], answer: &mut Answer) -> &'a [u8] {
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            answer.is_whole = false;
            return &[];
        };
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("{size:?}"));
        let Some(after) = rest.get(end + 2 + size..) else {
            answer.body.extend_from_slice(&rest[end + 2..]);
            answer.is_whole = false;
            return &[];
        };
        answer
            .body
            .extend_from_slice(&rest[end + 2..end + 2 + size]);
        let Some(after) = after.strip_prefix(b"\r\n") else {
            assert!(after.len() < 2, "a chunk without its end: {after:?}");
            answer.is_whole = false;
            return &[];
        };
        if size == 0 {
            return after;
        }
        rest = after;
    }
}
