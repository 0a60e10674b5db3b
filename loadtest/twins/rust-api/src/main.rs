use std::process::ExitCode;
use std::thread;

use rust_api::clients::Load;
use rust_api::config::{self, Config, PoolKind, RuntimeKind};
use rust_api::{pooled, server, shared};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

// What the stack's users take where allocation shows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_writer(std::io::stderr).init();
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rust-api: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let config = Config::from_environment()?;
    let busy = |error| format!("can't listen on PORT {}: {error}; choose another", config.port);
    server::claim(config.port).map_err(busy)?;
    let workers = config.split().into_iter().map(Worker::new).collect::<Result<Vec<_>, _>>().map_err(busy)?;
    tracing::info!(
        name = config::NAME,
        port = config.port,
        pid = std::process::id(),
        runtime = config.runtime.name(),
        runtimes = workers.len(),
        threads = config.threads,
        pool = config.pool.name(),
        db_max_conns = config.db_max_conns,
        db_min_conns = config.db_min_conns,
        application_name = config.postgres.get_application_name(),
        "listening"
    );
    let threads: Vec<_> = workers.into_iter().map(|worker| thread::spawn(|| worker.run())).collect();
    let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("a panic aborts")).collect();
    ends.into_iter().try_fold(true, |all, end| Ok(all & end?))
}

/// A thread that answers so many requests, and had less than that to do in a turn, waits before it looks for more: a look,
/// a wake-up and a trip to PostgreSQL cost about as much for many as for one. Where others want its CPU, turns are long
/// enough by themselves.
const BUSY: usize = 8;

/// A runtime, its listener and its part of the connections.
struct Worker {
    runtime: Runtime,
    listener: TcpListener,
    load: Load,
    signals: server::Signals,
    config: Config,
}

impl Worker {
    fn new(config: Config) -> std::io::Result<Self> {
        let mut builder = match config.runtime {
            RuntimeKind::Cores => Builder::new_current_thread(),
            RuntimeKind::Multi => Builder::new_multi_thread(),
        };
        let load = Load::default();
        if config.runtime == RuntimeKind::Cores && !config.turn_wait.is_zero() {
            let (load, wait) = (load.clone(), config.turn_wait);
            builder.on_thread_park(move || {
                if load.turn() < BUSY && load.requests() >= BUSY {
                    thread::sleep(wait);
                }
            });
        }
        let runtime = builder.worker_threads(config.threads).enable_all().build()?;
        let context = runtime.enter();
        let (listener, signals) = (server::listen(config.port)?, server::Signals::new()?);
        drop(context);
        Ok(Self { runtime, listener, load, signals, config })
    }

    fn run(self) -> Result<bool, String> {
        let Self { runtime, listener, load, signals, config } = self;
        runtime.block_on(async {
            Ok(match config.pool {
                PoolKind::Shared => server::serve(listener, shared::Users::open(&config), load, signals).await,
                PoolKind::Deadpool => server::serve(listener, pooled::Users::open(&config)?, load, signals).await,
            })
        })
    }
}
