//! What the environment says.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use crate::pg;

/// And PostgreSQL's application_name, unless the URL or PGAPPNAME has another.
pub const NAME: &str = "rust-api";

const TURN_WAIT_US: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// Few connections, each pipelining the queries of many requests.
    Shared,
    /// A connection to one request at a time.
    Deadpool,
}

impl PoolKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Deadpool => "deadpool",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeKind {
    /// A thread per core, each with its own runtime, listener and connections to PostgreSQL.
    Cores,
    /// One runtime, whose threads take work from each other.
    Multi,
}

impl RuntimeKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cores => "cores",
            Self::Multi => "multi",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Config {
    pub port: u16,
    pub runtime: RuntimeKind,
    pub threads: usize,
    /// Of RuntimeKind::Cores: how long a busy thread waits, so that it has more to do at once.
    pub turn_wait: Duration,
    pub pool: PoolKind,
    /// Of PoolKind::Shared, how many connections take the short queries; by default one a thread.
    pub shared_clients: Option<usize>,
    pub db_max_conns: usize,
    pub db_min_conns: usize,
    pub postgres: tokio_postgres::Config,
}

impl Config {
    pub fn from_environment() -> Result<Self, String> {
        Self::read(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let pool = match lookup("RUST_POOL").as_deref() {
            None | Some("shared") => PoolKind::Shared,
            Some("deadpool") => PoolKind::Deadpool,
            Some(other) => return Err(format!("RUST_POOL is {other:?}; set it to shared or deadpool")),
        };
        let runtime = match lookup("RUST_RUNTIME").as_deref() {
            None | Some("cores") => RuntimeKind::Cores,
            Some("multi") => RuntimeKind::Multi,
            Some(other) => return Err(format!("RUST_RUNTIME is {other:?}; set it to cores or multi")),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from); // affinity and CPU quota heeded
        let db_max_conns = number(lookup, "DB_MAX_CONNS", 10, 1)?;
        Ok(Self {
            port: number(lookup, "PORT", 8080, 1)?,
            runtime,
            threads: number(lookup, "TOKIO_WORKER_THREADS", cores, 1)?,
            turn_wait: Duration::from_micros(number(lookup, "RUST_TURN_WAIT_US", TURN_WAIT_US, 0)?),
            pool,
            shared_clients: lookup("RUST_SHARED_CLIENTS")
                .map(|_| number(lookup, "RUST_SHARED_CLIENTS", 1, 1))
                .transpose()?,
            db_max_conns,
            db_min_conns: number(lookup, "DB_MIN_CONNS", 1, 0)?.min(db_max_conns),
            postgres: postgres(lookup)?,
        })
    }

    /// What each runtime gets: the thread counts and connections of all together are this one's.
    pub fn split(&self) -> Vec<Self> {
        if self.runtime == RuntimeKind::Multi {
            return vec![self.clone()];
        }
        let parts = self.threads.min(self.db_max_conns); // each needs a connection
        let part = |total: usize, index: usize| total / parts + usize::from(index < total % parts);
        let one = |index| Self {
            threads: 1,
            shared_clients: self.shared_clients.map(|total| part(total, index).max(1)),
            db_max_conns: part(self.db_max_conns, index),
            db_min_conns: part(self.db_min_conns, index),
            ..self.clone()
        };
        (0..parts).map(one).collect()
    }
}

/// DATABASE_URL, and for what it leaves out libpq's variables, which tokio-postgres does not read.
fn postgres(lookup: &dyn Fn(&str) -> Option<String>) -> Result<tokio_postgres::Config, String> {
    let url = lookup("DATABASE_URL").unwrap_or_default();
    let mut config = tokio_postgres::Config::from_str(&url).map_err(|error| format!("DATABASE_URL: {error}"))?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        config.host(lookup("PGHOST").as_deref().unwrap_or("localhost"));
    }
    if config.get_ports().is_empty() {
        config.port(number(lookup, "PGPORT", 5432, 1)?);
    }
    if let (None, Some(user)) = (config.get_user(), lookup("PGUSER")) {
        config.user(user);
    }
    if let (None, Some(password)) = (config.get_password(), lookup("PGPASSWORD")) {
        config.password(password);
    }
    if let (None, Some(database)) = (config.get_dbname(), lookup("PGDATABASE")) {
        config.dbname(database);
    }
    if config.get_application_name().is_none() {
        config.application_name(lookup("PGAPPNAME").unwrap_or_else(|| NAME.into()));
    }
    if let (None, Some(options)) = (config.get_options(), lookup("PGOPTIONS")) {
        config.options(options);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(pg::CONNECT_LIMIT);
    }
    config.keepalives_idle(Duration::from_secs(30));
    Ok(config)
}

fn number<T>(lookup: &dyn Fn(&str) -> Option<String>, name: &str, otherwise: T, least: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let Some(text) = lookup(name) else { return Ok(otherwise) };
    match text.parse() {
        Ok(value) if value >= least => Ok(value),
        _ => Err(format!("{name} is {text:?}; set it to a number from {least}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        Config::read(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn takes_a_url() {
        let config = read(&[("DATABASE_URL", "postgresql://u@h:1/d?application_name=x"), ("PGPORT", "2")]).unwrap();
        assert_eq!(config.postgres.get_ports(), [1]);
        assert_eq!(config.postgres.get_application_name(), Some("x"));
        assert_eq!((config.port, config.db_max_conns, config.db_min_conns), (8080, 10, 1));
    }

    #[test]
    fn takes_libpq_variables() {
        let config = read(&[("PGHOST", "h"), ("PGPORT", "2"), ("PGUSER", "u"), ("PGDATABASE", "d")]).unwrap();
        assert_eq!(config.postgres.get_ports(), [2]);
        assert_eq!(config.postgres.get_user(), Some("u"));
        assert_eq!(config.postgres.get_dbname(), Some("d"));
        assert_eq!(config.postgres.get_application_name(), Some(NAME));
    }

    #[test]
    fn says_what_is_wrong() {
        for (name, value) in [
            ("PORT", "0"),
            ("RUST_SHARED_CLIENTS", "0"),
            ("DB_MAX_CONNS", "x"),
            ("RUST_POOL", "many"),
            ("RUST_RUNTIME", "none"),
            ("TOKIO_WORKER_THREADS", "0"),
            ("RUST_TURN_WAIT_US", "-1"),
            ("DATABASE_URL", "nonsense"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn splits_one_ceiling() {
        let split = |threads, runtime, most| {
            let variables = [
                ("TOKIO_WORKER_THREADS", threads),
                ("RUST_RUNTIME", runtime),
                ("DB_MAX_CONNS", most),
                ("DB_MIN_CONNS", "3"),
            ];
            let parts = read(&variables).unwrap().split().into_iter();
            parts.map(|part| (part.threads, part.db_max_conns, part.db_min_conns)).collect::<Vec<_>>()
        };
        assert_eq!(split("4", "cores", "30"), [(1, 8, 1), (1, 8, 1), (1, 7, 1), (1, 7, 0)]);
        assert_eq!(split("4", "cores", "2"), [(1, 1, 1), (1, 1, 1)]);
        assert_eq!(split("4", "multi", "30"), [(4, 30, 3)]);
    }

    #[test]
    fn least_is_never_above_most() {
        assert_eq!(read(&[("DB_MAX_CONNS", "3"), ("DB_MIN_CONNS", "9")]).unwrap().db_min_conns, 3);
    }
}
