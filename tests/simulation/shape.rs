//! What a run is like: who calls, under which limits, and how unlucky it is. All of it from a seed.

use generect_guard::reconciliation::CHARGES_KEPT;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::list::AccountList;
use crate::rates::Rate;
use crate::rules::{Limit, Rules, Span};

/// See the module. Times are ticks, of a millisecond each.
#[derive(Clone, Debug)]
pub struct Shape {
    pub seed: u64,
    pub teams: usize,
    pub keys_each: usize,
    pub actors: usize,
    /// The rules that it begins with.
    pub rules: Rules,
    pub balance: i64,
    pub latency: (u64, u64),
    /// Bytes that a link holds in each direction.
    pub room: usize,
    /// How long things go wrong.
    pub rough: u64,
    /// Thousands of calls are made.
    pub is_large: bool,
    /// Then how long everything is well and calls are still made.
    pub calm: u64,
    /// How many in a thousand calls the upstream spoils.
    pub spoilt: u64,
    /// How many in a hundred clients misbehave.
    pub rude: u32,
    /// On average, ticks between two misfortunes of each kind; zero: there are none.
    pub crash_every: u64,
    pub part_every: u64,
    pub cut_every: u64,
    pub disk_every: u64,
    pub jump_every: u64,
    pub people_every: u64,
    pub pause_every: u64,
    pub reload_every: u64,
    pub strangers_every: u64,
    pub breaker_failures: u32,
    pub slots: u32,
    pub overruns: bool,
    pub list: AccountList,
    /// How many charges without a row reconciliation keeps at hand.
    pub charges_kept: usize,
    /// The clock is set back too: then some rows are from before the ledger.
    pub jumps_back: bool,
}

/// Of so many seeds, one is large: none of the ordinary run.
const LARGE_EVERY: u64 = 50;
/// How much more money there is then.
const GROWTH: i64 = 40;
pub const LAG_SECONDS: i64 = 3;
pub const REPEAT_WINDOW_SECONDS: i64 = 600;

impl Shape {
    pub fn of(seed: u64) -> Self {
        let random = &mut StdRng::seed_from_u64(seed);
        let every = |random: &mut StdRng, chance: f64, from: u64, to: u64| {
            let happens = random.random_bool(chance);
            let every = random.random_range(from..=to);
            if happens { every } else { 0 }
        };
        let least = random.random_range(1..6);
        let mut shape = Self {
            seed,
            teams: random.random_range(2..=5),
            keys_each: random.random_range(1..=3),
            actors: random.random_range(4..=22),
            rules: Rules::default(),
            balance: random.random_range(5..90) * 1_000_000,
            latency: (least, least + random.random_range(0..40)),
            room: *[400, 2_000, 64 * 1024].choose(random).unwrap(),
            rough: random.random_range(6_000..16_000),
            is_large: false,
            calm: 4_000,
            spoilt: *[0, 20, 60, 200].choose(random).unwrap(),
            rude: *[0, 10, 30].choose(random).unwrap(),
            crash_every: every(random, 0.7, 600, 6_000),
            part_every: every(random, 0.6, 800, 5_000),
            cut_every: every(random, 0.6, 60, 1_500),
            disk_every: every(random, 0.6, 500, 4_000),
            jump_every: every(random, 0.35, 700, 5_000),
            people_every: every(random, 0.5, 500, 3_000),
            pause_every: 0,
            reload_every: 0,
            strangers_every: 0,
            breaker_failures: *[5, 10_000].choose(random).unwrap(),
            slots: *[2, 1_000].choose(random).unwrap(),
            overruns: random.random_bool(0.2),
            list: AccountList::default(),
            charges_kept: CHARGES_KEPT,
            jumps_back: false,
        };
        if seed % LARGE_EVERY == LARGE_EVERY - 1 {
            shape.grow();
        }
        shape.rules.limits = shape.some_limits(random);
        shape.list = AccountList::any(random);
        if shape.is_large {
            // The list of so many is not read to its end in pages of a few.
            (shape.list.page_rows, shape.list.page_max) = (100, usize::MAX);
        }
        shape.jumps_back = shape.jump_every > 0 && random.random_bool(0.5);
        shape.pause_every = every(random, 0.5, 300, 2_500);
        shape.reload_every = every(random, 0.5, 300, 2_500);
        if shape.reload_every > 0 {
            let spare = shape.spare_keys();
            shape.rules.absent = spare.filter(|_| random.random_bool(0.2)).collect();
        }
        if random.random_bool(0.4) {
            shape.rules.rates = Rate::some(&shape, random);
        }
        shape.strangers_every = every(random, 0.35, 300, 2_500);
        shape.charges_kept = *[0, 5, CHARGES_KEPT].choose(random).unwrap();
        shape
    }

    /// Many teams make thousands of calls.
    fn grow(&mut self) {
        self.is_large = true;
        self.teams = 16;
        self.keys_each = 4;
        self.actors = 128;
        self.balance *= GROWTH;
        self.rough = 12_000;
        self.slots = 1_000;
    }

    fn some_limits(&self, random: &mut StdRng) -> Vec<Limit> {
        let mut limits = vec![Limit {
            id: "company".into(),
            team: None,
            key: None,
            operations: None,
            micros: random.random_range(5..80) * 1_000_000,
            span: Span::Total,
        }];
        limits.push(Limit {
            id: "searches".into(),
            operations: Some("search_"),
            micros: random.random_range(1_000..9_000) * 1_000,
            span: Span::Rolling(*[60, 100, 3_600, 86_400].choose(random).unwrap()),
            ..limits[0].clone()
        });
        for team in 0..self.teams {
            let span = *[Span::Day, Span::Total, Span::Rolling(300)]
                .choose(random)
                .unwrap();
            limits.push(Limit {
                id: format!("{}-own", team_id(team)),
                team: Some(team_id(team)),
                micros: random.random_range(500..20_000) * 1_000,
                span,
                ..limits[0].clone()
            });
        }
        let keyed = key_id(random.random_range(0..self.teams), 0);
        limits.push(Limit {
            id: "one-key".into(),
            key: Some(keyed),
            micros: random.random_range(300..3_000) * 1_000,
            span: Span::Day,
            ..limits[0].clone()
        });
        if self.is_large {
            for limit in &mut limits {
                limit.micros *= GROWTH;
            }
        }
        limits
    }

    /// Whether the account's list says whose each row is, as far as a row can: then no doubt may be
    /// ended wrongly.
    pub fn is_clear(&self) -> bool {
        self.jump_every == 0 && self.list.is_clear()
    }

    /// The keys that may be missing: every team keeps one.
    pub fn spare_keys(&self) -> impl Iterator<Item = String> {
        let teams = 0..self.teams;
        let keys = teams.flat_map(|team| (1..self.keys_each).map(move |key| key_id(team, key)));
        keys.collect::<Vec<_>>().into_iter()
    }

    /// The keys: team, key.
    pub fn keys(&self) -> Vec<(String, String)> {
        let teams = 0..self.teams;
        let keys = teams.flat_map(|team| (0..self.keys_each).map(move |key| (team, key)));
        keys.map(|(team, key)| (team_id(team), key_id(team, key)))
            .collect()
    }
}

pub fn team_id(team: usize) -> String {
    format!("team-{team}")
}

pub fn key_id(team: usize, key: usize) -> String {
    format!("key-{team}-{key}")
}

/// What a client sends.
pub fn secret_of(key: &str) -> String {
    format!("gg_secret-of-{key}-for-tests-only")
}

pub fn priority(team: usize) -> &'static str {
    ["normal", "low", "high"][team % 3]
}

/// Under this balance, in micro-credits, a priority is refused.
pub fn floor(priority: &str) -> i64 {
    match priority {
        "low" => 12_000_000,
        "normal" => 6_000_000,
        _ => 2_000_000,
    }
}
