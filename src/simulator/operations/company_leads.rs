//! Leads at matching companies: two sets of criteria, each with its own page (dossier 2.1).

use super::search::{lead_page, read_limit};
use super::{Call, Work, invalid, line, times};
use crate::credits::Credits;
use crate::simulator::answer::Answer;
use crate::simulator::bodies::{Fields, Json};
use crate::simulator::people::{self, Detail};
use crate::simulator::routes::Mode;
use crate::simulator::settings::CompanyLeadsBilling;

const NOTHING_ASKED: &str = "{\"non_field_errors\":[\"company_search_criteria or \
                             lead_search_criteria must be specified\"]}";

struct Criteria<'a> {
    companies: Option<&'a Json>,
    leads: Option<&'a Json>,
}

fn criteria<'a>(body: &'a Json) -> Result<Criteria<'a>, Answer> {
    let outer = Fields::of(body);
    if !outer.complaints.is_empty() {
        return Err(invalid(&outer.complaints.detail()));
    }
    let criteria = Criteria {
        companies: outer.given("company_search_criteria"),
        leads: outer.given("lead_search_criteria"),
    };
    if criteria.companies.is_none() && criteria.leads.is_none() {
        return Err(invalid(NOTHING_ASKED));
    }
    Ok(criteria)
}

fn complaint(name: &str, fields: &Fields<'_>) -> Option<Answer> {
    (!fields.complaints.is_empty())
        .then(|| invalid(&format!("{{\"{name}\":{}}}", fields.complaints.detail())))
}

struct Leads {
    limit: u64,
    offset: u64,
    rows: u64,
    full: bool,
    emails: bool,
}

/// Only what is nested is read: a `limit_by` beside the criteria is ignored.
fn read_leads(call: &Call<'_>, mode: Mode, map: &Json) -> Result<Leads, Answer> {
    let mut fields = Fields::of(map);
    let page = lead_page(call, mode, &mut fields, map);
    let emails = mode == Mode::Realtime && fields.flag_of_two("search_emails", "include_emails");
    if let Some(refusal) = complaint("lead_search_criteria", &fields) {
        return Err(refusal);
    }
    Ok(Leads {
        limit: page.limit,
        offset: page.offset,
        rows: page.rows,
        full: page.full,
        emails,
    })
}

/// The most companies and the companies that matched.
fn read_companies(call: &Call<'_>, map: &Json) -> Result<(u64, u64), Answer> {
    let mut fields = Fields::of(map);
    let limit = read_limit(&mut fields, call.settings.limits.companies);
    if let Some(refusal) = complaint("company_search_criteria", &fields) {
        return Err(refusal);
    }
    let (_, matches) = call.matches(map);
    Ok((limit, limit.min(matches)))
}

/// The search. With lead criteria it answers leads, without them companies.
pub(super) fn rows(call: &Call<'_>, mode: Mode) -> Result<Work, Answer> {
    let criteria = criteria(call.body)?;
    let leads = match criteria.leads {
        Some(map) => Some(read_leads(call, mode, map)?),
        None => None,
    };
    let (company_limit, companies) = match criteria.companies {
        Some(map) => read_companies(call, map)?,
        None => (0, 0),
    };
    let price = call.price(mode);
    let companies_billed =
        leads.is_none() || call.settings.company_leads_billing == CompanyLeadsBilling::Both;
    let mut at_most = Credits::ZERO;
    let mut lines = Vec::new();
    if companies_billed {
        at_most = times(price, company_limit);
        lines.push(line(companies, price));
    }
    let Some(leads) = leads else {
        let mut data = String::from("{\"companies\":");
        people::list(1, companies, &mut data, |number, out| {
            people::company(number, Detail::Row, "", out);
        });
        data.push_str(&format!(
            ",\"companies_count\":{companies},\"results_count\":{companies}}}"
        ));
        return Ok(Work::new(at_most, lines, Answer::envelope(data)));
    };
    let mut units = vec![price];
    if leads.full {
        units.push(price);
    }
    if leads.emails {
        units.push(call.settings.prices.email_find);
    }
    for unit in units {
        at_most = at_most.saturating_add(times(unit, leads.limit));
        lines.push(line(leads.rows, unit));
    }
    Ok(Work::new(
        at_most,
        lines,
        Answer::envelope(leads_data(&leads, companies)),
    ))
}

fn leads_data(leads: &Leads, companies: u64) -> String {
    let detail = if leads.full {
        Detail::Full
    } else {
        Detail::Row
    };
    let mut data = String::from("{\"leads\":");
    people::list(leads.offset + 1, leads.rows, &mut data, |number, out| {
        let extra = if leads.emails {
            format!(",\"email\":\"person.{number}@example.com\"")
        } else {
            String::new()
        };
        people::person(number, detail, &extra, out);
    });
    let count = leads.rows;
    data.push_str(&format!(
        ",\"companies_count\":{companies},\"leads_count\":{count},\"results_count\":{count}}}"
    ));
    data
}

/// The database count, free.
pub(super) fn count(call: &Call<'_>) -> Answer {
    let criteria = match criteria(call.body) {
        Ok(criteria) => criteria,
        Err(refusal) => return refusal,
    };
    let leads = criteria.leads.map_or(0, |map| call.matches(map).0);
    let companies = criteria.companies.map_or(0, |map| call.matches(map).1);
    Answer::envelope(format!(
        "{{\"results_count\":{leads},\"companies_count\":{companies},\"leads_count\":{leads}}}"
    ))
}
