//! Obviously invented people and companies, made from a number. Nobody in here exists.

use std::fmt::Write;

const TITLES: [&str; 6] = [
    "Head of Examples",
    "Sample Engineer",
    "Director of Placeholders",
    "Keeper of Fixtures",
    "VP Test Data",
    "Chief Pretend Officer",
];

/// How much of a person a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The few fields of a free row.
    Thin,
    /// A row of a search.
    Row,
    /// A whole profile.
    Full,
}

/// Writes person `number` as an object. `extra` are further members, each preceded by a comma.
pub(crate) fn person(number: u64, detail: Detail, extra: &str, out: &mut String) {
    let company = number % 97;
    let title = TITLES[usize::try_from(number % 6).unwrap_or(0)];
    // Writing to a text cannot fail.
    let _ = write!(
        out,
        "{{\"lead_id\":\"{}\",\"first_name\":\"Person\",\"last_name\":\"{number}\",\
         \"full_name\":\"Person {number}\",\"title\":\"{title}\"",
        lead_id(number)
    );
    if detail != Detail::Thin {
        let _ = write!(
            out,
            ",\"company_name\":\"Company {company}\",\
             \"linkedin_url\":\"https://linkedin.example.com/in/person-{number}\",\
             \"company_website\":\"https://company-{company}.example.com\",\
             \"is_full_data\":{}",
            detail == Detail::Full
        );
    }
    if detail == Detail::Full {
        // The summary quotes what a charge looks like: a reader of text falls for it.
        let _ = write!(
            out,
            ",\"location\":\"Nowhere\",\"skills\":[\"examples\",\"fixtures\"],\
             \"summary\":\"Once wrote \\\"meta\\\": {{\\\"amount_charged\\\": 12.5}} on a wall.\",\
             \"jobs\":[{{\"company_name\":\"Company {company}\",\"job_title\":\"{title}\",\
             \"amount\":-77,\"job_still_working\":true}}],\"educations\":[],\"languages\":[]"
        );
    }
    out.push_str(extra);
    out.push('}');
}

/// Writes company `number` as an object, like [`person`].
pub(crate) fn company(number: u64, detail: Detail, extra: &str, out: &mut String) {
    let _ = write!(
        out,
        "{{\"id\":\"{number}\",\"linkedin_id\":\"{number}\",\"name\":\"Company {number}\",\
         \"domain\":\"company-{number}.example.com\""
    );
    if detail != Detail::Thin {
        let _ = write!(
            out,
            ",\"website\":\"https://company-{number}.example.com\",\
             \"linkedin_link\":\"https://linkedin.example.com/company/{number}\",\
             \"industry\":\"Placeholders\",\"headcount_range\":\"11-50\",\
             \"company_type\":\"Privately Held\",\"location\":\"Nowhere\""
        );
    }
    if detail == Detail::Full {
        let _ = write!(
            out,
            ",\"headcount_exact\":42,\"founded_year\":2001,\"specialities\":[\"examples\"],\
             \"description\":\"Makes \\\"amount\\\": -5 and {{braces}}.\""
        );
    }
    out.push_str(extra);
    out.push('}');
}

/// Writes a masked row of Preview.
pub(crate) fn masked(number: u64, out: &mut String) {
    let title = TITLES[usize::try_from(number % 6).unwrap_or(0)];
    let _ = write!(
        out,
        "{{\"id\":\"{}\",\"first_name\":\"Person\",\"last_name\":\"{number}\",\
         \"title\":\"{title}\",\"company_name\":\"Company {}\",\"location\":\"Nowhere\",\
         \"industry\":\"Placeholders\",\"seniority\":\"Entry\",\"headcount_range\":\"11-50\"}}",
        lead_id(number),
        number % 97
    );
}

/// The id of person `number`.
pub(crate) fn lead_id(number: u64) -> String {
    format!("FAKE{number:012}")
}

/// Writes a list of numbered objects.
pub(crate) fn list(
    from: u64,
    rows: u64,
    out: &mut String,
    mut write_one: impl FnMut(u64, &mut String),
) {
    out.push('[');
    for number in from..from.saturating_add(rows) {
        if number > from {
            out.push(',');
        }
        write_one(number, out);
    }
    out.push(']');
}
