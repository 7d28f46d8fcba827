//! Where to look when a page shows no row that is known, although it should.
//!
//! Rows vanished, and the list moved up by more than pages overlap: then what was passed over stands
//! above the page, and it is looked for ever further up, by an offset, then by time, at last from the
//! list's very top, above which there is nothing to miss. Or so many rows were put in above that
//! the page shows only those: then it is looked for further down. Rows of such a page are not taken
//! for read: they would vouch for rows that nobody has seen.

use super::{Course, Fresh, State};
use crate::account::transactions::moment::second_after;
use crate::account::transactions::page::Page;
use crate::account::transactions::span::Stop;
use crate::transaction::Transaction;

/// How many times the place may be lost before a page brings news. Each time it is looked for twice as far
/// away, so that this is enough for any list.
const MISSES_MAX: u32 = 16;

impl Course {
    /// How many rows the next page begins before the end of the last. Fewer than a page has, or the
    /// reading would never get on; and no more than half of one that is short, or it would hardly.
    pub(super) fn overlap(&self) -> usize {
        self.overlap_rows.min(self.overlap_max())
    }

    fn overlap_max(&self) -> usize {
        let all_but_one = self.longest.saturating_sub(1);
        all_but_one.min(self.longest - self.longest / self.news_part)
    }

    /// Whether the page should show a row that is known, and does not.
    pub(super) fn is_lost(&self, page: &Page) -> bool {
        // Unreadable rows have no names to be known by.
        let tells = page.raw_count == 0 || !page.rows.is_empty();
        let should = self.places > 0 && self.longest > 1 && !self.is_at_the_top();
        let is_known = |row| self.recent.place(row).is_some();
        should && tells && !page.rows.iter().any(is_known)
    }

    /// Whether the page is the first of all: nothing can have been passed over above it.
    pub(super) fn is_at_the_top(&self) -> bool {
        self.offset == 0 && self.until == second_after(self.span.to)
    }

    /// How far below the page the last row that was read stands now, as far as is known: all
    /// between were, too. After a miss less of it is believed, since some of them may be gone.
    pub(super) fn still_below(&self, known: u64) -> usize {
        let believed = known.checked_shr(self.misses).unwrap_or(0);
        usize::try_from(believed).unwrap_or(usize::MAX)
    }

    /// Goes on somewhere else, or gives up. Gives the rows only then, as the last that were seen.
    pub(super) fn look_elsewhere(&mut self, rows: Vec<Transaction>) -> Vec<Transaction> {
        self.misses += 1;
        let too_many = self.report.pages >= self.settings.pages_max;
        if too_many || self.misses > MISSES_MAX {
            let stop = if too_many {
                Stop::PagesMax
            } else {
                Stop::Moved
            };
            self.state = State::Stopped(stop);
            let fresh = rows.into_iter().map(|row| Fresh {
                row,
                is_new: true,
                is_put_in: false,
            });
            return self.within(fresh.collect());
        }
        let far = self.overlap().max(1);
        let far = far.saturating_mul(1 << self.misses);
        if self.misses > 1 {
            // Half a page of known rows was not enough.
            self.news_part = 4;
        }
        let most = self.overlap_max().max(1);
        self.overlap_rows = self.overlap_rows.saturating_mul(2).min(most);
        if self.is_pushed_down(&rows) {
            self.offset = self.offset.saturating_add(far.max(self.longest));
        } else if self.offset > 0 {
            self.offset = self.offset.saturating_sub(far);
        } else {
            self.look_earlier();
        }
        Vec::new()
    }

    /// Whether all these rows stand above every one that was read last.
    fn is_pushed_down(&self, rows: &[Transaction]) -> bool {
        let last = self.last.back().filter(|_| self.newest_first);
        last.is_some_and(|last| !rows.is_empty() && rows.iter().all(|row| row.at > *last))
    }

    /// Asks for later rows: for all of those remembered, then for all there are.
    fn look_earlier(&mut self) {
        let wider = self.last.front().copied().map(second_after);
        self.until = match wider.filter(|wider| *wider > self.until) {
            Some(wider) => wider,
            None => {
                self.before = None;
                second_after(self.span.to)
            }
        };
        self.stretch_pages = 0;
    }
}
