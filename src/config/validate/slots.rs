//! Rules of `[slots]`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::scalars;
use crate::catalogue::Catalogue;
use crate::config::complaint::Complaints;
use crate::config::file::SlotsFile;
use crate::config::settings::Slots;

/// Nobody is still there after this: the slowest operations are given as long (dossier section 1.2).
const WAIT_LONGEST: Duration = Duration::from_mins(5);

/// Checks how many calls may be in flight, and wait.
pub(super) fn slots(
    file: &SlotsFile,
    catalogue: Option<&Catalogue>,
    complaints: &mut Complaints,
) -> Slots {
    const WAIT: &str = "slots.wait_max";
    let queue_max = scalars::count(
        complaints,
        "slots.queue_max",
        file.queue_max,
        1_000,
        0..=100_000,
    );
    let wait_max = scalars::span(complaints, WAIT, file.wait_max, Duration::from_secs(10));
    if wait_max > WAIT_LONGEST {
        complaints.error(WAIT, "is too long", "at most \"5m\"");
    }
    Slots {
        queue_max: usize::try_from(queue_max).unwrap_or(usize::MAX),
        wait_max,
        caps: caps(&file.caps, catalogue, complaints),
    }
}

/// The catalogue's caps, and those that are written instead.
fn caps(
    written: &BTreeMap<String, u32>,
    catalogue: Option<&Catalogue>,
    complaints: &mut Complaints,
) -> BTreeMap<Arc<str>, u32> {
    let operations = catalogue.into_iter().flat_map(Catalogue::operations);
    let families = operations.filter_map(|operation| operation.slots.as_ref());
    let mut caps: BTreeMap<Arc<str>, u32> = families
        .map(|slots| (Arc::clone(&slots.family), slots.cap))
        .collect();
    for (family, cap) in written {
        let path = format!("slots.caps.{family}");
        match caps.get_mut(family.as_str()) {
            _ if *cap == 0 => complaints.error(
                path,
                "is zero: no such call would ever be made",
                "write how many may be in flight; to forbid operations, leave them out of each key's operations",
            ),
            Some(known) => *known = *cap,
            // Which families there are is not known then.
            None if catalogue.is_none() => {}
            None => {
                let names: Vec<&str> = caps.keys().map(|name| &**name).collect();
                let hint = format!("write {}", scalars::one_of(&names));
                complaints.error(path, "is no family of operations in the catalogue", hint);
            }
        }
    }
    caps
}
