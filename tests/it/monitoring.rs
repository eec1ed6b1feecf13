//! Alerts, runbooks, their cases and the chart's generated files, held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use eaiser_operator::desired::kinds::{Rule, RuleGroup};
use eaiser_operator::desired::monitoring::{dashboard, operator, rules};
use eaiser_operator::manifest;
use eaiser_operator::plan::Plan;
use eaiser_operator::settings::Settings;
use serde_json::{Value, json};

fn plan_with(patch: Value) -> Plan {
    let text = fs::read_to_string("examples/production.yaml").unwrap();
    let mut document = manifest::clusters(&text).unwrap().remove(0);
    document["spec"]["operation"] = patch;
    manifest::plan(&document, &Settings::default()).unwrap()
}

fn alerts(groups: Vec<RuleGroup>) -> Vec<Rule> {
    groups.into_iter().flat_map(|group| group.rules).filter(|rule| rule.alert.is_some()).collect()
}

/// Of a cluster with every tier, and of the operator itself.
fn every_alert() -> BTreeMap<String, Rule> {
    let mut all = alerts(rules::groups(&plan_with(json!({}))));
    all.extend(alerts(operator::rules().groups));
    all.into_iter().map(|rule| (rule.alert.clone().unwrap(), rule)).collect()
}

fn names(alerts: &BTreeMap<String, Rule>) -> BTreeSet<&str> {
    alerts.keys().map(String::as_str).collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let pages: Vec<String> = fs::read_dir("docs/runbooks")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| file != "README.md")
        .collect();
    let pages: BTreeSet<&str> = pages.iter().map(|file| file.strip_suffix(".md").unwrap()).collect();
    let alerts = every_alert();
    assert_eq!(names(&alerts), pages);
}

#[test]
fn every_runbook_explains_costs_finds_and_mends() {
    for name in every_alert().keys() {
        let page = fs::read_to_string(format!("docs/runbooks/{name}.md")).unwrap();
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, ["## Meaning", "## Impact", "## Diagnosis", "## Remedy"], "{name}");
        for link in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(fs::exists(format!("docs/runbooks/{link}")).unwrap(), "{name} links {link}");
        }
    }
}

#[test]
fn every_alert_says_how_loud_it_is_what_happens_and_where_to_read_on() {
    for (name, rule) in every_alert() {
        assert!(["critical", "warning"].contains(&rule.labels["severity"].as_str()), "{name}");
        assert!(rule.annotations["summary"].len() > 20, "{name}");
        let page = format!("/docs/runbooks/{name}.md");
        assert!(rule.annotations["runbook_url"].ends_with(&page), "{name}");
    }
}

/// Names of the alerts that the cases expect to fire, and to stay silent.
fn cases() -> [BTreeSet<String>; 2] {
    let [mut fires, mut silent] = [BTreeSet::new(), BTreeSet::new()];
    for entry in fs::read_dir("tests/rules").unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let file: Value = serde_saphyr::from_str(&text).unwrap();
        let groups = file["tests"].as_array().unwrap();
        for case in groups.iter().flat_map(|group| group["alert_rule_test"].as_array().unwrap()) {
            let expected = case["exp_alerts"].as_array().unwrap();
            let into = if expected.is_empty() { &mut silent } else { &mut fires };
            into.insert(case["alertname"].as_str().unwrap().to_owned());
        }
    }
    [fires, silent]
}

/// `tests/run.sh rules` gives them to promtool, which says whether they are true.
#[test]
fn every_alert_has_a_case_that_fires_and_one_that_stays_silent() {
    let alerts = every_alert();
    let [fires, silent] = cases();
    let names = names(&alerts);
    assert_eq!(fires.iter().map(String::as_str).collect::<BTreeSet<_>>(), names, "cases that fire");
    assert_eq!(silent.iter().map(String::as_str).collect::<BTreeSet<_>>(), names, "cases that stay silent");
}

#[test]
fn the_charts_generated_files_are_what_the_code_says() {
    let files =
        [("dashboard.json", dashboard::json()), ("operator-rules.yaml", rules::file(&operator::rules()))];
    for (file, rendered) in files {
        let committed = fs::read_to_string(format!("charts/eaiser-operator/files/{file}")).unwrap();
        assert!(committed == rendered, "{file} has drifted: run `make monitoring`");
    }
}

#[test]
fn a_cluster_stopped_on_purpose_keeps_its_records_and_alarms_nobody() {
    let groups = rules::groups(&plan_with(json!({"stopped": true})));
    assert!(groups.iter().any(|group| !group.rules.is_empty()));
    assert_eq!(alerts(groups).len(), 0);
}

#[test]
fn a_single_mongodb_member_and_a_fixed_number_of_pods_have_no_alerts_that_could_not_be_quiet() {
    let text = "{apiVersion: eaiser.io/v1alpha1, kind: EaiserCluster, metadata: {name: eaiser}, spec: {capacity: {users: 10}, api: {image: a, autoscaling: {enabled: false}}, mongodb: {members: 1}, redis: {replicasPerShard: 0}}}";
    let document = manifest::clusters(text).unwrap().remove(0);
    let plan = manifest::plan(&document, &Settings::default()).unwrap();
    let found = alerts(rules::groups(&plan));
    let found: BTreeSet<_> = found.iter().filter_map(|rule| rule.alert.as_deref()).collect();
    for absent in ["EaiserMongoDBMajorityAtRisk", "EaiserRedisReplicaOutOfStep", "EaiserApiAtMaximum"] {
        assert!(!found.contains(absent), "{absent} would fire all the time");
    }
}
