//! The documented paths, as data (dossier sections 2.1 to 2.8).

use super::{Endpoint, Mode, Route};
use crate::simulator::jobs::JobFamily;
use crate::simulator::slots::Scope;

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

/// Searches, counts and Preview.
pub(super) static SEARCHES: &[Route] = {
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

/// Enrichment, contacts, resolve, and their bulk jobs.
pub(super) static LOOKUPS: &[Route] = {
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

/// The account and what belongs to it.
pub(super) static ACCOUNT: &[Route] = {
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

/// The legacy linkedin paths.
pub(super) static LEGACY: &[Route] = {
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
