//! JSON texts as clients write them, badly too: names with escapes, blanks, names that come twice,
//! members in any order.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A JSON text that still has its parts, so that it can be made smaller.
#[derive(Clone, Debug)]
pub enum Document {
    /// Text as it stands; not always JSON.
    Text(String),
    List(Vec<Document>),
    Map(Vec<Member>),
}

/// A member of an object.
pub type Member = (Name, Document);

/// A name and how it is written.
#[derive(Clone, Debug)]
pub struct Name {
    text: &'static str,
    spelling: Spelling,
}

#[derive(Clone, Copy, Debug)]
enum Spelling {
    Plain,
    /// The underscores, or else the first letter, as escapes.
    OneEscape,
    /// Every letter as an escape, in capitals.
    AllEscapes,
}

impl Document {
    /// The whole text, with `blank` wherever JSON allows one.
    pub fn written(&self, blank: &str) -> String {
        let mut out = blank.to_owned();
        self.write(blank, &mut out);
        out.push_str(blank);
        out
    }

    fn write(&self, blank: &str, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(blank);
                    item.write(blank, out);
                }
                out.push_str(blank);
                out.push(']');
            }
            Self::Map(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(blank);
                    name.write(out);
                    out.push_str(blank);
                    out.push(':');
                    out.push_str(blank);
                    value.write(blank, out);
                }
                out.push_str(blank);
                out.push('}');
            }
        }
    }
}

impl Name {
    fn write(&self, out: &mut String) {
        let has_underscore = self.text.contains('_');
        out.push('"');
        for (index, letter) in self.text.chars().enumerate() {
            let code = u32::from(letter);
            match self.spelling {
                Spelling::AllEscapes => out.push_str(&format!("\\u{code:04X}")),
                Spelling::OneEscape if letter == '_' || (!has_underscore && index == 0) => {
                    out.push_str(&format!("\\u{code:04x}"));
                }
                _ => out.push(letter),
            }
        }
        out.push('"');
    }
}

/// Text that is taken as it stands.
pub fn text(text: impl Into<String>) -> Document {
    Document::Text(text.into())
}

/// One of these texts, as it stands.
pub fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<Document> {
    select(texts).prop_map(text).boxed()
}

/// A member that is there in about `percent` of a hundred bodies, and now and then twice.
pub fn member(
    name: &'static str,
    percent: u32,
    value: BoxedStrategy<Document>,
) -> BoxedStrategy<Vec<Member>> {
    let spelling = prop_oneof![
        12 => Just(Spelling::Plain),
        1 => Just(Spelling::OneEscape),
        1 => Just(Spelling::AllEscapes),
    ];
    let one = (spelling, value).prop_map(move |(spelling, value)| {
        let name = Name {
            text: name,
            spelling,
        };
        (name, value)
    });
    prop_oneof![
        (100 - percent) * 100 => Just(Vec::new()),
        percent * 99 => vec(one.clone(), 1),
        percent => vec(one, 2),
    ]
    .boxed()
}

/// An object of these members, in any order.
pub fn object(members: Vec<BoxedStrategy<Vec<Member>>>) -> BoxedStrategy<Document> {
    members
        .prop_map(|members| members.into_iter().flatten().collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(Document::Map)
        .boxed()
}

/// A list of at most `most` of these, now and then with the same one again.
pub fn list(item: BoxedStrategy<Document>, most: usize) -> BoxedStrategy<Document> {
    (vec(item, 0..=most), 0_usize..8)
        .prop_map(|(mut items, again)| {
            if let (0, Some(first)) = (again, items.first().cloned()) {
                items.push(first);
            }
            Document::List(items)
        })
        .boxed()
}

/// Something that is nobody's business.
pub fn anything() -> BoxedStrategy<Document> {
    one_of(&[
        "1",
        "\"x\"",
        "null",
        "[]",
        "{}",
        "[1,[2,{\"limit_by\":3}]]",
        "{\"posts\":true}",
        "{\"lead_search_criteria\":{\"limit_by\":1}}",
        "\"\\ud83d\\ude00\"",
        "\"\\\"limit_by\\\":1\"",
        "1e-7",
        "\"\u{7f}\u{2028}\"",
        "\"\\ud800\"",
    ])
}
