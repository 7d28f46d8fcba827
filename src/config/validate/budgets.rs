//! Rules of `[[budget]]`.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::clients::{self, Keys};
use super::operations::{Purpose, Untold, expand};
use super::scalars;
use crate::catalogue::Catalogue;
use crate::config::complaint::Complaints;
use crate::config::file::BudgetFile;
use crate::config::settings::TeamSettings;
use crate::config::tree::item_name;
use crate::config::values::{Per, Span};
use crate::credits::Credits;
use crate::ids::{KeyId, TeamId};
use crate::ledger::{Budget, CalendarUnit, Filter, Mode, WindowRule};

/// Shorter rolling windows are rates, not budgets.
const ROLLING_MIN: SignedDuration = SignedDuration::from_mins(1);
/// A leap year.
const ROLLING_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The words of `per`.
const WORDS: &str = "write day, week, month, quarter, year, total or { rolling = \"24h\" }";

/// What is known when a filter is read.
pub(super) struct Known<'a> {
    pub(super) teams: &'a [TeamSettings],
    pub(super) keys: &'a Keys,
    pub(super) catalogue: Option<&'a Catalogue>,
}

/// The budgets, and the filters of all of them, also of those with another mistake.
pub(super) struct Budgets {
    /// Those that could be read.
    pub(super) budgets: Vec<Budget>,
    /// Each budget's place in complaints, its filter, and whether it refuses.
    pub(super) filters: Vec<(String, Filter, Mode)>,
    /// Whether every filter and mode could be read.
    pub(super) complete: bool,
}

/// Checks the budgets.
pub(super) fn budgets(
    file: &[BudgetFile],
    known: &Known<'_>,
    complaints: &mut Complaints,
) -> Budgets {
    let mut found = Budgets {
        budgets: Vec::with_capacity(file.len()),
        filters: Vec::with_capacity(file.len()),
        complete: !complaints.is_unread("budget"),
    };
    let mut used = BTreeSet::new();
    for (index, raw) in file.iter().enumerate() {
        let item = format!("budget.{}", item_name(raw.id.as_deref(), index));
        let id = scalars::id(complaints, &item, raw.id.as_deref(), &mut used);
        let written = Written {
            team: raw.team.as_deref(),
            key: raw.key.as_deref(),
            operations: raw.operations.as_deref(),
        };
        let filter = filter(&written, &item, Purpose::Budget, known, complaints);
        let limit = limit(raw.limit, &item, complaints);
        let window = window(raw, &item, complaints);
        let mode = mode(raw.mode.as_deref(), &item, complaints);
        found.complete &= mode.is_ok();
        match filter {
            Ok(filter) => {
                let mode = mode.unwrap_or_default();
                found.filters.push((item, filter.clone(), mode));
                if let (Some(id), Some(limit), Some(window)) = (id, limit, window) {
                    found.budgets.push(Budget {
                        id: id.into(),
                        filter,
                        window,
                        limit,
                        mode,
                    });
                }
            }
            Err(Untold) => found.complete = false,
        }
    }
    found
}

/// Reads the mode of a budget, a rate or a floor.
pub(super) fn mode(
    written: Option<&str>,
    item: &str,
    complaints: &mut Complaints,
) -> Result<Mode, Untold> {
    let words = [Mode::Enforce, Mode::Shadow].map(|mode| (mode.as_str(), mode));
    let path = format!("{item}.mode");
    let before = complaints.errors();
    let mode = scalars::word(complaints, &path, written, &words, Mode::default());
    if complaints.is_unread(&path) || complaints.errors() > before {
        return Err(Untold);
    }
    Ok(mode)
}

/// A filter as it is written.
pub(super) struct Written<'a> {
    pub(super) team: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) operations: Option<&'a [String]>,
}

/// Reads the filter of a budget or a rate.
pub(super) fn filter(
    written: &Written<'_>,
    item: &str,
    purpose: Purpose,
    known: &Known<'_>,
    complaints: &mut Complaints,
) -> Result<Filter, Untold> {
    let before = complaints.errors();
    let unread = ["team", "key"]
        .iter()
        .any(|name| complaints.is_unread(&format!("{item}.{name}")));
    if let Some(team) = written.team
        && !clients::ids(known.teams).any(|id| id == team)
    {
        let path = format!("{item}.team");
        clients::unknown(&path, "team", team, clients::ids(known.teams), complaints);
    }
    if let Some(key) = written.key {
        let path = format!("{item}.key");
        match known.keys.written.get(key) {
            None => {
                let ids = known.keys.written.keys().map(String::as_str);
                clients::unknown(&path, "key", key, ids, complaints);
            }
            Some(owner) => foreign(&path, written.team, owner.as_deref(), complaints),
        }
    }
    let operations = expand(
        known.catalogue,
        written.operations,
        &format!("{item}.operations"),
        purpose,
        complaints,
    )?;
    if unread || complaints.errors() > before {
        return Err(Untold);
    }
    Ok(Filter {
        team: written.team.map(TeamId::from),
        key: written.key.map(KeyId::from),
        operations,
    })
}

/// A filter that names a team and another team's key covers nothing.
fn foreign(path: &str, team: Option<&str>, owner: Option<&str>, complaints: &mut Complaints) {
    if let (Some(team), Some(owner)) = (team, owner)
        && team != owner
    {
        complaints.error(
            path,
            format!("belongs to team {owner}, not to {team}: no call is covered"),
            "name a key of this team, or leave out team",
        );
    }
}

fn limit(limit: Option<Credits>, item: &str, complaints: &mut Complaints) -> Option<Credits> {
    let path = format!("{item}.limit");
    match limit {
        None => {
            complaints.missing(path, "write the credits that may be spent in each window");
            None
        }
        Some(limit) if limit.is_negative() => {
            complaints.error(
                path,
                format!("{limit} is below zero"),
                "write 0 to allow nothing",
            );
            None
        }
        Some(limit) => Some(limit),
    }
}

fn window(raw: &BudgetFile, item: &str, complaints: &mut Complaints) -> Option<WindowRule> {
    let path = format!("{item}.per");
    let zone = zone(raw.timezone.as_deref(), item, complaints);
    let word = match &raw.per {
        None => {
            complaints.missing(path, WORDS);
            return None;
        }
        Some(Per::Rolling(span)) => {
            without_zone(raw, item, complaints);
            return rolling(*span, item, complaints);
        }
        Some(Per::Named(word)) => word.as_str(),
    };
    let unit = match word {
        "day" => CalendarUnit::Day,
        "week" => CalendarUnit::Week,
        "month" => CalendarUnit::Month,
        "quarter" => CalendarUnit::Quarter,
        "year" => CalendarUnit::Year,
        "total" => {
            without_zone(raw, item, complaints);
            return Some(WindowRule::Total);
        }
        _ => {
            complaints.error(path, format!("{word:?} is no window"), WORDS);
            return None;
        }
    };
    Some(WindowRule::Calendar { unit, zone: zone? })
}

fn rolling(span: Option<Span>, item: &str, complaints: &mut Complaints) -> Option<WindowRule> {
    let path = format!("{item}.per.rolling");
    let Some(Span(length)) = span else {
        complaints.missing(path, "write a span of time, such as \"24h\"");
        return None;
    };
    if length < ROLLING_MIN || length > ROLLING_MAX {
        complaints.error(
            path,
            format!("{length:#} is out of bounds"),
            "from \"1m\" to \"366d\"",
        );
        return None;
    }
    Some(WindowRule::Rolling(length))
}

fn zone(name: Option<&str>, item: &str, complaints: &mut Complaints) -> Option<TimeZone> {
    let name = name.unwrap_or("UTC");
    let found = TimeZone::get(name);
    if found.is_err() {
        complaints.error(
            format!("{item}.timezone"),
            format!("{name:?} is no time zone this machine knows"),
            "write an IANA name, such as \"Europe/Kyiv\"",
        );
    }
    found.ok()
}

fn without_zone(raw: &BudgetFile, item: &str, complaints: &mut Complaints) {
    if raw.timezone.is_some() {
        complaints.warning(
            format!("{item}.timezone"),
            "has no effect: this window does not follow a calendar",
            "take it out",
        );
    }
}
