//! The configuration and the commands that need no running guard.

mod books;
mod commands;
mod example;
mod limits;
mod people;
mod secrets;
mod sections;
mod support;
