//! What each operation does with a readable request: how much it may take, what it does take, and
//! what it answers.
//!
//! An operation moves no money. It hands back a [`Work`]; the server sets `at_most` aside, waits
//! the configured latency, charges `lines` and gives the rest back.

mod account_pages;
mod bulk;
mod company_leads;
mod contact;
mod enrich;
mod legacy;
mod legacy_pages;
mod preview;
mod resolve;
mod search;
mod test_mode;
mod tokens;
mod webhooks;

use http::{Method, StatusCode};
use jiff::Timestamp;

use super::account::{Account, Line};
use super::answer::Answer;
use super::bodies::Json;
use super::jobs::NewJob;
use super::routes::{Endpoint, Mode, Route};
use super::settings::SimulatorSettings;
use super::truth::Delivery;
use super::{hashed, mixed};
use crate::credits::Credits;

pub(crate) use bulk::accepted;
pub(crate) use test_mode::{Forced, forced};
pub(crate) use webhooks::WebhookList;

/// A priced request that can be accepted.
pub(crate) struct Work {
    /// Set aside before anything is done.
    pub(crate) at_most: Credits,
    /// What it really is charged. Of a job: nothing yet.
    pub(crate) lines: Vec<Line>,
    pub(crate) answer: Answer,
    pub(crate) job: Option<NewJob>,
}

impl Work {
    fn new(at_most: Credits, lines: Vec<Line>, answer: Answer) -> Self {
        Self {
            at_most,
            lines,
            answer,
            job: None,
        }
    }
}

/// A request, as far as operations see it.
pub(crate) struct Call<'a> {
    pub(crate) settings: &'a SimulatorSettings,
    pub(crate) account: &'a Account,
    pub(crate) webhooks: &'a WebhookList,
    pub(crate) route: &'static Route,
    pub(crate) method: &'a Method,
    pub(crate) segment: Option<&'a str>,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: &'a Json,
    pub(crate) now: Timestamp,
    /// A test token: nothing is debited.
    pub(crate) test: bool,
    /// Nothing is found (forced in test mode).
    pub(crate) finds_nothing: bool,
}

impl Call<'_> {
    /// Unit price of a row or a record.
    fn price(&self, mode: Mode) -> Credits {
        match mode {
            Mode::Database => self.settings.prices.database,
            Mode::Realtime => self.settings.prices.realtime,
        }
    }

    /// Whether a lookup of this text finds something.
    fn finds(&self, text: &str) -> bool {
        !self.finds_nothing
            && !text.contains("not-found")
            && mixed(self.settings.seed ^ hashed(text)) % 100 < self.settings.hit_percent
    }

    /// Whether a section of what this text finds holds data.
    fn has_section(&self, text: &str, section: &str) -> bool {
        let seed = self.settings.seed ^ hashed(text).rotate_left(17) ^ hashed(section);
        mixed(seed) % 100 < self.settings.section_hit_percent
    }

    /// How many leads and companies match. A body may say so itself: `matches:7`.
    fn matches(&self, body: &Json) -> (u64, u64) {
        if self.finds_nothing {
            return (0, 0);
        }
        ["job_titles", "industries", "keywords"]
            .iter()
            .filter_map(|name| match body.get(name) {
                Some(Json::List(items)) => items.first(),
                other => other,
            })
            .find_map(|value| match value {
                Json::Text(text) => text.strip_prefix("matches:")?.parse().ok(),
                _ => None,
            })
            .map_or(
                (self.settings.matches, self.settings.company_matches),
                |all| (all, all),
            )
    }
}

/// A 400 with the complaints about fields.
fn invalid(detail: &str) -> Answer {
    Answer::refusal_json(StatusCode::BAD_REQUEST, detail)
}

/// A 400 with a text.
fn bad(detail: &str) -> Answer {
    Answer::refusal(StatusCode::BAD_REQUEST, detail)
}

/// So many of a unit.
fn line(units: u64, unit: Credits) -> Line {
    Line { units, unit }
}

fn times(unit: Credits, units: u64) -> Credits {
    unit.checked_times(units).unwrap_or(Credits::MAX)
}

/// Answers a priced request, or refuses it before it is accepted.
pub(crate) fn priced(call: &Call<'_>) -> Result<Work, Answer> {
    match call.route.endpoint {
        Endpoint::Leads(mode) => search::leads(call, mode),
        Endpoint::LeadsCount(_) => search::leads_count(call),
        Endpoint::Companies(mode) => search::companies(call, mode),
        Endpoint::CompaniesCount(_) => search::companies_count(call),
        Endpoint::CompanyLeads(mode) => company_leads::rows(call, mode),
        Endpoint::Preview => preview::rows(call),
        Endpoint::EnrichLead(mode) => enrich::lead(call, mode),
        Endpoint::EnrichCompany(mode) => enrich::company(call, mode),
        Endpoint::EmailFind => contact::email_find(call),
        Endpoint::EmailValidate => contact::email_validate(call),
        Endpoint::PhoneFind => contact::phone_find(call),
        Endpoint::Resolve => resolve::one(call),
        Endpoint::ResolveBulk => resolve::many(call),
        Endpoint::EnrichLeadsBulk(mode) => bulk::enrich_leads(call, mode),
        Endpoint::EnrichCompaniesBulk(mode) => bulk::enrich_companies(call, mode),
        Endpoint::EmailBulk => bulk::emails(call),
        Endpoint::PhoneBulk => bulk::phones(call),
        Endpoint::LegacyLeads => legacy::leads(call),
        Endpoint::LegacyLeadsCount => legacy::count(call, 3, call.settings.matches),
        Endpoint::LegacyCompanies => legacy::companies(call),
        Endpoint::LegacyCompaniesCount => legacy::count(call, 1, call.settings.company_matches),
        Endpoint::LegacyLead => legacy::lead(call),
        Endpoint::LegacyCompany => legacy::company(call),
        Endpoint::LegacyEmailFinder => legacy::email_finder(call),
        Endpoint::LegacyEmailValidator => legacy::email_validator(call),
        _ => Err(Answer::refusal(StatusCode::NOT_FOUND, "Not found.")),
    }
}

/// Answers a request that is free. A poll also says when its answer has been delivered.
pub(crate) fn free(call: &Call<'_>) -> (Answer, Option<Delivery>) {
    let answer = match call.route.endpoint {
        Endpoint::Poll(family) => return bulk::poll(call, family),
        Endpoint::LeadsCount(mode) => search::free_leads_count(call, mode),
        Endpoint::CompaniesCount(mode) => search::free_companies_count(call, mode),
        Endpoint::CompanyLeadsCount => company_leads::count(call),
        Endpoint::PreviewCount => preview::count(call),
        Endpoint::Me => account_pages::me(call),
        Endpoint::Usage => account_pages::usage(call),
        Endpoint::Transactions => account_pages::transactions(call),
        Endpoint::TokenAnalytics => tokens::analytics(call),
        Endpoint::MyTier => account_pages::my_tier(call),
        Endpoint::ApiTokens => tokens::api_tokens(call),
        Endpoint::Login => tokens::login(call),
        Endpoint::Webhooks | Endpoint::Webhook | Endpoint::WebhookTest => webhooks::answer(call),
        Endpoint::UsersMe => legacy_pages::users_me(call),
        Endpoint::LegacyTransactions => legacy_pages::transactions(call),
        Endpoint::SpentCredits => legacy_pages::spent_credits(call),
        _ => Answer::refusal(StatusCode::NOT_FOUND, "Not found."),
    };
    (answer, None)
}
