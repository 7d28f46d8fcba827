//! Which paths exist, which methods they answer, and under what names their charges are written.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;

use super::bodies::unescaped;
use super::jobs::JobFamily;
use super::slots::Scope;

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
    /// Whether a call can cost anything.
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

const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];

const fn free(path: &'static str, methods: &'static [&'static str], endpoint: Endpoint) -> Route {
    Route {
        path,
        methods,
        endpoint,
        priced: false,
        kind: "none",
        usage: "none",
        scope: None,
    }
}

const fn capped(path: &'static str, endpoint: Endpoint, scope: Scope) -> Route {
    let mut route = free(path, POST, endpoint);
    route.scope = Some(scope);
    route
}

const fn priced(
    path: &'static str,
    endpoint: Endpoint,
    kind: &'static str,
    usage: &'static str,
    scope: Option<Scope>,
) -> Route {
    Route {
        path,
        methods: POST,
        endpoint,
        priced: true,
        kind,
        usage,
        scope,
    }
}

static SEARCHES: &[Route] = {
    use Endpoint::{
        Companies, CompaniesCount, CompanyLeads, CompanyLeadsCount, Leads, LeadsCount, Preview,
        PreviewCount,
    };
    use Mode::{Database, Realtime};
    const LEADS: Scope = Scope::SearchLeads;
    const FIRMS: Scope = Scope::SearchCompanies;
    const DATABASE: &str = "search_database";
    const REALTIME: &str = "search_realtime";
    &[
        priced(
            "/api/v1/search/database/leads/",
            Leads(Database),
            "search_database_leads",
            DATABASE,
            Some(LEADS),
        ),
        priced(
            "/api/v1/search/realtime/leads/",
            Leads(Realtime),
            "search_realtime_leads",
            REALTIME,
            Some(LEADS),
        ),
        capped(
            "/api/v1/search/database/leads/count/",
            LeadsCount(Database),
            LEADS,
        ),
        priced(
            "/api/v1/search/realtime/leads/count/",
            LeadsCount(Realtime),
            "search_realtime_leads_count",
            REALTIME,
            None,
        ),
        priced(
            "/api/v1/search/database/companies/",
            Companies(Database),
            "search_database_companies",
            DATABASE,
            Some(FIRMS),
        ),
        priced(
            "/api/v1/search/realtime/companies/",
            Companies(Realtime),
            "search_realtime_companies",
            REALTIME,
            Some(FIRMS),
        ),
        capped(
            "/api/v1/search/database/companies/count/",
            CompaniesCount(Database),
            FIRMS,
        ),
        priced(
            "/api/v1/search/realtime/companies/count/",
            CompaniesCount(Realtime),
            "search_realtime_companies_count",
            REALTIME,
            None,
        ),
        priced(
            "/api/v1/search/database/company-leads/",
            CompanyLeads(Database),
            "search_database_company_leads",
            DATABASE,
            None,
        ),
        priced(
            "/api/v1/search/realtime/company-leads/",
            CompanyLeads(Realtime),
            "search_realtime_company_leads",
            REALTIME,
            None,
        ),
        free(
            "/api/v1/search/database/company-leads/count/",
            POST,
            CompanyLeadsCount,
        ),
        priced(
            "/api/v1/preview/leads/",
            Preview,
            "preview_leads",
            "preview",
            Some(Scope::Preview),
        ),
        capped("/api/v1/preview/leads/count/", PreviewCount, Scope::Preview),
    ]
};

static LOOKUPS: &[Route] = {
    use Endpoint::{
        EmailBulk, EmailFind, EmailValidate, EnrichCompaniesBulk, EnrichCompany, EnrichLead,
        EnrichLeadsBulk, PhoneBulk, PhoneFind, Poll, Resolve, ResolveBulk,
    };
    use Mode::{Database, Realtime};
    const LEAD: Option<Scope> = Some(Scope::EnrichLead);
    const FIRM: Option<Scope> = Some(Scope::EnrichCompany);
    const DATABASE: &str = "enrich_database";
    const REALTIME: &str = "enrich_realtime";
    const RESOLVE: &str = "Profile URL resolve";
    &[
        priced(
            "/api/v1/enrich/database/lead/",
            EnrichLead(Database),
            "enrich_database_lead",
            DATABASE,
            LEAD,
        ),
        priced(
            "/api/v1/enrich/realtime/lead/",
            EnrichLead(Realtime),
            "enrich_realtime_lead",
            REALTIME,
            LEAD,
        ),
        priced(
            "/api/v1/enrich/database/company/",
            EnrichCompany(Database),
            "enrich_database_company",
            DATABASE,
            FIRM,
        ),
        priced(
            "/api/v1/enrich/realtime/company/",
            EnrichCompany(Realtime),
            "enrich_realtime_company",
            REALTIME,
            FIRM,
        ),
        priced(
            "/api/v1/enrich/database/leads/bulk/",
            EnrichLeadsBulk(Database),
            "enrich_database_lead",
            DATABASE,
            None,
        ),
        priced(
            "/api/v1/enrich/realtime/leads/bulk/",
            EnrichLeadsBulk(Realtime),
            "enrich_realtime_lead",
            REALTIME,
            None,
        ),
        priced(
            "/api/v1/enrich/database/companies/bulk/",
            EnrichCompaniesBulk(Database),
            "enrich_database_company",
            DATABASE,
            None,
        ),
        priced(
            "/api/v1/enrich/realtime/companies/bulk/",
            EnrichCompaniesBulk(Realtime),
            "enrich_realtime_company",
            REALTIME,
            None,
        ),
        priced(
            "/api/v1/email/find/",
            EmailFind,
            "email_find",
            "email_find",
            None,
        ),
        priced(
            "/api/v1/email/find/bulk/",
            EmailBulk,
            "email_find",
            "email_find",
            None,
        ),
        priced(
            "/api/v1/email/validate/",
            EmailValidate,
            "email_validate",
            "email_validate",
            None,
        ),
        priced(
            "/api/v1/phone/find/",
            PhoneFind,
            "phone_find",
            "phone_find",
            None,
        ),
        priced(
            "/api/v1/phone/find/bulk/",
            PhoneBulk,
            "phone_find",
            "phone_find",
            None,
        ),
        priced(
            "/api/v1/profile/resolve/",
            Resolve,
            RESOLVE,
            "profile_resolve",
            LEAD,
        ),
        priced(
            "/api/v1/profile/resolve/bulk/",
            ResolveBulk,
            RESOLVE,
            "profile_resolve",
            LEAD,
        ),
        free("/api/v1/enrich/leads/bulk/{}/", GET, Poll(JobFamily::Leads)),
        free(
            "/api/v1/enrich/companies/bulk/{}/",
            GET,
            Poll(JobFamily::Companies),
        ),
        free("/api/v1/email/find/bulk/{}/", GET, Poll(JobFamily::Emails)),
        free("/api/v1/phone/find/bulk/{}/", GET, Poll(JobFamily::Phones)),
    ]
};

static ACCOUNT: &[Route] = {
    use Endpoint::{
        ApiTokens, Data, LegacyTransactions, Login, Me, MyTier, SpentCredits, TokenAnalytics,
        Transactions, Usage, UsersMe, Webhook, WebhookTest, Webhooks,
    };
    &[
        free("/api/v1/accounts/me/", GET, Me),
        free("/api/v1/accounts/usage/", GET, Usage),
        free("/api/v1/accounts/transactions/", GET, Transactions),
        free("/api/v1/accounts/tokens/analytics/", GET, TokenAnalytics),
        free("/api/v1/webhooks/", &["GET", "POST"], Webhooks),
        free(
            "/api/v1/webhooks/{}/",
            &["GET", "PUT", "PATCH", "DELETE"],
            Webhook,
        ),
        free("/api/v1/webhooks/{}/test/", POST, WebhookTest),
        free("/api/v1/data/{}/", &["GET", "POST"], Data),
        free("/api/auth/tiers/my-tier/", GET, MyTier),
        free("/api/auth/api_tokens/", &["GET", "POST"], ApiTokens),
        free("/api/auth/token/login/", POST, Login),
        free(
            "/api/auth/users/me/",
            &["GET", "PUT", "PATCH", "DELETE"],
            UsersMe,
        ),
        free("/api/auth/transactions/", GET, LegacyTransactions),
        free("/api/auth/transactions/spent_credits/", GET, SpentCredits),
    ]
};

static LEGACY: &[Route] = {
    use Endpoint::{
        LegacyCompanies, LegacyCompaniesCount, LegacyCompany, LegacyEmailFinder,
        LegacyEmailValidator, LegacyLead, LegacyLeads, LegacyLeadsCount,
    };
    &[
        priced(
            "/api/linkedin/leads/by_icp/",
            LegacyLeads,
            "leads_by_icp",
            "search_realtime",
            Some(Scope::LegacyLeads),
        ),
        priced(
            "/api/linkedin/leads/by_icp/get_count/",
            LegacyLeadsCount,
            "leads_by_icp",
            "search_realtime",
            None,
        ),
        priced(
            "/api/linkedin/companies/by_icp/",
            LegacyCompanies,
            "companies_by_icp",
            "search_realtime",
            Some(Scope::LegacyCompanies),
        ),
        priced(
            "/api/linkedin/companies/by_icp/get_count/",
            LegacyCompaniesCount,
            "companies_by_icp",
            "search_realtime",
            None,
        ),
        priced(
            "/api/linkedin/leads/by_link/",
            LegacyLead,
            "lead_by_link",
            "enrich_realtime",
            Some(Scope::LegacyLead),
        ),
        priced(
            "/api/linkedin/companies/by_link/",
            LegacyCompany,
            "company_by_link",
            "enrich_realtime",
            Some(Scope::LegacyCompany),
        ),
        priced(
            "/api/linkedin/email_finder/",
            LegacyEmailFinder,
            "email_finder",
            "email_find",
            None,
        ),
        priced(
            "/api/linkedin/email_validator/",
            LegacyEmailValidator,
            "email_verifier",
            "email_validate",
            None,
        ),
    ]
};

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
