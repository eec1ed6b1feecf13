//! What the dashboard shows, from what users feel down to the operator. Pure.

use super::super::cluster::gauge_of;
use super::super::promql::Selector;
use super::super::traffic::{IN_FLIGHT, LATENCY_P95, REQUESTS};
use super::{Draft, Row};

/// Rows from top to bottom.
pub(super) fn rows() -> Vec<Row> {
    vec![objectives(), traffic(), capacity(), mongodb(), redis(), operator(), passes()]
}

/// Series recorded for the chosen cluster.
fn recorded(metric: &str) -> Selector {
    Selector::new(metric).equal("namespace", "$namespace").equal("eaisercluster", "$cluster")
}

/// Series of the chosen cluster's objectives.
fn objective(metric: &str) -> Selector {
    Selector::new(metric).equal("sloth_service", "$namespace.$cluster")
}

/// Series of the chosen cluster's API pods.
fn api(metric: &str) -> Selector {
    Selector::new(metric).equal("namespace", "$namespace").equal("service", "$cluster-api-pods")
}

/// The operator's gauge about the chosen cluster.
fn gauge(metric: &str) -> String {
    gauge_of(&format!("eaiser_cluster_{metric}"), "$namespace", "$cluster")
}

fn stat(title: &'static str, description: &'static str, unit: &'static str, query: String) -> Draft {
    Draft { type_: "stat", title, description, unit, queries: vec![(query, "{{sloth_slo}}")] }
}

fn graph(
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    queries: Vec<(String, &'static str)>,
) -> Draft {
    Draft { type_: "timeseries", title, description, unit, queries }
}

fn objectives() -> Row {
    Row {
        title: "Objectives",
        panels: vec![
            stat(
                "Error budget left",
                "Share of the 30 days' budget that is still there; below zero the objective is missed.",
                "percentunit",
                objective("slo:period_error_budget_remaining:ratio").to_string(),
            ),
            graph(
                "Burn rate",
                "How many times faster than sustainable the budget burns now. Above 14.4 somebody is woken.",
                "none",
                vec![(objective("slo:current_burn_rate:ratio").to_string(), "{{sloth_slo}}")],
            ),
            graph(
                "Bad requests",
                "Share of requests that failed, or were slower than the objective, over an hour.",
                "percentunit",
                vec![(objective("slo:sli_error:ratio_rate1h").to_string(), "{{sloth_slo}}")],
            ),
            graph(
                "Latency, 95th percentile",
                "Time within which 95 % of requests are answered.",
                "s",
                vec![(recorded(LATENCY_P95).to_string(), "p95")],
            ),
        ],
    }
}

fn traffic() -> Row {
    let requests = api("http_requests_total").unlike("route", "/healthz/.*|/metrics");
    Row {
        title: "Traffic",
        panels: vec![
            graph(
                "Requests",
                "Requests a second, without probes and scrapes.",
                "reqps",
                vec![(recorded(REQUESTS).to_string(), "all")],
            ),
            graph(
                "Answers by status",
                "Requests a second by status code; 499 is a client that left early.",
                "reqps",
                vec![(format!("sum by (status) ({})", requests.rate()), "{{status}}")],
            ),
            graph(
                "In flight and refused",
                "Requests being served, and those refused a second because an instance was full.",
                "none",
                vec![
                    (recorded(IN_FLIGHT).to_string(), "in flight"),
                    (format!("sum({})", api("http_requests_shed_total").rate()), "refused/s"),
                ],
            ),
        ],
    }
}

fn capacity() -> Row {
    Row {
        title: "Capacity",
        panels: vec![
            stat(
                "Head-room",
                "By how much the planned capacity exceeds the planned peak.",
                "percent",
                gauge("headroom_percent"),
            ),
            graph(
                "Pods",
                "API and gateway pods that are ready, and API pods that answer Prometheus.",
                "none",
                vec![
                    (gauge("api_ready_replicas"), "API ready"),
                    (format!("sum({})", api("up")), "API scraped"),
                    (gauge("gateway_ready_replicas"), "gateway ready"),
                ],
            ),
            graph(
                "Requests per instance",
                "Requests a second that each instance serves on average; compare with the profile's.",
                "reqps",
                vec![(format!("{} / scalar(sum({}))", recorded(REQUESTS), api("up")), "per instance")],
            ),
            stat("Ready", "1 while the cluster is Ready.", "none", gauge("ready")),
        ],
    }
}

fn mongodb() -> Row {
    Row {
        title: "MongoDB",
        panels: vec![
            graph(
                "Members",
                "Members that are up and vote, and whether there is a primary.",
                "none",
                vec![(gauge("mongodb_members_voting"), "voting"), (gauge("mongodb_has_primary"), "primary")],
            ),
            graph(
                "Lag",
                "How far the slowest member is behind the primary.",
                "s",
                vec![(gauge("mongodb_lag_seconds"), "slowest")],
            ),
            graph(
                "Connections of the API",
                "Pooled connections of all instances: open, in use, and operations that got none.",
                "none",
                vec![
                    (format!("sum({})", api("mongodb_pool_connections")), "open"),
                    (format!("sum({})", api("mongodb_pool_connections_in_use")), "in use"),
                    (format!("sum({})", api("mongodb_pool_checkout_failures_total").rate()), "none left/s"),
                ],
            ),
        ],
    }
}

fn redis() -> Row {
    let hits = format!("sum({})", api("redis_cache_hits_total").rate());
    let misses = format!("sum({})", api("redis_cache_misses_total").rate());
    Row {
        title: "Redis",
        panels: vec![
            graph(
                "Slots",
                "Slots that have an owner; 16384 is all of them.",
                "none",
                vec![(gauge("redis_slots_assigned"), "assigned")],
            ),
            graph(
                "Replicas",
                "Replicas that follow their primary.",
                "none",
                vec![(gauge("redis_replicas_in_step"), "in step")],
            ),
            graph(
                "Cache hits",
                "Share of look-ups that were answered from the cache.",
                "percentunit",
                vec![(format!("{hits} / ({hits} + {misses} > 0)"), "hits")],
            ),
            graph(
                "Failed calls",
                "Calls of the API to its stores that failed, a second.",
                "none",
                vec![(format!("sum by (store) ({})", api("store_errors_total").rate()), "{{store}}")],
            ),
        ],
    }
}

fn operator() -> Row {
    let of = |metric: &str| Selector::new(metric);
    Row {
        title: "Operator",
        panels: vec![
            graph(
                "Leader",
                "Replicas that hold the lease: one, except for moments.",
                "none",
                vec![(
                    format!("sum by (namespace, service) ({})", of("eaiser_operator_leader")),
                    "{{namespace}}",
                )],
            ),
            graph(
                "Passes",
                "Passes over an object, a second, by outcome.",
                "ops",
                vec![(
                    format!("sum by (outcome) ({})", of("eaiser_operator_reconciles_total").rate()),
                    "{{outcome}}",
                )],
            ),
            graph(
                "Requests to the API server",
                "By verb and class of the answer; a settled cluster causes none.",
                "reqps",
                vec![(
                    format!("sum by (verb, code) ({})", of("eaiser_operator_api_requests_total").rate()),
                    "{{verb}} {{code}}",
                )],
            ),
        ],
    }
}

fn passes() -> Row {
    let of = |metric: &str| Selector::new(metric);
    let slowest = |metric: &str, by: &str| {
        format!("histogram_quantile(0.99, sum by (le, {by}) ({}))", of(metric).rate())
    };
    Row {
        title: "Operator, in depth",
        panels: vec![
            graph(
                "Slowest phases",
                "Time that 99 % of the phases of a pass stay below.",
                "s",
                vec![(slowest("eaiser_operator_phase_seconds_bucket", "phase"), "{{phase}}")],
            ),
            graph(
                "Queue",
                "Passes that wait for their turn.",
                "none",
                vec![(format!("sum by (priority) ({})", of("eaiser_operator_queue_depth")), "{{priority}}")],
            ),
            graph(
                "Hot loops",
                "Episodes in which one cluster was looked at again and again in vain.",
                "none",
                vec![(format!("sum(increase({}[30m]))", of("eaiser_operator_hot_loops_total")), "episodes")],
            ),
        ],
    }
}
