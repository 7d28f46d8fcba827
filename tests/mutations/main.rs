//! Planted bugs: each file here breaks one promise by a small change of the source, and names the
//! test that must notice. `tests/run-mutations` plants them, one by one, in a copy of the tree.
//!
//! What is checked here, in every run, is that they can still be planted: a mutation whose place is
//! gone would be one that nobody catches.

#![expect(
    clippy::unwrap_used,
    reason = "the parts of tests that are no tests themselves fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mutations() -> Vec<(PathBuf, Config)> {
    let files = fs::read_dir(root().join("tests/mutations")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let source = File::from_str(&text, FileFormat::Toml);
        (path, Config::builder().add_source(source).build().unwrap())
    };
    files.into_iter().map(read).collect()
}

#[test]
fn every_mutation_can_still_be_planted_in_exactly_one_place() {
    let mutations = mutations();
    assert!(mutations.len() >= 15, "{}", mutations.len());
    for (path, mutation) in mutations {
        let get = |name: &str| mutation.get_string(name).unwrap();
        let source = fs::read_to_string(root().join(get("file"))).unwrap();
        let (search, replace) = (get("search"), get("replace"));
        let places = source.matches(&search).count();
        assert_eq!(
            places,
            1,
            "{}: its place in {}",
            path.display(),
            get("file")
        );
        assert_ne!(search, replace, "{} changes nothing", path.display());
    }
}

#[test]
fn every_mutation_names_a_promise_and_a_test_that_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for (path, mutation) in mutations() {
        assert!(!mutation.get_string("breaks").unwrap().is_empty());
        let caught_by = mutation.get_string("caught_by").unwrap();
        let words: Vec<_> = caught_by.split(' ').collect();
        let is_there = match words[..] {
            ["--lib", _] => true,
            ["--test", name, _] => {
                let folder = format!("tests/{name}/main.rs");
                root().join(&folder).exists() || manifest.contains(&folder)
            }
            _ => false,
        };
        assert!(is_there, "{}: {caught_by}", path.display());
    }
}
