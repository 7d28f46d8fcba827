//! Method and path to operation: exact, case-sensitive, and nothing else passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;

use super::file::{self, CatalogueError};
use super::operation::{Class, Operation};
use super::price::Prices;
use crate::ids::OperationName;

/// Characters one `{job_id}` or `{id}` segment may have. Job ids are UUIDs (dossier section 5).
const SEGMENT_CHARS_MAX: usize = 128;

/// Every operation of the upstream that the guard knows, and the listed prices.
#[derive(Debug)]
pub struct Catalogue {
    by_name: BTreeMap<OperationName, Arc<Operation>>,
    /// Operations of each path without a placeholder.
    exact: AHashMap<String, Vec<Arc<Operation>>>,
    /// The few paths with one.
    patterns: Vec<Pattern>,
    prices: Prices,
}

/// A path with one placeholder segment.
#[derive(Debug)]
struct Pattern {
    prefix: String,
    suffix: String,
    is_job: bool,
    operations: Vec<Arc<Operation>>,
}

/// What a method and a path stand for.
#[derive(Debug)]
pub enum Classified<'a> {
    /// An operation of the catalogue.
    Known {
        /// The operation.
        operation: &'a Arc<Operation>,
        /// The `{job_id}` segment of a poll.
        job: Option<&'a str>,
    },
    /// The path is known, the method is not.
    WrongMethod {
        /// The methods that are passed on there; none if all of them are denied.
        allowed: Vec<&'a str>,
    },
    /// Not in the catalogue.
    Unknown,
}

impl Catalogue {
    /// The catalogue that is built into the binary.
    ///
    /// # Errors
    /// When the built-in file has faults, which a test rules out.
    pub fn built_in() -> Result<Self, CatalogueError> {
        Self::parse(include_str!("../../config/catalogue.toml"))
    }

    /// Reads a catalogue from the text of a file such as `config/catalogue.toml`.
    ///
    /// # Errors
    /// Every fault of the file at once, each with its place.
    pub fn parse(toml: &str) -> Result<Self, CatalogueError> {
        let (operations, prices) = file::read(toml)?;
        Ok(Self::new(operations, prices))
    }

    /// Indexes operations that have been checked: names and (method, path) pairs are unique.
    fn new(operations: Vec<Operation>, prices: Prices) -> Self {
        let mut catalogue = Self {
            by_name: BTreeMap::new(),
            exact: AHashMap::new(),
            patterns: Vec::new(),
            prices,
        };
        for operation in operations {
            let operation = Arc::new(operation);
            catalogue
                .by_name
                .insert(operation.name.clone(), Arc::clone(&operation));
            match operation.placeholder() {
                None => catalogue
                    .exact
                    .entry(operation.path.clone())
                    .or_default()
                    .push(operation),
                Some(place) => {
                    let prefix = operation.path[..place.start].to_owned();
                    let suffix = operation.path[place.end..].to_owned();
                    let is_job = &operation.path[place] == "{job_id}";
                    catalogue.add_pattern(prefix, suffix, is_job, operation);
                }
            }
        }
        // It is nothing the upstream does, so it is not among the operations.
        let own = Operation::guard_budgets();
        let path = own.path.clone();
        catalogue.exact.insert(path, vec![Arc::new(own)]);
        catalogue
    }

    fn add_pattern(
        &mut self,
        prefix: String,
        suffix: String,
        is_job: bool,
        operation: Arc<Operation>,
    ) {
        let same = self.patterns.iter_mut().find(|pattern| {
            pattern.prefix == prefix && pattern.suffix == suffix && pattern.is_job == is_job
        });
        match same {
            Some(pattern) => pattern.operations.push(operation),
            None => self.patterns.push(Pattern {
                prefix,
                suffix,
                is_job,
                operations: vec![operation],
            }),
        }
    }

    /// The operation a method and a normalised path stand for. The path ends with `/` and has no
    /// query; it is compared byte for byte, so an encoded or differently cased spelling of a
    /// known path is unknown.
    pub fn classify<'a>(&'a self, method: &str, path: &'a str) -> Classified<'a> {
        if let Some(operations) = self.exact.get(path) {
            return choose(operations, method, None);
        }
        for pattern in &self.patterns {
            if let Some(segment) = pattern.segment(path) {
                let job = pattern.is_job.then_some(segment);
                return choose(&pattern.operations, method, job);
            }
        }
        Classified::Unknown
    }

    /// The operation of a name.
    pub fn operation(&self, name: &str) -> Option<&Arc<Operation>> {
        self.by_name.get(name)
    }

    /// The operation that does the same as `operation` on stored data, if there is one.
    pub fn twin_of(&self, operation: &Operation) -> Option<&Arc<Operation>> {
        self.operation(operation.twin.as_ref()?.name.as_str())
    }

    /// Every operation, in the order of the names.
    pub fn operations(&self) -> impl Iterator<Item = &Arc<Operation>> {
        self.by_name.values()
    }

    /// The listed prices.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }
}

impl Pattern {
    /// The segment that stands in the placeholder's place, if the path is of this shape.
    fn segment<'p>(&self, path: &'p str) -> Option<&'p str> {
        let segment = path
            .strip_prefix(self.prefix.as_str())?
            .strip_suffix(self.suffix.as_str())?;
        let plain = segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (plain && (1..=SEGMENT_CHARS_MAX).contains(&segment.len())).then_some(segment)
    }
}

fn choose<'a>(
    operations: &'a [Arc<Operation>],
    method: &str,
    job: Option<&'a str>,
) -> Classified<'a> {
    if let Some(operation) = operations.iter().find(|known| known.method == method) {
        return Classified::Known { operation, job };
    }
    let passed = operations
        .iter()
        .filter(|known| known.class != Class::Denied);
    Classified::WrongMethod {
        allowed: passed.map(|known| known.method.as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(method: &str, path: &str) -> Option<String> {
        let catalogue = Catalogue::built_in().unwrap();
        match catalogue.classify(method, path) {
            Classified::Known { operation, .. } => Some(operation.name.to_string()),
            _ => None,
        }
    }

    #[test]
    fn a_known_path_is_its_operation() {
        assert_eq!(
            name_of("POST", "/api/v1/search/realtime/leads/").as_deref(),
            Some("search_realtime_leads")
        );
        assert_eq!(
            name_of("POST", "/api/v1/search/realtime/leads/count/").as_deref(),
            Some("search_realtime_leads_count")
        );
    }

    #[test]
    fn another_spelling_of_a_known_path_is_unknown() {
        for path in [
            "/api/v1/search/realtime/leads",
            "/API/v1/search/realtime/leads/",
            "/api/v1/search/realtime/Leads/",
            "/api/v1/search/realtime/lead%73/",
            "/api/v1//search/realtime/leads/",
            "/api/v1/search/realtime/leads//",
            "/api/v1/search/realtime/leads/./",
            "/api/v1/search/realtime/leads;x/",
            " /api/v1/search/realtime/leads/",
            "/api/v1/api/search/realtime/leads/",
            "/api/v1/search/realtime/company-leads/count/",
            "/api/v1/data/anything/",
            "/",
            "",
        ] {
            assert_eq!(name_of("POST", path), None, "{path}");
        }
    }

    #[test]
    fn a_poll_names_its_job() {
        let catalogue = Catalogue::built_in().unwrap();
        let path = "/api/v1/phone/find/bulk/0b7c-4f_9/";
        let Classified::Known { operation, job } = catalogue.classify("GET", path) else {
            panic!("a poll is known");
        };
        assert_eq!(operation.name.as_str(), "phone_find_bulk_job");
        assert_eq!(job, Some("0b7c-4f_9"));
    }

    #[test]
    fn a_job_is_one_plain_segment() {
        let long = "a".repeat(SEGMENT_CHARS_MAX + 1);
        for job in ["", "a/b", "a%2Fb", "..", "a.b", "a;b", "a b", "é", &long] {
            let path = format!("/api/v1/phone/find/bulk/{job}/");
            assert_eq!(name_of("GET", &path), None, "{path}");
        }
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        let catalogue = Catalogue::built_in().unwrap();
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "post", "POST ", ""] {
            let found = catalogue.classify(method, "/api/v1/email/find/");
            let Classified::WrongMethod { allowed } = found else {
                panic!("{method:?} is not known there: {found:?}");
            };
            assert_eq!(allowed, ["POST"]);
        }
        let found = catalogue.classify("HEAD", "/api/v1/webhooks/");
        let Classified::WrongMethod { allowed } = found else {
            panic!("HEAD is not known there: {found:?}");
        };
        assert!(allowed.is_empty(), "denied methods are not offered");
    }
}
