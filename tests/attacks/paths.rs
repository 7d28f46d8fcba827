//! Path tricks of every spelling: what reaches the upstream is the one normal path of what was
//! meant, or nothing. What was meant is said here a second time, in the simplest words.

use std::collections::BTreeMap;

use generect_guard::catalogue::{Catalogue, Class};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::recorder::{COUNT, Recorder, SEARCH};
use crate::support::raw::read_answer;
use crate::support::{Plan, secret_of};

const PHONE: &str = "/api/v1/phone/find/";
const WEBHOOKS: &str = "/api/v1/webhooks/";
const BODY: &str =
    r#"{"job_titles":["cto"],"limit_by":1,"linkedin_url":"https://linkedin.example.com/in/a"}"#;
const WORKERS: usize = 8;
/// Targets that are bent in more than one place.
const BENT_TWICE: usize = 2_000;

/// What may be put in front of a byte.
const BEFORE: &[&[u8]] = &[
    b"/",
    b"//",
    b"./",
    b"../",
    b"x/../",
    b".",
    b"..",
    b"...",
    b"%2e",
    b"%2e%2e/",
    b".%2e/",
    b"..;/",
    b"..%2f",
    b"..%5c",
    b"..\\",
    b"\\",
    b"%5c",
    b"%2f",
    b"%252f",
    b"%252e%252e%252f",
    b"%c0%ae%c0%ae/",
    b"%c0%af",
    b"\xc0\xae\xc0\xae/",
    b"\xc0\xaf",
    b"%e0%80%af",
    b"\xe0\x80\xaf",
    b"%u002f",
    b"%u2215",
    "\u{ff0f}".as_bytes(),
    "\u{2215}".as_bytes(),
    "\u{2024}\u{2024}/".as_bytes(),
    "\u{fe52}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{202e}".as_bytes(),
    b"%e2%80%8b",
    b";",
    b";a=1",
    b";/",
    b"%3b",
    b"?",
    b"??",
    b"%3f",
    b"#",
    b"%23",
    b"&",
    b"=",
    b"+",
    b"~",
    b"*",
    b"!",
    b"'",
    b"(",
    b",",
    b":",
    b"@",
    b"%40",
    b"|",
    b"^",
    b"{",
    b"}",
    b"[",
    b"]",
    b"`",
    b"\"",
    b"<",
    b">",
    b"%",
    b"%2",
    b"%zz",
    b"%00",
    b"\0",
    b"%0a",
    b"%0d%0a",
    b"\n",
    b"\r",
    b"\t",
    b"%09",
    b" ",
    b"%20",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"http://x/",
    b"//x@y/",
    b"x",
    b"-",
    b"_",
    b"1",
];

/// The spellings of one byte that some reader takes for it.
fn spellings(byte: u8) -> Vec<Vec<u8>> {
    let text = |text: String| text.into_bytes();
    vec![
        text(format!("%{byte:02x}")),
        text(format!("%{byte:02X}")),
        text(format!("%25{byte:02x}")),
        text(format!("%2525{byte:02x}")),
        text(format!("%u{byte:04x}")),
        text(format!("\\x{byte:02x}")),
        text(format!("&#{byte};")),
        text(format!(
            "%{:02x}%{:02x}",
            0xc0 | (byte >> 6),
            0x80 | (byte & 0x3f)
        )),
        vec![0xc0 | (byte >> 6), 0x80 | (byte & 0x3f)],
        vec![0xe0, 0x80 | (byte >> 6), 0x80 | (byte & 0x3f)],
        text(format!(
            "%e0%{:02x}%{:02x}",
            0x80 | (byte >> 6),
            0x80 | (byte & 0x3f)
        )),
        char::from_u32(0xfee0 + u32::from(byte))
            .unwrap()
            .to_string()
            .into_bytes(),
        vec![byte | 0x80],
        vec![byte ^ 0x20],
        vec![byte, byte],
        vec![],
    ]
}

/// The target with one byte spelled otherwise, or with something before it.
fn bent(target: &[u8], at: usize, how: &[u8], instead: bool) -> Vec<u8> {
    let rest = at + usize::from(instead);
    [&target[..at], how, &target[rest..]].concat()
}

/// Every bend of every place of a path.
fn all_bends(path: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for (at, byte) in path.bytes().enumerate() {
        let spellings = spellings(byte);
        found.extend(
            spellings
                .iter()
                .map(|how| bent(path.as_bytes(), at, how, true)),
        );
        found.extend(
            BEFORE
                .iter()
                .map(|how| bent(path.as_bytes(), at, how, false)),
        );
    }
    found.extend(
        BEFORE
            .iter()
            .map(|how| bent(path.as_bytes(), path.len(), how, false)),
    );
    found
}

fn bent_more_than_once(seed: u64) -> Vec<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut one = || {
        let path = [SEARCH, COUNT, PHONE, WEBHOOKS]
            .choose(&mut random)
            .unwrap();
        let mut target = path.as_bytes().to_vec();
        for _ in 0..random.random_range(2..=4) {
            let at = random.random_range(0..target.len().max(1));
            target = match target.get(at) {
                Some(byte) if random.random_bool(0.5) => {
                    let spellings = spellings(*byte);
                    bent(&target, at, spellings.choose(&mut random).unwrap(), true)
                }
                _ => bent(
                    &target,
                    at.min(target.len()),
                    BEFORE.choose(&mut random).unwrap(),
                    false,
                ),
            };
        }
        target
    };
    (0..BENT_TWICE).map(|_| one()).collect()
}

/// What a target means: a path in plain letters, however many slashes stand in a row or are missing
/// at its end. `None`: nothing.
fn meant(target: &[u8]) -> Option<String> {
    // A whole address names a host too, which says nothing to the guard.
    let host = target.strip_prefix(b"http://");
    let target = host.map_or(Some(target), |rest| {
        let end = rest.iter().position(|byte| b"/?#".contains(byte))?;
        Some(&rest[end..])
    })?;
    let target = target.split(|byte| *byte == b'#').next()?;
    let path = target.split(|byte| *byte == b'?').next()?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./".contains(byte);
    if path.first() != Some(&b'/') || !path.iter().all(plain) {
        return None;
    }
    let path = std::str::from_utf8(path).ok()?;
    let parts = path.split('/').filter(|part| !part.is_empty());
    Some(parts.map(|part| format!("/{part}")).collect::<String>() + "/")
}

/// Calls every target, each under its number. Gives back the status of each, 0 where there was none.
async fn call_all(
    address: std::net::SocketAddr,
    targets: Vec<(usize, Vec<u8>)>,
) -> Vec<(usize, u16)> {
    let mut statuses = Vec::new();
    let mut open: Option<TcpStream> = None;
    for (n, target) in targets {
        let head = format!(
            " HTTP/1.1\r\nHost: g\r\nX-Api-Key: {}\r\nX-Request-Id: n{n}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{BODY}",
            secret_of("growth-crm"),
            BODY.len()
        );
        let bytes = [b"POST ", &*target, head.as_bytes()].concat();
        let mut stream = match open.take() {
            Some(stream) => stream,
            None => TcpStream::connect(address).await.unwrap(),
        };
        let _ = stream.write_all(&bytes).await;
        let answer = read_answer(&mut stream, &mut Vec::new()).await;
        statuses.push((n, answer.as_ref().map_or(0, |answer| answer.status)));
        // What is no request at all is answered without the guard's name, and the connection closed.
        open = answer
            .filter(|answer| !answer.header("guard-request-id").is_empty())
            .map(|_| stream);
    }
    statuses
}

/// The first line of what arrived for each target.
fn arrived(recorder: &Recorder) -> BTreeMap<usize, Vec<String>> {
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for seen in recorder.arrived() {
        let mut fields = seen.head.lines();
        let id = fields.find_map(|line| line.strip_prefix("x-request-id: n"));
        let n = id.unwrap().parse().unwrap();
        found.entry(n).or_default().push(seen.line);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_path_is_the_one_path_it_means_or_nothing() {
    let seed = rand::random();
    println!("seed {seed}");
    let recorder = Recorder::start().await;
    let world = recorder.world(Plan::one_team("1000000")).await;
    let paths = [SEARCH, PHONE, WEBHOOKS].into_iter();
    let mut targets: Vec<Vec<u8>> = paths.flat_map(all_bends).collect();
    targets.extend(bent_more_than_once(seed));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let numbered = targets.iter().cloned().enumerate();
        let mine = numbered.skip(worker).step_by(WORKERS).collect();
        workers.spawn(call_all(world.address(), mine));
    }
    let statuses: BTreeMap<usize, u16> = workers.join_all().await.into_iter().flatten().collect();
    let arrived = arrived(&recorder);
    let catalogue = Catalogue::built_in().unwrap();
    let open = |path: String| {
        let mut operations = catalogue.operations();
        let found = operations.find(|found| found.method == "POST" && found.path == path);
        found.filter(|operation| operation.class != Class::Denied)
    };
    let mut passed = 0;
    for (n, target) in targets.iter().enumerate() {
        let (text, status) = (String::from_utf8_lossy(target), statuses[&n]);
        let query = target.contains(&b'?');
        match (
            meant(target).and_then(open),
            arrived.get(&n).map(Vec::as_slice),
        ) {
            // A billable call with a query is refused, and so are strange hosts.
            (_, None) if status != 200 && (query || target.starts_with(b"http")) => {}
            (None, None) => assert!([0, 400, 403].contains(&status), "{text}: {status}"),
            (Some(operation), Some([line])) => {
                assert_eq!(
                    line.split([' ', '?']).nth(1),
                    Some(&*operation.path),
                    "{text}"
                );
                assert!(!query || !operation.class.is_charged(), "{text}");
                passed += 1;
            }
            (meant, came) => panic!("{text} means {meant:?}; {came:?} came, status {status}"),
        }
    }
    assert!(passed > 20, "{passed} of {}", targets.len());
    world.end_with_nothing_open().await;
}
