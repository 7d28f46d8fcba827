//! Findings, which every store must keep alike: when one is open, and what they come to.

use generect_guard::ledger::{Closing, FindingKind, FoundSum, KeptFinding, Record};
use jiff::{SignedDuration, Timestamp};

use crate::entries::{id, with_holds};
use crate::support::{NOON, Place, at, finding, micros};

#[test]
fn a_finding_is_closed_once_and_open_again_when_it_is_found_again() {
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        let mut found = finding("f", FindingKind::OursOnly, None, -40);
        found.hold = Some(id(1));
        found.team = Some("growth".into());
        found.operation = Some("search_leads".into());
        let close = |second: i64, why: &str| Record::Closed {
            name: "f".into(),
            at: at(NOON) + SignedDuration::from_secs(second),
            why: why.into(),
        };
        store.keep(&[close(1, "nothing to close")]).unwrap();
        store.keep(&[Record::Found(found.clone())]).unwrap();
        store
            .keep(&[close(100, "the row came"), close(200, "again")])
            .unwrap();
        let all = |open_only| {
            let reader = place.reader();
            let (from, to) = (Timestamp::MIN, Timestamp::MAX);
            reader.findings(from, to, open_only, None, 10).unwrap()
        };
        let closed = Closing {
            at: at(NOON) + SignedDuration::from_secs(100),
            why: "the row came".into(),
        };
        let kept = KeptFinding {
            finding: found.clone(),
            closed: Some(closed),
        };
        assert_eq!(
            all(false),
            std::slice::from_ref(&kept),
            "the first explanation stays"
        );
        assert_eq!(all(true), []);
        store.keep(&[Record::Found(found)]).unwrap();
        assert_eq!(
            all(true),
            [KeptFinding {
                closed: None,
                ..kept
            }]
        );
        place.assert_sound();
    }
}

#[test]
fn findings_are_summed_by_kind_the_open_ones_apart() {
    for place in Place::both() {
        let mut store = with_holds(&place, 1);
        let found = |name, kind, drift| Record::Found(finding(name, kind, None, drift));
        let (from, to) = (at(NOON), at(NOON) + SignedDuration::from_secs(60));
        let closed = Record::Closed {
            name: "b".into(),
            at: from,
            why: "seen".into(),
        };
        store
            .keep(&[
                found("a", FindingKind::AmountDiffers, 5),
                found("b", FindingKind::TheirsOnly, 40),
                found("c", FindingKind::TheirsOnly, 2),
                found("d", FindingKind::AmountDiffers, -7),
                closed,
            ])
            .unwrap();
        let sum = |kind, findings, open, drift, open_drift| FoundSum {
            kind,
            findings,
            open,
            drift: micros(drift),
            open_drift: micros(open_drift),
        };
        assert_eq!(
            store.reader().found(from, to).unwrap(),
            [
                sum(FindingKind::TheirsOnly, 2, 1, 42, 2),
                sum(FindingKind::AmountDiffers, 2, 2, -2, -2),
            ]
        );
        assert_eq!(store.reader().found(to, Timestamp::MAX).unwrap(), []);
    }
}
