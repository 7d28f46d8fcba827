//! How often calls may be made, held against when they can have been counted.
//!
//! Nobody outside sees the moment at which a call is counted: only when its client began it, and when
//! it left or was answered. What is checked is true for whatever moment between them it was: in no span
//! do more calls pass than a rate and its burst allow, and who is refused may have been preceded by as
//! many others as fill the rate.

use std::fmt::Write as _;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::rules::Rules;
use crate::shadow::Shadow;
use crate::shape::{Shape, key_id, team_id};

/// Within so many ticks a call that nobody waits for any more has reached the guard, or never will.
const ARRIVES_WITHIN: u64 = 10_000;
/// What the guard's time may be behind the ticks.
const SLACK: u64 = 1;
/// What is said of calls that have passed the rates and go no further.
const BEHIND: [&str; 9] = [
    "account_busy",
    "account_low",
    "budget_busy",
    "budget_exhausted",
    "call_in_doubt",
    "ledger_unavailable",
    "reading_stale",
    "slots_full",
    "upstream_failing",
];

/// A rate, as the shadow knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub team: Option<String>,
    pub key: Option<String>,
    /// The beginning of the operations' names.
    pub operations: Option<&'static str>,
    /// Ticks for one call.
    pub every: u64,
    pub burst: u64,
}

impl Rate {
    fn covers(&self, ask: &Ask) -> bool {
        self.team.as_ref().is_none_or(|own| *own == ask.team)
            && self.key.as_ref().is_none_or(|own| *own == ask.key)
            && (self.operations).is_none_or(|begins| ask.operation.starts_with(begins))
    }

    pub(crate) fn toml(&self) -> String {
        let mut text = "[[rate]]\n".to_owned();
        if let Some(team) = &self.team {
            let _ = writeln!(text, "team = \"{team}\"");
        }
        if let Some(key) = &self.key {
            let _ = writeln!(text, "key = \"{key}\"");
        }
        if let Some(begins) = self.operations {
            let _ = writeln!(text, "operations = [\"{begins}*\"]");
        }
        let (whole, rest) = (1_000 / self.every, 1_000 % self.every);
        assert_eq!(rest, 0, "a rate is of whole calls a second");
        text + &format!("per_second = {whole}\nburst = {}\n", self.burst)
    }

    fn every(random: &mut StdRng) -> u64 {
        *[25, 50, 100, 200, 500, 1_000].choose(random).unwrap()
    }

    /// Some of them: of a team, of a key, of some operations, of all calls.
    pub fn some(shape: &Shape, random: &mut StdRng) -> Vec<Self> {
        let team = random.random_range(0..shape.teams);
        let mut rate = |team, key, operations| Self {
            team,
            key,
            operations,
            every: Self::every(random),
            burst: random.random_range(1..8),
        };
        let mut rates = vec![
            rate(Some(team_id(team)), None, None),
            rate(None, Some(key_id(team, 0)), Some("search_")),
            rate(None, None, Some("email_")),
            Self {
                every: 25,
                ..rate(None, None, None)
            },
        ];
        rates.retain(|_| random.random_bool(0.5));
        rates
    }

    /// One of them is made faster or slower, or goes.
    pub fn change(rates: &mut Vec<Self>, random: &mut StdRng) {
        if rates.is_empty() {
            return;
        }
        let place = random.random_range(0..rates.len());
        match random.random_range(0..6) {
            0 => rates[place].every = Self::every(random),
            1 => rates[place].burst = random.random_range(1..8),
            2 => drop(rates.remove(place)),
            _ => {}
        }
    }
}

/// One request of a client, a question for a job among them.
#[derive(Debug)]
struct Ask {
    team: String,
    key: String,
    operation: String,
    at: u64,
    /// By then it was counted, if ever.
    until: u64,
    has_passed: bool,
    is_refused: bool,
    /// This rate has not counted it.
    over: Option<Rate>,
}

/// A rate in force.
#[derive(Debug)]
struct InForce {
    rate: Rate,
    since: u64,
    /// When the calls that passed since then were begun, in order.
    passed: Vec<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Asks {
    all: Vec<Ask>,
    in_force: Vec<InForce>,
    /// Those that were, and when that ended.
    gone: Vec<(Rate, u64)>,
    /// When the rules were taken over, and when this guard began to live.
    taken_over: u64,
    since: u64,
}

impl Asks {
    /// A guard begins: whatever was counted is forgotten.
    pub(crate) fn begin(&mut self, now: u64) {
        self.since = now;
        self.in_force.clear();
        self.gone.clear();
    }

    /// These are in force: one that was before has kept what it counted.
    pub(crate) fn take_over(&mut self, rules: &Rules, now: u64) {
        let mut before = std::mem::take(&mut self.in_force);
        let with_count = |rate: &Rate| {
            let same = before.iter().position(|known| known.rate == *rate);
            same.map(|place| before.swap_remove(place))
                .unwrap_or_else(|| InForce {
                    rate: rate.clone(),
                    since: now,
                    passed: Vec::new(),
                })
        };
        self.in_force = rules.rates.iter().map(with_count).collect();
        self.gone
            .extend(before.into_iter().map(|known| (known.rate, now)));
        self.taken_over = now;
    }

    /// Whether so many others may have been counted before this one that the rate was full.
    fn may_be_full(&self, rate: &Rate, number: usize, now: u64) -> bool {
        let ask = &self.all[number];
        let others = self.all.iter().enumerate().filter(|(other, before)| {
            *other != number
                && before.at <= now
                && before.until >= self.since
                && rate.covers(before)
                && before.over.as_ref() != Some(rate)
        });
        let mut ends: Vec<_> = others.map(|(_, before)| before.until).collect();
        ends.sort_unstable_by(|one, other| other.cmp(one));
        ends.iter().zip(1..).any(|(end, count): (_, u64)| {
            let ago = ask.at.saturating_sub(*end + SLACK);
            (count + 1).saturating_sub(rate.burst) * rate.every > ago
        })
    }
}

impl InForce {
    /// A call that was begun then has passed by now: how the rate is broken, if it is.
    fn passes(&mut self, at: u64, now: u64) -> Option<String> {
        let place = self.passed.partition_point(|other| *other <= at);
        self.passed.insert(place, at);
        let most = |begun: u64| self.rate.burst + (now + SLACK - begun) / self.rate.every;
        let mut spans = self.passed.iter().rev().zip(1..);
        let (begun, count) = spans.find(|(begun, count)| *count > most(**begun))?;
        let rate = &self.rate;
        Some(format!("{count} calls from {begun} on pass {rate:?}"))
    }
}

impl Shadow {
    /// A client begins a request. Answers its number.
    pub fn asks(&mut self, team: &str, key: &str, operation: &str) -> usize {
        self.asks.all.push(Ask {
            team: team.into(),
            key: key.into(),
            operation: operation.into(),
            at: self.now,
            until: self.now + ARRIVES_WITHIN,
            has_passed: false,
            is_refused: false,
            over: None,
        });
        self.asks.all.len() - 1
    }

    /// It was answered, by the guard for this reason.
    pub fn has_answer(&mut self, number: usize, reason: &str) {
        self.asks.all[number].until = self.now;
        if reason == "rate_exceeded" {
            self.is_over_rate(number);
        } else if BEHIND.contains(&reason) {
            self.passes_rates(number);
        }
    }

    /// Who is within every rate is not refused for one.
    fn is_over_rate(&mut self, number: usize) {
        let rules = [Some(&self.rules), self.coming.as_ref()];
        let rates = rules.into_iter().flatten().flat_map(|rules| &rules.rates);
        let ask = &self.asks.all[number];
        let begun = ask.at;
        let gone = self.asks.gone.iter().filter(|(_, at)| *at >= begun);
        let rates = gone.map(|(rate, _)| rate).chain(rates);
        let covering: Vec<_> = rates.filter(|rate| rate.covers(ask)).cloned().collect();
        let full = |rate: &Rate| self.asks.may_be_full(rate, number, self.now);
        if !covering.iter().any(full) {
            let how = format!("{ask:?} is refused, by one of {covering:?}");
            self.breaks("who is within a rate is not refused", &how);
        }
        // Those before the last may have counted it.
        let is_sure = self.coming.is_none() && self.asks.taken_over < begun;
        let last = covering.last().filter(|_| is_sure);
        let ask = &mut self.asks.all[number];
        ask.is_refused = true;
        ask.over = last.cloned();
    }

    /// No more calls pass in any span than a rate and its burst allow.
    pub(crate) fn passes_rates(&mut self, number: usize) {
        let coming = self.coming.as_ref();
        let mut broken = Vec::new();
        let ask = &mut self.asks.all[number];
        if std::mem::replace(&mut ask.has_passed, true) {
            return;
        }
        for known in &mut self.asks.in_force {
            if ask.at < known.since || !known.rate.covers(ask) {
                continue;
            }
            let how = known.passes(ask.at, self.now);
            // Nobody can say whether it is still there.
            let goes = coming.is_some_and(|rules| !rules.rates.contains(&known.rate));
            broken.extend(how.filter(|_| !goes));
        }
        for how in broken {
            self.breaks("a rate is kept", &how);
        }
    }

    /// What was refused for a rate neither leaves nor holds anything.
    pub(crate) fn nothing_of_refused(&mut self, print: u64) {
        let known = &self.calls[&print];
        let made = known.made.iter().map(|label| &self.attempts[label]);
        let (refused, others): (Vec<_>, Vec<_>) =
            made.partition(|made| self.asks.all[made.ask].is_refused);
        let holds = known.holds.len();
        let sent = refused.iter().any(|made| made.sent.is_some());
        let charged = refused.iter().any(|made| made.charged.is_some());
        if sent || charged || holds > others.len() {
            let how =
                format!("{holds} holds for {others:?}, and {refused:?} were refused for a rate");
            self.breaks("what is refused takes nothing", &how);
        }
    }
}
