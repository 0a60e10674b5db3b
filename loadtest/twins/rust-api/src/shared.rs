//! Users over few connections: each pipelines the queries of many requests, and is anybody's.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{OnceCell, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Row, Statement};
use uuid::Uuid;

use crate::config::Config;
use crate::pg::{self, Failure};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long PostgreSQL gets to go on after it was asked to cancel, before it is asked again.
const CANCEL_PAUSE: Duration = Duration::from_millis(5);
/// How long nobody looks after a connection: what is asked with as much time and pg::GRACE left needs no timer of its own.
const LOOK: Duration = Duration::from_millis(1_500);
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

/// A connection, what it has prepared, and what PostgreSQL is at.
struct Session {
    client: Client,
    statements: [OnceCell<Statement>; 3],
    pending: Mutex<Pending>,
    cancels: AtomicUsize,
    task: AbortHandle,
}

/// What was asked and is not answered, in that order, which is PostgreSQL's too.
#[derive(Default)]
struct Pending {
    next: u64,
    queries: VecDeque<Asked>,
}

struct Asked {
    number: u64,
    deadline: Instant,
    awaited: bool,
}

impl Pending {
    fn add(&mut self, deadline: Instant) -> u64 {
        self.next += 1;
        self.queries.push_back(Asked { number: self.next, deadline, awaited: true });
        self.next
    }

    /// An answer has come: so have those before it that nobody waits for.
    fn answered(&mut self, number: u64) {
        if let Some(at) = self.queries.iter().position(|asked| asked.number == number) {
            self.queries.remove(at);
        }
        while self.queries.front().is_some_and(|asked| !asked.awaited && asked.number < number) {
            self.queries.pop_front();
        }
    }

    fn left(&mut self, number: u64) {
        if let Some(asked) = self.queries.iter_mut().find(|asked| asked.number == number) {
            asked.awaited = false;
        }
    }

    /// When PostgreSQL is to be done with what it is at.
    fn due(&self) -> Option<Instant> {
        self.queries.front().map(|asked| asked.deadline - pg::GRACE)
    }
}

#[derive(Clone, Copy)]
enum Query {
    Find,
    List,
    Ping,
}

impl Session {
    async fn statement(&self, query: Query, deadline: Instant) -> Result<&Statement, Error> {
        let sql = [pg::FIND_USER, pg::LIST_USERS, pg::PING][query as usize];
        let prepare = || async { self.place(deadline).hold(self.client.prepare(sql)).await };
        self.statements[query as usize].get_or_try_init(prepare).await
    }

    async fn query(
        &self,
        query: Query,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Instant,
    ) -> Result<Vec<Row>, Error> {
        let statement = self.statement(query, deadline).await?;
        self.place(deadline).hold(self.client.query(statement, parameters)).await
    }

    /// What is asked next is to hold it until it is answered.
    fn place(&self, deadline: Instant) -> Place<'_> {
        Place { session: self, number: self.pending().add(deadline), answered: false }
    }

    /// Whose table is not there, or locked, says so to those who ask for it.
    async fn prepare(&self) {
        let deadline = Instant::now() + pg::QUERY_LIMIT;
        let statement = |query| self.statement(query, deadline);
        let _ = tokio::join!(statement(Query::Find), statement(Query::List), statement(Query::Ping));
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection; keep() makes another. What else was asked on it is asked again elsewhere.
    fn discard(&self) {
        self.task.abort();
    }

    /// Has PostgreSQL end what is late, so that a query behind it is held up no longer. Returns when it does not.
    async fn mind(&self) {
        loop {
            let next = Instant::now() + LOOK;
            let look = self.pending().due().map_or(next, |due| due.min(next));
            sleep_until(look).await;
            if self.is_late() && !self.end_late().await {
                return;
            }
        }
    }

    fn is_late(&self) -> bool {
        self.pending().due().is_some_and(|due| due <= Instant::now())
    }

    async fn end_late(&self) -> bool {
        let limit = Instant::now() + pg::GRACE;
        let last = self.pending().next;
        // Answered behind all that was asked: where nobody waits any more, this alone shows that PostgreSQL is done.
        let mut done = pin!(self.client.check_connection());
        while Instant::now() < limit {
            if let Ok(result) = timeout(CANCEL_PAUSE, &mut done).await {
                self.pending().queries.retain(|asked| asked.awaited || asked.number > last);
                return result.is_ok();
            }
            if !self.is_late() {
                return true;
            }
            self.cancels.fetch_add(1, Ordering::Relaxed);
            let _ = timeout_at(limit, self.client.cancel_token().cancel_query(NoTls)).await;
        }
        !self.is_late()
    }
}

/// Of a query among those pending.
struct Place<'session> {
    session: &'session Session,
    number: u64,
    answered: bool,
}

impl Place<'_> {
    async fn hold<T>(mut self, answer: impl Future<Output = T>) -> T {
        let answer = answer.await;
        self.answered = true;
        answer
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut pending = self.session.pending();
        if self.answered { pending.answered(self.number) } else { pending.left(self.number) }
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
        let (mut tries, mut again) = (self.slots.len(), true);
        loop {
            let session = self.session(kind, deadline).await?;
            let (asked, cancels) = (Instant::now(), session.cancels.load(Ordering::Relaxed));
            let query = pin!(session.query(kind, parameters, deadline));
            // mind() sees to it that what has time is answered, or its connection closed.
            let minded = asked + LOOK + pg::GRACE <= deadline;
            let result = match minded {
                true => query.await,
                false => timeout_at(deadline, query).await.map_err(|_| pg::late())?,
            };
            match result {
                Ok(rows) => return Ok(rows),
                Err(_) if Instant::now() >= deadline => return Err(pg::late()),
                Err(error) if tries > 0 && pg::lost(&error) => {
                    session.discard();
                    tries -= 1;
                }
                // mind() meant the one before.
                Err(error)
                    if again
                        && (pg::gave_way(&error)
                            || pg::was_cancelled(&error)
                                && session.cancels.load(Ordering::Relaxed) != cancels
                                && Instant::now() + pg::GRACE < deadline) =>
                {
                    again = false;
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
                let open = async {
                    session.prepare().await;
                    slots[index].store(Some(session.clone()));
                    count.send_modify(|count| *count += 1);
                    pending().await
                };
                let stuck = tokio::select! {
                    _ = task => false,
                    () = session.mind() => true,
                    () = open => unreachable!(),
                };
                if stuck {
                    session.discard();
                }
                let opened = slots[index].swap(None).is_some();
                if opened {
                    count.send_modify(|count| *count -= 1);
                    pause = FIRST_PAUSE;
                }
                if stuck {
                    tracing::warn!("PostgreSQL does not end what is late");
                    pg::end(session.client.cancel_token()).await;
                }
                if opened {
                    continue;
                }
                "the connection was lost at once".into()
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
    let session = Session {
        client,
        statements: Default::default(),
        pending: Mutex::default(),
        cancels: AtomicUsize::new(0),
        task: task.abort_handle(),
    };
    Ok((Arc::new(session), task))
}
