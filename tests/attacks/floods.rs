//! Floods of connections: bounded overall and per source, and none lives for ever that says nothing.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::recorder::COUNT;
use crate::support::raw::read_answer;
use crate::support::{Plan, World, secret_of};

async fn connect(source: &str, world: &World) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::new(source.parse().unwrap(), 0))
        .unwrap();
    socket.connect(world.address()).await.unwrap()
}

async fn status(stream: &mut TcpStream) -> Option<u16> {
    let bytes = format!(
        "POST {COUNT} HTTP/1.1\r\nHost: g\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        secret_of("growth-crm")
    );
    stream.write_all(bytes.as_bytes()).await.ok()?;
    read_answer(stream, &mut Vec::new())
        .await
        .map(|answer| answer.status)
}

/// What a connection hears until it is closed.
async fn last_words(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let reading = stream.read_to_end(&mut text);
    let ended = tokio::time::timeout(Duration::from_secs(30), reading).await;
    let Ok(_) = ended else {
        panic!("it is never closed");
    };
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn one_source_cannot_take_the_places_of_all_others() {
    let plan = Plan::one_team("100")
        .set("server", "connections_max = 40")
        .set("server", "connections_per_source_max = 10");
    let world = plan.start().await;
    let (mut open, mut turned_away) = (Vec::new(), 0);
    for n in 0..100 {
        let mut stream = connect("127.0.0.7", &world).await;
        if n < 10 {
            // Only one that was answered is certainly counted.
            assert_eq!(status(&mut stream).await, Some(200), "{n}");
            open.push(stream);
            continue;
        }
        let text = last_words(stream).await;
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 503 "),
            "{text}"
        );
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.contains("guard-refusal: overloaded") && head.contains("retry-after"));
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let detail = body["detail"].as_str().unwrap();
            assert!(
                detail.contains("server.connections_per_source_max"),
                "{detail}"
            );
            turned_away += 1;
        }
    }
    assert!(turned_away > 0);
    let mut other = connect("127.0.0.8", &world).await;
    assert_eq!(status(&mut other).await, Some(200));
    // A place that is given back is there for the next of the same source.
    drop(open.pop());
    let served = async {
        while status(&mut connect("127.0.0.7", &world).await).await != Some(200) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), served)
        .await
        .unwrap();
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn connections_that_say_nothing_or_half_a_head_give_their_places_back() {
    let plan = Plan::one_team("100")
        .set("server", "header_read_timeout = \"1s\"")
        .set("server", "body_read_timeout = \"1s\"")
        .set("server", "connections_max = 30")
        .set("server", "connections_per_source_max = 30");
    let world = plan.start().await;
    let beginnings = [
        "",
        "P",
        "POST / HTTP/1.1\r\nHost: g\r\nX: ",
        "\r\n",
        "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\n{",
        "\x16\x03\x01\x02",
    ];
    let mut half_open = Vec::new();
    for n in 0..90 {
        let mut stream = connect("127.0.0.7", &world).await;
        let beginning = beginnings[n % beginnings.len()];
        stream.write_all(beginning.as_bytes()).await.unwrap();
        half_open.push(stream);
    }
    // It waits in the system's queue behind all of them, and is served.
    let mut late = connect("127.0.0.8", &world).await;
    assert_eq!(status(&mut late).await, Some(200));
    world.end_with_nothing_open().await;
    drop(half_open);
}
