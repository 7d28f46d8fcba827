//! From the settings to the rules that the proxy goes by.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::config::{Config, FloorAction, Pace, Server};
use crate::credits::Credits;
use crate::identity::{Directory, Priority};
use crate::ledger::Mode;
use crate::proxy::policy::{Policy, RefuseBelow, ShadowFloor, TeamRules};
use crate::proxy::rates::{self, RateRule, Rates};
use crate::proxy::slots::SlotSettings;
use crate::proxy::slowing::{SlowRule, Slowing};

pub(super) fn build(config: &Config) -> Result<Policy, StartError> {
    let directory = Directory::new(config.clients.iter().cloned())?;
    let teams = config.teams.iter().map(|settings| {
        let rules = TeamRules {
            name: settings.name.clone(),
            unbounded: settings.unbounded,
            account_view: settings.account_view,
            database_beyond: settings.database_beyond,
        };
        (settings.team.id.clone(), rules)
    });
    let floor = |priority: Priority| config.refuse_floor(priority).unwrap_or(Credits::ZERO);
    Ok(Policy {
        directory: Arc::new(directory),
        catalogue: Arc::clone(&config.catalogue),
        prices: Arc::new(config.prices.clone()),
        teams: Arc::new(teams.collect()),
        rates: Arc::new(Rates::new(rate_rules(config))),
        slowing: Arc::new(Slowing::new(slow_rules(config))),
        refuse_below: RefuseBelow {
            low: floor(Priority::Low),
            normal: floor(Priority::Normal),
            high: floor(Priority::High),
        },
        shadow_floors: shadow_floors(config),
    })
}

pub(super) fn slots(config: &Config) -> SlotSettings {
    let slots = &config.slots;
    SlotSettings {
        queue_max: slots.queue_max,
        wait_max: slots.wait_max,
        caps: slots.caps.clone(),
    }
}

/// A rate or a floor has no id; the place is what `check` calls it by.
fn named(list: &str, index: usize) -> Arc<str> {
    format!("{list}.#{}", index + 1).into()
}

/// The rates, each with its place in the settings for a name.
pub(super) fn rate_rules(config: &Config) -> impl Iterator<Item = RateRule> {
    let rates = config.rates.iter().enumerate();
    rates.map(|(index, rate)| RateRule {
        name: named("rate", index),
        filter: rate.filter.clone(),
        pace: pace(rate.pace),
        mode: rate.mode,
    })
}

/// The floors that slow.
pub(super) fn slow_rules(config: &Config) -> impl Iterator<Item = SlowRule> {
    let floors = config.floors.iter().enumerate();
    floors.filter_map(|(index, floor)| match floor.action {
        FloorAction::SlowTo(slow_to) => Some(SlowRule {
            name: named("floor", index),
            priority: floor.priority,
            below: floor.below,
            pace: pace(slow_to),
            mode: floor.mode,
        }),
        FloorAction::Refuse => None,
    })
}

fn shadow_floors(config: &Config) -> Arc<[ShadowFloor]> {
    let floors = config.floors.iter().enumerate();
    let on_trial = floors.filter(|(_, floor)| floor.refuses() && floor.mode == Mode::Shadow);
    let named = on_trial.map(|(index, floor)| ShadowFloor {
        name: named("floor", index),
        priority: floor.priority,
        below: floor.below,
    });
    named.collect()
}

/// How often one source may show keys that nobody knows.
pub(super) fn unknown_keys(server: &Server) -> rates::Pace {
    rates::Pace {
        period: Duration::from_secs(1) / server.unknown_keys_per_second.get(),
        burst: server.unknown_keys_burst,
    }
}

fn pace(pace: Pace) -> rates::Pace {
    rates::Pace {
        period: pace.period,
        burst: pace.burst,
    }
}
