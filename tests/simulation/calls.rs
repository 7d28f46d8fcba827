//! What is called, and how the books and the upstream know it again.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::asked;

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
        let (operation, path) = asked::operation_of(random.random_range(0..100));
        Self {
            team: team.into(),
            key: key.into(),
            operation,
            path,
            body: body_of(operation, number, random),
        }
    }

    /// How the books know it again.
    pub fn fingerprint(&self) -> u64 {
        asked::fingerprint(&self.team, &self.key, self.operation, self.body.as_bytes())
    }

    /// Where its job is asked for.
    pub fn place_of_job(&self, job: &str) -> String {
        asked::place_of_job(self.operation, job)
    }
}

/// Whether the guard holds something for a request with this path.
pub fn is_billable(method: &str, path: &str) -> bool {
    method == "POST" && asked::OPERATIONS.iter().any(|(_, known, _)| *known == path)
}

fn body_of(operation: &str, number: u64, random: &mut StdRng) -> String {
    let some = random.random_range(1..5);
    let found = random.random_range(0..6) > 0;
    let doomed = random.random_range(0..8) == 0;
    let name = |index: u64| match (found, doomed && index == 0) {
        (_, true) if operation == "email_find_bulk" => "job-error".to_owned(),
        (false, _) => "not-found".to_owned(),
        _ => format!("P{index}"),
    };
    asked::body_of(operation, number, some, name, || {
        let most = some + random.random_range(0..6);
        (if found { some } else { 0 }, most)
    })
}
