//! Where clients come from, and until when. axum::serve has none of hyper's limits, so hyper is asked itself.

use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{interval, sleep, timeout};

use crate::api::Api;
use crate::clients::{Clients, Load};
use crate::pg;

const MOST_HEAD_BYTES: usize = 16 * 1024;
const BACKLOG: u32 = 1024;
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Listeners share their port with one another, and would with another program's: this fails where there is such a
/// one. It takes no clients, which would be gone with it.
pub fn claim(port: u16) -> io::Result<()> {
    socket(port, false).map(drop)
}

/// Several runtimes may listen on the one port: the kernel spreads the clients over them. Within a runtime's context.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    socket(port, true)?.listen(BACKLOG)
}

fn socket(port: u16, shared: bool) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v6()?; // with IPv4, as Linux has it
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(shared)?;
    socket.bind((Ipv6Addr::UNSPECIFIED, port).into())?;
    Ok(socket)
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
pub async fn serve<U: pg::Users>(listener: TcpListener, users: U, load: Load, mut signals: Signals) -> bool {
    let mut http = http1::Builder::new();
    http.max_buf_size(MOST_HEAD_BYTES);
    let mut clients = Clients::new(http, Api::new(users), load);
    let mut clock = interval(Duration::from_secs(1));
    let which = loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    clients.serve(stream);
                }
                Err(error) => {
                    // Out of descriptors, mostly: others may close.
                    tracing::warn!(why = error.to_string(), "can't accept");
                    sleep(Duration::from_millis(50)).await;
                }
            },
            _ = clock.tick() => clients.tick(),
            which = signals.next() => break which,
        }
    };
    drop(listener);
    tracing::info!(signal = which, limit_ms = DRAIN_LIMIT.as_millis() as u64, "draining");
    tokio::select! {
        drained = timeout(DRAIN_LIMIT, clients.drain()) => {
            if drained.is_err() {
                tracing::warn!("drain limit reached");
            }
            drained.is_ok()
        }
        second = signals.next() => std::process::exit(128 + second),
    }
}
