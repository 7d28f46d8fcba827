//! What is open, worked out from the ledger's file: what a start does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::entries::is_given_up;
use super::keeping::is_known_of;
use super::open::{ABSENT, FoundOf, Open, OpenCharge, OpenRow, Times, may_be_ours};
use super::wording::changed;
use crate::ids::OperationName;
use crate::ledger::store::{KeptFinding, Reader};
use crate::ledger::{Finding, FindingKind, KeptRow, StoreError};

/// Findings read at a time.
const PAGE: usize = 10_000;

/// Where to take it up again.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Entries up to this one are explained or found.
    pub(super) seq: i64,
    /// Charges up to this entry were held against the prices.
    pub(super) priced: i64,
    /// What happened before is not explained any more.
    pub(super) from: Timestamp,
    pub(super) times: Times,
    /// Operations whose calls begin jobs.
    pub(super) submits: BTreeSet<OperationName>,
    /// How many charges are kept in memory although no row is near them.
    pub(super) kept_max: usize,
}

/// Findings that were told already, and the moments they are about. Those of charges without a row and
/// of rows without a call are not here: these remember it themselves.
pub(super) type Told = BTreeMap<Arc<str>, Timestamp>;

impl Open {
    /// Works it out: entries after the beginning, rows that nobody owns, findings, calls that were
    /// given up.
    pub(super) fn restore(
        reader: &dyn Reader,
        beginning: Beginning,
    ) -> Result<(Self, Told), StoreError> {
        let Beginning { seq, from, .. } = beginning;
        let mut open = Self {
            seq,
            priced: beginning.priced,
            restored_from: Some(seq),
            found_from: from,
            times: beginning.times,
            submits: beginning.submits,
            kept_max: beginning.kept_max,
            ..Self::default()
        };
        for row in reader.open_transactions(from)? {
            // What was given, or given back, is no call's and stays so.
            if may_be_ours(&row) {
                open.rows.insert(row.id.clone(), OpenRow::stored(row));
            }
        }
        open.explained = reader.matched_after(seq)?;
        open.restore_given_up(reader, from)?;
        let mut told = Told::new();
        let mut after: Option<(Timestamp, Arc<str>)> = None;
        loop {
            let last = after.as_ref().map(|(at, name)| (*at, name.as_ref()));
            let page = reader.findings(from, Timestamp::MAX, false, last, PAGE)?;
            let Some(last) = page.last() else {
                return Ok((open, told));
            };
            after = Some((last.finding.at, Arc::clone(&last.finding.name)));
            open.restore_rows(reader, &page)?;
            for kept in page.iter().filter(|kept| kept.closed.is_none()) {
                if !is_known_of(&kept.finding.name) {
                    told.insert(Arc::clone(&kept.finding.name), kept.finding.at);
                }
                open.restore_found(&kept.finding);
            }
            open.set_found_aside();
        }
    }

    /// A row for which a hold was given up may still come.
    fn restore_given_up(&mut self, reader: &dyn Reader, from: Timestamp) -> Result<(), StoreError> {
        for entry in reader.released_on(from, ABSENT)? {
            // Those of later holds are read again with the others.
            let is_matched = || Ok::<_, StoreError>(!reader.matches_of(entry.hold)?.is_empty());
            if is_given_up(&entry) && !is_matched()? {
                let is_job = self.is_job(entry.hold, &entry.operation);
                let call = OpenCharge::of(&entry, is_job);
                self.given_up.insert(entry.hold, call);
            }
        }
        Ok(())
    }

    /// Rows that findings name are open as long as no call has them: also those whose finding was
    /// closed because they took nothing at that time.
    fn restore_rows(
        &mut self,
        reader: &dyn Reader,
        page: &[KeptFinding],
    ) -> Result<(), StoreError> {
        let named = page
            .iter()
            .filter_map(|kept| kept.finding.transaction.clone());
        let ids: Vec<_> = named.collect();
        for KeptRow { row, hold } in reader.kept_rows(&ids)? {
            if hold.is_none() && may_be_ours(&row) {
                let id = row.id.clone();
                let open = self.rows.entry(id);
                open.or_insert_with(|| OpenRow::stored(row));
            }
        }
        Ok(())
    }

    fn restore_found(&mut self, found: &Finding) {
        match (found.kind, &found.transaction, found.hold) {
            (FindingKind::TheirsOnly, Some(id), _) => {
                if let Some(row) = self.rows.get_mut(id) {
                    row.finding = Some(FoundOf::Theirs);
                }
            }
            (FindingKind::Late, Some(id), Some(_)) if self.rows.contains_key(id) => {
                self.found_late(found);
            }
            (FindingKind::OursOnly, ..) => {
                if let Some((hold, charge)) = self.found_charge(found) {
                    self.charges.insert(hold, charge);
                    // Entries before are not read again.
                    if hold.get() > self.seq {
                        self.explained.insert(hold);
                    }
                }
            }
            (FindingKind::AmountDiffers, Some(row), _) if *found.name == *changed(row) => {
                self.changed.insert(row.clone(), (found.at, found.drift));
            }
            (FindingKind::Unit, ..) => self.units.restore(&found.name),
            _ => {}
        }
    }
}
