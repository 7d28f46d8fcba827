//! Email finding and validation, phone finding (dossier section 2.4).

use super::enrich::number_of;
use super::{Call, Work, invalid, line, times};
use crate::credits::Credits;
use crate::simulator::answer::Answer;
use crate::simulator::bodies::{Fields, Json, write_text};

/// What an email lookup is about; the name triple counts as one identifier.
pub(super) fn email_subject(fields: &mut Fields<'_>) -> Option<String> {
    subject(fields, "domain")
}

/// What a phone lookup is about.
pub(super) fn phone_subject(fields: &mut Fields<'_>) -> Option<String> {
    subject(fields, "company")
}

fn subject(fields: &mut Fields<'_>, employer: &str) -> Option<String> {
    if let Some(id) = fields.text("lead_id") {
        return Some(format!("lead_id:{id}"));
    }
    let first = fields.text("first_name");
    let last = fields.text("last_name");
    let employer = fields.text(employer);
    let link = fields.text("linkedin_url");
    if let (Some(first), Some(last), Some(employer)) = (first, last, employer) {
        return Some(format!("name:{first} {last}@{employer}"));
    }
    link.map(|link| format!("linkedin_url:{link}"))
}

fn refused(fields: &Fields<'_>, text: &str) -> Answer {
    if fields.complaints.is_empty() {
        invalid(&format!("{{\"non_field_errors\":[\"{text}\"]}}"))
    } else {
        invalid(&fields.complaints.detail())
    }
}

/// One email by one subject.
pub(super) fn email_find(call: &Call<'_>) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    let subject = email_subject(&mut fields);
    let Some(subject) = subject.filter(|_| fields.complaints.is_empty()) else {
        return Err(refused(
            &fields,
            "Provide one of: lead_id, linkedin_url, or first_name+last_name+domain.",
        ));
    };
    let price = call.settings.prices.email_find;
    let found = call.finds(&subject);
    let data = email_row(found.then(|| number_of(&subject)), &[]);
    Ok(Work::new(
        price,
        vec![line(u64::from(found), price)],
        Answer::envelope(data),
    ))
}

/// A row of an email lookup; `echo` are members repeated from the request.
pub(super) fn email_row(number: Option<u64>, echo: &[(&str, &str)]) -> String {
    let mut row = String::from("{");
    for (name, value) in echo {
        write_text(name, &mut row);
        row.push(':');
        write_text(value, &mut row);
        row.push(',');
    }
    match number {
        Some(number) => row.push_str(&format!(
            "\"valid_email\":\"person.{number}@example.com\",\"result\":\"valid\",\
             \"catch_all\":false,\"source\":\"generect\"}}"
        )),
        None => row.push_str("\"valid_email\":null}"),
    }
    row
}

/// Verdicts on addresses: every submitted one is billed, whatever the verdict.
pub(super) fn email_validate(call: &Call<'_>) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    let emails = fields.list("emails");
    if emails.is_none() && fields.complaints.is_empty() {
        fields.complaints.add("emails", "This field is required.");
    }
    let addresses = addresses(&emails.unwrap_or_default(), "emails", &mut fields);
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
        Answer::envelope(format!("[{}]", rows.join(","))),
    ))
}

/// The addresses of a list; numbers count as texts, anything else is a complaint.
pub(super) fn addresses(items: &[Json], name: &str, fields: &mut Fields<'_>) -> Vec<String> {
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Json::Text(text) => texts.push(text.clone()),
            Json::Integer(number) | Json::Float(number) => texts.push(number.clone()),
            _ => fields.complaints.add(name, "Not a valid string."),
        }
    }
    texts
}

/// The verdict on one address.
pub(super) fn validation_row(call: &Call<'_>, address: &str) -> String {
    let valid = call.finds(address);
    let (result, exist) = if valid {
        ("valid", "yes")
    } else {
        ("invalid", "no")
    };
    let mut row = String::from("{\"email\":");
    write_text(address, &mut row);
    row.push_str(&format!(
        ",\"result\":\"{result}\",\"exist\":\"{exist}\",\"catch_all\":false,\"error\":null}}"
    ));
    row
}

/// One phone by one subject.
pub(super) fn phone_find(call: &Call<'_>) -> Result<Work, Answer> {
    let mut fields = Fields::of(call.body);
    let subject = phone_subject(&mut fields);
    let Some(subject) = subject.filter(|_| fields.complaints.is_empty()) else {
        return Err(refused(
            &fields,
            "Provide one of: lead_id, linkedin_url, or first_name+last_name+company.",
        ));
    };
    let price: Credits = call.settings.prices.phone;
    let found = call.finds(&subject);
    let data = phone_row(found.then(|| number_of(&subject)));
    Ok(Work::new(
        price,
        vec![line(u64::from(found), price)],
        Answer::envelope(data),
    ))
}

/// A row of a phone lookup. Numbers are of the range kept for fiction.
pub(super) fn phone_row(number: Option<u64>) -> String {
    match number {
        Some(number) => format!(
            "{{\"lead_id\":\"{}\",\"phone\":{{\"number\":\"+1202555{:04}\",\"status\":\"FOUND\",\
             \"type\":\"mobile\",\"country\":\"US\"}}}}",
            crate::simulator::people::lead_id(number),
            100 + number % 100
        ),
        None => {
            "{\"lead_id\":null,\"phone\":{\"number\":null,\"status\":\"NOT_FOUND\"}}".to_owned()
        }
    }
}
