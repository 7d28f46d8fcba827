//! Picks out of a passing answer the few values that settle a call.

use crate::catalogue::scan::{Sink, Word};

/// Bytes of a name that are kept: more than the longest that is looked for has, so that a name
/// that is cut is never one of them.
const NAME_BYTES_MAX: usize = 16;
/// Bytes of a value that are kept: a number of an amount has at most some sixty, an id fewer, and
/// what is looked for in a `detail` stands at its start.
const VALUE_BYTES_MAX: usize = 256;
/// What is looked for in a `detail`, in lower case (dossier section 1.1).
const NO_FUNDS: &[u8] = b"insufficient funds";

/// What the answer told as a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Number(String),
    Text(String),
    Null,
    /// A value of another kind, or one too long to be a number.
    Other,
}

/// The containers whose members matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// The outermost object.
    Root,
    /// The outermost array.
    List,
    /// An object directly in the outermost array.
    Row,
    /// The object that is the outermost object's `meta`.
    Meta,
    Other,
}

/// The members that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    None,
    Meta,
    AmountCharged,
    JobId,
    Status,
    Amount,
    Detail,
    ValidEmail,
}

/// A value that is not a container.
enum Scalar {
    Text,
    Number,
    Word(Word),
    Container,
}

/// What has been picked so far.
pub(super) struct Capture {
    /// What the open containers at depths 1 and 2 are; deeper ones are all [`Level::Other`].
    levels: [Level; 2],
    depth: u8,
    /// The member whose value comes or is passing.
    slot: Slot,
    takes_name: bool,
    name: Kept<NAME_BYTES_MAX>,
    value: Kept<VALUE_BYTES_MAX>,
    /// Members seen, one bit each, to notice those that come twice.
    seen: u8,
    row_found: bool,
    pub(super) is_list: bool,
    pub(super) charged: Option<Told>,
    pub(super) amount: Option<Told>,
    pub(super) job: Option<String>,
    pub(super) status: Option<String>,
    pub(super) funds_empty: bool,
    pub(super) rows_found: u64,
    /// Set when a member that matters came twice.
    pub(super) twice: Option<&'static str>,
}

impl Capture {
    pub(super) fn new() -> Self {
        Self {
            levels: [Level::Other; 2],
            depth: 0,
            slot: Slot::None,
            takes_name: false,
            name: Kept::new(),
            value: Kept::new(),
            seen: 0,
            row_found: false,
            is_list: false,
            charged: None,
            amount: None,
            job: None,
            status: None,
            funds_empty: false,
            rows_found: 0,
            twice: None,
        }
    }

    #[inline]
    fn level(&self) -> Level {
        match self.depth {
            1 => self.levels[0],
            2 => self.levels[1],
            _ => Level::Other,
        }
    }

    fn choose_slot(&mut self) {
        self.slot = match (self.level(), self.name.bytes()) {
            (Level::Root, b"meta") => Slot::Meta,
            (Level::Root, b"amount") => Slot::Amount,
            (Level::Root, b"detail") => Slot::Detail,
            (Level::Meta, b"amount_charged") => Slot::AmountCharged,
            (Level::Meta, b"job_id") => Slot::JobId,
            (Level::Meta, b"status") => Slot::Status,
            (Level::Row, b"valid_email") => Slot::ValidEmail,
            _ => Slot::None,
        };
        let bit = 1 << self.slot as u8;
        let told_once = !matches!(self.slot, Slot::None | Slot::ValidEmail);
        if told_once && self.seen & bit != 0 {
            self.twice = Some("a member that must be there once is there twice");
        }
        self.seen |= bit;
    }

    /// A value of the member that was named has passed.
    fn store(&mut self, scalar: &Scalar) {
        match self.slot {
            Slot::None | Slot::Meta => {}
            Slot::AmountCharged => self.charged = Some(self.told(scalar)),
            Slot::Amount => self.amount = Some(self.told(scalar)),
            Slot::JobId => self.job = self.short_text(scalar),
            Slot::Status => self.status = self.short_text(scalar),
            Slot::Detail => {
                if matches!(scalar, Scalar::Text) {
                    let start = self.value.bytes().to_ascii_lowercase();
                    self.funds_empty = start
                        .windows(NO_FUNDS.len())
                        .any(|window| window == NO_FUNDS);
                }
            }
            Slot::ValidEmail => {
                // Whatever is there and not clearly nothing is counted.
                self.row_found |= match scalar {
                    Scalar::Text => !self.value.bytes().is_empty(),
                    Scalar::Word(word) => *word == Word::True,
                    Scalar::Number | Scalar::Container => true,
                };
            }
        }
        self.slot = Slot::None;
    }

    fn told(&self, scalar: &Scalar) -> Told {
        match (scalar, self.value.text()) {
            (Scalar::Word(Word::Null), _) => Told::Null,
            (Scalar::Number, Some(digits)) => Told::Number(digits),
            (Scalar::Text, Some(text)) => Told::Text(text),
            _ => Told::Other,
        }
    }

    fn short_text(&self, scalar: &Scalar) -> Option<String> {
        match scalar {
            Scalar::Text | Scalar::Number => self.value.text().filter(|text| !text.is_empty()),
            Scalar::Word(_) | Scalar::Container => None,
        }
    }
}

impl Sink for Capture {
    #[inline]
    fn open(&mut self, is_object: bool, depth: u8) {
        let level = match (depth, is_object, self.level(), self.slot) {
            (1, true, _, _) => Level::Root,
            (1, false, _, _) => Level::List,
            (2, true, Level::List, _) => Level::Row,
            (2, true, Level::Root, Slot::Meta) => Level::Meta,
            _ => Level::Other,
        };
        if self.slot != Slot::None {
            self.store(&Scalar::Container);
        }
        match depth {
            1 => self.is_list = !is_object,
            2 => self.row_found = false,
            _ => {}
        }
        if let Some(place) = self.levels.get_mut(usize::from(depth) - 1) {
            *place = level;
        }
        self.depth = depth;
    }

    #[inline]
    fn close(&mut self, depth: u8) {
        if depth == 1 && self.levels[1] == Level::Row && self.row_found {
            self.rows_found = self.rows_found.saturating_add(1);
        }
        self.depth = depth;
    }

    #[inline]
    fn text_start(&mut self, is_name: bool) {
        if is_name {
            self.takes_name = self.level() != Level::Other;
            self.name.clear();
        } else {
            self.value.clear();
        }
    }

    #[inline]
    fn text(&mut self, piece: &[u8]) {
        if self.takes_name {
            self.name.push(piece);
        } else if self.slot != Slot::None {
            self.value.push(piece);
        }
    }

    #[inline]
    fn text_end(&mut self, is_name: bool) {
        if self.takes_name {
            self.takes_name = false;
            self.choose_slot();
        } else if !is_name && self.slot != Slot::None {
            self.store(&Scalar::Text);
        }
    }

    #[inline]
    fn number_start(&mut self) {
        self.value.clear();
    }

    #[inline]
    fn number(&mut self, piece: &[u8]) {
        if self.slot != Slot::None {
            self.value.push(piece);
        }
    }

    #[inline]
    fn number_end(&mut self) {
        if self.slot != Slot::None {
            self.store(&Scalar::Number);
        }
    }

    #[inline]
    fn word(&mut self, word: Word) {
        if self.slot != Slot::None {
            self.store(&Scalar::Word(word));
        }
    }
}

/// The first bytes of a text.
struct Kept<const MAX: usize> {
    bytes: [u8; MAX],
    length: usize,
    is_cut: bool,
}

impl<const MAX: usize> Kept<MAX> {
    const fn new() -> Self {
        Self {
            bytes: [0; MAX],
            length: 0,
            is_cut: false,
        }
    }

    #[inline]
    fn clear(&mut self) {
        self.length = 0;
        self.is_cut = false;
    }

    #[inline]
    fn push(&mut self, piece: &[u8]) {
        let room = MAX - self.length;
        let taken = &piece[..piece.len().min(room)];
        self.is_cut |= taken.len() < piece.len();
        self.bytes[self.length..self.length + taken.len()].copy_from_slice(taken);
        self.length += taken.len();
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The whole text, if it was kept whole.
    fn text(&self) -> Option<String> {
        let text = std::str::from_utf8(self.bytes()).ok()?;
        (!self.is_cut).then(|| text.to_owned())
    }
}
