//! What goes wrong in a run.

use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::{Fault, MetaFault, Nonsense};
use jiff::SignedDuration;
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::disk::Health;
use crate::wire::Side;
use crate::world::World;

impl World {
    /// What the upstream does wrong from here on.
    pub(crate) fn spoil(&mut self) {
        let spoilt = self.shape.spoilt;
        if spoilt == 0 {
            return;
        }
        let faults = self.upstream.faults();
        let mut menu = menu();
        if self.shape.overruns {
            menu.push(Fault::Overrun(Credits::from_micros(110_000)));
        }
        for _ in 0..5 {
            let fault = menu.choose(&mut self.random).unwrap();
            faults.sometimes(spoilt / 5 + 1, fault.clone());
        }
        let nonsense = [Nonsense::Html, Nonsense::Unauthorised, Nonsense::Null];
        let nonsense = nonsense.choose(&mut self.random).unwrap();
        if self.random.random_bool(0.3) {
            faults.next_on(3, "/accounts/me/", Fault::Account(*nonsense));
        }
    }

    fn happens(&mut self, every: u64) -> bool {
        every > 0 && self.random.random_range(0..every) == 0
    }

    /// Whatever goes wrong at this tick.
    pub(crate) fn misfortunes(&mut self) {
        if self.happens(self.shape.crash_every)
            && let Some(guard) = &self.guard
        {
            guard.power.goes_after(self.random.random_range(0..30));
        }
        if self.happens(self.shape.part_every) {
            let side = *[Side::Clients, Side::Upstream]
                .choose(&mut self.random)
                .unwrap();
            let until = self.tick + self.random.random_range(20..3_500);
            self.net.part(side, until);
        }
        if self.happens(self.shape.part_every) {
            self.net.upstream_listens(false);
            self.upstream_back_at = self.tick + self.random.random_range(10..1_500);
        }
        if self.happens(self.shape.cut_every) {
            let side = *[Side::Clients, Side::Upstream]
                .choose(&mut self.random)
                .unwrap();
            self.net.hurt_one(side, self.random.random_bool(0.4));
        }
        if self.happens(self.shape.disk_every) {
            self.disk_is_ill();
        }
        if self.happens(self.shape.jump_every) {
            self.clock_jumps();
        }
        if self.happens(self.shape.people_every) {
            self.somebody_decides();
        }
        if self.happens(self.shape.pause_every) {
            self.somebody_pauses();
        }
        if self.happens(self.shape.reload_every) {
            self.somebody_reloads();
        }
        if self.happens(self.shape.strangers_every) {
            self.somebody_spends();
        }
    }

    fn disk_is_ill(&mut self) {
        if self.random.random_bool(0.3) {
            // Slow, not broken: the writer stands still.
            self.writes_from = self.tick + self.random.random_range(5..900);
            return;
        }
        self.disk_well_at = self.tick + self.random.random_range(20..1_500);
        self.place.disk.set(Health {
            failing: *[30, 60, 100].choose(&mut self.random).unwrap(),
            blind: self.random.random_bool(0.3),
        });
    }

    fn clock_jumps(&mut self) {
        let seconds = *[1, 4, 30, 90, 3_600, 90_000]
            .choose(&mut self.random)
            .unwrap();
        let back = self.random.random_bool(0.4) && self.shape.jumps_back;
        let seconds = if back {
            -i64::min(seconds, 7_200)
        } else {
            seconds
        };
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}

/// How the upstream can spoil a call without charging more than it may.
fn menu() -> Vec<Fault> {
    let failure = |status, charged, says_charge| Fault::Failure {
        status,
        charged,
        says_charge,
    };
    vec![
        Fault::SlowHeaders(Duration::from_millis(900)),
        Fault::SlowHeaders(Duration::from_secs(6)),
        Fault::SlowBody {
            pause: Duration::from_millis(40),
            chunk_bytes: 200,
        },
        Fault::CutBeforeCharge,
        Fault::CutAfterCharge,
        Fault::CutMidBody,
        failure(500, true, false),
        failure(502, false, false),
        failure(502, true, true),
        Fault::Redirect {
            status: 302,
            charged: true,
        },
        Fault::Throttled {
            retry_after_s: Some(1),
        },
        Fault::FundsGone,
        Fault::NeverAnswers { charged: true },
        Fault::NeverAnswers { charged: false },
        Fault::Html {
            status: 200,
            charged: true,
        },
        Fault::Meta(MetaFault::Missing),
        Fault::Meta(MetaFault::Null),
        Fault::Meta(MetaFault::Exponent),
        Fault::Meta(MetaFault::BinaryNoise),
        Fault::Meta(MetaFault::InRowsOnly),
        Fault::TruncatedJson,
        Fault::LengthTooLong,
        Fault::Huge { bytes: 40_000 },
        Fault::LeaksToken,
    ]
}
