//! What both pools share: the statements, the deadlines, what an error means.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, NoTls, Row};
use uuid::Uuid;

use crate::user::{Record, User};

// The same text in every contender; src/app/users.h.
pub const FIND_USER: &str =
    "select id, email, full_name, age, country_code, is_active, created_at from users where id = $1";

/// One statement, so one snapshot for the items and the total. A page past the end is one row without a user.
pub const LIST_USERS: &str = "select page.id, page.email, page.full_name, page.age, page.country_code, \
     page.is_active, page.created_at, counted.total from (select count(*) as total from users) as counted left join \
     (select id, email, full_name, age, country_code, is_active, created_at from users order by id limit $1 offset \
     $2) as page on true order by page.id";

pub const PING: &str = "select 1";

pub const QUERY_LIMIT: Duration = Duration::from_secs(2);
pub const READY_LIMIT: Duration = Duration::from_secs(1);
pub const CONNECT_LIMIT: Duration = QUERY_LIMIT;
/// So long before its deadline a query is cancelled: then it is PostgreSQL that ends it, and the connection lives on.
pub const GRACE: Duration = Duration::from_millis(200);
/// In which PostgreSQL sees that a connection is closed.
const CLOSING: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub enum Failure {
    /// Asking again later may succeed.
    Unavailable(String),
    Internal {
        sqlstate: String,
        why: String,
    },
}

/// Users in PostgreSQL, or a test's.
pub trait Users: Send + Sync + 'static {
    type Record: Record + Send;

    fn find(&self, id: Uuid, deadline: Instant) -> impl Future<Output = Result<Option<Self::Record>, Failure>> + Send;
    fn list(
        &self,
        limit: i64,
        offset: i64,
        deadline: Instant,
    ) -> impl Future<Output = Result<Vec<Self::Record>, Failure>> + Send;
    fn ping(&self, deadline: Instant) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl Record for Row {
    fn user(&self) -> Result<User<'_>, Failure> {
        Ok(User {
            id: self.try_get(0)?,
            email: self.try_get(1)?,
            full_name: self.try_get(2)?,
            age: self.try_get(3)?,
            country_code: self.try_get(4)?,
            is_active: self.try_get(5)?,
            created_at: self.try_get(6)?,
        })
    }
    fn total(&self) -> Result<i64, Failure> {
        Ok(self.try_get(7)?)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let why = describe(&error);
        match error.code() {
            // Connection exceptions, shutdown and start, too many connections, what was late or gave way.
            Some(code)
                if code.code().starts_with("08")
                    || code.code().starts_with("57P")
                    || *code == SqlState::TOO_MANY_CONNECTIONS
                    || *code == SqlState::LOCK_NOT_AVAILABLE
                    || was_cancelled(&error)
                    || gave_way(&error) =>
            {
                Failure::Unavailable(why)
            }
            None if error.is_closed() || is_io(&error) => Failure::Unavailable(why),
            code => Failure::Internal { sqlstate: code.map_or("-", SqlState::code).to_owned(), why },
        }
    }
}

pub fn late() -> Failure {
    Failure::Unavailable("no answer by the deadline".into())
}

/// Of a connection that was closed because it was stuck: ends what PostgreSQL is at, and what it has received behind it.
pub async fn end(cancel: CancelToken) {
    for _ in 0..4 {
        sleep(CLOSING).await;
        let _ = timeout(GRACE, cancel.cancel_query(NoTls)).await;
    }
}

/// Whether the connection is no more, or knows the table as it was: all queries only read, so another may be asked.
pub fn lost(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        None => error.is_closed() || is_io(error),
        Some(code) => {
            code.code().starts_with("57P")
                || *code == SqlState::INVALID_SQL_STATEMENT_NAME
                || *code == SqlState::FEATURE_NOT_SUPPORTED
                    && error.as_db_error().and_then(|db| db.routine()) == Some("RevalidateCachedQuery")
        }
    }
}

pub fn was_cancelled(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::QUERY_CANCELED)
}

/// "Serialization Failure Handling" (13.5) has such transactions be tried again.
pub fn gave_way(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(code) if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED)
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// With its causes: the outermost alone says "db error".
pub fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
