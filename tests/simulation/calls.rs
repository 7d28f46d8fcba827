//! What is called, and how the books and the upstream know it again.

use rand::RngExt;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};

/// Every operation that is called: its name in the books, its path, and how often of a hundred.
const OPERATIONS: [(&str, &str, u32); 6] = [
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

/// Whose call, of what.
#[derive(Clone, Debug)]
pub struct Call {
    pub team: String,
    pub key: String,
    pub operation: &'static str,
    pub path: &'static str,
    pub body: String,
}

impl Call {
    /// Any call of `key`, unlike every other: `number` stands in it.
    pub fn any(team: &str, key: &str, number: u64, random: &mut StdRng) -> Self {
        let mut dice = random.random_range(0..100);
        let chosen = OPERATIONS.iter().find(|(_, _, share)| {
            let is_it = dice < *share;
            dice = dice.saturating_sub(*share);
            is_it
        });
        let (operation, path, _) = *chosen.unwrap_or(&OPERATIONS[0]);
        Self {
            team: team.into(),
            key: key.into(),
            operation,
            path,
            body: body_of(operation, number, random),
        }
    }

    /// How the books know it again: the documented digest, worked out here once more.
    pub fn fingerprint(&self) -> u64 {
        let mut digest = Sha256::new();
        for part in [self.team.as_str(), &self.key, self.operation] {
            digest.update(part);
            digest.update([0]);
        }
        digest.update(&self.body);
        let all = digest.finalize();
        u64::from_be_bytes(all[..8].try_into().unwrap())
    }

    /// Where its job is asked for.
    pub fn place_of_job(&self, job: &str) -> String {
        match self.operation {
            "email_find_bulk" => format!("/api/v1/email/find/bulk/{job}/"),
            _ => format!("/api/v1/enrich/leads/bulk/{job}/"),
        }
    }
}

/// Whether the guard holds something for a request with this path.
pub fn is_billable(method: &str, path: &str) -> bool {
    method == "POST" && OPERATIONS.iter().any(|(_, known, _)| *known == path)
}

fn body_of(operation: &str, number: u64, random: &mut StdRng) -> String {
    let some = random.random_range(1..5);
    let found = random.random_range(0..6) > 0;
    let doomed = random.random_range(0..8) == 0;
    let person = |index: u64| {
        let name = match (found, doomed && index == 0) {
            (_, true) if operation == "email_find_bulk" => "job-error".to_owned(),
            (false, _) => "not-found".to_owned(),
            _ => format!("P{index}"),
        };
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
            let most = some + random.random_range(0..6);
            let matches = if found { some } else { 0 };
            format!(r#"{{"job_titles":["matches:{matches}","call {number}"],"limit_by":{most}}}"#)
        }
    }
}
