//! Lists that behave well or badly, read by the course alone.

mod properties;
mod stories;

use std::collections::BTreeSet;

use super::list::{List, Manners, Order, at};
use super::*;

const SETTINGS: PullSettings = PullSettings {
    page_rows: 8,
    overlap_rows: 3,
    pages_a_stretch: 3,
    pages_max: 500,
    pause: std::time::Duration::ZERO,
    tries: 1,
    retry_pause: std::time::Duration::ZERO,
    chance: || 0,
};

/// Reads a span and gives the numbers of the rows that came, and the report.
fn read(list: &mut List, span: Span) -> (BTreeSet<u32>, PullReport) {
    read_by(list, span, SETTINGS)
}

fn read_by(list: &mut List, span: Span, settings: PullSettings) -> (BTreeSet<u32>, PullReport) {
    let mut course = Course::new(TransactionSource::V1, span, settings);
    let between = list.manners.between.clone();
    let mut between = between.iter().cycle();
    let mut came = BTreeSet::new();
    while let Some(query) = course.next() {
        for row in course.take(list.answer(&query)) {
            assert!(
                row.at >= second_of(span.from) && row.at < span.to,
                "{row:?}"
            );
            came.insert(row.id.id.parse().unwrap());
        }
        if let Some(step) = between.next() {
            list.go_on(*step);
        }
    }
    (came, course.report())
}

fn well_mannered() -> Manners {
    Manners {
        reads_from: true,
        reads_to: true,
        whole_seconds: false,
        page_max: 8,
        order: Order::NewestFirst,
        between: Vec::new(),
    }
}

fn all(rows: i64) -> (Vec<i64>, Span) {
    let times = (0..rows).map(|row| row * 5).collect();
    let span = Span {
        from: at(0),
        to: at(rows * 5),
    };
    (times, span)
}
