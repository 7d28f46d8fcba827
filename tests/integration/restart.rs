//! A restart as systemd makes it: it holds the listening socket open, stops the guard, and starts the
//! next one on the same socket. Who calls meanwhile waits, and is answered.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use generect_guard::simulator::Fault;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UnixDatagram;
use tokio::task::JoinSet;

use crate::support::audit::Audit;
use crate::support::child::{Child, Home};
use crate::support::traffic::{plan, set_up};
use crate::support::{Answered, client, secret_of, send, verify};

const SEARCH: &str = "/api/v1/search/database/leads/";
const CLIENTS: usize = 12;
/// Answers between one restart and the next.
const ANSWERS: u64 = 60;

/// What systemd does before it starts a service: the socket is descriptor 3, and the environment says
/// so. It comes in through standard input.
const PASS_ONE: &str = r#"exec 3<&0 </dev/null
export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=clients
exec "$@""#;

/// The same with two sockets, the second of which comes in through standard error.
const PASS_TWO: &str = r#"exec 3<&2 4<&0 </dev/null 2>&1
export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=admin:clients
exec "$@""#;

fn socket() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn passed(socket: &TcpListener) -> Stdio {
    Stdio::from(OwnedFd::from(socket.try_clone().unwrap()))
}

/// The guard on a socket of ours.
fn command_on(home: &Home, socket: &TcpListener) -> Command {
    let mut command = home.command_in_shell(PASS_ONE, &["serve"]);
    command.stdin(passed(socket));
    command
}

/// Clients that call without a pause, and what they were answered.
struct Clients {
    url: String,
    calls: AtomicU64,
    answers: AtomicU64,
    enough: AtomicBool,
}

impl Clients {
    fn start(socket: &TcpListener) -> (Arc<Self>, JoinSet<Vec<Answered>>) {
        let clients = Arc::new(Self {
            url: format!("http://{}{SEARCH}", socket.local_addr().unwrap()),
            calls: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            enough: AtomicBool::new(false),
        });
        let mut running = JoinSet::new();
        for number in 0..CLIENTS {
            // Every other one makes a new connection for each call, the rest keep theirs.
            let connection = ["close", "keep-alive"][number % 2];
            running.spawn(Arc::clone(&clients).call_on(connection));
        }
        (clients, running)
    }

    async fn call_on(self: Arc<Self>, connection: &'static str) -> Vec<Answered> {
        let client = client();
        let mut seen = Vec::new();
        while !self.enough.load(Ordering::SeqCst) {
            let number = self.calls.fetch_add(1, Ordering::SeqCst);
            let request = client
                .post(&self.url)
                .header("connection", connection)
                .header("authorization", secret_of("growth-crm"))
                .header("content-type", "application/json")
                .body(format!(r#"{{"limit_by":3,"job_titles":["{number}"]}}"#));
            let answer = send(request).await;
            seen.push(answer.unwrap_or_else(|error| panic!("lost: {error:?}")));
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
        seen
    }

    async fn have_answers(&self, child: &Child, more: u64) {
        let wanted = self.answers.load(Ordering::SeqCst) + more;
        let enough = || (self.answers.load(Ordering::SeqCst) >= wanted).then_some(());
        child.until("more answers", enough).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_refused_or_lost_when_guards_follow_one_another_on_a_socket() {
    // Nothing billable passes without a reading of the account, and a new guard has none at once.
    let plan = plan().set("account", "when_stale = \"refuse\"");
    let (simulator, home) = set_up(&plan).await;
    let slow = Fault::SlowHeaders(Duration::from_millis(120));
    simulator.faults().sometimes(200, slow.clone());
    simulator.faults().on("/api/v1/accounts/me/", slow);
    let socket = socket();
    let mut child = Child::start(command_on(&home, &socket)).await;
    assert_eq!(child.address, socket.local_addr().unwrap());
    let (clients, running) = Clients::start(&socket);
    for _ in 0..4 {
        clients.have_answers(&child, ANSWERS).await;
        child.end().await;
        child = Child::start(command_on(&home, &socket)).await;
    }
    clients.have_answers(&child, ANSWERS).await;
    clients.enough.store(true, Ordering::SeqCst);
    let seen = running.join_all().await.concat();
    child.end().await;

    assert!(seen.len() as u64 >= 5 * ANSWERS, "{}", seen.len());
    for answer in &seen {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("guard-charge"), "0.06", "{}", answer.text);
    }
    verify(&home.ledger());
    let mut audit = Audit::default();
    audit.read(&home.ledger());
    assert_eq!(audit.compare(&simulator.truth()), seen.len());
    assert_eq!(audit.open().count(), 0);
}

/// A process that is killed when the test is over, however that is.
struct Service(std::process::Child);

impl Service {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads what systemd is told until a message has `line` in it; that message.
async fn told(socket: &UnixDatagram, line: &str) -> String {
    let look = async {
        loop {
            let mut bytes = [0; 4096];
            let length = socket.recv(&mut bytes).await.unwrap();
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if text.lines().any(|found| found == line) {
                return text;
            }
        }
    };
    let patience = Duration::from_secs(30);
    let found = tokio::time::timeout(patience, look).await;
    found.unwrap_or_else(|_| panic!("systemd is never told {line}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_passes_both_sockets_by_name_and_is_told_how_the_guard_stands() {
    let (_simulator, home) = set_up(&plan()).await;
    let path = home.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let (clients, admin) = (socket(), socket());
    let mut command = home.command_in_shell(PASS_TWO, &["serve"]);
    command
        .stdin(passed(&clients))
        .stderr(passed(&admin))
        .stdout(Stdio::null())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000");
    let mut service = Service(command.spawn().unwrap());

    let ready = told(&systemd, "READY=1").await;
    let status = format!("STATUS=clients call {}", clients.local_addr().unwrap());
    assert!(ready.contains(&status), "{ready}");
    let page = format!("http://{}/healthz", admin.local_addr().unwrap());
    assert_eq!(client().get(page).send().await.unwrap().status(), 200);
    told(&systemd, "WATCHDOG=1").await;

    service.signal(Signal::HUP);
    let reloading = told(&systemd, "RELOADING=1").await;
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    told(&systemd, "READY=1").await;

    service.signal(Signal::TERM);
    told(&systemd, "STOPPING=1").await;
    let ended = tokio::task::spawn_blocking(move || service.0.wait().unwrap());
    assert_eq!(ended.await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_not_for_the_guard_keeps_it_from_starting() {
    let (_simulator, home) = set_up(&plan()).await;
    let listening = socket();
    let connected = std::net::TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    let renamed = PASS_ONE.replace("clients", "web");
    let nothing = PASS_ONE.replace("LISTEN_FDS=1", "LISTEN_FDS=2");
    let cases = [
        (
            renamed.as_str(),
            passed(&listening),
            "\"web\": name it \"clients\" or \"admin\"",
        ),
        (&nothing, passed(&listening), "passed under the name \"\""),
        (
            PASS_ONE,
            Stdio::from(OwnedFd::from(connected)),
            "does not listen",
        ),
        (PASS_ONE, Stdio::null(), "\"clients\" cannot be used"),
    ];
    for (line, stdin, complaint) in cases {
        let mut command = home.command_in_shell(line, &["serve"]);
        let ended = command.stdin(stdin).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains(complaint), "{complaint:?} is not in {said}");
    }
}
