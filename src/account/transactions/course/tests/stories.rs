//! One list each.

use super::{SETTINGS, all, read, read_by, well_mannered};
use crate::account::transactions::course::list::{List, Manners, Row, at, page, transaction};
use crate::account::transactions::course::*;
use crate::account::transactions::row::{RowFault, UnreadableRow};
use crate::transaction::TransactionStatus;

#[test]
fn an_empty_span_asks_for_nothing_and_an_empty_list_once() {
    let (times, span) = all(0);
    let (came, report) = read(&mut List::new(&times, well_mannered()), span);
    assert_eq!((came.len(), report.pages, report.complete), (0, 0, true));
    let span = Span {
        from: at(0),
        to: at(50),
    };
    let (came, report) = read(&mut List::new(&[], well_mannered()), span);
    assert_eq!((came.len(), report.pages, report.complete), (0, 1, true));
}

#[test]
fn a_long_list_is_asked_from_its_top_again_with_an_earlier_end() {
    let (times, span) = all(100);
    let list = List::new(&times, well_mannered());
    let mut course = Course::new(TransactionSource::V1, span, SETTINGS);
    let mut asked = Vec::new();
    while let Some(query) = course.next() {
        asked.push((query.offset, query.to.unwrap()));
        course.take(list.answer(&query));
    }
    assert!(asked.iter().all(|(offset, _)| *offset <= 21), "{asked:?}");
    let tops = asked.iter().filter(|(offset, _)| *offset == 0).count();
    assert!(tops > 3, "{asked:?}");
    assert!(asked.windows(2).all(|pair| pair[1].1 <= pair[0].1));
    assert_eq!(course.report().rows, 100);
    assert!(course.report().complete && !course.report().bounds_dropped);
}

#[test]
fn without_bounds_it_goes_on_by_offset_and_stops_by_time() {
    let (times, _) = all(400);
    let manners = Manners {
        reads_from: false,
        reads_to: false,
        ..well_mannered()
    };
    let span = Span {
        from: at(1_000),
        to: at(1_500),
    };
    let (came, report) = read(&mut List::new(&times, manners), span);
    assert_eq!(came.len(), 100);
    assert!(report.complete && report.bounds_dropped);
    // 100 rows after the span, 100 in it, and not the 200 before it.
    assert!(report.pages < 55, "{report:?}");
}

#[test]
fn a_late_row_at_the_end_of_a_stretch_does_not_hide_those_after_it() {
    let (times, span) = all(100);
    let mut list = List::new(&times, well_mannered());
    // The list is asked from its top again after 18 rows; the last of them is the oldest of all.
    let oldest = list.rows.pop().unwrap();
    list.rows.insert(17, oldest);
    let (came, report) = read(&mut list, span);
    assert_eq!(came.len(), 100);
    assert!(report.complete);
}

#[test]
fn a_late_row_from_before_the_span_does_not_end_it_but_takes_its_certainty() {
    let (times, _) = all(100);
    let manners = Manners {
        reads_from: false,
        ..well_mannered()
    };
    let mut list = List::new(&times, manners);
    let oldest = list.rows.pop().unwrap();
    list.rows.insert(7, oldest);
    let span = Span {
        from: at(100),
        to: at(500),
    };
    let (came, report) = read(&mut list, span);
    // All came; but where rows are out of order and no bound is looked at, who knows.
    assert_eq!(came.len(), 80);
    assert_eq!(report.stop, Some(Stop::Disorder));
}

#[test]
fn more_rows_of_one_moment_than_a_page_holds_are_read_by_offset() {
    let manners = Manners {
        reads_from: false,
        reads_to: false,
        page_max: 4,
        ..well_mannered()
    };
    let span = Span {
        from: at(0),
        to: at(600),
    };
    let (came, report) = read(&mut List::new(&[590; 40], manners), span);
    assert_eq!((came.len(), report.stop), (40, None));
}

#[test]
fn rows_that_vanish_by_the_page_are_made_up_for_by_looking_further_up() {
    let (times, span) = all(100);
    for gone in 6..20 {
        let manners = Manners {
            between: vec![(0, 0, 0), (0, 0, 0), (0, 0, gone), (0, 0, 0), (0, 0, 0)],
            ..well_mannered()
        };
        let mut list = List::new(&times, manners);
        let (came, report) = read(&mut list, span);
        assert!(report.complete, "{report:?}");
        let missed = |row: &&Row| !came.contains(&row.0);
        assert_eq!(
            list.rows.iter().find(missed),
            None,
            "{gone} gone: {report:?}"
        );
        assert!(report.pages < 60, "{report:?}");
    }
}

/// Every second page shows the list from its top, the others what nobody has seen: what is between
/// was never shown, and nothing makes it up.
#[test]
fn a_gap_that_stays_leaves_the_span_incomplete() {
    let (times, span) = all(100);
    let manners = Manners {
        reads_to: false,
        ..well_mannered()
    };
    let list = List::new(&times, manners);
    let mut course = Course::new(TransactionSource::V1, span, SETTINGS);
    while let Some(query) = course.next() {
        let offset = if query.offset == 0 {
            0
        } else {
            query.offset + 12
        };
        course.take(list.answer(&TransactionsQuery { offset, ..query }));
    }
    let report = course.report();
    assert!(
        report.stop.is_some() && !report.absence_counts(),
        "{report:?}"
    );
    // The eight newest were read, and everything from there on is known to be.
    assert!(report.read_from > at(460) && report.read_from <= at(480));
}

#[test]
fn a_list_that_looks_at_no_offset_is_read_by_time_or_given_up() {
    let (times, span) = all(100);
    for (reads_to, stop, rows) in [(true, None, 100), (false, Some(Stop::Repeats), 8)] {
        let manners = Manners {
            reads_to,
            ..well_mannered()
        };
        let list = List::new(&times, manners);
        let mut course = Course::new(TransactionSource::V1, span, SETTINGS);
        while let Some(query) = course.next() {
            let query = TransactionsQuery { offset: 0, ..query };
            course.take(list.answer(&query));
        }
        assert_eq!((course.report().stop, course.report().rows), (stop, rows));
    }
}

#[test]
fn pages_have_an_end_and_the_rest_is_left_with_its_beginning_told() {
    let (times, span) = all(100);
    let list = List::new(&times, well_mannered());
    let settings = PullSettings {
        pages_max: 4,
        ..SETTINGS
    };
    let mut course = Course::new(TransactionSource::V1, span, settings);
    while let Some(query) = course.next() {
        course.take(list.answer(&query));
    }
    let first = course.report();
    assert_eq!(first.stop, Some(Stop::PagesMax));
    let rest = Span {
        from: span.from,
        to: first.read_from,
    };
    let (came, second) = read(&mut List::new(&times, well_mannered()), rest);
    assert!(second.complete);
    // Rows of the second in which the first ended may come twice, none is left out.
    assert!(came.len() + first.rows >= 100, "{first:?} {second:?}");
}

#[test]
fn a_row_that_ends_while_the_list_is_read_comes_again() {
    let span = Span {
        from: at(0),
        to: at(100),
    };
    let mut course = Course::new(TransactionSource::V1, span, SETTINGS);
    let (newer, mut row) = (transaction(2, at(60)), transaction(1, at(50)));
    row.status = TransactionStatus::Pending;
    let both = vec![newer, row.clone()];
    assert_eq!(course.take(page(both.clone())), both);
    // The next page begins with the last row of this one.
    assert_eq!(course.next().unwrap().offset, 1);
    row.status = TransactionStatus::Success;
    assert_eq!(course.take(page(vec![row.clone()])), [row]);
    assert!(course.report().complete);
    assert_eq!(course.report().rows, 2);
}

#[test]
fn an_unreadable_row_of_the_span_takes_its_worth_from_absence() {
    let span = Span {
        from: at(0),
        to: at(100),
    };
    let unreadable = |id: &str, at| UnreadableRow {
        id: Some(id.into()),
        at,
        why: RowFault::NoAmount,
    };
    for (moment, counted) in [
        (Some(at(50)), 1),
        (None, 1),
        (Some(at(-50)), 0),
        (Some(at(100)), 0),
    ] {
        let mut course = Course::new(TransactionSource::V1, span, SETTINGS);
        for rows in [vec![2, 1], vec![1]] {
            let rows = rows.iter().map(|number| transaction(*number, at(50)));
            let mut page = page(rows.collect());
            page.unreadable.push(unreadable("a", moment));
            page.raw_count += 1;
            course.take(page);
        }
        let report = course.report();
        assert!(report.complete);
        assert_eq!(report.unreadable_count, counted, "{moment:?}");
        assert_eq!(report.absence_counts(), counted == 0);
    }
}

/// A server may give fewer rows a page than pages overlap by; then they overlap by fewer.
#[test]
fn pages_shorter_than_the_overlap_are_read_to_the_end() {
    let span = Span {
        from: at(0),
        to: at(100),
    };
    for page_rows in 1..=SETTINGS.overlap_rows {
        let mut course = Course::new(TransactionSource::V1, span, SETTINGS);
        let list: Vec<_> = (0..20)
            .map(|number| transaction(number, at(90 - 4 * i64::from(number))))
            .collect();
        let mut read = 0;
        while let Some(query) = course.next() {
            let rest = list.get(query.offset..).unwrap_or_default();
            let rows = rest.iter().take(page_rows).cloned().collect();
            read += course.take(page(rows)).len();
        }
        assert!(course.report().complete, "{page_rows}");
        assert_eq!(read, list.len(), "{page_rows}");
    }
}

/// Such a list is read in a few more questions than it has pages, and not in one for each row.
#[test]
fn a_list_of_short_pages_is_read_by_half_a_page_at_a_time() {
    let settings = PullSettings::default();
    let times: Vec<i64> = (0..1_000).collect();
    let span = Span {
        from: at(0),
        to: at(1_000),
    };
    for page_max in [4, 6, 10, 11] {
        let manners = Manners {
            page_max,
            ..well_mannered()
        };
        let (came, report) = read_by(&mut List::new(&times, manners), span, settings);
        assert!(report.complete, "{page_max}: {report:?}");
        assert_eq!(came.len(), 1_000, "{page_max}");
        let most = 1_000 / (page_max / 2) + 20;
        assert!(report.pages <= most, "{page_max}: {} pages", report.pages);
    }
}
