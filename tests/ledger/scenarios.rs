//! Scenarios as tables: one line is one thing that happens, and what is expected of it.
//!
//! `time  who  what  amount  expected`. Holds are named by a letter; most lines are refusals.
//! `=` compares a budget: settled/held/in doubt.

use std::collections::HashMap;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{
    AccountRule, BalanceIs, Budget, CalendarUnit, Filter, Fingerprint, Hold, Reading, Settings,
    WhenStale, WindowRule,
};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Place, at, budget, calendar, micros, no, request, settle};

async fn play(settings: Settings, table: &str) {
    for place in Place::both() {
        let clock = Clock::manual(at("2026-03-31T12:00:00Z"));
        let ledger = place.open(settings.clone(), &clock);
        let mut holds: HashMap<String, Hold> = HashMap::new();
        for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words = line.split_whitespace().collect::<Vec<_>>();
            let [time, who, what, rest @ ..] = words.as_slice() else {
                panic!("{line}");
            };
            clock.set(at(&format!("2026-{time}Z")));
            let number = |index: usize| rest[index].parse::<i64>().unwrap();
            match *what {
                "hold" => {
                    let mut ask = request(who, number(1));
                    ask.floor = rest.get(3).map(|floor| micros(floor.parse().unwrap()));
                    ask.fingerprint = Some(Fingerprint(number(1).unsigned_abs()));
                    let found = match ledger.hold(ask).await {
                        Ok(hold) => {
                            holds.insert(rest[0].into(), hold);
                            "ok".to_owned()
                        }
                        Err(refused) => no(&refused).replace(' ', "-"),
                    };
                    assert_eq!(found, rest[2], "{line}");
                }
                "settle" => settle(holds.remove(rest[0]).unwrap(), number(1)),
                "release" => holds.remove(rest[0]).unwrap().release("a test"),
                "doubt" => holds.remove(rest[0]).unwrap().doubt("a test"),
                "bind" => {
                    let hold = holds.remove(rest[0]).unwrap();
                    hold.bind_job(rest[0].into()).await.unwrap();
                }
                "reads" => ledger.observe(Reading {
                    balance: micros(number(0)),
                    started_at: clock.now(),
                }),
                "=" => {
                    let statuses = ledger.budgets().await.unwrap();
                    let status = statuses.iter().find(|one| one.id.as_str() == *who).unwrap();
                    let found = [status.settled, status.held, status.in_doubt].map(Credits::micros);
                    assert_eq!(
                        format!("{}/{}/{}", found[0], found[1], found[2]),
                        rest[0],
                        "{line}"
                    );
                }
                other => panic!("{other}: {line}"),
            }
        }
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}

fn team(name: &str, budget: Budget) -> Budget {
    Budget {
        filter: Filter {
            team: Some(name.into()),
            ..Filter::default()
        },
        ..budget
    }
}

fn settings(budgets: Vec<Budget>) -> Settings {
    Settings {
        budgets,
        account: AccountRule {
            lag: SignedDuration::from_secs(10),
            stale_after: SignedDuration::from_mins(5),
            when_stale: WhenStale::Refuse,
            balance_is: BalanceIs::Gross,
        },
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_limit_is_busy_while_held_and_exhausted_once_settled() {
    let day = team("growth", budget("day", 100, calendar(CalendarUnit::Day)));
    let month = budget("month", 150, calendar(CalendarUnit::Month));
    play(
        settings(vec![day, month]),
        "
        03-31T12:00:00  growth  hold    a 60  ok
        03-31T12:00:01  growth  hold    b 41  busy
        03-31T12:00:01  growth  hold    b 101 exhausted
        03-31T12:00:01  growth  hold    b 40  ok
        03-31T12:00:02  growth  hold    c 1   busy
        03-31T12:00:02  growth  hold    c 0   ok
        03-31T12:00:02  sales   hold    d 51  busy
        03-31T12:00:02  sales   hold    d 50  ok
        03-31T12:00:02  sales   hold    e 1   busy
        03-31T12:00:03  growth  settle  a 59
        03-31T12:00:03  day     =       59/40/0
        03-31T12:00:03  growth  hold    e 2   busy
        03-31T12:00:03  growth  hold    e 42  exhausted
        03-31T12:00:03  growth  hold    e 1   ok
        03-31T12:00:04  growth  release b
        03-31T12:00:04  growth  settle  e 30
        03-31T12:00:04  day     =       89/0/0
        03-31T12:00:04  month   =       89/50/0
        03-31T12:00:05  growth  hold    f 12  exhausted
        03-31T12:00:05  growth  hold    f 11  ok
        03-31T12:00:06  sales   hold    g 1   busy
    ",
    )
    .await;
}

#[tokio::test]
async fn a_call_belongs_to_the_window_in_which_it_began() {
    let day = budget("day", 100, calendar(CalendarUnit::Day));
    let hour = budget(
        "hour",
        1_000,
        WindowRule::Rolling(SignedDuration::from_hours(1)),
    );
    play(
        settings(vec![day, hour]),
        "
        03-31T23:59:59.999999 growth  hold    a 100 ok
        03-31T23:59:59.999999 growth  hold    b 1   busy
        04-01T00:00:00  growth  hold    b 100 ok
        04-01T00:00:00  growth  hold    c 1   busy
        04-01T00:00:01  growth  settle  a 90
        04-01T00:00:01  day     =       0/100/0
        04-01T00:00:01  hour    =       90/100/0
        03-31T23:00:00  growth  hold    c 1   busy
        04-01T00:00:02  growth  release b
        03-31T23:00:00  growth  hold    c 101 exhausted
        03-31T23:00:00  growth  hold    c 100 ok
        04-01T00:59:59  hour    =       90/100/0
        04-01T01:00:00  hour    =       0/100/0
        04-01T01:00:35  hour    =       0/100/0
        04-01T01:00:36  hour    =       0/0/0
    ",
    )
    .await;
}

#[tokio::test]
async fn a_repeat_of_a_call_in_doubt_is_refused_for_ten_minutes() {
    play(
        settings(vec![budget("all", 1_000, WindowRule::Total)]),
        "
        03-31T12:00:00  growth  hold    a 7   ok
        03-31T12:00:00  growth  hold    b 7   ok
        03-31T12:00:01  growth  doubt   a
        03-31T12:00:01  growth  hold    c 7   in-doubt
        03-31T12:00:01  growth  hold    c 8   ok
        03-31T12:10:00  growth  hold    d 7   in-doubt
        03-31T12:10:01  growth  hold    d 7   ok
        03-31T12:10:01  all     =       0/29/7
    ",
    )
    .await;
}

#[tokio::test]
async fn the_account_keeps_its_floor() {
    play(
        settings(vec![]),
        "
        03-31T12:00:00  growth  hold    a 1   account  0
        03-31T12:00:00  growth  hold    a 1   ok
        03-31T12:00:00  growth  reads   100
        03-31T12:00:00  growth  hold    b 50  account  50
        03-31T12:00:00  growth  hold    b 49  ok       50
        03-31T12:00:00  growth  hold    c 1   account  50
        03-31T12:00:00  growth  hold    c 50  ok       0
        03-31T12:00:01  growth  settle  b 49
        03-31T12:00:01  growth  hold    d 1   account  0
        03-31T12:00:02  growth  release c
        03-31T12:00:02  growth  hold    d 51  account  0
        03-31T12:00:12  growth  reads   51
        03-31T12:00:12  growth  hold    d 51  account  0
        03-31T12:00:12  growth  hold    d 50  ok       0
        03-31T12:00:13  growth  release d
        03-31T12:05:12  growth  hold    e 50  ok       0
        03-31T12:05:12  growth  release e
        03-31T12:05:12.000001 growth hold f 1 account  0
    ",
    )
    .await;
}

#[tokio::test]
async fn a_bound_job_stays_held_and_a_doubt_counts_against_the_account_until_it_is_seen() {
    play(
        settings(vec![budget("all", 1_000, WindowRule::Total)]),
        "
        03-31T12:00:00  growth  hold    a 30  ok
        03-31T12:00:00  growth  bind    a
        03-31T12:00:00  growth  hold    b 20  ok
        03-31T12:00:01  growth  doubt   b
        03-31T12:00:01  all     =       0/50/20
        03-31T12:00:02  growth  reads   100
        03-31T12:00:02  growth  hold    c 51  account  0
        03-31T12:00:02  growth  hold    c 50  ok       0
        03-31T12:00:03  growth  release c
        03-31T12:00:12  growth  reads   100
        03-31T12:00:12  growth  hold    d 71  account  0
        03-31T12:00:12  growth  hold    d 70  ok       0
        03-31T12:00:12  all     =       0/120/20
    ",
    )
    .await;
}

#[tokio::test]
async fn charges_just_before_a_restart_still_count_against_the_account() {
    let place = Place::file();
    let clock = Clock::manual(at("2026-03-31T12:00:00Z"));
    let ledger = place.open(settings(vec![]), &clock);
    settle(ledger.hold(request("growth", 40)).await.unwrap(), 40);
    ledger.close().await.unwrap();
    clock.advance(SignedDuration::from_secs(5));
    let ledger = place.open(settings(vec![]), &clock);
    let started_at: Timestamp = clock.now();
    ledger.observe(Reading {
        balance: micros(100),
        started_at,
    });
    let mut ask = request("growth", 61);
    ask.floor = Some(micros(0));
    assert_eq!(no(&ledger.hold(ask.clone()).await.unwrap_err()), "account");
    ask.quote = micros(60);
    ledger.hold(ask).await.unwrap().release("a test");
    ledger.close().await.unwrap();
}
