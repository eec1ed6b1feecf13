//! One scenario's place in the cluster: a client and a namespace that enforces Pod Security.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use eaiser_operator::crd::EaiserCluster;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Client, CustomResourceExt, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::until::seconds;
use super::{lab, until};

/// Field manager of everything the tests write.
pub const TESTER: &str = "eaiser-test";
/// How long Kubernetes may take to serve a custom resource.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// A namespace of the scenario's own.
pub struct World {
    /// As the cluster's administrator.
    pub client: Client,
    /// Its name.
    pub namespace: String,
    /// For logs and kubeconfigs; kept when the scenario fails.
    pub directory: PathBuf,
}

impl World {
    /// Installs the custom resource as the types define it and creates the namespace.
    pub async fn create(test: &str) -> Self {
        let client = Client::try_default().await.unwrap();
        install_custom_resource(&client).await;
        let words: String = test.rsplit("::").next().unwrap().replace('_', "-").chars().take(32).collect();
        let namespace = format!("{}-{}", words.trim_end_matches('-'), std::process::id());
        let directory = std::env::temp_dir().join("eaiser-test").join(&namespace);
        std::fs::create_dir_all(&directory).unwrap();
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {
                "pod-security.kubernetes.io/enforce": "restricted",
                // What would be refused of a pod is told of its workload already, in the audit log too.
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            }},
        });
        let api: Api<Namespace> = Api::all(client.clone());
        api.create(&kube::api::PostParams::default(), &serde_json::from_value(object).unwrap())
            .await
            .unwrap();
        Self { client, namespace, directory }
    }

    /// A second namespace, which goes with the scenario's own: that is its owner.
    pub async fn second_namespace(&self) -> String {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let first = namespaces.get(&self.namespace).await.unwrap();
        let name = format!("{}-b", self.namespace);
        let object = json!({
            "metadata": {
                "name": name,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Namespace",
                    "name": first.name_any(), "uid": first.uid().unwrap(),
                }],
            },
        });
        let object = serde_json::from_value(object).unwrap();
        namespaces.create(&kube::api::PostParams::default(), &object).await.unwrap();
        name
    }

    /// Installs the definition of a custom resource for as long as the namespace exists, which owns it.
    pub async fn define(&self, mut definition: Value) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let owner = namespaces.get(&self.namespace).await.unwrap();
        definition["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "Namespace", "name": owner.name_any(), "uid": owner.uid().unwrap(),
        }]);
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        until("the definition of an earlier scenario is gone", seconds(60), async || {
            let earlier = api.get_opt(&name).await.map_err(|error| error.to_string())?;
            let leaves = earlier.is_some_and(|earlier| earlier.metadata.deletion_timestamp.is_some());
            if leaves { Err(format!("{name} is being deleted")) } else { Ok(()) }
        })
        .await;
        api.patch(&name, &PatchParams::apply(TESTER).force(), &Patch::Apply(definition)).await.unwrap();
        established(api, &name).await;
    }

    /// Objects of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The object of that name.
    pub async fn get<K>(&self, name: &str) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        self.api::<K>().get(name).await.unwrap_or_else(|error| panic!("{} {name}: {error}", K::kind(&())))
    }

    /// Changes an object as somebody else would: a merge patch.
    pub async fn merge<K>(&self, name: &str, patch: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let parameters = PatchParams { field_manager: Some(TESTER.to_owned()), ..PatchParams::default() };
        self.api::<K>().patch(name, &parameters, &Patch::Merge(patch)).await.unwrap();
    }

    /// Deletes an object and does not wait.
    pub async fn delete<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        self.api::<K>().delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Output of kubectl in the namespace; fails with its standard error.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        lab::run(self.kubectl_command(arguments))
    }

    /// kubectl in the namespace.
    pub fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]).args(arguments);
        command
    }

    /// Pods of a tier, by name.
    pub async fn pods(&self, tier: &str) -> Vec<Pod> {
        let selector = format!("app.kubernetes.io/component={tier}");
        self.api::<Pod>().list(&ListParams::default().labels(&selector)).await.unwrap().items
    }

    /// Removes the namespace and waits until its pods are gone, so that the next scenario starts on
    /// idle nodes.
    pub async fn remove(self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let _ = namespaces.delete(&self.namespace, &DeleteParams::background()).await;
        let _ = self
            .api::<Pod>()
            .delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default())
            .await;
        let gone = until("the namespace is gone", seconds(120), async || {
            match namespaces.get_opt(&self.namespace).await {
                Ok(None) => Ok(()),
                Ok(Some(namespace)) => Err(format!("{:?}", namespace.status)),
                Err(error) => Err(error.to_string()),
            }
        });
        gone.await;
    }
}

async fn install_custom_resource(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = EaiserCluster::crd();
    let name = EaiserCluster::crd_name();
    api.patch(name, &PatchParams::apply(TESTER).force(), &Patch::Apply(definition)).await.unwrap();
    established(api, name).await;
}

async fn established(api: Api<CustomResourceDefinition>, name: &str) {
    let established = await_condition(api, name, is_crd_established());
    tokio::time::timeout(ESTABLISHED_WITHIN, established).await.unwrap().unwrap();
}
