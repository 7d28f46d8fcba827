//! Others' code: under which licences it comes, and from where.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than to be named, or not even that.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// The one place that code comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every package that is compiled for Linux, its tests and benches included.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .current_dir(super::root())
        .args(["metadata", "--locked", "--format-version=1"])
        .arg("--filter-platform=x86_64-unknown-linux-gnu")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = all["resolve"]["nodes"].as_array().unwrap();
    let used: BTreeSet<&str> = nodes
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let packages = all["packages"].as_array().unwrap().iter();
    let packages = packages.filter(|package| used.contains(package["id"].as_str().unwrap()));
    packages.cloned().collect()
}

/// Whether an expression lets us choose allowed licences only. Where it has both OR and AND it may
/// refuse too much, never allow too much.
fn is_allowed(expression: &str) -> bool {
    expression.split(" AND ").all(|all| {
        let any = all.split(" OR ").flat_map(|one| one.split('/'));
        any.map(|one| one.trim_matches(['(', ')', ' ']))
            .any(|one| ALLOWED.contains(&one))
    })
}

#[test]
fn every_dependency_comes_from_the_registry_under_a_licence_that_asks_for_nothing() {
    let packages = packages();
    assert!(packages.len() > 100, "{}", packages.len());
    let mut wrong = Vec::new();
    for package in &packages {
        let name = format!("{} {}", package["name"], package["version"]);
        match package["license"].as_str() {
            Some(licence) if is_allowed(licence) => {}
            licence => wrong.push(format!("{name}: licence {licence:?} is not in the list")),
        }
        let ours = package["name"] == "generect-guard" && package["source"].is_null();
        if !ours && package["source"] != REGISTRY {
            wrong.push(format!("{name} comes from {}", package["source"]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_expression_is_allowed_if_one_choice_of_it_is() {
    for allowed in [
        "MIT",
        "GPL-3.0 OR MIT",
        "Unlicense/GPL-2.0",
        "(GPL-3.0 OR ISC) AND MIT",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR ISC) AND AGPL-3.0",
        "MITX",
        "",
    ] {
        assert!(!is_allowed(refused), "{refused}");
    }
}
