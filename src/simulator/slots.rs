//! The documented caps on calls in flight (dossier 1.2), and how full they ever were.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One shared cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Company searches, both modes: 20.
    SearchCompanies,
    /// Lead searches, both modes: 50.
    SearchLeads,
    /// Company enrichment, both modes: 50.
    EnrichCompany,
    /// Lead enrichment, both modes, and both resolve calls: 500.
    EnrichLead,
    /// Preview and its count together: 100.
    Preview,
    /// Legacy leads by ICP: 50.
    LegacyLeads,
    /// Legacy leads by link: 500.
    LegacyLead,
    /// Legacy companies by ICP: 20.
    LegacyCompanies,
    /// Legacy companies by link: 50.
    LegacyCompany,
}

const SCOPES: usize = 9;

impl Scope {
    /// How many calls may be in flight.
    pub fn cap(self) -> u64 {
        match self {
            Self::SearchCompanies | Self::LegacyCompanies => 20,
            Self::SearchLeads | Self::EnrichCompany | Self::LegacyLeads | Self::LegacyCompany => 50,
            Self::EnrichLead | Self::LegacyLead => 500,
            Self::Preview => 100,
        }
    }

    /// The name in `X-RateLimit-Scope`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SearchCompanies => "search_companies",
            Self::SearchLeads => "search_leads",
            Self::EnrichCompany => "enrich_company",
            Self::EnrichLead => "enrich_lead",
            Self::Preview => "preview",
            Self::LegacyLeads => "leads_by_icp",
            Self::LegacyLead => "lead_by_link",
            Self::LegacyCompanies => "companies_by_icp",
            Self::LegacyCompany => "company_by_link",
        }
    }
}

/// Counters of calls in flight.
#[derive(Default)]
pub(crate) struct Slots {
    now: [AtomicU64; SCOPES],
    peak: [AtomicU64; SCOPES],
}

/// One taken slot; given back when dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    pub(crate) scope: Scope,
    /// Free slots after this one was taken.
    pub(crate) remaining: u64,
}

impl Slots {
    pub(crate) fn peak(&self, scope: Scope) -> u64 {
        self.peak[scope as usize].load(Ordering::SeqCst)
    }

    /// Takes a slot. `None` if `enforce` and the cap is reached.
    pub(crate) fn take(self: &Arc<Self>, scope: Scope, enforce: bool) -> Option<Slot> {
        let index = scope as usize;
        let taken = self.now[index].fetch_add(1, Ordering::SeqCst) + 1;
        let slot = Slot {
            slots: Arc::clone(self),
            scope,
            remaining: scope.cap().saturating_sub(taken),
        };
        if enforce && taken > scope.cap() {
            return None;
        }
        self.peak[index].fetch_max(taken, Ordering::SeqCst);
        Some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.now[self.scope as usize].fetch_sub(1, Ordering::SeqCst);
    }
}
