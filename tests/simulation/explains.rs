//! Promise 9: every no of the guard says what stood in the way, by how much, and what to do.

use http::HeaderMap;
use serde_json::Value;

/// What is wrong with a refusal, if anything.
pub fn faults_of(status: u16, headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    let mut faults = Vec::new();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(reason) = text("guard-refusal") else {
        return faults;
    };
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return vec![format!("{status} {reason} has no body that can be read")];
    };
    let detail = body["detail"].as_str().unwrap_or_default();
    if detail.is_empty() || body["code"] != reason || body["status_code"] != status {
        faults.push(format!("{status} {reason} says {body}"));
    }
    if status == 402 && !detail.starts_with("Insufficient funds") {
        faults.push(format!("402 says {detail:?}"));
    }
    if matches!(status, 429 | 503) {
        let seconds = text("retry-after").and_then(|text| text.parse::<u64>().ok());
        if !seconds.is_some_and(|seconds| (1..=30).contains(&seconds)) {
            faults.push(format!("{status} {reason} says to wait {seconds:?}"));
        }
    }
    match reason {
        "budget_exhausted" | "budget_busy" => faults.extend(budgets(reason, &body)),
        "account_low" | "account_busy" => faults.extend(account(reason, &body["account"])),
        _ => {}
    }
    faults
}

fn budgets(reason: &str, body: &Value) -> Vec<String> {
    let Some(rows) = body["budgets"].as_array().filter(|rows| !rows.is_empty()) else {
        return vec![format!("{reason} names no budget: {body}")];
    };
    let mut faults = Vec::new();
    for row in rows {
        let amount = |name: &str| micros(&row[name]);
        let (Some(limit), Some(granted)) = (amount("limit"), amount("granted")) else {
            faults.push(format!("{row} has no limit"));
            continue;
        };
        if row["shared"] == true {
            faults.extend(shared(row));
            continue;
        }
        let (Some(settled), Some(held)) = (amount("settled"), amount("held")) else {
            faults.push(format!("{row} says not what is used"));
            continue;
        };
        let asked = amount("asked").unwrap_or(0);
        let room = limit + granted - settled - held;
        if asked <= room {
            faults.push(format!("{row}: it would have fitted"));
        }
        if amount("would_fit") != Some(room.max(0)) {
            faults.push(format!("{row}: {room} would fit"));
        }
        let exhausted = settled + asked > limit + granted;
        if (row["reason"] == "budget_exhausted") != exhausted {
            faults.push(format!("{row}: waiting helps: {}", !exhausted));
        }
    }
    faults
}

/// Of one that other teams share a team reads what would fit, and nothing of what they took.
fn shared(row: &Value) -> Option<String> {
    let says = |name: &str| row.get(name).is_some();
    let fits = micros(&row["would_fit"]).zip(micros(&row["asked"]));
    let is_well = !says("settled") && !says("held") && !says("in_doubt");
    let is_well = is_well && fits.is_some_and(|(fits, asked)| 0 <= fits && fits < asked);
    (!is_well).then(|| format!("{row}: it is shared"))
}

fn account(reason: &str, row: &Value) -> Vec<String> {
    let amount = |name: &str| micros(&row[name]);
    match (amount("safe_to_spend"), amount("floor"), amount("asked")) {
        (Some(safe), Some(floor), Some(asked)) if safe < floor + asked => Vec::new(),
        _ => vec![format!("{reason}: {row}")],
    }
}

/// An amount in a body, a number or a text.
fn micros(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let credits: generect_guard::credits::Credits = text.parse().ok()?;
    Some(credits.micros())
}
