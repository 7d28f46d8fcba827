//! A hostile upstream: its answers belong to the call they were given to, and whatever it does, what
//! was sent is settled or in doubt, never free.

use std::net::SocketAddr;
use std::time::Duration;

use generect_guard::ledger::{Entry, EntryKind};
use generect_guard::simulator::{Simulator, SimulatorSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::recorder::{COUNT, SEARCH};
use crate::support::{Plan, World, credits, is_own_question, send};
use crate::villain::{self, DEEDS};

async fn world_before(address: SocketAddr) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    Plan::one_team("100000")
        .set("upstream", "response_timeout = \"2s\"")
        .toml("[upstream.breaker]\nfailures = 10000")
        .start_before(simulator, &format!("http://{address}"))
        .await
}

fn body(n: usize) -> String {
    format!(r#"{{"job_titles":["t{n}"],"limit_by":1}}"#)
}

/// When an upstream says more than it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TooMuch {
    /// In one piece with an answer.
    With,
    /// A moment after an answer.
    After,
}

/// An upstream that answers each call with its own title, and gives answers for nothing besides.
async fn says(too_much: TooMuch) -> (SocketAddr, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (said, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, too_much, said.clone()));
        }
    });
    (address, hears)
}

fn answer(title: &str, charge: &str) -> String {
    let body = format!(r#"{{"data":["{title}"],"meta":{{"amount_charged":{charge}}}}}"#);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn talk(
    mut stream: TcpStream,
    too_much: TooMuch,
    said: mpsc::UnboundedSender<()>,
) -> std::io::Result<()> {
    let stray = answer("stray", "0");
    let mut heard = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut heard).await?;
        let text = String::from_utf8_lossy(&heard[..read]).into_owned();
        if read == 0 || is_own_question(text.split([' ', '?']).nth(1).unwrap_or_default()) {
            return Ok(());
        }
        let title = text
            .split(r#""job_titles":[""#)
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let mut says = answer(title.unwrap_or("nothing"), "0.02");
        if too_much == TooMuch::With {
            says += &stray;
        }
        stream.write_all(says.as_bytes()).await?;
        if too_much == TooMuch::After {
            // The guard may have closed by now.
            let _ = stream.write_all(stray.as_bytes()).await;
        }
        let _ = said.send(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_asked_for_is_given_to_nobody() {
    for too_much in [TooMuch::With, TooMuch::After] {
        let (address, mut said) = says(too_much).await;
        let world = world_before(address).await;
        for n in 0..200 {
            let path = [SEARCH, COUNT][n % 2];
            let answer = world.post(path, &body(n)).await;
            let own = format!("\"t{n}\"");
            assert!(
                answer.status == 200 && answer.text.contains(&own),
                "{too_much:?} {n}: {answer:?}"
            );
            // Everything that it says too much is said before the next call.
            said.recv().await.unwrap();
        }
        let budget = world
            .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
            .await;
        assert_eq!(
            (budget.settled, budget.held),
            (credits("2"), credits("0")),
            "{too_much:?}"
        );
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_an_upstream_can_do_makes_a_call_free() {
    let world = world_before(villain::start().await).await;
    let mut calls = tokio::task::JoinSet::new();
    for deed in DEEDS {
        for n in 0..2 {
            let request = world.request(reqwest::Method::POST, SEARCH, "growth-crm");
            let request = request
                .header("content-type", "application/json")
                .body(format!(r#"{{"job_titles":["{deed}/{n}"],"limit_by":1}}"#));
            calls.spawn(async move {
                let answered = send(request);
                if n == 0 {
                    drop(answered.await);
                } else {
                    // It leaves before the upstream's time is over, and perhaps before the call was made.
                    let _ = tokio::time::timeout(Duration::from_millis(500), answered).await;
                }
            });
        }
    }
    calls.join_all().await;
    // A call whose client has left may be held after that: until every one has its end.
    let mut entries = world.entries();
    while count(&entries, EntryKind::Held)
        != count(&entries, EntryKind::Settled) + count(&entries, EntryKind::Doubted)
    {
        assert_eq!(count(&entries, EntryKind::Released), 0, "{entries:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        entries = world.entries();
    }
    assert!(count(&entries, EntryKind::Held) >= DEEDS.len());
    assert!(count(&entries, EntryKind::Settled) > 0 && count(&entries, EntryKind::Doubted) > 0);
    world.end().await;
}

fn count(entries: &[Entry], kind: EntryKind) -> usize {
    entries.iter().filter(|entry| entry.kind == kind).count()
}
