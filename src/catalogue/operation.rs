//! One priced thing the upstream does, as the catalogue describes it.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::price::PriceName;
use super::twin::Twin;
use crate::ids::OperationName;

/// Below it are pages of the guard's own.
pub(super) const GUARD_PATHS: &str = "/_guard/";

/// How the guard treats calls of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Takes nothing from the balance: no hold.
    Free,
    /// Held before it is sent, settled when it is answered.
    Billable,
    /// Starts a bulk job: held before it is sent, and held on until the job ends.
    Submit,
    /// Asks a bulk job how it is: free, but its answer settles the job.
    Poll,
    /// Shows the whole account, all teams together: free, and not for every key.
    Account,
    /// Never passed on; the operation's explanation says why.
    Denied,
}

impl Class {
    /// Whether calls of this class can take something from the balance: they are quoted and held.
    pub const fn is_charged(self) -> bool {
        match self {
            Self::Billable | Self::Submit => true,
            Self::Free | Self::Poll | Self::Account | Self::Denied => false,
        }
    }
}

/// From what in a successful answer the charge is read (dossier sections 1 and 2.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeFrom {
    /// Top-level `meta.amount_charged`: every v1 operation.
    #[default]
    Meta,
    /// Top-level `amount`, of either sign, in a unit the documents leave open: legacy searches.
    LegacyAmount,
    /// Not stated: one price for each row of the top-level array with a `valid_email`.
    ValidEmails,
    /// Not stated and not countable: the quote is taken as the charge.
    Quote,
}

/// A page of a team's own books, in the shape of one of the account's (dossier section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnPage {
    /// What the team has left and has used: `accounts/me`.
    Me,
    /// What it has used, by kind: `accounts/usage`.
    Usage,
    /// Its calls and their charges, one by one: `accounts/transactions`.
    Transactions,
    /// The first of these in its older shape: `users/me`.
    User,
    /// The unit prices in force: `my-tier`.
    Prices,
    /// How its budgets stand. The guard's own: the account has no such page.
    #[serde(skip)]
    Budgets,
}

/// A family of operations that share one cap on calls in flight (dossier section 1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The family's name.
    pub family: Arc<str>,
    /// Calls the upstream serves at a time, over the whole family.
    pub cap: u32,
}

/// One operation of the upstream.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its permanent name, e.g. `search_realtime_leads`.
    pub name: OperationName,
    /// The HTTP method, upper case.
    pub method: String,
    /// The path template; `{job_id}` and `{id}` stand for one segment.
    pub path: String,
    /// How calls of it are treated.
    pub class: Class,
    /// A sentence for people: what it takes, or why it is denied.
    pub explanation: String,
    /// For a submit: the operation that asks how its job is doing.
    pub poll: Option<OperationName>,
    /// The cap on calls in flight it falls under, if the upstream has one.
    pub slots: Option<Slots>,
    /// From what in its answer the charge is read.
    pub charge_from: ChargeFrom,
    /// The page of a team's own books that can answer it in the account's place.
    pub own_page: Option<OwnPage>,
    /// The operation that does the same on stored data, if the upstream has one.
    pub twin: Option<Twin>,
    /// What it takes: the quote is the sum over the parts. Empty unless its class is charged.
    pub parts: Vec<Part>,
}

/// A number of units at one price, with what may be charged on top of each.
#[derive(Clone, Debug)]
pub struct Part {
    /// The price of one unit.
    pub price: PriceName,
    /// How many units one call can take.
    pub count: Count,
    /// What the body can ask for on top.
    pub extras: Vec<Extra>,
}

/// How many units one call can take, and what in the body bounds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// Always this many.
    Flat(u64),
    /// As many rows as a field of the body allows.
    Rows(RowLimit),
    /// As many as these arrays hold together, at most `maximum`. The documented array comes
    /// first, others are what clients are known to send in its place.
    Items {
        /// Top-level arrays that are counted.
        arrays: Vec<String>,
        /// Items the upstream accepts, if it says.
        maximum: Option<u64>,
    },
    /// As many as the body, itself an array, holds.
    Body,
}

/// The field that bounds the rows of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLimit {
    /// Where the upstream reads it: dotted, e.g. `lead_search_criteria.limit_by`.
    pub at: Place,
    /// The documented minimum: a bound below it may be none at all.
    pub minimum: u64,
    /// The documented maximum, quoted and written when the body has no bound.
    pub maximum: u64,
    /// Spellings of a control that lowers the bound; the first that is present is the one the
    /// upstream obeys.
    pub lowered_by: Vec<Place>,
    /// Spellings of a list that the rows belong to, one row an entry. Only used when the body
    /// has no bound: its length is written as the bound.
    pub listed_in: Vec<Place>,
    /// Whether a missing enclosing object may be made to write the bound into. Not where its
    /// presence alone changes what the upstream does.
    pub create: bool,
}

/// A dotted place in the body, at most two names deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The enclosing object, if any.
    pub within: Option<String>,
    /// The name.
    pub name: String,
}

/// Something the body can ask for on top of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Spellings of the flag; the first that is present is the one the upstream obeys.
    pub flags: Vec<Place>,
    /// The price of one unit of it.
    pub price: PriceName,
    /// How many units it adds.
    pub units: ExtraUnits,
}

/// How many units an extra adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtraUnits {
    /// One for each unit of its part.
    PerUnit,
    /// A fixed number for the call.
    Fixed(u64),
}

impl Operation {
    /// The page that shows a team how its budgets stand: answered by the guard and never passed on.
    pub(super) fn guard_budgets() -> Self {
        Self {
            name: "guard_budgets".into(),
            method: "GET".into(),
            path: format!("{GUARD_PATHS}budgets/"),
            class: Class::Free,
            explanation: "How the team's budgets stand. Answered by the guard.".into(),
            poll: None,
            slots: None,
            charge_from: ChargeFrom::default(),
            own_page: Some(OwnPage::Budgets),
            twin: None,
            parts: Vec::new(),
        }
    }

    /// The path with `segment` in the place of its placeholder.
    pub fn path_of(&self, segment: &str) -> String {
        match self.placeholder() {
            Some(place) => {
                let (before, after) = (&self.path[..place.start], &self.path[place.end..]);
                format!("{before}{segment}{after}")
            }
            None => self.path.clone(),
        }
    }

    /// Where in the path template the placeholder stands, braces included.
    pub(super) fn placeholder(&self) -> Option<std::ops::Range<usize>> {
        let start = self.path.find('{')?;
        let end = self.path[start..].find('}')? + start + 1;
        Some(start..end)
    }
}

impl Place {
    /// Reads `name` or `object.name`.
    pub(super) fn parse(dotted: &str) -> Option<Self> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let (within, name) = match dotted.split_once('.') {
            Some((within, name)) => (Some(within), name),
            None => (None, dotted),
        };
        (is_name(name) && within.is_none_or(is_name)).then(|| Self {
            within: within.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(within) = &self.within {
            write!(out, "{within}.")?;
        }
        out.write_str(&self.name)
    }
}
