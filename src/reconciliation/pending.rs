//! Rows that were not final when they were read, and are too old to be read again with the others.
//!
//! A job's row is written when the job is taken up and final when it ends, up to a day later
//! (dossier section 5), long after the part of the list that every run reads again. Rows of its
//! results may be put in beside it then. So such a row is asked for again by the moments about it,
//! less and less often.

use jiff::{SignedDuration, Timestamp};

use super::open::{Open, OpenRow};
use super::run::{ReconcileError, Reconciler};
use super::state::State;
use super::summary::Summary;
use crate::account::Span;

/// The shortest pause between two looks at one row; it grows with the row's age.
const PAUSE_MIN: SignedDuration = SignedDuration::from_mins(10);
/// A row is looked at again after such a part of its age.
const OF_ITS_AGE: i32 = 8;
/// Rows no further apart are asked for together.
const TOGETHER: SignedDuration = SignedDuration::from_secs(60);
/// Spans that one run asks for; the rest waits for the next.
const SPANS_MAX: usize = 32;
/// A row that is still not final at this age never will be: jobs live for a day, and rows come late.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(26);

const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl OpenRow {
    fn is_pending(&self) -> bool {
        !self.row.status.is_final()
    }

    /// Whether it was seen not to be final at an age at which every row is.
    pub(super) fn is_given_up(&self) -> bool {
        self.is_pending() && self.asked_at.duration_since(self.row.at) > GIVEN_UP
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.row.at);
        let pause = PAUSE_MIN.max(age / OF_ITS_AGE);
        self.is_pending() && now.duration_since(self.asked_at) >= pause
    }
}

impl Open {
    /// The spans of rows from before `reread_from` that are due, oldest first.
    fn due(&self, reread_from: Timestamp, now: Timestamp, together: SignedDuration) -> Vec<Span> {
        let old = self.rows.values().filter(|open| open.row.at < reread_from);
        let mut due: Vec<_> = old
            .filter(|open| open.is_due(now))
            .map(|open| open.row.at)
            .collect();
        due.sort_unstable();
        let mut spans: Vec<Span> = Vec::new();
        for at in due {
            let after = at.checked_add(SECOND).unwrap_or(Timestamp::MAX);
            match spans.last_mut() {
                Some(last) if at.duration_since(last.to) <= together => last.to = after,
                _ => spans.push(Span {
                    from: at,
                    to: after,
                }),
            }
        }
        spans
    }

    /// All rows of the span were read, whether or not they are still there.
    fn asked(&mut self, span: Span, now: Timestamp) {
        for open in self.rows.values_mut() {
            if open.row.at >= span.from && open.row.at < span.to {
                open.asked_at = now;
            }
        }
    }
}

impl Reconciler {
    /// Asks again for old rows that were not final.
    pub(super) async fn read_pending(
        &self,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let reread = state.notes.read_until.checked_sub(self.settings.overlap);
        // A list that does not look at times is read from its top: better once than for each.
        let together = if state.is_bounded {
            TOGETHER
        } else {
            SignedDuration::MAX
        };
        let due = (state.open).due(reread.unwrap_or(Timestamp::MIN), now, together);
        for span in due.into_iter().take(SPANS_MAX) {
            let settings = &self.settings;
            let mut pull = self.client.pull(settings.source, span, settings.pull);
            while let Some(rows) = pull.next().await? {
                self.keep_rows(state, rows, summary).await?;
            }
            if pull.report().complete {
                state.open.asked(span, now);
            }
        }
        Ok(())
    }
}
