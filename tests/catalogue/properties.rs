//! What holds for every body.

use generect_guard::catalogue::{Class, Count, ExtraUnits, Operation, Place, Unbounded, quote};
use generect_guard::credits::Credits;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::catalogue;

/// Writes a value at a place of a body.
fn put(body: &mut Value, place: &Place, value: Value) {
    let object = match &place.within {
        None => body.as_object_mut().unwrap(),
        Some(within) => body
            .as_object_mut()
            .unwrap()
            .entry(within)
            .or_insert_with(|| json!({}))
            .as_object_mut()
            .unwrap(),
    };
    object.insert(place.name.clone(), value);
}

fn get<'a>(body: &'a Value, place: &Place) -> Option<&'a Value> {
    match &place.within {
        None => body.get(&place.name),
        Some(within) => body.get(within)?.get(&place.name),
    }
}

fn object_operations() -> Vec<String> {
    catalogue()
        .operations()
        .filter(|operation| matches!(operation.class, Class::Billable | Class::Submit))
        .filter(|operation| operation.parts[0].count != Count::Body)
        .map(|operation| operation.name.to_string())
        .collect()
}

/// A sound body of an operation: bounds and flags by chance, from `seed`.
fn sound_body(operation: &Operation, seed: &[u16]) -> Value {
    let mut seed = seed.iter().cycle().copied();
    let mut next = move || seed.next().unwrap_or_default();
    let mut body = json!({"keywords": ["x", 1.5, null], "revenues_range": {"min": 1, "max": {}}});
    for part in &operation.parts {
        match &part.count {
            Count::Rows(limit) => {
                if next() % 3 != 0 {
                    put(&mut body, &limit.at, json!(1 + next() % 3000));
                }
                for place in &limit.lowered_by {
                    if next() % 4 == 0 {
                        put(&mut body, place, json!(1 + next() % 3000));
                    }
                }
            }
            Count::Items { arrays, .. } => {
                let items = vec![json!({}); usize::from(1 + next() % 40)];
                body.as_object_mut()
                    .unwrap()
                    .insert(arrays[0].clone(), Value::Array(items));
            }
            Count::Flat(_) | Count::Body => {}
        }
        for extra in &part.extras {
            for flag in &extra.flags {
                if next() % 3 == 0 {
                    put(&mut body, flag, json!(next() % 2 == 0));
                }
            }
        }
    }
    body
}

fn amount(operation: &Operation, body: &Value, unbounded: Unbounded) -> Credits {
    let prices = catalogue().prices().clone();
    let body = serde_json::to_vec(body).unwrap();
    quote(operation, &prices, &body, unbounded).unwrap().amount
}

proptest! {
    #[test]
    fn a_quote_never_falls_when_a_flag_is_set_or_a_bound_is_raised(
        pick in any::<prop::sample::Index>(),
        seed in prop::collection::vec(any::<u16>(), 1..40),
        more in 1_u64..3000,
    ) {
        let names = object_operations();
        let catalogue = catalogue();
        let operation = catalogue.operation(pick.get(&names).as_str()).unwrap();
        let body = sound_body(operation, &seed);
        let before = amount(operation, &body, Unbounded::Maximum);
        for part in &operation.parts {
            for extra in &part.extras {
                let mut set = body.clone();
                put(&mut set, &extra.flags[0], json!(true));
                // Setting a flag may bring enclosing criteria with it, never take a bound away.
                prop_assert!(amount(operation, &set, Unbounded::Maximum) >= before);
                if extra.units == ExtraUnits::PerUnit && get(&body, &extra.flags[0]) == Some(&json!(false)) {
                    prop_assert!(amount(operation, &set, Unbounded::Maximum) > before);
                }
            }
            if let Count::Rows(limit) = &part.count
                && let Some(bound) = get(&body, &limit.at).and_then(Value::as_u64)
            {
                let mut raised = body.clone();
                put(&mut raised, &limit.at, json!(bound + more));
                prop_assert!(amount(operation, &raised, Unbounded::Maximum) >= before);
                put(&mut raised, &limit.at, json!((bound + more).to_string()));
                prop_assert!(amount(operation, &raised, Unbounded::Maximum) >= before);
            }
        }
    }

    #[test]
    fn a_rewritten_body_is_the_same_document_with_bounds_and_quotes_the_same(
        pick in any::<prop::sample::Index>(),
        seed in prop::collection::vec(any::<u16>(), 1..40),
        limit in prop::option::of(1_u64..5000),
        pretty in any::<bool>(),
    ) {
        let names = object_operations();
        let catalogue = catalogue();
        let operation = catalogue.operation(pick.get(&names).as_str()).unwrap();
        let before = sound_body(operation, &seed);
        let text = if pretty { serde_json::to_vec_pretty(&before) } else { serde_json::to_vec(&before) }.unwrap();
        let unbounded = limit.map_or(Unbounded::Maximum, Unbounded::Limit);
        let first = quote(operation, catalogue.prices(), &text, unbounded).unwrap();
        let Some(rewritten) = first.body else { return Ok(()) };
        let mut after: Value = serde_json::from_slice(&rewritten).unwrap();
        // Sent again it has its bound: nothing more is written and the quote stays.
        let second = quote(operation, catalogue.prices(), &rewritten, unbounded).unwrap();
        prop_assert_eq!(second.body, None);
        prop_assert_eq!(second.amount, first.amount);
        for part in &operation.parts {
            let Count::Rows(rows) = &part.count else { continue };
            if get(&before, &rows.at).is_none() && let Some(written) = get(&after, &rows.at) {
                prop_assert!((1..=rows.maximum).contains(&written.as_u64().unwrap()));
                let object: &mut Map<String, Value> = match &rows.at.within {
                    None => after.as_object_mut().unwrap(),
                    Some(within) => after[within].as_object_mut().unwrap(),
                };
                object.remove(&rows.at.name);
                if let Some(within) = &rows.at.within
                    && before.get(within).is_none()
                {
                    after.as_object_mut().unwrap().remove(within);
                }
            }
        }
        prop_assert_eq!(after, before);
    }

    #[test]
    fn no_body_makes_quoting_panic_or_free(
        pick in any::<prop::sample::Index>(),
        body in "[{}\\[\\]\",:]{0,6}(\"(limit_by|leads|lead_search_criteria|posts)\":)?[{}\\[\\]\",:0-9eE.+-]{0,20}",
        limit in any::<u64>(),
    ) {
        let names = object_operations();
        let catalogue = catalogue();
        let operation = catalogue.operation(pick.get(&names).as_str()).unwrap();
        for unbounded in [Unbounded::Maximum, Unbounded::Refuse, Unbounded::Limit(limit)] {
            if let Ok(quote) = quote(operation, catalogue.prices(), body.as_bytes(), unbounded) {
                prop_assert!(quote.amount > Credits::ZERO);
            }
        }
    }

    #[test]
    fn no_path_makes_classifying_panic(method in ".{0,8}", path in "(/api/v1)?(/[a-z%./-]{0,12}){0,6}/?") {
        let _ = catalogue().classify(&method, &path);
    }
}
