//! `serve` until it is ready, and each command on the old ledger: how long, and how much memory.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use generect_guard::credits::Credits;
use generect_guard::identity::KeyDigest;
use generect_guard::ledger::{Budget, CalendarUnit, Filter, Mode, WindowRule};
use generect_guard::simulator::{LIVE_TOKEN, Simulator, SimulatorSettings};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan, Zoned};
use tokio::net::TcpListener;

use crate::history::{KEYS, TEAMS};
use crate::number;

/// The windows every team has a budget for: how the settings say it.
const WINDOWS: [&str; 6] = [
    "\"day\"",
    "\"month\"",
    "\"year\"",
    "\"total\"",
    "{ rolling = \"24h\" }",
    "{ rolling = \"720h\" }",
];

/// The same, as the ledger knows them.
pub(crate) fn budgets() -> Vec<Budget> {
    let zone = || TimeZone::get("Europe/Kyiv").unwrap();
    let calendar = |unit| WindowRule::Calendar { unit, zone: zone() };
    let rolling = |hours| WindowRule::Rolling(SignedDuration::from_hours(hours));
    let windows = [
        calendar(CalendarUnit::Day),
        calendar(CalendarUnit::Month),
        calendar(CalendarUnit::Year),
        WindowRule::Total,
        rolling(24),
        rolling(720),
    ];
    let of_team = |team: u64| {
        let windows = windows.clone().into_iter().enumerate();
        windows.map(move |(number, window)| Budget {
            id: format!("team-{team}-{number}").into(),
            filter: Filter {
                team: Some(format!("team-{team}").into()),
                ..Filter::default()
            },
            window,
            limit: Credits::from_micros(1_000_000_000_000_000),
            mode: Mode::Enforce,
        })
    };
    (0..TEAMS).flat_map(of_team).collect()
}

fn settings(upstream: SocketAddr, admin: SocketAddr, ledger: &Path) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"{admin}\"\n\
         [upstream]\nbase_url = \"http://{upstream}\"\ntoken_env = \"GENERECT_TOKEN\"\n\
         [ledger]\npath = \"{}\"\n",
        ledger.display()
    );
    for team in 0..TEAMS {
        writeln!(text, "[[team]]\nid = \"team-{team}\"").unwrap();
        for (number, per) in WINDOWS.iter().enumerate() {
            let zone = match number {
                0..3 => "\ntimezone = \"Europe/Kyiv\"",
                _ => "",
            };
            writeln!(
                text,
                "[[budget]]\nid = \"team-{team}-{number}\"\nteam = \"team-{team}\"\n\
                 limit = 1000000000\nper = {per}{zone}"
            )
            .unwrap();
        }
    }
    for key in 0..KEYS {
        let digest = KeyDigest::of(&format!("gg_secret-of-key-{key}-for-this-run-only"));
        let team = key % TEAMS;
        writeln!(
            text,
            "[[key]]\nid = \"key-{key}\"\nteam = \"team-{team}\"\nsha256 = \"{digest}\""
        )
        .unwrap();
    }
    text
}

/// What a guard needs to start on the ledger in a folder.
pub(crate) struct Setting {
    runtime: tokio::runtime::Runtime,
    simulator: Simulator,
    _scratch: tempfile::TempDir,
    config: PathBuf,
    admin: SocketAddr,
}

impl Setting {
    pub(crate) fn of(folder: &Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let simulator = runtime.block_on(Simulator::start(
            listener,
            SimulatorSettings::for_benchmarks(),
        ));
        let scratch = tempfile::tempdir().unwrap();
        let config = scratch.path().join("guard.toml");
        let admin = free_address();
        let text = settings(simulator.address(), admin, &folder.join("ledger.db"));
        fs::write(&config, text).unwrap();
        Self {
            runtime,
            simulator,
            _scratch: scratch,
            config,
            admin,
        }
    }

    /// Runs a command to its end, and shows how long it took and what memory.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) {
        let started = Instant::now();
        let mut child = start(&self.config, arguments);
        let most = most_memory(&mut child);
        let took = started.elapsed();
        let status = child.wait().unwrap();
        show_line(name, took, most);
        assert!(status.success(), "{name} failed");
    }

    /// From the start of the process until it says that it is ready, and some seconds more.
    pub(crate) fn serve(&self) {
        let started = Instant::now();
        let mut child = start(&self.config, &["serve"]);
        while !is_ready(self.admin) {
            assert!(child.try_wait().unwrap().is_none(), "the guard has ended");
            std::thread::sleep(Duration::from_millis(5));
        }
        let took = started.elapsed();
        let at_once = memory_kib(child.id(), "VmHWM:").unwrap();
        show_line("serve until ready", took, at_once);
        std::thread::sleep(Duration::from_secs(number("REST", 10)));
        let later = memory_kib(child.id(), "VmHWM:").unwrap();
        show_line("serve, at most", started.elapsed(), later);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn end(self) {
        self.runtime.block_on(self.simulator.stop());
    }
}

/// The beginning of the month so many months ago.
pub(crate) fn month(ago: i32) -> String {
    let first = Zoned::now().date().first_of_month();
    first.checked_sub(ago.months()).unwrap().to_string()
}

/// Runs them all, `RUNS` times each, and shows each figure.
pub(crate) fn show(folder: &Path) {
    let setting = Setting::of(folder);
    let (from, to) = (month(14), month(13));
    let first = month(40);
    let commands: [(&str, &[&str]); 6] = [
        ("report", &["report"]),
        ("report of all years", &["report", "--from", &first]),
        ("report --usage", &["report", "--usage"]),
        (
            "export of a month",
            &["export", "--from", &from, "--to", &to],
        ),
        ("verify", &["verify"]),
        ("reconcile", &["reconcile"]),
    ];
    for _ in 0..number("RUNS", 3) {
        setting.serve();
        for (name, arguments) in commands {
            setting.run(name, arguments);
        }
    }
    setting.end();
}

fn show_line(name: &str, took: Duration, kib: u64) {
    println!("{name:20} {:8.2} s {:6} MiB", took.as_secs_f64(), kib >> 10);
}

fn start(config: &Path, arguments: &[&str]) -> Child {
    let program = std::env::var("GUARD");
    let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_generect-guard").into());
    Command::new(program)
        .arg("--config")
        .arg(config)
        .args(arguments)
        .env("GENERECT_TOKEN", LIVE_TOKEN)
        .env_remove("RUST_LOG")
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn is_ready(admin: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(admin) else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    stream.write_all(request).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

/// The most memory a process had in use until it ended, in KiB.
fn most_memory(child: &mut Child) -> u64 {
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = memory_kib(child.id(), "VmHWM:").unwrap_or(most).max(most);
        std::thread::sleep(Duration::from_millis(2));
    }
    most
}

fn memory_kib(id: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// An address nobody listens on at the moment.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
