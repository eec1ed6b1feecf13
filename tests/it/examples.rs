//! Every example is a plan that stands, and a golden file of what it becomes.

use std::fs;

use eaiser_operator::desired::{self, Desired};
use eaiser_operator::manifest;
use eaiser_operator::plan::Plan;
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{ServedKinds, Snapshot};

fn plan_of(name: &str) -> Plan {
    let text = fs::read_to_string(format!("examples/{name}.yaml")).unwrap();
    let documents = manifest::clusters(&text).unwrap();
    assert_eq!(documents.len(), 1, "{name} holds one cluster");
    manifest::plan(&documents[0], &Settings::default())
        .unwrap_or_else(|problems| panic!("{name}: {problems}"))
}

fn render(name: &str, served: ServedKinds) -> Desired {
    desired::build(&plan_of(name), &Snapshot::offline(served))
}

const BARE: ServedKinds = ServedKinds { prometheus_rules: false, service_monitors: false };
const PROMETHEUS: ServedKinds = ServedKinds { prometheus_rules: true, service_monitors: true };

fn as_yaml(desired: &Desired) -> String {
    let yaml = |object| format!("---\n{}", serde_saphyr::to_string(object).unwrap());
    desired.objects().iter().map(yaml).collect()
}

#[test]
fn minimal_becomes_this() {
    insta::assert_snapshot!(as_yaml(&render("minimal", BARE)));
}

#[test]
fn the_demo_example_becomes_this() {
    insta::assert_snapshot!(as_yaml(&render("eaiser", PROMETHEUS)));
}

#[test]
fn production_becomes_this() {
    insta::assert_snapshot!(as_yaml(&render("production", PROMETHEUS)));
}

#[test]
fn every_file_among_the_examples_is_planned_here() {
    let mut names: Vec<String> = fs::read_dir("examples")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    assert_eq!(names, ["eaiser", "minimal", "production"]);
}

#[test]
fn a_hundred_renderings_have_the_same_bytes() {
    let once = as_yaml(&render("production", PROMETHEUS));
    for _ in 0..100 {
        assert!(once == as_yaml(&render("production", PROMETHEUS)));
    }
}
