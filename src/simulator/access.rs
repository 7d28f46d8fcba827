//! Who may call, and what the framework itself answers: slashes, methods, options.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};

use super::answer::{Answer, Shape};
use super::routes::Route;
use super::settings::{SimulatorSettings, SlashOnPost};

/// A token that authenticated.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) token: Arc<str>,
    pub(crate) test: bool,
}

const NOT_PROVIDED: &str = "Authentication credentials were not provided.";

/// Reads `Authorization: Token <token>`, exactly so. The texts are the framework's; any other
/// scheme and a doubled prefix count as nothing provided (dossier section 1).
pub(crate) fn authenticate(
    headers: &HeaderMap,
    settings: &SimulatorSettings,
) -> Result<Bearer, Answer> {
    let refused = |detail: &str| {
        Answer::refusal(StatusCode::UNAUTHORIZED, detail)
            .with_header("www-authenticate", "Token".to_owned())
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let first = values.next().and_then(|value| value.to_str().ok());
    // A gateway server would join several headers with a comma, which is no token.
    let (Some(value), None) = (first, values.next()) else {
        return Err(refused(NOT_PROVIDED));
    };
    let mut words = value.split_whitespace();
    if words.next() != Some("Token") {
        return Err(refused(NOT_PROVIDED));
    }
    let Some(token) = words.next() else {
        return Err(refused("Invalid token header. No credentials provided."));
    };
    if words.next().is_some() {
        return Err(refused(NOT_PROVIDED));
    }
    if !settings.tokens.iter().any(|known| known == token) {
        return Err(refused("Invalid token."));
    }
    Ok(Bearer {
        token: token.into(),
        test: token.starts_with("test_"),
    })
}

/// The answer to a path that lacks its trailing slash.
pub(crate) fn without_slash(
    method: &Method,
    path: &str,
    query: Option<&str>,
    settings: &SimulatorSettings,
) -> Answer {
    let reads = method == Method::GET || method == Method::HEAD;
    if !reads && settings.slash_on_post == SlashOnPost::ServerError {
        return Answer::refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "You called this URL without a trailing slash, and the body would be lost.",
        );
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Answer::new(Shape::Nothing)
        .with_status(StatusCode::MOVED_PERMANENTLY)
        .with_header("location", format!("{path}/{query}"))
}

/// What is answered by method alone, before an operation is asked.
pub(crate) fn by_method(method: &Method, route: &Route) -> Option<Answer> {
    if method == Method::OPTIONS {
        let described = format!(
            "{{\"name\":\"{}\",\"description\":\"\",\"renders\":[\"application/json\"],\
             \"parses\":[\"application/json\",\"application/x-www-form-urlencoded\"]}}",
            route.path
        );
        return Some(Answer::plain(described).with_header("allow", route.allow()));
    }
    if route.allows(method) {
        return None;
    }
    let text = format!("Method \"{method}\" not allowed.");
    Some(Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, &text).with_header("allow", route.allow()))
}
