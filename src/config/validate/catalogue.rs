//! Rules of `[catalogue]`: the built-in one, or a file in its place.

use std::path::Path;

use super::scalars;
use crate::catalogue::{Catalogue, CatalogueError, LegacyAmounts, Prices};
use crate::config::complaint::Complaints;
use crate::config::file::CatalogueFile;
use crate::config::load::read_text;

/// Reads the catalogue, and the prices as they are before the account's own are known.
pub(super) fn catalogue(
    file: &CatalogueFile,
    complaints: &mut Complaints,
) -> (Option<Catalogue>, Prices) {
    const PATH: &str = "catalogue.file";
    let read = match &file.file {
        None => Catalogue::built_in(),
        Some(path) => match read_text(Path::new(path)) {
            Ok(text) => Catalogue::parse(&text),
            Err(error) => {
                complaints.error(
                    PATH,
                    format!("{path} cannot be read: {error}"),
                    "name a catalogue, or leave it out to use the one that is built in",
                );
                return (None, Prices::default());
            }
        },
    };
    let catalogue = match read {
        Ok(catalogue) => Some(catalogue),
        Err(CatalogueError { faults }) => {
            for fault in faults {
                complaints.error(PATH, format!("{}: {}", fault.at, fault.what), "");
            }
            None
        }
    };
    let mut prices = catalogue
        .as_ref()
        .map(|catalogue| catalogue.prices().clone())
        .unwrap_or_default();
    prices.set_legacy_amounts(scalars::word(
        complaints,
        "catalogue.legacy_amounts",
        file.legacy_amounts.as_deref(),
        &[
            ("counts", LegacyAmounts::Counts),
            ("money", LegacyAmounts::Money),
        ],
        LegacyAmounts::Counts,
    ));
    (catalogue, prices)
}
