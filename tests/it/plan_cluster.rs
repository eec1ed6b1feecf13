//! `eaiser plan --cluster`: what would change, and exit codes that scripts can rely on.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

use crate::api_server::{Server, World};
use crate::live_cluster::{NAMESPACE, clusters, settled, stored};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn core(plural: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/{plural}")
}

fn apps(plural: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/{plural}")
}

/// Digests change whenever anything that is rendered does; here only that they change matters.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 16 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = |line: &str| {
        line.split(' ')
            .map(|word| if is_digest(word) { "<digest>" } else { word })
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(words).collect::<Vec<_>>().join("\n")
}

/// A file with the stored object, changed.
struct File(PathBuf);

impl File {
    fn new(test: &str, change: impl FnOnce(&mut Value)) -> Self {
        let mut object = stored();
        object["metadata"] = json!({"name": "eaiser", "namespace": NAMESPACE});
        change(&mut object);
        let path = std::env::temp_dir().join(format!("eaiser-{test}-{}.yaml", std::process::id()));
        std::fs::write(&path, object.to_string()).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_settled_cluster_would_not_change_and_exits_with_zero() {
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "eaiser"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("nothing would change"), "{}", stdout(&output));
}

#[test]
fn a_file_that_says_the_same_changes_nothing() {
    let file = File::new("same", |_| ());
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "-f", file.path()]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn a_changed_file_shows_fields_and_restarts_and_exits_with_two() {
    let file = File::new("changed", |object| {
        object["spec"]["api"]["image"] = json!("registry.example.com/backend:2");
        object["spec"]["mongodb"]["resources"]["requests"]["cpu"] = json!("150m");
        object["spec"]["redis"]["maxmemoryPolicy"] = json!("noeviction");
    });
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "-f", file.path()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    insta::assert_snapshot!(without_digests(&stdout(&output)));
}

#[test]
fn a_larger_peak_shows_what_follows_from_it() {
    let file = File::new("peak", |object| object["spec"]["capacity"]["users"] = json!(8000));
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "-f", file.path()]);
    let text = stdout(&output);
    for expected in ["capacity.users  4000 → 8000", "maxReplicas", "4 → 8", "+     worker_connections 9191;"]
    {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
}

#[test]
fn the_json_form_says_the_same_in_stable_names() {
    let file = File::new("json", |object| object["spec"]["capacity"]["users"] = json!(8000));
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "-f", file.path(), "-o", "json"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found[0]["spec"], json!([{"path": "capacity.users", "old": 4000, "new": 8000}]));
    let autoscaler = found[0]["objects"]
        .as_array()
        .unwrap()
        .iter()
        .find(|object| object["kind"] == "HorizontalPodAutoscaler");
    assert_eq!(
        autoscaler.unwrap(),
        &json!({"kind": "HorizontalPodAutoscaler", "name": "eaiser-api", "action": "change",
            "fields": [{"path": "spec.maxReplicas", "old": 4, "new": 8}]})
    );
}

#[test]
fn a_new_cluster_creates_everything_and_names_what_is_in_the_way() {
    let mut world = World::new();
    world.add(&core("secrets"), json!({"metadata": {"name": "eaiser-mongodb-keyfile"}}));
    world.objects(&clusters());
    let file = File::new("new", |_| ());
    let output = Server::start(world).eaiser(&["plan", "--cluster", "-f", file.path()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("does not exist yet"), "{text}");
    assert!(text.contains("+ StatefulSet/eaiser-mongodb"), "{text}");
    assert!(text.contains("! Secret/eaiser-mongodb-keyfile exists and is not this cluster's"), "{text}");
}

#[test]
fn what_somebody_edited_and_what_is_wanted_no_more_are_put_right() {
    let mut world = settled();
    world.objects(&core("services"))[0]["spec"]["publishNotReadyAddresses"] = json!(false);
    let mut stray = world.objects(&core("configmaps"))[0].clone();
    stray["metadata"]["name"] = json!("eaiser-old-rules");
    world.add(&core("configmaps"), stray);
    let output = Server::start(world).eaiser(&["plan", "--cluster"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("spec.publishNotReadyAddresses  false → true"), "{text}");
    assert!(text.contains("- ConfigMap/eaiser-old-rules"), "{text}");
    assert!(!text.contains("Restarts"), "{text}");
}

#[test]
fn a_roll_that_is_under_way_is_a_restart_to_come() {
    let mut world = settled();
    for set in world.objects(&apps("statefulsets")) {
        if set["metadata"]["name"] == "eaiser-mongodb" {
            set["status"]["updateRevision"] = json!("r2");
        }
    }
    let output = Server::start(world).eaiser(&["plan", "--cluster"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("eaiser-mongodb-2 eaiser-mongodb-0 eaiser-mongodb-1"), "the primary last: {text}");
}

#[test]
fn secrets_nobody_may_read_are_not_called_changed() {
    let mut world = settled();
    world.refuse(&core("secrets"), 403);
    let output = Server::start(world).eaiser(&["plan", "--cluster"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert!(text.contains("not compared, because you may not list them: Secret"), "{text}");
}

#[test]
fn no_password_is_printed_in_any_form() {
    let file = File::new("secret", |object| object["spec"]["capacity"]["users"] = json!(8000));
    let world = settled();
    let password = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    for form in ["table", "json", "yaml"] {
        let output =
            Server::start(world.clone()).eaiser(&["plan", "--cluster", "-f", file.path(), "-o", form]);
        let text = stdout(&output);
        assert!(text.contains("(hidden)"), "the connection string changes: {text}");
        assert!(!text.contains(password), "{text}");
        assert!(!text.contains("QndjSEJ3Y0hCd2NI"), "nor in base64: {text}");
    }
}

#[test]
fn a_change_that_admission_refuses_is_a_problem_and_no_plan() {
    let file = File::new("refused", |object| object["spec"]["redis"]["shards"] = json!(5));
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "-f", file.path()]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stderr(&output).contains("redis.shards cannot be changed"), "{}", stderr(&output));
}

#[test]
fn a_paused_cluster_says_that_nothing_happens_yet() {
    let file = File::new("paused", |object| object["spec"]["operation"] = json!({"paused": true}));
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "-f", file.path()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).contains("the cluster is paused"), "{}", stdout(&output));
}

#[test]
fn a_namespace_that_contradicts_the_file_is_an_error() {
    let file = File::new("namespaces", |_| ());
    let output = Server::start(settled()).eaiser(&["plan", "--cluster", "-f", file.path(), "-n", "other"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("namespace shop"), "{}", stderr(&output));
}

#[test]
fn a_file_alone_needs_no_namespace() {
    let output = Server::start(World::new()).eaiser(&["plan", "-f", "examples/minimal.yaml", "-n", "shop"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--cluster"), "{}", stderr(&output));
}
