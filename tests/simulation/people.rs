//! What people do while calls are made, each by a command to the running guard.

use std::sync::Arc;

use generect_guard::control::{Command, Question, Reply};
use generect_guard::credits::Credits;
use generect_guard::identity::Whose;
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::shadow::Stands;
use crate::world::World;

/// How old a doubt is before a person decides it, in ticks: later nothing is charged any more.
const DECIDED_AFTER: u64 = 9_000;

impl World {
    /// Somebody gives a command, and the model is told how that went, unless the guard dies first.
    pub(crate) fn commands(
        &self,
        command: Command,
        told: impl FnOnce(&mut crate::shadow::Shadow, Reply) + Send + 'static,
    ) {
        let Some(guard) = &self.guard else { return };
        let question = Question {
            command,
            who: "sim".into(),
            reason: "a run".into(),
        };
        let (shadow, life) = (Arc::clone(&self.shadow), self.lives());
        let name = format!("{:?}", question.command);
        let name: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
        guard.beside.ask(question, move |reply| {
            let shadow = &mut *shadow.lock().unwrap();
            shadow.answered_command(name, &reply);
            // Nobody hears a guard that has died meanwhile.
            if shadow.life == life {
                told(shadow, reply);
            }
        });
    }

    fn lives(&self) -> u32 {
        self.shadow.lock().unwrap().life
    }

    /// A person gives room, takes it back, decides an old doubt by what truly
    /// happened, or wants the books to be held against the account's list at once.
    pub(crate) fn somebody_decides(&mut self) {
        if self.random.random_bool(0.2) {
            return self.commands(Command::Reconcile {}, |_, _| {});
        }
        if self.random.random_bool(0.3) {
            let limit = self.rules.limits.choose(&mut self.random).unwrap();
            let micros = *[500_000, 2_000_000, -300_000]
                .choose(&mut self.random)
                .unwrap();
            let grant = Command::Grant {
                budget: limit.id.as_str().into(),
                amount: Credits::from_micros(micros),
            };
            return self.commands(grant, |_, _| {});
        }
        if let Some((hold, charge)) = self.old_doubt() {
            let resolve = Command::Resolve {
                hold: hold.to_string(),
                charge: Some(Credits::from_micros(charge)).filter(|_| charge > 0),
            };
            self.commands(resolve, |_, _| {});
        }
    }

    /// A person stops the calls of a team or a key, or lets them go on.
    pub(crate) fn somebody_pauses(&mut self) {
        let keys = self.shape.keys();
        let (team, key) = keys.choose(&mut self.random).unwrap();
        let whose = match self.random.random_bool(0.5) {
            true => Whose::Team(team.as_str().into()),
            false => Whose::Key(key.as_str().into()),
        };
        let name = whose.to_string();
        let dice = self.random.random_bool(0.2);
        let stops = {
            let gates = &mut self.shadow.lock().unwrap().gates;
            let stops = gates.is_open(&name) || dice;
            if self.guard.is_none() || !gates.turns([name.clone()]) {
                return;
            }
            stops
        };
        let command = match stops {
            true => Command::Pause { whose },
            false => Command::Resume { whose },
        };
        self.commands(command, move |shadow, reply| {
            let turned = matches!(reply, Reply::Done(_)).then_some(!stops);
            let now = shadow.now;
            shadow.gates.turned(now, [(name, turned)]);
        });
    }

    /// A person changes the settings and has them read again.
    pub(crate) fn somebody_reloads(&mut self) {
        let rules = self.rules.changed(&self.shape, &mut self.random);
        if self.guard.is_none() || !self.shadow.lock().unwrap().reloads(&rules) {
            return;
        }
        self.rules = rules;
        self.place.write(&self.shape, &self.rules);
        let rules = self.rules.clone();
        self.commands(Command::Reload {}, move |shadow, reply| match reply {
            Reply::Done(_) => shadow.reloaded(rules),
            _ => shadow.not_reloaded(),
        });
    }

    /// A hold that is long in doubt, alone of its call, and what was truly charged for it.
    fn old_doubt(&self) -> Option<(i64, i64)> {
        let shadow = self.shadow.lock().unwrap();
        let old = self.tick.saturating_sub(DECIDED_AFTER);
        shadow.holds.iter().find_map(|(number, held)| {
            let known = &shadow.calls[&held.print];
            let doubted = matches!(held.stands, Stands::InDoubt(_)) && held.job.is_none();
            let alone = known.holds.len() == 1;
            let is_job = known.operation.ends_with("_bulk");
            (doubted && alone && !is_job && held.at < old).then_some((*number, known.charged))
        })
    }
}
