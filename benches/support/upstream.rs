//! The upstream: the simulator's answers, taken down once and repeated.
//!
//! The simulator prices, charges and writes each answer anew, which is more work than a proxy does
//! for it: the measure would be of the simulator. So it is asked once for each path, and its bytes
//! are said again to whoever asks.

use std::collections::HashMap;
use std::rc::Rc;

use generect_guard::simulator::{LIVE_TOKEN, Simulator, SimulatorSettings};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::load::Connection;
use super::requests;

/// Bytes of every answer at least: a page of a few leads.
const ANSWER_BYTES: usize = 1_536;
const BUFFER_BYTES: usize = 16 * 1_024;

/// The start of a request up to its path → the answer.
type Answers = HashMap<Vec<u8>, Vec<u8>>;

/// Answers the account's list of transactions, by the query.
pub(crate) type List = Rc<dyn Fn(&str) -> String>;

/// Serves for ever; the first line of standard output says where.
pub(crate) async fn serve(list: List) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    serve_on(listener, list).await;
}

/// Serves for ever.
pub(crate) async fn serve_on(listener: TcpListener, list: List) {
    let answers = Rc::new(taken_down().await);
    let tasks = LocalSet::new();
    let accept = tasks.run_until(async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::task::spawn_local(repeat(stream, Rc::clone(&answers), Rc::clone(&list)));
        }
    });
    accept.await;
}

/// What the simulator says to each request there is.
async fn taken_down() -> Answers {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = SimulatorSettings {
        answer_bytes_min: ANSWER_BYTES,
        ..SimulatorSettings::for_benchmarks()
    };
    let simulator = Simulator::start(listener, settings).await;
    let mut connection = Connection::open(simulator.address()).await;
    let mut answers = Answers::new();
    for request in requests::of_the_account(LIVE_TOKEN) {
        let answer = connection.call(&request, 200).await.to_vec();
        answers.insert(name(&request).to_vec(), answer);
    }
    drop(connection);
    simulator.stop().await;
    answers
}

/// Method and path: everything up to the second space.
fn name(request: &[u8]) -> &[u8] {
    let end = memchr::memchr_iter(b' ', request).nth(1);
    &request[..end.unwrap()]
}

/// What nobody calls but the guard itself: the list, and pages that this account does not have.
fn of_the_account(name: &[u8], list: &List) -> Vec<u8> {
    let name = String::from_utf8_lossy(name);
    let query = name.split_once("/accounts/transactions/?");
    let (status, body) = match query {
        Some((_, query)) => ("200 OK", list(query)),
        None => ("404 Not Found", String::from("{}")),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json");
    format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

async fn repeat(mut stream: TcpStream, answers: Rc<Answers>, list: List) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut read = 0;
    loop {
        match stream.read(&mut buffer[read..]).await {
            Ok(more) if more > 0 => read += more,
            _ => return, // The proxy has closed it.
        }
        let whole = length(&buffer[..read]);
        if whole.is_none_or(|whole| read < whole) {
            continue;
        }
        let name = name(&buffer[..read]);
        let written = match answers.get(name) {
            Some(answer) => stream.write_all(answer).await,
            None => stream.write_all(&of_the_account(name, &list)).await,
        };
        if written.is_err() {
            return;
        }
        read = 0; // Nobody sends a second request before the answer to the first.
    }
}

/// The bytes of a request, once its head is here.
fn length(bytes: &[u8]) -> Option<usize> {
    const FIELD: &[u8] = b"content-length: ";
    let head = memmem::find(bytes, b"\r\n\r\n")?;
    let lines = bytes[..head].split(|byte| *byte == b'\n');
    let told = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(FIELD.len())?;
        let value = name.eq_ignore_ascii_case(FIELD).then_some(value)?;
        str::from_utf8(value).ok()?.trim().parse::<usize>().ok()
    });
    Some(head + 4 + told.sum::<usize>())
}
