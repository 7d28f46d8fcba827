//! When the menu is served: for the next calls, on a path, or by chance from a seed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::menu::Fault;
use crate::simulator::{locked, mixed};

/// How the listening socket behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Connections are accepted and served.
    Normal,
    /// Connections are made by the system and never looked at.
    Ignoring,
    /// The socket is closed: connections are refused.
    Refusing,
    /// Connections are accepted and closed at once.
    Dropping,
}

/// The faults in force. Shared with the server; every change holds for the next request.
pub struct Faults {
    /// Spares the plain path the lock.
    any: AtomicBool,
    rules: Mutex<Rules>,
    listening: watch::Sender<Listening>,
    /// What the accept loop has taken over.
    applied: watch::Receiver<Listening>,
    /// Cancelled to cut every open connection; replaced each time.
    connections: Mutex<CancellationToken>,
    /// Cancelled when no answer is to wait any more.
    hurry: CancellationToken,
    /// Cancelled when those that are there are to wait no more; replaced each time.
    patience: Mutex<CancellationToken>,
}

#[derive(Default)]
struct Rules {
    list: Vec<Rule>,
    random: u64,
}

struct Rule {
    fault: Fault,
    /// Any path that contains it; `None`: any priced call.
    path: Option<String>,
    /// How many more calls; `None`: until cleared.
    left: Option<u64>,
    per_thousand: u64,
}

/// The two ends that the accept loop needs.
pub(crate) struct ListeningEnds {
    pub(crate) wanted: watch::Receiver<Listening>,
    pub(crate) applied: watch::Sender<Listening>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> (Self, ListeningEnds) {
        let (listening, wanted) = watch::channel(Listening::Normal);
        let (applied_sender, applied) = watch::channel(Listening::Normal);
        let faults = Self {
            any: AtomicBool::new(false),
            rules: Mutex::new(Rules {
                list: Vec::new(),
                random: seed,
            }),
            listening,
            applied,
            connections: Mutex::new(CancellationToken::new()),
            hurry: CancellationToken::new(),
            patience: Mutex::new(CancellationToken::new()),
        };
        let ends = ListeningEnds {
            wanted,
            applied: applied_sender,
        };
        (faults, ends)
    }

    /// The next `calls` priced calls misbehave. Polls and free calls neither do nor count.
    pub fn next(&self, calls: u64, fault: Fault) {
        self.add(Rule {
            fault,
            path: None,
            left: Some(calls),
            per_thousand: 1_000,
        });
    }

    /// Every call whose path contains `path` misbehaves, free ones too, until cleared.
    pub fn on(&self, path: &str, fault: Fault) {
        self.add(Rule {
            fault,
            path: Some(path.to_owned()),
            left: None,
            per_thousand: 1_000,
        });
    }

    /// The next `calls` calls whose path contains `path` misbehave, free ones too.
    pub fn next_on(&self, calls: u64, path: &str, fault: Fault) {
        self.add(Rule {
            fault,
            path: Some(path.to_owned()),
            left: Some(calls),
            per_thousand: 1_000,
        });
    }

    /// This many in a thousand priced calls misbehave; which ones is decided by the simulator's
    /// seed and the order of calls.
    pub fn sometimes(&self, per_thousand: u64, fault: Fault) {
        self.add(Rule {
            fault,
            path: None,
            left: None,
            per_thousand,
        });
    }

    /// Starts the dice again from `seed`.
    pub fn reseed(&self, seed: u64) {
        locked(&self.rules).random = seed;
    }

    /// No more faults. The listening socket is left as it is.
    pub fn clear(&self) {
        locked(&self.rules).list.clear();
        self.any.store(false, Ordering::SeqCst);
    }

    /// Work that takes its time is done now, answers whose heads wait come now, and none waits from here on.
    pub fn hurry(&self) {
        self.hurry.cancel();
    }

    /// Hurries those calls that have arrived; whatever comes later waits as it should.
    pub fn answer_those_there(&self) {
        let mut current = locked(&self.patience);
        current.cancel();
        *current = CancellationToken::new();
    }

    /// What the calls that arrive now are told by to wait no more.
    pub(crate) fn patience(&self) -> CancellationToken {
        locked(&self.patience).clone()
    }

    /// Waits so long, unless there is a hurry or the `patience` of the call is at its end.
    pub(crate) async fn wait(&self, span: Duration, patience: &CancellationToken) {
        if !span.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(span) => {}
                () = self.hurry.cancelled() => {}
                () = patience.cancelled() => {}
            }
        }
    }

    /// Changes how the listening socket behaves; returns once it does.
    pub async fn listen(&self, how: Listening) {
        self.listening.send_replace(how);
        let mut applied = self.applied.clone();
        // An error means that the simulator has stopped, and nothing listens.
        let _ = applied.wait_for(|now| *now == how).await;
    }

    /// Closes every open connection, whatever it is in the middle of.
    pub fn close_connections(&self) {
        let mut current = locked(&self.connections);
        current.cancel();
        *current = CancellationToken::new();
    }

    pub(crate) fn connections(&self) -> CancellationToken {
        locked(&self.connections).clone()
    }

    fn add(&self, rule: Rule) {
        locked(&self.rules).list.push(rule);
        self.any.store(true, Ordering::SeqCst);
    }

    /// The fault of one call, if any: the first rule that applies.
    pub(crate) fn pick(&self, path: &str, priced: bool) -> Option<Fault> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let mut rules = locked(&self.rules);
        let Rules { list, random } = &mut *rules;
        let mut picked = None;
        for (index, rule) in list.iter_mut().enumerate() {
            let covers = match &rule.path {
                Some(part) => path.contains(part.as_str()),
                None => priced,
            };
            if !covers || !falls(random, rule.per_thousand) {
                continue;
            }
            if let Some(left) = &mut rule.left {
                *left = left.saturating_sub(1);
            }
            picked = Some((index, rule.fault.clone()));
            break;
        }
        let (index, fault) = picked?;
        if list[index].left == Some(0) {
            list.remove(index);
        }
        Some(fault)
    }
}

fn falls(random: &mut u64, per_thousand: u64) -> bool {
    if per_thousand >= 1_000 {
        return true;
    }
    *random = random.wrapping_add(1);
    mixed(*random) % 1_000 < per_thousand
}
