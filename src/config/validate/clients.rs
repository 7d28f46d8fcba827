//! Rules of `[[team]]` and `[[key]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::operations::{Purpose, expand};
use super::{scalars, secrets};
use crate::catalogue::{Catalogue, Unbounded};
use crate::config::complaint::Complaints;
use crate::config::file::{File, TeamFile};
use crate::config::settings::TeamSettings;
use crate::config::tree::{item_name, nearest};
use crate::config::values::UnboundedText;
use crate::identity::{AccountView, Client, Key, KeyDigest, Priority, Secret, Team};

/// A name is shown in tables: longer ones would tear them.
const NAME_LENGTH_MAX: usize = 100;

/// The priorities by their words.
pub(super) fn priorities() -> [(&'static str, Priority); 3] {
    Priority::ALL.map(|priority| (priority.as_str(), priority))
}

/// The views by their words.
fn account_views() -> [(&'static str, AccountView); 2] {
    AccountView::ALL.map(|view| (view.as_str(), view))
}

/// Checks the teams. Each is kept even where something is wrong with it, so that its keys and
/// budgets are not called strangers.
pub(super) fn teams(file: &[TeamFile], complaints: &mut Complaints) -> Vec<TeamSettings> {
    let mut used = BTreeSet::new();
    let mut teams = Vec::with_capacity(file.len());
    for (index, raw) in file.iter().enumerate() {
        let item = format!("team.{}", item_name(raw.id.as_deref(), index));
        let Some(id) = scalars::id(complaints, &item, raw.id.as_deref(), &mut used) else {
            continue;
        };
        let priority = scalars::word(
            complaints,
            &format!("{item}.priority"),
            raw.priority.as_deref(),
            &priorities(),
            Priority::default(),
        );
        let account_view = scalars::word(
            complaints,
            &format!("{item}.account_view"),
            raw.account_view.as_deref(),
            &account_views(),
            AccountView::default(),
        );
        teams.push(TeamSettings {
            team: Arc::new(Team {
                id: id.into(),
                priority,
                unlimited: raw.unlimited.unwrap_or(false),
            }),
            name: name(raw.name.as_deref(), id, &item, complaints),
            unbounded: unbounded(raw.unbounded.as_ref(), &item, complaints),
            account_view,
            database_beyond: database_beyond(raw.database_beyond, &item, complaints),
        });
    }
    teams
}

/// At no percent everything would be sent to the database, at a hundred nothing: both are mistakes.
fn database_beyond(percent: Option<u32>, item: &str, complaints: &mut Complaints) -> Option<u32> {
    let path = format!("{item}.database_beyond");
    percent.map(|percent| scalars::count(complaints, &path, Some(percent), percent, 1..=99))
}

fn name(text: Option<&str>, id: &str, item: &str, complaints: &mut Complaints) -> String {
    let Some(text) = text else {
        return id.to_owned();
    };
    let length = text.chars().count();
    if length == 0 || length > NAME_LENGTH_MAX || text.chars().any(char::is_control) {
        complaints.error(
            format!("{item}.name"),
            "is empty, too long, or has a line break in it",
            format!("1 to {NAME_LENGTH_MAX} letters"),
        );
    }
    text.to_owned()
}

fn unbounded(value: Option<&UnboundedText>, item: &str, complaints: &mut Complaints) -> Unbounded {
    let path = format!("{item}.unbounded");
    match value {
        None => Unbounded::Maximum,
        Some(UnboundedText::Limit(0)) => {
            complaints.error(
                path,
                "is zero rows",
                "write \"refuse\" to refuse such searches",
            );
            Unbounded::Refuse
        }
        Some(UnboundedText::Limit(rows)) => Unbounded::Limit(*rows),
        Some(UnboundedText::Named(word)) => match word.as_str() {
            "maximum" => Unbounded::Maximum,
            "refuse" => Unbounded::Refuse,
            _ => {
                complaints.error(
                    path,
                    format!("{word:?} is not known here"),
                    "write \"maximum\", \"refuse\" or a number of rows",
                );
                Unbounded::Refuse
            }
        },
    }
}

/// The keys, and whether all of them could be read.
pub(super) struct Keys {
    /// Each as it is registered.
    pub(super) clients: Vec<Key>,
    /// Every key id that is written, with the team it is written for.
    pub(super) written: BTreeMap<String, Option<String>>,
    /// Whether nothing was left out.
    pub(super) complete: bool,
}

/// Checks the keys.
pub(super) fn keys(
    file: &File,
    teams: &[TeamSettings],
    token: &Secret,
    catalogue: Option<&Catalogue>,
    complaints: &mut Complaints,
) -> Keys {
    let mut keys = Keys {
        clients: Vec::with_capacity(file.key.len()),
        written: BTreeMap::new(),
        complete: !complaints.is_unread("key") && !complaints.is_unread("team"),
    };
    let mut used = BTreeSet::new();
    let mut digests: BTreeMap<KeyDigest, String> = BTreeMap::new();
    for (index, raw) in file.key.iter().enumerate() {
        let item = format!("key.{}", item_name(raw.id.as_deref(), index));
        let id = scalars::id(complaints, &item, raw.id.as_deref(), &mut used);
        if let Some(id) = id {
            keys.written.insert(id.to_owned(), raw.team.clone());
        }
        let own = secrets::digests(raw, &item, token, &mut digests, complaints);
        let expires = secrets::expires(raw, &item, complaints);
        let team = team(raw.team.as_deref(), &item, teams, complaints);
        let account = raw.account.unwrap_or(false);
        let purpose = Purpose::Key {
            account,
            own_pages: team.is_some_and(|settings| settings.account_view == AccountView::Own),
        };
        let operations = expand(
            catalogue,
            raw.operations.as_deref(),
            &format!("{item}.operations"),
            purpose,
            complaints,
        );
        let team = team.map(|settings| Arc::clone(&settings.team));
        match (id, own, team, operations) {
            (Some(id), Some(digests), Some(team), Ok(operations)) => keys.clients.push(Key {
                client: Client {
                    team,
                    key: id.into(),
                    account,
                    operations,
                },
                digests,
                expires,
            }),
            _ => keys.complete = false,
        }
    }
    without_keys(teams, file, &keys, complaints);
    keys
}

fn without_keys(teams: &[TeamSettings], file: &File, keys: &Keys, complaints: &mut Complaints) {
    if file.key.is_empty() && keys.complete {
        complaints.warning(
            "key",
            "there is none: every request will be refused",
            "make one with `generect-guard key new`",
        );
        return;
    }
    for settings in teams {
        let id = settings.team.id.as_str();
        if !file.key.iter().any(|key| key.team.as_deref() == Some(id)) && keys.complete {
            complaints.warning(
                format!("team.{id}"),
                "has no key: nobody can call in its name",
                format!("make one with `generect-guard key new --team {id}`"),
            );
        }
    }
}

fn team<'a>(
    name: Option<&str>,
    item: &str,
    teams: &'a [TeamSettings],
    complaints: &mut Complaints,
) -> Option<&'a TeamSettings> {
    let path = format!("{item}.team");
    let Some(name) = name else {
        complaints.missing(path, "name the team that pays");
        return None;
    };
    let found = teams.iter().find(|known| known.team.id.as_str() == name);
    if found.is_none() {
        unknown(&path, "team", name, ids(teams), complaints);
    }
    found
}

/// The ids of all teams.
pub(super) fn ids(teams: &[TeamSettings]) -> impl Iterator<Item = &str> {
    teams.iter().map(|settings| settings.team.id.as_str())
}

/// Complains that there is no team or key of this name.
pub(super) fn unknown<'a>(
    path: &str,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
    complaints: &mut Complaints,
) {
    let hint = match nearest(name, known) {
        Some(candidate) => format!("did you mean {candidate}?"),
        None => format!("add a [[{kind}]] with this id, or write an id that is there"),
    };
    complaints.error(path, format!("there is no {kind} {name:?}"), hint);
}
