//! Profile references resolved, one or up to fifty at once (dossier section 2.4).

use http::StatusCode;

use super::bulk::items;
use super::enrich::number_of;
use super::{Call, Work, line, times};
use crate::simulator::answer::{Answer, Shape};
use crate::simulator::bodies::{Fields, Json};
use crate::simulator::people;

/// The reference given: `url` is another name of `linkedin_url`. A bare text stands for itself.
fn reference(item: &Json) -> Option<String> {
    if let Json::Text(text) = item {
        return Some(text.clone()).filter(|text| !text.is_empty());
    }
    let mut fields = Fields::of(item);
    let (link, _) = fields.either("url", "linkedin_url");
    let link = fields.text(link);
    link.or_else(|| fields.text("id"))
}

fn row(number: u64, input: &str) -> String {
    format!(
        "{{\"input\":{input},\"id\":\"{}\",\
         \"linkedin_url\":\"https://linkedin.example.com/in/person-{number}\"}}",
        people::lead_id(number)
    )
}

/// One reference; a miss is a 400 that repeats the input and states a charge of nothing.
pub(super) fn one(call: &Call<'_>) -> Result<Work, Answer> {
    let price = call.settings.prices.resolve;
    let mut input = String::new();
    call.body.write(&mut input);
    let Some(text) = reference(call.body) else {
        return Err(Answer::refusal(StatusCode::BAD_REQUEST, "Bad url"));
    };
    if !call.finds(&text) {
        let json = format!(
            "{{\"status\":\"error\",\"status_code\":400,\"detail\":\"Person does not exist\",\
             \"input\":{input},\"meta\":{{\"amount_charged\":0.0}}}}"
        );
        let answer = Answer::plain(json).with_status(StatusCode::BAD_REQUEST);
        return Ok(Work::new(price, Vec::new(), answer));
    }
    Ok(Work::new(
        price,
        vec![line(1, price)],
        Answer::envelope(row(number_of(&text), &input)),
    ))
}

/// Many references at once. Duplicates are billed each; rows that fail stay in place, unbilled.
pub(super) fn many(call: &Call<'_>) -> Result<Work, Answer> {
    let profiles = items(call.body, "profiles")?;
    let price = call.settings.prices.resolve;
    let mut resolved = 0;
    let mut rows = Vec::with_capacity(profiles.len());
    for item in &profiles {
        let mut input = String::new();
        item.write(&mut input);
        match reference(item).filter(|text| call.finds(text)) {
            Some(text) => {
                resolved += 1;
                rows.push(row(number_of(&text), &input));
            }
            None => rows.push(format!(
                "{{\"input\":{input},\"error\":\"Person does not exist\"}}"
            )),
        }
    }
    let total = profiles.len() as u64;
    let answer = Answer::new(Shape::Envelope {
        data: format!("[{}]", rows.join(",")),
        meta_before: format!("\"total\":{total},\"resolved\":{resolved},"),
        meta_after: String::new(),
        states: None,
    });
    Ok(Work::new(
        times(price, total),
        vec![line(resolved, price)],
        answer,
    ))
}
