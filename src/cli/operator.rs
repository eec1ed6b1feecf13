//! `eaiser operator`: runs the controller.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use crate::names::OPERATOR;
use crate::runtime::controller::{self, Lease, Options};
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
    /// Lead by a lease, so that of several operators one writes; on by default inside a pod
    #[arg(long, env = "EAISER_LEADER_ELECTION", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    leader_election: Option<bool>,
    /// Name of the lease
    #[arg(long, env = "EAISER_LEASE_NAME", default_value = OPERATOR)]
    lease_name: String,
    /// Namespace of the lease; that of --namespace, else the operator's own when absent
    #[arg(long, env = "EAISER_LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Name of this operator in the lease and in the API server's log, made unique for each process;
    /// the host's name when absent
    #[arg(long, env = "EAISER_IDENTITY")]
    identity: Option<String>,
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
    match runtime.block_on(controller::run(options(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::fail(&error),
    }
}

fn options(arguments: Arguments) -> Options {
    let inside_a_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let elects = arguments.leader_election.unwrap_or(inside_a_pod);
    let lease = Lease { name: arguments.lease_name, namespace: arguments.lease_namespace };
    Options {
        settings: arguments.settings,
        namespace: arguments.namespace,
        address: arguments.http_address,
        identity: unique(&arguments.identity.unwrap_or_else(host_name)),
        lease: elects.then_some(lease),
    }
}

/// The name in the operating system's own words; in a pod it is the pod's.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| OPERATOR.to_owned(), |name| name.trim().to_owned())
}

/// A container that restarts in its pod keeps the pod's name: the lease must not take the new
/// process for the old one.
fn unique(name: &str) -> String {
    let mut random = [0_u8; 4];
    if let Err(error) = getrandom::fill(&mut random) {
        tracing::warn!(%error, "no random bytes; the process id makes the identity unique");
        random = std::process::id().to_be_bytes();
    }
    format!("{name}_{:08x}", u32::from_be_bytes(random))
}
