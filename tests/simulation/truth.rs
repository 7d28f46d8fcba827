//! What was truly charged, held against the books at every step.

use generect_guard::ledger::Entry;

use crate::matched::Group;
use crate::shadow::{Shadow, Stands};
use crate::shape;

impl Shadow {
    /// The account was charged for a request that had this label.
    pub fn charged(&mut self, label: &str, micros: i64, aside: i64) {
        self.balance -= micros;
        self.trace.note(&[2, micros]);
        if self.tells {
            eprintln!("{}: the account takes {micros} for {label}", self.now);
        }
        let Some(attempt) = self.attempts.get_mut(label) else {
            return self.breaks("2 held before sent", &format!("nobody made {label}"));
        };
        *attempt.charged.get_or_insert(0) += micros;
        let print = attempt.print;
        self.nothing_of_refused(print);
        self.dirty.insert(print);
        let Some(known) = self.calls.get_mut(&print) else {
            return;
        };
        known.charged += micros;
        known.overrun |= micros > aside;
        let forgotten = self.clock - shape::LAG_SECONDS * 1_000_000;
        let open = known.holds.iter().filter_map(|hold| self.holds.get(hold));
        let late = open
            .clone()
            .any(|held| matches!(held.stands, Stands::InDoubt(since) if since < forgotten));
        let ended = !known.holds.is_empty()
            && open
                .clone()
                .all(|held| matches!(held.stands, Stands::Settled(_) | Stands::Released));
        if late || ended || micros > aside {
            self.unforeseen += micros;
        }
    }

    /// Promises 3, 4 and 5, for every call of which something was heard since.
    pub fn agrees(&mut self) {
        for print in std::mem::take(&mut self.dirty) {
            let group = self.group(print);
            if self.kept.groups.contains(&group) {
                self.group_agrees(&group);
                continue;
            }
            let known = &self.calls[&print];
            let (mut settled, mut open) = (0, 0);
            for hold in &known.holds {
                match self.holds[hold].stands {
                    Stands::Settled(charge) => settled += charge,
                    Stands::Live | Stands::InDoubt(_) => open += self.holds[hold].quote,
                    Stands::Released => {}
                }
            }
            let (charged, overrun) = (known.charged, known.overrun && open > 0);
            let call = format!(
                "{} of {}: charged {charged}, settled {settled}, open {open}, holds {:?}",
                known.operation, known.key, known.holds
            );
            if settled + open < charged && !overrun {
                self.breaks("3 nothing lost, 5 unknown is not zero", &call);
            }
            if settled > charged {
                self.breaks("4 counted once", &call);
            }
        }
    }

    /// The same for calls that nobody can tell apart. Where the list does not say enough, and after a
    /// day, when what is left is allocated, this is a matter of the findings.
    fn group_agrees(&mut self, group: &Group) {
        if !self.is_clear || self.at_rest {
            return;
        }
        let (charged, settled, open) = self.sums_of(group);
        let how = format!("{group:?}: charged {charged}, settled {settled}, open {open}");
        if settled + open < charged && !self.has_overrun(group) {
            self.breaks("3 nothing lost, 5 unknown is not zero", &how);
        }
        if settled > charged {
            self.breaks("4 counted once", &how);
        }
    }

    /// A charge that came after its hold had been given back is its team's after all.
    pub(crate) fn corrected(&mut self, entry: &Entry) {
        let (number, by) = (entry.hold.get(), entry.amount.micros());
        let Some(held) = self.holds.get_mut(&number) else {
            return;
        };
        let was = held.stands;
        match was {
            Stands::Settled(charge) => held.stands = Stands::Settled(charge + by),
            Stands::Released => held.stands = Stands::Settled(by),
            Stands::Live | Stands::InDoubt(_) => {
                let how = format!("hold {number} is corrected by {by}, and has not ended");
                self.breaks("4 counted once", &how);
            }
        }
    }
}
