//! A request body, read so strictly that no other parser can read it differently.
//!
//! The upstream's parser lets the last of two equal keys win and reads `NaN`; others take the
//! first, or refuse. What could be read in two ways has no one price, so here it is an error:
//! equal keys at any depth, lone surrogates, a byte order mark, numbers outside the grammar,
//! anything after the document.
//!
//! Only what a price can depend on is kept: the members of the outermost object and of the
//! objects directly inside it. Everything else is checked and passed over, so that memory stays
//! in proportion to the body.

mod parser;

use std::borrow::Cow;
use std::ops::Range;

use parser::Parser;

/// A value and where in the body it stands.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) value: Value<'a>,
    pub(super) span: Range<usize>,
}

/// A value, as far as a price can depend on it.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// The digits as they stand.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// How many elements it has.
    Array(u64),
    /// The members, if the object is one of those that are kept.
    Object(Vec<Member<'a>>),
}

/// One member of an object.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) node: Node<'a>,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be read: {what} at byte {at}")]
pub(super) struct BodyError {
    what: &'static str,
    at: usize,
}

/// Reads a whole body.
pub(super) fn read(body: &[u8]) -> Result<Node<'_>, BodyError> {
    Parser::starting(body, 0)?.document()
}

/// The elements of an array that [`read`] found at `span`, each read like a body of its own.
pub(super) fn elements(body: &[u8], span: Range<usize>) -> Result<Vec<Node<'_>>, BodyError> {
    Parser::starting(body, span.start)?.elements()
}

impl<'a> Node<'a> {
    /// The member of this name, if this is an object that has it.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Object(members) => members
                .iter()
                .find(|member| member.name == name)
                .map(|member| &member.node),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parser::DEPTH_MAX;
    use super::*;

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":{n}")).collect();
        let many_twice = format!("{{{},\"k7\":0}}", many.join(","));
        for body in [
            r#"{"limit_by":1,"limit_by":2}"#,
            r#"{"limit_by":1,"limit\u005fby":2}"#,
            r#"{"a":{"b":[{"c":1,"d":2,"c":3}]}}"#,
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":-Infinity}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":1e}"#,
            r#"{"a":0x1}"#,
            r#"{'a':1}"#,
            r#"{"a":1,}"#,
            r#"{"a":1}{"#,
            r#"{"a":1} x"#,
            r#"{"a":"\ud800"}"#,
            r#"{"\ud800":1}"#,
            r#"{"a":"\udc00\ud800"}"#,
            r#"{"a":"\ud800\u0041"}"#,
            r#"{"a":"\x41"}"#,
            r#"{"a":"\u12g4"}"#,
            "{\"a\":\"\n\"}",
            "\u{feff}{}",
            "{\u{a0}}",
            "",
            "  ",
            "[",
            "{\"a\"",
            "{\"a\":",
            "tru",
            many_twice.as_str(),
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_err());
        assert!(read(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
    }

    #[test]
    fn equal_names_in_different_objects_are_no_repetition() {
        assert!(read(br#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#).is_ok());
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
        assert!(read(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn members_are_found_by_their_decoded_name() {
        let root = read(br#"{"lead_search_criteria":{"l\u0069mit_by": 25 }}"#).unwrap();
        let within = root.member("lead_search_criteria").unwrap();
        let bound = within.member("limit_by").unwrap();
        assert!(matches!(bound.value, Value::Number("25")));
    }

    #[test]
    fn elements_are_read_again_where_they_are_needed() {
        let body = br#"{"leads": [ {"posts":true} , 3, [] ]}"#;
        let root = read(body).unwrap();
        let span = root.member("leads").unwrap().span.clone();
        let found = elements(body, span).unwrap();
        assert_eq!(found.len(), 3);
        assert!(matches!(
            found[0].member("posts").unwrap().value,
            Value::Bool(true)
        ));
    }

    proptest! {
        #[test]
        fn what_is_read_here_reads_the_same_elsewhere(body in "[{}\\[\\]\",:0-9a-u\\\\ .eE+-]{0,24}") {
            if read(body.as_bytes()).is_ok() {
                let other = serde_json::from_str::<serde_json::Value>(&body);
                let out_of_range = matches!(&other, Err(error) if error.to_string().contains("out of range"));
                prop_assert!(other.is_ok() || out_of_range, "{body}");
            }
        }

        #[test]
        fn no_bytes_make_reading_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&body);
        }
    }
}
