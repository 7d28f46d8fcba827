//! Masked rows and their count (dossier section 2.2).

use http::StatusCode;

use super::search::read_limit;
use super::{Call, Work, invalid, line, times};
use crate::credits::Credits;
use crate::simulator::answer::Answer;
use crate::simulator::bodies::{Fields, Json};
use crate::simulator::people;

fn not_granted(call: &Call<'_>) -> Option<Answer> {
    (!call.settings.preview_granted).then(|| {
        Answer::plain("{\"error\":\"You are not authorized to use this endpoint.\"}".to_owned())
            .with_status(StatusCode::FORBIDDEN)
    })
}

/// Preview rows. Only the `limit_by` in `lead_search_criteria` is read.
pub(super) fn rows(call: &Call<'_>) -> Result<Work, Answer> {
    if let Some(refusal) = not_granted(call) {
        return Err(refusal);
    }
    let nothing = Json::Map(Vec::new());
    let criteria = call.body.get("lead_search_criteria").unwrap_or(&nothing);
    let mut fields = Fields::of(criteria);
    let limit = read_limit(&mut fields, call.settings.limits.preview);
    let offset = fields.integer("offset_by", 0, 1_000_000).unwrap_or(0);
    if !fields.complaints.is_empty() {
        let detail = fields.complaints.detail();
        return Err(invalid(&format!("{{\"lead_search_criteria\":{detail}}}")));
    }
    let (matches, _) = call.matches(criteria);
    let rows = limit.min(matches.saturating_sub(offset));
    let mut data = String::from("{\"leads\":");
    people::list(offset + 1, rows, &mut data, people::masked);
    data.push('}');
    let price = if call.settings.preview_free {
        Credits::ZERO
    } else {
        call.settings.prices.preview
    };
    Ok(Work::new(
        times(price, limit),
        vec![line(rows, price)],
        Answer::envelope(data),
    ))
}

/// The count, always free.
pub(super) fn count(call: &Call<'_>) -> Answer {
    if let Some(refusal) = not_granted(call) {
        return refusal;
    }
    let nothing = Json::Map(Vec::new());
    let criteria = call.body.get("lead_search_criteria").unwrap_or(&nothing);
    let (matches, _) = call.matches(criteria);
    Answer::envelope(format!("{{\"count\":{matches}}}"))
}
