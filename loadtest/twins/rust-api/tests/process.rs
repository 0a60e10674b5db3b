//! The program itself: its start without a database, its drain; and, against the seeded table in DATABASE_URL, which
//! is only read, both of its pools.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

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
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
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
    let Ok(url) = std::env::var("DATABASE_URL") else {
        eprintln!("set DATABASE_URL to a database with the table users, seeded");
        return;
    };
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
