//! The connection to the API server: a client that counts its requests, writes only while the
//! fence is open, and whose sockets give up in time. IO.

pub(in crate::runtime) mod around;
mod fencing;

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

use super::metrics::requests::Requests;
use super::patience::Patience;
use crate::fence::Fence;
use crate::names::OPERATOR;
use around::Layered;
use fencing::Fencing;

/// Longest wait for a connection. The lease is renewed through the same client and may not wait long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// How long the kernel tries to deliver what was written. A write that was cut off on its way must
/// not arrive when the lease has another holder: the fence ends 10 s after the last renewal and the
/// lease 15 s after it, so less than the difference.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(4);
/// A watch says nothing for minutes; a dead connection is noticed by probes.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Connects as `identity`, which the API server's audit log shows as user agent.
///
/// # Errors
/// The configuration names certificates or credentials that cannot be used.
pub fn connect(
    mut config: Config,
    identity: &str,
    fence: &Fence,
    requests: &Requests,
) -> Result<Client, kube::Error> {
    let agent = format!("{OPERATOR}/{} ({identity})", env!("CARGO_PKG_VERSION"));
    // A name that is no header value is left out: it only makes the audit log easier to read.
    if let Ok(agent) = HeaderValue::from_str(&agent) {
        config.headers.push((HeaderName::from_static("user-agent"), agent));
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE));
    connector.set_tcp_user_timeout(Some(DELIVERY_TIMEOUT));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http = hyper_util::client::legacy::Builder::new(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(Layered(requests.clone()))
        .layer(Layered(Fencing::new(fence.clone(), requests.clone())))
        .layer(Layered(Patience::default()))
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}
