//! A span of a list: what is to be read, how, and how far it was.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::row::UnreadableRow;

/// The moments from `from` (with all of its second) to before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

/// How a span is read.
#[derive(Clone, Copy, Debug)]
pub struct PullSettings {
    /// Rows asked for at a time; at least 2.
    pub page_rows: usize,
    /// How many rows of the page before are asked for again; at least 1.
    pub overlap_rows: usize,
    /// After so many pages the list is asked from its top again, with an earlier end.
    pub pages_a_stretch: usize,
    /// After so many pages the rest is left for another time.
    pub pages_max: usize,
    /// The wait between two pages.
    pub pause: Duration,
    /// How often a page is asked for before its error is one of the span.
    pub tries: u32,
    /// The wait after the first failed try; it doubles with each further one.
    pub retry_pause: Duration,
    /// What spreads these waits: any number, another each time.
    pub chance: fn() -> u32,
}

impl Default for PullSettings {
    /// A month of backlog at a hundred thousand rows a day takes about four hours, at four questions a
    /// second.
    fn default() -> Self {
        Self {
            page_rows: 100,
            overlap_rows: 10,
            pages_a_stretch: 20,
            pages_max: 50_000,
            pause: Duration::from_millis(250),
            tries: 4,
            retry_pause: Duration::from_secs(1),
            chance: rand::random,
        }
    }
}

/// Why a span was not read to its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Page after page, wherever it was looked for, showed none of the rows it should have
    /// repeated: rows may have been passed over.
    Moved,
    /// Page after page showed known rows only: the offset is not looked at, or the list grows as
    /// fast as it is read.
    Repeats,
    /// `pages_max` pages were read.
    PagesMax,
    /// The list is not newest first and does not look at the bounds: nobody can say where it ends.
    Disorder,
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Moved => "its pages moved too fast",
            Self::Repeats => "its pages repeat",
            Self::PagesMax => "it has too many pages",
            Self::Disorder => "it is in no order and has no end",
        })
    }
}

/// How far a span was read.
#[derive(Clone, Debug)]
pub struct PullReport {
    /// What was to be read.
    pub span: Span,
    /// Whether all pages of it were read. A row that is not among them was not in the list when
    /// the first page was asked for, unless it is one of the `unreadable`.
    pub complete: bool,
    /// From here on (to the span's end) everything was read, also when `complete` is false.
    pub read_from: Timestamp,
    /// Why it ended before the span's beginning; `None` also while it is under way or failed.
    pub stop: Option<Stop>,
    /// How many different rows of the span were handed on.
    pub rows: usize,
    /// How many pages were read.
    pub pages: usize,
    /// How many rows of the span, or of unknown time, could not be read.
    pub unreadable_count: usize,
    /// The first of them.
    pub unreadable: Vec<UnreadableRow>,
    /// Whether the list gave rows that the query's bounds exclude.
    pub bounds_dropped: bool,
    /// How far the upstream's clock is ahead of ours, by the last page that says so.
    pub skew: Option<SignedDuration>,
    /// Just before the first page was asked for. A row written later may not be among the rows.
    pub started_at: Option<Timestamp>,
}

impl PullReport {
    /// Whether a row that was not handed on is not there.
    pub fn absence_counts(&self) -> bool {
        self.complete && self.unreadable_count == 0
    }
}
