//! Wrong situations: the condition names the object and the cause.

use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, condition, example_with};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, example, scenario, until};

#[test]
#[ignore = "needs a cluster: make test"]
fn each_wrong_situation_is_named_and_its_correction_leads_to_ready() {
    scenario(Needs::Lab, seconds(600), async |world| {
        let _operator = Operator::start(world);
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "eaiser-mongodb-keyfile"}});
        let file = world.directory.join("foreign.yaml");
        std::fs::write(&file, secret.to_string()).unwrap();
        world.kubectl(&["apply", "--filename", file.to_str().unwrap()]);

        let cluster =
            Cluster::apply(world, example_with(json!({"api": {"image": "localhost/eaiser/none:1"}}))).await;
        cluster.complains(&["Secret/eaiser-mongodb-keyfile", "does not belong"], seconds(60)).await;
        world.kubectl(&["delete", "secret", "eaiser-mongodb-keyfile"]);
        cluster.complains(&["cannot pull image", "localhost/eaiser/none:1"], FORMED_WITHIN).await;
        cluster.change(example()["spec"].clone()).await;
        cluster.ready(FORMED_WITHIN).await;

        cluster.change(json!({"gateway": {"resources": {"requests": {"memory": "900Gi"}}}})).await;
        cluster.complains(&["eaiser-gateway", "unschedulable", "memory"], seconds(60)).await;
        cluster.change(example()["spec"].clone()).await;
        cluster.ready(FORMED_WITHIN).await;

        // The floor follows from the baseline users, which admission cannot compute.
        cluster.change(json!({"api": {"replicas": 1, "maxReplicas": 1}})).await;
        until("the problem of the plan is reported", seconds(20), async || {
            let object = cluster.get().await;
            let valid =
                condition(&object, "SpecValid").map(|valid| valid.message.clone()).unwrap_or_default();
            if valid.contains("spec.api.maxReplicas") { Ok(()) } else { Err(valid) }
        })
        .await;
        cluster.change(json!({"api": {"replicas": 2, "maxReplicas": null}})).await;
        cluster.ready(FORMED_WITHIN).await;
    });
}
