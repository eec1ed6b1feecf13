//! `docs/metrics.md` against what the operator really exposes.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use eaiser_operator::crd::{EaiserCluster, EaiserClusterStatus};
use eaiser_operator::drive::Database;
use eaiser_operator::mongo::failover::{Failover, Kind};
use eaiser_operator::runtime::metrics::Metrics;
use eaiser_operator::runtime::metrics::clusters::Seen;
use eaiser_operator::runtime::metrics::phases::{Outcome, Phase};
use serde_json::{Value, json};

fn cluster(name: &str) -> EaiserCluster {
    let object = json!({
        "apiVersion": "eaiser.io/v1alpha1",
        "kind": "EaiserCluster",
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"capacity": {"users": 1000}, "api": {"image": "shop:1"}},
    });
    serde_json::from_value(object).unwrap()
}

fn status(change: &Value) -> EaiserClusterStatus {
    let mut status = json!({
        "conditions": [],
        "api": {"readyReplicas": 2},
        "capacity": {"headroomPercent": 12},
        "mongodb": {"primary": "a-mongodb-0"},
        "redis": {"slotsAssigned": 16384},
    });
    for (key, value) in change.as_object().unwrap() {
        status[key] = value.clone();
    }
    serde_json::from_value(status).unwrap()
}

/// Metrics in which everything happened once.
fn exercised() -> Metrics {
    let metrics = Metrics::default();
    metrics.passed("ok", Duration::from_millis(3));
    metrics.phases.ended(Phase::Apply, Outcome::Applied, Duration::from_millis(1));
    metrics.queue.depth("edit", 1);
    metrics.queue.waited("edit", Duration::from_millis(1));
    metrics.requests.fenced("patch", "services");
    metrics.leads(true);
    let seen = Seen { gateway_ready: Some(2), voting: 3, lag_seconds: Some(1), replicas_in_step: 3 };
    metrics.clusters.show(&cluster("eaiser"), &status(&json!({})), seen);
    metrics.databases.failed_over(Failover { kind: Kind::Planned, duration: Duration::from_secs(1) });
    metrics.databases.stepped(Database::MongoDb, "StepDown", Duration::from_millis(3));
    metrics
}

/// Name, type and labels of everything exposed.
fn exposed(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let mut all: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            all.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
        }
    }
    let names: Vec<String> = all.keys().cloned().collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.split(' ').next().unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let suffixes = ["", "_total", "_bucket", "_sum", "_count", "_info"];
        let known = |known: &&String| suffixes.iter().any(|suffix| name == format!("{known}{suffix}"));
        let metric = names.iter().find(known).unwrap_or_else(|| panic!("{name} has no type"));
        let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
        let (_, known) = all.get_mut(metric).unwrap();
        for (label, _) in labels.filter(|(label, _)| *label != "le") {
            if !known.iter().any(|known| known == label) {
                known.push(label.to_owned());
            }
        }
    }
    all
}

fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let text = fs::read_to_string("docs/metrics.md").unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `eaiser_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let plain = |cell: &str| cell.trim_matches('`').to_owned();
        let labels = cells[2].split(',').map(str::trim).filter(|label| !label.is_empty()).map(plain);
        (plain(cells[0]), (cells[1].to_owned(), labels.collect()))
    })
    .collect()
}

#[test]
fn every_metric_is_documented_with_type_and_labels_and_every_documented_one_exists() {
    assert_eq!(exposed(&exercised().render()), documented());
}

#[test]
fn a_cluster_has_at_most_ten_series_and_takes_them_along_when_it_is_deleted() {
    let metrics = exercised();
    let other = cluster("other");
    metrics.clusters.show(&other, &status(&json!({})), Seen::default());
    let of = |name: &str| {
        let label = format!("name=\"{name}\"");
        metrics.render().lines().filter(|line| line.contains(&label)).count()
    };
    assert_eq!(of("eaiser"), 10);
    metrics.clusters.remove("shop", "eaiser");
    assert_eq!(of("eaiser"), 0);
    assert!(of("other") > 0, "another cluster's series went too");
}

#[test]
fn what_is_not_known_is_absent_instead_of_zero() {
    let metrics = exercised();
    let unknown = status(&json!({"mongodb": null, "redis": null}));
    metrics.clusters.show(&cluster("eaiser"), &unknown, Seen::default());
    let text = metrics.render();
    let series: Vec<&str> = text.lines().filter(|line| line.contains("name=\"eaiser\"")).collect();
    assert!(series.iter().all(|line| !line.contains("_mongodb_") && !line.contains("_redis_")), "{series:?}");
}

#[test]
fn a_process_that_lost_the_lease_says_nothing_about_clusters() {
    let metrics = exercised();
    metrics.leads(false);
    let text = metrics.render();
    assert!(!text.contains("name=\"eaiser\""), "{text}");
    assert!(text.contains("\neaiser_operator_leader 0\n"), "{text}");
    assert!(text.contains("\neaiser_operator_leader_changes_total 2\n"), "{text}");
}
