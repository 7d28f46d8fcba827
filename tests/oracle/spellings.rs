//! Bounds and flags in every spelling the upstream's framework takes, and many it does not.

use proptest::prelude::*;
use proptest::sample::select;

use super::document::{Document, one_of, text};

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
