//! Whether what is held fits: under every limit, and over the account's floors.

use generect_guard::ledger::Entry;

use crate::rules::{Rules, Span};
use crate::shadow::{Known, Shadow, Stands};
use crate::shape;

impl Shadow {
    /// Promise 1: what fits is decided with everything before it, under all rules of one moment.
    pub(crate) fn keeps_limits(&mut self, hold: i64, now: i64) {
        let over = self.over(&self.rules, hold, now);
        let coming = self.coming.as_ref();
        let fits =
            over.is_empty() || coming.is_some_and(|rules| self.over(rules, hold, now).is_empty());
        if !fits {
            self.breaks("1 hard cap", &over.join("; "));
        }
    }

    /// The limits that are passed with this hold.
    fn over(&self, rules: &Rules, hold: i64, now: i64) -> Vec<String> {
        let asks = &self.calls[&self.holds[&hold].print];
        let limits = rules.limits.iter();
        let covering = limits.filter(|limit| limit.covers(&asks.team, &asks.key, &asks.operation));
        let mut sums: Vec<_> = covering.map(|limit| (limit, 0)).collect();
        for held in self.holds.values() {
            let counts = match held.stands {
                Stands::Live | Stands::InDoubt(_) => held.quote,
                Stands::Settled(charge) => charge,
                Stands::Released => continue,
            };
            let known = &self.calls[&held.print];
            for (limit, sum) in &mut sums {
                if is_within(limit.span, held.began, now)
                    && limit.covers(&known.team, &known.key, &known.operation)
                {
                    *sum += counts;
                }
            }
        }
        let mut over = Vec::new();
        for (limit, sum) in sums {
            let grants = self.grants.get(&limit.id).into_iter().flatten();
            let given = grants.filter(|(at, _)| match limit.span {
                // A grant goes with its whole step.
                Span::Rolling(seconds) => *at > now - seconds * 1_020_000,
                span => is_within(span, *at, now),
            });
            let most = limit.micros + given.map(|(_, micros)| micros).sum::<i64>();
            if sum > most {
                over.push(format!("{}: {sum} of {most} after hold {hold}", limit.id));
            }
        }
        over
    }

    /// Promise 11: whatever the open calls still take, the account keeps its caller's floor.
    pub(crate) fn keeps_floor(&mut self, hold: i64, print: u64, team: &str) {
        let forgotten = self.clock - shape::LAG_SECONDS * 1_000_000;
        let coming = |known: &Known| {
            let (mut open, mut settled) = (0, 0);
            for hold in &known.holds {
                let held = &self.holds[hold];
                match held.stands {
                    // By then the balance has it, or it is nothing.
                    Stands::InDoubt(since) if since < forgotten && held.job.is_none() => {}
                    Stands::Live | Stands::InDoubt(_) => open += held.quote,
                    Stands::Settled(charge) => settled += charge,
                    Stands::Released => {}
                }
            }
            // What of it was charged already is off the balance. It may have been given another's row.
            (open - (known.charged - settled).max(0)).max(0)
        };
        let coming = self.calls.values().map(coming).sum::<i64>();
        let made = self.calls[&print].made.iter();
        let begun = made.map(|label| self.attempts[label].at).min();
        let unknown = self.strangers.unknown_at(begun.unwrap_or(0));
        let left = self.balance + self.unforeseen + unknown - coming;
        let floor = self.floors[team];
        if left < floor {
            self.breaks(
                "11 the floor",
                &format!("hold {hold} of {team} can leave {left} under {floor}"),
            );
        }
    }

    pub(crate) fn granted(&mut self, entry: &Entry) {
        let budget = entry.budget.as_ref().map_or("", |budget| budget.as_str());
        let at = entry.began_at.as_microsecond();
        let grants = self.grants.entry(budget.to_owned()).or_default();
        grants.push((at, entry.amount.micros()));
    }
}

/// Whether a call that began then is in the window of `now`.
fn is_within(span: Span, began: i64, now: i64) -> bool {
    let day = |micros: i64| micros.div_euclid(86_400_000_000);
    match span {
        Span::Total => true,
        Span::Day => day(began) == day(now),
        Span::Rolling(seconds) => began > now - seconds * 1_000_000,
    }
}
