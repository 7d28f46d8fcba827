//! What can be changed while the guard runs: which limits there are, and which keys.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use generect_guard::identity::KeyDigest;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, seq::IndexedMutRandom};

use crate::list::{ROWS_LATE_SECONDS, TOLERANCE_SECONDS};
use crate::rates::Rate;
use crate::shape::{
    LAG_SECONDS, REPEAT_WINDOW_SECONDS, Shape, floor, priority, secret_of, team_id,
};

/// Over which span a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Total,
    Day,
    /// So many seconds.
    Rolling(i64),
}

/// A budget, as the shadow knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub id: String,
    pub team: Option<String>,
    pub key: Option<String>,
    /// The beginning of the operations' names.
    pub operations: Option<&'static str>,
    pub micros: i64,
    pub span: Span,
}

impl Limit {
    pub fn covers(&self, team: &str, key: &str, operation: &str) -> bool {
        self.team.as_ref().is_none_or(|own| own == team)
            && self.key.as_ref().is_none_or(|own| own == key)
            && (self.operations).is_none_or(|begins| operation.starts_with(begins))
    }

    fn toml(&self) -> String {
        let mut text = format!("[[budget]]\nid = \"{}\"\n", self.id);
        if let Some(team) = &self.team {
            let _ = writeln!(text, "team = \"{team}\"");
        }
        if let Some(key) = &self.key {
            let _ = writeln!(text, "key = \"{key}\"");
        }
        if let Some(begins) = self.operations {
            let _ = writeln!(text, "operations = [\"{begins}*\"]");
        }
        let per = match self.span {
            Span::Total => "\"total\"".to_owned(),
            Span::Day => "\"day\"".to_owned(),
            Span::Rolling(seconds) => format!("{{ rolling = \"{seconds}s\" }}"),
        };
        let micros = self.micros;
        text + &format!(
            "limit = \"{}.{:06}\"\nper = {per}\n",
            micros / 1_000_000,
            micros % 1_000_000
        )
    }
}

/// What stands in the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub limits: Vec<Limit>,
    /// The keys that are not there.
    pub absent: BTreeSet<String>,
    pub rates: Vec<Rate>,
}

impl Rules {
    /// Other rules: limits raised and lowered, one that comes or goes, a key that comes or goes.
    pub fn changed(&self, shape: &Shape, random: &mut StdRng) -> Self {
        let mut rules = self.clone();
        for _ in 0..random.random_range(0..3) {
            if let Some(limit) = rules.limits.choose_mut(random) {
                limit.micros = limit.micros * random.random_range(20..260) / 100;
            }
        }
        if random.random_bool(0.5) {
            rules.comes_or_goes(random.random_range(0..shape.teams), random);
        }
        if let Some(key) = shape
            .spare_keys()
            .choose(random)
            .filter(|_| random.random_bool(0.6))
            && !rules.absent.remove(&key)
        {
            rules.absent.insert(key);
        }
        Rate::change(&mut rules.rates, random);
        rules
    }

    /// A limit beside the others, which counts what was held before it was there.
    fn comes_or_goes(&mut self, team: usize, random: &mut StdRng) {
        let id = format!("{}-beside", team_id(team));
        let before = self.limits.len();
        self.limits.retain(|limit| limit.id != id);
        if self.limits.len() < before {
            return;
        }
        self.limits.push(Limit {
            id,
            team: Some(team_id(team)),
            key: None,
            operations: Some("search_").filter(|_| random.random_bool(0.5)),
            micros: random.random_range(300..9_000) * 1_000,
            span: [Span::Day, Span::Total, Span::Rolling(100)]
                .into_iter()
                .choose(random)
                .unwrap(),
        });
    }

    /// The settings of a run of this shape, under these rules.
    pub fn toml(&self, shape: &Shape) -> String {
        let mut text = format!(
            r#"
[server]
stalled_client_timeout = "3s"
unknown_keys_burst = 1000000
body_read_timeout = "3s"
[upstream]
base_url = "http://upstream.test"
token_env = "SIM_TOKEN"
connect_timeout = "1s"
response_timeout = "5s"
[upstream.breaker]
failures = {}
pause = "1s"
pause_max = "3s"
[slots]
wait_max = "3s"
[slots.caps]
search_leads = {}
[ledger]
repeat_window = "{REPEAT_WINDOW_SECONDS}s"
[account]
poll_interval = "1s"
lag = "{LAG_SECONDS}s"
stale_after = "20s"
job_poll_interval = "1s"
[reconciliation]
interval = "1s"
tolerance = "{TOLERANCE_SECONDS}s"
rows_late = "{ROWS_LATE_SECONDS}s"
overlap = "60s"
"#,
            shape.breaker_failures, shape.slots
        );
        for team in 0..shape.teams {
            let (id, priority) = (team_id(team), priority(team));
            let _ = writeln!(text, "[[team]]\nid = \"{id}\"\npriority = \"{priority}\"");
        }
        for (team, key) in shape.keys() {
            if self.absent.contains(&key) {
                continue;
            }
            let digest = KeyDigest::of(&secret_of(&key));
            let _ = writeln!(
                text,
                "[[key]]\nid = \"{key}\"\nteam = \"{team}\"\nsha256 = \"{digest}\""
            );
        }
        for limit in &self.limits {
            text += &limit.toml();
        }
        for rate in &self.rates {
            text += &rate.toml();
        }
        for priority in ["low", "normal", "high"] {
            let below = floor(priority) / 1_000_000;
            let _ = writeln!(
                text,
                "[[floor]]\npriority = \"{priority}\"\nbelow = {below}\naction = \"refuse\""
            );
        }
        text
    }
}
