//! A million calls, and the memory of the guard on the way.

use crate::support::children::Child;
use crate::support::load::{Until, drive};
use crate::support::number;
use crate::support::requests;
use crate::support::settings::WIDE;

pub(crate) async fn show() {
    let calls = number("CALLS", 1_000_000);
    let steps = 10;
    let upstream = Child::upstream();
    let guard = Child::guard(upstream.address, WIDE, "info").await;
    println!(
        "a guard with 301 budgets and 1001 keys; three billable calls, one free, one refused, in turn"
    );
    println!("{:>9} calls: {:>7} KiB resident", 0, guard.resident_kib());
    for step in 1..=steps {
        let each = calls / steps / 5;
        let parts = [
            (requests::billable(WIDE.keys), 3 * each),
            (requests::free(), each),
            (requests::exhausted(), each),
        ];
        for (requests, calls) in parts {
            drive(guard.address, &requests, Until::Calls(calls)).await;
        }
        println!(
            "{:>9} calls: {:>7} KiB resident",
            calls / steps * step,
            guard.resident_kib()
        );
    }
}
