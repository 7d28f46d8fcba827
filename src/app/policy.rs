//! From the settings to the rules that the proxy goes by.

use std::sync::Arc;

use super::StartError;
use crate::config::{Config, FloorAction, Pace};
use crate::credits::Credits;
use crate::identity::{Directory, Priority};
use crate::proxy::policy::{Policy, RefuseBelow, TeamRules};
use crate::proxy::rates::{self, RateRule, Rates, SlowRule, Slowing};

pub(super) fn build(config: &Config) -> Result<Policy, StartError> {
    let directory = Directory::new(config.clients.iter().cloned())?;
    let teams = config.teams.iter().map(|settings| {
        let rules = TeamRules {
            name: settings.name.clone(),
            unbounded: settings.unbounded,
            account_view: settings.account_view,
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
    })
}

pub(super) fn rate_rules(config: &Config) -> impl Iterator<Item = RateRule> {
    config.rates.iter().map(|rate| RateRule {
        filter: rate.filter.clone(),
        pace: pace(rate.pace),
    })
}

pub(super) fn slow_rules(config: &Config) -> impl Iterator<Item = SlowRule> {
    config.floors.iter().filter_map(|floor| match floor.action {
        FloorAction::SlowTo(slow_to) => Some(SlowRule {
            priority: floor.priority,
            below: floor.below,
            pace: pace(slow_to),
        }),
        FloorAction::Refuse => None,
    })
}

fn pace(pace: Pace) -> rates::Pace {
    rates::Pace {
        period: pace.period,
        burst: pace.burst,
    }
}
