//! Everything around the passes: watches, the controller, HTTP, metrics, signals. IO.

pub mod caches;
pub mod client;
pub mod controller;
pub mod gate;
pub mod health;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod patience;
pub mod telemetry;
