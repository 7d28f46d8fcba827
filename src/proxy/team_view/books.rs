//! Looking into the books for a page, without getting in the way of calls.
//!
//! The ledger is asked how the budgets stand at most twice a second, however many ask. Everything else
//! is read from the file, beside the writer, on threads of their own and a few at a time; whoever
//! comes beyond that waits for a moment and is then told to come again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use super::query::{TransactionsQuery, UsageSpan, month_start};
use super::rows::{Page, Row};
use crate::clock::Clock;
use crate::credits::Credits;
use crate::ids::TeamId;
use crate::ledger::store::Spend;
use crate::ledger::{BudgetStatus, Ledger, OpenReader, Pace, Reader, StoreError};
use crate::proxy::refusal::Refusal;

/// Readings of the file at a time: calls keep the rest of the machine.
const LOOKS_MAX: usize = 2;
/// How long a reading may wait for its turn.
const TURN_WAIT: Duration = Duration::from_secs(2);
/// How long what was read for `me`, or of the budgets, is shown again, at least ...
const STANDING_KEPT: Duration = Duration::from_millis(500);
/// ... and how many times as long as the reading took: with the largest books it takes seconds.
const STANDING_KEPT_TIMES: u32 = 10;
/// Entries, of all teams together, that one list of transactions looks back over: about a third
/// of a second of work.
const ENTRIES_BACK: i64 = 2_000_000;

/// The books, as the pages need them.
#[derive(Debug)]
pub struct Books {
    ledger: Ledger,
    open: OpenReader,
    clock: Clock,
    looks: Arc<Semaphore>,
    standing: Mutex<Option<Arc<Standing>>>,
    outlook: Mutex<Option<Arc<Outlook>>>,
}

/// How things stood a moment ago, for every team.
#[derive(Debug)]
pub(super) struct Standing {
    kept_until: Instant,
    month: Timestamp,
    /// All budgets.
    pub(super) budgets: Vec<BudgetStatus>,
    spend: Vec<Spend>,
}

impl Standing {
    /// What `team` was charged in this UTC month.
    pub(super) fn spend_of(&self, team: &TeamId) -> Vec<Spend> {
        of_team(self.spend.iter().cloned(), team)
    }
}

/// How the budgets stood a moment ago, and how fast they go.
#[derive(Debug)]
pub(super) struct Outlook {
    kept_until: Instant,
    /// That moment.
    pub(super) at: Timestamp,
    /// All budgets.
    pub(super) budgets: Vec<BudgetStatus>,
    /// What went in the last 24 hours.
    pub(super) pace: Pace,
}

/// A page of transactions.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) rows: Vec<Row>,
    /// Calls that began up to this moment were not looked at, though the page has room for them.
    pub(super) complete_after: Option<Timestamp>,
}

impl Books {
    /// The books behind `ledger`, read with readers from `open`.
    pub fn new(ledger: Ledger, open: OpenReader, clock: Clock) -> Self {
        Self {
            ledger,
            open,
            clock,
            looks: Arc::new(Semaphore::new(LOOKS_MAX)),
            standing: Mutex::default(),
            outlook: Mutex::default(),
        }
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How things stand. Read once for all who ask within the same moment.
    pub(super) async fn standing(&self) -> Result<Arc<Standing>, Refusal> {
        let mut last = self.standing.lock().await;
        let month = month_start(self.clock.now());
        if let Some(standing) = &*last
            && standing.month == month
            && Instant::now() < standing.kept_until
        {
            return Ok(Arc::clone(standing));
        }
        let began = Instant::now();
        let budgets = self.ledger.budgets().await;
        let budgets = budgets.map_err(|_| Refusal::Draining)?;
        let spend = self
            .look(move |reader| reader.spend(month, Timestamp::MAX))
            .await?;
        let standing = Arc::new(Standing {
            kept_until: kept_until(began),
            month,
            budgets,
            spend,
        });
        *last = Some(Arc::clone(&standing));
        Ok(standing)
    }

    /// How the budgets stand and how fast they go. Read once for all who ask within the same moment.
    pub(super) async fn outlook(&self) -> Result<Arc<Outlook>, Refusal> {
        let mut last = self.outlook.lock().await;
        if let Some(outlook) = &*last
            && Instant::now() < outlook.kept_until
        {
            return Ok(Arc::clone(outlook));
        }
        let (began, at) = (Instant::now(), self.clock.now());
        let budgets = self.ledger.budgets().await;
        let budgets = budgets.map_err(|_| Refusal::Draining)?;
        let pace = self.look(move |reader| Pace::read(reader, at)).await?;
        let outlook = Arc::new(Outlook {
            kept_until: kept_until(began),
            at,
            budgets,
            pace,
        });
        *last = Some(Arc::clone(&outlook));
        Ok(outlook)
    }

    /// What `team` was charged in `span`, by the time of recording.
    pub(super) async fn spend(
        &self,
        team: TeamId,
        span: &UsageSpan,
    ) -> Result<Vec<Spend>, Refusal> {
        let (from, to) = (span.from, span.to);
        self.look(move |reader| {
            if from >= to {
                return Ok(Vec::new());
            }
            Ok(of_team(reader.spend(from, to)?.into_iter(), &team))
        })
        .await
    }

    /// What the open calls of `team` hold.
    pub(super) async fn held(&self, team: TeamId) -> Result<Credits, Refusal> {
        self.look(move |reader| {
            let open = reader.open_holds()?.into_iter();
            let theirs = open.filter(|hold| hold.origin.team == team);
            Ok(theirs.map(|hold| hold.quote).sum())
        })
        .await
    }

    /// The calls of `team` that `query` asks for, newest first.
    pub(super) async fn list(
        &self,
        team: TeamId,
        query: TransactionsQuery,
    ) -> Result<Listed, Refusal> {
        self.look(move |reader| {
            let mut listed = None;
            reader.in_one_view(&mut || {
                listed = Some(list(reader, &team, query.clone(), ENTRIES_BACK)?);
                Ok(())
            })?;
            listed.ok_or_else(|| StoreError::Failed("nothing was read".into()))
        })
        .await
    }

    /// Reads beside the calls. The turn ends with the reading, also when nobody waits for it.
    async fn look<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = timeout(TURN_WAIT, Arc::clone(&self.looks).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Refusal::Overloaded(
                "too many readings of the books at a time",
            ));
        };
        let open = self.open.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read(&*open.open()?)
        });
        match reading.await {
            Ok(Ok(read)) => Ok(read),
            // That no waiting mends: it must be asked for otherwise.
            Ok(Err(error @ StoreError::Archived { .. })) => Err(Refusal::BadRequest(format!(
                "This cannot be told: {error}."
            ))),
            Ok(Err(error)) => Err(Refusal::LedgerUnreadable(error.to_string())),
            Err(error) => Err(Refusal::LedgerUnreadable(error.to_string())),
        }
    }
}

/// Until when something is shown again whose reading began at `began` and has just ended.
fn kept_until(began: Instant) -> Instant {
    began + STANDING_KEPT.max(began.elapsed() * STANDING_KEPT_TIMES)
}

fn of_team(spend: impl Iterator<Item = Spend>, team: &TeamId) -> Vec<Spend> {
    spend.filter(|one| one.team == *team).collect()
}

/// The page that `query` asks for, out of the last `entries` of the ledger.
fn list(
    reader: &dyn Reader,
    team: &TeamId,
    query: TransactionsQuery,
    entries: i64,
) -> Result<Listed, StoreError> {
    let oldest = reader.tail()?.seq.saturating_sub(entries);
    let oldest = oldest.max(reader.archived()?.seq) + 1;
    let asked_from = match query.from() {
        Some(from) => reader
            .entries_recorded(from, Timestamp::MAX, 0, 1)?
            .pop()
            .map_or(i64::MAX, |entry| entry.seq),
        None => 1,
    };
    let mut page = Page::new(query);
    reader.each_of_team(team, oldest.max(asked_from), &mut |entry| page.take(entry))?;
    let mut complete_after = None;
    if oldest > asked_from && !page.is_full() {
        let edge = reader.entries(oldest - 2, 1)?.pop();
        complete_after = edge.map(|entry| entry.recorded_at);
    }
    Ok(Listed {
        rows: page.into_rows(),
        complete_after,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use jiff::SignedDuration;

    use super::*;
    use crate::ledger::{Entry, EntryKind, MemoryStore, Settings, Store};

    fn team() -> TeamId {
        "growth".into()
    }

    fn held(seq: i64, team: &str) -> Entry {
        let noon: Timestamp = "2026-11-15T12:00:00Z".parse().unwrap();
        let at = noon + SignedDuration::from_mins(seq);
        Entry {
            seq,
            kind: EntryKind::Held,
            hold: seq.to_string().parse().unwrap(),
            began_at: at,
            recorded_at: at,
            team: team.into(),
            key: "crm".into(),
            operation: "email_find".into(),
            amount: Credits::from_micros(1),
            job: None,
            budget: None,
            fingerprint: None,
            evidence: None,
        }
    }

    /// Holds of the team under odd numbers up to 9, of another under even ones.
    fn ledger() -> MemoryStore {
        let mut store = MemoryStore::new();
        let entries = (1..=9).map(|seq| held(seq, ["sales", "growth"][usize::from(seq % 2 == 1)]));
        store.append(&entries.collect::<Vec<_>>()).unwrap();
        store
    }

    /// The holds on the page, and the minute after noon up to which nothing was looked at.
    fn listed(query: &str, entries: i64) -> (Vec<i64>, Option<i64>) {
        let query = TransactionsQuery::read(Some(query));
        let listed = list(&ledger(), &team(), query, entries).unwrap();
        let noon: Timestamp = "2026-11-15T12:00:00Z".parse().unwrap();
        let minute = |at: Timestamp| at.duration_since(noon).as_mins();
        let holds = listed.rows.iter().map(|row| row.hold.get()).collect();
        (holds, listed.complete_after.map(minute))
    }

    #[test]
    fn a_list_that_was_not_looked_back_for_far_enough_says_from_where_it_is_complete() {
        assert_eq!(listed("", 100), (vec![9, 7, 5, 3, 1], None));
        assert_eq!(listed("", 9), (vec![9, 7, 5, 3, 1], None));
        assert_eq!(listed("", 4), (vec![9, 7], Some(5)));
        assert_eq!(listed("limit=2", 4), (vec![9, 7], None), "the page is full");
        assert_eq!(
            listed("created_at__gte=2026-11-15T12:06:00", 4),
            (vec![9, 7], None)
        );
        assert_eq!(
            listed("created_at__gte=2026-11-15T12:05:00", 4),
            (vec![9, 7], Some(5))
        );
        assert_eq!(listed("created_at__gte=2026-11-16", 4), (vec![], None));
        assert_eq!(
            listed("created_at__lt=2026-11-15T12:07:00", 4),
            (vec![], Some(5))
        );
    }

    fn books(open: OpenReader) -> (Books, std::thread::JoinHandle<()>) {
        let clock = Clock::system();
        let store = Box::new(MemoryStore::new());
        let (ledger, writer) = Ledger::open(store, Settings::default(), clock.clone()).unwrap();
        (Books::new(ledger, open, clock), writer.spawn().unwrap())
    }

    /// The disk hangs under as many readings as there may be; even those whose askers have left
    /// keep their turn, and whoever comes then is told so and waits no longer than for a moment.
    #[tokio::test]
    async fn whoever_finds_every_turn_taken_is_told_to_come_again() {
        let (release, hang) = mpsc::channel::<()>();
        let hang = std::sync::Mutex::new(hang);
        let (began, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let (books, _writer) = books(OpenReader::new(move || {
            began.send(()).unwrap();
            let _ = hang.lock().unwrap().recv();
            Ok(Box::new(MemoryStore::new()) as Box<dyn Reader>)
        }));
        let books = Arc::new(books);
        for _ in 0..LOOKS_MAX {
            let one = Arc::clone(&books);
            let asker = tokio::spawn(async move { one.held(team()).await });
            begins.recv().await.unwrap();
            asker.abort();
        }
        let refused = books.held(team()).await.unwrap_err();
        assert_eq!(refused.reason(), "overloaded");
        drop(release);
        assert_eq!(books.held(team()).await.unwrap(), Credits::ZERO);
    }

    #[tokio::test]
    async fn how_things_stand_is_read_once_for_all_who_ask_at_one_time() {
        let readings = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&readings);
        let (books, _writer) = books(OpenReader::new(move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(Box::new(ledger()) as Box<dyn Reader>)
        }));
        let asked = futures_util::future::join_all((0..50).map(|_| books.standing())).await;
        assert!(asked.iter().all(Result::is_ok));
        assert_eq!(readings.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_is_archived_is_told_as_that_and_not_as_a_fault_that_passes() {
        let (books, _writer) = books(OpenReader::new(|| Ok(Box::new(MemoryStore::new()))));
        let until: Timestamp = "2026-02-28T23:59:00Z".parse().unwrap();
        let read = books.look(move |_| Err::<(), _>(StoreError::Archived { until }));
        let refused = read.await.unwrap_err();
        assert_eq!(refused.reason(), "bad_request");
        let words = refused.detail();
        assert!(words.contains("begin and end on a quarter hour"), "{words}");
    }
}
