//! Webhooks: kept, shown with their signing secrets, never delivered (dossier section 5.3).

use std::sync::Mutex;

use http::{Method, StatusCode};

use super::{Call, invalid};
use crate::simulator::answer::{Answer, Shape};
use crate::simulator::bodies::{Fields, Json, write_text};
use crate::simulator::routes::Endpoint;
use crate::simulator::transactions::written;
use crate::simulator::{hashed, locked};

const EVENTS: [&str; 9] = [
    "email.find.bulk.completed",
    "enrich.company.bulk.completed",
    "enrich.lead.bulk.completed",
    "phone.find.bulk.completed",
    "status.incident.created",
    "status.incident.resolved",
    "status.incident.updated",
    "status.maintenance.completed",
    "status.maintenance.started",
];

/// The webhooks of the account.
#[derive(Default)]
pub(crate) struct WebhookList(Mutex<Registered>);

#[derive(Default)]
struct Registered {
    made: u64,
    hooks: Vec<Webhook>,
}

#[derive(Clone)]
struct Webhook {
    id: String,
    url: String,
    events: Vec<String>,
    secret: String,
    created_at: String,
    updated_at: String,
}

impl Webhook {
    fn json(&self) -> String {
        let text = |value: &str| {
            let mut out = String::new();
            write_text(value, &mut out);
            out
        };
        let events: Vec<String> = self.events.iter().map(|event| text(event)).collect();
        format!(
            "{{\"id\":{},\"url\":{},\"events\":[{}],\"secret\":{},\"is_active\":true,\
             \"created_at\":\"{}\",\"updated_at\":\"{}\"}}",
            text(&self.id),
            text(&self.url),
            events.join(","),
            text(&self.secret),
            self.created_at,
            self.updated_at
        )
    }
}

fn not_found() -> Answer {
    Answer::refusal(StatusCode::NOT_FOUND, "Not found.")
}

/// Any request on the three webhook paths.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let registered = &mut *locked(&call.webhooks.0);
    if call.route.endpoint == Endpoint::Webhooks {
        if call.method == Method::POST {
            return create(call, registered);
        }
        let all: Vec<String> = registered.hooks.iter().map(Webhook::json).collect();
        return Answer::plain(format!("[{}]", all.join(",")));
    }
    let id = call.segment.unwrap_or_default();
    let Some(place) = registered.hooks.iter().position(|hook| hook.id == id) else {
        return not_found();
    };
    if call.route.endpoint == Endpoint::WebhookTest {
        let number = hashed(id) % 1_000_000;
        return Answer::plain(format!(
            "{{\"data\":{{\"delivery_id\":\"delivery-{number}\",\"status\":\"pending\"}},\
             \"meta\":{{\"event\":\"webhook.test\"}}}}"
        ))
        .with_status(StatusCode::ACCEPTED);
    }
    if call.method == Method::DELETE {
        registered.hooks.remove(place);
        return Answer::new(Shape::Nothing).with_status(StatusCode::NO_CONTENT);
    }
    if call.method == Method::PUT || call.method == Method::PATCH {
        let whole = call.method == Method::PUT;
        match read(call, Some(&registered.hooks[place]), whole) {
            Ok(hook) => registered.hooks[place] = hook,
            Err(refusal) => return refusal,
        }
    }
    Answer::plain(registered.hooks[place].json())
}

fn create(call: &Call<'_>, registered: &mut Registered) -> Answer {
    match read(call, None, true) {
        Ok(mut hook) => {
            registered.made += 1;
            hook.id = format!("wh_{}", registered.made);
            let answer = Answer::plain(hook.json()).with_status(StatusCode::CREATED);
            registered.hooks.push(hook);
            answer
        }
        Err(refusal) => refusal,
    }
}

/// The webhook that a body describes, on top of a known one.
fn read(call: &Call<'_>, known: Option<&Webhook>, whole: bool) -> Result<Webhook, Answer> {
    let mut fields = Fields::of(call.body);
    let url = fields.text("url");
    let listed = fields.list("events");
    let secret = fields.text("secret");
    let events: Option<Vec<String>> = listed.map(|events| {
        let texts = events.into_iter().filter_map(|event| match event {
            Json::Text(text) => Some(text),
            _ => None,
        });
        texts.collect()
    });
    for event in events.iter().flatten() {
        if !EVENTS.contains(&event.as_str()) {
            let text = format!(
                "Unsupported events: ['{event}']. Allowed: ['{}']",
                EVENTS.join("', '")
            );
            fields.complaints.add("events", &text);
        }
    }
    if whole && url.is_none() {
        fields.complaints.add("url", "This field is required.");
    }
    if whole && events.is_none() {
        fields.complaints.add("events", "This field is required.");
    }
    if !fields.complaints.is_empty() {
        return Err(invalid(&fields.complaints.detail()));
    }
    let now = written(call.now);
    let made = || Webhook {
        id: String::new(),
        url: String::new(),
        events: Vec::new(),
        secret: format!("whsec_{:016x}", hashed(&now)),
        created_at: now.clone(),
        updated_at: now.clone(),
    };
    let mut hook = known.cloned().unwrap_or_else(made);
    hook.url = url.unwrap_or(hook.url);
    hook.events = events.unwrap_or(hook.events);
    hook.secret = secret.unwrap_or(hook.secret);
    hook.updated_at = now;
    Ok(hook)
}
