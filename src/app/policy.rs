//! From the settings to the rules that the proxy goes by.

use std::sync::Arc;

use super::StartError;
use crate::config::{Config, FloorAction, Pace};
use crate::credits::Credits;
use crate::identity::{Directory, Priority};
use crate::proxy::policy::{Policy, RefuseBelow, TeamRules};
use crate::proxy::rates::{self, RateRule, Rates, SlowRule, Slowing};
use crate::proxy::slots::SlotSettings;

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
        rates: Arc::new(rates(config)),
        slowing: Arc::new(slowing(config)),
        refuse_below: RefuseBelow {
            low: floor(Priority::Low),
            normal: floor(Priority::Normal),
            high: floor(Priority::High),
        },
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

fn rates(config: &Config) -> Rates {
    Rates::new(config.rates.iter().map(|rate| RateRule {
        filter: rate.filter.clone(),
        pace: pace(rate.pace),
    }))
}

fn slowing(config: &Config) -> Slowing {
    Slowing::new(config.floors.iter().filter_map(|floor| match floor.action {
        FloorAction::SlowTo(slow_to) => Some(SlowRule {
            priority: floor.priority,
            below: floor.below,
            pace: pace(slow_to),
        }),
        FloorAction::Refuse => None,
    }))
}

fn pace(pace: Pace) -> rates::Pace {
    rates::Pace {
        period: pace.period,
        burst: pace.burst,
    }
}
