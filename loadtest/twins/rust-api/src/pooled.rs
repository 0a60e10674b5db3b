//! Users by deadpool: a connection answers one request at a time.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::{Error, NoTls, Row};
use uuid::Uuid;

use crate::config::Config;
use crate::pg::{self, Failure};

const PAUSE: Duration = Duration::from_millis(500);

pub struct Users {
    pool: Pool,
    tries: usize,
}

impl Users {
    /// Does not wait for PostgreSQL: /healthz answers without it, and /readyz says when it is there.
    pub fn open(config: &Config) -> Result<Self, String> {
        // Fast: no statement of its own before a request's, only a look at whether the connection is closed.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.postgres.clone(), NoTls, recycling);
        let pool = Pool::builder(manager)
            .max_size(config.db_max_conns)
            .create_timeout(Some(pg::CONNECT_LIMIT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| format!("can't set the pool up: {error}"))?;
        tokio::spawn(connect_least(pool.clone(), config.db_min_conns));
        Ok(Self { pool, tries: config.db_max_conns })
    }

    async fn ask<T>(
        &self,
        deadline: Instant,
        query: impl for<'a> Fn(&'a Object) -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<T, Failure> {
        let (mut tries, mut again) = (self.tries, true);
        loop {
            // In what is left after this PostgreSQL is to end the query.
            let due = deadline - pg::GRACE;
            let object = match timeout_at(due, self.pool.get()).await {
                Err(_) => return Err(Failure::Unavailable("no connection by the deadline".into())),
                Ok(Err(PoolError::Backend(error))) => return Err(error.into()),
                Ok(Err(error)) => return Err(Failure::Unavailable(pg::describe(&error))),
                Ok(Ok(object)) => object,
            };
            let mut answer = query(&object);
            let result = match timeout_at(due, &mut answer).await {
                Ok(result) => result,
                Err(_) => {
                    let cancel = object.cancel_token();
                    let _ = timeout_at(deadline, cancel.cancel_query(NoTls)).await;
                    let Ok(result) = timeout_at(deadline, &mut answer).await else {
                        // It, or the network, is stuck.
                        drop(answer);
                        drop(Object::take(object));
                        tokio::spawn(pg::end(cancel));
                        return Err(pg::late());
                    };
                    result
                }
            };
            drop(answer);
            match result {
                Ok(value) => return Ok(value),
                Err(error) if tries > 0 && pg::lost(&error) => {
                    drop(Object::take(object));
                    tries -= 1;
                }
                Err(error) if again && pg::gave_way(&error) => again = false,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl pg::Users for Users {
    type Record = Row;

    async fn find(&self, id: Uuid, deadline: Instant) -> Result<Option<Row>, Failure> {
        self.ask(deadline, |object| {
            async move { object.query_opt(&object.prepare_cached(pg::FIND_USER).await?, &[&id]).await }.boxed()
        })
        .await
    }

    async fn list(&self, limit: i64, offset: i64, deadline: Instant) -> Result<Vec<Row>, Failure> {
        self.ask(deadline, |object| {
            async move { object.query(&object.prepare_cached(pg::LIST_USERS).await?, &[&limit, &offset]).await }.boxed()
        })
        .await
    }

    async fn ping(&self, deadline: Instant) -> Result<(), Failure> {
        self.ask(deadline, |object| {
            async move { object.query_one(&object.prepare_cached(pg::PING).await?, &[]).await.map(drop) }.boxed()
        })
        .await
    }
}

/// deadpool opens connections as they are asked for: DB_MIN_CONNS of them are, once, at the start.
async fn connect_least(pool: Pool, least: usize) {
    while let Err(error) = try_join_all((0..least).map(|_| pool.get())).await {
        tracing::warn!(why = pg::describe(&error), "can't connect to PostgreSQL; trying on");
        sleep(PAUSE).await;
    }
}
