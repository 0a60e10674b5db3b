use std::process::ExitCode;

use rust_api::config::{self, Config, PoolKind};
use rust_api::{pooled, server, shared};
use tokio::net::TcpListener;

// What the stack's users take where allocation shows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main] // as many threads as TOKIO_WORKER_THREADS says, or as affinity and CPU quota allow
async fn main() -> ExitCode {
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_writer(std::io::stderr).init();
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rust-api: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool, String> {
    let config = Config::from_environment()?;
    let workers = tokio::runtime::Handle::current().metrics().num_workers();
    let signals = server::Signals::new().map_err(|error| format!("can't handle signals: {error}"))?;
    let listener = TcpListener::bind(("::", config.port))
        .await
        .map_err(|error| format!("can't listen on PORT {}: {error}; choose another", config.port))?;
    tracing::info!(
        name = config::NAME,
        port = config.port,
        pid = std::process::id(),
        workers,
        pool = config.pool.name(),
        db_max_conns = config.db_max_conns,
        db_min_conns = config.db_min_conns,
        application_name = config.postgres.get_application_name(),
        "listening"
    );
    Ok(match config.pool {
        PoolKind::Shared => server::serve(listener, shared::Users::open(&config, workers), signals).await,
        PoolKind::Deadpool => server::serve(listener, pooled::Users::open(&config)?, signals).await,
    })
}
