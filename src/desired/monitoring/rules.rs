//! Recording and alerting rules of one cluster, from its objectives. Pure.
//!
//! They read what the backend publishes (`http_requests_total`, `http_request_duration_seconds`,
//! `http_requests_in_flight`) and Prometheus' own `up`. Series are matched by the scraped Service's
//! namespace and name, which a ServiceMonitor sets as labels.

use std::collections::BTreeMap;

use crate::desired::kinds::{PrometheusRuleSpec, Rule, RuleGroup};
use crate::plan::Plan;

/// Groups of rules.
pub fn groups(plan: &Plan) -> Vec<RuleGroup> {
    let series = Series::of(plan);
    vec![
        RuleGroup { name: format!("eaiser-{}-recording", plan.identity.name), rules: recording(&series) },
        RuleGroup { name: format!("eaiser-{}-api", plan.identity.name), rules: alerts(plan, &series) },
    ]
}

/// The groups as a rule file of Prometheus. YAML is a superset of JSON, and JSON quotes safely.
pub fn file(spec: &PrometheusRuleSpec) -> String {
    serde_saphyr::to_string(spec).unwrap_or_default()
}

/// Label matchers that pick one cluster's series.
struct Series {
    matchers: String,
    labels: BTreeMap<String, String>,
}

impl Series {
    fn of(plan: &Plan) -> Self {
        let identity = &plan.identity;
        // Names and namespaces are DNS labels: nothing in them needs escaping in PromQL.
        let matchers = format!(r#"namespace="{}",service="{}""#, identity.namespace, identity.api_pods());
        let labels = [("namespace", &identity.namespace), ("eaisercluster", &identity.name)];
        Self { matchers, labels: labels.map(|(key, value)| (key.to_owned(), value.clone())).into() }
    }
}

fn recording(series: &Series) -> Vec<Rule> {
    let Series { matchers, labels } = series;
    let record = |name: &str, expr: String| Rule {
        record: Some(name.to_owned()),
        expr,
        labels: labels.clone(),
        ..Rule::default()
    };
    vec![
        record("eaiser:requests:rate5m", format!("sum(rate(http_requests_total{{{matchers}}}[5m]))")),
        record(
            "eaiser:errors:ratio_rate5m",
            format!(
                r#"(sum(rate(http_requests_total{{{matchers},status=~"5.."}}[5m])) or vector(0)) / sum(rate(http_requests_total{{{matchers}}}[5m]))"#
            ),
        ),
        record(
            "eaiser:latency:p95_5m",
            format!(
                "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{{{matchers}}}[5m])))"
            ),
        ),
        record("eaiser:requests_in_flight:sum", format!("sum(http_requests_in_flight{{{matchers}}})")),
    ]
}

/// Requests per second below which ratios say nothing: one failed request must not page.
const TRAFFIC_FLOOR: f64 = 1.0;

/// One alert before it gets its labels and runbook.
struct Alert {
    name: &'static str,
    hold: &'static str,
    severity: &'static str,
    expr: String,
    summary: String,
}

fn alerts(plan: &Plan, series: &Series) -> Vec<Rule> {
    let who = format!("{}/{}", plan.identity.namespace, plan.identity.name);
    let runbooks = &plan.monitoring.runbook_base_url;
    let finish = |alert: Alert| {
        let Alert { name, hold, severity, expr, summary } = alert;
        let mut labels = series.labels.clone();
        labels.insert("severity".to_owned(), severity.to_owned());
        let annotations = [
            ("summary".to_owned(), format!("{who}: {summary}")),
            ("runbook_url".to_owned(), format!("{runbooks}/{name}.md")),
        ];
        Rule {
            alert: Some(name.to_owned()),
            expr,
            hold: Some(hold.to_owned()),
            labels,
            annotations: annotations.into(),
            ..Rule::default()
        }
    };
    objective_alerts(plan).into_iter().chain(instance_alerts(plan, series)).map(finish).collect()
}

/// The service level objectives are missed.
fn objective_alerts(plan: &Plan) -> [Alert; 2] {
    let picked = recorded(plan);
    let monitoring = &plan.monitoring;
    let floor = format!("eaiser:requests:rate5m{{{picked}}} > {TRAFFIC_FLOOR}");
    let objective = percent(monitoring.error_rate);
    let latency = monitoring.latency_p95_seconds;
    [
        Alert {
            name: "EaiserErrorRateHigh",
            hold: "2m",
            severity: "critical",
            expr: format!("eaiser:errors:ratio_rate5m{{{picked}}} > {} and {floor}", monitoring.error_rate),
            summary: format!("{{{{ $value | humanizePercentage }}}} of requests fail, objective {objective}"),
        },
        Alert {
            name: "EaiserLatencyHigh",
            hold: "5m",
            severity: "warning",
            expr: format!("eaiser:latency:p95_5m{{{picked}}} > {latency} and {floor}"),
            summary: format!(
                "95 % of requests take up to {{{{ $value | humanizeDuration }}}}, objective {latency}s"
            ),
        },
    ]
}

/// Instances are too few, too busy or out of sight.
fn instance_alerts(plan: &Plan, series: &Series) -> [Alert; 3] {
    let picked = recorded(plan);
    let Series { matchers, .. } = series;
    let fewest = plan.api.replicas.fewest();
    let most_in_flight = plan.api.max_in_flight;
    [
        Alert {
            name: "EaiserInFlightAboveKnee",
            hold: "1m",
            severity: "warning",
            expr: format!(
                "eaiser:requests_in_flight:sum{{{picked}}} > {most_in_flight} * scalar(count(up{{{matchers}}} == 1))"
            ),
            summary: "more requests are in flight than the instances serve without slowing down".to_owned(),
        },
        Alert {
            name: "EaiserInstancesDown",
            hold: "5m",
            severity: "critical",
            expr: format!("count(up{{{matchers}}} == 1) < {fewest}"),
            summary: format!("{{{{ $value }}}} API instances answer, the plan needs at least {fewest}"),
        },
        Alert {
            name: "EaiserMetricsAbsent",
            hold: "5m",
            severity: "critical",
            expr: format!("absent(up{{{matchers}}})"),
            summary: "Prometheus sees no API instance at all".to_owned(),
        },
    ]
}

/// Matchers of the recorded series.
fn recorded(plan: &Plan) -> String {
    format!(r#"namespace="{}",eaisercluster="{}""#, plan.identity.namespace, plan.identity.name)
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 100_000.0).round() / 1000.0)
}
