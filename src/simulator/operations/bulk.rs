//! Bulk jobs: submission and polling (dossier section 5).

use http::StatusCode;

use super::contact::{email_row, email_subject, phone_row, phone_subject};
use super::enrich::{COMPANY_IDENTIFIERS, LEAD_IDENTIFIERS, identifier_of, number_of};
use super::{Call, Work, invalid, times};
use crate::credits::Credits;
use crate::simulator::answer::{Answer, Shape};
use crate::simulator::bodies::{Fields, Json};
use crate::simulator::jobs::{JobFamily, JobView, NewJob};
use crate::simulator::people::{self, Detail};
use crate::simulator::routes::Mode;
use crate::simulator::truth::Delivery;

/// Most items of one batch.
const ITEMS_MAX: usize = 50;
/// An item that holds this text dooms its job to end in `error`.
const DOOM: &str = "job-error";

/// The list of a batch: one to fifty items.
pub(super) fn items(body: &Json, name: &str) -> Result<Vec<Json>, Answer> {
    let mut fields = Fields::of(body);
    let list = fields.list(name);
    if fields.complaints.is_empty() {
        match list.as_ref().map(Vec::len) {
            None => fields.complaints.add(name, "This field is required."),
            Some(0) => fields.complaints.add(name, "This list may not be empty."),
            Some(many) if many > ITEMS_MAX => fields
                .complaints
                .add(name, "Ensure this field has no more than 50 elements."),
            Some(_) => {}
        }
    }
    if fields.complaints.is_empty() {
        Ok(list.unwrap_or_default())
    } else {
        Err(invalid(&fields.complaints.detail()))
    }
}

/// A batch of leads to enrich.
pub(super) fn enrich_leads(call: &Call<'_>, mode: Mode) -> Result<Work, Answer> {
    submit(call, "leads", JobFamily::Leads, call.price(mode), |item| {
        let found = found_in(call, identifier_of(item, &LEAD_IDENTIFIERS));
        (enriched(item, "lead", found, people::person), found)
    })
}

/// A batch of companies to enrich.
pub(super) fn enrich_companies(call: &Call<'_>, mode: Mode) -> Result<Work, Answer> {
    let price = call.price(mode);
    submit(call, "companies", JobFamily::Companies, price, |item| {
        let found = found_in(call, identifier_of(item, &COMPANY_IDENTIFIERS));
        (enriched(item, "company", found, people::company), found)
    })
}

/// A batch of emails to find.
pub(super) fn emails(call: &Call<'_>) -> Result<Work, Answer> {
    let price = call.settings.prices.email_find;
    submit(call, "leads", JobFamily::Emails, price, |item| {
        let mut fields = Fields::of(item);
        let found = found_in(call, email_subject(&mut fields));
        let id = fields.text("lead_id");
        let echo: Vec<(&str, &str)> = id.iter().map(|id| ("lead_id", id.as_str())).collect();
        (email_row(found, &echo), found)
    })
}

/// A batch of phones to find.
pub(super) fn phones(call: &Call<'_>) -> Result<Work, Answer> {
    let price = call.settings.prices.phone;
    submit(call, "leads", JobFamily::Phones, price, |item| {
        let found = found_in(call, phone_subject(&mut Fields::of(item)));
        (phone_row(found), found)
    })
}

fn found_in(call: &Call<'_>, subject: Option<String>) -> Option<u64> {
    subject
        .filter(|subject| call.finds(subject))
        .map(|subject| number_of(&subject))
}

fn enriched(
    item: &Json,
    member: &str,
    found: Option<u64>,
    write: impl Fn(u64, Detail, &str, &mut String),
) -> String {
    let mut row = String::from("{\"input\":");
    item.write(&mut row);
    row.push_str(&format!(",\"{member}\":"));
    match found {
        Some(number) => write(number, Detail::Full, "", &mut row),
        None => row.push_str("null"),
    }
    row.push('}');
    row
}

fn submit(
    call: &Call<'_>,
    name: &str,
    family: JobFamily,
    unit: Credits,
    do_one: impl Fn(&Json) -> (String, Option<u64>),
) -> Result<Work, Answer> {
    let items = items(call.body, name)?;
    let mut rows = Vec::with_capacity(items.len());
    let mut billed = Vec::with_capacity(items.len());
    let mut doomed = false;
    for item in &items {
        let (row, found) = do_one(item);
        let mut text = String::new();
        item.write(&mut text);
        doomed |= text.contains(DOOM);
        rows.push(row);
        billed.push(found.is_some());
    }
    let at_most = times(unit, items.len() as u64);
    let mut work = Work::new(at_most, Vec::new(), accepted("", items.len()));
    work.job = Some(NewJob {
        family,
        rows,
        billed,
        unit,
        overrun: Credits::ZERO,
        doomed,
        test: call.test,
    });
    Ok(work)
}

/// The 202 of a submission. What it states as charged is 0 and means nothing.
pub(crate) fn accepted(id: &str, total: usize) -> Answer {
    Answer::new(Shape::Envelope {
        data: "null".to_owned(),
        meta_before: format!(
            "\"job_id\":\"{id}\",\"status\":\"pending\",\"total\":{total},\"processed\":0,"
        ),
        meta_after: ",\"error\":null".to_owned(),
        states: Some(Credits::ZERO),
    })
    .with_status(StatusCode::ACCEPTED)
}

/// A poll. The delivery is that of an ended job: it is done when its end has been shown.
pub(super) fn poll(call: &Call<'_>, family: JobFamily) -> (Answer, Option<Delivery>) {
    let id = call.segment.unwrap_or_default();
    let Some((view, delivery)) = call.account.poll(id, family, call.now) else {
        let missing = Answer::plain("{\"detail\":\"Job not found\"}".to_owned());
        return (missing.with_status(StatusCode::NOT_FOUND), None);
    };
    let ended = view.ended;
    (status(id, family, view), ended.then_some(delivery))
}

fn status(id: &str, family: JobFamily, view: JobView) -> Answer {
    let data = match &view.rows {
        Some(rows) => format!("[{}]", rows.join(",")),
        None => "null".to_owned(),
    };
    let mut before = format!(
        "\"job_id\":\"{id}\",\"status\":\"{}\",\"total\":{},\"processed\":{},",
        view.status, view.total, view.processed
    );
    // Email and phone jobs do not show these two (dossier section 5).
    let counts = matches!(family, JobFamily::Leads | JobFamily::Companies);
    if let Some(found) = view.found.filter(|_| counts) {
        let missing = view.total - found;
        before.push_str(&format!("\"found\":{found},\"not_found\":{missing},"));
    }
    let error = if view.failed {
        ",\"error\":\"The job could not be completed.\""
    } else {
        ",\"error\":null"
    };
    Answer::new(Shape::Envelope {
        data,
        meta_before: before,
        meta_after: error.to_owned(),
        states: Some(view.charge),
    })
}
