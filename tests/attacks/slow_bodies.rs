//! Slow uploads: a body takes room as its bytes arrive, and one team's bodies leave room for those
//! of the others.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::recorder::{COUNT, SEARCH};
use crate::support::raw::read_answer;
use crate::support::{Plan, World, secret_of};

const MIB: usize = 1 << 20;
/// What all bodies may take together.
const KEPT_MIB: usize = 8;
const UPLOADS: usize = 100;

async fn world() -> World {
    Plan::one_team("100")
        .team("sales", "")
        .key("sales-crm", "sales", "")
        .budget(
            "sales-month",
            "team = \"sales\"\nlimit = 100\nper = \"month\"",
        )
        .set("server", "answer_bytes_kept = \"64KiB\"")
        .set("server", "body_read_timeout = \"10m\"")
        .set("server", &format!("kept_bytes_max = \"{KEPT_MIB}MiB\""))
        .start()
        .await
}

/// A body that is a megabyte long, of which `bytes` are sent.
async fn upload(address: SocketAddr, n: usize, bytes: usize) -> TcpStream {
    let path = [SEARCH, COUNT][n % 2];
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: guard\r\nConnection: close\r\nAuthorization: Token {}\r\n\
         Content-Type: application/json\r\nContent-Length: {MIB}\r\n\r\n",
        secret_of("growth-crm")
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    send(&mut stream, n, 0, bytes).await;
    stream
}

/// Sends the bytes of the body from one place to another, unless the guard has closed.
async fn send(stream: &mut TcpStream, n: usize, from: usize, to: usize) {
    let mut body = format!(r#"{{"job_titles":["t{n}"],"limit_by":1}}"#).into_bytes();
    body.resize(MIB, b' ');
    let _ = stream.write_all(&body[from..to]).await;
}

/// A body of a quarter of a megabyte.
async fn another_team_calls(world: &World, n: usize) {
    let body = format!(
        r#"{{"job_titles":["s{n}"],"limit_by":1}}{}"#,
        " ".repeat(MIB / 4)
    );
    for path in [SEARCH, COUNT] {
        let answer = world.post_as("sales-crm", path, &body).await;
        assert_eq!(answer.status, 200, "{n} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn bodies_that_are_only_announced_take_no_room() {
    let world = world().await;
    let mut slow = Vec::new();
    for n in 0..UPLOADS {
        slow.push(upload(world.address(), n, 1).await);
    }
    another_team_calls(&world, 0).await;
    // Slow is not wrong: each of them may still go on to its end.
    for (n, stream) in slow.iter_mut().enumerate() {
        send(stream, n, 1, MIB).await;
        let answer = read_answer(stream, &mut Vec::new()).await.unwrap();
        assert_eq!(answer.status, 200, "{n}: {}", answer.text);
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn one_teams_slow_uploads_do_not_make_another_teams_calls_fail() {
    let world = world().await;
    let mut slow = Vec::new();
    for n in 0..UPLOADS {
        // All but the last byte: as long as that does not come, the guard keeps all others.
        slow.push(upload(world.address(), n, MIB - 1).await);
        if n % 10 == 9 {
            another_team_calls(&world, n).await;
        }
    }
    let (mut whole, mut refused) = (0, 0);
    for (n, stream) in slow.iter_mut().enumerate() {
        send(stream, n, MIB - 1, MIB).await;
        match read_answer(stream, &mut Vec::new()).await {
            Some(answer) if answer.status == 200 => whole += 1,
            Some(answer) => {
                assert_eq!((answer.status, answer.refusal()), (503, "overloaded"));
                for word in ["server.kept_bytes_max", "other teams", "Try again"] {
                    assert!(answer.text.contains(word), "{word}: {}", answer.text);
                }
                assert_eq!(answer.header("retry-after"), "5");
                refused += 1;
            }
            // Refused as well, and closed before all of its bytes were read.
            None => refused += 1,
        }
    }
    assert!(whole > 0 && refused > 0, "{whole} {refused}");
    // What they took is free again.
    another_team_calls(&world, UPLOADS).await;
    let answer = world
        .post(SEARCH, r#"{"job_titles":["u"],"limit_by":1}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    world.end_with_nothing_open().await;
}
