//! Series recorded of a cluster's traffic, which alerts and dashboards read. Pure.

use super::cluster::{api, record};
use super::promql::{Selector, exactly};
use crate::desired::kinds::Rule;
use crate::plan::Plan;

/// Requests per second.
pub const REQUESTS: &str = "eaisercluster:http_requests:rate5m";
/// Seconds within which 95 % of requests are answered.
pub const LATENCY_P95: &str = "eaisercluster:http_request_duration_seconds:p95_5m";
/// Requests being served.
pub const IN_FLIGHT: &str = "eaisercluster:http_requests_in_flight:sum";

/// The recording rules.
pub fn rules(plan: &Plan) -> Vec<Rule> {
    let latency = request_metric(plan, "http_request_duration_seconds_bucket");
    vec![
        record(plan, REQUESTS, format!("sum({})", request_metric(plan, "http_requests_total").rate())),
        record(plan, LATENCY_P95, format!("histogram_quantile(0.95, sum by (le) ({}))", latency.rate())),
        record(plan, IN_FLIGHT, format!("sum({})", api(plan, "http_requests_in_flight"))),
    ]
}

/// A metric of the requests that clients sent: probes and scrapes are steady, fast and successful,
/// and would make up most of a quiet cluster's traffic.
pub fn request_metric(plan: &Plan, metric: &str) -> Selector {
    let probes = &plan.api.probes;
    let mut routes = vec![exactly(&probes.liveness), exactly(&probes.readiness), "/metrics".to_owned()];
    routes.dedup();
    api(plan, metric).unlike("route", &routes.join("|"))
}
