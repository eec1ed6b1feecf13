//! The chart grants exactly what the operator uses, as the API server's audit log tells.

use std::collections::BTreeSet;
use std::process::Command;

use eaiser_operator::names::{Identity, Tier};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::support::audit::Audit;
use crate::support::cluster::{FORMED_WITHIN, NAME, ROLLED_WITHIN, example_with};
use crate::support::until::seconds;
use crate::support::world::TESTER;
use crate::support::{Cluster, Needs, World, lab, operator, scenario, until};

/// Name of the release, and of everything in it.
const RELEASE: &str = "eaiser-operator";
/// A resource (`group/resource/subresource`) and a verb.
type Right = (String, String);

#[test]
#[ignore = "needs the lab: make test"]
fn the_role_of_one_namespace_grants_exactly_what_is_used() {
    scenario(Needs::Lab, seconds(560), async |world| {
        exactly_what_is_used(world, &world.namespace, "role").await;
    });
}

#[test]
#[ignore = "needs the lab: make test"]
fn the_role_of_all_namespaces_grants_exactly_what_is_used() {
    scenario(Needs::Lab, seconds(560), async |world| {
        let system = world.second_namespace().await;
        exactly_what_is_used(world, &system, "clusterrole").await;
    });
}

/// Reads the log from its beginning: `make test` runs this after every other scenario.
#[test]
#[ignore = "needs the lab: make test"]
fn no_operator_was_ever_refused_a_request_or_warned_about_a_pod() {
    scenario(Needs::Lab, seconds(120), async |_| {
        let events = Audit::whole().events(|user| user.ends_with(":eaiser-operator"));
        assert!(!events.is_empty(), "no operator has run yet");
        let refused: Vec<_> = events.iter().filter(|event| is_refused(event)).map(what).collect();
        let warned: Vec<_> = events.iter().filter(|event| is_warned(event)).map(what).collect();
        println!(
            "{} requests of operators: {} refused, {} with a Pod Security warning",
            events.len(),
            refused.len(),
            warned.len()
        );
        assert!(refused.is_empty() && warned.is_empty(), "refused {refused:#?}, warned {warned:#?}");
    });
}

/// Forbidden for want of a right; other 403s, such as that of a full quota, are none.
fn is_refused(event: &Value) -> bool {
    event["annotations"]["authorization.k8s.io/decision"] == "forbid"
}

fn is_warned(event: &Value) -> bool {
    event["annotations"].get("pod-security.kubernetes.io/audit-violations").is_some()
}

fn what(event: &Value) -> String {
    format!("{} {}", event["verb"], event["requestURI"])
}

/// Lives through all that happens to a cluster under the chart's own rights.
async fn exactly_what_is_used(world: &World, system: &str, kind: &str) {
    serve_optional_kinds(world).await;
    let audit = Audit::begin();
    let namespaced = kind == "role";
    let _release = Release::install(world, system, namespaced);
    let operation = json!({"operation": {"deletionPolicy": "Delete"}});
    let cluster = Cluster::apply(world, example_with(operation)).await;
    cluster.ready(FORMED_WITHIN).await;
    prune_strays(world, &cluster).await;
    // The second loss of readiness is told by the event of the first, counted up.
    for _ in 0..2 {
        lose_the_gateway(world, &cluster).await;
    }
    let redis = world.pods("redis").await;
    cluster.change(json!({"redis": {"maxmemoryPolicy": "allkeys-lfu"}})).await;
    cluster.rolled(world, &redis, ROLLED_WITHIN).await;
    cluster.delete().await;
    let used = used(&audit.events(|user| user == format!("system:serviceaccount:{system}:{RELEASE}")));
    let granted = granted(world, system, kind);

    let unused: Vec<_> = granted.difference(&used).collect();
    let missing: Vec<_> = used.difference(&granted).collect();
    println!("{kind}: {} rights granted, {} used", granted.len(), used.len());
    println!("granted and not used: {unused:?}\nused and not granted: {missing:?}");
    assert!(granted.len() > 40, "{granted:?}");
    assert!(unused.is_empty() && missing.is_empty());
    let resources = granted.iter().map(|(resource, _)| resource.as_str());
    let verbs = granted.iter().map(|(_, verb)| verb.as_str());
    for word in ["*", "escalate", "bind", "impersonate"] {
        assert!(verbs.clone().chain(resources.clone()).all(|part| !part.contains(word)), "{word} is granted");
    }
    assert!(resources.clone().all(|resource| !resource.ends_with("/exec")), "exec is granted");
}

/// Rights that the requests needed. A server-side apply that created its object is recorded as a patch
/// alone, but is allowed only to who may create too.
fn used(events: &[Value]) -> BTreeSet<Right> {
    let mut used = BTreeSet::new();
    for event in events {
        let object = &event["objectRef"];
        let part = |key: &str| object[key].as_str().unwrap_or_default();
        if part("resource").is_empty() {
            continue;
        }
        let resource = [part("apiGroup"), part("resource"), part("subresource")].join("/");
        let resource = resource.trim_end_matches('/').to_owned();
        let verb = event["verb"].as_str().unwrap();
        if verb == "patch" && event["responseStatus"]["code"] == 201 {
            used.insert((resource.clone(), "create".to_owned()));
        }
        used.insert((resource, verb.to_owned()));
    }
    used
}

/// Rights of the release's roles.
fn granted(world: &World, system: &str, kind: &str) -> BTreeSet<Right> {
    let kinds = if kind == "role" { "roles" } else { "roles,clusterroles" };
    let release = format!("app.kubernetes.io/instance={RELEASE}");
    let get = ["--namespace", system, "get", kinds, "--selector", &release, "--output=json"];
    let listed: Value = serde_json::from_str(&world.kubectl(&get)).unwrap();
    let listed = listed["items"].as_array().unwrap();
    let rules = listed.iter().flat_map(|role| role["rules"].as_array().unwrap());
    let words = |rule: &Value, key: &str| -> Vec<String> {
        rule[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut granted = BTreeSet::new();
    for rule in rules {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for verb in words(rule, "verbs") {
                    granted.insert((format!("{group}/{resource}"), verb));
                }
            }
        }
    }
    granted
}

/// Definitions of prometheus-operator's kinds without a schema, for as long as the scenario lasts: its
/// namespace owns them.
async fn serve_optional_kinds(world: &World) {
    for (plural, kind) in [
        ("prometheusrules", "PrometheusRule"),
        ("servicemonitors", "ServiceMonitor"),
        ("prometheuses", "Prometheus"),
    ] {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            // Groups of k8s.io are protected, this one is not.
            "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
            "spec": {
                "group": "monitoring.coreos.com",
                "scope": "Namespaced",
                "names": {"plural": plural, "kind": kind},
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        });
        world.define(definition).await;
    }
}

/// Objects that look as if an earlier version had made them, one of each kind that is pruned.
async fn prune_strays(world: &World, cluster: &Cluster) {
    let identity = Identity {
        namespace: world.namespace.clone(),
        name: NAME.to_owned(),
        uid: cluster.get().await.uid().unwrap(),
    };
    let labels = identity.selector(Tier::Api);
    let pods = json!({"metadata": {"labels": {"stray": "yes"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
    let selector = json!({"matchLabels": {"stray": "yes"}});
    let workload = json!({"replicas": 0, "selector": selector, "template": pods});
    let scaled = json!({"maxReplicas": 1, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "stray"}});
    for (group, version, kind, spec) in [
        ("", "v1", "Secret", json!(null)),
        ("", "v1", "ConfigMap", json!(null)),
        ("", "v1", "ServiceAccount", json!(null)),
        ("", "v1", "Service", json!({"clusterIP": "None", "ports": [{"port": 1}]})),
        ("apps", "v1", "Deployment", workload.clone()),
        ("apps", "v1", "StatefulSet", workload),
        ("autoscaling", "v2", "HorizontalPodAutoscaler", scaled),
        ("networking.k8s.io", "v1", "NetworkPolicy", json!({"podSelector": selector})),
        ("policy", "v1", "PodDisruptionBudget", json!({"selector": selector})),
        ("monitoring.coreos.com", "v1", "PrometheusRule", json!({"groups": []})),
        (
            "monitoring.coreos.com",
            "v1",
            "ServiceMonitor",
            json!({"selector": {"matchLabels": {}}, "endpoints": []}),
        ),
    ] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let mut stray = json!({
            "apiVersion": resource.api_version,
            "kind": kind,
            "metadata": {
                "name": "stray",
                "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster", "name": NAME,
                    "uid": identity.uid, "controller": true,
                }],
            },
        });
        if !spec.is_null() {
            stray["spec"] = spec;
        }
        pruned(&world.client, &world.namespace, &resource, stray).await;
    }
}

async fn pruned(client: &Client, namespace: &str, resource: &ApiResource, stray: Value) {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
    let object = serde_json::from_value(stray).unwrap();
    api.patch("stray", &PatchParams::apply(TESTER), &Patch::<DynamicObject>::Apply(object)).await.unwrap();
    let kind = resource.kind.as_str();
    until("a stray is pruned", seconds(60), async || match api.get_opt("stray").await.unwrap() {
        None => Ok(()),
        Some(_) => Err(format!("{kind} is still there")),
    })
    .await;
}

async fn lose_the_gateway(world: &World, cluster: &Cluster) {
    for pod in world.pods("gateway").await {
        world.delete::<Pod>(&pod.name_any()).await;
    }
    cluster.complains(&["gateway"], seconds(60)).await;
    cluster.ready(FORMED_WITHIN).await;
}

/// The installed chart. Its cluster-wide objects outlive namespaces, so it is uninstalled in any case.
struct Release {
    namespace: String,
}

impl Release {
    fn install(world: &World, namespace: &str, namespaced: bool) -> Self {
        let mut helm = Command::new("helm");
        helm.args(["install", RELEASE]).arg(lab::repository().join("charts/eaiser-operator"));
        helm.args(["--namespace", namespace, "--set", &format!("namespaced={namespaced}")]);
        // The scenario has installed the custom resource as the types define it.
        helm.args(["--set", "crds.install=false"]).args(operator::chart_images());
        lab::run(helm);
        let release = Self { namespace: namespace.to_owned() };
        let status = ["rollout", "status", "deployment", RELEASE, "--timeout=120s"];
        world.kubectl(&[&["--namespace", namespace], &status[..]].concat());
        release
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        // Its lease is released by an operator that still has its rights.
        for arguments in [
            ["scale", "deployment", RELEASE, "--replicas=0"],
            ["wait", "pod", "--for=delete", "--selector=app.kubernetes.io/name=eaiser-operator"],
        ] {
            let mut kubectl = Command::new("kubectl");
            let _ = kubectl.args(["--namespace", &self.namespace]).args(arguments).status();
        }
        let arguments = ["uninstall", RELEASE, "--namespace", &self.namespace];
        let _ = Command::new("helm").args(arguments).status();
    }
}
