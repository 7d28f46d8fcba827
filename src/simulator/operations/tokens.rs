//! Pages that show secrets: token analytics, token lists, log-in. A guard must not pass them on.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::{Call, invalid};
use crate::simulator::answer::Answer;
use crate::simulator::bodies::{Fields, write_text};
use crate::simulator::transactions::{moment, query_pairs, written};

/// Request counts by token, with the whole tokens (dossier section 3.6).
pub(super) fn analytics(call: &Call<'_>) -> Answer {
    let pairs = query_pairs(call.query);
    let asked = |name: &str| {
        let found = pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    if let Some(zone) = asked("timezone")
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        return invalid("{\"timezone\":[\"Unknown timezone.\"]}");
    }
    let month_ago = call
        .now
        .checked_sub(SignedDuration::from_hours(30 * 24))
        .unwrap_or(Timestamp::MIN);
    let from = asked("start_date").and_then(moment).unwrap_or(month_ago);
    let to = asked("end_date").and_then(moment).unwrap_or(call.now);
    let charges = call.account.charges();
    let mut total = 0;
    let mut tokens = Vec::new();
    for (index, token) in call.settings.tokens.iter().enumerate() {
        if asked("token").is_some_and(|only| only != token) {
            continue;
        }
        let mut by_path = std::collections::BTreeMap::new();
        for charged in &charges {
            if *charged.token == **token && charged.at >= from && charged.at <= to {
                *by_path.entry(charged.path).or_insert(0_u64) += 1;
            }
        }
        let requests: u64 = by_path.values().sum();
        total += requests;
        let paths: Vec<String> = by_path
            .iter()
            .map(|(path, count)| format!("\"{path}\":{count}"))
            .collect();
        tokens.push(format!(
            "{{\"token\":\"{token}\",\"name\":\"Pretend token {index}\",\"client_id\":null,\
             \"is_active\":true,\"created_at\":\"2026-04-02T09:15:00\",\
             \"total_requests\":{requests},\"by_endpoint\":{{{}}},\
             \"by_status\":{{\"2xx\":{requests}}}}}",
            paths.join(",")
        ));
    }
    Answer::plain(format!(
        "{{\"data\":{{\"period\":{{\"start\":\"{}\",\"end\":\"{}\"}},\"total_requests\":{total},\
         \"tokens\":[{}]}}}}",
        written(from),
        written(to),
        tokens.join(",")
    ))
}

/// The list of keys, and the making of one (dossier section 2.7).
pub(super) fn api_tokens(call: &Call<'_>) -> Answer {
    if call.method == Method::POST {
        let mut fields = Fields::of(call.body);
        let mut name = String::new();
        write_text(&fields.text("name").unwrap_or_default(), &mut name);
        // Not a working key: a pretend account has the tokens of its settings.
        return Answer::plain(format!(
            "{{\"token\":\"test_made_by_the_simulator\",\"name\":{name},\"is_active\":true}}"
        ))
        .with_status(StatusCode::CREATED);
    }
    let tokens: Vec<String> = call
        .settings
        .tokens
        .iter()
        .map(|token| format!("{{\"token\":\"{token}\",\"name\":null,\"is_active\":true}}"))
        .collect();
    Answer::plain(format!(
        "{{\"count\":{},\"next\":null,\"previous\":null,\"results\":[{}]}}",
        tokens.len(),
        tokens.join(",")
    ))
}

/// The legacy log-in. Any e-mail with a password gets the first token.
pub(super) fn login(call: &Call<'_>) -> Answer {
    let mut fields = Fields::of(call.body);
    let email = fields.text("email");
    let password = fields.text("password");
    let (Some(email), Some(_), Some(token)) = (email, password, call.settings.tokens.first())
    else {
        return invalid("{\"non_field_errors\":[\"Unable to log in with provided credentials.\"]}");
    };
    let mut written_email = String::new();
    write_text(&email, &mut written_email);
    Answer::plain(format!(
        "{{\"auth_token\":\"{token}\",\"email\":{written_email},\"user_id\":\"1\"}}"
    ))
}
