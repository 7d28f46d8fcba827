//! What both benchmarks measure.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use generect_guard::catalogue::{Catalogue, Operation};
use generect_guard::identity::{Client, Priority, Team};
use generect_guard::ids::TeamId;
use generect_guard::ledger::{Filter, Mode};
use generect_guard::proxy::rates::{Pace, RateRule, Rates};
use generect_guard::proxy::slots::queue::FairQueue;
use generect_guard::proxy::slots::{SlotSettings, Slots};

/// Teams that wait, and calls of each.
const TEAMS: usize = 100;
const CALLS_OF_EACH: usize = 100;

/// A call that meets a handful of rates and finds a free slot.
pub struct Free {
    rates: Rates,
    slots: Slots,
    client: Client,
    operation: Arc<Operation>,
}

impl Free {
    /// Five rates, four of which cover the call.
    pub fn new() -> Self {
        let recorded = generect_guard::metrics::install();
        assert!(recorded.is_ok(), "no metrics");
        let catalogue = Catalogue::built_in().unwrap();
        let operation = catalogue.operation("search_realtime_leads").unwrap();
        let team = |team: &str| Filter {
            team: Some(team.into()),
            ..Filter::default()
        };
        let filters = [
            Filter::default(),
            team("growth"),
            team("sales"),
            Filter {
                key: Some("growth-crm".into()),
                ..Filter::default()
            },
            Filter {
                operations: Some([operation.name.clone()].into()),
                ..team("growth")
            },
        ];
        // Faster than any loop: the bench is of calls that pass.
        let pace = Pace {
            period: Duration::from_nanos(1),
            burst: NonZeroU32::MAX,
        };
        Self {
            rates: Rates::new(filters.map(|filter| RateRule {
                name: "rate".into(),
                filter,
                pace,
                mode: Mode::Enforce,
            })),
            slots: Slots::new(SlotSettings {
                queue_max: 1_000,
                wait_max: Duration::from_secs(10),
                caps: [("search_leads".into(), 50)].into(),
            }),
            client: Client {
                team: Arc::new(Team {
                    id: "growth".into(),
                    priority: Priority::Normal,
                    unlimited: false,
                }),
                key: "growth-crm".into(),
                account: false,
                operations: None,
            },
            operation: Arc::clone(operation),
        }
    }

    /// Its rates are checked, a slot is taken, and freed again.
    pub fn call(&self) -> bool {
        let within = self.rates.check(&self.client, &self.operation.name).is_ok();
        let family = self.operation.slots.as_ref();
        let slot = family.and_then(|family| self.slots.room(family).take());
        within && slot.is_some()
    }
}

/// Ten thousand waiting calls of a hundred teams of all priorities.
pub struct Crowd {
    teams: Vec<(TeamId, Priority)>,
    queue: FairQueue<usize>,
}

impl Crowd {
    /// All of them waiting.
    pub fn new() -> Self {
        let teams = (0..TEAMS).map(|number| {
            let priority = Priority::ALL[number % Priority::ALL.len()];
            (TeamId::from(format!("team-{number}")), priority)
        });
        let mut crowd = Self {
            teams: teams.collect(),
            queue: FairQueue::default(),
        };
        for number in 0..TEAMS * CALLS_OF_EACH {
            crowd.wait(number % TEAMS);
        }
        crowd
    }

    fn wait(&mut self, team: usize) {
        let (id, priority) = &self.teams[team];
        let _ = self.queue.push(id, *priority, team);
    }

    /// One has its turn, and its team's next call begins to wait.
    pub fn turn(&mut self) -> usize {
        let team = self.queue.pop().unwrap_or_default();
        self.wait(team);
        self.queue.len()
    }
}
