//! Everything the vendor documents is in the catalogue.

use std::collections::BTreeSet;

use generect_guard::catalogue::{Class, Classified, OwnPage};

use super::catalogue;

/// `METHOD path` of every documented operation, one a line.
const DOCUMENTED: &str = include_str!("documented.txt");
/// Names the vendor's OpenAPI file, when it is at hand.
const OPENAPI_VARIABLE: &str = "GENERECT_OPENAPI";

fn documented() -> BTreeSet<String> {
    DOCUMENTED.lines().map(str::to_owned).collect()
}

#[test]
fn every_documented_operation_is_in_the_catalogue_and_explained() {
    let catalogue = catalogue();
    for line in documented() {
        let (method, template) = line.split_once(' ').unwrap();
        let path = template.replace("{job_id}", "7c9e-1").replace("{id}", "42");
        let found = catalogue.classify(method, &path);
        let Classified::Known { operation, job } = found else {
            panic!("{line} is not known: {found:?}");
        };
        assert_eq!(operation.path, template, "{line}");
        assert_eq!(job.is_some(), operation.class == Class::Poll, "{line}");
        assert!(operation.explanation.ends_with('.'), "{line}");
    }
}

#[test]
fn what_is_in_the_catalogue_is_documented_or_known_to_exist() {
    let undocumented = [
        "DELETE /api/auth/users/me/",
        "GET /api/auth/api_tokens/",
        "GET /api/auth/tiers/my-tier/",
        "PATCH /api/auth/users/me/",
        "POST /api/auth/api_tokens/",
        "POST /api/v1/profile/resolve/",
        "POST /api/v1/profile/resolve/bulk/",
        "PUT /api/auth/users/me/",
    ];
    let documented = documented();
    let ours: Vec<String> = catalogue()
        .operations()
        .map(|operation| format!("{} {}", operation.method, operation.path))
        .filter(|line| !documented.contains(line))
        .collect();
    let ours: BTreeSet<&str> = ours.iter().map(String::as_str).collect();
    assert_eq!(ours, BTreeSet::from(undocumented));
}

#[test]
fn the_list_is_what_the_vendors_file_says() {
    let Ok(path) = std::env::var(OPENAPI_VARIABLE) else {
        eprintln!("NOT CHECKED: the list of operations against the vendor's file, because");
        eprintln!("NOT CHECKED: {OPENAPI_VARIABLE} does not name it");
        return;
    };
    let text = std::fs::read_to_string(&path).unwrap();
    let file: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let mut theirs = BTreeSet::new();
    for (path, item) in file["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if method != "parameters" {
                theirs.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    assert_eq!(theirs, documented());
}

#[test]
fn what_shows_tokens_or_goes_around_the_guard_is_denied() {
    let catalogue = catalogue();
    for (method, path) in [
        ("GET", "/api/v1/accounts/tokens/analytics/"),
        ("GET", "/api/auth/api_tokens/"),
        ("POST", "/api/auth/api_tokens/"),
        ("POST", "/api/auth/token/login/"),
        ("PUT", "/api/auth/users/me/"),
        ("PATCH", "/api/auth/users/me/"),
        ("DELETE", "/api/auth/users/me/"),
        ("GET", "/api/v1/webhooks/"),
        ("POST", "/api/v1/webhooks/"),
        ("GET", "/api/v1/webhooks/42/"),
        ("PUT", "/api/v1/webhooks/42/"),
        ("PATCH", "/api/v1/webhooks/42/"),
        ("DELETE", "/api/v1/webhooks/42/"),
        ("POST", "/api/v1/webhooks/42/test/"),
    ] {
        let Classified::Known { operation, .. } = catalogue.classify(method, path) else {
            panic!("{method} {path} is not known");
        };
        assert_eq!(operation.class, Class::Denied, "{method} {path}");
    }
}

#[test]
fn classes_are_as_the_upstream_charges() {
    let catalogue = catalogue();
    let class = |name: &str| catalogue.operation(name).unwrap().class;
    for free in [
        "search_database_leads_count",
        "search_database_companies_count",
        "search_database_company_leads_count",
        "preview_leads_count",
        "my_tier",
    ] {
        assert_eq!(class(free), Class::Free, "{free}");
    }
    for charged in [
        "search_realtime_leads_count",
        "search_realtime_companies_count",
        "legacy_leads_by_icp_count",
        "legacy_companies_by_icp_count",
        "profile_resolve_bulk",
    ] {
        assert_eq!(class(charged), Class::Billable, "{charged}");
    }
    for account in [
        "accounts_me",
        "accounts_usage",
        "accounts_transactions",
        "users_me",
        "legacy_transactions",
        "legacy_spent_credits",
    ] {
        assert_eq!(class(account), Class::Account, "{account}");
    }
    let submits = catalogue
        .operations()
        .filter(|op| op.class == Class::Submit);
    assert_eq!(submits.count(), 6);
    let polls = catalogue.operations().filter(|op| op.class == Class::Poll);
    assert_eq!(polls.count(), 4);
}

#[test]
fn the_pages_a_team_has_of_its_own_are_these_five() {
    let catalogue = catalogue();
    let own = catalogue
        .operations()
        .filter_map(|operation| Some((operation.path.as_str(), operation.own_page?)));
    let own: Vec<_> = own.collect();
    assert_eq!(
        own,
        [
            ("/api/v1/accounts/me/", OwnPage::Me),
            ("/api/v1/accounts/transactions/", OwnPage::Transactions),
            ("/api/v1/accounts/usage/", OwnPage::Usage),
            ("/api/auth/tiers/my-tier/", OwnPage::Prices),
            ("/api/auth/users/me/", OwnPage::User),
        ]
    );
}

#[test]
fn an_explanation_never_says_what_clients_act_on() {
    for operation in catalogue().operations() {
        let text = operation.explanation.to_lowercase();
        for phrase in [
            "does not exist",
            "not found",
            "not supported in database mode",
            "free search quota",
            "insufficient funds",
        ] {
            assert!(!text.contains(phrase), "{}: {phrase}", operation.name);
        }
    }
}

#[test]
fn prices_and_slots_are_the_listed_ones() {
    let catalogue = catalogue();
    let prices: Vec<String> = catalogue
        .prices()
        .iter()
        .map(|(name, price)| format!("{name} {price}"))
        .collect();
    assert_eq!(
        prices,
        [
            "api_cached 0.02",
            "api_email_finder 0.02",
            "api_email_validation 0.005",
            "api_preview 0.002",
            "api_realtime 0.04",
            "phones 0.4",
            "profile_resolve 0.0005",
        ]
    );
    for (name, family, cap) in [
        ("search_database_companies", "search_companies", 20),
        ("search_realtime_companies", "search_companies", 20),
        ("search_realtime_leads", "search_leads", 50),
        ("enrich_realtime_company", "enrich_company", 50),
        ("enrich_database_lead", "enrich_lead", 500),
        ("profile_resolve_bulk", "enrich_lead", 500),
        ("preview_leads", "preview", 100),
        ("preview_leads_count", "preview", 100),
        ("legacy_lead_by_link", "legacy_lead_by_link", 500),
    ] {
        let slots = catalogue.operation(name).unwrap().slots.clone().unwrap();
        assert_eq!((&*slots.family, slots.cap), (family, cap), "{name}");
    }
    assert!(catalogue.operation("email_find").unwrap().slots.is_none());
}
