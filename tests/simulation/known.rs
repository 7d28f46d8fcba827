//! What the model knows of a hold, of a call, and of one time that it was made.

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Live,
    /// Since when, in micro-seconds of the ledger's time.
    InDoubt(i64),
    Settled(i64),
    Released,
}

/// A hold, as its entries tell.
#[derive(Clone, Debug)]
pub struct Held {
    pub print: u64,
    pub quote: i64,
    pub began: i64,
    pub stands: Stands,
    pub job: Option<String>,
    /// The tick it was written at.
    pub at: u64,
    /// It was in doubt once.
    pub doubted: bool,
}

/// One time a client made a call.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub print: u64,
    /// The tick its client began it at.
    pub at: u64,
    /// Its number among all that clients asked.
    pub ask: usize,
    pub named: Option<String>,
    /// When its bytes left for the upstream, and in which life of the guard.
    pub sent: Option<(u64, u32)>,
    /// What the account was charged for it.
    pub charged: Option<i64>,
    /// Its client has a paid answer.
    pub answered: bool,
}

/// Everything known of one call.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub team: String,
    pub key: String,
    pub operation: String,
    /// Each time that it was made, by its label.
    pub made: Vec<String>,
    pub sends: usize,
    pub holds: Vec<i64>,
    pub charged: i64,
    /// Something of it was charged more than was held.
    pub overrun: bool,
}
