//! What is asked of the upstream: operations of every kind, bodies like no other, and what the books know
//! them by.

use sha2::{Digest, Sha256};

/// Operations that are called: the name in the books, the path, and how often of a hundred.
pub const OPERATIONS: [(&str, &str, u32); 6] = [
    (
        "search_database_leads",
        "/api/v1/search/database/leads/",
        35,
    ),
    (
        "search_realtime_leads",
        "/api/v1/search/realtime/leads/",
        22,
    ),
    (
        "enrich_database_company",
        "/api/v1/enrich/database/company/",
        15,
    ),
    ("email_find", "/api/v1/email/find/", 15),
    ("email_find_bulk", "/api/v1/email/find/bulk/", 7),
    (
        "enrich_database_leads_bulk",
        "/api/v1/enrich/database/leads/bulk/",
        6,
    ),
];

/// The name and the path of one of them. `dice`: below a hundred.
pub fn operation_of(mut dice: u32) -> (&'static str, &'static str) {
    let chosen = OPERATIONS.iter().find(|(_, _, share)| {
        let is_it = dice < *share;
        dice = dice.saturating_sub(*share);
        is_it
    });
    let (operation, path, _) = chosen.unwrap_or(&OPERATIONS[0]);
    (operation, path)
}

/// What the books know a call by: the documented digest, worked out here once more.
pub fn fingerprint(team: &str, key: &str, operation: &str, body: &[u8]) -> u64 {
    let mut digest = Sha256::new();
    for part in [team, key, operation] {
        digest.update(part);
        digest.update([0]);
    }
    digest.update(body);
    let bytes = digest.finalize();
    u64::from_be_bytes(bytes[..8].try_into().unwrap())
}

/// Where a job that `operation` started is polled.
pub fn place_of_job(operation: &str, job: &str) -> String {
    match operation {
        "email_find_bulk" => format!("/api/v1/email/find/bulk/{job}/"),
        _ => format!("/api/v1/enrich/leads/bulk/{job}/"),
    }
}

/// A body for `operation` like no other: the `number` stands in it. A job is of `some` people, who have
/// these first names; `search` says how many rows there are, and how many are asked for.
pub fn body_of(
    operation: &str,
    number: u64,
    some: u64,
    name: impl Fn(u64) -> String,
    search: impl FnOnce() -> (u64, u64),
) -> String {
    let person = |index: u64| {
        let name = name(index);
        format!(r#"{{"first_name":"{name}","last_name":"N{number}","domain":"example.com"}}"#)
    };
    let list = |one: &dyn Fn(u64) -> String| (0..some).map(one).collect::<Vec<_>>().join(",");
    match operation {
        "email_find" => person(0),
        "email_find_bulk" => format!(r#"{{"leads":[{}]}}"#, list(&person)),
        "enrich_database_company" => format!(r#"{{"domain":"c{number}.example.com"}}"#),
        "enrich_database_leads_bulk" => {
            let lead = |index: u64| format!(r#"{{"id":"l{number}-{index}"}}"#);
            format!(r#"{{"leads":[{}]}}"#, list(&lead))
        }
        _ => {
            let (matches, most) = search();
            format!(r#"{{"job_titles":["matches:{matches}","call {number}"],"limit_by":{most}}}"#)
        }
    }
}
