//! No password, keyfile or connection string leaves its Secret, whatever is logged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{ListParams, LogParams, PostParams};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, NAME, ROLLED_WITHIN, example_with};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, operator, processes, scenario};

/// Kinds whose objects are read in full; everything the operator writes but Secrets.
const KINDS: &str = "eaiserclusters,pods,deployments,replicasets,statefulsets,controllerrevisions.apps,configmaps,services,serviceaccounts,networkpolicies,poddisruptionbudgets,horizontalpodautoscalers,persistentvolumeclaims,events,events.events.k8s.io";

/// A text somebody could read, and who could.
struct Place {
    name: String,
    text: String,
}

/// A secret text and every form it could be written in.
struct Canary {
    name: String,
    forms: Vec<String>,
}

#[test]
#[ignore = "needs the lab: make test"]
fn no_secret_is_readable_anywhere_but_in_secrets_even_when_everything_is_logged() {
    scenario(Needs::Lab, seconds(500), async |world| {
        users_secret(world).await;
        let operator = Operator::start_with(world, &["--log-level", "trace"]);
        let uses = json!({
            "api": {
                "envFrom": [{"secretRef": {"name": "token"}}],
                "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "MODEL_TOKEN"}}}],
            },
            "mongodb": {"tls": {"mode": "Prefer", "selfSigned": true}},
        });
        let cluster = Cluster::apply(world, example_with(uses)).await;
        cluster.ready(FORMED_WITHIN).await;
        // Broken connections and a roll: errors are where drivers become talkative.
        for pod in ["eaiser-redis-0-0", "eaiser-mongodb-0"] {
            world.delete::<Pod>(pod).await;
        }
        let redis = world.pods("redis").await;
        cluster.change(json!({"redis": {"maxmemoryPolicy": "allkeys-lfu"}})).await;
        cluster.rolled(world, &redis, ROLLED_WITHIN).await;

        let canaries = canaries(world).await;
        let places = places(world, &operator).await;
        let mut found = Vec::new();
        for canary in &canaries {
            assert!(
                control(world, canary),
                "{} is not even in its Secret: the search is broken",
                canary.name
            );
            for place in &places {
                if canary.forms.iter().any(|form| place.text.contains(form)) {
                    found.push(format!("{} in {}", canary.name, place.name));
                }
            }
        }
        let forms: usize = canaries.iter().map(|canary| canary.forms.len()).sum();
        let bytes: usize = places.iter().map(|place| place.text.len()).sum();
        println!(
            "{} secrets in {forms} forms, looked for in {} places of {} KiB: {} found",
            canaries.len(),
            places.len(),
            bytes / 1024,
            found.len()
        );
        assert!(found.is_empty(), "readable: {found:#?}");
    });
}

/// One that the user made and the cluster only refers to.
async fn users_secret(world: &World) {
    let secret = json!({
        "metadata": {"name": "token"},
        "stringData": {"MODEL_TOKEN": format!("sk-{}/+=%", world.namespace)},
    });
    let secret = serde_json::from_value(secret).unwrap();
    world.api::<Secret>().create(&PostParams::default(), &secret).await.unwrap();
}

/// Every value of every Secret that is, or holds, a password or the keyfile.
async fn canaries(world: &World) -> Vec<Canary> {
    let secrets = world.api::<Secret>().list(&ListParams::default()).await.unwrap().items;
    let mut values = Vec::new();
    for secret in &secrets {
        for (key, value) in secret.data.iter().flatten() {
            values
                .push((format!("{}/{key}", secret.name_any()), String::from_utf8(value.0.clone()).unwrap()));
        }
    }
    let drawn: Vec<String> = values
        .iter()
        .filter(|(name, _)| ["/password", "/keyfile", "/MODEL_TOKEN"].iter().any(|end| name.ends_with(end)))
        .map(|(_, value)| value.clone())
        .collect();
    assert_eq!(drawn.len(), 4, "MongoDB's password and keyfile, Redis' password, the user's token");
    let keys: Vec<_> =
        values.iter().filter_map(|(name, value)| Some((name.clone(), key_part(value)?))).collect();
    assert_eq!(keys.len(), 2, "the key of MongoDB's members and that of their authority");
    values.retain(|(_, value)| drawn.iter().any(|secret| value.contains(secret)));
    values.extend(keys);
    values.into_iter().map(|(name, value)| Canary { forms: forms(&value), name }).collect()
}

/// The second line of a private key: the first one says little more than its kind.
fn key_part(pem: &str) -> Option<String> {
    let (_, key) = pem.split_once("-----BEGIN PRIVATE KEY-----\n")?;
    key.lines().nth(1).map(str::to_owned)
}

/// As it is, base64 wherever it begins within a longer text, percent-encoded, as the numbers of its
/// bytes, and its beginning alone.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned(), STANDARD.encode(value)];
    for before in 0..3 {
        let shifted = STANDARD.encode([vec![0; before], value.as_bytes().to_vec()].concat());
        let begin = if before == 0 { 0 } else { 4 };
        forms.push(shifted[begin..shifted.len() - 4].to_owned());
    }
    forms.push(utf8_percent_encode(value, NON_ALPHANUMERIC).to_string());
    let numbers = format!("{:?}", &value.as_bytes()[..12.min(value.len())]);
    forms.push(numbers.trim_matches(['[', ']']).to_owned());
    let beginning: String = value.chars().take(24).collect();
    // Of a connection string the beginning is no secret.
    if !beginning.contains("://") && !beginning.contains(' ') {
        forms.push(beginning);
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Whether the search finds the canary where it must be.
fn control(world: &World, canary: &Canary) -> bool {
    let (secret, _) = canary.name.split_once('/').unwrap();
    let text = world.kubectl(&["get", "secret", secret, "--output=json"]);
    canary.forms.iter().any(|form| text.contains(form))
}

async fn places(world: &World, operator: &Operator) -> Vec<Place> {
    let objects = world.kubectl(&["get", KINDS, "--output=json", "--show-managed-fields"]);
    let mut places = vec![
        Place { name: "the objects".to_owned(), text: objects },
        Place { name: "the operator's log".to_owned(), text: operator::log(world) },
        Place { name: "the operator's metrics".to_owned(), text: operator.metrics().await },
        Place { name: "the operator's arguments".to_owned(), text: arguments(operator.id()) },
    ];
    let log = &places[1].text;
    assert!(log.contains(" TRACE ") && log.contains("hyper"), "not everything is logged");
    let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
    for pod in &pods {
        let name = pod.name_any();
        let processes = processes::of(pod);
        assert!(!processes.is_empty(), "{name} has no process here");
        let text = processes.into_iter().map(arguments).collect::<Vec<_>>().join("\n");
        places.push(Place { name: format!("arguments in pod {name}"), text });
        let spec = pod.spec.as_ref().unwrap();
        for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
            let parameters = LogParams { container: Some(container.name.clone()), ..LogParams::default() };
            let text = world.api::<Pod>().logs(&name, &parameters).await.unwrap();
            places.push(Place { name: format!("log of {name}/{}", container.name), text });
        }
    }
    assert!(pods.iter().any(|pod| pod.name_any().starts_with(NAME)));
    places
}

/// Arguments of a process; empty when it has ended.
fn arguments(process: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
