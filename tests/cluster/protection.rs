//! The chart's admission policy against deletion, in a real API server.

use std::process::Command;

use kube::api::{Api, DeleteParams};
use serde_json::json;

use crate::support::cluster::{NAME, example_with};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, World, lab, scenario, until};

/// The rendered policy, taken away again when this is dropped.
struct Policy {
    manifest: std::path::PathBuf,
}

impl Policy {
    fn install(world: &World) -> Self {
        let chart = lab::repository().join("charts/eaiser-operator");
        let mut template = Command::new("helm");
        template.args(["template", "guard"]).arg(&chart).args(["--namespace", &world.namespace]);
        template.args(["--set", "namespaced=true", "--show-only", "templates/deletion-protection.yaml"]);
        let manifest = world.directory.join("policy.yaml");
        std::fs::write(&manifest, lab::run(template)).unwrap();
        world.kubectl(&["apply", "--filename", manifest.to_str().unwrap()]);
        Self { manifest }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        let mut delete = Command::new("kubectl");
        delete.args(["delete", "--ignore-not-found", "--filename"]).arg(&self.manifest);
        let _ = delete.output();
    }
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_protected_cluster_is_not_deleted_until_the_field_is_set_back_or_its_namespace_ends() {
    scenario(Needs::ApiServer, seconds(240), async |world| {
        let _policy = Policy::install(world);
        let cluster =
            Cluster::apply(world, example_with(json!({"operation": {"deletionProtection": true}}))).await;
        // The policy is in force a moment after it exists; a dry run asks without deleting.
        let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
        let refusal = until("the policy is in force", seconds(30), async || {
            match cluster.api.delete(NAME, &dry).await {
                Err(error) => Ok(error.to_string()),
                Ok(_) => Err("a deletion would be let through".to_owned()),
            }
        })
        .await;
        println!("{refusal}");
        for words in
            ["is protected: spec.operation.deletionProtection is true", "kubectl -n", "patch eac eaiser"]
        {
            assert!(refusal.contains(words), "{refusal}");
        }
        cluster.api.delete(NAME, &DeleteParams::foreground()).await.unwrap_err();
        let all = kube::api::ListParams::default();
        cluster.api.delete_collection(&DeleteParams::default(), &all).await.unwrap_err();
        assert!(cluster.get().await.metadata.deletion_timestamp.is_none());

        cluster.change(json!({"operation": {"deletionProtection": false}})).await;
        cluster.api.delete(NAME, &dry).await.unwrap();
        cluster.change(json!({"operation": {"deletionProtection": true}})).await;

        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.client.clone());
        namespaces.delete(&world.namespace, &DeleteParams::background()).await.unwrap();
        until("the namespace is gone with the cluster", seconds(60), async || {
            match namespaces.get_opt(&world.namespace).await {
                Ok(None) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    });
}
