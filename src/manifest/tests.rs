//! Bad files, one behaviour each.

use super::*;

const GOOD: &str = "{apiVersion: eaiser.io/v1alpha1, kind: EaiserCluster, metadata: {name: eaiser}, spec: {capacity: {users: 1000}, api: {image: a}}}";

fn with(spec: &str) -> String {
    format!(
        "{{apiVersion: eaiser.io/v1alpha1, kind: EaiserCluster, metadata: {{name: eaiser}}, spec: {spec}}}"
    )
}

fn problems(text: &str) -> Vec<String> {
    let documents = clusters(text).unwrap();
    plan(&documents[0], &Settings::default()).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn ten_lines_are_a_complete_cluster() {
    let documents = clusters(GOOD).unwrap();
    assert!(plan(&documents[0], &Settings::default()).is_ok());
}

#[test]
fn every_violation_of_the_schema_is_reported_at_once() {
    let found = problems(&with("{capacity: {users: -1, zones: many}, api: {imagee: a, port: 80}}"));
    for expected in [
        "spec.capacity.users",
        "spec.capacity.zones",
        "spec.api.image: is required",
        "spec.api.imagee: is no known field",
        "spec.api.port",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(expected)),
            "{expected} is missing in {found:#?}"
        );
    }
}

#[test]
fn an_index_is_part_of_the_path() {
    let found =
        problems(&with("{capacity: {users: 1}, api: {image: a, env: [{name: GOOD}, {name: 'not good'}]}}"));
    assert!(found[0].starts_with("spec.api.env[1].name: "), "{found:?}");
}

#[test]
fn rules_across_fields_and_problems_of_the_plan_come_together() {
    let found = problems(&with(
        "{capacity: {users: 100000, baselineUsers: 200000}, api: {image: a}, mongodb: {members: 2, resources: {limits: {memory: 1Gi}}}}",
    ));
    for expected in ["baselineUsers must not exceed", "mongodb.members must be odd", "MongoDB connections"] {
        assert!(
            found.iter().any(|problem| problem.contains(expected)),
            "{expected} is missing in {found:#?}"
        );
    }
}

#[test]
fn a_reserved_variable_is_refused_with_its_field() {
    let found =
        problems(&with("{capacity: {users: 1}, api: {image: a, env: [{name: MONGODB_URI, value: x}]}}"));
    assert!(found[0].starts_with("spec.api.env[0]"), "{found:?}");
    assert!(found[0].contains("set by the operator"), "{found:?}");
}

#[test]
fn other_kinds_in_the_same_file_are_passed_over() {
    let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---\n{GOOD}\n");
    assert_eq!(clusters(&text).unwrap().len(), 1);
}

#[test]
fn a_file_without_a_cluster_says_what_was_expected() {
    let error = clusters("apiVersion: v1\nkind: Namespace\n").unwrap_err();
    assert!(error.to_string().contains("eaiser.io/v1alpha1"), "{error}");
}

#[test]
fn text_that_is_not_yaml_is_an_error() {
    assert!(matches!(clusters("{unclosed"), Err(Error::Yaml { .. })));
}

#[test]
fn what_a_rule_says_of_a_field_is_not_said_again_by_the_plan() {
    let found = problems(&with("{capacity: {users: 1}, api: {image: a}, mongodb: {members: 4}}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("spec.mongodb.members: "), "{found:?}");
}
