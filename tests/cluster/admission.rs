//! What the real API server refuses, and how well it says why.

use eaiser_operator::crd::EaiserCluster;
use kube::api::{Patch, PatchParams, ValidationDirective};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::cluster::{NAME, merge};
use crate::support::until::seconds;
use crate::support::{Needs, World, lab, scenario};

/// Goal of the design page.
const AT_LEAST: usize = 200;

/// One object that must be refused.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    /// Path that the message must name.
    field: String,
    /// Words that the message must hold.
    words: String,
    /// Merge patch on the valid object.
    patch: Value,
    /// Sent as a change of the stored object.
    #[serde(default)]
    update: bool,
}

#[test]
#[ignore = "needs a cluster: make test"]
fn every_invalid_object_is_refused_with_its_field_named() {
    scenario(Needs::ApiServer, seconds(120), async |world| {
        let path = lab::repository().join("tests/data/invalid.yaml");
        let cases: Vec<Case> = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        send(world, &valid(), false).await.unwrap();
        let mut faults = Vec::new();
        for case in &cases {
            if let Some(fault) = check(world, case).await {
                faults.push(format!("{}: {fault}", case.name));
            }
        }
        println!("{} invalid objects, {} refused with the field named", cases.len(), cases.len() - faults.len());
        assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    });
}

/// What is wrong with the server's verdict, if anything.
async fn check(world: &World, case: &Case) -> Option<String> {
    let verdict = if case.update {
        change(world, &case.patch).await
    } else {
        let mut object = valid();
        object["metadata"]["name"] = json!("other");
        merge(&mut object, case.patch.clone());
        send(world, &object, true).await
    };
    match verdict {
        Ok(()) => Some("accepted".to_owned()),
        Err(message) if !message.contains(&case.field) => Some(format!("does not name {}: {message}", case.field)),
        Err(message) if !message.contains(&case.words) => Some(format!("does not say {:?}: {message}", case.words)),
        Err(_) => None,
    }
}

/// A cluster that is accepted; its volumes have a class so that changes of it can be tried.
fn valid() -> Value {
    let storage = json!({"size": "25Gi", "className": "standard"});
    let storage = json!({"storage": storage});
    json!({
        "apiVersion": "eaiser.io/v1alpha1",
        "kind": "EaiserCluster",
        "metadata": {"name": NAME},
        "spec": {"capacity": {"users": 100_000}, "api": {"image": "a"}, "mongodb": storage, "redis": storage},
    })
}

/// Creates an object as kubectl does: unknown fields are refused.
async fn send(world: &World, object: &Value, dry_run: bool) -> Result<(), String> {
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let namespace = &world.namespace;
    let uri =
        format!("/apis/eaiser.io/v1alpha1/namespaces/{namespace}/eaiserclusters?fieldValidation=Strict{dry_run}");
    let request = http::Request::post(uri).header("content-type", "application/json");
    let request = request.body(object.to_string().into_bytes()).unwrap();
    world.client.request::<Value>(request).await.map(drop).map_err(|error| error.to_string())
}

/// Changes the stored object, for trial.
async fn change(world: &World, patch: &Value) -> Result<(), String> {
    let parameters = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let api = world.api::<EaiserCluster>();
    api.patch(NAME, &parameters, &Patch::Merge(patch)).await.map(drop).map_err(|error| error.to_string())
}
