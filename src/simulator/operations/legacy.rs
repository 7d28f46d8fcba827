//! The legacy linkedin endpoints: flat answers, negative amounts, and two without any (2.8).

use http::StatusCode;

use super::contact::{addresses, email_subject, validation_row};
use super::enrich::{COMPANY_SECTIONS, LEAD_SECTIONS, number_of, sections_of};
use super::search::read_limit;
use super::{Call, Work, invalid, line, times};
use crate::credits::Credits;
use crate::simulator::answer::{Answer, Shape};
use crate::simulator::bodies::{Fields, Json, write_text};
use crate::simulator::people::{self, Detail};

/// What a company search with `get_max_companies` over this many matches is charged flat.
const MAX_COMPANIES_FLAT: u64 = 3;
const MANY_COMPANIES: u64 = 1_600;

/// A flat answer charged `units` legacy credits of at most `most`.
fn flat(call: &Call<'_>, most: u64, units: u64, members: String) -> Work {
    let unit = call.settings.prices.legacy_credit;
    let count = i64::try_from(units).unwrap_or(i64::MAX);
    let shape = Shape::Legacy {
        count: -count,
        members,
    };
    Work::new(
        times(unit, most),
        vec![line(units, unit)],
        Answer::new(shape),
    )
}

/// Leads by profile of the ideal customer. An empty page is charged one credit all the same: the
/// vendor's own sample of "no leads" shows `-1`.
pub(super) fn leads(call: &Call<'_>) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    let limit = read_limit(&mut fields, call.settings.limits.legacy_leads);
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let (matches, _) = call.matches(call.body);
    let rows = limit.min(matches);
    let mut members = String::from("\"leads\":");
    people::list(1, rows, &mut members, |number, out| {
        people::person(number, Detail::Row, "", out);
    });
    if matches <= limit {
        members.push_str(",\"results_count\":\"within limit\"");
    } else {
        members.push_str(&format!(",\"results_count\":{matches}"));
    }
    Ok(flat(call, limit.max(1), rows.max(1), members))
}

/// Companies by profile of the ideal customer.
pub(super) fn companies(call: &Call<'_>) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    let limit = read_limit(&mut fields, call.settings.limits.legacy_companies);
    let offset = fields.integer("offset_by", 0, 1_000_000).unwrap_or(0);
    let counts = fields.flag("get_max_companies");
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let (_, matches) = call.matches(call.body);
    let most = if counts {
        limit.max(MAX_COMPANIES_FLAT)
    } else {
        limit
    };
    if counts && matches > MANY_COMPANIES {
        // The one documented positive amount.
        let members = format!("\"companies\":[],\"results_count\":{matches},\"time_cached\":null");
        let mut work = flat(call, most, MAX_COMPANIES_FLAT, members);
        if let Shape::Legacy { count, .. } = &mut work.answer.shape {
            *count = -*count;
        }
        return Ok(work);
    }
    let rows = limit.min(matches.saturating_sub(offset));
    let mut members = String::from("\"companies\":");
    people::list(offset + 1, rows, &mut members, |number, out| {
        people::company(number, Detail::Row, "", out);
    });
    members.push_str(&format!(
        ",\"results_count\":{matches},\"time_cached\":\"2026-01-01T00:00:00\""
    ));
    Ok(flat(call, most, rows, members))
}

/// A count, billed flat.
pub(super) fn count(call: &Call<'_>, credits: u64, matches: u64) -> Result<Work, Answer> {
    let fields = Fields::of(call.body);
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let members = format!("\"results_count\":{matches}");
    Ok(flat(call, credits, credits, members))
}

/// A lead by its link.
pub(super) fn lead(call: &Call<'_>) -> Result<Work, Answer> {
    let wanted = ("lead", &LEAD_SECTIONS[..], "Person does not exist");
    by_link(call, &["url"], wanted, people::person)
}

/// A company by its link or name.
pub(super) fn company(call: &Call<'_>) -> Result<Work, Answer> {
    let wanted = ("company", &COMPANY_SECTIONS[..], "No such company");
    by_link(call, &["url", "name"], wanted, people::company)
}

fn by_link(
    call: &Call<'_>,
    identifiers: &[&str],
    (member, sections, missing): (&str, &[&str], &str),
    write: impl Fn(u64, Detail, &str, &mut String),
) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    let text = identifiers.iter().find_map(|name| fields.text(name));
    let asked: Vec<&str> = sections
        .iter()
        .copied()
        .filter(|section| fields.flag(section))
        .collect();
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let Some(text) = text else {
        return Err(refused("Bad url", ""));
    };
    let most = 1 + asked.len() as u64;
    if !call.finds(&text) {
        let mut work = flat(call, most, 0, String::new());
        work.answer = refused(missing, &text);
        return Ok(work);
    }
    let filled = sections_of(call, &text, &asked);
    let mut members = format!("\"{member}\":");
    write(
        number_of(&text),
        Detail::Full,
        &filled.members,
        &mut members,
    );
    Ok(flat(call, most, 1 + filled.billed, members))
}

/// The legacy 400: the envelope with an amount of nothing and the input repeated.
fn refused(detail: &str, input: &str) -> Answer {
    let mut url = String::new();
    write_text(input, &mut url);
    Answer::plain(format!(
        "{{\"amount\":0,\"detail\":\"{detail}\",\"input_url\":{url},\"status\":\"error\",\
         \"status_code\":400}}"
    ))
    .with_status(StatusCode::BAD_REQUEST)
}

fn top_level_list(body: &Json) -> Result<Vec<Json>, Answer> {
    match body {
        Json::List(items) => Ok(items.clone()),
        other => Err(invalid(&format!(
            "{{\"non_field_errors\":[\"Expected a list of items but got type \\\"{}\\\".\"]}}",
            other.type_name()
        ))),
    }
}

/// Emails by name and domain, in a bare list without any amount. Billed per valid email.
pub(super) fn email_finder(call: &Call<'_>) -> Result<Work, Answer> {
    let items = top_level_list(call.body)?;
    let price: Credits = call.settings.prices.email_find;
    let mut found = 0;
    let mut rows = Vec::with_capacity(items.len());
    for item in &items {
        let mut fields = Fields::of(item);
        let subject = email_subject(&mut fields).filter(|subject| call.finds(subject));
        let mut row = String::from("{");
        for name in ["first_name", "last_name", "domain"] {
            let text = fields.text(name).unwrap_or_default();
            row.push_str(&format!("\"{name}\":"));
            write_text(&text, &mut row);
            row.push(',');
        }
        match subject {
            Some(subject) => {
                found += 1;
                row.push_str(&format!(
                    "\"result\":\"valid\",\"catch_all\":\"no\",\"exist\":\"yes\",\"error\":null,\
                     \"valid_email\":\"person.{}@example.com\"}}",
                    number_of(&subject)
                ));
            }
            None => row.push_str(
                "\"result\":\"invalid\",\"catch_all\":\"no\",\"exist\":\"no\",\"error\":null,\
                 \"valid_email\":null}",
            ),
        }
        rows.push(row);
    }
    Ok(Work::new(
        times(price, items.len() as u64),
        vec![line(found, price)],
        Answer::plain(format!("[{}]", rows.join(","))),
    ))
}

/// Verdicts on addresses, in a bare list without any amount. Billed per address.
pub(super) fn email_validator(call: &Call<'_>) -> Result<Work, Answer> {
    let items = top_level_list(call.body)?;
    let nothing = Json::Map(Vec::new());
    let mut fields = Fields::of(&nothing);
    let addresses = addresses(&items, "non_field_errors", &mut fields);
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let price = call.settings.prices.email_validate;
    let units = addresses.len() as u64;
    let rows: Vec<String> = addresses
        .iter()
        .map(|address| validation_row(call, address))
        .collect();
    Ok(Work::new(
        times(price, units),
        vec![line(units, price)],
        Answer::plain(format!("[{}]", rows.join(","))),
    ))
}
