//! The rules of kept answers against a plain account of what happened, over many made-up histories.

use bytes::Bytes;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::answer::KeptAnswer;
use super::table::{Bounds, Mark, Progress, Seen, Table, Ticket};
use crate::credits::Credits;
use crate::ledger::HoldId;
use crate::proxy::quote_body::CallDigest;

const BOUNDS: Bounds = Bounds {
    number_max: 6,
    bytes_max: 16_000,
    keep: SignedDuration::from_mins(10),
    idempotency_keep: SignedDuration::from_hours(24),
};
/// So long that nobody is waited for any more.
const WAITED: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Step {
    /// A client makes call number so and so.
    Call(u8),
    /// An exchange ends, with so many bytes if it was paid.
    End(usize, Option<usize>),
    /// A client leaves.
    Leave(usize),
    /// It is given its answer, reads it, and says so.
    Read(usize),
    /// The last byte is written to it.
    Write(usize),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>();
    prop_oneof![
        4 => (0..3_u8).prop_map(Step::Call),
        2 => (any, proptest::option::weighted(0.8, 0..5_000_usize))
            .prop_map(|(at, bytes)| Step::End(at, bytes)),
        2 => any.prop_map(Step::Leave),
        2 => any.prop_map(Step::Read),
        1 => any.prop_map(Step::Write),
        1 => (0..400_i64).prop_map(Step::Pass),
    ]
}

fn digest(call: u8) -> CallDigest {
    CallDigest([call; 32])
}

fn answer(bytes: usize) -> KeptAnswer {
    let head = Response::new(()).into_parts().0;
    KeptAnswer::new(&head, &[Bytes::from(vec![0; bytes])], Credits::ZERO)
}

/// A client with its ticket, and whether the exchange was begun for it.
#[derive(Clone, Debug)]
struct Guest {
    call: u8,
    ticket: Ticket,
    there: bool,
    served: bool,
}

#[derive(Default)]
struct History {
    guests: Vec<Guest>,
    /// Exchanges under way.
    running: Vec<(u8, Ticket)>,
    /// Clients that left without their answer, and clients given somebody else's place, by call.
    left: [u32; 3],
    taken_over: [u32; 3],
}

impl History {
    fn call(&mut self, table: &mut Table<u64, ()>, call: u8, now: Timestamp) {
        let mark = Mark::Call(digest(call));
        let guests = self.guests.len() as u64;
        // Everybody is there until told otherwise.
        let seen = table.look(mark, digest(call), guests, (now, WAITED), |_| true);
        let ticket = match seen {
            Seen::New(ticket) => {
                self.running.push((call, ticket));
                ticket
            }
            Seen::Known(ticket) => {
                self.taken_over[usize::from(call)] += 1;
                ticket
            }
            other => panic!("{other:?}"),
        };
        self.guests.push(Guest {
            call,
            ticket,
            there: true,
            served: false,
        });
    }

    /// A guest that is there, if any.
    fn guest(&mut self, at: usize) -> Option<&mut Guest> {
        let mut there: Vec<_> = self.guests.iter_mut().filter(|guest| guest.there).collect();
        let count = there.len();
        (count > 0).then(|| there.swap_remove(at % count))
    }

    fn step(&mut self, table: &mut Table<u64, ()>, step: Step, now: &mut Timestamp) {
        match step {
            Step::Call(call) => self.call(table, call, *now),
            Step::End(at, bytes) if !self.running.is_empty() => {
                let (_, ticket) = self.running.swap_remove(at % self.running.len());
                match bytes {
                    Some(bytes) => drop(table.answered(ticket, answer(bytes), *now)),
                    None => drop(table.ended(ticket, None, *now)),
                }
            }
            Step::Leave(at) => {
                if let Some(guest) = self.guest(at) {
                    guest.there = false;
                    let (call, ticket) = (guest.call, guest.ticket);
                    self.left[usize::from(call)] += 1;
                    table.left(ticket);
                }
            }
            Step::Read(at) | Step::Write(at) => {
                let reads = matches!(step, Step::Read(_));
                if let Some(guest) = self.guest(at)
                    && let Progress::Answered(_) = table.progress(guest.ticket)
                {
                    table.handed(guest.ticket, *now);
                    if reads {
                        table.delivered(guest.ticket);
                        (guest.there, guest.served) = (false, true);
                    }
                }
            }
            Step::Pass(seconds) => *now += SignedDuration::from_secs(seconds),
            Step::End(..) => {}
        }
    }
}

proptest! {
    #[test]
    fn no_more_is_given_away_than_was_lost_and_no_more_is_kept_than_may_be(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut table = Table::<u64, ()>::new(BOUNDS);
        let mut history = History::default();
        let mut now: Timestamp = "2026-10-06T10:00:00Z".parse().unwrap();
        for step in steps {
            history.step(&mut table, step, &mut now);
            prop_assert!(table.number() <= BOUNDS.number_max);
            prop_assert!(table.bytes() <= BOUNDS.bytes_max);
            for call in 0..3 {
                prop_assert!(history.taken_over[call] <= history.left[call]);
            }
            // Two clients that are both there never have one exchange.
            let mut tickets: Vec<_> = history.guests.iter().filter(|guest| guest.there)
                .map(|guest| (guest.ticket.mark, guest.ticket.id)).collect();
            let all = tickets.len();
            tickets.sort_unstable();
            tickets.dedup();
            prop_assert_eq!(tickets.len(), all);
        }
        // All read or gone, all ended, and a day later: nothing is left.
        for (_, ticket) in std::mem::take(&mut history.running) {
            table.ended(ticket, None, now);
        }
        now += SignedDuration::from_hours(24);
        table.sweep(now);
        prop_assert_eq!((table.number(), table.bytes(), table.marks()), (0, 0, 0));
    }
}

#[test]
fn a_client_that_closed_its_connection_is_waited_for_and_one_that_stays_hardly() {
    let mut table = Table::<u64, ()>::new(BOUNDS);
    let now: Timestamp = "2026-10-06T10:00:00Z".parse().unwrap();
    let mark = Mark::Call(digest(1));
    let zero = std::time::Duration::ZERO;
    let Seen::New(first) = table.look(mark, digest(1), 1, (now, zero), |_| true) else {
        panic!("nothing is known yet");
    };
    let patience = |table: &mut Table<u64, ()>, now, is_there: bool| match table.look(
        mark,
        digest(1),
        2,
        (now, zero),
        |_| is_there,
    ) {
        Seen::Unsure((), patience) => patience,
        other => panic!("{other:?}"),
    };
    assert!(patience(&mut table, now, true).as_millis() <= 10);
    table.answered(first, answer(10), now);
    table.handed(first, now);
    assert!(patience(&mut table, now, true).as_millis() <= 10);
    assert!(patience(&mut table, now, false).as_millis() > 100);
    let later = now + SignedDuration::from_secs(2);
    let seen = table.look(mark, digest(1), 2, (later, zero), |_| true);
    assert!(matches!(seen, Seen::New(_)), "it has its answer: {seen:?}");
}

#[test]
fn doubts_are_bounded_with_the_answers_and_a_call_that_grew_too_long_stays_known() {
    let mut table = Table::<u64, ()>::new(BOUNDS);
    let now: Timestamp = "2026-10-06T10:00:00Z".parse().unwrap();
    for call in 0..20 {
        let mark = Mark::Named(digest(call));
        let look =
            |table: &mut Table<u64, ()>| table.look(mark, digest(call), 0, (now, WAITED), |_| true);
        let Seen::New(ticket) = look(&mut table) else {
            panic!("nothing is known of {call} yet");
        };
        assert!(table.make_room(ticket, 3_000));
        assert!(
            !table.make_room(ticket, 3_000),
            "more than a quarter of all"
        );
        table.give_back_room(ticket);
        assert_eq!(table.bytes(), 0);
        assert!(matches!(look(&mut table), Seen::Known(_)), "it still runs");
        table.ended(ticket, Some(HoldId::new(i64::from(call))), now);
        assert!(matches!(look(&mut table), Seen::Doubted(_)));
        assert!(table.number() <= BOUNDS.number_max);
    }
    assert_eq!(table.number(), table.marks());
}

#[test]
fn answers_that_most_likely_arrived_make_room_first() {
    let mut table = Table::<u64, ()>::new(BOUNDS);
    let now: Timestamp = "2026-10-06T10:00:00Z".parse().unwrap();
    let mut tickets = Vec::new();
    for call in 0..7 {
        let mark = Mark::Call(digest(call));
        let look = table.look(mark, digest(call), 0, (now, WAITED), |_| true);
        let Seen::New(ticket) = look else {
            panic!("{look:?}");
        };
        table.answered(ticket, answer(10), now);
        if call == 3 {
            table.handed(ticket, now);
        } else {
            table.left(ticket);
        }
        tickets.push(ticket);
    }
    let gone = |ticket: &Ticket| matches!(table.progress(*ticket), Progress::Over);
    let gone: Vec<_> = tickets.iter().map(gone).collect();
    assert_eq!(gone, [false, false, false, true, false, false, false]);
}
