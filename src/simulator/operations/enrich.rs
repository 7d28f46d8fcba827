//! One profile by one identifier, with sections that are billed when they hold data (2.3).

use super::{Call, Work, bad, invalid, line, times};
use crate::simulator::answer::Answer;
use crate::simulator::bodies::{Fields, Json};
use crate::simulator::hashed;
use crate::simulator::people::{self, Detail};
use crate::simulator::routes::Mode;

pub(super) const LEAD_IDENTIFIERS: [&str; 3] = ["id", "linkedin_url", "email"];
pub(super) const COMPANY_IDENTIFIERS: [&str; 4] = ["id", "domain", "linkedin_url", "name"];
pub(super) const LEAD_SECTIONS: [&str; 4] =
    ["posts", "comments", "reactions", "people_also_viewed"];
pub(super) const COMPANY_SECTIONS: [&str; 3] =
    ["posts", "people_also_viewed", "people_also_follow"];

/// A lead.
pub(super) fn lead(call: &Call<'_>, mode: Mode) -> Result<Work, Answer> {
    profile(
        call,
        mode,
        &LEAD_IDENTIFIERS,
        &LEAD_SECTIONS,
        "Person does not exist",
        people::person,
    )
}

/// A company.
pub(super) fn company(call: &Call<'_>, mode: Mode) -> Result<Work, Answer> {
    profile(
        call,
        mode,
        &COMPANY_IDENTIFIERS,
        &COMPANY_SECTIONS,
        "Company does not exist",
        people::company,
    )
}

fn profile(
    call: &Call<'_>,
    mode: Mode,
    identifiers: &[&str],
    sections: &[&str],
    missing: &str,
    write: impl Fn(u64, Detail, &str, &mut String),
) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    let text = identifier(&mut fields, identifiers);
    let asked: Vec<&str> = sections
        .iter()
        .copied()
        .filter(|section| fields.flag(section))
        .collect();
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let Some(text) = text else {
        let names = identifiers.join(", ");
        return Err(invalid(&format!(
            "{{\"fields\":\"exactly one of {names} is required\"}}"
        )));
    };
    let price = call.price(mode);
    let at_most = times(price, 1 + asked.len() as u64);
    if !call.finds(&text) {
        // Accepted, then given back whole: that is how a miss looks to the account.
        return Ok(Work::new(at_most, Vec::new(), bad(missing)));
    }
    let filled = sections_of(call, &text, &asked);
    let mut data = String::new();
    write(number_of(&text), Detail::Full, &filled.members, &mut data);
    let lines = vec![line(1, price), line(filled.billed, price)];
    Ok(Work::new(at_most, lines, Answer::envelope(data)))
}

/// Sections of a profile, as members, and how many hold data.
pub(super) struct Sections {
    pub(super) members: String,
    pub(super) billed: u64,
}

pub(super) fn sections_of(call: &Call<'_>, text: &str, asked: &[&str]) -> Sections {
    let mut sections = Sections {
        members: String::new(),
        billed: 0,
    };
    for section in asked {
        let items = if call.has_section(text, section) {
            sections.billed += 1;
            "[{\"text\":\"An invented item\",\"meta\":{\"amount_charged\":5}}]"
        } else {
            "[]"
        };
        sections
            .members
            .push_str(&format!(",\"{section}\":{items}"));
    }
    sections
}

/// The one identifier given; `None` when there is none, or more than one.
pub(super) fn identifier(fields: &mut Fields<'_>, names: &[&str]) -> Option<String> {
    let mut given: Vec<String> = names
        .iter()
        .filter_map(|name| fields.text(name).map(|text| format!("{name}:{text}")))
        .collect();
    if given.len() == 1 { given.pop() } else { None }
}

/// The identifier of one item of a bulk list.
pub(super) fn identifier_of(item: &Json, names: &[&str]) -> Option<String> {
    identifier(&mut Fields::of(item), names)
}

/// Which invented person or company a text stands for.
pub(super) fn number_of(text: &str) -> u64 {
    hashed(text) % 100_000
}
