//! The catalogue's file: its shape, and every fault of it at once.
//!
//! An operation that is described wrongly would be priced wrongly, so a file with any fault is
//! refused whole. All faults are told together, each with its place.

mod checks;
mod twins;

use std::collections::BTreeSet;
use std::fmt;

use ::config::{FileFormat, Map, Source, Value};
use serde::Deserialize;

use crate::catalogue::operation::{
    ChargeFrom, Class, Count, Extra, ExtraUnits, Operation, OwnPage, Part, Place, RowLimit, Slots,
};
use crate::catalogue::price::{PriceName, Prices};
use crate::credits::Credits;
use crate::ids::OperationName;

/// One fault of a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: the operation's name, or its place in the file.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

/// A catalogue file has faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CatalogueError {
    /// All of them.
    pub faults: Vec<Fault>,
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the catalogue has faults")?;
        for fault in &self.faults {
            write!(out, "\n  {}: {}", fault.at, fault.what)?;
        }
        Ok(())
    }
}

/// An operation as the file may write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOperation {
    name: String,
    method: String,
    path: String,
    class: Class,
    explanation: String,
    poll: Option<String>,
    slots: Option<String>,
    #[serde(default)]
    charge_from: ChargeFrom,
    own_page: Option<OwnPage>,
    twin: Option<String>,
    #[serde(default)]
    twin_reads: Vec<String>,
    #[serde(default)]
    part: Vec<RawPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    price: String,
    flat: Option<u64>,
    rows: Option<String>,
    items: Option<Vec<String>>,
    #[serde(default)]
    body_items: bool,
    minimum: Option<u64>,
    maximum: Option<u64>,
    lowered_by: Option<Vec<String>>,
    listed_in: Option<Vec<String>>,
    create: Option<bool>,
    #[serde(default)]
    extra: Vec<RawExtra>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExtra {
    flags: Vec<String>,
    price: String,
    fixed: Option<u64>,
}

/// Reads a catalogue file.
pub(super) fn read(toml: &str) -> Result<(Vec<Operation>, Prices), CatalogueError> {
    let mut draft = Draft::default();
    let file = ::config::File::from_str(toml, FileFormat::Toml);
    match file.collect() {
        Ok(root) => draft.root(root),
        Err(error) => draft.complain("the file", error),
    }
    if draft.faults.is_empty() {
        Ok((draft.operations, draft.prices))
    } else {
        Err(CatalogueError {
            faults: draft.faults,
        })
    }
}

/// A file as far as it was read.
#[derive(Default)]
struct Draft {
    faults: Vec<Fault>,
    prices: Prices,
    slots: Map<String, u32>,
    operations: Vec<Operation>,
    used: BTreeSet<String>,
}

impl Draft {
    fn complain(&mut self, at: &str, what: impl fmt::Display) {
        self.faults.push(Fault {
            at: at.to_owned(),
            what: what.to_string(),
        });
    }

    fn root(&mut self, mut root: Map<String, Value>) {
        if let Some(prices) = self.table(&mut root, "prices") {
            for (name, value) in prices {
                match value.try_deserialize::<Credits>() {
                    Ok(price) if price.is_negative() => {
                        self.complain(&format!("prices.{name}"), "is below zero");
                    }
                    Ok(price) => self.prices.insert(name.as_str().into(), price),
                    Err(error) => self.complain(&format!("prices.{name}"), error),
                }
            }
        }
        if let Some(slots) = self.table(&mut root, "slots") {
            for (name, value) in slots {
                match value.try_deserialize::<u32>() {
                    Ok(0) => self.complain(&format!("slots.{name}"), "is zero"),
                    Ok(cap) => {
                        self.slots.insert(name, cap);
                    }
                    Err(error) => self.complain(&format!("slots.{name}"), error),
                }
            }
        }
        match root.remove("operation").map(Value::into_array) {
            Some(Ok(operations)) => {
                for (index, value) in operations.into_iter().enumerate() {
                    self.operation(index, value);
                }
            }
            Some(Err(error)) => self.complain("operation", error),
            None => self.complain("operation", "is missing: no operation would pass"),
        }
        for name in root.keys() {
            self.complain(name, "is not a setting of a catalogue");
        }
        self.check_unique();
        self.check_polls();
        self.check_twins();
        self.check_used();
    }

    fn table(&mut self, root: &mut Map<String, Value>, name: &str) -> Option<Map<String, Value>> {
        match root.remove(name)?.into_table() {
            Ok(table) => Some(table),
            Err(error) => {
                self.complain(name, error);
                None
            }
        }
    }

    fn operation(&mut self, index: usize, value: Value) {
        let place = format!("operation {}", index + 1);
        let raw: RawOperation = match value.try_deserialize() {
            Ok(raw) => raw,
            Err(error) => return self.complain(&place, error),
        };
        let at = format!("{place} ({})", raw.name);
        self.check_names(&at, &raw);
        let slots = raw.slots.as_deref().and_then(|name| {
            let cap = self.slots.get(name).copied();
            match cap {
                Some(cap) => {
                    self.used.insert(format!("slots.{name}"));
                    Some(Slots {
                        family: name.into(),
                        cap,
                    })
                }
                None => {
                    self.complain(&at, format!("there are no slots named {name:?}"));
                    None
                }
            }
        });
        let twin = self.twin(&at, raw.twin, &raw.twin_reads);
        let mut parts = Vec::new();
        for part in raw.part {
            parts.extend(self.part(&at, part));
        }
        let operation = Operation {
            name: raw.name.into(),
            method: raw.method,
            path: raw.path,
            class: raw.class,
            explanation: raw.explanation,
            poll: raw.poll.map(OperationName::from),
            slots,
            charge_from: raw.charge_from,
            own_page: raw.own_page,
            twin,
            parts,
        };
        self.check_class(&at, &operation);
        self.operations.push(operation);
    }

    fn part(&mut self, at: &str, raw: RawPart) -> Option<Part> {
        let price = self.price(at, &raw.price);
        let mut extras = Vec::new();
        for extra in raw.extra {
            if extra.flags.is_empty() {
                self.complain(at, "an extra has no flags");
            }
            if extra.fixed == Some(0) {
                self.complain(at, "an extra adds nothing");
            }
            extras.push(Extra {
                flags: self.places(at, &extra.flags),
                price: self.price(at, &extra.price),
                units: extra.fixed.map_or(ExtraUnits::PerUnit, ExtraUnits::Fixed),
            });
        }
        let is_rows = raw.rows.is_some();
        let controls = raw.lowered_by.is_some() || raw.listed_in.is_some();
        if !is_rows && (controls || raw.create.is_some() || raw.minimum.is_some()) {
            let what = "minimum, lowered_by, listed_in and create belong to rows";
            self.complain(at, what);
        }
        if raw.maximum == Some(0) {
            self.complain(at, "maximum is zero");
        }
        let minimum = raw.minimum.unwrap_or(1);
        if minimum == 0 || raw.maximum.is_some_and(|maximum| maximum < minimum) {
            self.complain(at, "minimum is zero, or above maximum");
        }
        let count = match (raw.flat, raw.rows, raw.items, raw.body_items) {
            (Some(0), None, None, false) => {
                self.complain(at, "a flat number of units is at least 1");
                return None;
            }
            (Some(units), None, None, false) => Count::Flat(units),
            (None, Some(rows), None, false) => {
                let Some(maximum) = raw.maximum else {
                    self.complain(at, "rows need the documented maximum");
                    return None;
                };
                Count::Rows(RowLimit {
                    at: self.places(at, &[rows]).pop()?,
                    minimum,
                    maximum,
                    lowered_by: self.places(at, &raw.lowered_by.unwrap_or_default()),
                    listed_in: self.places(at, &raw.listed_in.unwrap_or_default()),
                    create: raw.create.unwrap_or(false),
                })
            }
            (None, None, Some(arrays), false) if !arrays.is_empty() => Count::Items {
                arrays,
                maximum: raw.maximum,
            },
            (None, None, None, true) => Count::Body,
            _ => {
                self.complain(
                    at,
                    "a part has exactly one of flat, rows, items, body_items",
                );
                return None;
            }
        };
        Some(Part {
            price,
            count,
            extras,
        })
    }

    fn price(&mut self, at: &str, name: &str) -> PriceName {
        if self.prices.get(name).is_none() {
            self.complain(at, format!("there is no price named {name:?}"));
        }
        self.used.insert(format!("prices.{name}"));
        name.into()
    }

    fn places(&mut self, at: &str, dotted: &[String]) -> Vec<Place> {
        let mut places = Vec::new();
        for text in dotted {
            match Place::parse(text) {
                Some(place) => places.push(place),
                None => self.complain(
                    at,
                    format!("{text:?} is not a field, or a field of an object"),
                ),
            }
        }
        places
    }
}
