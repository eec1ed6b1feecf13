//! Everything around the passes: watches, the controller, HTTP, metrics, signals. IO.

pub mod caches;
pub mod controller;
pub mod http;
pub mod metrics;
pub mod patience;
pub mod telemetry;
