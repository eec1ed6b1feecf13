//! `eaiser operator`: runs the controller.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use crate::runtime::controller;
use crate::runtime::telemetry::{self, LogFormat};
use crate::settings::Settings;

/// Arguments of `eaiser operator`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Watch this namespace only; everywhere when absent
    #[arg(long, env = "EAISER_NAMESPACE")]
    namespace: Option<String>,
    /// Address of /healthz, /readyz and /metrics
    #[arg(long, env = "EAISER_HTTP_ADDRESS", default_value = "0.0.0.0:8080")]
    http_address: SocketAddr,
    /// Form of the log lines
    #[arg(long, env = "EAISER_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// What is logged, for example `info` or `eaiser_operator=debug`
    #[arg(long, env = "RUST_LOG", default_value = "info,kube=warn,mongodb=off")]
    log_level: String,
    #[command(flatten)]
    settings: Settings,
}

/// Runs until a signal.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    telemetry::start(arguments.log_format, &arguments.log_level);
    // One provider is linked, but redis and kube each look for the process default.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(&error),
    };
    match runtime.block_on(controller::run(arguments.settings, arguments.namespace, arguments.http_address)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::fail(&error),
    }
}
