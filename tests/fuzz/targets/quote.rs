//! What a call can take, from its body: what is priced is what is sent.

use std::sync::{Arc, LazyLock};

use generect_guard::catalogue::{Class, Count, Operation, Place, Quote, Unbounded, quote};
use generect_guard::credits::Credits;

use super::CATALOGUE;
use super::json::Json;

static CHARGED: LazyLock<Vec<Arc<Operation>>> = LazyLock::new(|| {
    let charged =
        |operation: &&Arc<Operation>| matches!(operation.class, Class::Billable | Class::Submit);
    CATALOGUE.operations().filter(charged).cloned().collect()
});

/// The value at a place, as a parser finds it for which the last of two counts.
fn at<'j, 'a>(root: &'j Json<'a>, place: &Place) -> Option<&'j Json<'a>> {
    let object = match &place.within {
        None => root,
        Some(within) => root.all(within).pop()?,
    };
    object.all(&place.name).pop()
}

/// The bound that stands there plainly: as digits, or digits in a text.
fn bound(root: &Json<'_>, place: &Place) -> Option<u64> {
    match at(root, place)? {
        Json::Plain(digits) => digits.parse().ok(),
        Json::Text(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// Every bound that is sent is at least what was priced for it.
fn check_bounds(operation: &Operation, quoted: &Quote, root: &Json<'_>) {
    let [part] = operation.parts.as_slice() else {
        return;
    };
    match &part.count {
        Count::Rows(limit) => {
            let lowered = limit
                .lowered_by
                .iter()
                .any(|place| at(root, place).is_some());
            match bound(root, &limit.at) {
                Some(bound) if !lowered => assert_eq!(quoted.items, bound),
                Some(bound) => assert!(quoted.items <= bound),
                None => {}
            }
        }
        Count::Items { arrays, .. } => {
            let lengths = arrays.iter().map(|name| match root.all(name).pop() {
                Some(Json::List(items)) => items.len() as u64,
                _ => 0,
            });
            assert_eq!(quoted.items, lengths.sum::<u64>());
        }
        Count::Body => {
            let Json::List(items) = root else {
                panic!("a list is priced that is none");
            };
            assert_eq!(quoted.items, items.len() as u64);
        }
        Count::Flat(_) => {}
    }
}

/// The same body with a flag set, which never takes less.
fn check_flags(operation: &Operation, quoted: &Quote, sent: &[u8], root: &Json<'_>) {
    let extras = operation.parts.iter().flat_map(|part| &part.extras);
    for flag in extras.flat_map(|extra| extra.flags.first()) {
        if flag.within.is_some() || at(root, flag).is_some() {
            continue;
        }
        let Json::Map(members) = root else { return };
        let comma = if members.is_empty() { "" } else { "," };
        let start = sent.iter().position(|byte| *byte == b'{').unwrap() + 1;
        let set = format!("\"{}\":true{comma}", flag.name);
        let body = [&sent[..start], set.as_bytes(), &sent[start..]].concat();
        match quote(operation, CATALOGUE.prices(), &body, Unbounded::Maximum) {
            Ok(dearer) => assert!(dearer.amount >= quoted.amount, "{flag} takes less"),
            Err(error) => assert!(
                error.to_string().contains("more than can be counted"),
                "{error}"
            ),
        }
    }
}

pub fn run(input: &[u8]) {
    let Some(([which, how], body)) = input.split_first_chunk::<2>() else {
        return;
    };
    let operation = &CHARGED[usize::from(*which) % CHARGED.len()];
    let unbounded = match how % 3 {
        0 => Unbounded::Maximum,
        1 => Unbounded::Refuse,
        _ => Unbounded::Limit(u64::from(*how)),
    };
    let ask = |body: &[u8], unbounded| quote(operation, CATALOGUE.prices(), body, unbounded);
    let Ok(quoted) = ask(body, unbounded) else {
        return;
    };
    assert!(
        quoted.amount > Credits::ZERO,
        "{operation:?} is priced at nothing"
    );
    assert!(quoted.fixed <= quoted.amount);
    if quoted.fixed < quoted.amount {
        assert_eq!(quoted.items_within(quoted.amount), quoted.items);
    }
    let sent = quoted.body.as_deref().unwrap_or(body);
    for text in [body, sent] {
        let root = Json::read(text).unwrap_or_else(|| panic!("no JSON is priced"));
        assert!(
            !root.has_twice(),
            "something is priced that has two meanings"
        );
    }
    let root = Json::read(sent).unwrap();
    check_bounds(operation, &quoted, &root);
    check_flags(operation, &quoted, sent, &root);
    // What is sent has its price by itself, whoever asks.
    for unbounded in [unbounded, Unbounded::Maximum, Unbounded::Limit(1)] {
        let again = ask(sent, unbounded).unwrap();
        let unfinished = again.body.is_some() && quoted.body.is_none();
        assert!(!unfinished, "a bound is missing in what was sent");
        assert_eq!(again.amount, quoted.amount);
    }
}
