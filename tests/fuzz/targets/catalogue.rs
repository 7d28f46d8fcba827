//! An operator's own catalogue.

use generect_guard::catalogue::{Catalogue, Class, Classified, Operation, Unbounded, quote};
use generect_guard::credits::Credits;

/// Bodies that something is to be found in, and one that bounds nothing.
const BODIES: [&[u8]; 5] = [
    b"{}",
    b"[1]",
    br#"{"limit_by":3}"#,
    br#"{"leads":[{},{}],"emails":["a@b.c"]}"#,
    br#"{"lead_search_criteria":{"limit_by":"4"},"with_email":true}"#,
];

/// What is sent has its price by itself, whoever asks.
fn check_quote(catalogue: &Catalogue, operation: &Operation, body: &[u8]) {
    let ask = |body: &[u8], unbounded| quote(operation, catalogue.prices(), body, unbounded);
    let Ok(quoted) = ask(body, Unbounded::Maximum) else {
        return;
    };
    let is_charged = matches!(operation.class, Class::Billable | Class::Submit);
    assert!(is_charged || quoted.amount == Credits::ZERO);
    assert!(Credits::ZERO <= quoted.fixed && quoted.fixed <= quoted.amount);
    let sent = quoted.body.as_deref().unwrap_or(body);
    for unbounded in [Unbounded::Maximum, Unbounded::Limit(1)] {
        let again = ask(sent, unbounded).unwrap_or_else(|error| {
            panic!("{error}: {}", sent.escape_ascii());
        });
        assert_eq!((again.amount, again.items), (quoted.amount, quoted.items));
    }
}

/// Every operation is found where it says it is.
fn check_place(catalogue: &Catalogue, operation: &Operation) {
    match catalogue.classify(&operation.method, &operation.path) {
        Classified::Known {
            operation: found, ..
        } => assert!(operation.path.contains('{') || found.name == operation.name),
        other => assert!(operation.path.contains('{'), "{other:?}"),
    }
}

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Catalogue::parse(text) {
        Ok(catalogue) => {
            for operation in catalogue.operations() {
                for body in BODIES {
                    check_quote(&catalogue, operation, body);
                }
                check_place(&catalogue, operation);
                let _ = catalogue.twin_of(operation);
            }
        }
        Err(faults) => assert!(!faults.to_string().is_empty()),
    }
}
