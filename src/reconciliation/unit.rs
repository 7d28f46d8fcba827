//! Whether the account's list is in the unit that the settings say. Pure.
//!
//! Where it is not, every row differs from its charge by one and the same factor; somebody's mistake
//! or a refund does not. A row that agrees with its charge speaks for the settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ledger::{Finding, FindingKind};
use crate::transaction::TransactionSource;

/// Pairs in a row, all of one ratio, before anything is said; and that agree, before it is taken back.
const WITNESSES_MIN: u32 = 3;
/// Charges are known to be rounded to four decimals in places (dossier section 4.2).
const ROUNDING: i128 = 50;
const ONE: i128 = 1_000_000;

/// A charge of ours and the rows that belong to it but for their amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What we settled.
    pub ours: Credits,
    /// What the rows say was taken, in credits by the present factor.
    pub theirs: Credits,
    /// How many rows that is.
    pub rows: usize,
}

/// What was seen of each kind of row.
#[derive(Debug, Default)]
pub struct Units {
    /// Pairs of one ratio, the last without an exception: the largest of them, and how many.
    streaks: BTreeMap<Arc<str>, (Pair, u32)>,
    /// Kinds that were found to be in another unit, and how many rows have agreed since.
    found: BTreeMap<Arc<str>, u32>,
}

impl Units {
    /// A pair differs. Says what `factor` should be, once there are enough of one ratio.
    pub fn differs(&mut self, kind: &Arc<str>, pair: Pair, factor: Credits) -> Option<Credits> {
        if pair.is_rounding() {
            return None;
        }
        if let Some(agreed) = self.found.get_mut(kind) {
            *agreed = 0;
        }
        let streak = self.streaks.entry(Arc::clone(kind)).or_insert((pair, 0));
        if !streak.0.is_alike(&pair) {
            *streak = (pair, 0);
        }
        if pair.ours > streak.0.ours {
            streak.0 = pair;
        }
        streak.1 = streak.1.saturating_add(1);
        if streak.1 < WITNESSES_MIN {
            return None;
        }
        let wanted = streak.0.factor(factor)?;
        self.found.insert(Arc::clone(kind), 0);
        Some(wanted)
    }

    /// A row of this kind has its charge's amount. Says whether what was found is taken back.
    pub fn agrees(&mut self, kind: &str) -> bool {
        self.streaks.remove(kind);
        let Some(agreed) = self.found.get_mut(kind) else {
            return false;
        };
        *agreed = agreed.saturating_add(1);
        let taken_back = *agreed >= WITNESSES_MIN;
        if taken_back {
            self.found.remove(kind);
        }
        taken_back
    }

    /// Remembers what was found before a restart, by its name.
    pub fn restore(&mut self, name: &str) {
        let kind = name.splitn(3, ':').nth(2);
        if let Some(kind) = kind {
            self.found.insert(kind.into(), 0);
        }
    }
}

impl Pair {
    fn ours(&self) -> i128 {
        i128::from(self.ours.micros())
    }

    fn theirs(&self) -> i128 {
        i128::from(self.theirs.micros())
    }

    fn rows(&self) -> i128 {
        i128::try_from(self.rows).unwrap_or(i128::MAX)
    }

    /// Whether rounding explains the difference, or there is nothing to compare.
    fn is_rounding(&self) -> bool {
        let apart = (self.theirs() - self.ours()).abs();
        self.ours() <= 0 || self.theirs() <= 0 || apart <= self.rows().saturating_mul(ROUNDING)
    }

    /// Whether both have one ratio, as far as whole micro-credits can tell.
    fn is_alike(&self, other: &Self) -> bool {
        let apart = self.theirs() * other.ours() - other.theirs() * self.ours();
        let rows = (self.rows().saturating_mul(other.ours()))
            .saturating_add(other.rows().saturating_mul(self.ours()));
        let slack = rows.saturating_add(self.theirs() + other.theirs());
        apart.abs() <= slack
    }

    /// The factor by which the rows would say what we settled, to the micro-credit.
    fn factor(&self, present: Credits) -> Option<Credits> {
        let product = i128::from(present.micros()) * self.ours();
        let wanted = (product + self.theirs() / 2) / self.theirs();
        let wanted = i64::try_from(wanted).ok().filter(|micros| *micros > 0)?;
        Some(Credits::from_micros(wanted))
    }

    /// How many times ours theirs is, to four digits after the point.
    fn times(&self) -> Credits {
        let times = self.theirs() * ONE / self.ours().max(1);
        let rounded = (times + ROUNDING) / (2 * ROUNDING) * 2 * ROUNDING;
        Credits::from_micros(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

/// The name of what is found of a kind.
pub fn name(source: TransactionSource, kind: &str) -> Arc<str> {
    format!("unit:{}:{kind}", source.as_str()).into()
}

/// What is said of a kind whose rows want another factor.
pub fn finding(
    source: TransactionSource,
    kind: &str,
    last: Pair,
    wanted: Credits,
    now: Timestamp,
) -> Finding {
    let or = match source {
        TransactionSource::V1 => "or what is settled for it is estimated at a wrong price",
        TransactionSource::Legacy => {
            "or catalogue.legacy_amounts is not what the answers' amounts are (counts, money)"
        }
    };
    Finding {
        name: name(source, kind),
        kind: FindingKind::Unit,
        found_at: now,
        at: now,
        operation: None,
        team: None,
        drift: Credits::ZERO,
        hold: None,
        transaction: None,
        detail: format!(
            "the last {WITNESSES_MIN} charges with rows of {kind:?} differ by one factor: the list has {} times \
             what was settled; reconciliation.factor = {wanted} would make them agree, {or}",
            last.times()
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(ours: i64, theirs: i64) -> Pair {
        Pair {
            ours: Credits::from_micros(ours),
            theirs: Credits::from_micros(theirs),
            rows: 1,
        }
    }

    fn told(factor: i64, pairs: &[(i64, i64)]) -> Option<i64> {
        let (mut units, kind) = (Units::default(), Arc::from("kind"));
        let mut last = None;
        for (ours, theirs) in pairs {
            last = units.differs(&kind, pair(*ours, *theirs), Credits::from_micros(factor));
        }
        last.map(Credits::micros)
    }

    /// Factor in force, pairs (ours, theirs), the factor that is said.
    #[test]
    fn three_pairs_of_one_ratio_say_what_the_factor_should_be() {
        for (factor, pairs, said) in [
            (
                1_000_000,
                &[(20_000, 2_000_000), (40_000, 4_000_000)][..],
                None,
            ),
            (
                1_000_000,
                &[(20_000, 2_000_000), (40_000, 4_000_000), (500, 50_000)],
                Some(10_000),
            ),
            // A factor is in force already.
            (
                500_000,
                &[(60_000, 30_000), (100_000, 50_000), (140_000, 70_000)],
                Some(1_000_000),
            ),
            // One that does not fit, and three that do.
            (
                1_000_000,
                &[
                    (20_000, 80_000),
                    (20_000, 40_000),
                    (60_000, 120_000),
                    (1_000, 2_000),
                ],
                Some(500_000),
            ),
            (
                1_000_000,
                &[(20_000, 40_000), (20_000, 30_000), (20_000, 40_000)],
                None,
            ),
            // Thirds of a micro-credit.
            (
                1_000_000,
                &[(20_000, 6_667), (10_000, 3_333), (1_000_000, 333_333)],
                Some(3_000_003),
            ),
            // Four decimals.
            (
                1_000_000,
                &[(20_020, 20_000), (20_040, 20_000), (6_667, 6_700)],
                None,
            ),
            (1_000_000, &[(20_000, 0), (20_000, 0), (20_000, 0)], None),
        ] {
            assert_eq!(told(factor, pairs), said, "{factor} {pairs:?}");
        }
    }

    #[test]
    fn a_row_that_agrees_breaks_the_row_and_three_take_back_what_was_found() {
        let (mut units, kind) = (Units::default(), Arc::from("kind"));
        let one = Credits::from_micros(1_000_000);
        let differs = |units: &mut Units| units.differs(&kind, pair(10_000, 20_000), one);
        assert_eq!((differs(&mut units), differs(&mut units)), (None, None));
        assert!(!units.agrees("kind"));
        assert_eq!((differs(&mut units), differs(&mut units)), (None, None));
        assert!(differs(&mut units).is_some());
        assert_eq!((units.agrees("kind"), units.agrees("kind")), (false, false));
        differs(&mut units);
        let taken_back: Vec<_> = (0..4).map(|_| units.agrees("kind")).collect();
        assert_eq!(taken_back, [false, false, true, false]);
        units.restore(&name(TransactionSource::V1, "a:b"));
        let taken_back: Vec<_> = (0..3).map(|_| units.agrees("a:b")).collect();
        assert_eq!(taken_back, [false, false, true], "also after a restart");
    }

    proptest! {
        #[test]
        fn amounts_of_any_size_and_one_factor_are_recognised(
            ours in prop::collection::vec(100_000_i64..1_000_000_000, 3..6), factor in 2_i64..1_000,
        ) {
            let pairs: Vec<_> = ours.iter().map(|ours| (*ours, ours * factor)).collect();
            let said = told(1_000_000, &pairs).unwrap();
            prop_assert!((said - 1_000_000 / factor).abs() <= 1, "{said}");
        }

        #[test]
        fn no_amounts_are_too_large(ours in 1..i64::MAX, theirs in 1..i64::MAX, rows in 1..usize::MAX) {
            let (mut units, kind) = (Units::default(), Arc::from("kind"));
            let pair = Pair { rows, ..pair(ours, theirs) };
            for _ in 0..3 {
                units.differs(&kind, pair, Credits::from_micros(i64::MAX));
            }
        }
    }
}
