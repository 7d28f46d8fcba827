//! The promises, through real sockets: a real guard with a real ledger file before a simulated
//! Generect. One file a promise or a topic.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod account_changes;
mod account_floors;
mod account_tier;
mod admin;
mod alerts_told;
mod ask;
mod bad_input;
mod bad_upstream;
mod bad_wire;
mod budgets_page;
mod clock;
mod closing;
mod connecting;
mod connections;
mod crash;
mod disk;
mod doubts;
mod drain;
mod ended_keys;
mod explains;
mod explains_shortage;
mod hard_cap;
mod hasty_upstream;
mod held_before_sent;
mod http2;
mod http2_refuses;
mod jobs;
mod jobs_in_doubt;
mod jobs_polled;
mod jobs_reconciled;
mod kept_answers;
mod kept_idempotency;
mod kept_meets;
mod kept_sdk;
mod leaving;
mod live;
mod live_reload;
mod many_callers;
mod one_gate;
mod one_gate_beside;
mod one_process;
mod order;
mod raw_upstream;
mod readme;
mod reconcile;
mod reconcile_commands;
mod reconcile_failing;
mod reconcile_findings;
mod reconcile_readings;
mod refusals;
mod restart;
mod same_bytes;
mod sdk;
mod sdk_reactions;
mod sdk_session;
mod secrets;
mod secrets_in_logs;
mod secrets_in_pages;
mod settlement;
mod shadow;
mod slots;
mod slow_clients;
mod team_view;
mod team_view_lists;
mod twins;
mod unsent;
mod upstream;
mod usage;
mod who_pays;
mod whose_answer;
mod whose_answer_http2;
