//! Which paths exist, which methods they answer, and under what names their charges are written.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;

use super::bodies::unescaped;
use super::jobs::JobFamily;
use super::slots::Scope;
use table::{ACCOUNT, LEGACY, LOOKUPS, SEARCHES};

/// Cached or live data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Database,
    Realtime,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Leads(Mode),
    LeadsCount(Mode),
    Companies(Mode),
    CompaniesCount(Mode),
    CompanyLeads(Mode),
    CompanyLeadsCount,
    Preview,
    PreviewCount,
    EnrichLead(Mode),
    EnrichCompany(Mode),
    EmailFind,
    EmailValidate,
    PhoneFind,
    Resolve,
    ResolveBulk,
    EnrichLeadsBulk(Mode),
    EnrichCompaniesBulk(Mode),
    EmailBulk,
    PhoneBulk,
    Poll(JobFamily),
    Me,
    Usage,
    Transactions,
    TokenAnalytics,
    Webhooks,
    Webhook,
    WebhookTest,
    Data,
    MyTier,
    ApiTokens,
    Login,
    UsersMe,
    LegacyTransactions,
    SpentCredits,
    LegacyLeads,
    LegacyLeadsCount,
    LegacyCompanies,
    LegacyCompaniesCount,
    LegacyLead,
    LegacyCompany,
    LegacyEmailFinder,
    LegacyEmailValidator,
}

/// One documented path.
#[derive(Debug)]
pub(crate) struct Route {
    /// In its documented spelling; `{}` stands for one segment.
    pub(crate) path: &'static str,
    pub(crate) methods: &'static [&'static str],
    pub(crate) endpoint: Endpoint,
    /// Whether a call can be charged anything.
    pub(crate) priced: bool,
    /// Type of its transactions. Guesses but for `search_database_leads` (dossier section 2).
    pub(crate) kind: &'static str,
    /// Key in the usage breakdown.
    pub(crate) usage: &'static str,
    /// The cap it falls under.
    pub(crate) scope: Option<Scope>,
}

impl Route {
    pub(crate) fn allows(&self, method: &Method) -> bool {
        let method = if method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        self.methods.contains(&method)
    }

    /// The value of the `Allow` header.
    pub(crate) fn allow(&self) -> String {
        let mut names: Vec<&str> = self.methods.to_vec();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.join(", ")
    }

    pub(crate) fn is_legacy(&self) -> bool {
        !self.path.starts_with("/api/v1/")
    }
}

/// Where a path leads.
pub(crate) enum Found {
    Route {
        route: &'static Route,
        /// The `{}` segment.
        segment: Option<String>,
    },
    /// The path with a slash at its end exists.
    NeedsSlash,
    Unknown,
}

struct Table {
    exact: HashMap<&'static str, &'static Route>,
    with_segment: Vec<(&'static str, &'static str, &'static Route)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table {
        exact: HashMap::new(),
        with_segment: Vec::new(),
    };
    for route in SEARCHES.iter().chain(LOOKUPS).chain(ACCOUNT).chain(LEGACY) {
        match route.path.split_once("{}") {
            Some((before, after)) => table.with_segment.push((before, after, route)),
            None => {
                table.exact.insert(route.path, route);
            }
        }
    }
    table
});

/// Finds a path as the framework does: percent escapes resolved first, a doubled slash unknown.
pub(crate) fn find(raw_path: &str) -> Found {
    if let Some(route) = TABLE.exact.get(raw_path) {
        return Found::Route {
            route,
            segment: None,
        };
    }
    let path = unescaped(raw_path.as_bytes());
    if let Some(found) = look_up(&path) {
        return found;
    }
    if !path.ends_with('/') && look_up(&format!("{path}/")).is_some() {
        return Found::NeedsSlash;
    }
    Found::Unknown
}

fn look_up(path: &str) -> Option<Found> {
    if let Some(route) = TABLE.exact.get(path) {
        return Some(Found::Route {
            route,
            segment: None,
        });
    }
    TABLE
        .with_segment
        .iter()
        .find_map(|(before, after, route)| {
            let segment = path.strip_prefix(before)?.strip_suffix(after)?;
            (!segment.is_empty() && !segment.contains('/')).then(|| Found::Route {
                route,
                segment: Some(segment.to_owned()),
            })
        })
}

/// Every documented path with its methods, for tests that walk all of them.
pub fn documented_paths() -> Vec<(&'static str, &'static [&'static str])> {
    SEARCHES
        .iter()
        .chain(LOOKUPS)
        .chain(ACCOUNT)
        .chain(LEGACY)
        .map(|route| (route.path, route.methods))
        .collect()
}
