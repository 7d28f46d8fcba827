//! What is told and what is sent across restarts, and when the place for it cannot be used.

use std::future::ready;
use std::sync::Arc;

use generect_guard::alerts::{Alerts, AlertsSettings, Condition, Patience, run};
use generect_guard::clock::Clock;
use jiff::SignedDuration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::receiver::{Desk, Log, Message, Receiver, Running, Step, hasty, low, poor, tls, until};
use crate::support::{alert, at, credits, quiet};

fn clock() -> Clock {
    Clock::manual(at("2026-11-21T06:47:31Z"))
}

/// Waits for some more looks.
async fn looks_on(desk: &Desk) {
    let looks = desk.looks();
    until(|| desk.looks() > looks + 3).await;
}

/// Waits until no message waits for its receiver, and that is saved.
async fn settled(desk: &Desk) {
    let empty = || {
        desk.text()
            .is_some_and(|text| text.contains("\"waiting\":[]"))
    };
    until(empty).await;
}

#[tokio::test]
async fn a_restart_tells_nothing_twice() {
    let (log, _logging) = Log::start();
    let receiver = Receiver::start(|_| Step::Status(200)).await;
    let (desk, clock) = (Desk::default(), clock());
    for restart in 0..3 {
        let alerts = vec![low("poor", receiver.webhook())];
        let running = Running::start(alerts, hasty(), &clock, &desk, |now| Some(poor(now)));
        receiver.until(1).await;
        settled(&desk).await;
        looks_on(&desk).await;
        running.stop().await;
        assert_eq!(desk.loads(), restart + 1);
        clock.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(receiver.messages().len(), 1);
    assert_eq!(log.count(" alert: "), 1, "{}", log.text());
}

#[tokio::test]
async fn a_message_that_was_not_taken_is_sent_after_the_restart_under_the_same_id() {
    let hangs = Receiver::start(|_| Step::Silence).await;
    let (desk, clock) = (Desk::default(), clock());
    let alerts = vec![low("poor", hangs.webhook())];
    let running = Running::start(alerts, hasty(), &clock, &desk, |now| Some(poor(now)));
    let before = hangs.until(1).await.remove(0);
    running.stop().await;
    clock.advance(SignedDuration::from_hours(23));

    let (log, _logging) = Log::start();
    let well = Receiver::start(|_| Step::Status(200)).await;
    let alerts = vec![low("poor", well.webhook())];
    // Nothing is seen any more: what is sent is what was waiting.
    let running = Running::start(alerts, hasty(), &clock, &desk, |_| None);
    let after = well.until(1).await.remove(0);
    settled(&desk).await;
    running.stop().await;
    assert_eq!(after.id(), before.id());
    let (mut before, mut after) = (before.json(), after.json());
    assert_eq!(before["sent_at"].take(), "2026-11-21T06:47:31Z");
    assert_eq!(after["sent_at"].take(), "2026-11-22T05:47:31Z");
    assert_eq!(before, after);
    assert_eq!(log.count(" alert: "), 0, "it is not news: {}", log.text());
}

#[tokio::test]
async fn a_message_that_is_too_old_or_whose_alert_is_gone_is_not_sent() {
    let hangs = Receiver::start(|_| Step::Silence).await;
    let (desk, clock) = (Desk::default(), clock());
    let alerts = vec![low("poor", hangs.webhook()), low("gone", hangs.webhook())];
    let running = Running::start(alerts, hasty(), &clock, &desk, |now| Some(poor(now)));
    hangs.until(2).await;
    running.stop().await;
    clock.advance(SignedDuration::from_hours(25));

    let (log, _logging) = Log::start();
    let well = Receiver::start(|_| Step::Status(200)).await;
    let alerts = vec![low("poor", well.webhook())];
    let running = Running::start(alerts, hasty(), &clock, &desk, |_| None);
    settled(&desk).await;
    running.stop().await;
    assert_eq!(well.messages().len(), 0);
    assert_eq!(log.count("is given up: it is too old"), 1, "{}", log.text());
}

#[tokio::test]
async fn what_cannot_be_saved_is_told_once_and_saved_later() {
    let (log, _logging) = Log::start();
    let receiver = Receiver::start(|_| Step::Status(200)).await;
    let (desk, clock) = (Desk::default(), clock());
    desk.break_it(true);
    let alerts = vec![low("poor", receiver.webhook())];
    let running = Running::start(alerts, hasty(), &clock, &desk, |now| Some(poor(now)));
    receiver.until(1).await;
    until(|| desk.saves() > 5).await;
    assert_eq!(desk.text(), None);
    desk.break_it(false);
    settled(&desk).await;
    let saves = desk.saves();
    looks_on(&desk).await;
    running.stop().await;
    assert_eq!(desk.saves(), saves, "nothing new was saved again");
    assert_eq!(log.count(" alert: "), 1, "{}", log.text());
    assert_eq!(log.count("cannot be saved: the drawer is stuck"), 1);
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_again_rather_than_never() {
    for (desk, word) in [
        (Desk::with("{\"told\": 5"), "invalid type"),
        (
            Desk::with("{\"told\": {}, \"waiting\": [{\"kind\": \"new\"}]}"),
            "missing field",
        ),
        (Desk::default(), "the drawer is stuck"),
    ] {
        desk.break_it(word.contains("stuck"));
        let (log, _logging) = Log::start();
        let receiver = Receiver::start(|_| Step::Status(200)).await;
        let alerts = vec![low("poor", receiver.webhook())];
        let running = Running::start(alerts, hasty(), &clock(), &desk, |now| Some(poor(now)));
        let ids: Vec<String> = receiver.until(1).await.iter().map(Message::id).collect();
        running.stop().await;
        assert_eq!(ids, ["poor/2026-11-21T06:47:31Z"]);
        assert_eq!(log.count("have told cannot be read"), 1, "{}", log.text());
        assert!(log.text().contains(word), "{}", log.text());
    }
}

#[tokio::test]
async fn when_nobody_can_tell_how_things_stand_nothing_is_told_saved_or_forgotten() {
    let receiver = Receiver::start(|_| Step::Status(200)).await;
    let (desk, clock) = (Desk::default(), clock());
    let start = |seen: bool| {
        let alerts = vec![low("poor", receiver.webhook())];
        Running::start(alerts, hasty(), &clock, &desk, move |now| {
            seen.then(|| poor(now))
        })
    };
    let running = start(true);
    settled(&desk).await;
    running.stop().await;
    let (text, saves) = (desk.text(), desk.saves());
    let running = start(false);
    looks_on(&desk).await;
    running.stop().await;
    assert_eq!((desk.text(), desk.saves()), (text, saves));
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn an_alert_without_a_webhook_is_a_line_and_remembered_too() {
    let (log, _logging) = Log::start();
    let (desk, clock) = (Desk::default(), clock());
    for _ in 0..2 {
        let alerts = vec![alert("poor", Condition::BalanceBelow(credits("100")))];
        let running = Running::start(alerts, hasty(), &clock, &desk, |now| Some(poor(now)));
        looks_on(&desk).await;
        running.stop().await;
    }
    assert_eq!(log.count(" alert: "), 1, "{}", log.text());
    assert_eq!(desk.saves(), 1);
}

#[tokio::test]
async fn without_alerts_nothing_is_looked_at() {
    let desk = Desk::default();
    let seen = |now| Some(quiet(now));
    let running = Running::start(Vec::new(), Patience::default(), &clock(), &desk, seen);
    running.ended().await;
    assert_eq!((desk.looks(), desk.loads(), desk.saves()), (0, 0, 0));
}

/// As settings that are read again do: another takes over at once, and reads what this one saves.
#[tokio::test]
async fn what_was_told_is_saved_before_it_ends() {
    let settings = AlertsSettings::new(
        vec![alert("low", Condition::BalanceBelow(credits("100")))],
        tls(),
        None,
    );
    let alerts = Alerts::new(settings, clock()).unwrap();
    let (desk, shutdown) = (Desk::default(), CancellationToken::new());
    let (begun, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (saving, held, kept) = (Arc::clone(&begun), Arc::clone(&goes_on), desk.clone());
    let task = tokio::spawn(run(
        alerts,
        |now| ready(Some(poor(now))),
        || ready(Ok::<_, &str>(None)),
        move |text| {
            let (saving, held, kept) = (Arc::clone(&saving), Arc::clone(&held), kept.clone());
            async move {
                saving.notify_one();
                held.notified().await;
                kept.save(text)
            }
        },
        shutdown.clone(),
    ));
    begun.notified().await;
    shutdown.cancel();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!task.is_finished(), "it waits for what it saves");
    goes_on.notify_one();
    task.await.unwrap();
    assert!(desk.text().is_some_and(|text| text.contains("low")));
}
