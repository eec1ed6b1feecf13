//! A replica set that lost its majority for good goes on when a person says so, and only then.

use std::time::Instant;

use eaiser_operator::crd::{EaiserCluster, ForcedOutcome, ForcedReconfiguration};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, NAME, condition};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, databases, example, http, scenario, until};

const ANNOTATION: &str = "mongodb.eaiser.io/force-reconfigure";
/// A primary notices within ten seconds that its majority is gone, and the operator at the next look.
const NAMED_WITHIN: std::time::Duration = seconds(60);

#[test]
#[ignore = "needs a cluster: make test"]
fn a_majority_lost_for_good_is_given_up_once_for_the_right_uid() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        let uid = cluster.ready(FORMED_WITHIN).await.uid().unwrap();
        let kept = post(world, "kept").await;

        lose_two_members(world).await;
        let words = [
            "eaiser-mongodb-2 holds 1 of 3 votes",
            "bring back one of eaiser-mongodb-0 and eaiser-mongodb-1",
        ];
        let object = cluster.complains(&words, NAMED_WITHIN).await;
        let ready = condition(&object, "MongoDBReady").unwrap();
        assert_eq!(ready.reason, "MajorityLost");
        assert!(ready.message.contains(&format!("{ANNOTATION}={uid}")), "{}", ready.message);
        println!("told: {}", ready.message);

        annotate(world, json!("not-the-uid")).await;
        let refusal = format!("\"not-the-uid\" and does not count; for this cluster it must be {uid}");
        cluster.complains(&[&refusal], NAMED_WITHIN).await;
        assert_eq!(forced(&cluster.get().await), None, "something was forced for a wrong uid");

        let begin = Instant::now();
        annotate(world, json!(uid)).await;
        let record = until("the member that is left is primary", NAMED_WITHIN, async || {
            let object = cluster.get().await;
            let primary = object.status.as_ref().and_then(|status| status.mongodb.as_ref()?.primary.clone());
            let gone = !object.annotations().contains_key(ANNOTATION);
            match forced(&object) {
                Some(record) if gone && primary.as_deref() == Some("eaiser-mongodb-2") => Ok(record),
                record => Err(format!("primary {primary:?}, annotation gone {gone}, {record:?}")),
            }
        })
        .await;
        println!("forced after {:.1} s: {}", begin.elapsed().as_secs_f64(), record.evidence);
        assert_eq!(record.outcome, ForcedOutcome::Served);
        assert_eq!(record.leader.as_deref(), Some("eaiser-mongodb-2"));
        assert_eq!(record.dropped, ["eaiser-mongodb-0", "eaiser-mongodb-1"]);
        for reason in ["ForceReconfigurePlanned", "ForceReconfigure", "ForceReconfigured"] {
            assert_eq!(told(world, reason).await, 1, "{reason}");
        }
        let alone = post(world, "alone").await;

        annotate(world, json!(uid)).await;
        get_back_the_members(world).await;
        let object = cluster.ready(FORMED_WITHIN).await;
        assert_eq!(forced(&object), Some(record), "the same request counted twice");
        let seen = databases::observe(world, &object).await;
        databases::assert_one_replica_set(&seen, 3);
        for path in [kept, alone] {
            let read = http::get(&http::gateway(world, &path)).await.unwrap();
            assert_eq!(read.status, 200, "{path} is lost: {read:?}");
        }
        println!("all three members vote again {:.1} s after the request", begin.elapsed().as_secs_f64());
    });
}

fn forced(cluster: &EaiserCluster) -> Option<ForcedReconfiguration> {
    cluster.status.as_ref()?.mongodb.as_ref()?.forced_reconfiguration.clone()
}

async fn annotate(world: &World, value: Value) {
    world.merge::<EaiserCluster>(NAME, json!({"metadata": {"annotations": {ANNOTATION: value}}})).await;
}

/// Pods and volumes; a quota keeps new ones from being made.
async fn lose_two_members(world: &World) {
    let quota = json!({"metadata": {"name": "no-more-pods"}, "spec": {"hard": {"pods": "1"}}});
    let quota = serde_json::from_value(quota).unwrap();
    world.api::<ResourceQuota>().create(&PostParams::default(), &quota).await.unwrap();
    until("the quota counts", seconds(30), async || {
        let quota: ResourceQuota = world.get("no-more-pods").await;
        quota.status.and_then(|status| status.used).map(|_| ()).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    for pod in ["eaiser-mongodb-0", "eaiser-mongodb-1"] {
        world.delete::<PersistentVolumeClaim>(&format!("data-{pod}")).await;
        world.api::<Pod>().delete(pod, &DeleteParams::default().grace_period(0)).await.unwrap();
    }
}

/// The StatefulSet's controller tries less and less often; a change of the set makes it try at once.
async fn get_back_the_members(world: &World) {
    world.delete::<ResourceQuota>("no-more-pods").await;
    let nudge = json!({"metadata": {"annotations": {"test.eaiser.io/nudge": "1"}}});
    world.merge::<StatefulSet>("eaiser-mongodb", nudge).await;
}

/// Writes an item and returns the path to read it by. The API finds the new primary by itself.
async fn post(world: &World, name: &str) -> String {
    let body = json!({"name": name, "value": 1});
    let written = until("an item is written", seconds(60), async || {
        let answer = http::post(&http::gateway(world, "/items"), &body).await?;
        if answer.status < 300 { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await;
    format!("/items/{}", written.body["id"].as_str().unwrap())
}

async fn told(world: &World, reason: &str) -> usize {
    let about = ListParams::default().fields(&format!("regarding.kind=EaiserCluster,reason={reason}"));
    world.api::<Event>().list(&about).await.unwrap().items.len()
}
