//! What must hold between the fields of a catalogue file.

use std::collections::BTreeSet;

use super::{Draft, RawOperation};
use crate::catalogue::operation::{ChargeFrom, Class, Count, GUARD_PATHS, Operation};

/// Methods an operation may have. HEAD and OPTIONS are never passed on.
const METHODS: [&str; 5] = ["DELETE", "GET", "PATCH", "POST", "PUT"];

impl Draft {
    /// The texts of one operation.
    pub(super) fn check_names(&mut self, at: &str, raw: &RawOperation) {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if raw.name.is_empty() || !raw.name.bytes().all(plain) {
            self.complain(at, "a name is made of a-z, 0-9 and _");
        }
        if !METHODS.contains(&raw.method.as_str()) {
            self.complain(at, format!("{:?} is not one of {METHODS:?}", raw.method));
        }
        if raw.explanation.trim().is_empty() {
            self.complain(at, "has no explanation");
        }
        if !is_template(&raw.path) {
            self.complain(
                at,
                format!(
                    "{:?} is not a path from / to / of plain segments with at most one \
                     {{job_id}} or {{id}}",
                    raw.path
                ),
            );
        }
        if raw.path.starts_with(GUARD_PATHS) {
            self.complain(at, format!("paths below {GUARD_PATHS} are the guard's own"));
        }
    }

    /// What the class of an operation asks of the rest.
    pub(super) fn check_class(&mut self, at: &str, operation: &Operation) {
        let charged = operation.class.is_charged();
        if charged && operation.parts.is_empty() {
            self.complain(at, "is charged but has no part that says for what");
        }
        if !charged && !operation.parts.is_empty() {
            self.complain(at, "has parts but is not charged");
        }
        let has_job = operation.path.contains("{job_id}");
        if has_job != (operation.class == Class::Poll) {
            self.complain(at, "a poll, and nothing else, has a {job_id} in its path");
        }
        if operation.class != Class::Billable && operation.charge_from != ChargeFrom::Meta {
            self.complain(
                at,
                "only a billable operation may have another charge_from than meta",
            );
        }
        if operation.slots.is_some() && operation.class == Class::Poll {
            self.complain(at, "a poll waits for no slot: its job would wait with it");
        }
        let shows = matches!(operation.class, Class::Account | Class::Free);
        let asks = operation.method == "GET" && operation.placeholder().is_none();
        if operation.own_page.is_some() && !(shows && asks) {
            self.complain(
                at,
                "own_page belongs to a GET that takes nothing, of a path without placeholders",
            );
        }
        let bodies = operation.parts.iter();
        let arrays = bodies.filter(|part| part.count == Count::Body).count();
        if arrays > 0 && operation.parts.len() > 1 {
            self.complain(at, "a body that is an array is its only part");
        }
        // Two bounds written into one object could be the same member twice, or run into one another. An
        // object that is made up is written into the outermost one.
        let mut bounded = BTreeSet::new();
        for part in &operation.parts {
            if let Count::Rows(limit) = &part.count {
                let within = limit.at.within.as_deref();
                let outermost = limit.create && within.is_some();
                if !bounded.insert(within) || (outermost && !bounded.insert(None)) {
                    self.complain(at, format!("two parts are bounded beside {}", limit.at));
                }
            }
        }
    }

    /// Every job can be asked for, and by an operation that asks for jobs.
    pub(super) fn check_polls(&mut self) {
        let polls: BTreeSet<_> = (self.operations.iter())
            .filter(|operation| operation.class == Class::Poll)
            .map(|operation| operation.name.clone())
            .collect();
        let mut wrong = Vec::new();
        for operation in &self.operations {
            let what = match (operation.class, &operation.poll) {
                (Class::Submit, None) => "starts a job and names no poll to ask for it".to_owned(),
                (Class::Submit, Some(poll)) if !polls.contains(poll) => {
                    format!("there is no poll named {poll:?}")
                }
                (Class::Submit, Some(_)) | (_, None) => continue,
                (_, Some(_)) => "only a submit has a poll".to_owned(),
            };
            wrong.push((operation.name.to_string(), what));
        }
        for (at, what) in wrong {
            self.complain(&at, what);
        }
    }

    /// No two operations may share a name, or a method and path.
    pub(super) fn check_unique(&mut self) {
        let (mut names, mut routes) = (BTreeSet::new(), BTreeSet::new());
        let mut twice = Vec::new();
        for operation in &self.operations {
            if !names.insert(&operation.name) {
                twice.push((
                    operation.name.to_string(),
                    "is a name used twice".to_owned(),
                ));
            }
            if !routes.insert((&operation.method, &operation.path)) {
                let what = format!("{} {} is there twice", operation.method, operation.path);
                twice.push((operation.name.to_string(), what));
            }
        }
        for (at, what) in twice {
            self.complain(&at, what);
        }
    }

    /// A price or a family of slots that nothing uses is a misspelling of one that something does.
    pub(super) fn check_used(&mut self) {
        let prices = self.prices.iter().map(|(name, _)| format!("prices.{name}"));
        let slots = self.slots.keys().map(|name| format!("slots.{name}"));
        let unused: Vec<String> = prices
            .chain(slots)
            .filter(|name| !self.used.contains(name))
            .collect();
        for name in unused {
            self.complain(&name, "is used by no operation");
        }
    }
}

fn is_template(path: &str) -> bool {
    let Some(inner) = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
    else {
        return false;
    };
    let is_plain = |segment: &str| {
        !segment.is_empty()
            && segment.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
            })
    };
    let mut placeholders = 0;
    inner.split('/').all(|segment| {
        if matches!(segment, "{job_id}" | "{id}") {
            placeholders += 1;
            return placeholders == 1;
        }
        is_plain(segment)
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;

    const GOOD: &str = r#"
        [prices]
        one = "0.02"
        [[operation]]
        name = "find"
        method = "POST"
        path = "/find/"
        class = "billable"
        explanation = "Finds."
        [[operation.part]]
        price = "one"
        flat = 1
    "#;

    fn faults(toml: &str) -> Vec<String> {
        match read(toml) {
            Ok(_) => Vec::new(),
            Err(error) => error
                .faults
                .iter()
                .map(|fault| format!("{}: {}", fault.at, fault.what))
                .collect(),
        }
    }

    #[test]
    fn a_sound_file_has_no_faults() {
        assert_eq!(faults(GOOD), Vec::<String>::new());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let bad = GOOD
            .replace("\"0.02\"", "\"-1\"")
            .replace("\"POST\"", "\"HEAD\"")
            .replace("\"/find/\"", "\"find\"")
            .replace("\"find\"", "\"Find It\"")
            .replace("\"Finds.\"", "\" \"")
            .replace("flat = 1", "flat = 1\nrows = \"limit_by\"");
        let told = faults(&bad);
        for part in [
            "prices.one: is below zero",
            "a name is made of",
            "\"HEAD\" is not one of",
            "has no explanation",
            "is not a path",
            "exactly one of flat",
            "there is no price named \"one\"",
        ] {
            assert!(
                told.iter().any(|line| line.contains(part)),
                "{part}: {told:#?}"
            );
        }
    }

    #[test]
    fn each_fault_alone_is_a_fault() {
        let cases = [
            ("name = \"find\"", "name = \"find\"\nprise = 1", "prise"),
            ("class = \"billable\"", "class = \"poll\"", "a poll"),
            ("class = \"billable\"", "class = \"free\"", "not charged"),
            ("class = \"billable\"", "class = \"cheap\"", "cheap"),
            (
                "class = \"billable\"",
                "class = \"submit\"",
                "names no poll",
            ),
            (
                "class = \"billable\"",
                "class = \"submit\"\npoll = \"find\"",
                "no poll named",
            ),
            (
                "flat = 1",
                "flat = 1\n[[operation]]\nname = \"b\"\nmethod = \"GET\"\npath = \"/b/\"\nclass = \"free\"\nexplanation = \"B.\"\npoll = \"find\"",
                "only a submit",
            ),
            ("/find/", "/find/{job_id}/", "a poll"),
            ("/find/", "/{id}/find/{id}/", "not a path"),
            ("/find/", "/find//", "not a path"),
            ("/find/", "/f%69nd/", "not a path"),
            ("/find/", "/Find/", "not a path"),
            ("flat = 1", "flat = 0", "at least 1"),
            ("flat = 1", "", "exactly one of"),
            ("flat = 1", "items = []", "exactly one of"),
            ("flat = 1", "rows = \"limit_by\"", "documented maximum"),
            ("flat = 1", "rows = \"a.b.c\"\nmaximum = 1", "not a field"),
            ("flat = 1", "flat = 1\ncreate = true", "belong to rows"),
            ("flat = 1", "flat = -1", "part"),
            (
                "flat = 1",
                "rows = \"limit_by\"\nmaximum = 2\n[[operation.part]]\nprice = \"one\"\nrows = \"limit\"\nmaximum = 3",
                "two parts are bounded beside limit",
            ),
            ("explanation", "slots = \"none\"\nexplanation", "no slots"),
            (
                "explanation",
                "charge_from = \"hearsay\"\nexplanation",
                "hearsay",
            ),
            (
                "[prices]",
                "[slots]\nidle = 3\n[prices]\ntwo = 1",
                "slots.idle: is used by no",
            ),
            (
                "[prices]",
                "[slots]\nidle = 3\n[prices]\ntwo = 1",
                "prices.two: is used by no",
            ),
            ("[prices]", "[pries]\n[prices]", "pries: is not a setting"),
            ("[prices]", "[prices", "the file"),
        ];
        for (from, to, told) in cases {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD, "{from}");
            let found = faults(&bad);
            assert!(
                found.iter().any(|line| line.contains(told)),
                "{to}: {found:#?}"
            );
        }
    }

    #[test]
    fn what_is_the_guards_own_is_not_the_files_to_say() {
        let path = faults(&GOOD.replace("/find/", "/_guard/find/"));
        assert_eq!(path.len(), 1, "{path:#?}");
        assert!(path[0].ends_with("the guard's own"), "{path:#?}");
        let page = "own_page = \"budgets\"\nexplanation";
        let page = faults(&GOOD.replacen("explanation", page, 1));
        assert!(page[0].contains("budgets"), "{page:#?}");
    }

    #[test]
    fn an_object_that_is_made_up_is_not_written_beside_another_bound() {
        let first = "rows = \"limit\"\nmaximum = 2\n[[operation.part]]\nprice = \"one\"";
        let both = format!("{first}\nrows = \"a.limit\"\nmaximum = 3");
        assert_eq!(
            faults(&GOOD.replace("flat = 1", &both)),
            Vec::<String>::new()
        );
        let told = faults(&GOOD.replace("flat = 1", &format!("{both}\ncreate = true")));
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(
            told[0].contains("two parts are bounded beside a.limit"),
            "{told:#?}"
        );
    }

    #[test]
    fn a_poll_waits_for_no_slot() {
        let poll = "[[operation]]\nname = \"ask\"\nmethod = \"GET\"\npath = \"/find/{job_id}/\"\nclass = \"poll\"\nexplanation = \"Asks.\"";
        assert_eq!(faults(&format!("{GOOD}\n{poll}")), Vec::<String>::new());
        let told = faults(&format!(
            "{GOOD}\n{poll}\nslots = \"asks\"\n[slots]\nasks = 3"
        ));
        assert!(
            told.len() == 1 && told[0].contains("waits for no slot"),
            "{told:#?}"
        );
    }

    #[test]
    fn two_operations_do_not_share_a_name_or_a_path() {
        let table = &GOOD[GOOD.find("[[operation]]").unwrap()..];
        let told = faults(&format!("{GOOD}\n{table}"));
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(faults("").iter().any(|line| line.contains("missing")));
    }
}
