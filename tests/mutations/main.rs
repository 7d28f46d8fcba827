//! Planted bugs: each file here breaks one promise by a small change of the source, and names the
//! test that must notice. `tests/run-mutations` plants them all in a copy of the tree, each behind a
//! switch (the word `PLANTED`), and turns on one after the other.
//!
//! What is checked here, in every run, is that they can still be planted: a mutation whose place is
//! gone would be one that nobody catches.

#![expect(
    clippy::unwrap_used,
    reason = "the parts of tests that are no tests themselves fail by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use config::{Config, File, FileFormat};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// By name, in the order in which they are planted.
fn mutations() -> BTreeMap<String, Config> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(root().join("tests/mutations")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = fs::read_to_string(&path).unwrap();
            let source = File::from_str(&text, FileFormat::Toml);
            let mutation = Config::builder().add_source(source).build().unwrap();
            let name = path.file_stem().unwrap().to_string_lossy();
            found.insert(name.into_owned(), mutation);
        }
    }
    found
}

#[test]
fn every_mutation_can_still_be_planted_in_exactly_one_place() {
    let mutations = mutations();
    assert!(mutations.len() >= 15, "{}", mutations.len());
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    for (name, mutation) in mutations {
        let get = |name: &str| mutation.get_string(name).unwrap();
        let (file, search, replace) = (get("file"), get("search"), get("replace"));
        let source = sources
            .entry(file.clone())
            .or_insert_with(|| fs::read_to_string(root().join(&file)).unwrap());
        let places = source.matches(&search).count();
        assert_eq!(places, 1, "{name}: its place in {file}");
        assert_eq!(replace.matches("PLANTED").count(), 1, "{name}: its switch");
        *source = source.replace(&search, &replace);
    }
}

#[test]
fn every_mutation_names_a_promise_and_a_test_that_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for (mutation_name, mutation) in mutations() {
        assert!(!mutation.get_string("breaks").unwrap().is_empty());
        let caught_by = mutation.get_string("caught_by").unwrap();
        let words: Vec<_> = caught_by.split(' ').collect();
        let is_there = match words[..] {
            ["--lib", _] => true,
            ["--test", name, _] => {
                let file = format!("tests/{name}/main.rs");
                root().join(&file).exists() || manifest.contains(&file)
            }
            _ => false,
        };
        assert!(is_there, "{mutation_name}: {caught_by}");
    }
}
