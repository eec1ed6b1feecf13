//! Service level objectives: how fast each error budget burns. Pure.
//!
//! The recorded series have the names and labels of sloth, so that its dashboards work unchanged.
//! What sloth computes from raw counters for every window is computed here from two recorded rates:
//! `sum_over_time(bad) / sum_over_time(all)` weighs each moment by its traffic and costs two series
//! per objective, where 3 days of a hundred pods' counters would exceed Prometheus' sample limit.
//! A window without a request has no ratio, rather than a ratio that is not a number.

use std::collections::BTreeMap;

use super::cluster::{Alert, Severity, alert, record, recorded};
use super::promql::{Selector, exactly, number};
use super::traffic::{LATENCY_P95, REQUESTS, request_metric};
use crate::desired::kinds::{Rule, RuleGroup};
use crate::plan::{Mode, Plan};

/// Requests per second below which ratios say nothing: one failed request must not page.
pub const TRAFFIC_FLOOR: f64 = 1.0;
/// Days over which an objective holds.
const PERIOD_DAYS: u32 = 30;
/// Windows of the recorded ratios beyond the first, which the rates already span.
const WINDOWS: [&str; 7] = ["30m", "1h", "2h", "6h", "1d", "3d", "30d"];
/// No ratio exceeds 1: with a large budget, a share this large alerts whatever its burn rate.
const LARGEST_THRESHOLD: f64 = 0.9;

const BAD: &str = "eaisercluster:slo_bad_requests:rate5m";
const ALL: &str = "eaisercluster:slo_requests:rate5m";

/// Ratio of bad requests in a long and a short window, as multiples of the error budget.
struct BurnRate {
    long: &'static str,
    short: &'static str,
    factor: f64,
}

/// 2 % of the 30 days' budget in an hour, or 5 % in six hours.
const FAST: [BurnRate; 2] =
    [BurnRate { long: "1h", short: "5m", factor: 14.4 }, BurnRate { long: "6h", short: "30m", factor: 6.0 }];
/// 10 % of the budget in a day, or in three days.
const SLOW: [BurnRate; 2] =
    [BurnRate { long: "1d", short: "2h", factor: 3.0 }, BurnRate { long: "3d", short: "6h", factor: 1.0 }];

/// One objective.
struct Objective {
    name: &'static str,
    /// Share of requests that must be good.
    target: f64,
    bad: String,
    all: String,
    fast: &'static str,
    slow: &'static str,
    /// What is wrong with the bad requests.
    complaint: String,
}

/// One group per objective, so that each reads what it has just recorded.
pub fn groups(plan: &Plan) -> [RuleGroup; 2] {
    [availability(plan), latency(plan)].map(|objective| group(plan, &objective))
}

fn availability(plan: &Plan) -> Objective {
    let all = request_metric(plan, "http_requests_total");
    let failed = all.clone().matching("status", "5..");
    let target = 1.0 - plan.monitoring.error_budget;
    Objective {
        name: "availability",
        target,
        bad: format!("sum({}) or 0 * sum({})", failed.rate(), all.rate()),
        all: format!("sum({})", all.rate()),
        fast: "EaiserAvailabilityBudgetBurnsFast",
        slow: "EaiserAvailabilityBudgetBurnsSlowly",
        complaint: format!("of requests fail, objective {}% succeed", number(target * 100.0)),
    }
}

fn latency(plan: &Plan) -> Objective {
    let all = request_metric(plan, "http_request_duration_seconds_count");
    Objective {
        name: "latency",
        target: 0.95,
        bad: format!("clamp_min(sum({}) - sum({}), 0)", all.rate(), within_bound(plan).rate()),
        all: format!("sum({})", all.rate()),
        fast: "EaiserLatencyBudgetBurnsFast",
        slow: "EaiserLatencyBudgetBurnsSlowly",
        complaint: format!("of requests take longer than {}", bound_in_words(plan)),
    }
}

/// Requests that were answered in time. Python writes the bound 1 as `1.0`, Go as `1`.
pub fn within_bound(plan: &Plan) -> Selector {
    let bound = plan.monitoring.latency_bound_seconds;
    let written = number(bound);
    let expression = if written.contains('.') { exactly(&written) } else { format!(r"{written}(\.0)?") };
    request_metric(plan, "http_request_duration_seconds_bucket").matching("le", &expression)
}

/// A histogram knows only its bounds; which one stands in for the objective is said, not hidden.
fn bound_in_words(plan: &Plan) -> String {
    let (bound, objective) = (plan.monitoring.latency_bound_seconds, plan.monitoring.latency_p95_seconds);
    if (bound - objective).abs() < 1e-9 {
        return format!("{}s, objective 5%", number(objective));
    }
    format!(
        "{}s, the histogram's bound nearest to the objective of {}s, objective 5%",
        number(bound),
        number(objective)
    )
}

fn group(plan: &Plan, objective: &Objective) -> RuleGroup {
    let mut rules = ratios(plan, objective);
    rules.extend(budget(plan, objective));
    if plan.mode != Mode::Stopped {
        rules.extend([
            burn(plan, objective, objective.fast, &FAST, Severity::Critical),
            burn(plan, objective, objective.slow, &SLOW, Severity::Warning),
        ]);
    }
    RuleGroup { name: format!("eaiser-{}-{}", plan.identity.name, objective.name), rules }
}

/// Unique: a namespace holds no dot, so the first one ends it.
fn sloth_id(plan: &Plan, objective: &Objective) -> String {
    format!("{}-{}", sloth_service(plan), objective.name)
}

fn sloth_service(plan: &Plan) -> String {
    format!("{}.{}", plan.identity.namespace, plan.identity.name)
}

/// Labels by which sloth's dashboards know an objective.
fn slo_labels(plan: &Plan, objective: &Objective) -> BTreeMap<String, String> {
    [
        ("sloth_id", sloth_id(plan, objective)),
        ("sloth_service", sloth_service(plan)),
        ("sloth_slo", objective.name.to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// A record with the labels of cluster and objective.
fn slo_record(plan: &Plan, objective: &Objective, name: &str, expr: String) -> Rule {
    let mut rule = record(plan, name, expr);
    rule.labels.extend(slo_labels(plan, objective));
    rule
}

/// A record made of other records. It inherits their labels: repeating them would be a third of the
/// file. The one that is repeated tells the two objectives' rules apart.
fn derived(plan: &Plan, objective: &Objective, name: &str, expr: String) -> Rule {
    let labels = [("sloth_id".to_owned(), sloth_id(plan, objective))].into();
    Rule { record: Some(name.to_owned()), expr, labels, ..Rule::default() }
}

fn of(plan: &Plan, objective: &Objective, metric: &str) -> Selector {
    Selector::new(metric).equal("sloth_id", &sloth_id(plan, objective))
}

fn ratio(window: &str) -> String {
    format!("slo:sli_error:ratio_rate{window}")
}

fn ratios(plan: &Plan, objective: &Objective) -> Vec<Rule> {
    let (bad, all) = (of(plan, objective, BAD), of(plan, objective, ALL));
    let windowed = |window: &str, expr: String| {
        let mut rule = derived(plan, objective, &ratio(window), expr);
        rule.labels.insert("sloth_window".to_owned(), window.to_owned());
        rule
    };
    let mut rules = vec![
        slo_record(plan, objective, BAD, objective.bad.clone()),
        slo_record(plan, objective, ALL, objective.all.clone()),
        windowed("5m", format!("{bad} / ({all} > 0)")),
    ];
    rules.extend(WINDOWS.map(|window| {
        windowed(window, format!("sum_over_time({bad}[{window}]) / (sum_over_time({all}[{window}]) > 0)"))
    }));
    rules
}

fn budget(plan: &Plan, objective: &Objective) -> Vec<Rule> {
    let budget = number(1.0 - objective.target);
    let constant = |name: &str, value: String| slo_record(plan, objective, name, format!("vector({value})"));
    let current = of(plan, objective, "slo:sli_error:ratio_rate5m");
    let period = of(plan, objective, "slo:sli_error:ratio_rate30d");
    let burnt = of(plan, objective, "slo:period_burn_rate:ratio");
    let mut info = constant("sloth_slo_info", "1".to_owned());
    info.labels.insert("sloth_objective".to_owned(), number(objective.target * 100.0));
    vec![
        constant("slo:objective:ratio", number(objective.target)),
        constant("slo:error_budget:ratio", budget.clone()),
        constant("slo:time_period:days", PERIOD_DAYS.to_string()),
        derived(plan, objective, "slo:current_burn_rate:ratio", format!("{current} / {budget}")),
        derived(plan, objective, "slo:period_burn_rate:ratio", format!("{period} / {budget}")),
        derived(plan, objective, "slo:period_error_budget_remaining:ratio", format!("1 - {burnt}")),
        info,
    ]
}

/// Both windows exceed the burn rate: the long one says that it matters, the short one that it goes on.
fn burn(
    plan: &Plan,
    objective: &Objective,
    name: &'static str,
    rates: &[BurnRate; 2],
    severity: Severity,
) -> Rule {
    let exceeds = |window: &str, factor: f64| {
        let threshold = (factor * (1.0 - objective.target)).min(LARGEST_THRESHOLD);
        let series = of(plan, objective, &ratio(window));
        format!("max({series} > {}) without (sloth_window)", number(threshold))
    };
    let enough = |window: &str| {
        format!("avg_over_time({}[{window}]) > {}", recorded(plan, REQUESTS), number(TRAFFIC_FLOOR))
    };
    let pair = |rate: &BurnRate| {
        let BurnRate { long, short, factor } = rate;
        format!(
            "({} and {} and on (namespace, eaisercluster) {} and on (namespace, eaisercluster) {})",
            exceeds(short, *factor),
            exceeds(long, *factor),
            enough(short),
            enough(long)
        )
    };
    let summary =
        format!("the error budget burns: {{{{ $value | humanizePercentage }}}} {}", objective.complaint);
    let expr = rates.iter().map(pair).collect::<Vec<_>>().join(" or ");
    alert(plan, Alert { name, hold: None, severity, expr, summary })
}

/// The thresholds of the spec that hold for the moment, beside the budgets for the month.
pub fn momentary(plan: &Plan) -> Vec<Alert> {
    let monitoring = &plan.monitoring;
    let floor =
        format!("and on (namespace, eaisercluster) {} > {}", recorded(plan, REQUESTS), number(TRAFFIC_FLOOR));
    let failing = of(plan, &availability(plan), "slo:sli_error:ratio_rate5m");
    let slowest = recorded(plan, LATENCY_P95);
    let rate = number(monitoring.error_rate);
    let latency = number(monitoring.latency_p95_seconds);
    vec![
        Alert {
            name: "EaiserErrorRateHigh",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: format!("{failing} > {rate} {floor}"),
            summary: format!(
                "{{{{ $value | humanizePercentage }}}} of requests fail, objective {}%",
                number(monitoring.error_rate * 100.0)
            ),
        },
        Alert {
            name: "EaiserLatencyHigh",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: format!("{slowest} > {latency} {floor}"),
            summary: format!(
                "95 % of requests take up to {{{{ $value | humanizeDuration }}}}, objective {latency}s"
            ),
        },
    ]
}
