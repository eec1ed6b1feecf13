//! Fast integration tests: no cluster needed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking"
)]
#![allow(missing_docs, reason = "test functions say what they prove by their names")]

mod api_server;
mod apply;
mod architecture;
mod capacity_commands;
mod command_line;
mod conditions;
mod crd;
mod docs;
mod examples;
mod finalize;
mod hostile;
mod immutable;
mod live_cluster;
mod metrics;
mod monitoring;
mod plan_cluster;
mod status;
mod status_command;
mod upgrade;
