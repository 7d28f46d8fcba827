//! Which page of a list to ask for next, and when a span has been read: pure rules, no clock.
//!
//! The list is newest first and moves while it is read: new rows push the others down, and a row
//! may come late or vanish. So every page begins a little before the end of the one before, and
//! must show a row that is known: whatever stood above that row and stayed has been read, and what
//! stands below it in the page is read now. A page that shows none is no part of the reading, and
//! the place is looked for again (`lost`). The bounds of a query may be dropped without a word, so
//! every row's time is looked at. Deep offsets are slow: after some pages the list is asked again
//! from its top, before the oldest row so far.
//!
//! The span is read when some rows before it have been seen in a list that was newest first, or
//! when the list has come to its end. A short page is not the end: a server may give fewer rows than
//! it was asked for. Only of a server that gives a single row a page it is believed.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::moment::{second_after, second_of};
use super::page::{Page, TransactionsQuery};
use super::recent::{Novelty, Recent};
use super::span::{PullReport, PullSettings, Span, Stop};
use crate::transaction::{Transaction, TransactionSource};

/// How many unreadable rows are named; the others are only counted.
const UNREADABLE_NAMED: usize = 20;
/// How many pages in a row may show nothing new, because the list moved on by as much.
const REPEATS_MAX: usize = 8;

/// A row that is new, or says something else than before.
struct Fresh {
    row: Transaction,
    is_new: bool,
    /// It stands above a known row: it was put in late, and says nothing about the list's order.
    is_put_in: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Complete,
    Stopped(Stop),
}

/// The state of one reading.
#[derive(Debug)]
pub(super) struct Course {
    source: TransactionSource,
    settings: PullSettings,
    span: Span,
    state: State,
    /// The end of the stretch, as it is asked for.
    until: Timestamp,
    offset: usize,
    /// How many rows of the stretch's list have been passed.
    reached: usize,
    /// Where the stretch before ended, to go on from if the list does not look at `until`.
    before: Option<usize>,
    stretch_pages: usize,
    by_offset: bool,
    repeats: usize,
    /// How often the place was lost since a page brought news.
    misses: u32,
    /// How many rows pages overlap by: more where rows vanish, fewer where they are pushed down.
    overlap_rows: usize,
    /// One part in so many of a page is left for what is new, however many rows that is.
    news_part: usize,
    /// How many rows were read, each at its place among them.
    places: u64,
    /// The most rows a page has had: what the server gives, whatever is asked for.
    longest: usize,
    /// The times of the last rows, the oldest at the end, and whether all came in order.
    last: VecDeque<Timestamp>,
    newest_first: bool,
    /// Whether any was older than the one before: rows of one moment are in any order.
    descends: bool,
    /// How many rows before the span have been seen.
    behind: usize,
    recent: Recent,
    report: PullReport,
}

impl Course {
    pub(super) fn new(source: TransactionSource, span: Span, settings: PullSettings) -> Self {
        let page_rows = settings.page_rows.max(2);
        let settings = PullSettings {
            page_rows,
            overlap_rows: settings.overlap_rows.clamp(1, page_rows / 2),
            ..settings
        };
        let span = Span {
            from: second_of(span.from),
            to: span.to,
        };
        let state = if span.from < span.to {
            State::Reading
        } else {
            State::Complete
        };
        Self {
            source,
            settings,
            span,
            state,
            until: second_after(span.to),
            overlap_rows: settings.overlap_rows,
            news_part: 2,
            misses: 0,
            places: 0,
            offset: 0,
            reached: 0,
            before: None,
            stretch_pages: 0,
            by_offset: false,
            repeats: 0,
            longest: 0,
            last: VecDeque::new(),
            newest_first: true,
            descends: false,
            behind: 0,
            recent: Recent::default(),
            report: PullReport {
                span,
                complete: false,
                read_from: span.to,
                stop: None,
                rows: 0,
                pages: 0,
                unreadable_count: 0,
                unreadable: Vec::new(),
                bounds_dropped: false,
                skew: None,
                started_at: None,
            },
        }
    }

    /// What to ask next; `None` when the reading has ended.
    pub(super) fn next(&self) -> Option<TransactionsQuery> {
        (self.state == State::Reading).then_some(TransactionsQuery {
            source: self.source,
            from: Some(self.span.from),
            to: Some(self.until),
            offset: self.offset,
            limit: self.settings.page_rows,
        })
    }

    /// How many pages have been read.
    pub(super) fn pages(&self) -> usize {
        self.report.pages
    }

    pub(super) fn report(&self) -> PullReport {
        let complete = self.state == State::Complete;
        let read_from = if complete {
            self.span.from
        } else {
            self.edge().unwrap_or(self.span.to)
        };
        PullReport {
            complete,
            read_from: read_from.clamp(self.span.from, self.span.to.max(self.span.from)),
            stop: match self.state {
                State::Stopped(stop) => Some(stop),
                State::Reading | State::Complete => None,
            },
            ..self.report.clone()
        }
    }

    /// Takes the page that was asked for and gives the rows of the span that are new or changed.
    pub(super) fn take(&mut self, page: Page) -> Vec<Transaction> {
        self.note(&page);
        if self.top_again_is_no_use(&page) {
            return Vec::new();
        }
        if self.is_lost(&page) {
            return self.look_elsewhere(page.rows);
        }
        let raw_count = page.raw_count;
        let all_before =
            !page.rows.is_empty() && page.rows.iter().all(|row| row.at < self.span.from);
        let (fresh, above_last) = self.sort(page.rows);
        // Rows that are pushed down by new ones make a page longer, but bring nothing.
        let brings_news = fresh.iter().any(|fresh| !fresh.is_put_in);
        let at_end = !brings_news && raw_count < self.longest.max(1);
        self.longest = self.longest.max(raw_count);
        let end = self.offset.saturating_add(raw_count);
        self.reached = end.saturating_add(self.still_below(above_last));
        self.note_order(&fresh);
        if brings_news {
            (self.repeats, self.misses) = (0, 0);
        } else {
            self.repeats += 1;
            if self.misses == 0 && self.repeats > 1 {
                self.overlap_rows = (self.overlap_rows / 2).max(1);
            }
        }
        self.judge(at_end, all_before);
        self.within(fresh)
    }

    /// What a page says besides its rows.
    fn note(&mut self, page: &Page) {
        self.report.pages += 1;
        self.stretch_pages += 1;
        self.report.started_at.get_or_insert(page.started_at);
        self.report.skew = page.skew().or(self.report.skew);
        let from = self.span.from;
        let outside = |row: &Transaction| row.at >= self.until || row.at < from;
        self.report.bounds_dropped |= page.rows.iter().any(outside);
        for row in &page.unreadable {
            let inside = row.at.is_none_or(|at| at >= from && at < self.span.to);
            // The overlap shows some of them twice; one without a name is counted as often.
            let seen = row.id.is_some() && self.report.unreadable.contains(row);
            if inside && !seen {
                self.report.unreadable_count += 1;
                if self.report.unreadable.len() < UNREADABLE_NAMED {
                    self.report.unreadable.push(row.clone());
                }
            }
        }
    }

    /// Whether the list was asked from its top for earlier rows and gave later ones: then it is
    /// read on by offset.
    fn top_again_is_no_use(&mut self, page: &Page) -> bool {
        let Some(before) = self.before.filter(|_| self.offset == 0) else {
            return false;
        };
        if !page.rows.iter().any(|row| row.at >= self.until) {
            return false;
        }
        self.by_offset = true;
        self.before = None;
        self.until = second_after(self.span.to);
        self.reached = before;
        self.offset = before.saturating_sub(self.overlap());
        true
    }

    /// The rows that are new or changed, and how many known rows stood below the page's last one
    /// when they were read.
    fn sort(&mut self, rows: Vec<Transaction>) -> (Vec<Fresh>, u64) {
        let known = rows.iter().enumerate().rev();
        let mut known = known.filter_map(|(index, row)| Some((index, self.recent.place(row)?)));
        let last_known = known.next();
        if last_known.is_none() && !rows.is_empty() && self.is_at_the_top() {
            // Nothing of it is known any more: the order begins anew.
            self.last.clear();
            self.behind = 0;
        }
        let mut last_place = last_known.map_or(self.places, |(_, place)| place);
        let mut fresh: Vec<Fresh> = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            let is_put_in = last_known.is_some_and(|(last, _)| index <= last);
            if !is_put_in {
                self.places += 1;
                last_place = self.places;
            }
            let novelty = self.recent.take(&row, last_place);
            if novelty != Novelty::Known {
                fresh.push(Fresh {
                    is_new: novelty == Novelty::New,
                    is_put_in,
                    row,
                });
            }
        }
        (fresh, self.places - last_place)
    }

    fn note_order(&mut self, fresh: &[Fresh]) {
        for Fresh { row, .. } in fresh.iter().filter(|fresh| !fresh.is_put_in) {
            let before = self.last.back().copied().unwrap_or(row.at);
            self.newest_first &= row.at <= before;
            self.descends |= row.at < before;
            if self.last.len() == self.settings.page_rows {
                self.last.pop_front();
            }
            self.last.push_back(row.at);
            self.behind += usize::from(row.at < self.span.from);
        }
    }

    /// Whether the reading ends here, and from where it goes on.
    fn judge(&mut self, at_end: bool, all_before: bool) {
        // A single old row may be one that came late and stands where it was written.
        let in_order = self.newest_first && self.descends;
        let passed = in_order && self.behind >= self.settings.overlap_rows;
        if passed || at_end {
            self.state = State::Complete;
        } else if all_before && !self.newest_first {
            self.state = State::Stopped(Stop::Disorder);
        } else if self.report.pages >= self.settings.pages_max {
            self.state = State::Stopped(Stop::PagesMax);
        } else {
            let repeats = self.repeats >= REPEATS_MAX;
            // Half way a whole page is asked for again: beside it the last of a list is short.
            let again = if self.repeats == REPEATS_MAX / 2 {
                self.settings.page_rows
            } else {
                self.overlap()
            };
            self.offset = self.reached.saturating_sub(again);
            let is_due = repeats || self.stretch_pages >= self.settings.pages_a_stretch;
            let begins = is_due && self.begin_stretch();
            if repeats && !begins {
                self.state = State::Stopped(Stop::Repeats);
            }
        }
    }

    /// Before this moment there may be rows that have not come. The very last rows are not relied
    /// upon: one that came late may stand where it was written.
    fn edge(&self) -> Option<Timestamp> {
        let from_end = self.settings.overlap_rows;
        let edge = self.last.iter().rev().nth(from_end - 1).copied();
        edge.filter(|_| self.newest_first).map(second_after)
    }

    /// Asks from the list's top again, if the first page would bring news. Says whether it does.
    fn begin_stretch(&mut self) -> bool {
        let until = self.edge().filter(|until| *until < self.until);
        let Some(until) = until.filter(|_| !self.by_offset) else {
            return false;
        };
        let known = self.last.iter().filter(|at| **at < until).count();
        if known >= self.longest {
            return false;
        }
        self.before = Some(self.reached);
        self.until = until;
        self.offset = 0;
        self.reached = 0;
        self.stretch_pages = 0;
        self.repeats = 0;
        true
    }

    fn within(&mut self, fresh: Vec<Fresh>) -> Vec<Transaction> {
        let span = self.span;
        let mut rows = Vec::with_capacity(fresh.len());
        for Fresh { row, is_new, .. } in fresh {
            if row.at >= span.from && row.at < span.to {
                self.report.rows += usize::from(is_new);
                rows.push(row);
            }
        }
        rows
    }
}

mod lost;

#[cfg(test)]
mod list;
#[cfg(test)]
mod tests;
