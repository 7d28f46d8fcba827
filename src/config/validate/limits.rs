//! Rules of `[[floor]]` and `[[rate]]`.

use std::num::NonZeroU32;
use std::time::Duration;

use super::budgets::{Known, Written, filter, mode};
use super::clients::priorities;
use super::operations::Purpose;
use super::scalars;
use crate::config::complaint::Complaints;
use crate::config::file::{FloorFile, RateFile};
use crate::config::settings::{Floor, FloorAction, Pace, Rate};
use crate::config::tree::item_name;
use crate::config::values::{Action, parse_pace};
use crate::credits::Credits;
use crate::identity::Priority;
use crate::ledger::Mode;

/// Checks the floors.
pub(super) fn floors(file: &[FloorFile], complaints: &mut Complaints) -> Vec<Floor> {
    let mut floors: Vec<Floor> = Vec::with_capacity(file.len());
    for (index, raw) in file.iter().enumerate() {
        let item = format!("floor.{}", item_name(None, index));
        let below = below(raw.below, &item, complaints);
        let priority = priority(raw.priority.as_deref(), &item, complaints);
        let action = action(raw.action.as_ref(), &item, complaints);
        let mode = mode(raw.mode.as_deref(), &item, complaints);
        let (Some(below), Some(priority), Some(action), Ok(mode)) = (below, priority, action, mode)
        else {
            continue;
        };
        let floor = Floor {
            below,
            priority,
            action,
            mode,
        };
        if floors.iter().any(|other| same(other, &floor)) {
            complaints.error(
                item,
                format!("there is already such a floor for priority {priority}"),
                "keep one of them",
            );
        }
        floors.push(floor);
    }
    order(&floors, complaints);
    floors
}

/// Two floors of one priority that leave open which one holds.
fn same(one: &Floor, other: &Floor) -> bool {
    one.priority == other.priority
        && one.mode == other.mode
        && match (one.action, other.action) {
            (FloorAction::Refuse, FloorAction::Refuse) => true,
            (FloorAction::SlowTo(pace), FloorAction::SlowTo(other_pace)) => {
                pace == other_pace || one.below == other.below
            }
            _ => false,
        }
}

fn enforces(floor: &Floor) -> bool {
    floor.mode == Mode::Enforce
}

/// Floors that contradict what a priority is for, or never come to pass.
fn order(floors: &[Floor], complaints: &mut Complaints) {
    let refused = |priority: Priority| {
        floors
            .iter()
            .find(|floor| floor.priority == priority && floor.refuses() && enforces(floor))
            .map(|floor| floor.below)
    };
    let numbered = floors.iter().enumerate();
    for (index, floor) in numbered.filter(|(_, floor)| enforces(floor)) {
        let item = format!("floor.{}", item_name(None, index));
        let refuses = floor.refuses();
        let lower_later = Priority::ALL
            .into_iter()
            .filter(|lower| *lower < floor.priority)
            .find(|lower| refused(*lower).is_none_or(|below| below < floor.below));
        if refuses && let Some(lower) = lower_later {
            complaints.warning(
                &item,
                format!(
                    "priority {} is refused before priority {lower}",
                    floor.priority
                ),
                "give the lower priority the higher floor",
            );
        }
        if !refuses && refused(floor.priority).is_some_and(|below| below >= floor.below) {
            complaints.warning(
                &item,
                "never slows anybody: at this balance the priority is refused already",
                "slow above the floor that refuses",
            );
        }
    }
}

fn below(value: Option<Credits>, item: &str, complaints: &mut Complaints) -> Option<Credits> {
    let path = format!("{item}.below");
    match value {
        None => {
            complaints.missing(path, "write the balance in credits");
            None
        }
        Some(below) if below.is_negative() => {
            complaints.error(path, format!("{below} is below zero"), "write 0 or more");
            None
        }
        Some(below) => Some(below),
    }
}

fn priority(value: Option<&str>, item: &str, complaints: &mut Complaints) -> Option<Priority> {
    let path = format!("{item}.priority");
    if value.is_none() {
        complaints.missing(path, "write low, normal or high");
        return None;
    }
    let before = complaints.errors();
    let priority = scalars::word(complaints, &path, value, &priorities(), Priority::Normal);
    (complaints.errors() == before).then_some(priority)
}

fn action(value: Option<&Action>, item: &str, complaints: &mut Complaints) -> Option<FloorAction> {
    const HINT: &str = "write \"refuse\" or { slow_to = \"1/s\" }";
    let path = format!("{item}.action");
    match value {
        None => {
            complaints.missing(path, HINT);
            None
        }
        Some(Action::Named(word)) if word == "refuse" => Some(FloorAction::Refuse),
        Some(Action::Named(word)) => {
            complaints.error(path, format!("{word:?} is no action"), HINT);
            None
        }
        Some(Action::SlowTo(text)) => {
            let path = format!("{path}.slow_to");
            let Some(text) = text else {
                complaints.missing(path, HINT);
                return None;
            };
            let pace = parse_pace(text);
            if pace.is_none() {
                complaints.error(
                    path,
                    format!("{text:?} is no pace above zero"),
                    "write \"1/s\", \"30/min\" or \"100/h\"",
                );
            }
            pace.map(FloorAction::SlowTo)
        }
    }
}

/// Checks the rates.
pub(super) fn rates(
    file: &[RateFile],
    known: &Known<'_>,
    complaints: &mut Complaints,
) -> Vec<Rate> {
    let mut rates: Vec<Rate> = Vec::with_capacity(file.len());
    for (index, raw) in file.iter().enumerate() {
        let item = format!("rate.{}", item_name(None, index));
        let written = Written {
            team: raw.team.as_deref(),
            key: raw.key.as_deref(),
            operations: raw.operations.as_deref(),
        };
        let filter = filter(&written, &item, Purpose::Rate, known, complaints);
        let pace = pace(raw, &item, complaints);
        let mode = mode(raw.mode.as_deref(), &item, complaints);
        let (Ok(filter), Some(pace), Ok(mode)) = (filter, pace, mode) else {
            continue;
        };
        let same = |other: &Rate| other.filter == filter && other.mode == mode;
        if rates.iter().any(same) {
            complaints.error(
                item,
                "there is already a rate for exactly these calls",
                "keep one of them",
            );
        }
        rates.push(Rate { filter, pace, mode });
    }
    rates
}

fn pace(raw: &RateFile, item: &str, complaints: &mut Complaints) -> Option<Pace> {
    let burst = raw.burst.map(NonZeroU32::new);
    if burst == Some(None) {
        complaints.error(
            format!("{item}.burst"),
            "is zero: no call would ever pass",
            "write 1 or more",
        );
    }
    let path = format!("{item}.per_second");
    let Some(number) = raw.per_second else {
        complaints.missing(
            path,
            "write how many calls may begin in a second, such as 5 or 0.5",
        );
        return None;
    };
    let pace = number.pace(Duration::from_secs(1), burst.flatten());
    if pace.is_none() {
        complaints.error(
            path,
            "is zero, or too small or too large to be a rate",
            "write how many calls may begin in a second, such as 5 or 0.5",
        );
    }
    pace
}
