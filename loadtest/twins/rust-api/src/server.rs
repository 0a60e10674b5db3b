//! Connections, their timeouts, and the drain. axum::serve has none of hyper's limits, so hyper is asked itself.

use std::convert::Infallible;
use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::api::Api;
use crate::pg;

/// hyper's one limit for the wait between requests and for a head to come.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
const WRITE_LIMIT: Duration = Duration::from_secs(10);
const MOST_HEAD_BYTES: usize = 16 * 1024;
const BACKLOG: u32 = 1024;
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Several runtimes may listen on the one port: the kernel spreads the clients over them. Within a runtime's context.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?; // with IPv4, as Linux has it
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind((Ipv6Addr::UNSPECIFIED, port).into())?;
    socket.listen(BACKLOG)
}

pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Its number.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }
}

/// Answers until a signal comes, then what was asked before it. Whether all of that was answered.
pub async fn serve<U: pg::Users>(listener: TcpListener, users: U, mut signals: Signals) -> bool {
    let api = Api::new(users);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(MOST_HEAD_BYTES);
    let graceful = GracefulShutdown::new();
    let which = loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly: others may close.
                    tracing::warn!(why = error.to_string(), "can't accept");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            which = signals.next() => break which,
        };
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_LIMIT));
        let api = api.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = api.answer(request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            let _ = connection.await; // a client that is gone is no error
        });
    };
    drop(listener);
    tracing::info!(signal = which, limit_ms = DRAIN_LIMIT.as_millis() as u64, "draining");
    tokio::select! {
        drained = timeout(DRAIN_LIMIT, graceful.shutdown()) => {
            if drained.is_err() {
                tracing::warn!("drain limit reached");
            }
            drained.is_ok()
        }
        second = signals.next() => std::process::exit(128 + second),
    }
}
