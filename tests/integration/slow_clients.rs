//! Leaving does not cancel, and neither does dawdling: what a slow client may hold up, and what not.

use std::net::SocketAddr;
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::{Simulator, SimulatorSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

use crate::support::{Plan, World, credits, secret_of};

const BILLED: &str = "/api/v1/search/database/leads/";
const FREE: &str = "/api/v1/search/database/leads/count/";
/// More than all buffers between the upstream and a client that does not read.
const LARGE: usize = 48 * 1024 * 1024;

/// An upstream that answers every call with a very long text and a charge of 0.06, and tells how
/// each answer went: whether its last byte was taken.
async fn long_winded() -> (SocketAddr, mpsc::UnboundedReceiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                if let Some(went) = answer_at_length(stream).await {
                    let _ = tell.send(went);
                }
            });
        }
    });
    (address, told)
}

/// `None`: it was not asked for the long text.
async fn answer_at_length(mut stream: TcpStream) -> Option<bool> {
    let mut head = vec![0; 64 * 1024];
    let read = stream.read(&mut head).await.ok()?;
    if !head[..read].starts_with(b"POST") {
        return None;
    }
    let tail = br#"","meta":{"amount_charged":0.06}}"#;
    let length = LARGE + tail.len() + 9;
    let start = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{{\"data\":\""
    );
    let text = vec![b'x'; 64 * 1024];
    let write = async {
        stream.write_all(start.as_bytes()).await?;
        for _ in 0..LARGE / text.len() {
            stream.write_all(&text).await?;
        }
        stream.write_all(tail).await
    };
    Some(write.await.is_ok())
}

async fn world(plan: Plan) -> (World, mpsc::UnboundedReceiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    let (upstream, told) = long_winded().await;
    let world = plan
        .start_before(simulator, &format!("http://{upstream}"))
        .await;
    (world, told)
}

/// A client that asks and then reads nothing.
async fn ask_without_reading(world: &World, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(world.address()).await.unwrap();
    let body = r#"{"limit_by":10}"#;
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: guard\r\nauthorization: Token {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        secret_of("growth-crm"),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_reads_nothing_puts_nothing_in_doubt() {
    // Patience with the client that is longer than all the time the upstream has.
    let plan = Plan::one_team("200")
        .set("upstream", "response_timeout = \"30s\"")
        .set("server", "stalled_client_timeout = \"120s\"")
        .set("server", "drain_timeout = \"30s\"");
    let (world, _told) = world(plan).await;
    let client = ask_without_reading(&world, BILLED).await;
    let ended = async {
        loop {
            let budget = world.budget("growth-month").await;
            if budget.settled.max(budget.in_doubt) > Credits::ZERO {
                return budget;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let budget = tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .unwrap();
    assert_eq!(budget.settled, credits("0.06"), "{budget:?}");
    assert_eq!(budget.held, Credits::ZERO);
    drop(client);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off_and_keeps_no_upstream_connection() {
    for path in [FREE, BILLED] {
        let plan = Plan::one_team("200").set("server", "stalled_client_timeout = \"1s\"");
        let (world, mut told) = world(plan).await;
        let mut client = ask_without_reading(&world, path).await;
        let went = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
        let whole = went.expect("the upstream is held up").unwrap();
        assert_eq!(
            whole,
            path == BILLED,
            "only what is billed is read to its end: {path}"
        );
        // What was on its way still comes; then the connection ends, short of the whole.
        let mut read = 0;
        let mut buffer = vec![0; 1024 * 1024];
        let ended = async {
            while let Ok(more @ 1..) = client.read(&mut buffer).await {
                read += more;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ended)
            .await
            .expect("the client is not cut off");
        assert!(read < LARGE, "{path}");
        world.end_with_nothing_open().await;
    }
}
