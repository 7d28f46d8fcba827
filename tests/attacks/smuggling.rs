//! Request smuggling: never does a byte reach the upstream as another request than what was priced.

use generect_guard::ledger::EntryKind;

use crate::recorder::{COUNT, Recorder, SEARCH};
use crate::support::raw::{everything, table};
use crate::support::{Plan, World, secret_of};

/// The body of every outer request, 14 bytes long (`e` in a chunk).
const BODY: &str = r#"{"limit_by":1}"#;

/// Requests behind each of which another one hides. `LINE` and `TOP` are a sound beginning, `BODY`
/// the sound body, `CHUNKED` a head that says so.
const FORMS: &str = r"
    length alone, the rest hidden      | TOPContent-Length: 14\r\n\r\nBODYHIDDEN
    no length, all hidden              | TOP\r\nHIDDEN
    both lengths                       | TOPContent-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHIDDEN
    both lengths, turned               | TOPTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\ne\r\nBODY\r\n0\r\n\r\nHIDDEN
    both, the second behind a tab      | TOPContent-Length: 14\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\nHIDDEN
    both, the second behind nothing    | TOPContent-Length: 14\r\nTransfer-Encoding:chunked\r\n\r\n0\r\n\r\nHIDDEN
    both, line ends of LF              | TOPContent-Length: 14\nTransfer-Encoding: chunked\n\n0\r\n\r\nHIDDEN
    both, first line ended by LF       | LINE\nHost: g\nAuthorization: KEY\nContent-Length: 14\nTransfer-Encoding: chunked\n\n0\r\n\r\nHIDDEN
    both, a line of CR between         | TOPContent-Length: 14\r\nX: a\rTransfer-Encoding: chunked\r\n\r\nBODYHIDDEN
    both, the second folded            | TOPContent-Length: 14\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\nBODYHIDDEN
    both, folded by a tab              | TOPContent-Length: 14\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\nBODYHIDDEN
    both, space before the colon       | TOPContent-Length: 14\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nHIDDEN
    both, space before the name        | TOPContent-Length: 14\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHIDDEN
    both, NUL behind the name          | TOPContent-Length: 14\r\nTransfer-Encoding\0: chunked\r\n\r\n0\r\n\r\nHIDDEN
    both, an underscore in the name    | TOPContent-Length: 14\r\nTransfer_Encoding: chunked\r\n\r\nBODYHIDDEN
    both, an unknown coding            | TOPContent-Length: 14\r\nTransfer-Encoding: xchunked\r\n\r\nBODYHIDDEN
    both, identity                     | TOPContent-Length: 14\r\nTransfer-Encoding: identity\r\n\r\nBODYHIDDEN
    both, empty                        | TOPContent-Length: 14\r\nTransfer-Encoding: \r\n\r\nBODYHIDDEN
    unknown coding                     | TOPTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nHIDDEN
    chunked, then identity             | TOPTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nHIDDEN
    identity, then chunked             | TOPTransfer-Encoding: identity, chunked\r\n\r\ne\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunked twice                      | TOPTransfer-Encoding: chunked, chunked\r\n\r\ne\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunked in two lines               | TOPTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunked, identity in two lines     | TOPTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nHIDDEN
    identity, chunked in two lines     | TOPTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nBODY\r\n0\r\n\r\nHIDDEN
    gzip, then chunked                 | TOPTransfer-Encoding: gzip, chunked\r\n\r\ne\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunked in quotes                  | TOPTransfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\nHIDDEN
    chunked with a parameter           | TOPTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\nHIDDEN
    chunked behind a vertical tab      | TOPTransfer-Encoding: VTchunked\r\n\r\n0\r\n\r\nHIDDEN
    chunked before NUL                 | TOPTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\nHIDDEN
    chunked before a space             | TOPTransfer-Encoding: chunked \r\n\r\ne\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunked before a bare CR           | TOPTransfer-Encoding: chunked\r\r\n\r\n0\r\n\r\nHIDDEN
    chunked in version 1.0             | OLDTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHIDDEN
    both lengths in version 1.0        | OLDContent-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHIDDEN
    two lengths                        | TOPContent-Length: 14\r\nContent-Length: 0\r\n\r\nBODYHIDDEN
    two lengths, turned                | TOPContent-Length: 0\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    the same length twice              | TOPContent-Length: 14\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    two lengths in one                 | TOPContent-Length: 14, 0\r\n\r\nBODYHIDDEN
    length with zeros                  | TOPContent-Length: 0014\r\n\r\nBODYHIDDEN
    length with a plus                 | TOPContent-Length: +14\r\n\r\nBODYHIDDEN
    length behind a vertical tab       | TOPContent-Length: VT14\r\n\r\nBODYHIDDEN
    length with an exponent            | TOPContent-Length: 1e1\r\n\r\nBODYHIDDEN
    length beyond 64 bits              | TOPContent-Length: 18446744073709551630\r\n\r\nBODYHIDDEN
    negative length                    | TOPContent-Length: -1\r\n\r\nBODYHIDDEN
    length with NUL in its name        | TOPContent-\0Length: 14\r\n\r\nBODYHIDDEN
    length folded                      | TOPContent-Length:\r\n 14\r\n\r\nBODYHIDDEN
    length behind a bare CR            | TOPX: a\rContent-Length: 14\r\n\r\nBODYHIDDEN
    sound chunks                       | CHUNKEDe\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk of nothing first             | CHUNKED0\r\n\r\nHIDDEN
    chunk with zeros                   | CHUNKED0000000000000000000000000e\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk larger than told             | CHUNKED2\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk that overflows               | CHUNKED1000000000000000e\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk with a sign                  | CHUNKED+e\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk in hex                       | CHUNKED0xe\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk with an underscore           | CHUNKED0_e\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk before a space               | CHUNKEDe \r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk before a tab                 | CHUNKEDe\t\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk before a bare CR             | CHUNKEDe\r\r\nBODY\r\n0\r\n\r\nHIDDEN
    chunk line of LF                   | CHUNKEDe\nBODY\n0\n\nHIDDEN
    chunk end of LF                    | CHUNKEDe\r\nBODY\n0\r\n\r\nHIDDEN
    chunk end of anything              | CHUNKEDe\r\nBODYXX0\r\n\r\nHIDDEN
    extension                          | CHUNKEDe;a=b\r\nBODY\r\n0;c\r\n\r\nHIDDEN
    extension behind a space           | CHUNKEDe ;a=b\r\nBODY\r\n0\r\n\r\nHIDDEN
    extension with LF                  | CHUNKEDe;a\nBODY\r\n0\r\n\r\nHIDDEN
    extension with CR                  | CHUNKEDe;a\rBODY\r\n0\r\n\r\nHIDDEN
    extension of a quoted line end     | CHUNKEDe;a='\r\n0\r\n\r\nHIDDEN\r\n0\r\n\r\n
    extension of LF alone              | CHUNKEDe;\nBODY\r\n0\r\n\r\nHIDDEN
    extension with NUL                 | CHUNKEDe;\0\r\nBODY\r\n0\r\n\r\nHIDDEN
    extension before the last end      | CHUNKEDe\r\nBODY\r\n0;\nHIDDEN
    trailers of a length               | CHUNKEDe\r\nBODY\r\n0\r\nContent-Length: 200\r\n\r\nHIDDEN
    trailers of a coding               | CHUNKEDe\r\nBODY\r\n0\r\nTransfer-Encoding: chunked\r\n\r\nHIDDEN
    trailers of another path           | CHUNKEDe\r\nBODY\r\n0\r\nX-Original-URL: /api/v1/phone/find/\r\n\r\nHIDDEN
    trailers that are a request        | CHUNKEDe\r\nBODY\r\n0\r\nHIDDEN
    trailers with LF alone             | CHUNKEDe\r\nBODY\r\n0\r\nX: a\n\nHIDDEN
    trailers folded                    | CHUNKEDe\r\nBODY\r\n0\r\nX: a\r\n b\r\n\r\nHIDDEN
    trailers without a colon           | CHUNKEDe\r\nBODY\r\n0\r\nnonsense\r\n\r\nHIDDEN
    no end of the chunks               | CHUNKEDe\r\nBODY\r\nHIDDEN
    it waits to be told to go on       | TOPExpect: 100-continue\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    it waits for something else        | TOPExpect: 101-whatever\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    it wants another protocol          | TOPConnection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    it wants a web socket              | TOPConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\nHIDDEN
    its length speaks of a connection  | TOPConnection: content-length\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    it asks for a tunnel               | CONNECT phone:80 HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    authority for a target             | POST elsewhere:80 HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\n\r\nHIDDEN
    another host for a target          | POST http://elsewherePATH HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    a target of a scheme only          | POST http:// HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    two versions                       | POST PATH HTTP/1.1 HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    two spaces                         | POST  PATH HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    tabs for spaces                    | POST\tPATH\tHTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    a line end in the target           | POST PATH\rX HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    another request in the target      | POST PATH%20HTTP/1.1%0d%0aX:1 HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    a body where none belongs          | GET PATH HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    a head that wants no answer        | HEAD PATH HTTP/1.1\r\nHost: g\r\nAuthorization: KEY\r\nContent-Length: 14\r\n\r\nBODYHIDDEN
    empty lines first                  | \r\n\r\nTOPContent-Length: 14\r\n\r\nBODY\r\nHIDDEN
    line ends of LF alone              | LINE\nHost: g\nAuthorization: KEY\nContent-Length: 14\n\nBODYHIDDEN
";

/// A request of nobody's for something dear, which the guard itself would refuse.
fn hidden() -> String {
    let body = r#"{"linkedin_url":"https://linkedin.example.com/in/hidden"}"#;
    format!(
        "POST /api/v1/phone/find/ HTTP/1.1\r\nHost: g\r\nX-Request-Id: hidden\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn forms(path: &str) -> Vec<(&'static str, String)> {
    let key = format!("Token {}", secret_of("growth-crm"));
    let head = format!("LINE\r\nHost: g\r\nAuthorization: {key}\r\n");
    let line = format!("POST {path} HTTP/1.1");
    let old = head.replace("LINE", &format!("POST {path} HTTP/1.0"));
    let places = [
        ("CHUNKED", r"TOPTransfer-Encoding: chunked\r\n\r\n"),
        ("TOP", &head),
        ("OLD", &old),
        ("LINE", &line),
        ("KEY", &key),
        ("VT", "\u{b}"),
        ("PATH", path),
        ("BODY", BODY),
        ("HIDDEN", &hidden()),
    ];
    table(FORMS, &places)
}

/// Sends each form on a connection of its own, and gives back what each heard.
async fn heard(world: &World, path: &str) -> Vec<(&'static str, String)> {
    let mut hearing = tokio::task::JoinSet::new();
    for (name, bytes) in forms(path) {
        let address = world.address();
        hearing.spawn(async move {
            let text = everything(address, bytes).await;
            (name, String::from_utf8_lossy(&text).into_owned())
        });
    }
    hearing.join_all().await
}

#[tokio::test]
async fn no_byte_reaches_the_upstream_as_another_request_than_what_was_priced() {
    let recorder = Recorder::start().await;
    let plan = Plan::one_team("100").set("server", "header_read_timeout = \"1s\"");
    let world = recorder
        .world(plan.set("server", "body_read_timeout = \"1s\""))
        .await;
    let lines = [SEARCH, COUNT].map(|path| format!("POST {path} HTTP/1.1"));
    for path in [SEARCH, COUNT] {
        for (name, text) in heard(&world, path).await {
            // What is behind an outer request is at most a call of nobody's.
            let good = text.matches("HTTP/1.1 200").count();
            assert!(good <= 1, "{path} {name}: {text}");
            let refused = ["both", "chunked twice", "chunked in two lines", "gzip"];
            let refused = refused.iter().any(|start| name.starts_with(start));
            let harmless = name == "both, an underscore in the name";
            assert!(!refused || harmless || good == 0, "{path} {name}: {text}");
        }
    }
    let arrived = recorder.arrived();
    for seen in &arrived {
        let whole = format!("{seen:?}");
        assert!(!whole.contains("hidden"), "{whole}");
        assert!(lines.contains(&seen.line), "{whole}");
        let free = seen.line == lines[1];
        assert!(
            seen.body == BODY || (free && seen.body.is_empty()),
            "{whole}"
        );
    }
    let billable = arrived.iter().filter(|seen| seen.line == lines[0]).count();
    let entries = world.entries();
    let holds = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Held)
        .count();
    assert_eq!(billable, holds, "each was priced and held");
    assert!(billable > 5, "some of the forms are sound");
    world.end_with_nothing_open().await;
}
