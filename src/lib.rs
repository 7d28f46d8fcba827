//! generect-guard: a gateway for the Generect API that holds the money before the call leaves.
//!
//! This page is the map. It says what happens to a call, what the parts are, and who may use whom.
//!
//! # The life of a call
//!
//! A team's service calls the guard as if it were Generect. The call passes a tower of layers,
//! each of which reads the request, asks one question, and passes it on or refuses it
//! ([`proxy::stack`] lists them in order):
//!
//! 1. its *key* says which *team* pays ([`identity`]);
//! 2. its method and path name an *operation* ([`catalogue`]); what is not in the catalogue does
//!    not pass;
//! 3. its body says the most it can be charged, the *quote*; the repeat of a call whose paid answer never
//!    reached its client is given that answer, and goes no further;
//! 4. where the upstream serves only so many such calls at a time, it waits for a *slot*, fairly;
//! 5. the quote is *held* in every *budget* the call falls under, and under the account's *floor*,
//!    in one step and on disk ([`ledger`]);
//! 6. only now does it leave, with the account's token in place of the client's key;
//! 7. the answer says what was *charged*, and the hold is *settled* to it; or nothing was charged
//!    and it is *released*; or nobody knows, and it is *in doubt*: still counted.
//!
//! # Two planes
//!
//! The **request path** is `proxy` with what it asks: `identity`, `catalogue`, `ledger`, and the
//! latest reading of the `account`. Everything it needs is in memory, but for one thing: a hold is
//! on disk before the call leaves, and all calls that wait for the disk share one sync.
//!
//! **Beside it** stand the watchers of the account's balance and prices, the poller of bulk jobs, the
//! [`reconciliation`] of the books with the account's list, the `alerts`, the admin pages (`admin`),
//! the socket for commands that change something or archive closed months (`control`), a look through the
//! whole ledger after each start (`app/checking`), and the commands that read the ledger's file while it
//! is being written (`reports`). Five of the account's pages never leave: a
//! team sees its own books there (`proxy/team_view`).
//!
//! # Who may use whom
//!
//! ```text
//! main → cli → app → { config, proxy, admin, account, reconciliation, alerts, control, ledger, … }
//!        cli → { config, reports, control, simulator, ledger, identity, logging }
//! proxy   → identity, catalogue, ledger, account
//! config  → identity, catalogue, ledger, alerts, logging  (it builds their values; parts never see it)
//! reconciliation → account, catalogue, ledger     (its matching is pure)
//! alerts  → ledger (how a budget stands), identity (secrets)
//! reports → catalogue, ledger, reconciliation;  control → identity, ledger, reconciliation
//! app, proxy, ledger, account, reconciliation, alerts, admin → metrics  (names of what is counted)
//! ```
//!
//! `ledger`, `catalogue` and `identity` do not know one another, nor any server, nor the settings.
//! `account` does not know the ledger: `app` hands its readings on. `simulator` shares only
//! `credits` and `clock` with the rest, for a pretend upstream that priced with our catalogue could
//! not find its mistakes. `credits`, `clock`, `counted`, `ids`, `secret`, `transaction` (whose amounts are
//! `credits`) and `version` use nothing else of ours, and all may use them.
//! `tests/tidy.rs` holds the code to this list.
//!
//! # Where to read on
//!
//! [`proxy::stack`], then `proxy/authenticate.rs` (the simplest layer, the model of the others),
//! [`ledger`] for the words and the promises, `ledger/book` for the rules, `proxy/hold_credits.rs`
//! where both meet, `tests/integration/settlement.rs`, and [`app`].

pub mod account;
pub mod admin;
pub mod alerts;
pub mod app;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod counted;
pub mod credits;
pub mod identity;
pub mod ids;
pub mod ledger;
pub mod logging;
pub mod metrics;
pub mod proxy;
pub mod reconciliation;
pub mod reports;
pub mod secret;
pub mod simulator;
pub mod transaction;
pub mod version;
