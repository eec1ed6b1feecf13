//! The chart: what it renders, what it refuses, and an upgrade from the version before.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use eaiser_operator::crd::EaiserCluster;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;

use crate::support::cluster::FORMED_WITHIN;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, World, example, lab, operator, scenario, until};

/// Name of the release.
const RELEASE: &str = "eaiser-operator";
/// Environment variable with the image of the operator that the chart of the version before installed.
const PREVIOUS: &str = "EAISER_PREVIOUS_OPERATOR_IMAGE";

/// The sets of values of tests/data.
#[derive(Deserialize)]
struct Sets {
    accepted: BTreeMap<String, Value>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    values: Value,
    words: Vec<String>,
}

fn sets() -> Sets {
    let path = lab::repository().join("tests/data/chart-values.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
#[ignore = "needs a cluster: make test"]
fn every_set_of_values_renders_what_the_api_server_takes_to_the_letter() {
    scenario(Needs::ApiServer, seconds(180), async |world| {
        for (name, values) in sets().accepted {
            let rendered = helm(world, "template", &values);
            assert!(rendered.status.success(), "{name}: {}", text(&rendered.stderr));
            let linted = helm(world, "lint", &values);
            assert!(linted.status.success(), "{name}: {}", text(&linted.stderr));
            let (objects, unserved) = served(&text(&rendered.stdout));
            let file = world.directory.join("rendered.yaml");
            std::fs::write(&file, objects.join("---\n")).unwrap();
            let mut apply = world.kubectl_command(&["apply", "--server-side", "--dry-run=server"]);
            apply.args(["--validate=strict", "--force-conflicts", "--filename"]).arg(&file);
            let output = apply.output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && errors.is_empty(), "{name}: {errors}");
            println!("{name}: {} objects taken; not served here and skipped: {unserved:?}", objects.len());
        }
    });
}

/// The rendered objects, without those of a kind that only prometheus-operator brings.
fn served(rendered: &str) -> (Vec<String>, Vec<String>) {
    let objects = rendered.split("---\n").filter(|text| text.contains("kind: "));
    let (unserved, objects): (Vec<_>, Vec<_>) =
        objects.map(str::to_owned).partition(|text| text.contains("monitoring.coreos.com/v1\n"));
    let kind = |text: &String| text.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap().to_owned();
    (objects, unserved.iter().map(kind).collect())
}

#[test]
#[ignore = "needs a cluster: make test"]
fn wrong_values_are_refused_with_their_place_named() {
    scenario(Needs::ApiServer, seconds(120), async |world| {
        for Refused { values, words } in sets().refused {
            let rendered = helm(world, "template", &values);
            assert!(!rendered.status.success(), "{values} was taken");
            let error = text(&rendered.stderr);
            assert!(words.iter().all(|word| error.contains(word)), "{values}: no {words:?} in: {error}");
        }
    });
}

/// `helm lint` or `helm template` of the chart with these values.
fn helm(world: &World, verb: &str, values: &Value) -> Output {
    let file = world.directory.join("values.json");
    std::fs::write(&file, values.to_string()).unwrap();
    let mut helm = Command::new("helm");
    match verb {
        "lint" => helm.args(["lint", "--strict", "--quiet"]),
        _ => helm.args(["template", RELEASE]),
    };
    helm.arg(lab::repository().join("charts/eaiser-operator"));
    helm.args(["--namespace", &world.namespace, "--values"]).arg(&file);
    helm.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What an upgrade of the operator must not touch.
#[derive(Debug, PartialEq)]
struct Databases {
    /// uid and restarts of every pod.
    pods: BTreeMap<String, (String, i32)>,
    /// Newest revision of every StatefulSet.
    revisions: BTreeMap<String, String>,
    /// uid of every claim.
    claims: BTreeMap<String, String>,
}

#[test]
#[ignore = "needs the lab: make test"]
fn an_upgrade_from_the_version_before_restarts_no_database() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let Some(previous) = std::env::var(PREVIOUS).ok().filter(|image| !image.is_empty()) else {
            println!("skipped: {PREVIOUS} names no image of the version before");
            return;
        };
        let (repository, tag) = previous.rsplit_once(':').unwrap();
        let before = lab::repository().join("tests/data/upgrade/eaiser-operator-0.1.0.tgz");
        let image = [format!("image.repository={repository}"), format!("image.tag={tag}")];
        release(world, before.to_str().unwrap(), &image);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let old = databases(world).await;
        let api = world.get::<Deployment>("eaiser-api").await.metadata.generation;

        // As the chart's README says: version 0.1.0 has no lease that would keep the new one waiting.
        world.kubectl(&["scale", "deployment", RELEASE, "--replicas=0"]);
        let chart = lab::repository().join("charts/eaiser-operator");
        release(world, chart.to_str().unwrap(), &[]);
        until("the new operator has written its objects", seconds(60), async || {
            let policies = world.api::<NetworkPolicy>().list(&ListParams::default()).await.unwrap().items;
            if policies.iter().any(|policy| policy.name_any() == "eaiser-mongodb") {
                Ok(())
            } else {
                Err(format!("{} network policies", policies.len()))
            }
        })
        .await;
        // Time in which a roll would have begun.
        tokio::time::sleep(seconds(20)).await;
        let now: EaiserCluster = cluster.ready(FORMED_WITHIN).await;
        let new = databases(world).await;
        println!("databases before: {old:#?}");
        println!("generation of the API's Deployment: {api:?}, then {:?}", {
            world.get::<Deployment>("eaiser-api").await.metadata.generation
        });
        println!("Ready after the upgrade: {:?}", now.status.and_then(|status| status.message));
        assert_eq!(new, old, "the upgrade touched a database");
    });
}

/// Installs or upgrades the release; helm takes over the custom resource that the scenario installed.
fn release(world: &World, chart: &str, further: &[String]) {
    let mut helm = Command::new("helm");
    helm.args(["upgrade", "--install", RELEASE, chart, "--namespace", &world.namespace]);
    helm.args(["--set", "namespaced=true", "--take-ownership", "--force-conflicts"]);
    helm.args(operator::chart_images());
    for value in further {
        helm.args(["--set", value]);
    }
    lab::run(helm);
    world.kubectl(&["rollout", "status", "deployment", RELEASE, "--timeout=120s"]);
}

async fn databases(world: &World) -> Databases {
    let everything = ListParams::default();
    let sets = world.api::<StatefulSet>().list(&everything).await.unwrap().items;
    let claims = world.api::<PersistentVolumeClaim>().list(&everything).await.unwrap().items;
    let mut pods: Vec<Pod> = world.pods("mongodb").await;
    pods.extend(world.pods("redis").await);
    let restarts = |pod: &Pod| {
        let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        containers.map(|container| container.restart_count).sum()
    };
    let revision = |set: &StatefulSet| set.status.as_ref().and_then(|status| status.update_revision.clone());
    Databases {
        pods: pods.iter().map(|pod| (pod.name_any(), (pod.uid().unwrap(), restarts(pod)))).collect(),
        revisions: sets.iter().map(|set| (set.name_any(), revision(set).unwrap())).collect(),
        claims: claims.iter().map(|claim| (claim.name_any(), claim.uid().unwrap())).collect(),
    }
}
