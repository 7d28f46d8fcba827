//! Misbehaviour on demand: the menu, the rules that say when, and what it does to an answer.

mod apply;
mod menu;
mod rules;

pub(crate) use apply::{
    Ending, dress, funds_short, instead_of_the_call, nonsense, throttled, writing,
};
pub use menu::{CodingFault, Fault, MetaFault, Nonsense, UnknownFault};
pub(crate) use rules::ListeningEnds;
pub use rules::{Faults, Listening};
