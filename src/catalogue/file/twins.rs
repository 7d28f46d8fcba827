//! What must hold between an operation and its twin.

use super::Draft;
use crate::catalogue::operation::{Class, Operation};
use crate::catalogue::twin::Twin;

impl Draft {
    /// The twin of one operation, as far as its own lines say.
    pub(super) fn twin(
        &mut self,
        at: &str,
        name: Option<String>,
        reads: &[String],
    ) -> Option<Twin> {
        if name.is_some() == reads.is_empty() {
            self.complain(at, "twin and twin_reads belong together");
        }
        let reads = self.places(at, reads);
        Some(Twin {
            name: name?.into(),
            reads,
        })
    }

    /// Every twin is there, is asked in the same way, and its jobs are asked for in the same place.
    pub(super) fn check_twins(&mut self) {
        let mut wrong = Vec::new();
        for operation in &self.operations {
            let Some(twin) = &operation.twin else {
                continue;
            };
            let found = (self.operations.iter()).find(|other| other.name == twin.name);
            if let Some(what) = fault(operation, twin, found) {
                wrong.push((operation.name.to_string(), what));
            }
        }
        for (at, what) in wrong {
            self.complain(&at, what);
        }
    }
}

fn fault(operation: &Operation, twin: &Twin, found: Option<&Operation>) -> Option<String> {
    let name = &twin.name;
    let Some(found) = found else {
        return Some(format!("there is no operation named {name:?} for its twin"));
    };
    let does_the_same = match operation.class {
        Class::Billable => matches!(found.class, Class::Billable | Class::Free),
        Class::Submit => found.class == Class::Submit && found.poll == operation.poll,
        _ => false,
    };
    if !does_the_same {
        return Some(format!(
            "{name} is no twin of it: a billable operation's is billable or free, a submit's has the same poll"
        ));
    }
    let asked_alike = found.method == operation.method
        && found.placeholder().is_none()
        && operation.placeholder().is_none();
    if !asked_alike {
        return Some(format!(
            "its twin {name} has another method, or one of them a placeholder"
        ));
    }
    (found.twin.is_some()).then(|| format!("its twin {name} has a twin of its own"))
}

#[cfg(test)]
mod tests {
    use super::super::read;

    const TWINS: &str = r#"
        [prices]
        one = "0.02"
        [[operation]]
        name = "live"
        method = "POST"
        path = "/live/"
        class = "billable"
        explanation = "Finds."
        twin = "stored"
        twin_reads = ["limit_by", "criteria.name"]
        [[operation.part]]
        price = "one"
        flat = 1
        [[operation]]
        name = "stored"
        method = "POST"
        path = "/stored/"
        class = "free"
        explanation = "Finds."
    "#;

    #[test]
    fn a_twin_that_is_none_is_a_fault() {
        assert!(read(TWINS).is_ok());
        for (from, to, told) in [
            (
                "twin = \"stored\"",
                "twin = \"stored_too\"",
                "no operation named",
            ),
            ("twin = \"stored\"\n", "", "belong together"),
            ("[\"limit_by\", \"criteria.name\"]", "[]", "belong together"),
            ("criteria.name", "a.b.c", "not a field"),
            ("twin = \"stored\"", "twin = \"live\"", "twin of its own"),
            ("class = \"free\"", "class = \"account\"", "is no twin"),
            ("class = \"free\"", "class = \"denied\"", "is no twin"),
            (
                "\"POST\"\n        path = \"/stored/\"",
                "\"GET\"\n        path = \"/stored/\"",
                "another method",
            ),
            ("/stored/", "/stored/{id}/", "placeholder"),
        ] {
            let bad = TWINS.replacen(from, to, 1);
            assert_ne!(bad, TWINS, "{from}");
            let faults = read(&bad).unwrap_err().to_string();
            assert!(faults.contains(told), "{to}: {faults}");
        }
    }
}
