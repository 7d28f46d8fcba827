//! Answers that never reach their clients, beyond what is kept of them, and the memory they take.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::children::Child;
use crate::support::number;
use crate::support::requests;
use crate::support::settings::NARROW;

/// Clients that leave at one time.
const CLIENTS: usize = 32;
/// Far more of the small answers than fit under the bytes.
const BOUNDS: &str = "[kept_answers]\nnumber_max = 100000\nbytes_max = \"64MiB\"\n";

pub(crate) async fn show() {
    let calls = usize::try_from(number("CALLS", 60_000)).unwrap();
    let steps = 6;
    let upstream = Child::upstream();
    let folder = tempfile::TempDir::new().unwrap();
    let guard = Child::guard_in(folder, upstream.address, NARROW, "info", BOUNDS).await;
    println!("clients that leave with their answers unread, bytes_max = 64 MiB");
    let before = guard.resident_kib();
    println!("{:>9} calls: {before:>7} KiB resident", 0);
    for step in 0..steps {
        let numbers = calls * step / steps..calls * (step + 1) / steps;
        let mut leaving = JoinSet::new();
        for first in 0..CLIENTS {
            let mine: Vec<_> = numbers.clone().skip(first).step_by(CLIENTS).collect();
            let address = guard.address;
            leaving.spawn(async move {
                for number in mine {
                    call_and_leave(address, number).await;
                }
            });
        }
        leaving.join_all().await;
        println!(
            "{:>9} calls: {:>7} KiB resident, {} answers of {} bytes kept",
            numbers.end,
            guard.resident_kib(),
            gauge(&guard, "guard_kept_answers ").await,
            gauge(&guard, "guard_kept_bytes ").await,
        );
    }
}

/// Closed with bytes unread, the connection is reset: the guard learns that they did not arrive.
async fn call_and_leave(address: SocketAddr, number: usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&requests::search(number)).await.unwrap();
    stream.readable().await.unwrap();
}

/// A figure of the metrics page.
async fn gauge(guard: &Child, name: &str) -> String {
    let mut stream = TcpStream::connect(guard.admin.unwrap()).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    let mut figures = page.lines().filter_map(|line| line.strip_prefix(name));
    figures.next().unwrap().to_owned()
}
