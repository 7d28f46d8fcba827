//! However a list behaves.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{SETTINGS, all, read, read_by, well_mannered};
use crate::account::transactions::course::list::{List, Manners, Order, Row, at};
use crate::account::transactions::course::*;

fn times() -> impl Strategy<Value = Vec<i64>> {
    // Dense enough that several rows share a second, and some of them a moment.
    prop::collection::vec(0..600_i64, 0..150)
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        6 => Just(Order::NewestFirst),
        1 => Just(Order::OldestFirst),
        2 => Just(Order::Written),
    ]
}

fn manners(
    page_max: std::ops::Range<usize>,
    order: impl Strategy<Value = Order>,
    between: impl Strategy<Value = (usize, usize, usize)>,
) -> impl Strategy<Value = Manners> {
    let between = prop::collection::vec(between, 0..4);
    let flags = any::<(bool, bool, bool)>();
    (flags, page_max, order, between).prop_map(|(flags, page_max, order, between)| Manners {
        reads_from: flags.0,
        reads_to: flags.1,
        whole_seconds: flags.2,
        page_max,
        order,
        between,
    })
}

proptest! {
    /// However the list behaves: what is said to be complete is, and the reading ends.
    #[test]
    fn a_complete_span_misses_no_row_that_was_there_and_stayed(
        times in times(),
        manners in manners(2..12, orders(), (0..14_usize, 0..3_usize, 0..14_usize)),
        from in 0..600_i64,
        length in 1..600_i64,
    ) {
        let span = Span { from: at(from), to: at(from + length) };
        let mut list = List::new(&times, manners);
        let before: BTreeSet<Row> = list.rows.iter().copied().collect();
        let (came, report) = read(&mut list, span);
        prop_assert!(report.pages <= SETTINGS.pages_max);
        let after: BTreeSet<Row> = list.rows.iter().copied().collect();
        for (number, tenths) in before.intersection(&after) {
            let shown = list.shown(*tenths);
            let wanted = shown >= second_of(span.from) && shown < span.to;
            let read = report.complete || shown >= report.read_from;
            // Where rows come out of order nothing is promised of a span that is not complete.
            let promised = report.complete || list.manners.order == Order::NewestFirst;
            if wanted && read && promised {
                prop_assert!(came.contains(number), "row {number} at {shown}: {report:?}");
            }
        }
        prop_assert_eq!(report.complete, report.stop.is_none());
        prop_assert!(report.complete || !report.absence_counts());
    }

    /// A list that is as documented is always read to the end, whatever else it does not look at.
    #[test]
    fn a_list_that_is_newest_first_is_read_completely(
        times in times(),
        manners in manners(4..12, Just(Order::NewestFirst), Just((0, 0, 0))),
        from in 0..600_i64,
        length in 1..600_i64,
    ) {
        let span = Span { from: at(from), to: at(from + length) };
        let (_, report) = read(&mut List::new(&times, manners), span);
        prop_assert!(report.complete, "{report:?}");
        prop_assert_eq!(report.read_from, second_of(span.from));
    }

    /// Also while rows are added, as long as it is much longer than what is added.
    #[test]
    fn a_list_that_grows_while_it_is_read_is_read_completely(
        times in prop::collection::vec(0..600_i64, 60..150),
        manners in manners(8..12, Just(Order::NewestFirst), (0..2_usize, Just(0), Just(0))),
        from in 0..600_i64,
        length in 1..600_i64,
    ) {
        let span = Span { from: at(from), to: at(from + length) };
        let manners = Manners { reads_from: false, ..manners };
        let (_, report) = read(&mut List::new(&times, manners), span);
        prop_assert!(report.complete, "{report:?}");
    }
}

proptest! {
    /// As long as the list moves by two rows less than a page has, each page could show a row that
    /// is known and one that is not: so the reading gets on, by two pages a row at most.
    /// Where it goes to and fro the same is true of half a page, and takes some more of them.
    #[test]
    fn a_list_that_moves_by_less_than_a_page_is_read_completely_in_so_many_pages(
        rows in 0..300_i64,
        page_max in 5..9_usize,
        moves in prop::collection::vec((any::<bool>(), 0..7_usize), 1..6),
        flags in any::<(bool, bool, bool)>(),
    ) {
        let (times, span) = all(rows);
        let to_and_fro = rows > 30 && moves.iter().any(|(down, _)| *down != moves[0].0);
        let most = if to_and_fro { page_max / 2 - 1 } else { page_max - 2 };
        let sum = |down: bool| -> usize {
            let those = moves.iter().filter(|(to, _)| *to == down);
            those.map(|(_, by)| *by.min(&most)).sum()
        };
        let is_turned = sum(false) > sum(true);
        let between = moves.iter().map(|(down, by)| {
            let by = *by.min(&most);
            let down = if to_and_fro { *down != is_turned } else { moves[0].0 };
            if down { (by, 0, 0) } else { (0, 0, by) }
        });
        let between = between.collect();
        let manners = Manners {
            reads_from: flags.0,
            reads_to: flags.1,
            whole_seconds: flags.2,
            page_max,
            between,
            ..well_mannered()
        };
        let settings = PullSettings { pages_max: 100_000, ..SETTINGS };
        let (_, report) = read_by(&mut List::new(&times, manners), span, settings);
        prop_assert!(report.complete, "{report:?}");
        let rows = usize::try_from(rows).unwrap();
        let most = if to_and_fro { 8 * rows + 40 } else { 2 * rows + 20 };
        prop_assert!(report.pages <= most, "{rows} rows: {report:?}");
    }
}
