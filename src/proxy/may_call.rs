//! Who may call at a moment: asked when a call arrives, and again before anything is held or sent for
//! it, which may be a good while later.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::Quoted;
use super::authenticate::presented;
use super::policy::Policy;
use super::refusal::{Paused, Refusal};
use crate::clock::Clock;
use crate::identity::{Client, Found, Pauses};
use crate::ids::KeyId;

/// See the module.
#[derive(Clone, Debug)]
pub struct MayCall {
    /// The rules in force, swapped whole when they change.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Who may make no calls, swapped whole too.
    pub pauses: Arc<ArcSwap<Pauses>>,
    /// What keys end by.
    pub clock: Clock,
}

impl MayCall {
    /// Whether whoever was found may call now.
    pub(super) fn found(&self, found: &Found) -> Result<(), Refusal> {
        self.has_not_ended(&found.client.key, found.expires)?;
        self.is_not_paused(&found.client)
    }

    /// Whether a call that has arrived may go on: its body took its time, or it waited for a slot or
    /// for another's answer. It keeps the rules it met, but not a key that has ended since.
    pub(super) fn still(&self, quoted: &Quoted) -> Result<(), Refusal> {
        let policy = self.policy.load();
        if Arc::ptr_eq(&policy.directory, &quoted.policy.directory) {
            self.has_not_ended(&quoted.client.key, quoted.key_ends)?;
        } else {
            self.is_still_known(&policy, quoted)?;
        }
        self.is_not_paused(&quoted.client)
    }

    fn is_still_known(&self, policy: &Policy, quoted: &Quoted) -> Result<(), Refusal> {
        let secret = presented(quoted.request.headers()).map_err(Refusal::UnknownKey)?;
        let Some(found) = policy.directory.find(secret) else {
            return Err(Refusal::UnknownKey(
                "The key is known to the guard no more: the settings were changed while the call waited",
            ));
        };
        let (now, then) = (&found.client, &quoted.client);
        if now.key != then.key || now.team.id != then.team.id {
            return Err(Refusal::RulesChanged);
        }
        self.has_not_ended(&now.key, found.expires)
    }

    fn has_not_ended(&self, key: &KeyId, ends: Option<Timestamp>) -> Result<(), Refusal> {
        match ends {
            Some(at) if at <= self.clock.now() => {
                let key = key.clone();
                Err(Refusal::KeyExpired { key, at })
            }
            _ => Ok(()),
        }
    }

    fn is_not_paused(&self, client: &Client) -> Result<(), Refusal> {
        let pauses = self.pauses.load();
        let Some((whose, pause)) = pauses.of(client) else {
            return Ok(());
        };
        let paused = Paused {
            whose: whose.clone(),
            pause: pause.clone(),
        };
        Err(Refusal::Paused(Box::new(paused)))
    }
}
