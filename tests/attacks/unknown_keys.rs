//! Key guessing: 401 up to a rate per source, then 429, and never a no to a key that is known.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::recorder::COUNT;
use crate::support::raw::read_answer;
use crate::support::{Answered, Plan, World, secret_of};

const BURST: usize = 20;

async fn world() -> World {
    Plan::one_team("100")
        .set("server", "unknown_keys_per_second = 1")
        .set("server", &format!("unknown_keys_burst = {BURST}"))
        .start()
        .await
}

/// A connection from another address of this machine's.
async fn from(source: &str, world: &World) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let address = SocketAddr::new(source.parse().unwrap(), 0);
    socket.bind(address).unwrap();
    socket.connect(world.address()).await.unwrap()
}

async fn call(stream: &mut TcpStream, headers: &str) -> Answered {
    let bytes = format!(
        "POST {COUNT} HTTP/1.1\r\nHost: g\r\n{headers}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_all(bytes.as_bytes()).await.unwrap();
    read_answer(stream, &mut Vec::new()).await.unwrap()
}

fn guess(n: usize) -> String {
    match n % 3 {
        0 => format!("X-Api-Key: gg_{n:064x}\r\n"),
        1 => format!("Authorization: Token gg_{n:064x}\r\n"),
        _ => String::new(),
    }
}

#[tokio::test]
async fn a_source_that_keeps_on_guessing_is_told_to_wait() {
    let world = world().await;
    let mut guesser = from("127.0.0.7", &world).await;
    let mut statuses = Vec::new();
    for n in 0..10 * BURST {
        let answer = call(&mut guesser, &guess(n)).await;
        assert_eq!(answer.refusal(), "unknown_key", "{}", answer.text);
        assert_eq!(answer.json()["code"], "unknown_key");
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=30).contains(&wait));
            assert!(answer.text.contains("server.unknown_keys_per_second"));
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..BURST], [401; BURST]);
    // Those that the rate lets through meanwhile are few.
    let more = statuses[BURST..]
        .iter()
        .filter(|status| **status == 401)
        .count();
    assert!(more < 5 * BURST, "{more}");
    assert!(statuses.contains(&429));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_known_key_is_never_refused_for_what_others_send_from_its_address() {
    let world = world().await;
    let known = format!("X-Api-Key: {}\r\n", secret_of("growth-crm"));
    let mut guesser = from("127.0.0.7", &world).await;
    let mut neighbour = from("127.0.0.7", &world).await;
    let mut refused = 0;
    for n in 0..5 * BURST {
        refused += usize::from(call(&mut guesser, &guess(n)).await.status == 429);
        assert_eq!(call(&mut neighbour, &known).await.status, 200, "{n}");
        assert_eq!(call(&mut guesser, &known).await.status, 200, "{n}");
    }
    assert!(refused > 0);
    let mut elsewhere = from("127.0.0.8", &world).await;
    assert_eq!(
        call(&mut elsewhere, &guess(0)).await.status,
        401,
        "others have their own"
    );
    world.end_with_nothing_open().await;
}
