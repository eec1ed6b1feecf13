//! The machine's own ceiling: the very objects that the operator renders, server-side applied by a
//! client that knows them beforehand and does nothing else.

use std::time::Instant;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::fleet::{self, Fleet};

/// Field manager of the replay.
const MANAGER: &str = "replay";

/// A namespace of its own, so that the operator does not see the objects.
pub struct Replay {
    client: Client,
    namespace: String,
}

impl Replay {
    /// Creates the namespace.
    pub async fn create(fleet: &Fleet<'_>, suffix: &str) -> Self {
        let client = fleet.world.client.clone();
        let namespace = format!("{}-{suffix}", fleet.world.namespace);
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let object: Namespace = serde_json::from_value(object).unwrap();
        Api::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { client, namespace }
    }

    /// The objects of clusters of these names, ready to be sent.
    pub fn bodies(&self, fleet: &Fleet<'_>, names: &[String]) -> Vec<Value> {
        let of_one = |name: &String| fleet::rendered(fleet.world, name).objects();
        let mut all: Vec<Value> = names.iter().flat_map(of_one).collect();
        for body in &mut all {
            body["metadata"]["namespace"] = json!(self.namespace);
        }
        all
    }

    /// Applies them over that many connections and returns the seconds it took.
    pub async fn send(&self, bodies: Vec<Value>, connections: usize) -> f64 {
        let begin = Instant::now();
        stream::iter(bodies)
            .map(|body| self.apply(body))
            .buffer_unordered(connections)
            .for_each(|()| async {})
            .await;
        begin.elapsed().as_secs_f64()
    }

    async fn apply(&self, body: Value) {
        let resource = fleet::resource(&body);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let parameters = PatchParams::apply(MANAGER).force();
        api.patch(&name, &parameters, &Patch::Apply(body)).await.unwrap();
    }
}
