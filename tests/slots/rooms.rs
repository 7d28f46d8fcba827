//! Rooms: calls come, wait, go away and fail in every order, and the slots stay what they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use generect_guard::catalogue;
use generect_guard::identity::Priority;
use generect_guard::ids::TeamId;
use generect_guard::proxy::slots::cap::TOLD_FOR;
use generect_guard::proxy::slots::{Room, Slot, SlotSettings, Slots};
use http::HeaderMap;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

fn settings(cap: u32, queue_max: usize) -> SlotSettings {
    SlotSettings {
        queue_max,
        wait_max: Duration::from_secs(10),
        caps: BTreeMap::from([("searches".into(), cap)]),
    }
}

fn slots(cap: u32, queue_max: usize) -> (Arc<Slots>, Arc<Room>) {
    let slots = Arc::new(Slots::new(settings(cap, queue_max)));
    let room = slots.room(&family("searches", 1));
    (slots, room)
}

fn family(name: &str, cap: u32) -> catalogue::Slots {
    catalogue::Slots {
        family: name.into(),
        cap,
    }
}

fn team(name: &str) -> TeamId {
    name.into()
}

/// What the layer does: one that is free, or a wait for one.
async fn slot(slots: &Slots, room: &Arc<Room>, team: &TeamId) -> Option<Slot> {
    match room.take() {
        Some(slot) => Some(slot),
        None => Some(slots.wait(room, team, Priority::Normal)?.await),
    }
}

fn told(limit: &str) -> HeaderMap {
    HeaderMap::from_iter([("x-ratelimit-limit".parse().unwrap(), limit.parse().unwrap())])
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_cap_are_in_flight_however_calls_come_and_go() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let cap = random.random_range(1..8);
        let (slots, room) = slots(cap, 10_000);
        let in_flight = Arc::new(AtomicU32::new(0));
        let mut calls = JoinSet::new();
        for number in 0..300 {
            let (slots, room, in_flight) = (slots.clone(), room.clone(), in_flight.clone());
            let team = team(&format!("team-{}", number % 5));
            let mut millis = |most| Duration::from_millis(random.random_range(0..most));
            let (comes, patience, takes) = (millis(400), millis(600), millis(20));
            let breaks = random.random_range(0..20) == 0;
            calls.spawn(async move {
                tokio::time::sleep(comes).await;
                let waited = tokio::time::timeout(patience, slot(&slots, &room, &team)).await;
                let Ok(Some(_slot)) = waited else { return };
                let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(now <= cap, "seed {seed}: {now} in flight, the cap is {cap}");
                tokio::time::sleep(takes).await;
                in_flight.fetch_sub(1, Ordering::SeqCst);
                assert!(!breaks, "a call that breaks down");
            });
        }
        let mut broke = 0;
        while let Some(ended) = calls.join_next().await {
            if let Err(error) = ended {
                let why = error.into_panic();
                let why = why.downcast_ref::<&str>().copied().unwrap_or_default();
                assert_eq!(why, "a call that breaks down", "seed {seed}");
                broke += 1;
            }
        }
        let standing = room.standing();
        assert_eq!((standing.in_use, standing.waiting), (0, 0), "seed {seed}");
        assert!(broke > 0, "seed {seed}: no call broke down");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_leaves_as_its_turn_comes_gives_the_slot_to_the_next() {
    let (slots, room) = slots(1, 10);
    let first = room.take().unwrap();
    let leaving = slots.wait(&room, &team("a"), Priority::Normal).unwrap();
    let staying = slots.wait(&room, &team("b"), Priority::Normal).unwrap();
    drop(first); // Hands the slot to the one that never looks.
    assert_eq!(room.standing().waiting, 1);
    drop(leaving);
    let slot = staying.await;
    assert_eq!((room.standing().in_use, room.standing().waiting), (1, 0));
    assert!(room.take().is_none());
    drop(slot);
    assert_eq!(room.standing().in_use, 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_those_who_wait() {
    let (slots, room) = slots(1, 10);
    let first = room.take().unwrap();
    let waiting = slots.wait(&room, &team("a"), Priority::Low).unwrap();
    drop(first);
    assert!(room.take().is_none(), "the slot belongs to who waited");
    drop(waiting.await);
    assert!(room.take().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_over_all_families() {
    let (slots, room) = slots(1, 2);
    let other = slots.room(&family("lookups", 1));
    let _taken = (room.take().unwrap(), other.take().unwrap());
    let first = slots.wait(&room, &team("a"), Priority::Normal);
    let second = slots.wait(&other, &team("a"), Priority::Normal);
    assert!(first.is_some() && second.is_some());
    assert!(slots.wait(&room, &team("b"), Priority::High).is_none());
    drop(second);
    assert!(slots.wait(&room, &team("b"), Priority::High).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_family_without_a_setting_has_the_catalogues_cap() {
    let (slots, _) = slots(3, 2);
    assert_eq!(slots.room(&family("lookups", 7)).standing().cap, 7);
    assert_eq!(slots.room(&family("searches", 7)).standing().cap, 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_upstream_tells_lowers_the_cap_until_it_is_not_told_again() {
    let (slots, room) = slots(3, 10);
    let [one, two, three] = [room.take(), room.take(), room.take()].map(Option::unwrap);
    one.hear(&told("2"));
    drop(one);
    assert!(room.take().is_none(), "two are in flight");
    let waiting = slots.wait(&room, &team("a"), Priority::Normal).unwrap();
    two.hear(&told("50"));
    let more = waiting.await;
    assert_eq!(room.standing().in_use, 3, "more is told than is set");
    more.hear(&told("1"));
    tokio::time::advance(TOLD_FOR).await;
    drop((two, three, more));
    let taken = [room.take(), room.take(), room.take(), room.take()];
    assert_eq!(taken.iter().flatten().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_changed_setting_holds_at_once_and_disturbs_nobody() {
    let (slots, room) = slots(1, 10);
    let first = room.take().unwrap();
    let waiting = slots.wait(&room, &team("a"), Priority::Normal).unwrap();
    slots.set(settings(2, 0));
    let second = waiting.await;
    assert!(slots.wait(&room, &team("a"), Priority::Normal).is_none());
    slots.set(settings(1, 10));
    assert_eq!(room.standing().in_use, 2, "who has a slot keeps it");
    let third = slots.wait(&room, &team("a"), Priority::Normal).unwrap();
    drop(first);
    assert_eq!(
        room.standing().waiting,
        1,
        "still one in flight, and one is the cap"
    );
    drop(second);
    let _third = third.await;
    assert_eq!(slots.settings().queue_max, 10);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_foretold_by_the_pace_of_late() {
    let (slots, room) = slots(1, 10);
    let mut slot = room.take().unwrap();
    assert_eq!(room.standing().expected, None);
    for _ in 0..40 {
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(slot);
        slot = room.take().unwrap();
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let waiting = slots.wait(&room, &team("a"), Priority::Normal).unwrap();
    assert_eq!(room.standing().expected, Some(Duration::from_secs(2)));
    drop((slot, waiting));
}
