//! Users over few connections: each pipelines the queries of many requests, and is anybody's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{OnceCell, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Row, Statement};
use uuid::Uuid;

use crate::config::Config;
use crate::pg::{self, Failure};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Connections of a thread that take the short queries. The fewer, the more answers a wake-up brings.
const BUSY_PER_THREAD: usize = 1;

pub struct Users {
    slots: Arc<[Slot]>,
    /// The first so many take the short queries in turn; the rest the pages, which would hold those up. Each stands
    /// in for the others.
    busy: usize,
    turn: AtomicUsize,
    connected: watch::Receiver<usize>,
}

type Slot = ArcSwapOption<Session>;

/// A connection, and what it has prepared.
struct Session {
    client: Client,
    statements: [OnceCell<Statement>; 3],
    answers: AtomicUsize,
    task: AbortHandle,
}

#[derive(Clone, Copy)]
enum Query {
    Find,
    List,
    Ping,
}

impl Session {
    async fn statement(&self, query: Query) -> Result<&Statement, Error> {
        let sql = [pg::FIND_USER, pg::LIST_USERS, pg::PING][query as usize];
        self.statements[query as usize].get_or_try_init(|| self.client.prepare(sql)).await
    }

    async fn query(&self, query: Query, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.client.query(self.statement(query).await?, parameters).await
    }

    /// Ends the connection; keep() makes another. What else was asked on it is asked again elsewhere.
    fn discard(&self) {
        self.task.abort();
    }
}

impl Users {
    /// Does not wait for PostgreSQL: /healthz answers without it, and /readyz says when it is there.
    pub fn open(config: &Config) -> Self {
        let busy = config.shared_clients.unwrap_or(BUSY_PER_THREAD * config.threads).min(config.db_max_conns);
        let slots: Arc<[Slot]> = (0..busy.max(config.db_min_conns)).map(|_| Slot::empty()).collect();
        let (count, connected) = watch::channel(0);
        for index in 0..slots.len() {
            tokio::spawn(keep(slots.clone(), index, config.postgres.clone(), count.clone()));
        }
        Self { slots, busy, turn: AtomicUsize::new(0), connected }
    }

    async fn session(&self, kind: Query, deadline: Instant) -> Result<Arc<Session>, Failure> {
        let (busy, rest) = self.slots.split_at(self.busy);
        let (ours, others) = match kind {
            Query::List if !rest.is_empty() => (rest, busy),
            _ => (busy, rest),
        };
        loop {
            let (after, first) = ours.split_at(self.turn.fetch_add(1, Ordering::Relaxed) % ours.len());
            let open = |slot: &Slot| slot.load_full().filter(|session| !session.client.is_closed());
            if let Some(session) = first.iter().chain(after).chain(others).find_map(open) {
                return Ok(session);
            }
            let mut connected = self.connected.clone();
            if !matches!(timeout_at(deadline, connected.wait_for(|count| *count > 0)).await, Ok(Ok(_))) {
                return Err(Failure::Unavailable("no connection by the deadline".into()));
            }
            tokio::task::yield_now().await; // one that is closed may not have been counted off yet
        }
    }

    async fn ask(
        &self,
        kind: Query,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Instant,
    ) -> Result<Vec<Row>, Failure> {
        let mut tries = self.slots.len();
        loop {
            let session = self.session(kind, deadline).await?;
            let (sent, answers) = (Instant::now(), session.answers.load(Ordering::Relaxed));
            let Ok(result) = timeout_at(deadline, session.query(kind, parameters)).await else {
                // Nothing came in a time in which PostgreSQL ends any statement: it, or the network, is stuck.
                if sent.elapsed() >= pg::STATEMENT_LIMIT && session.answers.load(Ordering::Relaxed) == answers {
                    session.discard();
                }
                return Err(pg::late());
            };
            session.answers.fetch_add(1, Ordering::Relaxed);
            match result {
                Ok(rows) => return Ok(rows),
                Err(error) if tries > 0 && pg::lost(&error) => {
                    session.discard();
                    tries -= 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl pg::Users for Users {
    type Record = Row;

    async fn find(&self, id: Uuid, deadline: Instant) -> Result<Option<Row>, Failure> {
        Ok(self.ask(Query::Find, &[&id], deadline).await?.pop())
    }

    async fn list(&self, limit: i64, offset: i64, deadline: Instant) -> Result<Vec<Row>, Failure> {
        self.ask(Query::List, &[&limit, &offset], deadline).await
    }

    async fn ping(&self, deadline: Instant) -> Result<(), Failure> {
        self.ask(Query::Ping, &[], deadline).await.map(drop)
    }
}

/// Keeps one slot connected, for as long as the program runs.
async fn keep(slots: Arc<[Slot]>, index: usize, config: tokio_postgres::Config, count: watch::Sender<usize>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match timeout(pg::CONNECT_LIMIT, connect(&config)).await {
            Ok(Ok((session, task))) => {
                slots[index].store(Some(session));
                count.send_modify(|count| *count += 1);
                let _ = task.await;
                slots[index].store(None);
                count.send_modify(|count| *count -= 1);
                pause = FIRST_PAUSE;
                continue;
            }
            Ok(Err(error)) => pg::describe(&error),
            Err(_) => "no answer in time".into(),
        };
        if pause == FIRST_PAUSE && index == 0 {
            tracing::warn!(why = error, "can't connect to PostgreSQL; trying on");
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

async fn connect(config: &tokio_postgres::Config) -> Result<(Arc<Session>, JoinHandle<()>), Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(why = pg::describe(&error), "connection to PostgreSQL lost");
        }
    });
    let session = Arc::new(Session {
        client,
        statements: Default::default(),
        answers: AtomicUsize::new(0),
        task: task.abort_handle(),
    });
    // Whose table is not there says so to those who ask for it.
    let _ =
        tokio::join!(session.statement(Query::Find), session.statement(Query::List), session.statement(Query::Ping));
    Ok((session, task))
}
