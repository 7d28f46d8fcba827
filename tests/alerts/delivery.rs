//! How an event reaches the log, the metrics and a real receiver.

use std::time::Duration;

use generect_guard::alerts::{Alert, Alerts, AlertsSettings, Patience, Shape, Webhook};
use generect_guard::clock::Clock;
use generect_guard::identity::Secret;
use generect_guard::metrics;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::receiver::{
    Desk, HIDDEN, Log, Message, Receiver, Running, SECRET, Step, hasty, low, poor, tls, until,
    webhook,
};
use crate::support::{at, credits, month, quiet, shares, used};

fn clock() -> Clock {
    Clock::manual(at("2026-11-21T06:47:31Z"))
}

fn start(alerts: Vec<Alert>, patience: Patience, desk: &Desk) -> Running {
    Running::start(alerts, patience, &clock(), desk, |now| Some(poor(now)))
}

/// As a receiver would do it.
fn assert_signed(message: &Message) {
    let signature = message.header("guard-signature").unwrap();
    let signature = hex::decode(signature.strip_prefix("sha256=").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&message.body);
    mac.verify_slice(&signature).unwrap();
}

#[tokio::test]
async fn a_message_is_signed_and_has_every_figure() {
    let receiver = Receiver::start(|_| Step::Status(204)).await;
    let desk = Desk::default();
    let running = start(vec![low("poor", receiver.webhook())], hasty(), &desk);
    let message = receiver.until(1).await.remove(0);
    assert_signed(&message);
    assert!(message.head.starts_with(&format!("POST /{HIDDEN} ")));
    assert_eq!(message.header("content-type"), Some("application/json"));
    assert_eq!(
        message.json(),
        json!({
            "id": "poor/2026-11-21T06:47:31Z",
            "alert": "poor",
            "at": "2026-11-21T06:47:31Z",
            "kind": "balance_below",
            "below": "100",
            "balance": "41.37",
            "read_at": "2026-11-21T06:47:31Z",
            "urgent": true,
            "text": "the account has 41.37 credits left, less than 100 (read at 2026-11-21T06:47:31Z)",
            "sent_at": "2026-11-21T06:47:31Z",
        })
    );
    running.stop().await;
}

#[tokio::test]
async fn a_budgets_message_says_how_it_stands() {
    let receiver = Receiver::start(|_| Step::Status(200)).await;
    let alert = Alert {
        webhook: Some(receiver.webhook()),
        ..shares("filling", None, &[80])
    };
    let seen = |now: Timestamp| {
        let mut snapshot = quiet(now);
        let mut status = used("growth-month", month(now), credits("160.5"), credits("190"));
        status.granted = credits("10");
        status.in_doubt = credits("1");
        snapshot.budgets.push(status);
        Some(snapshot)
    };
    let desk = Desk::default();
    let running = Running::start(vec![alert], hasty(), &clock(), &desk, seen);
    let mut message = receiver.until(1).await[0].json();
    assert_eq!(
        message["id"],
        "filling/growth-month/2026-11-01T00:00:00Z/80"
    );
    assert_eq!(message["urgent"], false);
    let figures = [
        "budget",
        "percent",
        "limit",
        "spent",
        "in_doubt",
        "resets_at",
    ];
    assert_eq!(
        figures.map(|name| message[name].take()),
        [
            json!("growth-month"),
            json!(80),
            json!("200"),
            json!("161.5"),
            json!("1"),
            json!("2026-12-01T00:00:00Z")
        ]
    );
    running.stop().await;
}

#[tokio::test]
async fn the_slack_shape_is_a_text_and_needs_no_signature() {
    let receiver = Receiver::start(|_| Step::Status(200)).await;
    let slack = Webhook {
        shape: Shape::Slack,
        secret: None,
        ..receiver.webhook()
    };
    let desk = Desk::default();
    let running = start(vec![low("poor", slack)], hasty(), &desk);
    let message = receiver.until(1).await.remove(0);
    assert_eq!(message.header("guard-signature"), None);
    assert_eq!(
        message.json(),
        json!({"text": "poor: the account has 41.37 credits left, less than 100 (read at 2026-11-21T06:47:31Z)"})
    );
    running.stop().await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again_under_one_id_until_it_is_taken() {
    let (recorder, exporter) = metrics::recorder().unwrap();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let receiver = Receiver::start(|number| match number {
        0 => Step::Status(500),
        1 => Step::Close,
        2 => Step::Status(429),
        3 => Step::Status(408),
        _ => Step::Status(200),
    })
    .await;
    let desk = Desk::default();
    let running = start(vec![low("poor", receiver.webhook())], hasty(), &desk);
    let messages = receiver.until(5).await;
    let taken = || {
        exporter
            .render()
            .contains("guard_alert_deliveries_total{alert=\"poor\",delivery=\"delivered\"} 1")
    };
    until(taken).await;
    for message in &messages {
        assert_signed(message);
        assert_eq!(message.id(), messages[0].id());
    }
    let text = exporter.render();
    for line in [
        "guard_alert_deliveries_total{alert=\"poor\",delivery=\"failed\"} 4\n",
        "guard_alerts_total{alert=\"poor\",kind=\"balance_below\"} 1\n",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    // It looked on meanwhile, and nobody sends a message that was taken.
    let looks = desk.looks();
    until(|| desk.looks() > looks + 5).await;
    assert_eq!(receiver.messages().len(), 5);
    running.stop().await;
}

#[tokio::test]
async fn after_the_last_attempt_a_message_is_given_up_and_the_next_one_is_sent() {
    let (log, _logging) = Log::start();
    let receiver = Receiver::start(|number| match number {
        0..3 => Step::Status(503),
        _ => Step::Status(200),
    })
    .await;
    let alert = Alert {
        webhook: Some(receiver.webhook()),
        ..shares("filling", None, &[50])
    };
    let seen = |now: Timestamp| {
        let mut snapshot = quiet(now);
        for id in ["a", "b"] {
            let status = used(id, month(now), credits("6"), credits("10"));
            snapshot.budgets.push(status);
        }
        Some(snapshot)
    };
    let patience = Patience {
        attempts: 3,
        ..hasty()
    };
    let desk = Desk::default();
    let running = Running::start(vec![alert], patience, &clock(), &desk, seen);
    let ids: Vec<String> = receiver.until(4).await.iter().map(Message::id).collect();
    let id = |budget: &str| format!("filling/{budget}/2026-11-01T00:00:00Z/50");
    assert_eq!(ids, [id("a"), id("a"), id("a"), id("b")]);
    assert_eq!(
        log.count("is given up: it answered 503"),
        1,
        "{}",
        log.text()
    );
    assert_eq!(log.count("gets it again: it answered 503"), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_receiver_that_says_no_or_wants_it_elsewhere_is_asked_once() {
    let elsewhere = Receiver::start(|_| Step::Status(200)).await;
    let to = elsewhere.address;
    for step in [
        Step::Status(400),
        Step::Status(401),
        Step::Status(404),
        Step::Status(410),
        Step::Redirect(to),
    ] {
        let (log, _logging) = Log::start();
        let receiver = Receiver::start(move |_| step).await;
        let desk = Desk::default();
        let running = start(vec![low("poor", receiver.webhook())], hasty(), &desk);
        until(|| log.count("is given up") == 1).await;
        assert_eq!(receiver.messages().len(), 1);
        running.stop().await;
    }
    assert_eq!(elsewhere.messages().len(), 0, "a redirect was followed");
}

#[tokio::test]
async fn a_receiver_that_hangs_or_is_gone_holds_nobody_up() {
    let hangs = Receiver::start(|_| Step::Silence).await;
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let good = Receiver::start(|_| Step::Status(200)).await;
    let alerts = vec![
        low("hangs", hangs.webhook()),
        low("gone", webhook(gone)),
        low("good", good.webhook()),
    ];
    let (log, _logging) = Log::start();
    let patience = Patience {
        timeout: Duration::from_secs(1),
        attempts: 2,
        ..hasty()
    };
    let desk = Desk::default();
    let running = start(alerts, patience, &desk);
    good.until(1).await;
    let looks = desk.looks();
    until(|| desk.looks() > looks + 5).await;
    hangs.until(2).await;
    until(|| log.count("is given up") == 2).await;
    let text = log.text();
    assert!(
        text.contains("given up: it did not answer in time"),
        "{text}"
    );
    assert!(text.contains("given up: it cannot be reached"), "{text}");
    assert_eq!(good.messages().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn while_a_receiver_hangs_only_so_many_messages_wait_for_it() {
    let (recorder, exporter) = metrics::recorder().unwrap();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let hangs = Receiver::start(|_| Step::Silence).await;
    let alert = Alert {
        webhook: Some(hangs.webhook()),
        ..shares("filling", None, &[50])
    };
    let seen = |now: Timestamp| {
        let mut snapshot = quiet(now);
        for number in 0..300 {
            let id = format!("b{number}");
            let status = used(&id, month(now), credits("6"), credits("10"));
            snapshot.budgets.push(status);
        }
        Some(snapshot)
    };
    let desk = Desk::default();
    let running = Running::start(vec![alert], hasty(), &clock(), &desk, seen);
    hangs.until(1).await;
    until(|| desk.looks() > 5).await;
    let text = exporter.render();
    for line in [
        "guard_alerts_total{alert=\"filling\",kind=\"budget_share\"} 300\n",
        "guard_alert_deliveries_total{alert=\"filling\",delivery=\"dropped\"} 44\n",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    let kept: Value = serde_json::from_str(&desk.text().unwrap()).unwrap();
    assert_eq!(kept["waiting"].as_array().unwrap().len(), 256);
    running.stop().await;
}

#[tokio::test]
async fn every_event_is_one_line_with_its_figures_and_no_line_shows_a_secret() {
    let (log, _logging) = Log::start();
    let receiver = Receiver::start(|number| match number {
        0 => Step::Status(500),
        _ => Step::Status(404),
    })
    .await;
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let alerts = vec![
        low("poor", receiver.webhook()),
        low("gone", webhook(gone)),
        shares("filling", None, &[50]),
    ];
    let seen = |now: Timestamp| {
        let mut snapshot = poor(now);
        let status = used("growth", month(now), credits("6"), credits("10"));
        snapshot.budgets.push(status);
        Some(snapshot)
    };
    let desk = Desk::default();
    let running = Running::start(alerts, hasty(), &clock(), &desk, seen);
    until(|| log.count("is given up") == 2).await;
    running.stop().await;
    let text = log.text();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" alert: "))
        .collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, parts) in lines.iter().zip([
        ["WARN", "alert.id=poor", "account.balance=41.37"],
        [
            "WARN",
            "alert.id=gone",
            "alert.event=gone/2026-11-21T06:47:31Z",
        ],
        [
            "INFO",
            "budget.id=growth budget.percent=50 budget.limit=10",
            "budget.spent=6",
        ],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    assert!(!text.contains(SECRET) && !text.contains(HIDDEN), "{text}");
    assert!(!desk.text().unwrap().contains(HIDDEN));
}

#[test]
fn a_webhook_that_cannot_be_used_is_named_by_its_alert_and_not_shown() {
    let good = webhook("127.0.0.1:1".parse().unwrap());
    for (webhook, words) in [
        (
            Webhook {
                url: Secret::new(HIDDEN),
                ..good.clone()
            },
            "no http or https URL",
        ),
        (
            Webhook {
                url: Secret::new(format!("file:///{HIDDEN}")),
                ..good.clone()
            },
            "no http or https URL",
        ),
        (
            Webhook {
                through_proxy: true,
                ..good
            },
            "proxy",
        ),
    ] {
        let settings = AlertsSettings::new(vec![low("poor", webhook.clone())], tls(), None);
        let error = Alerts::new(settings, clock()).err().unwrap();
        let shown = format!("{error} {error:?} {webhook:?}");
        assert!(
            shown.contains("alert poor: ") && shown.contains(words),
            "{shown}"
        );
        assert!(
            !shown.contains(HIDDEN) && !shown.contains(SECRET),
            "{shown}"
        );
    }
}
