//! Searches of leads and of companies, and their counts (dossier section 2.1).

use http::StatusCode;

use super::{Call, Work, bad, invalid, line, times};
use crate::credits::Credits;
use crate::simulator::answer::{Answer, Shape};
use crate::simulator::bodies::{Fields, Json, write_text};
use crate::simulator::people::{self, Detail};
use crate::simulator::routes::Mode;
use crate::simulator::settings::Limit;

/// Fields that steer a search and filter nothing.
const CONTROLS: [&str; 16] = [
    "limit_by",
    "offset_by",
    "full_data",
    "include_full_profile",
    "search_emails",
    "include_emails",
    "max_investigated_leads",
    "max_profiles_scanned",
    "get_max_leads",
    "get_max_companies",
    "include_total_count",
    "detail",
    "strict",
    "filter_empty_vars",
    "skip_truncated_names",
    "website_blacklist",
];

/// Filters that only live searches have.
const REALTIME_ONLY: [&str; 6] = [
    "keywords",
    "functions",
    "past_company_names",
    "schools",
    "groups",
    "years_in_position",
];

/// Most addresses in one `find_by_emails`.
const EMAILS_MAX: usize = 500;
/// Rows of one page in test mode; the documents only say that there is a ceiling.
const TEST_PAGE_MAX: u64 = 25;
/// Offsets are bounded by the documents too, but paging past the end is just empty.
const OFFSET_MAX: u64 = 1_000_000;

/// One page of leads that a body asks for.
pub(super) struct LeadPage {
    /// Most rows it could have been.
    pub(super) limit: u64,
    pub(super) offset: u64,
    pub(super) rows: u64,
    pub(super) matches: u64,
    /// Whole profiles, billed as enrichments on top.
    pub(super) full: bool,
    pub(super) anchored: bool,
    pub(super) wants_count: bool,
    /// No filter at all.
    pub(super) unfiltered: bool,
}

/// Reads the page that lead criteria ask for; complaints are left in `fields`.
pub(super) fn lead_page(
    call: &Call<'_>,
    mode: Mode,
    fields: &mut Fields<'_>,
    map: &Json,
) -> LeadPage {
    let limits = &call.settings.limits;
    let anchored = ["company_id", "company_link", "company_name"]
        .iter()
        .any(|name| fields.given(name).is_some());
    let bounds = if anchored {
        limits.anchored_leads
    } else {
        limits.leads
    };
    let mut limit = read_limit(fields, bounds);
    let offset = fields.integer("offset_by", 0, OFFSET_MAX).unwrap_or(0);
    let (mut matches, _) = call.matches(map);
    let mut full = false;
    if mode == Mode::Realtime {
        full = fields.flag_of_two("full_data", "include_full_profile");
        let (scanned, _) = fields.either("max_investigated_leads", "max_profiles_scanned");
        if let Some(scanned) = fields.integer(scanned, 1, u64::MAX) {
            limit = limit.min(scanned);
        }
        let (emails, _) = fields.either("emails", "find_by_emails");
        if let Some(addresses) = fields.list(emails) {
            if addresses.len() > EMAILS_MAX {
                fields
                    .complaints
                    .add(emails, "Ensure this field has no more than 500 elements.");
            }
            limit = limit.min(addresses.len() as u64);
            matches = matches.min(addresses.len() as u64);
        }
    }
    let wants_count =
        mode == Mode::Database || fields.flag_of_two("get_max_leads", "include_total_count");
    let mut rows = limit.min(matches.saturating_sub(offset));
    if call.test {
        rows = rows.min(TEST_PAGE_MAX);
    }
    let unfiltered = is_unfiltered(fields);
    LeadPage {
        limit,
        offset,
        rows,
        matches,
        full,
        anchored,
        wants_count,
        unfiltered,
    }
}

/// `limit_by` within its bounds, or what an absent one means.
pub(super) fn read_limit(fields: &mut Fields<'_>, bounds: Limit) -> u64 {
    fields
        .integer("limit_by", 1, bounds.maximum)
        .unwrap_or(bounds.absent)
}

fn is_unfiltered(fields: &Fields<'_>) -> bool {
    fields.given_names().all(|name| CONTROLS.contains(&name))
}

/// The 400 of a filter that this mode does not have.
fn refused_filter(fields: &Fields<'_>, mode: Mode, what: &str) -> Option<Answer> {
    if fields.given("per_page").is_some() {
        return Some(bad("per_page filter is not supported"));
    }
    if mode == Mode::Realtime {
        return None;
    }
    let name = REALTIME_ONLY
        .iter()
        .find(|name| fields.given(name).is_some())?;
    let mut text = String::new();
    write_text(
        &format!(
            "`{name}` filter is not supported in database mode for {what}. Use realtime endpoint."
        ),
        &mut text,
    );
    Some(invalid(&format!("{{\"{name}\":{text}}}")))
}

/// A search of leads.
pub(super) fn leads(call: &Call<'_>, mode: Mode) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    if let Some(refusal) = refused_filter(&fields, mode, "leads") {
        return Err(refusal);
    }
    let page = lead_page(call, mode, &mut fields, call.body);
    let thin = thin_rows(call, mode, &mut fields, page.rows)?;
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let price = if thin {
        Credits::ZERO
    } else {
        call.price(mode)
    };
    if page.unfiltered {
        return unfiltered(call, mode, "leads", page.limit);
    }
    let detail = match (thin, page.full) {
        (true, _) => Detail::Thin,
        (_, true) => Detail::Full,
        _ => Detail::Row,
    };
    let mut data = String::with_capacity(64 + usize::try_from(page.rows).unwrap_or(0) * 256);
    data.push_str("{\"leads\":");
    people::list(page.offset + 1, page.rows, &mut data, |number, out| {
        people::person(number, detail, "", out);
    });
    if mode == Mode::Realtime && page.anchored && page.matches <= page.limit {
        data.push_str(",\"results_count\":\"within limit\"");
    } else if page.wants_count {
        data.push_str(",\"results_count\":");
        data.push_str(&page.matches.to_string());
    }
    data.push('}');
    let profile = if page.full { price } else { Credits::ZERO };
    let at_most = times(price.saturating_add(profile), page.limit);
    let mut lines = vec![line(page.rows, price)];
    if page.full {
        lines.push(line(page.rows, profile));
    }
    Ok(Work::new(at_most, lines, rows_answer(data, thin)))
}

/// A search of companies.
pub(super) fn companies(call: &Call<'_>, mode: Mode) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    if let Some(refusal) = refused_filter(&fields, mode, "companies") {
        return Err(refusal);
    }
    let limit = read_limit(&mut fields, call.settings.limits.companies);
    let offset = fields.integer("offset_by", 0, OFFSET_MAX).unwrap_or(0);
    let (_, matches) = call.matches(call.body);
    let mut rows = limit.min(matches.saturating_sub(offset));
    if call.test {
        rows = rows.min(TEST_PAGE_MAX);
    }
    let thin = thin_rows(call, mode, &mut fields, rows)?;
    let wants_count =
        mode == Mode::Database || fields.flag_of_two("get_max_companies", "include_total_count");
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    if is_unfiltered(&fields) {
        return unfiltered(call, mode, "companies", limit);
    }
    let price = if thin {
        Credits::ZERO
    } else {
        call.price(mode)
    };
    let detail = if thin { Detail::Thin } else { Detail::Row };
    let mut data = String::from("{\"companies\":");
    people::list(offset + 1, rows, &mut data, |number, out| {
        people::company(number, detail, "", out);
    });
    if wants_count {
        data.push_str(&format!(",\"results_count\":{matches}"));
    }
    data.push('}');
    Ok(Work::new(
        times(price, limit),
        vec![line(rows, price)],
        rows_answer(data, thin),
    ))
}

fn rows_answer(data: String, thin: bool) -> Answer {
    let mut answer = Answer::envelope(data);
    if thin && let Shape::Envelope { meta_after, .. } = &mut answer.shape {
        meta_after.push_str(",\"free_tier\":true");
    }
    answer
}

/// A search without a filter: refused on the database, and charged one row live (measured by
/// others, dossier section 2.1).
fn unfiltered(call: &Call<'_>, mode: Mode, member: &str, limit: u64) -> Result<Work, Answer> {
    if mode == Mode::Database {
        return Err(bad("at least one search filter is required"));
    }
    let price = call.price(mode);
    let charged = u64::from(call.settings.empty_realtime_search_is_charged);
    let data = format!("{{\"{member}\":[],\"results_count\":0}}");
    Ok(Work::new(
        times(price, limit.max(1)),
        vec![line(charged, price)],
        Answer::envelope(data),
    ))
}

/// Whether the rows are the free thin ones (dossier section 4.4).
fn thin_rows(
    call: &Call<'_>,
    mode: Mode,
    fields: &mut Fields<'_>,
    rows: u64,
) -> Result<bool, Answer> {
    if mode == Mode::Realtime || fields.given("detail").is_none() {
        return Ok(false);
    }
    let Some(daily) = call.settings.thin_rows_daily else {
        return Err(invalid("{\"detail\":\"`detail` filter is not supported\"}"));
    };
    if fields.text("detail").as_deref() != Some("thin") {
        return Ok(false);
    }
    if fields.complaints.is_empty() && !call.account.take_thin_rows(rows, daily, call.now) {
        return Err(Answer::refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "You have used today's free search quota.",
        ));
    }
    Ok(true)
}

/// A live count: one price a request, whatever it counts.
pub(super) fn leads_count(call: &Call<'_>) -> Result<Work, Answer> {
    flat(call, call.matches(call.body).0)
}

/// A live count of companies.
pub(super) fn companies_count(call: &Call<'_>) -> Result<Work, Answer> {
    flat(call, call.matches(call.body).1)
}

fn flat(call: &Call<'_>, matches: u64) -> Result<Work, Answer> {
    let fields = Fields::of(call.body);
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let price = call.settings.prices.realtime;
    Ok(Work::new(
        price,
        vec![line(1, price)],
        Answer::envelope(format!("{{\"results_count\":{matches}}}")),
    ))
}

/// A database count, always free.
pub(super) fn free_leads_count(call: &Call<'_>, mode: Mode) -> Answer {
    free_count(call, mode, "leads", call.matches(call.body).0)
}

/// A database count of companies, always free.
pub(super) fn free_companies_count(call: &Call<'_>, mode: Mode) -> Answer {
    free_count(call, mode, "companies", call.matches(call.body).1)
}

fn free_count(call: &Call<'_>, mode: Mode, what: &str, matches: u64) -> Answer {
    let fields = Fields::of(call.body);
    if let Some(refusal) = refused_filter(&fields, mode, what) {
        return refusal;
    }
    if !fields.complaints.is_empty() {
        return invalid(&fields.complaints.detail());
    }
    Answer::envelope(format!("{{\"results_count\":{matches}}}"))
}
