//! Alerts of a running guard, told to a receiver on a real socket: signed, once, also over restarts.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::clock::Clock;
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use serde_json::Value;
use sha2::Sha256;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::reconcile::{noon, reconcile, search};
use crate::support::silence::assert_silent;
use crate::support::{Plan, credits};

const SECRET: &str = "what-the-receiver-knows-too";

/// A message as it came: its signature and its body.
type Message = (String, Vec<u8>);

/// Takes messages; answers them, or never does.
pub struct Receiver {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    pub async fn start(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages: Arc<Mutex<Vec<Message>>> = Arc::default();
        let taken = Arc::clone(&messages);
        tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // A guard that ends breaks off what it is saying, and the next one says it again.
                let Ok(message) = read(&mut stream).await else {
                    continue;
                };
                taken.lock().unwrap().push(message);
                if answers {
                    let yes = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                    // Nor does it wait for the yes.
                    let _ = stream.write_all(yes).await;
                } else {
                    silent.push(stream);
                }
            }
        });
        Self { address, messages }
    }

    fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// What was told, in the order it came. A message whose yes the guard had no time to write down
    /// before its end comes again under the same id.
    fn told(&self) -> Vec<Value> {
        let mut ids = BTreeSet::new();
        let messages = self.messages();
        let all = messages.iter().map(checked);
        all.filter(|message| ids.insert(message["id"].to_string()))
            .collect()
    }

    /// Waits until so much was told.
    pub async fn until(&self, count: usize) {
        for _ in 0..3_000 {
            if self.told().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only this was told: {:?}", self.told());
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Message> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let mut body = vec![0; header("content-length:").parse().unwrap()];
    stream.read_exact(&mut body).await?;
    assert_silent("an alert", &body);
    Ok((header("guard-signature:"), body))
}

/// As a receiver would do it.
fn checked((signature, body): &Message) -> Value {
    let signature = hex::decode(signature.strip_prefix("sha256=").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    mac.verify_slice(&signature).unwrap();
    serde_json::from_slice(body).unwrap()
}

pub fn secret_file() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(SECRET.as_bytes()).unwrap();
    file
}

/// The settings of an alert that is told to `receiver`.
pub fn alert(id: &str, condition: &str, receiver: &Receiver, secret: &NamedTempFile) -> String {
    let address = receiver.address;
    format!(
        "[[alert]]\nid = \"{id}\"\n{condition}\n\
         [alert.webhook]\nurl = \"http://{address}/alerts\"\nsecret_file = {:?}",
        secret.path().display().to_string()
    )
}

/// A budget of one credit, told at two shares; and unattributed spend.
fn plan(clock: &Clock, receiver: &Receiver, secret: &NamedTempFile) -> Plan {
    let alert = |id: &str, condition: &str| alert(id, condition, receiver, secret);
    Plan::one_team("1")
        .clock(clock.clone())
        .set("reconciliation", "interval = \"1h\"")
        .toml(&alert("filling", "at_percent = [50, 80]"))
        .toml(&alert("around", "unattributed_above = 1"))
}

#[tokio::test]
async fn each_alert_reaches_its_receiver_signed_and_once_also_over_restarts() {
    let clock = noon();
    let receiver = Receiver::start(true).await;
    let secret = secret_file();
    let plan = || plan(&clock, &receiver, &secret);
    let world = plan().start().await;
    assert_eq!(search(&world, 26).await, 200);
    // A guard looks when it starts, and then every ten seconds: nobody waits for that here.
    let world = world.restarted(plan()).await;
    receiver.until(1).await;
    let world = world.restarted(plan()).await;
    world
        .simulator
        .spend_elsewhere("search_database_leads", credits("1.5"));
    clock.advance(SignedDuration::from_secs(5));
    reconcile(&world).await;
    let world = world.restarted(plan()).await;
    receiver.until(2).await;
    assert_eq!(search(&world, 15).await, 200);
    let world = world.restarted(plan()).await;
    receiver.until(3).await;
    let world = world.restarted(plan()).await;
    world.end_with_nothing_open().await;
    let told = receiver.told();
    let kinds: Vec<_> = told.iter().map(|message| &message["kind"]).collect();
    assert_eq!(
        kinds,
        ["budget_share", "unattributed_above", "budget_share"]
    );
    assert_eq!(told[0]["percent"], 50);
    assert_eq!(told[0]["budget"], "growth-month");
    assert_eq!(told[0]["spent"], "0.52");
    assert_eq!(told[1]["unattributed"], "1.5");
    assert_eq!(told[2]["percent"], 80);
}

/// Its message waits, and nothing waits for it: calls pass, the guard is asked and ends, and the next
/// guard sends the same message again.
#[tokio::test]
async fn a_receiver_that_never_answers_is_waited_for_by_nobody() {
    let clock = noon();
    let receiver = Receiver::start(false).await;
    let secret = secret_file();
    let plan = || plan(&clock, &receiver, &secret);
    let world = plan().start().await;
    assert_eq!(search(&world, 26).await, 200);
    let world = world.restarted(plan()).await;
    receiver.until(1).await;
    for _ in 0..10 {
        assert_eq!(search(&world, 1).await, 200);
    }
    reconcile(&world).await;
    assert_eq!(world.admin("/readyz").await.status, 200);
    let world = world.restarted(plan()).await;
    while receiver.messages().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ids: BTreeSet<_> = receiver
        .messages()
        .iter()
        .map(|message| checked(message)["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1, "the same message, by its id: {ids:?}");
    assert_eq!(search(&world, 6).await, 200);
    world.end_with_nothing_open().await;
}
