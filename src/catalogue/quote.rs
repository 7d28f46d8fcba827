//! The most one call can take, worked out from its body before it is sent.
//!
//! Every rule errs upwards. A bound above the documented maximum is quoted as asked, because the
//! upstream may allow it. Where the body has no bound one is written in, so that the quote is
//! one. A bound or a `false` in another spelling than the documented one is written in that, so that
//! nothing rests on how the upstream reads the other; the rest of the body leaves byte for byte as it
//! came.

use std::ops::Range;
use std::slice;

use bytes::Bytes;

use super::body::{self, BodyError, Node, Value};
use super::control::{Bound, Controls, unreadable};
use super::operation::{Count, ExtraUnits, Operation, Part, Place, RowLimit};
use super::price::Prices;
use crate::credits::Credits;

/// What to do with a search whose body has no bound on its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbounded {
    /// Quote the documented maximum and write it into the body.
    Maximum,
    /// Refuse the call.
    Refuse,
    /// Write this bound into the body, or the documented maximum if that is lower.
    Limit(u64),
}

/// The most one call can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The most it can take.
    pub amount: Credits,
    /// Some: forward this body instead, which is the same with the bound written in.
    pub body: Option<Bytes>,
    /// Units it can take at most, without extras.
    pub items: u64,
    /// The fewest that such a call can ask for.
    pub items_min: u64,
    /// The part of the amount that fewer items would not lessen.
    pub fixed: Credits,
}

impl Quote {
    /// How many of the items the call could ask for, so that it can take no more than `room`. Where
    /// single items ask for extras, about so many.
    pub fn items_within(&self, room: Credits) -> u64 {
        let micros = |amount: Credits| u128::try_from(amount.micros()).unwrap_or(0);
        let of_items = micros(self.amount.saturating_sub(self.fixed));
        let room = micros(room.saturating_sub(self.fixed));
        let fits = (room * u128::from(self.items)).checked_div(of_items);
        let fits = fits.map_or(0, |fits| u64::try_from(fits).unwrap_or(u64::MAX));
        if fits < self.items_min {
            return 0;
        }
        fits.min(self.items)
    }
}

/// Why a call has no quote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// The body cannot be read, or could be read in two ways.
    #[error("{0}")]
    Unreadable(String),
    /// The body has no bound and its team wants one.
    #[error("{field} is missing; a bound of at most {fits} would fit")]
    Unbounded {
        /// The field that would bound it, dotted.
        field: String,
        /// The documented maximum.
        fits: u64,
    },
    /// More than can be counted.
    #[error("the most this call can take is more than can be counted")]
    TooLarge,
}

/// The most one call of `operation` with this body can take. An operation that is not charged
/// takes nothing, whatever its body.
///
/// # Errors
/// [`QuoteError`]; none of them is ever to be read as nothing.
pub fn quote(
    operation: &Operation,
    prices: &Prices,
    body: &[u8],
    unbounded: Unbounded,
) -> Result<Quote, QuoteError> {
    if operation.parts.is_empty() {
        return Ok(Quote {
            amount: Credits::ZERO,
            body: None,
            items: 0,
            items_min: 0,
            fixed: Credits::ZERO,
        });
    }
    let root = body::read(body)?;
    let is_list = operation.parts.iter().any(|part| part.count == Count::Body);
    match root.value {
        Value::Array(_) if is_list => {}
        Value::Object(_) if !is_list => {}
        _ if is_list => return Err(unreadable("the body is not a list")),
        _ => return Err(unreadable("the body is not an object")),
    }
    let mut quoting = Quoting {
        controls: Controls { root: &root },
        prices,
        body,
        unbounded,
        edits: Vec::new(),
        fixed: Credits::ZERO,
    };
    let mut amount = Credits::ZERO;
    let mut items: u64 = 0;
    for part in &operation.parts {
        let (units, sum) = quoting.part(part)?;
        items = items.checked_add(units).ok_or(QuoteError::TooLarge)?;
        amount = amount.checked_add(sum).ok_or(QuoteError::TooLarge)?;
    }
    let fixed = quoting.fixed;
    let body = quoting.rewritten();
    let least = |part: &Part| match &part.count {
        Count::Rows(limit) => limit.minimum,
        Count::Flat(_) | Count::Items { .. } | Count::Body => 1,
    };
    Ok(Quote {
        amount,
        body,
        items,
        items_min: operation.parts.iter().map(least).max().unwrap_or(1),
        fixed,
    })
}

impl From<BodyError> for QuoteError {
    fn from(error: BodyError) -> Self {
        unreadable(error.to_string())
    }
}

/// A text to put in the place of a stretch of the body.
#[derive(PartialEq, Eq)]
struct Edit {
    span: Range<usize>,
    text: String,
}

impl Edit {
    fn no(node: &Node<'_>) -> Self {
        Self {
            span: node.span.clone(),
            text: "false".to_owned(),
        }
    }
}

struct Quoting<'q, 'a> {
    controls: Controls<'q, 'a>,
    prices: &'q Prices,
    body: &'a [u8],
    unbounded: Unbounded,
    edits: Vec<Edit>,
    /// What was met so far that is the same however many items there are.
    fixed: Credits,
}

impl Quoting<'_, '_> {
    /// The units a part can take, and their sum with all extras.
    fn part(&mut self, part: &Part) -> Result<(u64, Credits), QuoteError> {
        let units = match &part.count {
            Count::Flat(units) => *units,
            Count::Rows(limit) => self.rows(limit)?,
            Count::Items { arrays, maximum } => self.items(arrays, *maximum)?,
            Count::Body => match self.controls.root.value {
                Value::Array(0) => return Err(unreadable("the body is an empty list")),
                Value::Array(length) => length,
                _ => return Err(unreadable("the body is not a list")),
            },
        };
        let mut sum = self.times(part.price.as_str(), units)?;
        let is_flat = matches!(part.count, Count::Flat(_));
        if is_flat {
            self.fixed = self.fixed.saturating_add(sum);
        }
        for extra in &part.extras {
            let count = match (self.controls.flag(&extra.flags)?, extra.units) {
                (true, ExtraUnits::PerUnit) => units,
                (true, ExtraUnits::Fixed(count)) => count,
                (false, _) => self.items_with(&part.count, &extra.flags)?,
            };
            self.write_false(&extra.flags)?;
            let more = self.times(extra.price.as_str(), count)?;
            if is_flat || matches!(extra.units, ExtraUnits::Fixed(_)) {
                self.fixed = self.fixed.saturating_add(more);
            }
            sum = sum.checked_add(more).ok_or(QuoteError::TooLarge)?;
        }
        Ok((units, sum))
    }

    /// A price without a figure cannot be counted; the catalogue's own prices all have one.
    fn times(&self, price: &str, units: u64) -> Result<Credits, QuoteError> {
        let price = self.prices.get(price).ok_or(QuoteError::TooLarge)?;
        price.checked_times(units).ok_or(QuoteError::TooLarge)
    }

    fn items(&self, arrays: &[String], maximum: Option<u64>) -> Result<u64, QuoteError> {
        let documented = arrays.first().map_or("", String::as_str);
        let mut count: u64 = 0;
        for name in arrays {
            match self.controls.root.member(name).map(|node| &node.value) {
                None | Some(Value::Null) => {}
                Some(Value::Array(length)) => count = count.saturating_add(*length),
                Some(_) => return Err(unreadable(format!("{name} is not a list"))),
            }
        }
        match maximum {
            _ if count == 0 => Err(unreadable(format!("{documented} is missing or empty"))),
            Some(maximum) if count > maximum => Err(unreadable(format!(
                "{documented} has more than {maximum} entries"
            ))),
            _ => Ok(count),
        }
    }

    /// How many entries of the counted arrays set the flag for themselves.
    fn items_with(&mut self, count: &Count, flags: &[Place]) -> Result<u64, QuoteError> {
        let Count::Items { arrays, .. } = count else {
            return Ok(0);
        };
        let mut found: u64 = 0;
        for name in arrays {
            let Some(array) = self.controls.root.member(name) else {
                continue;
            };
            if !matches!(array.value, Value::Array(_)) {
                continue;
            }
            for root in &body::elements(self.body, array.span.clone())? {
                let item = Controls { root };
                if item.flag(flags)? {
                    found = found.saturating_add(1);
                }
                let otherwise = item.false_in_other_words(flags)?;
                self.edits.extend(otherwise.into_iter().map(Edit::no));
            }
        }
        Ok(found)
    }

    /// The rows that may come back. Writes a bound into the body if it has none.
    fn rows(&mut self, limit: &RowLimit) -> Result<u64, QuoteError> {
        let lowered = self.bound(&limit.lowered_by, 1)?;
        if let Some(asked) = self.bound(slice::from_ref(&limit.at), limit.minimum)? {
            return Ok(lowered.map_or(asked, |ceiling| asked.min(ceiling)));
        }
        let listed = self.controls.first_length(&limit.listed_in)?;
        let enclosing = self.controls.enclosing(&limit.at)?;
        // What the body says in another way is as good as a bound once it is written as one.
        let implied = [lowered, listed].into_iter().flatten().min();
        let written = match (implied, self.unbounded) {
            (Some(rows), Unbounded::Limit(most)) => rows.min(most),
            (Some(rows), _) => rows,
            (None, Unbounded::Limit(most)) => most,
            (None, Unbounded::Maximum) => limit.maximum,
            (None, Unbounded::Refuse) => {
                return Err(QuoteError::Unbounded {
                    field: limit.at.to_string(),
                    fits: limit.maximum,
                });
            }
        };
        let written = written.clamp(limit.minimum, limit.maximum);
        let name = &limit.at.name;
        match (enclosing, &limit.at.within) {
            (Some(object), _) => self.write(object, name, &written.to_string()),
            (None, Some(within)) if limit.create => {
                let made = format!("{{\"{name}\":{written}}}");
                self.write(self.controls.root, within, &made);
            }
            // Making the object up would change what the call does. It is held at what the
            // upstream itself allows.
            _ => return Ok(limit.maximum),
        }
        Ok(written)
    }

    /// A bound as it is read, which is written in plain digits where it stands in another spelling.
    fn bound(&mut self, places: &[Place], least: u64) -> Result<Option<u64>, QuoteError> {
        let Some(Bound { rows, node }) = self.controls.first_bound(places, least)? else {
            return Ok(None);
        };
        let mut digits = itoa::Buffer::new();
        let text = digits.format(rows);
        let span = node.span.clone();
        if self.body.get(span.clone()) != Some(text.as_bytes()) {
            let text = text.to_owned();
            self.edits.push(Edit { span, text });
        }
        Ok(Some(rows))
    }

    /// Writes flags that are read as false, and say so in other words, as `false`.
    fn write_false(&mut self, flags: &[Place]) -> Result<(), QuoteError> {
        let otherwise = self.controls.false_in_other_words(flags)?;
        self.edits.extend(otherwise.into_iter().map(Edit::no));
        Ok(())
    }

    /// Gives a member of an object a value: in the place of its `null`, or as a new first member.
    fn write(&mut self, object: &Node<'_>, name: &str, value: &str) {
        if let Some(null) = object.member(name) {
            self.edits.push(Edit {
                span: null.span.clone(),
                text: value.to_owned(),
            });
            return;
        }
        let start = object.span.start + 1;
        let has_members = matches!(&object.value, Value::Object(members) if !members.is_empty());
        let comma = if has_members { "," } else { "" };
        self.edits.push(Edit {
            span: start..start,
            text: format!("\"{name}\":{value}{comma}"),
        });
    }

    /// The body with every bound written in, if any was.
    fn rewritten(mut self) -> Option<Bytes> {
        if self.edits.is_empty() {
            return None;
        }
        self.edits.sort_by_key(|edit| edit.span.start);
        // Two extras may have one flag.
        self.edits.dedup();
        let added: usize = self.edits.iter().map(|edit| edit.text.len()).sum();
        let mut whole = Vec::with_capacity(self.body.len() + added);
        let mut from = 0;
        for edit in &self.edits {
            whole.extend_from_slice(&self.body[from..edit.span.start]);
            whole.extend_from_slice(edit.text.as_bytes());
            from = edit.span.end;
        }
        whole.extend_from_slice(&self.body[from..]);
        Some(whole.into())
    }
}
