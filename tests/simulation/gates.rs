//! Who may pass, as people were told: teams and keys that are paused, and keys that are not there.
//!
//! Between a command and its answer, and after one that failed, nobody can say: the guard may have
//! taken it over or not. What was said stays true over the guard's deaths.

use std::collections::BTreeMap;

use generect_guard::control::Reply;

use crate::rules::Rules;
use crate::shadow::Shadow;
use crate::shape::Shape;

/// How a gate stands, and since which tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open(u64),
    Shut(u64),
    Unsure,
}

/// Every gate by its name: `team team-0`, `key key-0-0`, and `there key-0-0`.
#[derive(Debug, Default)]
pub struct Gates {
    gates: BTreeMap<String, Gate>,
    /// A command is under way, to turn these; and how they stood.
    turning: Option<Vec<(String, Gate)>>,
}

/// That the settings have a key.
pub fn there(key: &str) -> String {
    format!("there {key}")
}

/// The gates in the way of a key's calls.
fn of(team: &str, key: &str) -> [String; 3] {
    [format!("team {team}"), format!("key {key}"), there(key)]
}

impl Gates {
    pub fn new(shape: &Shape) -> Self {
        let keys = shape.keys().into_iter();
        let names = keys.flat_map(|(team, key)| of(&team, &key));
        let mut gates = Self {
            gates: names.map(|name| (name, Gate::Open(0))).collect(),
            turning: None,
        };
        for key in &shape.rules.absent {
            gates.gates.insert(there(key), Gate::Shut(0));
        }
        gates
    }

    pub fn is_open(&self, name: &str) -> bool {
        matches!(self.gates[name], Gate::Open(_))
    }

    /// Somebody turns these; `false`: a command is under way already.
    pub fn turns(&mut self, names: impl IntoIterator<Item = String>) -> bool {
        if self.turning.is_some() {
            return false;
        }
        let stood = names
            .into_iter()
            .map(|name| (name.clone(), self.gates[&name]));
        let stood: Vec<_> = stood.collect();
        for (name, _) in &stood {
            self.gates.insert(name.clone(), Gate::Unsure);
        }
        self.turning = Some(stood);
        true
    }

    /// They were turned to be open or not, or nobody knows.
    pub fn turned(&mut self, now: u64, gates: impl IntoIterator<Item = (String, Option<bool>)>) {
        self.turning = None;
        for (name, open) in gates {
            let gate = match open {
                Some(true) => Gate::Open(now),
                Some(false) => Gate::Shut(now),
                None => Gate::Unsure,
            };
            self.gates.insert(name, gate);
        }
    }

    /// All is as it was before the command.
    pub fn not_turned(&mut self) {
        let stood = self.turning.take().unwrap_or_default();
        self.gates.extend(stood);
    }

    /// The gate that was shut before this tick, and is.
    fn shut(&self, team: &str, key: &str, at: u64) -> Option<String> {
        let shut = |name: &String| matches!(self.gates[name], Gate::Shut(since) if since < at);
        of(team, key).into_iter().find(shut)
    }

    /// Whether all these gates were open before this tick, and are.
    fn all_open(&self, names: &[String], at: u64) -> bool {
        let open = |name: &String| matches!(self.gates[name], Gate::Open(since) if since < at);
        names.iter().all(open)
    }
}

impl Shadow {
    /// A new guard reads the settings that stand there. Of a command that was under way nobody hears.
    pub(crate) fn starts(&mut self, rules: &Rules) {
        self.life += 1;
        self.gates.turning = None;
        self.coming = None;
        self.asks.begin(self.now);
        self.takes_over(rules.clone());
    }

    /// The settings are about to be read again; `false`: a command is under way already.
    pub(crate) fn reloads(&mut self, rules: &Rules) -> bool {
        let changed = rules.absent.symmetric_difference(&self.rules.absent);
        let turns = self.gates.turns(changed.map(|key| there(key)));
        if turns {
            self.coming = Some(rules.clone());
        }
        turns
    }

    pub(crate) fn reloaded(&mut self, rules: Rules) {
        self.coming = None;
        self.gates.turning = None;
        self.takes_over(rules);
    }

    /// All of it is in force, or none.
    pub(crate) fn not_reloaded(&mut self) {
        self.coming = None;
        self.gates.not_turned();
    }

    fn takes_over(&mut self, rules: Rules) {
        let changed = rules.absent.symmetric_difference(&self.rules.absent);
        let changed = changed.map(|key| (there(key), Some(!rules.absent.contains(key))));
        let changed: Vec<_> = changed.collect();
        let turning = self.gates.turning.take();
        self.gates.turned(self.now, changed);
        self.gates.turning = turning;
        self.asks.take_over(&rules, self.now);
        self.rules = rules;
    }

    /// A command had this answer.
    pub(crate) fn answered_command(&mut self, name: String, reply: &Reply) {
        let how = match reply {
            Reply::Done(_) | Reply::Reconciled(_) => "done",
            Reply::Refused(_) => "refused",
        };
        *(self.outcomes.entry(format!("{name} {how}"))).or_default() += 1;
        self.trace.note(&[6, i64::from(how == "done")]);
    }

    /// A call leaves that its client began at this tick.
    pub(crate) fn passes(&mut self, label: &str, print: u64, at: u64) {
        let known = &self.calls[&print];
        if let Some(gate) = self.gates.shut(&known.team, &known.key, at) {
            self.breaks(
                "who is stopped does not call",
                &format!("{label}, begun at {at}, leaves although it was said: no {gate}"),
            );
        }
    }

    /// A call that was begun at this tick is told why it does not pass.
    pub(crate) fn is_stopped(&mut self, label: &str, reason: &str) {
        let attempt = &self.attempts[label];
        let known = &self.calls[&attempt.print];
        let [team, key, there] = of(&known.team, &known.key);
        let wrong = match reason {
            "paused" => self.gates.all_open(&[team, key], attempt.at),
            "unknown_key" => self.gates.all_open(&[there], attempt.at),
            _ => false,
        };
        if wrong {
            let at = attempt.at;
            self.breaks(
                "who may call is not stopped",
                &format!("{label}, begun at {at}, is told {reason}"),
            );
        }
    }
}
