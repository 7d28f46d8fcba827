//! Bodies of every operation that takes something, as its documentation names their members.
//!
//! Written down from the documents, not from the catalogue: a member that the catalogue forgot
//! must come up here.

use proptest::prelude::*;
use proptest::sample::select;

use super::document::{Document, Member, anything, list, member, object, text};
use super::spellings::{bound, flag};

type Members = Vec<BoxedStrategy<Vec<Member>>>;

/// One body, ready to be sent.
pub fn body_of(operation: &str) -> BoxedStrategy<String> {
    let blank = prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")];
    (shape(operation), blank)
        .prop_map(|(document, blank)| document.written(blank))
        .boxed()
}

fn shape(operation: &str) -> BoxedStrategy<Document> {
    match operation {
        "search_database_leads"
        | "search_database_companies"
        | "search_realtime_leads"
        | "search_realtime_companies"
        | "search_realtime_leads_count"
        | "search_realtime_companies_count"
        | "legacy_leads_by_icp"
        | "legacy_leads_by_icp_count"
        | "legacy_companies_by_icp"
        | "legacy_companies_by_icp_count" => object([criteria(), misplaced_criteria()].concat()),
        "search_database_company_leads" | "search_realtime_company_leads" | "preview_leads" => {
            nested_search()
        }
        "enrich_database_lead" | "enrich_realtime_lead" => record(&["id", "linkedin_url", "email"]),
        "enrich_database_company" | "enrich_realtime_company" => {
            record(&["id", "domain", "linkedin_url", "name"])
        }
        "legacy_lead_by_link" => record(&["url"]),
        "legacy_company_by_link" => record(&["url", "name"]),
        "email_find" | "phone_find" => person(),
        "profile_resolve" => record(&["linkedin_url", "url", "id"]),
        "profile_resolve_bulk" => batch("profiles", record(&["linkedin_url", "url", "id"])),
        "enrich_database_leads_bulk" | "enrich_realtime_leads_bulk" => {
            batch("leads", record(&["id", "linkedin_url", "email"]))
        }
        "enrich_database_companies_bulk" | "enrich_realtime_companies_bulk" => batch(
            "companies",
            record(&["id", "domain", "linkedin_url", "name"]),
        ),
        "email_find_bulk" | "phone_find_bulk" => batch("leads", person()),
        "email_validate" => batch("emails", address()),
        "legacy_email_finder" => bare_list(person()),
        "legacy_email_validator" => bare_list(address()),
        other => panic!("{other} takes something and has no generated bodies"),
    }
}

/// Members of a search: filters, bounds and flags, those of other searches too.
fn criteria() -> Members {
    let emails = || list(address(), 12);
    vec![
        member("job_titles", 70, list(quoted(&["cto", "cfo"]), 2)),
        member("industries", 40, list(quoted(&["Retail"]), 2)),
        member("company_name", 15, quoted(&["Example"])),
        member("limit_by", 80, bound()),
        member(
            "offset_by",
            15,
            select(&["0", "3", "\"7\"", "5.0"][..])
                .prop_map(text)
                .boxed(),
        ),
        member("max_investigated_leads", 12, bound()),
        member("max_profiles_scanned", 12, bound()),
        member("emails", 6, emails()),
        member("find_by_emails", 12, emails()),
        member("full_data", 20, flag()),
        member("include_full_profile", 25, flag()),
        member("search_emails", 15, flag()),
        member("include_emails", 15, flag()),
        member("get_max_leads", 5, flag()),
        member("get_max_companies", 20, flag()),
        member("include_total_count", 10, flag()),
        member("detail", 6, quoted(&["thin", "full", "THIN"])),
        member("posts", 5, flag()),
    ]
}

/// Bounds and lists where nobody reads them.
fn misplaced_criteria() -> Members {
    let inner = object(vec![
        member("limit_by", 90, bound()),
        member("full_data", 30, flag()),
    ]);
    vec![
        member("lead_search_criteria", 8, inner.clone()),
        member("company_search_criteria", 5, inner),
        member("limit", 10, bound()),
        member("LIMIT_BY", 4, bound()),
        member("limit_by ", 4, bound()),
        member("leads", 4, anything()),
        member("extra", 10, anything()),
    ]
}

fn nested_search() -> BoxedStrategy<Document> {
    let rarely_odd = |inner| {
        prop_oneof![
            30 => inner,
            1 => Just(text("null")),
            1 => Just(text("{}")),
            1 => anything(),
        ]
        .boxed()
    };
    let mut members = vec![
        member("lead_search_criteria", 92, rarely_odd(object(criteria()))),
        member(
            "company_search_criteria",
            70,
            rarely_odd(object(criteria())),
        ),
        member("extra", 10, anything()),
    ];
    members.extend(criteria().into_iter().skip(3).step_by(2));
    object(members)
}

/// One record by its identifiers, with sections.
fn record(identifiers: &[&'static str]) -> BoxedStrategy<Document> {
    let mut members: Members = Vec::new();
    for (index, name) in identifiers.iter().enumerate() {
        members.push(member(name, if index == 0 { 90 } else { 4 }, identifier()));
    }
    for section in [
        "posts",
        "comments",
        "reactions",
        "people_also_viewed",
        "people_also_follow",
    ] {
        members.push(member(section, 30, flag()));
    }
    members.push(member("inexact_company", 10, flag()));
    members.push(member("extra", 10, anything()));
    members.push(member("leads", 3, anything()));
    object(members)
}

fn person() -> BoxedStrategy<Document> {
    object(vec![
        member("lead_id", 40, identifier()),
        member("linkedin_url", 40, identifier()),
        member("first_name", 40, quoted(&["Ada"])),
        member("last_name", 40, quoted(&["Invented"])),
        member("domain", 40, quoted(&["example.com"])),
        member("company", 40, quoted(&["Example"])),
        member("posts", 10, flag()),
        member("extra", 5, anything()),
    ])
}

/// A list under its documented name, under others, or under several.
fn batch(name: &'static str, item: BoxedStrategy<Document>) -> BoxedStrategy<Document> {
    let items = || {
        let most = list(item.clone(), 8);
        let many = list(item.clone(), 52);
        prop_oneof![12 => most, 1 => many, 1 => anything()].boxed()
    };
    let mut members = vec![member(name, 92, items())];
    for other in ["leads", "companies", "items", "profiles", "emails"] {
        if other != name {
            members.push(member(other, 6, items()));
        }
    }
    members.push(member("posts", 10, flag()));
    members.push(member("people_also_viewed", 10, flag()));
    members.push(member("extra", 10, anything()));
    object(members)
}

fn bare_list(item: BoxedStrategy<Document>) -> BoxedStrategy<Document> {
    prop_oneof![
        12 => list(item.clone(), 12),
        1 => anything(),
        1 => object(vec![member("emails", 90, list(item, 3))]),
    ]
    .boxed()
}

fn identifier() -> BoxedStrategy<Document> {
    prop_oneof![
        20 => "[a-z]{1,6}".prop_map(|name| text(format!("\"https://example.com/in/{name}/\""))),
        2 => Just(text("\"not-found\"")),
        2 => (1_u32..1000).prop_map(|id| text(id.to_string())),
        1 => anything(),
    ]
    .boxed()
}

fn address() -> BoxedStrategy<Document> {
    prop_oneof![
        20 => "[a-z]{1,4}".prop_map(|name| text(format!("\"{name}@example.com\""))),
        1 => Just(text("7")),
        1 => Just(text("\"\"")),
    ]
    .boxed()
}

fn quoted(texts: &'static [&'static str]) -> BoxedStrategy<Document> {
    select(texts)
        .prop_map(|word| text(format!("\"{word}\"")))
        .boxed()
}
