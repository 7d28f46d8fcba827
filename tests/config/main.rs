//! The configuration and the commands that need no running guard.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

mod alerts;
mod beside;
mod books;
mod commands;
mod example;
mod limits;
mod people;
mod properties;
mod saved;
mod secrets;
mod sections;
mod support;
mod usage;
