//! The users API in Rust, as its stack would ship it: axum, hyper, tokio, tokio-postgres.

pub mod api;
pub mod clients;
pub mod config;
pub mod pg;
pub mod pooled;
pub mod server;
pub mod shared;
pub mod user;
