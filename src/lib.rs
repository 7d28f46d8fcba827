//! generect-guard: a gateway that holds the money before the call leaves.

pub mod clock;
pub mod credits;
pub mod ids;
pub mod simulator;
