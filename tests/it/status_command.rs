//! `eaiser status`: one screen, the table, JSON, exit codes, and errors with a way out.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::api_server::{Server, World, run};
use crate::live_cluster::{NAMESPACE, clusters, settled, stored};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn pods() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods")
}

/// The times in a world are relative to now, so that ages are always the same.
fn ago(days: i64) -> Value {
    let then = k8s_openapi::jiff::Timestamp::from_second(now() - days * 86_400).unwrap();
    json!(then.to_string())
}

#[allow(clippy::disallowed_methods, reason = "ages are relative to now")]
fn now() -> i64 {
    k8s_openapi::jiff::Timestamp::now().as_second()
}

fn aged() -> World {
    let mut world = settled();
    for path in [pods(), clusters()] {
        for object in world.objects(&path) {
            object["metadata"]["creationTimestamp"] = ago(3);
        }
    }
    world
}

fn cluster(world: &mut World) -> &mut Value {
    &mut world.objects(&clusters())[0]
}

#[test]
fn a_ready_cluster_fills_one_screen_and_exits_with_zero() {
    let output = Server::start(aged()).eaiser(&["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.lines().count() <= 40, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_degraded_cluster_names_the_pod_and_the_cause_and_exits_with_three() {
    let mut world = aged();
    let message = "pod eaiser-mongodb-2 is unschedulable: 0/3 nodes have 4Gi free";
    let status = &mut cluster(&mut world)["status"];
    status["phase"] = json!("Degraded");
    status["message"] = json!(message);
    status["conditions"] =
        json!(["Ready", "MongoDBReady"].map(|type_| json!({"type": type_, "status": "False",
        "reason": "PodUnschedulable", "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"})));
    for pod in world.objects(&pods()) {
        if pod["metadata"]["name"] == "eaiser-mongodb-2" {
            pod["spec"]["nodeName"] = json!(null);
            pod["status"] = json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        }
        if pod["metadata"]["name"] == "eaiser-api-0" {
            pod["status"]["conditions"] = json!([]);
            pod["status"]["containerStatuses"] = json!([{"name": "api", "image": "a", "imageID": "", "ready": false,
                "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
        }
    }
    world.add(&format!("/api/v1/namespaces/{NAMESPACE}/events"), json!({
        "metadata": {"name": "e1"}, "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container",
        "count": 12, "lastTimestamp": ago(0),
        "involvedObject": {"kind": "Pod", "name": "eaiser-api-0"},
    }));
    let output = Server::start(world).eaiser(&["status", "eaiser"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let text = stdout(&output);
    for expected in [
        "Degraded",
        message,
        "Unschedulable",
        "CrashLoopBackOff",
        "↻7",
        "Ready=False, MongoDBReady=False",
        "BackOff ×12",
    ] {
        assert!(text.contains(expected), "no {expected} in:\n{text}");
    }
}

#[test]
fn a_hundred_pods_still_fit_and_the_one_that_is_not_ready_is_shown() {
    let mut world = aged();
    let template =
        world.objects(&pods()).iter().find(|pod| pod["metadata"]["name"] == "eaiser-api-0").unwrap().clone();
    for number in 2..100 {
        let mut pod = template.clone();
        pod["metadata"]["name"] = json!(format!("eaiser-api-{number}"));
        if number == 77 {
            pod["status"]["conditions"] = json!([]);
        }
        world.add(&pods(), pod);
    }
    let text = stdout(&Server::start(world).eaiser(&["status"]));
    assert!(text.contains("eaiser-api-77"), "{text}");
    assert!(text.contains("… 93 more on"), "{text}");
    assert!(text.lines().count() <= 45, "{text}");
}

#[test]
fn a_cluster_no_operator_has_seen_asks_for_the_operator() {
    let mut world = World::new();
    world.add(&clusters(), stored());
    let output = Server::start(world).eaiser(&["status"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("no operator has looked at this cluster yet"), "{}", stdout(&output));
}

#[test]
fn a_status_of_an_older_spec_is_not_taken_for_ready() {
    let mut world = aged();
    cluster(&mut world)["metadata"]["generation"] = json!(2);
    let output = Server::start(world).eaiser(&["status"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stdout(&output).contains("it is generation 2, and the status speaks of 1"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn several_clusters_become_a_table() {
    let mut world = aged();
    let mut second = stored();
    second["metadata"]["name"] = json!("other");
    world.add(&clusters(), second);
    let output = Server::start(world).eaiser(&["status"]);
    assert_eq!(output.status.code(), Some(3), "one of them is not ready");
    let text = stdout(&output);
    assert!(text.lines().count() == 3 && text.contains("other") && text.contains("MESSAGE"), "{text}");
}

#[test]
fn the_json_form_holds_the_same_facts() {
    let output = Server::start(aged()).eaiser(&["status", "-o", "json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found[0]["ready"], &found[0]["phase"]), (&json!(true), &json!("Ready")));
    let redis = &found[0]["tiers"][3];
    assert_eq!((&redis["ready"], &redis["wanted"]), (&json!(6), &json!(6)));
    assert_eq!(redis["pods"][1]["role"], "primary, 5461 slots");
}

#[test]
fn what_the_caller_may_not_list_is_left_out_by_name() {
    let mut world = aged();
    world.refuse("/pods", 403);
    let output = Server::start(world).eaiser(&["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("pods are not shown: you may not list them"), "{}", stdout(&output));
}

#[test]
fn every_error_names_the_object_and_a_way_out() {
    let mut forbidden = aged();
    forbidden.refuse("/eaiserclusters", 403);
    let mut empty = World::new();
    empty.objects(&clusters());
    let cases: [(World, &[&str], &[&str]); 5] = [
        (aged(), &["status", "nope"], &["EaiserCluster nope", "namespace shop", "there is eaiser"]),
        (empty, &["status"], &["no EaiserCluster in namespace shop", "kubectl get eac -A"]),
        (World::default(), &["status"], &["does not serve eaiserclusters.eaiser.io", "eaiser crd"]),
        (World::default(), &["status", "eaiser"], &["does not serve eaiserclusters.eaiser.io", "eaiser crd"]),
        (
            forbidden,
            &["status"],
            &["you may not list eaiserclusters", "kubectl auth can-i list eaiserclusters -n shop"],
        ),
    ];
    for (world, arguments, words) in cases {
        let output = Server::start(world).eaiser(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stdout(&output));
        for word in words {
            assert!(stderr(&output).contains(word), "{arguments:?}: no {word:?} in {}", stderr(&output));
        }
    }
}

#[test]
fn without_a_kubeconfig_the_error_says_what_to_set() {
    let output = run(Path::new("/no/such/kubeconfig"), &["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("set KUBECONFIG"), "{}", stderr(&output));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let server = Server::start(World::new());
    let config = std::env::temp_dir().join(format!("eaiser-nobody-{}.json", std::process::id()));
    let content = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "t",
        "clusters": [{"name": "t", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "t", "user": {}}],
        "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
    });
    std::fs::write(&config, content.to_string()).unwrap();
    let output = run(&config, &["status"]);
    drop(server);
    std::fs::remove_file(&config).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("the API server at http://127.0.0.1:9 does not answer"),
        "{}",
        stderr(&output)
    );
}
