//! Rules of `[[alert]]`.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use reqwest::Url;

use super::{clients, scalars};
use crate::alerts::{Alert, Condition, Shape, Webhook};
use crate::config::complaint::Complaints;
use crate::config::file::{AlertFile, File, WebhookFile};
use crate::config::secret_source::WebhookSecrets;
use crate::config::settings::Account;
use crate::config::tree::item_name;
use crate::config::values::Span;
use crate::credits::Credits;
use crate::identity::Secret;

/// A budget can be overrun, but not by any amount.
const PERCENT_MAX: u32 = 1000;

/// The settings of which an alert has exactly one.
const CONDITIONS: [&str; 7] = [
    "at_percent",
    "balance_below",
    "runs_out_within",
    "unattributed_above",
    "drift_above",
    "doubt_older_than",
    "reading_older_than",
];

/// Checks the alerts. Without secrets their webhooks are left out.
pub(super) fn alerts(
    file: &File,
    secrets: Option<&[WebhookSecrets]>,
    account: &Account,
    complaints: &mut Complaints,
) -> Vec<Alert> {
    let mut alerts = Vec::with_capacity(file.alert.len());
    let mut used = BTreeSet::new();
    for (index, raw) in file.alert.iter().enumerate() {
        let item = format!("alert.{}", item_name(raw.id.as_deref(), index));
        let id = scalars::id(complaints, &item, raw.id.as_deref(), &mut used);
        budget_known(raw, file, &item, complaints);
        let condition = condition(raw, &item, account, complaints);
        let secrets = secrets.and_then(|secrets| secrets.get(index));
        let webhook = raw.webhook.as_ref().zip(secrets);
        let webhook = webhook.and_then(|(webhook, secrets)| {
            let item = format!("{item}.webhook");
            self::webhook(webhook, secrets, file, &item, complaints)
        });
        if let (Some(id), Some(condition)) = (id, condition) {
            alerts.push(Alert {
                id: id.into(),
                condition,
                webhook,
            });
        }
    }
    alerts
}

fn budget_known(raw: &AlertFile, file: &File, item: &str, complaints: &mut Complaints) {
    let Some(budget) = raw.budget.as_deref() else {
        return;
    };
    let path = format!("{item}.budget");
    let mut ids = file.budget.iter().filter_map(|budget| budget.id.as_deref());
    if !ids.any(|id| id == budget) {
        let ids = file.budget.iter().filter_map(|budget| budget.id.as_deref());
        clients::unknown(&path, "budget", budget, ids, complaints);
    }
}

/// Which condition an alert has: exactly one, which makes it one alert.
fn which(raw: &AlertFile, item: &str, complaints: &mut Complaints) -> Option<&'static str> {
    let written = [
        raw.at_percent.is_some(),
        raw.balance_below.is_some(),
        raw.runs_out_within.is_some(),
        raw.unattributed_above.is_some(),
        raw.drift_above.is_some(),
        raw.doubt_older_than.is_some(),
        raw.reading_older_than.is_some(),
    ];
    let written: Vec<&str> = CONDITIONS
        .into_iter()
        .zip(written)
        .filter_map(|(name, written)| written.then_some(name))
        .collect();
    match written.as_slice() {
        [only] => return Some(only),
        [first, second, ..] => complaints.error(
            format!("{item}.{second}"),
            format!("there is already {first}: an alert has one condition"),
            "give each an alert of its own",
        ),
        [] => {
            let mut paths = CONDITIONS.iter().map(|name| format!("{item}.{name}"));
            if !paths.any(|path| complaints.is_unread(&path)) {
                let hint = format!("write {}", scalars::one_of(&CONDITIONS));
                complaints.error(item, "has no condition", hint);
            }
        }
    }
    None
}

/// From the one value of a condition to the condition.
type Makes<T> = fn(T) -> Condition;

fn condition(
    raw: &AlertFile,
    item: &str,
    account: &Account,
    complaints: &mut Complaints,
) -> Option<Condition> {
    let c = complaints;
    let name = which(raw, item, c)?;
    if raw.budget.is_some() && name != "at_percent" {
        c.error(
            format!("{item}.budget"),
            "has no effect without at_percent",
            "write at_percent, or take it out",
        );
    }
    let path = format!("{item}.{name}");
    if let Some(percents) = &raw.at_percent {
        let percents = percents_of(percents, &path, c)?;
        let budget = raw.budget.as_deref().map(Into::into);
        return Some(Condition::BudgetShare { budget, percents });
    }
    let amounts: [(_, Makes<Credits>); 3] = [
        (raw.balance_below, Condition::BalanceBelow),
        (raw.unattributed_above, Condition::UnattributedAbove),
        (raw.drift_above, Condition::DriftAbove),
    ];
    for (written, make) in amounts {
        if let Some(amount) = written {
            return amount_of(amount, &path, c).map(make);
        }
    }
    let spans: [(_, Makes<SignedDuration>); 3] = [
        (raw.runs_out_within, Condition::RunsOutWithin),
        (raw.doubt_older_than, Condition::DoubtOlderThan),
        (raw.reading_older_than, Condition::ReadingOlderThan),
    ];
    for (written, make) in spans {
        if let Some(span) = written {
            let condition = make(span_of(span, &path, c)?);
            return patient(condition, account, &path, c);
        }
    }
    None
}

/// Shares in rising order, each once.
fn percents_of(written: &[u32], path: &str, complaints: &mut Complaints) -> Option<Vec<u32>> {
    const HINT: &str = "write percents of the limit, such as [50, 80, 100]";
    let percents: BTreeSet<u32> = written.iter().copied().collect();
    let complaint = if percents.iter().any(|p| !(1..=PERCENT_MAX).contains(p)) {
        format!("has a share that is not from 1 to {PERCENT_MAX}")
    } else if percents.len() < written.len() {
        "has one share twice".to_owned()
    } else if percents.is_empty() {
        "is empty: it would never be told".to_owned()
    } else {
        return Some(percents.into_iter().collect());
    };
    if !complaints.is_unread(path) {
        complaints.error(path, complaint, HINT);
    }
    None
}

fn amount_of(amount: Credits, path: &str, complaints: &mut Complaints) -> Option<Credits> {
    if amount.is_negative() {
        complaints.error(path, format!("{amount} is below zero"), "write 0 or more");
        return None;
    }
    Some(amount)
}

fn span_of(span: Span, path: &str, complaints: &mut Complaints) -> Option<SignedDuration> {
    if span.0.is_zero() {
        complaints.error(path, "is zero", "write a time above zero, such as \"1h\"");
        return None;
    }
    Some(span.0)
}

/// An alert that would be told between any two readings is no alert.
fn patient(
    condition: Condition,
    account: &Account,
    path: &str,
    complaints: &mut Complaints,
) -> Option<Condition> {
    let Condition::ReadingOlderThan(span) = condition else {
        return Some(condition);
    };
    if span.unsigned_abs() > account.poll_interval {
        return Some(condition);
    }
    complaints.error(
        path,
        "is not longer than account.poll_interval: it would be told again and again",
        "write several times poll_interval",
    );
    None
}

fn webhook(
    raw: &WebhookFile,
    secrets: &WebhookSecrets,
    file: &File,
    item: &str,
    complaints: &mut Complaints,
) -> Option<Webhook> {
    let shapes = [("generic", Shape::Generic), ("slack", Shape::Slack)];
    let path = format!("{item}.shape");
    let c = complaints;
    let before = c.errors();
    let shape = scalars::word(c, &path, raw.shape.as_deref(), &shapes, Shape::Generic);
    let shape_known = c.errors() == before && !c.is_unread(&path);
    let through_proxy = raw.through_proxy.unwrap_or(false);
    if through_proxy && file.upstream.proxy.is_none() && !c.is_unread("upstream.proxy") {
        c.error(
            format!("{item}.through_proxy"),
            "there is no upstream.proxy",
            "set it, or leave out through_proxy",
        );
    }
    let named = raw.secret_env.is_some() || raw.secret_file.is_some();
    let unread = ["secret_env", "secret_file"]
        .iter()
        .any(|name| c.is_unread(&format!("{item}.{name}")));
    if shape == Shape::Generic && shape_known && !named && !unread {
        c.missing(
            format!("{item}.secret_env"),
            "name the environment variable of the secret that messages are signed with, or its \
             file in secret_file",
        );
    }
    let (path, url) = secrets.url.as_ref()?;
    if raw.url.is_some() && shape == Shape::Slack {
        c.warning(
            path,
            "whoever knows this address can post to it, and here it can be read",
            "name its environment variable in url_env, or its file in url_file",
        );
    }
    url_checked(url, path, c).then(|| Webhook {
        url: url.clone(),
        secret: secrets.secret.clone(),
        shape,
        through_proxy,
    })
}

/// The address is never repeated: it may be a secret.
fn url_checked(text: &Secret, path: &str, complaints: &mut Complaints) -> bool {
    let wrong = match Url::parse(text.expose()) {
        Err(_) => "is no URL",
        Ok(url) if !matches!(url.scheme(), "http" | "https") => "is neither http nor https",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "has a user name in it"
        }
        Ok(url) => {
            let host = url.host_str().unwrap_or_default();
            if url.scheme() == "http" && !super::upstream::is_loopback(host) {
                complaints.warning(
                    path,
                    "is plain http to another machine: alerts travel unencrypted",
                    "write https://",
                );
            }
            return true;
        }
    };
    complaints.error(
        path,
        wrong,
        "write it as \"https://alerts.example/generect\"",
    );
    false
}
