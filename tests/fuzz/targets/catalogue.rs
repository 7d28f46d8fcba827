//! An operator's own catalogue.

use generect_guard::catalogue::{Catalogue, Unbounded, quote};

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Catalogue::parse(text) {
        Ok(catalogue) => {
            for operation in catalogue.operations() {
                for body in [&b"{}"[..], b"[1]", br#"{"limit_by":3}"#] {
                    let _ = quote(operation, catalogue.prices(), body, Unbounded::Maximum);
                }
                let _ = catalogue.classify(&operation.method, &operation.path);
                let _ = catalogue.twin_of(operation);
            }
        }
        Err(faults) => assert!(!faults.to_string().is_empty()),
    }
}
