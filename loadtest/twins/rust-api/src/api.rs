//! The requests and their answers.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::time::Instant;
use tower::ServiceExt;
use uuid::Uuid;

use crate::pg::{Failure, QUERY_LIMIT, READY_LIMIT, Users};
use crate::user::{Page, Record};

const DEFAULT_LIMIT: i64 = 50;
const MOST_LIMIT: i64 = 200;
const USER_BYTES: usize = 256; // room for most users' JSON, so that it is written without a second allocation
const UUID_LENGTH: usize = 36; // 8-4-4-4-12; Uuid::try_parse takes other spellings too

#[derive(Clone)]
pub struct Api {
    router: Router,
}

impl Api {
    pub fn new<U: Users>(users: U) -> Self {
        let router = Router::new()
            .route("/healthz", get(async || ok()))
            .route("/readyz", get(ready::<U>))
            .route("/users", get(list::<U>))
            .route("/users/{id}", get(find::<U>))
            .fallback(async || not_found())
            .method_not_allowed_fallback(async || method_not_allowed())
            .with_state(Arc::new(users));
        Self { router }
    }

    pub fn answer(&self, mut request: Request) -> impl Future<Output = Response> + use<> {
        let router = self.router.clone();
        async move {
            if !decode_path(request.uri_mut()) {
                return refuse(StatusCode::BAD_REQUEST, "invalid_escape");
            }
            router.oneshot(request).await.unwrap_or_else(|never| match never {})
        }
    }
}

/// axum routes by the path as it was sent. This decodes what a path may spell without an escape, slashes too; an
/// escape that stays is in no known path and in no UUID. False when one is malformed, in the query too.
fn decode_path(uri: &mut Uri) -> bool {
    let well_escaped = |text: &str| text.split('%').skip(1).all(|rest| hex_value(rest.as_bytes()).is_some());
    if !uri.query().is_none_or(well_escaped) || !well_escaped(uri.path()) {
        return false;
    }
    if !uri.path().contains('%') {
        return true;
    }
    let mut parts = uri.path().split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match hex_value(part.as_bytes()) {
            Some(plain) if plain.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&plain) => {
                decoded.push(plain.into());
                decoded.push_str(&part[2..]);
            }
            _ => {
                decoded.push('%');
                decoded.push_str(part);
            }
        }
    }
    if let Some(query) = uri.query() {
        decoded.push('?');
        decoded.push_str(query);
    }
    let Ok(path) = PathAndQuery::try_from(decoded) else { return false };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(path);
    match Uri::from_parts(parts) {
        Ok(decoded) => *uri = decoded,
        Err(_) => return false,
    }
    true
}

fn hex_value(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    Some((digit(0)? << 4 | digit(1)?) as u8)
}

async fn ready<U: Users>(State(users): State<Arc<U>>) -> Response {
    match users.ping(Instant::now() + READY_LIMIT).await {
        Ok(()) => ok(),
        Err(_) => unavailable(),
    }
}

async fn find<U: Users>(State(users): State<Arc<U>>, id: Result<Path<String>, PathRejection>) -> Response {
    let id = id.ok().filter(|Path(id)| id.len() == UUID_LENGTH).and_then(|Path(id)| Uuid::try_parse(&id).ok());
    let Some(id) = id else { return refuse(StatusCode::BAD_REQUEST, "invalid_id") };
    match users.find(id, Instant::now() + QUERY_LIMIT).await {
        Ok(Some(record)) => record.user().map_or_else(|failure| fail(&failure), |user| json(&user, USER_BYTES)),
        Ok(None) => not_found(),
        Err(failure) => fail(&failure),
    }
}

async fn list<U: Users>(State(users): State<Arc<U>>, RawQuery(query): RawQuery) -> Response {
    let query = query.as_deref().unwrap_or_default();
    let Some(limit) = parameter(query, "limit", DEFAULT_LIMIT).filter(|limit| (1..=MOST_LIMIT).contains(limit)) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_limit");
    };
    let Some(offset) = parameter(query, "offset", 0) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_offset");
    };
    match users.list(limit, offset, Instant::now() + QUERY_LIMIT).await {
        Ok(records) => page(&records, limit, offset).unwrap_or_else(|failure| fail(&failure)),
        Err(failure) => fail(&failure),
    }
}

fn page<R: Record>(records: &[R], limit: i64, offset: i64) -> Result<Response, Failure> {
    let total = records.first().map_or(Ok(0), Record::total)?;
    let mut items = Vec::with_capacity(records.len());
    for record in records {
        let user = record.user()?;
        // Past the end there is one row, without a user, for the total.
        if user.id.is_some() {
            items.push(user);
        }
    }
    let bytes = (items.len() + 1) * USER_BYTES;
    Ok(json(&Page { items, limit, offset, total }, bytes))
}

/// The one parameter of this name, digits alone, from 0 to 2^63-1; `otherwise` when it is not there. Form decoders
/// are no help: to them `+` is a blank.
fn parameter(query: &str, name: &str, otherwise: i64) -> Option<i64> {
    let mut values = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(key, _)| Cow::from(percent_decode_str(key)) == name.as_bytes())
        .map(|(_, value)| value);
    let Some(value) = values.next() else { return Some(otherwise) };
    if values.next().is_some() {
        return None;
    }
    let digits = percent_decode_str(value).decode_utf8().ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn ok() -> Response {
    send(StatusCode::OK, r#"{"status":"ok"}"#)
}

fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "not_found")
}

fn method_not_allowed() -> Response {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn unavailable() -> Response {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn fail(failure: &Failure) -> Response {
    match failure {
        Failure::Unavailable(why) => {
            log::failure("-", why);
            unavailable()
        }
        Failure::Internal { sqlstate, why } => {
            log::failure(sqlstate, why);
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal")
        }
    }
}

fn json(value: &impl Serialize, bytes: usize) -> Response {
    let mut body = Vec::with_capacity(bytes);
    match serde_json::to_writer(&mut body, value) {
        Ok(()) => send(StatusCode::OK, body),
        Err(error) => fail(&Failure::Internal { sqlstate: "-".into(), why: error.to_string() }),
    }
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    send(status, format!(r#"{{"error":"{reason}"}}"#))
}

fn send(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

mod log {
    use super::Duration;
    use std::sync::{LazyLock, Mutex};
    use tokio::time::Instant;

    const MOST_A_SECOND: u32 = 10; // a table that is gone fails every request

    pub fn failure(sqlstate: &str, why: &str) {
        static SECOND: LazyLock<Mutex<(Instant, u32)>> = LazyLock::new(|| Mutex::new((Instant::now(), 0)));
        let mut second = SECOND.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if second.0.elapsed() >= Duration::from_secs(1) {
            *second = (Instant::now(), 0);
        }
        second.1 += 1;
        if second.1 <= MOST_A_SECOND {
            tracing::error!(sqlstate, why, "query failed");
        }
    }
}
