//! JSON texts as clients write them, badly too: names with escapes, blanks, names that come twice,
//! numbers and flags in every spelling the upstream's framework takes and many it does not.

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

fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<Document> {
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

/// A bound on rows: mostly one that the upstream takes, in one of its spellings.
pub fn bound() -> BoxedStrategy<Document> {
    prop_oneof![
        40 => (1_u32..40).prop_map(|bound| text(bound.to_string())),
        10 => (1_u32..40).prop_map(|bound| text(format!("\"{bound}\""))),
        10 => (1_u32..40).prop_map(|bound| text(format!("{bound}.0"))),
        6 => (1_u32..40).prop_map(|bound| text(format!("{bound}0e-1"))),
        6 => (1_u32..4).prop_map(|bound| text(format!("0.{bound}E+2"))),
        4 => (1_u32..40).prop_map(|bound| text(format!("\"00{bound}\""))),
        6 => Just(text("null")),
        4 => one_of(&["1599", "1600", "1601", "2400", "2401", "2500", "10000", "\"2400\"", "1.6e3"]),
        10 => select(ODD_BOUNDS).prop_map(text),
    ]
    .boxed()
}

/// Bounds that mean nothing, or something else to another reader.
pub const ODD_BOUNDS: &[&str] = &[
    "0",
    "-0",
    "0.0",
    "-1",
    "\"-3\"",
    "1E1",
    "1e400",
    "1e16",
    "1e15",
    "-1e1",
    "25.5",
    "0.5",
    "\"25 \"",
    "\" 25\"",
    "\"２５\"",
    "\"٢٥\"",
    "\"1_0\"",
    "\"+5\"",
    "\"1e1\"",
    "\"25.0\"",
    "\"25.\"",
    "\"25.5\"",
    "\"0x19\"",
    "\"\"",
    "\"null\"",
    "\"ten\"",
    "\"\\u0032\\u0035\"",
    "\"2\\u0000\"",
    "true",
    "false",
    "[25]",
    "[]",
    "{}",
    "{\"limit_by\":5}",
    "NaN",
    "Infinity",
    "-Infinity",
    "025",
    "+5",
    "25.",
    ".5",
    "0x19",
    "1_0",
    "1e",
    "99999999999999999999",
    "9007199254740993.0",
    "1.0000000000000000000000001",
    "24.999999999999999999999999",
    "25.000000000000000000000000",
    "18446744073709551616",
    "-9223372036854775809",
    "2.50000000000000000000000000000001e1",
    "\"18446744073709551617\"",
    "\"99999999999999999999999999999999999999999\"",
    "1e-1",
    "1e-400",
    "0.0000000000000000000000025e25",
    "2500000000000000000000000e-23",
];

/// A flag: mostly one that the upstream takes, in one of its spellings.
pub fn flag() -> BoxedStrategy<Document> {
    prop_oneof![
        30 => one_of(&["true", "1", "\"true\"", "1.0", "\"1\""]),
        20 => one_of(&["false", "0", "\"false\"", "0.0", "\"0\"", "-0"]),
        20 => one_of(TRUE_WORDS),
        10 => one_of(FALSE_WORDS),
        6 => Just(text("null")),
        10 => select(ODD_FLAGS).prop_map(text),
    ]
    .boxed()
}

/// Words the upstream's framework takes for true.
pub const TRUE_WORDS: &[&str] = &[
    "\"t\"",
    "\"T\"",
    "\"y\"",
    "\"Y\"",
    "\"yes\"",
    "\"Yes\"",
    "\"YES\"",
    "\"true\"",
    "\"True\"",
    "\"TRUE\"",
    "\"on\"",
    "\"On\"",
    "\"ON\"",
    "\"1\"",
    "1e0",
    "10e-1",
    "\"tr\\u0075e\"",
];

/// Words the upstream's framework takes for false.
pub const FALSE_WORDS: &[&str] = &[
    "\"f\"",
    "\"F\"",
    "\"n\"",
    "\"N\"",
    "\"no\"",
    "\"No\"",
    "\"NO\"",
    "\"false\"",
    "\"False\"",
    "\"FALSE\"",
    "\"off\"",
    "\"Off\"",
    "\"OFF\"",
    "\"0\"",
    "-0.0",
    "0e9",
];

/// Flags that mean nothing, or something else to another reader.
pub const ODD_FLAGS: &[&str] = &[
    "\"\"",
    "\"null\"",
    "\"Null\"",
    "\"NULL\"",
    "\"None\"",
    "\" true\"",
    "\"true \"",
    "\" false \"",
    "\"yEs\"",
    "\"oFF\"",
    "\" \"",
    "2",
    "-1",
    "1e400",
    "0.1",
    "1.5",
    "\"2\"",
    "\"-0\"",
    "\"0.0\"",
    "\"1.0\"",
    "\"ja\"",
    "\"00\"",
    "[]",
    "[true]",
    "{}",
    "NaN",
    "Infinity",
    "1e-400",
    "-0e400",
];

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
