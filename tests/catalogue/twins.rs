//! Which operations have a twin on stored data, and which bodies may be sent to it.

use std::collections::BTreeSet;

use generect_guard::catalogue::{Count, Place};
use serde_json::Value;

use super::catalogue;

/// Names the vendor's OpenAPI file, when it is at hand.
const OPENAPI_VARIABLE: &str = "GENERECT_OPENAPI";

#[test]
fn every_realtime_operation_has_its_twin_and_nothing_else_has_one() {
    let catalogue = catalogue();
    let mut twins = 0;
    for operation in catalogue.operations() {
        let name = operation.name.as_str();
        let other = catalogue.twin_of(operation);
        let other = other.map(|twin| (twin.name.to_string(), twin.path.clone()));
        let stored = |text: &str| text.replace("realtime", "database");
        let expected = name
            .contains("_realtime_")
            .then(|| (stored(name), stored(&operation.path)));
        assert_eq!(other, expected, "{name}");
        twins += usize::from(expected.is_some());
    }
    assert_eq!(twins, 9);
}

#[test]
fn a_body_for_the_twin_can_be_bounded_and_asks_for_nothing_only_realtime_charges_for() {
    let catalogue = catalogue();
    for operation in catalogue.operations() {
        let (Some(twin), Some(stored)) = (&operation.twin, catalogue.twin_of(operation)) else {
            continue;
        };
        let reads = |place: &Place| twin.reads.contains(place);
        let charged_there = |place: &Place| {
            let extras = stored.parts.iter().flat_map(|part| &part.extras);
            extras.into_iter().any(|extra| extra.flags.contains(place))
        };
        for part in &stored.parts {
            if let Count::Rows(limit) = &part.count {
                assert!(reads(&limit.at), "{}: {}", twin.name, limit.at);
            }
        }
        for part in &operation.parts {
            if let Count::Rows(limit) = &part.count {
                let mut only_here = limit.lowered_by.iter().chain(&limit.listed_in);
                assert!(!only_here.any(reads), "{}", operation.name);
            }
            for place in part.extras.iter().flat_map(|extra| &extra.flags) {
                assert!(
                    !reads(place) || charged_there(place),
                    "{}: {place}",
                    operation.name
                );
            }
        }
    }
}

#[test]
fn what_a_twin_reads_is_what_the_vendors_file_says_of_both() {
    let Ok(path) = std::env::var(OPENAPI_VARIABLE) else {
        eprintln!("NOT CHECKED: what twins read against the vendor's file, because");
        eprintln!("NOT CHECKED: {OPENAPI_VARIABLE} does not name it");
        return;
    };
    let text = std::fs::read_to_string(&path).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let catalogue = catalogue();
    for operation in catalogue.operations() {
        let (Some(twin), Some(stored)) = (&operation.twin, catalogue.twin_of(operation)) else {
            continue;
        };
        let fields = |path: &str| {
            let post = &file["paths"][path]["post"];
            let schema = &post["requestBody"]["content"]["application/json"]["schema"];
            fields_of(&file, schema, "")
        };
        let reads: BTreeSet<String> = twin.reads.iter().map(ToString::to_string).collect();
        assert_eq!(fields(&stored.path), reads, "{}", stored.name);
        let here = fields(&operation.path);
        assert!(reads.is_subset(&here), "{}", operation.name);
    }
}

/// The fields of a body, dotted inside an object or the objects of a list.
fn fields_of(file: &Value, schema: &Value, within: &str) -> BTreeSet<String> {
    let schema = resolved(file, schema);
    let mut fields = BTreeSet::new();
    for kind in ["allOf", "oneOf", "anyOf"] {
        for one in schema[kind].as_array().into_iter().flatten() {
            fields.extend(fields_of(file, one, within));
        }
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let inner = resolved(file, field);
        let entries = &inner["items"];
        let inner = if entries.is_null() { inner } else { entries };
        let inner = if within.is_empty() {
            fields_of(file, inner, &format!("{name}."))
        } else {
            BTreeSet::new()
        };
        if inner.is_empty() {
            fields.insert(format!("{within}{name}"));
        }
        fields.extend(inner);
    }
    fields
}

fn resolved<'a>(file: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(place) => file.pointer(place.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}
