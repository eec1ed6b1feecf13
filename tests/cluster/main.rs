//! Slow integration tests against a real cluster; all ignored by default.
//!
//! `EAISER_LAB` names a running lab (`tests/lab/lab --name … up` and `image load`). Without it,
//! `KUBECONFIG` is used and what needs the lab is skipped by name. One file per subject.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, reads its environment and waits by the clock"
)]
#![allow(missing_docs, reason = "test functions say what they prove by their names")]

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod bench;
mod chart;
mod cli;
mod crash;
mod deletion;
mod events;
mod faults;
mod formation;
mod immutable;
mod leader;
mod loops;
mod members;
mod mongodb_keyfile;
mod mongodb_no_primary;
mod mongodb_survival;
mod mongodb_tls;
mod mongodb_users;
mod mongodb_wrong_inputs;
mod monitoring;
mod network;
mod operation;
mod pod_loss;
mod protection;
mod quiet;
mod ready;
mod repair;
mod rig;
mod rights;
mod secrets;
mod settled;
mod situations;
mod unreadable;
mod volumes;
