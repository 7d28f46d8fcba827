//! The immutable facts. Nothing here is ever changed or removed; a mistake is put right by a
//! further entry.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::ids::{BudgetId, JobId, KeyId, OperationName, TeamId};

/// Names a hold: the sequence number of its `held` entry. Minted by the ledger alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(i64);

impl HoldId {
    pub(crate) const fn new(seq: i64) -> Self {
        Self(seq)
    }

    /// The number itself.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl FromStr for HoldId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What makes two calls the same call: a digest of client, operation and body, made by the proxy.
/// Kept in the `held` entry, so that a repeat is known after a restart. In the entry of a grant: a digest
/// of the rule of the window it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A quote was reserved; the call may be sent from here on.
    Held,
    /// The upstream took the call as a job, whose id is known only now.
    Bound,
    /// The hold ended in a charge.
    Settled,
    /// The hold ended and took nothing.
    Released,
    /// The call was sent and its outcome is unknown; the hold goes on.
    Doubted,
    /// A charge recorded earlier was wrong; the amount is the difference, with its sign.
    Corrected,
    /// A budget was given more room in the window of the moment of recording.
    Granted,
}

impl EntryKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Held,
        Self::Bound,
        Self::Settled,
        Self::Released,
        Self::Doubted,
        Self::Corrected,
        Self::Granted,
    ];

    /// The number a store keeps: 1 to 7, never given a new meaning.
    pub const fn number(self) -> i64 {
        match self {
            Self::Held => 1,
            Self::Bound => 2,
            Self::Settled => 3,
            Self::Released => 4,
            Self::Doubted => 5,
            Self::Corrected => 6,
            Self::Granted => 7,
        }
    }

    /// The kind of a stored number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Bound => "bound",
            Self::Settled => "settled",
            Self::Released => "released",
            Self::Doubted => "doubted",
            Self::Corrected => "corrected",
            Self::Granted => "granted",
        }
    }

    /// Whether an entry of this kind alters what was charged.
    pub(crate) const fn charges(self) -> bool {
        matches!(self, Self::Settled | Self::Corrected)
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// Where a charge is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The answer said so; its own text is kept.
    Stated {
        /// The charge as the upstream wrote it.
        raw: String,
    },
    /// Worked out, because the answer states none.
    Estimated {
        /// The working.
        how: String,
    },
    /// Token and answer both say test mode: nothing was taken.
    TestMode,
    /// A person decided.
    Operator {
        /// Who.
        who: String,
        /// Why.
        reason: String,
    },
    /// A row of the account's transactions.
    Transaction {
        /// Its id upstream.
        id: String,
    },
}

/// What an entry rests on, in the form it is stored: a closed kind and a free text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which kind of evidence.
    pub kind: NoteKind,
    /// The upstream's own text, the working, the reason, or who and why.
    pub text: String,
}

/// The closed list of what an entry may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// The guard's own reason for a release or a doubt.
    Reason,
    /// See [`Evidence::Stated`].
    Stated,
    /// See [`Evidence::Estimated`].
    Estimated,
    /// See [`Evidence::TestMode`].
    TestMode,
    /// See [`Evidence::Operator`]; the text is `who: reason`.
    Operator,
    /// See [`Evidence::Transaction`].
    Transaction,
}

impl NoteKind {
    const ALL: [Self; 6] = [
        Self::Reason,
        Self::Stated,
        Self::Estimated,
        Self::TestMode,
        Self::Operator,
        Self::Transaction,
    ];

    /// The number a store keeps: 1 to 6, never given a new meaning.
    pub const fn number(self) -> i64 {
        match self {
            Self::Reason => 1,
            Self::Stated => 2,
            Self::Estimated => 3,
            Self::TestMode => 4,
            Self::Operator => 5,
            Self::Transaction => 6,
        }
    }

    /// The kind of a stored number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reason => "reason",
            Self::Stated => "stated",
            Self::Estimated => "estimated",
            Self::TestMode => "test_mode",
            Self::Operator => "operator",
            Self::Transaction => "transaction",
        }
    }
}

impl Note {
    /// The guard's own reason.
    pub fn reason(text: impl Into<String>) -> Self {
        Self {
            kind: NoteKind::Reason,
            text: text.into(),
        }
    }
}

impl From<Evidence> for Note {
    fn from(evidence: Evidence) -> Self {
        let (kind, text) = match evidence {
            Evidence::Stated { raw } => (NoteKind::Stated, raw),
            Evidence::Estimated { how } => (NoteKind::Estimated, how),
            Evidence::TestMode => (NoteKind::TestMode, String::new()),
            Evidence::Operator { who, reason } => (NoteKind::Operator, format!("{who}: {reason}")),
            Evidence::Transaction { id } => (NoteKind::Transaction, id),
        };
        Self { kind, text }
    }
}

impl fmt::Display for Note {
    /// `stated 0.02`, `test_mode`, `operator ann: seen in the bill`; a reason stands alone.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.text.as_str()) {
            (NoteKind::Reason, text) => out.write_str(text),
            (kind, "") => out.write_str(kind.as_str()),
            (kind, text) => write!(out, "{} {text}", kind.as_str()),
        }
    }
}

/// What is to become of a hold. The first two end it; in doubt it goes on being counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Replace the quote by the charge.
    Settled {
        /// What the upstream took.
        charge: Credits,
        /// How we know.
        evidence: Evidence,
    },
    /// Give the quote back.
    Released {
        /// Why nothing was taken.
        why: String,
    },
    /// The call was sent and nobody knows what it took.
    Doubted {
        /// What was seen instead of an answer.
        why: String,
    },
}

/// The largest charge that is one: a thousand million credits. What is above was misread, and must
/// not be able to overflow a sum in the store.
const CHARGE_MAX: Credits = Credits::from_micros(1_000_000_000_000_000);

/// Whether an amount can be what the upstream took.
pub(crate) fn is_charge(amount: Credits) -> bool {
    (Credits::ZERO..=CHARGE_MAX).contains(&amount)
}

impl Ending {
    /// Whether it really ends a hold. A charge that is none leaves it in doubt.
    pub(crate) fn ends(&self) -> bool {
        match self {
            Self::Settled { charge, .. } => is_charge(*charge),
            Self::Released { .. } => true,
            Self::Doubted { .. } => false,
        }
    }
}

/// Team, key and operation of a call: what a budget's filter looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Who pays.
    pub team: TeamId,
    /// Which key was used.
    pub key: KeyId,
    /// What was asked for.
    pub operation: OperationName,
}

/// One immutable fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the ledger: 1, 2, 3 …, without gaps.
    pub seq: i64,
    /// What happened.
    pub kind: EntryKind,
    /// The hold it is about; for a grant its own number.
    pub hold: HoldId,
    /// When the call began, by the ledger's own time of decision. Budgets go by this.
    pub began_at: Timestamp,
    /// When it was written. Never before an earlier entry's. Finance goes by this.
    pub recorded_at: Timestamp,
    /// Who pays. Empty for a grant.
    pub team: TeamId,
    /// Which key. Empty for a grant.
    pub key: KeyId,
    /// What was called. Empty for a grant.
    pub operation: OperationName,
    /// Held, bound, released and doubted: the quote. Settled: the charge. Corrected: the
    /// difference. Granted: the grant.
    pub amount: Credits,
    /// The upstream's job, for a bound entry.
    pub job: Option<JobId>,
    /// The budget, for a grant.
    pub budget: Option<BudgetId>,
    /// What a repeat of the call is recognised by, for a held entry; what the window is, for a grant.
    pub fingerprint: Option<Fingerprint>,
    /// What it rests on.
    pub evidence: Option<Note>,
}

impl Entry {
    /// Whether both say the same, under whatever number.
    pub(crate) fn is_the_same_fact(&self, other: &Self) -> bool {
        (self.hold, self.kind, self.amount) == (other.hold, other.kind, other.amount)
            && self.evidence == other.evidence
    }

    /// Team, key and operation together.
    pub fn origin(&self) -> Origin {
        Origin {
            team: self.team.clone(),
            key: self.key.clone(),
            operation: self.operation.clone(),
        }
    }
}
