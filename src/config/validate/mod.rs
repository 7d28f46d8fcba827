//! The rules: everything is looked at, every complaint is gathered, and only then is there a
//! [`Config`].
//!
//! One file a concern. A rule that finds a mistake goes on with the default, so that the rest can
//! be looked at, and never tells one mistake twice.

mod alerts;
mod budgets;
mod catalogue;
mod clients;
mod coverage;
mod limits;
mod operations;
mod reconciliation;
mod scalars;
mod secrets;
mod sections;
mod server;
mod slots;
mod upstream;

use std::sync::Arc;

pub use scalars::is_id;

use super::complaint::{Complaint, Complaints, ConfigErrors};
use super::file::File;
use super::secret_source::Fetched;
use super::settings::Config;

/// Checks a file whose secrets were fetched, and compiles it.
pub(super) fn compile(
    file: &File,
    fetched: Fetched,
    mut complaints: Complaints,
) -> Result<Config, ConfigErrors> {
    let c = &mut complaints;
    let server = server::server(&file.server, c);
    let upstream = upstream::upstream(&file.upstream, fetched.token, c);
    let ledger = sections::ledger(&file.ledger, c);
    let account = sections::account(&file.account, c);
    let reconciliation = reconciliation::reconciliation(&file.reconciliation, c);
    let kept_answers = sections::kept_answers(&file.kept_answers, c);
    let logging = sections::logging(&file.log, c);
    patience(file, &server, &upstream, c);
    let (catalogue, prices) = catalogue::catalogue(&file.catalogue, c);
    let catalogue_read = catalogue.as_ref();
    let slots = slots::slots(&file.slots, catalogue_read, c);
    let teams = clients::teams(&file.team, c);
    let keys = clients::keys(file, &teams, &upstream.token, catalogue_read, c);
    let known = budgets::Known {
        teams: &teams,
        keys: &keys,
        catalogue: catalogue_read,
    };
    let budgets = budgets::budgets(&file.budget, &known, c);
    let floors = limits::floors(&file.floor, c);
    let rates = limits::rates(&file.rate, &known, c);
    let alerts = alerts::alerts(file, fetched.webhooks.as_deref(), &account, c);
    coverage::coverage(&teams, &keys, &budgets, catalogue_read, c);
    let warnings = complaints.finish()?;
    // A catalogue that could not be read was complained about, so this is not reached without one.
    let catalogue = catalogue.ok_or_else(|| {
        ConfigErrors::one(Complaint {
            path: "catalogue.file".to_owned(),
            what: "could not be read".to_owned(),
            hint: String::new(),
        })
    })?;
    Ok(Config {
        server,
        upstream,
        slots,
        ledger,
        account,
        reconciliation,
        kept_answers,
        logging,
        catalogue: Arc::new(catalogue),
        prices,
        teams,
        clients: keys.clients,
        budgets: budgets.budgets,
        floors,
        rates,
        alerts,
        warnings,
    })
}

/// A guard that is stopped waits for its running calls; those it does not wait for are in doubt.
fn patience(
    file: &File,
    server: &super::settings::Server,
    upstream: &super::settings::Upstream,
    complaints: &mut Complaints,
) {
    if server.drain_timeout < upstream.response_timeout {
        let path = if file.server.drain_timeout.is_some() {
            "server.drain_timeout"
        } else {
            "upstream.response_timeout"
        };
        complaints.warning(
            path,
            "a stop waits less long than a call may take: calls it cuts off will be in doubt",
            "make server.drain_timeout at least upstream.response_timeout",
        );
    }
}
