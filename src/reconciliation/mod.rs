//! The account's truth: what the account says it took, beside what our books say.
//!
//! [`matching`] ties the account's rows to our calls, and is pure: it is given everything and asks
//! nobody. It never says what is not known: what several explanations would explain stays open.

pub mod matching;
