//! A runtime's clients: which of them it has waited for too long, and the drain. One clock serves them all: a timer
//! each, as hyper has it, is made and unmade with every request, and wakes the driver to be heard of.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use futures_util::task::AtomicWaker;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::api::Api;

/// How many ticks a client has from its start, or from when its last answer was ready, until its next head has come.
const MOST_TICKS: u8 = 30;
/// In place of ticks, while an answer is made: that has its own deadline.
const ASKED: u8 = u8::MAX;

// What a client's task is told.
const SERVE: u8 = 0;
const DRAIN: u8 = 1;
const END: u8 = 2;

struct Client {
    ticks: AtomicU8,
    order: AtomicU8,
    task: AtomicWaker,
    load: Load,
    _here: watch::Receiver<()>,
}

impl Client {
    fn tell(&self, order: u8) {
        self.order.store(order, Ordering::Release);
        self.task.wake();
    }

    fn tick(&self) {
        let more = |ticks| (ticks < MOST_TICKS).then(|| ticks + 1);
        if self.ticks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) == Err(MOST_TICKS) {
            self.tell(END);
        }
    }
}

/// While its request is answered, or until the client is gone.
struct Asked(Arc<Client>);

impl Asked {
    fn new(client: Arc<Client>) -> Self {
        client.ticks.store(ASKED, Ordering::Relaxed);
        client.load.0.requests.fetch_add(1, Ordering::Relaxed);
        client.load.0.turn.fetch_add(1, Ordering::Relaxed);
        Self(client)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.load.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.load.0.turn.fetch_add(1, Ordering::Relaxed);
        self.0.ticks.store(0, Ordering::Relaxed);
    }
}

/// What a runtime has to do.
#[derive(Clone, Default)]
pub struct Load(Arc<Counts>);

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    turn: AtomicUsize,
}

impl Load {
    /// That are answered at present.
    pub fn requests(&self) -> usize {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// How many requests came and how many answers were ready since it was last asked.
    pub fn turn(&self) -> usize {
        self.0.turn.swap(0, Ordering::Relaxed)
    }
}

pub struct Clients {
    http: http1::Builder,
    api: Api,
    load: Load,
    list: Vec<Weak<Client>>, // who has ended is in it until the next tick
    here: watch::Sender<()>, // each client has a receiver
}

impl Clients {
    pub fn new(http: http1::Builder, api: Api, load: Load) -> Self {
        Self { http, api, load, list: Vec::new(), here: watch::Sender::new(()) }
    }

    /// Answers one more, in a task of its own.
    pub fn serve(&mut self, stream: TcpStream) {
        let client = Arc::new(Client {
            ticks: AtomicU8::new(0),
            order: AtomicU8::new(SERVE),
            task: AtomicWaker::new(),
            load: self.load.clone(),
            _here: self.here.subscribe(),
        });
        self.list.push(Arc::downgrade(&client));
        let (api, asking) = (self.api.clone(), client.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (asked, answer) = (Asked::new(asking.clone()), api.answer(request.map(body)));
            async move {
                let answer = answer.await;
                drop(asked);
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let mut told = None;
            poll_fn(|context| {
                if told != Some(client.order.load(Ordering::Acquire)) {
                    client.task.register(context.waker());
                    let order = client.order.load(Ordering::Acquire); // there may be a later one than the waker knows of
                    told = Some(order);
                    match order {
                        DRAIN => connection.as_mut().graceful_shutdown(),
                        END => return Poll::Ready(()),
                        _ => {}
                    }
                }
                connection.as_mut().poll(context).map(drop) // a client that is gone is no error
            })
            .await;
        });
    }

    /// To be called each second.
    pub fn tick(&mut self) {
        self.list.retain(|client| client.upgrade().inspect(|client| client.tick()).is_some());
    }

    /// Answers what has been asked, and no more; until all are gone.
    pub async fn drain(self) {
        self.list.iter().filter_map(Weak::upgrade).for_each(|client| client.tell(DRAIN));
        self.here.closed().await;
    }
}

/// Most requests have none: nothing is allocated for it then.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}
