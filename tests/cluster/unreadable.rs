//! A stored object that no longer fits the schema: said on the object, told once, and nobody else's
//! trouble.

use std::process::Command;

use eaiser_operator::crd::EaiserCluster;
use k8s_openapi::api::events::v1::Event;
use kube::CustomResourceExt;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use serde_json::{Value, json};

use crate::support::cluster::{NAME, example_with, holds};
use crate::support::until::seconds;
use crate::support::world::TESTER;
use crate::support::{Cluster, Needs, Operator, World, example, lab, scenario, until};

const BROKEN: &str = "broken";
/// The loosened field in the definition and in an object.
const SCHEMA: &str =
    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/api/properties/workers";
const FIELD: &str = "spec.api.workers";

#[test]
#[ignore = "needs a cluster: make test"]
fn an_object_that_cannot_be_read_says_so_once_and_others_go_on() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let operator = Operator::start(world);
        store_unreadable(world).await;
        let said = unreadable(world).await;
        println!("SpecValid Unreadable: {said}");

        let neighbour = Cluster::apply(world, example()).await;
        until("the neighbour is taken care of", seconds(30), async || {
            let object = neighbour.get().await;
            if holds(&object, "SpecValid") { Ok(()) } else { Err(format!("{:?}", object.status)) }
        })
        .await;

        let version = stored(world).await.metadata.resource_version;
        operator.kill();
        let _successor = Operator::start(world);
        tokio::time::sleep(seconds(15)).await;
        assert_eq!(stored(world).await.metadata.resource_version, version, "a restart writes nothing");
        assert_eq!(events(world).await, 1, "and tells nothing");

        let patch = json!({"spec": {"api": {"workers": 2}}});
        objects(world).patch(BROKEN, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        until("the corrected object is valid", seconds(30), async || {
            let valid = spec_valid(&stored(world).await);
            if valid["status"] == "True" { Ok(()) } else { Err(valid.to_string()) }
        })
        .await;
        assert!(!neighbour.get().await.status.unwrap().conditions.is_empty(), "{NAME} is still looked after");
    });
}

/// Stores an object under a looser schema, which holds for as short as it can: it is the whole
/// cluster's. Other scenarios may put the strict one back at any time, so it is tried again.
async fn store_unreadable(world: &World) {
    let _strict_again = StrictAgain(world);
    let mut loose = serde_json::to_value(EaiserCluster::crd()).unwrap();
    *loose.pointer_mut(SCHEMA).unwrap() =
        json!({"x-kubernetes-int-or-string": true, "default": 1, "description": "Loosened."});
    let mut object = example_with(json!({"api": {"workers": "many"}}));
    object["metadata"]["name"] = json!(BROKEN);
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    until("an unreadable object is stored", seconds(30), async || {
        apply_definition(world, &loose);
        objects(world)
            .create(&PostParams::default(), &object)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .await;
}

/// Puts the strict schema back, also when the scenario fails.
struct StrictAgain<'a>(&'a World);

impl Drop for StrictAgain<'_> {
    fn drop(&mut self) {
        apply_definition(self.0, &serde_json::to_value(EaiserCluster::crd()).unwrap());
    }
}

/// By the field manager that installs it: what it stops applying goes away.
fn apply_definition(world: &World, definition: &Value) {
    let file = world.directory.join("definition.json");
    std::fs::write(&file, definition.to_string()).unwrap();
    let mut command = Command::new("kubectl");
    command.args(["apply", "--server-side", "--force-conflicts", "--field-manager", TESTER]);
    lab::run({
        command.arg("--filename").arg(&file);
        command
    });
}

fn objects(world: &World) -> Api<DynamicObject> {
    let kind = ApiResource::erase::<EaiserCluster>(&());
    Api::namespaced_with(world.client.clone(), &world.namespace, &kind)
}

async fn stored(world: &World) -> DynamicObject {
    objects(world).get(BROKEN).await.unwrap()
}

fn spec_valid(object: &DynamicObject) -> Value {
    let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == "SpecValid").unwrap_or_default()
}

async fn unreadable(world: &World) -> String {
    until("the condition names the field", seconds(30), async || {
        let valid = spec_valid(&stored(world).await);
        let message = valid["message"].as_str().unwrap_or_default().to_owned();
        let named = valid["status"] == "False" && valid["reason"] == "Unreadable" && message.contains(FIELD);
        if named { Ok(message) } else { Err(valid.to_string()) }
    })
    .await
}

/// Events that tell of it, each as often as it was told.
async fn events(world: &World) -> i32 {
    let about = format!("regarding.kind=EaiserCluster,regarding.name={BROKEN},reason=Unreadable");
    let list = world.api::<Event>().list(&ListParams::default().fields(&about)).await.unwrap();
    list.items.iter().map(|event| event.series.as_ref().map_or(1, |series| series.count)).sum()
}
