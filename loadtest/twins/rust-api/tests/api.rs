//! The edges of the contract, and how long a client is waited for, over users that are no database's.

use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use hyper::server::conn::http1;
use rust_api::api::Api;
use rust_api::clients::{Clients, Load};
use rust_api::pg::{Failure, Users};
use rust_api::user::{Record, Timestamp, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

const SOME_ID: &str = "123e4567-e89b-12d3-a456-426614174000";
const SOME_JSON: &str = r#"{"id":"123e4567-e89b-12d3-a456-426614174000","email":"user1@example.com","full_name":"User 1","age":25,"country_code":"US","is_active":true,"created_at":"2026-01-31T08:00:00Z"}"#;

#[derive(Clone, Copy)]
enum Fake {
    OneUser,
    Outage,
    Error,
    Slow,
}

/// A row: of a page past the end, without a user.
struct Row(Option<Uuid>);

impl Record for Row {
    fn user(&self) -> Result<User<'_>, Failure> {
        Ok(User {
            id: self.0,
            email: Some("user1@example.com"),
            full_name: Some("User 1"),
            age: Some(25),
            country_code: Some("US"),
            is_active: Some(true),
            created_at: Some(Timestamp(823_161_600_000_000)),
        })
    }
    fn total(&self) -> Result<i64, Failure> {
        Ok(1)
    }
}

impl Fake {
    async fn answer<T>(&self, deadline: Instant, value: T) -> Result<T, Failure> {
        match self {
            Fake::OneUser => Ok(value),
            Fake::Outage => Err(Failure::Unavailable("gone".into())),
            Fake::Error => Err(Failure::Internal { sqlstate: "42P01".into(), why: "no table".into() }),
            Fake::Slow => {
                sleep_until(deadline).await;
                Err(Failure::Unavailable("late".into()))
            }
        }
    }
}

impl Users for Fake {
    type Record = Row;
    async fn find(&self, id: Uuid, deadline: Instant) -> Result<Option<Row>, Failure> {
        let some = Uuid::from_str(SOME_ID).unwrap();
        self.answer(deadline, (id == some).then_some(Row(Some(some)))).await
    }
    async fn list(&self, _: i64, offset: i64, deadline: Instant) -> Result<Vec<Row>, Failure> {
        let id = (offset == 0).then(|| Uuid::from_str(SOME_ID).unwrap());
        self.answer(deadline, vec![Row(id)]).await
    }
    async fn ping(&self, deadline: Instant) -> Result<(), Failure> {
        self.answer(deadline, ()).await
    }
}

async fn ask(users: Fake, method: &str, target: &str) -> (u16, HeaderMap, String) {
    let method = Method::from_str(method).unwrap();
    let request = Request::builder().method(method).uri(target).body(Body::empty()).unwrap();
    let (head, body) = Api::new(users).answer(request).await.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn problem(reason: &str) -> String {
    format!(r#"{{"error":"{reason}"}}"#)
}

fn page(limit: i64, offset: i64) -> String {
    let items = if offset == 0 { SOME_JSON } else { "" };
    format!(r#"{{"items":[{items}],"limit":{limit},"offset":{offset},"total":1}}"#)
}

async fn expect(target: &str, status: u16, body: &str) {
    let (got, headers, text) = ask(Fake::OneUser, "GET", target).await;
    assert_eq!((got, text.as_str()), (status, body), "GET {target}");
    assert_eq!(headers["content-type"], "application/json", "GET {target}");
    let (got, headers, text) = ask(Fake::OneUser, "HEAD", target).await;
    assert_eq!((got, text.as_str()), (status, ""), "HEAD {target}");
    assert_eq!(headers["content-length"], body.len().to_string(), "HEAD {target}");
}

#[tokio::test]
async fn health() {
    for target in ["/healthz", "/readyz", "/%72eadyz", "http://elsewhere/healthz", "/healthz?x=1"] {
        expect(target, 200, r#"{"status":"ok"}"#).await;
    }
}

#[tokio::test]
async fn malformed_escapes() {
    for target in ["/healthz?x=%", "/healthz?x=%4", "/nope?x=%zz", "/nope%", "/users/%4", "/users/%+1"] {
        // Without HEAD: this answer has not seen axum, and it is hyper that takes its body away.
        let (status, _, body) = ask(Fake::OneUser, "GET", target).await;
        assert_eq!((status, body), (400, problem("invalid_escape")), "{target}");
    }
}

#[tokio::test]
async fn one_user() {
    let upper = SOME_ID.to_uppercase();
    let escaped = format!("%31{}", &SOME_ID[1..]);
    for target in [
        format!("/users/{SOME_ID}"),
        format!("/users/{upper}"),
        format!("/users/{escaped}"),
        format!("/users%2F{SOME_ID}"),
        format!("/users/{SOME_ID}?x=1&limit=0"),
    ] {
        expect(&target, 200, SOME_JSON).await;
    }
    expect("/users/00000000-0000-0000-0000-000000000000", 404, &problem("not_found")).await;
    for id in [
        "x".into(),
        SOME_ID[1..].into(),
        format!("{SOME_ID}0"),
        SOME_ID.replace('-', ""),
        SOME_ID.replace('-', "_"),
        format!("%7B{SOME_ID}%7D"),
        format!("urn:uuid:{SOME_ID}"),
        "%ff".into(),
        "%00".into(),
        "..".into(),
    ] {
        expect(&format!("/users/{id}"), 400, &problem("invalid_id")).await;
    }
}

#[tokio::test]
async fn other_paths() {
    for target in ["/", "/users/", "/users/a%2Fb", "/users/../users", "//users", "/Users", "/users;x", "/nope", "/%20"]
    {
        expect(target, 404, &problem("not_found")).await;
    }
    expect(&format!("/users/{SOME_ID}/"), 404, &problem("not_found")).await;
    expect(&format!("/users/./{SOME_ID}"), 404, &problem("not_found")).await;
}

#[tokio::test]
async fn pages() {
    let zeros = format!("limit={}5", "0".repeat(40));
    for (query, limit, offset) in [
        ("", 50, 0),
        ("limit=1", 1, 0),
        ("limit=200&offset=7", 200, 7),
        ("limit=007", 7, 0),
        (zeros.as_str(), 5, 0),
        ("%6Cimit=%35", 5, 0),
        ("LIMIT=0&x&&=1&limit=3", 3, 0),
        ("a;limit=5", 50, 0),
        ("offset=9223372036854775807", 50, i64::MAX),
    ] {
        expect(&format!("/users?{query}"), 200, &page(limit, offset)).await;
    }
    expect("/users", 200, &page(50, 0)).await;
}

#[tokio::test]
async fn bad_pages() {
    for value in [
        "0",
        "201",
        "",
        "-1",
        "+1",
        "%2B1",
        "%201",
        "1%20",
        "1.0",
        "1_0",
        "0x1",
        "5;offset=3",
        "%ff",
        "18446744073709551617",
    ] {
        expect(&format!("/users?limit={value}"), 400, &problem("invalid_limit")).await;
    }
    for query in ["limit", "limit=1&limit=1", "limit=1&%6Cimit=1", "offset=-1&limit=0"] {
        expect(&format!("/users?{query}"), 400, &problem("invalid_limit")).await;
    }
    for query in ["offset=-1", "offset=", "offset=1&offset=1", "offset=9223372036854775808"] {
        expect(&format!("/users?{query}"), 400, &problem("invalid_offset")).await;
    }
}

#[tokio::test]
async fn other_methods() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        for target in ["/healthz", "/users", "/users/x"] {
            let (status, headers, body) = ask(Fake::OneUser, method, target).await;
            assert_eq!((status, body), (405, problem("method_not_allowed")), "{method} {target}");
            assert_eq!(headers["allow"], "GET, HEAD", "{method} {target}");
        }
        assert_eq!(ask(Fake::OneUser, method, "/nope").await.0, 404, "{method}");
    }
}

#[tokio::test]
async fn failures() {
    for target in ["/users".to_owned(), format!("/users/{SOME_ID}")] {
        let (status, headers, body) = ask(Fake::Outage, "GET", &target).await;
        assert_eq!((status, body), (503, problem("unavailable")));
        assert_eq!(headers["retry-after"], "1");
        let (status, headers, body) = ask(Fake::Error, "GET", &target).await;
        assert_eq!((status, body), (500, problem("internal")));
        assert!(!headers.contains_key("retry-after"));
    }
    for fake in [Fake::Outage, Fake::Error] {
        assert_eq!(ask(fake, "GET", "/readyz").await.0, 503);
        assert_eq!(ask(fake, "GET", "/healthz").await.0, 200);
    }
}

#[tokio::test]
async fn readiness_has_the_shorter_deadline() {
    let start = Instant::now();
    assert_eq!(ask(Fake::Slow, "GET", "/readyz").await.0, 503);
    assert!(start.elapsed() < Duration::from_millis(1_200));
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// What has come until there is nothing for a while, and whether the connection is closed.
async fn said(client: &mut TcpStream) -> (String, bool) {
    let mut bytes = Vec::new();
    let read = async { while client.read_buf(&mut bytes).await.unwrap() > 0 {} };
    let closed = timeout(Duration::from_millis(100), read).await.is_ok();
    (String::from_utf8(bytes).unwrap(), closed)
}

#[tokio::test]
async fn silent_clients() {
    let mut clients = Clients::new(http1::Builder::new(), Api::new(Fake::OneUser), Load::default());
    let tick = |clients: &mut Clients, times| (0..times).for_each(|_| clients.tick());
    let (mut client, stream) = pair().await;
    clients.serve(stream);
    assert_eq!(said(&mut client).await, (String::new(), false));
    for _ in 0..2 {
        tick(&mut clients, 30);
        client.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let (text, closed) = said(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && !closed, "{text}");
    }
    tick(&mut clients, 30);
    client.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap(); // a head that does not end
    assert_eq!(said(&mut client).await, (String::new(), false));
    tick(&mut clients, 1);
    assert_eq!(said(&mut client).await, (String::new(), true));
}

#[tokio::test]
async fn clients_that_wait() {
    let load = Load::default();
    let mut clients = Clients::new(http1::Builder::new(), Api::new(Fake::Slow), load.clone());
    let (mut client, stream) = pair().await;
    clients.serve(stream);
    client.write_all(b"GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    assert_eq!(said(&mut client).await, (String::new(), false));
    assert_eq!((load.requests(), load.turn(), load.turn()), (1, 1, 0));
    (0..100).for_each(|_| clients.tick());
    sleep(Duration::from_millis(1_100)).await;
    let (text, closed) = said(&mut client).await;
    assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && !closed, "{text}");
    assert_eq!((load.requests(), load.turn()), (0, 1));
    client.write_all(b"GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    assert_eq!(said(&mut client).await, (String::new(), false));
    drop(client); // which is no reason to count it for ever
    sleep(Duration::from_millis(100)).await;
    assert_eq!(load.requests(), 0);
}
