//! Alerts about the API instances and the gateway in front of them. Pure.

use super::cluster::{Alert, Severity, api, gauge, recorded};
use super::objectives::within_bound;
use super::traffic::{IN_FLIGHT, request_metric};
use crate::plan::{Plan, Replicas};

/// Instances are down, too few, too busy or out of sight.
pub fn alerts(plan: &Plan) -> Vec<Alert> {
    let mut alerts = vec![down(plan), too_few(plan), overloaded(plan), shedding(plan)];
    alerts.extend(stores(plan));
    alerts.extend(capacity(plan));
    alerts.extend(gateway(plan));
    alerts.extend(out_of_sight(plan));
    alerts
}

fn down(plan: &Plan) -> Alert {
    Alert {
        name: "EaiserApiInstanceDown",
        hold: Some("10m"),
        severity: Severity::Warning,
        expr: format!("{} == 0", api(plan, "up")),
        summary: "API pod {{ $labels.pod }} does not answer Prometheus".to_owned(),
    }
}

/// A sum, not a count: where every instance is down there is nothing to count, and no alert.
fn too_few(plan: &Plan) -> Alert {
    let fewest = plan.api.replicas.fewest();
    Alert {
        name: "EaiserApiInstancesTooFew",
        hold: Some("5m"),
        severity: Severity::Critical,
        expr: format!("sum({}) < {fewest}", api(plan, "up")),
        summary: format!("{{{{ $value }}}} API instances answer, the plan needs at least {fewest}"),
    }
}

fn overloaded(plan: &Plan) -> Alert {
    let knee = plan.monitoring.knee_in_flight;
    Alert {
        name: "EaiserApiOverloaded",
        hold: Some("5m"),
        severity: Severity::Warning,
        expr: format!("{} > {knee} * scalar(sum({}))", recorded(plan, IN_FLIGHT), api(plan, "up")),
        summary: format!(
            "{{{{ $value }}}} requests are in flight, more than {knee} per instance: beyond that throughput falls"
        ),
    }
}

fn shedding(plan: &Plan) -> Alert {
    Alert {
        name: "EaiserApiShedsRequests",
        hold: Some("5m"),
        severity: Severity::Warning,
        expr: format!("sum({}) > 0.1", api(plan, "http_requests_shed_total").rate()),
        summary: "{{ $value | humanize }} requests a second are refused because instances are full"
            .to_owned(),
    }
}

/// What the instances see of the databases.
fn stores(plan: &Plan) -> [Alert; 2] {
    [
        Alert {
            name: "EaiserApiStoreErrors",
            hold: Some("5m"),
            severity: Severity::Warning,
            expr: format!("sum by (store) ({}) > 0.1", api(plan, "store_errors_total").rate()),
            summary: "{{ $value | humanize }} calls to {{ $labels.store }} fail every second".to_owned(),
        },
        Alert {
            name: "EaiserMongoDBPoolExhausted",
            hold: Some("5m"),
            severity: Severity::Warning,
            expr: format!("sum({}) > 0", api(plan, "mongodb_pool_checkout_failures_total").rate()),
            summary: "{{ $value | humanize }} operations a second get no MongoDB connection".to_owned(),
        },
    ]
}

fn capacity(plan: &Plan) -> Vec<Alert> {
    let mut alerts = vec![Alert {
        name: "EaiserCapacityHeadroomLost",
        hold: Some("15m"),
        severity: Severity::Warning,
        expr: format!("{} < 0", gauge(plan, "eaiser_cluster_headroom_percent")),
        summary:
            "the planned peak exceeds what the largest permitted number of instances serves ({{ $value }}%)"
                .to_owned(),
    }];
    if let Replicas::Autoscaled { min, max } = plan.api.replicas
        && min < max
    {
        alerts.push(Alert {
            name: "EaiserApiAtMaximum",
            hold: Some("15m"),
            severity: Severity::Warning,
            expr: format!("{} >= {max}", gauge(plan, "eaiser_cluster_api_ready_replicas")),
            summary: format!("the autoscaler has reached its maximum of {max} API pods"),
        });
    }
    alerts
}

fn gateway(plan: &Plan) -> [Alert; 2] {
    let ready = gauge(plan, "eaiser_cluster_gateway_ready_replicas");
    [
        Alert {
            name: "EaiserGatewayDown",
            hold: Some("1m"),
            severity: Severity::Critical,
            expr: format!("{ready} == 0"),
            summary: "no gateway pod is ready: clients reach nothing".to_owned(),
        },
        Alert {
            name: "EaiserGatewayNotRedundant",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: format!("{ready} == 1"),
            summary: "one gateway pod is ready: its loss cuts every client off".to_owned(),
        },
    ]
}

/// A series that vanished satisfies no comparison, so its absence is an alert of its own.
fn out_of_sight(plan: &Plan) -> [Alert; 4] {
    let up = api(plan, "up");
    let blind = |metric: String| format!("absent({metric}) and on () sum({up}) > 0");
    [
        Alert {
            name: "EaiserApiMetricsAbsent",
            hold: Some("10m"),
            severity: Severity::Critical,
            expr: format!("absent({up})"),
            summary: "Prometheus scrapes no API instance at all".to_owned(),
        },
        Alert {
            name: "EaiserRequestMetricsAbsent",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: blind(api(plan, "http_requests_total").to_string()),
            summary: "the API publishes no http_requests_total: availability is not measured".to_owned(),
        },
        Alert {
            name: "EaiserLatencyMetricsAbsent",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: format!(
                "absent({}) and on () sum({}) > 0",
                within_bound(plan),
                request_metric(plan, "http_requests_total").rate()
            ),
            summary: "requests are served, but http_request_duration_seconds lacks the bound of the objective: latency is not measured".to_owned(),
        },
        Alert {
            name: "EaiserClusterMetricsAbsent",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: format!("absent({})", gauge(plan, "eaiser_cluster_ready")),
            summary: "Prometheus has no metrics of the operator: alerts about MongoDB, Redis and the gateway are blind"
                .to_owned(),
        },
    ]
}
