//! The `eaiser` command as a script sees it.

use std::process::{Command, Output, Stdio};

fn eaiser(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eaiser")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_good_file_is_planned_with_exit_code_zero() {
    let output = eaiser(&["plan", "-f", "examples/production.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn the_json_form_holds_numbers_and_objects() {
    let output = eaiser(&["plan", "-f", "examples/minimal.yaml", "-o", "json"]);
    let documents: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(documents[0]["capacity"]["maxReplicas"], 100);
    assert_eq!(documents[0]["capacity"]["binding"], "connections");
    assert!(documents[0]["objects"].as_array().unwrap().len() > 15);
}

#[test]
fn a_bad_file_prints_every_problem_with_its_field_and_exits_with_one() {
    let folder = std::env::temp_dir().join(format!("eaiser-bad-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("bad.yaml");
    std::fs::write(
        &file,
        "{apiVersion: eaiser.io/v1alpha1, kind: EaiserCluster, metadata: {name: a}, spec: {capacity: {users: 0, zoness: 2}, api: {port: 80, replicas: x}, redis: {shards: 1}}}",
    )
    .unwrap();
    let output = eaiser(&["plan", "-f", file.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "nothing that looks like a plan");
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn several_numbers_of_users_are_laid_side_by_side_and_one_beyond_the_budget_says_why() {
    let arguments = ["plan", "--users", "15000,100000,900000", "-f", "examples/production.yaml"];
    let output = eaiser(&arguments);
    assert_eq!(output.status.code(), Some(1), "900,000 users need more connections than the members hold");
    insta::assert_snapshot!(text(&output.stdout));
    let output = eaiser(&[&arguments[..], &["-o", "json"]].concat());
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[1]["constraints"][0], serde_json::json!({"name": "connections", "replicas": 100}));
    assert_eq!(rows[1]["reduced"]["instances"], 66);
    assert!(rows[2]["problems"][0].as_str().unwrap().contains("MongoDB connections"), "{}", rows[2]);
}

#[test]
fn impossible_numbers_of_users_are_refused_by_name() {
    let none = eaiser(&["plan", "--users", "0"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stdout).contains("spec.capacity.users"), "{}", text(&none.stdout));
    let word = eaiser(&["plan", "--users", "many"]);
    assert_eq!(word.status.code(), Some(1));
    assert!(text(&word.stderr).contains("--users"), "{}", text(&word.stderr));
}

#[test]
fn a_missing_file_is_named() {
    let output = eaiser(&["plan", "-f", "no/such/file.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read no/such/file.yaml"), "{}", text(&output.stderr));
}

#[test]
fn wrong_usage_exits_with_one_since_two_means_changes() {
    assert_eq!(eaiser(&["plan"]).status.code(), Some(1));
    assert_eq!(eaiser(&["scale"]).status.code(), Some(1));
    assert_eq!(eaiser(&["--version"]).status.code(), Some(0));
}

#[test]
fn help_shows_examples() {
    assert!(text(&eaiser(&["--help"]).stdout).contains("Examples:"));
    for command in ["plan", "status"] {
        let help = text(&eaiser(&[command, "--help"]).stdout);
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    }
}

#[test]
fn an_operator_without_a_cluster_says_what_to_set() {
    let output = Command::new(env!("CARGO_BIN_EXE_eaiser"))
        .args(["operator", "--http-address", "127.0.0.1:0"])
        .env_clear()
        .env("KUBECONFIG", "/no/such/kubeconfig")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("KUBECONFIG"), "{}", text(&output.stderr));
}

/// kubectl finds `kubectl eaiser` by the name of a file on the PATH.
#[test]
fn linked_as_a_kubectl_plugin_it_shows_how_it_was_called() {
    let link =
        std::env::temp_dir().join(format!("eaiser-plugin-{}", std::process::id())).join("kubectl-eaiser");
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_eaiser"), &link).unwrap();
    let output = Command::new(&link).args(["status", "--help"]).output().unwrap();
    std::fs::remove_dir_all(link.parent().unwrap()).unwrap();
    assert!(text(&output.stdout).contains("Usage: kubectl eaiser status"), "{}", text(&output.stdout));
}
