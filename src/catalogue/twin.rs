//! The operation that does the same on stored data, and which bodies it reads in the same way.

use std::borrow::Cow;

use super::body::{self, Value};
use super::operation::Place;
use crate::ids::OperationName;

/// The operation that can be called in another's place: with the same method and the same body, on
/// stored data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Its name.
    pub name: OperationName,
    /// The fields it is documented to read as the other does.
    pub reads: Vec<Place>,
}

impl Twin {
    /// Whether the twin reads everything in this body. What is not known to be read, even a `null`,
    /// is not: a filter that is passed over finds other rows, and one that is not supported none.
    pub fn reads_all(&self, body: &[u8]) -> bool {
        let Ok(root) = body::read(body) else {
            return false;
        };
        let Value::Object(members) = &root.value else {
            return false;
        };
        members.iter().all(|member| {
            let within = Some(member.name.as_ref());
            self.reads(None, &member.name)
                || match &member.node.value {
                    Value::Object(_) => self.reads_members(within, &member.node),
                    Value::Array(count) if *count > 0 => {
                        let entries = body::elements(body, member.node.span.clone());
                        let all = |entries: Vec<_>| {
                            let mut entries = entries.iter();
                            entries.all(|entry| self.reads_members(within, entry))
                        };
                        entries.is_ok_and(all)
                    }
                    _ => false,
                }
        })
    }

    /// Whether this is an object of fields that are read within `within`.
    fn reads_members(&self, within: Option<&str>, object: &body::Node<'_>) -> bool {
        let Value::Object(members) = &object.value else {
            return false;
        };
        let mut names = members.iter().map(|member| &member.name);
        let known = self
            .reads
            .iter()
            .any(|place| place.within.as_deref() == within);
        known && names.all(|name: &Cow<'_, str>| self.reads(within, name))
    }

    fn reads(&self, within: Option<&str>, name: &str) -> bool {
        let is = |place: &Place| place.within.as_deref() == within && place.name == name;
        self.reads.iter().any(is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_body_of_known_fields_is_read_whole() {
        let places = ["limit_by", "titles", "lead.limit_by", "leads.id"];
        let twin = Twin {
            name: "stored".into(),
            reads: places.map(|text| Place::parse(text).unwrap()).to_vec(),
        };
        for body in [
            "{}",
            r#"{"limit_by":5}"#,
            r#"{"titles":["a",{"b":1}],"limit\u005fby":"5"}"#,
            r#"{"lead":{"limit_by":5}}"#,
            r#"{"lead":{}}"#,
            r#"{"leads":[{"id":1},{"id":"2"},{}]}"#,
        ] {
            assert!(twin.reads_all(body.as_bytes()), "{body}");
        }
        for body in [
            "",
            "[]",
            "null",
            r#"{"limit_by":5,"limit_by":5}"#,
            r#"{"limit_by":5,"keywords":null}"#,
            r#"{"id":1}"#,
            r#"{"Titles":[]}"#,
            r#"{"lead":{"limit_by":5,"keywords":"x"}}"#,
            r#"{"lead":{"titles":[]}}"#,
            r#"{"lead":null}"#,
            r#"{"company":{}}"#,
            r#"{"leads":[]}"#,
            r#"{"leads":[{"id":1},{"posts":true}]}"#,
            r#"{"leads":[{"id":1},7]}"#,
            r#"{"lead.limit_by":5}"#,
        ] {
            assert!(!twin.reads_all(body.as_bytes()), "{body}");
        }
    }
}
