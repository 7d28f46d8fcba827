//! The pages of the operator's side, and one answer for everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, http};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::admin::health::Conditions;
use crate::metrics::Exporter;

/// The text format of Prometheus, whose version is part of its type.
const PROMETHEUS_TEXT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What the pages show.
#[derive(Clone)]
pub struct AdminState {
    conditions: Arc<Conditions>,
    exporter: Exporter,
}

impl AdminState {
    /// Answers with these conditions and metrics.
    pub fn new(conditions: Conditions, exporter: Exporter) -> Self {
        Self {
            conditions: Arc::new(conditions),
            exporter,
        }
    }
}

/// Every path of the operator's side.
pub(super) fn router(state: AdminState) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .fallback(no_page)
        .method_not_allowed_fallback(no_method)
        .with_state(state)
}

async fn alive() -> Response {
    page(
        StatusCode::OK,
        json!({ "status": "alive", "version": env!("CARGO_PKG_VERSION") }),
    )
}

async fn ready(State(state): State<AdminState>) -> Response {
    let report = state.conditions.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    page(status, json!(report))
}

async fn scrape(State(state): State<AdminState>) -> Response {
    let text = state.exporter.render();
    ([(CONTENT_TYPE, PROMETHEUS_TEXT), NOT_STORED], text).into_response()
}

async fn no_page() -> Response {
    let detail = "no such page; there are /healthz, /readyz and /metrics";
    page(StatusCode::NOT_FOUND, error(StatusCode::NOT_FOUND, detail))
}

async fn no_method() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    page(status, error(status, "these pages are only read: use GET"))
}

fn error(status: StatusCode, detail: &str) -> Value {
    json!({ "status": "error", "status_code": status.as_u16(), "detail": detail })
}

/// A moment's answer, that no cache in between may repeat later.
const NOT_STORED: (http::HeaderName, HeaderValue) =
    (CACHE_CONTROL, HeaderValue::from_static("no-store"));

fn page(status: StatusCode, body: Value) -> Response {
    let nosniff = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    (status, [NOT_STORED, nosniff], Json(body)).into_response()
}
