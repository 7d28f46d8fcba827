//! What the books tell people: how budgets stand, who spent what, which calls are open; and the
//! entries themselves, for finance.
//!
//! Everything here reads beside a running guard and changes nothing. Budgets go by the moment a
//! call began, spend and exports by the moment it was recorded: a closed month never changes.

mod budgets;
mod changes;
mod doubts;
mod export;
mod findings;
mod period;
mod spend;
mod tables;
mod text;
mod usage;

pub use changes::{ChangeLine, ChangesReport, changes_report, changes_text};
pub use doubts::{Candidate, DoubtLine, DoubtsReport, doubts_report, doubts_text};
pub use export::{Entries, ExportError, Format, export};
pub use findings::{FindingLine, FindingsReport, KindLine, findings_report, findings_text};
pub use period::{ParsePeriodError, Period};
pub use spend::{
    AccountLine, BudgetLine, HoldLine, HoldState, SavedLine, SpendLine, SpendReport, spend_report,
};
pub use text::{TeamNames, spend_text};
pub use usage::{
    Checked, DearLine, KeyLine, UsageLine, UsageReport, UsageSums, usage_report, usage_text,
};
