//! The account of a month: what moves on it beside the calls, what it takes for them, what of it was
//! read, and what of all this the books must tell in the end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::ledger::Reading;
use generect_guard::simulator::Prices;
use generect_guard::simulator::settings::BalanceShown;
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::month::Month;
use crate::shape;
use crate::support::credits;

/// What really happened, beside what the simulator knows.
#[derive(Default)]
pub struct Told {
    /// The fingerprint of each call, by its body.
    pub calls: HashMap<String, u64>,
    /// What others used.
    pub elsewhere: i64,
    /// What the account gave back for calls.
    pub given_back: i64,
    /// What was paid in.
    pub paid_in: i64,
}

impl Told {
    /// The fingerprint of the call with this body.
    pub fn print_of(&self, body: &[u8]) -> Option<u64> {
        self.calls.get(std::str::from_utf8(body).ok()?).copied()
    }
}

/// What the account was last seen to have, and what is known to have moved since.
#[derive(Default)]
pub struct Read {
    balance: Credits,
    charged: Credits,
    /// What came in, less what others took, since; and the most that it was at any moment.
    came: i64,
    came_most: i64,
}

impl Month {
    /// Others use the account, or money comes back.
    pub(super) fn others(&mut self) {
        let operations = ["search_database_leads", "email_find", "platform"];
        let kind = operations.choose(&mut self.random).unwrap();
        let unit = *[20_000, 40_000, 13_000].choose(&mut self.random).unwrap();
        let amount = unit * self.random.random_range(1..8);
        let is_refund = self.dice(4) == 0;
        let simulator = &self.world.as_ref().unwrap().simulator;
        let credits = Credits::from_micros(amount);
        if is_refund {
            simulator.refund("search_database_leads", credits);
            self.told.given_back += amount;
            self.came(amount);
        } else {
            simulator.spend_elsewhere(kind, credits);
            self.told.elsewhere += amount;
            self.came(-amount);
        }
    }

    /// Somebody pays in when little is left.
    pub(super) fn auto_top_up(&mut self) {
        if self.world().simulator.balance() < credits("15") {
            self.world().simulator.top_up(credits("30"));
            self.told.paid_in += 30_000_000;
            self.came(30_000_000);
        }
    }

    /// The account's prices change. Lower ones the guard is not told of.
    pub(super) async fn change_tier(&mut self) {
        let prices = if self.random.random_bool(0.5) {
            Prices::before_august()
        } else {
            Prices::default()
        };
        let simulator = &self.world().simulator;
        simulator.change(|settings| settings.prices = prices.clone());
        if prices == Prices::default() {
            self.restart().await;
        }
    }

    /// Waits until the guard quotes by the account's prices; the reconciler is told the same.
    pub(super) async fn prices_are_known(&mut self) {
        let told = self.client().my_tier().await.unwrap().unwrap();
        let mut prices = (**self.prices.load()).clone();
        for (name, price) in &told.prices {
            // A name that nothing is priced by is another service's.
            let _ = prices.set(name, *price);
        }
        self.prices.store(Arc::new(prices));
        let wanted = told.prices.get("api_cached").unwrap().to_string();
        loop {
            let page = self
                .world()
                .get_as("key-0", "/api/auth/tiers/my-tier/")
                .await;
            if page.text.contains(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Reads the balance, as the guard's own watcher does every half minute.
    pub fn read_account(&mut self) {
        let simulator = &self.world().simulator;
        let gross = simulator.balance();
        let balance = match self.shape.balance_shown {
            BalanceShown::Gross => gross,
            BalanceShown::Net => gross.saturating_sub(simulator.set_aside()),
        };
        let charged = simulator.truth().total_charged();
        let started_at = self.clock.now();
        let reading = Reading {
            balance,
            started_at,
        };
        self.world().ledger().observe(reading);
        self.read = Read {
            balance: gross,
            charged,
            ..Read::default()
        };
    }

    pub(super) fn look_before_calling(&mut self) {
        if self.dice(10) < 8 {
            self.read_account();
        }
    }

    fn came(&mut self, micros: i64) {
        self.read.came += micros;
        self.read.came_most = self.read.came_most.max(self.read.came);
    }

    /// As far as the last reading and the calls since tell, the account has its floor. It may have
    /// been read again meanwhile, at any moment.
    pub(super) fn keeps_floor(&self, priority: &str) {
        let simulator = &self.world().simulator;
        let charged = simulator.truth().total_charged();
        let came = Credits::from_micros(self.read.came_most);
        let known = self.read.balance.saturating_add(came);
        let left = known
            .saturating_sub(charged.saturating_sub(self.read.charged))
            .saturating_sub(simulator.set_aside());
        assert!(
            left >= credits(shape::floor(priority)),
            "a {priority} call was admitted and left {left}"
        );
    }
}
