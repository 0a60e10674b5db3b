//! The program itself: its start without a database, its drain; and, against the seeded table in DATABASE_URL, which
//! is only read and locked, its pools and runtimes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// Whose test may lock it.
static TABLE: Mutex<()> = Mutex::new(());

fn table() -> Option<String> {
    let url = std::env::var("DATABASE_URL").ok();
    if url.is_none() {
        eprintln!("set DATABASE_URL to a database with the table users, seeded");
    }
    url
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(database: &str, runtime: &str, pool: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_rust-api"))
            .envs([("DATABASE_URL", database), ("RUST_POOL", pool), ("PORT", &port.to_string())])
            .envs([
                ("DB_MAX_CONNS", "3"),
                ("DB_MIN_CONNS", "3"),
                ("RUST_RUNTIME", runtime),
                ("TOKIO_WORKER_THREADS", "2"),
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(5), "does not listen");
            sleep(Duration::from_millis(20));
        }
        server
    }

    fn ask(&self, target: &str) -> (u16, String) {
        self.send(target).answer()
    }

    fn send(&self, target: &str) -> Asked {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        Asked(stream)
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Its exit code and what it logged.
    fn wait(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // where an assertion has failed
    }
}

struct Asked(TcpStream);

impl Asked {
    fn answer(mut self) -> (u16, String) {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { panic!("no answer: {text:?}") };
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

#[test]
fn starts_and_drains_without_a_database() {
    for (runtime, pool, signal) in
        [("cores", "shared", "-TERM"), ("cores", "deadpool", "-INT"), ("multi", "shared", "-INT")]
    {
        // Takes connections and says nothing: what is asked is held until its deadline.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgresql://nobody@127.0.0.1:{}/none?sslmode=disable", silent.local_addr().unwrap().port());
        let server = Server::start(&url, runtime, pool);
        assert_eq!(server.ask("/healthz").0, 200);
        let start = Instant::now();
        let held = server.send("/users");
        sleep(Duration::from_millis(100));
        server.signal(signal);
        sleep(Duration::from_millis(200));
        assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err(), "takes connections while draining");
        assert_eq!(held.answer(), (503, r#"{"error":"unavailable"}"#.into()));
        assert!(start.elapsed() < Duration::from_millis(2_500), "{:?}", start.elapsed());
        let (code, log) = server.wait();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains(r#""message":"listening""#) && log.contains(r#""message":"draining""#), "{log}");
    }
}

#[test]
fn says_what_is_wrong_with_its_settings() {
    let output = Command::new(env!("CARGO_BIN_EXE_rust-api")).env("DB_MAX_CONNS", "none").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("rust-api: DB_MAX_CONNS"));
}

#[test]
fn shares_its_port_with_no_other() {
    let url = "postgresql://nobody@127.0.0.1:1/none";
    let server = Server::start(url, "cores", "shared");
    let output = Command::new("timeout") // one that listens would stay
        .args(["5", env!("CARGO_BIN_EXE_rust-api")])
        .envs([("DATABASE_URL", url), ("PORT", &server.port.to_string())])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("can't listen on PORT {}", server.port)), "{said}");
}

#[test]
fn serves_the_table() {
    let Some(url) = table() else { return };
    let _table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    for (runtime, pool) in [("cores", "shared"), ("cores", "deadpool"), ("multi", "shared")] {
        let server = Server::start(&url, runtime, pool);
        assert_eq!(server.ask("/readyz"), (200, r#"{"status":"ok"}"#.into()));
        let mut seen = 0;
        loop {
            let (status, body) = server.ask(&format!("/users?limit=200&offset={seen}"));
            assert_eq!(status, 200, "{body}");
            let page: serde_json::Value = serde_json::from_str(&body).unwrap();
            let items = page["items"].as_array().unwrap();
            if items.is_empty() {
                assert_eq!(page["total"], seen);
                break;
            }
            let id = items[0]["id"].as_str().unwrap();
            let (status, body) = server.ask(&format!("/users/{id}"));
            assert_eq!((status, serde_json::from_str::<serde_json::Value>(&body).unwrap()), (200, items[0].clone()));
            seen += items.len();
        }
        assert_eq!(server.ask("/users/00000000-0000-0000-0000-000000000000").0, 404);
        server.signal("-TERM");
        assert_eq!(server.wait().0, Some(0));
    }
}

/// What PostgreSQL is asked beside the program.
struct Database {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Database {
    fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls)).unwrap();
        runtime.spawn(connection);
        Self { runtime, client }
    }

    fn tell(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    fn count(&self, sql: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(sql, &[])).unwrap().get(0)
    }
}

#[test]
fn ends_what_is_late() {
    let Some(url) = table() else { return };
    let _table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    for (runtime, pool) in [("cores", "shared"), ("cores", "deadpool"), ("multi", "shared")] {
        let (database, server) = (Database::connect(&url), Server::start(&url, runtime, pool));
        let (_, body) = server.ask("/users?limit=1");
        let id = format!("/users/{}", body.split('"').nth(5).unwrap());
        assert_eq!(server.ask(&id).0, 200);
        database.tell("begin; lock table users in access exclusive mode");
        let start = Instant::now();
        let held: Vec<_> = (0..20).map(|_| server.send(&id)).collect();
        for asked in held {
            assert_eq!(asked.answer(), (503, r#"{"error":"unavailable"}"#.into()), "{runtime} {pool}");
        }
        assert!(start.elapsed() > Duration::from_millis(1_700), "{:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_millis(2_300), "{:?}", start.elapsed());
        // Still locked: nothing that was late waits for it any more, though 20 were asked on 3 connections. What a new
        // connection prepares is as late later.
        sleep(Duration::from_millis(2_500));
        let old = "select count(*) from pg_stat_activity where application_name = 'rust-api' and state = 'active' \
                   and query_start < clock_timestamp() - interval '2.2 s'";
        assert_eq!(database.count(old), 0, "{runtime} {pool}");
        database.tell("rollback");
        let start = Instant::now();
        assert_eq!(server.ask(&id).0, 200);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

/// Passes on what goes to and from PostgreSQL, until it is told to hold it all.
fn proxy(target: String, held: Arc<AtomicBool>) -> u16 {
    fn pass(mut from: TcpStream, mut to: TcpStream, held: Arc<AtomicBool>) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if held.load(Ordering::Relaxed) {
                sleep(Duration::from_secs(60)); // longer than any test
            }
            let _ = to.write_all(&bytes[..count]);
        }
        let _ = to.shutdown(Shutdown::Write);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&target).unwrap());
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (from, to, held) = (from.try_clone().unwrap(), to.try_clone().unwrap(), held.clone());
                spawn(move || pass(from, to, held));
            }
        }
    });
    port
}

#[test]
fn leaves_a_connection_that_is_stuck() {
    let Some(url) = table() else { return };
    let _table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let known: tokio_postgres::Config = url.parse().unwrap();
    let Some(tokio_postgres::config::Host::Tcp(host)) = known.get_hosts().first() else { return };
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
    for pool in ["shared", "deadpool"] {
        let held = Arc::new(AtomicBool::new(false));
        let port = proxy(format!("{host}:{}", known.get_ports()[0]), held.clone());
        let through = format!(
            "host=127.0.0.1 port={port} user='{}' password='{}' dbname='{}'",
            known.get_user().unwrap(),
            text(known.get_password()),
            known.get_dbname().unwrap()
        );
        let server = Server::start(&through, "cores", pool);
        assert_eq!(server.ask("/users?limit=1").0, 200);
        held.store(true, Ordering::Relaxed);
        let start = Instant::now();
        assert_eq!(server.ask("/users?limit=1").0, 503, "{pool}");
        assert!(start.elapsed() < Duration::from_millis(2_300), "{:?}", start.elapsed());
        held.store(false, Ordering::Relaxed); // for new connections
        sleep(Duration::from_millis(500));
        assert_eq!(server.ask("/users?limit=1").0, 200, "{pool}");
    }
}

#[test]
fn drains_past_clients_that_say_nothing() {
    let server = Server::start("postgresql://nobody@127.0.0.1:1/none", "cores", "shared");
    let _silent = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let mut idle = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    write!(idle, "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    let start = Instant::now();
    server.signal("-TERM");
    let (code, log) = server.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(idle.read(&mut [0; 1024]).unwrap(), 0);
}

/// A PostgreSQL that takes everybody and every statement, and answers each execution by one error; how many there were.
fn failing(sqlstate: &'static str) -> (u16, Arc<AtomicUsize>) {
    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag], &(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
    }
    fn read(stream: &mut TcpStream, tagged: bool) -> Option<u8> {
        let mut head = [0; 5];
        let head = if tagged { &mut head[..] } else { &mut head[1..] };
        stream.read_exact(head).ok()?;
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap());
        stream.read_exact(&mut vec![0; length as usize - 4]).ok()?;
        Some(head[0])
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, executed) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = executed.clone();
    let serve = move |mut stream: TcpStream| {
        read(&mut stream, false);
        // AuthenticationOk, ReadyForQuery
        stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").unwrap();
        while let Some(tag) = read(&mut stream, true) {
            let answer = match tag {
                b'P' => message(b'1', b""),
                b'D' => [message(b't', b"\0\x01\0\0\x0b\x86"), message(b'n', b"")].concat(), // one uuid, no columns
                b'B' => message(b'2', b""),
                b'E' => {
                    count.fetch_add(1, Ordering::Relaxed);
                    message(b'E', format!("SERROR\0VERROR\0C{sqlstate}\0Mgave way\0\0").as_bytes())
                }
                b'S' => message(b'Z', b"I"),
                _ => return,
            };
            let _ = stream.write_all(&answer);
        }
    };
    spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            spawn(move || serve(stream.unwrap()));
        }
    });
    (port, executed)
}

#[test]
fn asks_once_more_where_postgresql_says_so() {
    for pool in ["shared", "deadpool"] {
        for (sqlstate, asked, status) in
            [("40001", 2, 503), ("40P01", 2, 503), ("55P03", 1, 503), ("57014", 1, 503), ("42501", 1, 500)]
        {
            let (port, executed) = failing(sqlstate);
            let server = Server::start(&format!("postgresql://u@127.0.0.1:{port}/d?sslmode=disable"), "cores", pool);
            assert_eq!(server.ask("/users/00000000-0000-0000-0000-000000000000").0, status, "{pool} {sqlstate}");
            assert_eq!(executed.load(Ordering::Relaxed), asked, "{pool} {sqlstate}");
        }
    }
}
