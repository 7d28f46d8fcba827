//! How far a hold's life has gone, as the entries tell it.

/// How far a hold's life has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    NoHold,
    /// In an archive that is not at hand.
    Unknown,
    Held,
    Doubted,
    Settled,
    Released,
}

impl Life {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::NoHold => "there is no such hold",
            Self::Unknown => "it is archived",
            Self::Held => "it is held",
            Self::Doubted => "it is in doubt already",
            Self::Settled => "it was settled before",
            Self::Released => "it was released before",
        }
    }
}
