//! One member is emptied and filled anew, on request and once.

use std::collections::BTreeMap;

use eaiser_operator::crd::{EaiserCluster, MongoDbStatus};
use eaiser_operator::names::ANNOTATION_REPLACE;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, NAME, example_with};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, Writer, databases, lab, scenario, until};

#[test]
#[ignore = "needs a cluster: make test"]
fn mongodb_replace_empties_one_secondary_once_and_survives_the_operators_death() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let operator = Operator::start(world);
        let manifest = example_with(json!({"redis": {"replicasPerShard": 0}}));
        let cluster = Cluster::apply(world, manifest).await;
        let formed = cluster.ready(FORMED_WITHIN).await;
        let (primary, before) = (mongodb(&formed).primary.unwrap(), claims(world).await);
        let secondaries: Vec<&String> = before.keys().filter(|pod| **pod != primary).collect();
        let (target, other) = (secondaries[0].clone(), secondaries[1].clone());
        let writer = Writer::start(world).await;

        ask(world, json!("eaiser-mongodb-7")).await;
        phase(&cluster, "Refused", "is no member").await;
        let begin = std::time::Instant::now();
        ask(world, json!(target)).await;
        until("the volume is another", seconds(90), async || {
            let now = claims(world).await;
            let same = now.get(&target).is_none_or(|uid| *uid == before[&target]);
            if same { Err(format!("{now:?}")) } else { Ok(()) }
        })
        .await;
        operator.kill();
        let _operator = Operator::start(world);
        until("the request is done and taken away", seconds(90), async || {
            let object = cluster.get().await;
            let done = mongodb(&object).replaced.iter().any(|done| done.pod == target);
            let is_asked = object.annotations().contains_key(ANNOTATION_REPLACE);
            if done && !is_asked { Ok(()) } else { Err(format!("{:?}", mongodb(&object).replacement)) }
        })
        .await;
        println!("{target} was emptied and votes again after {:.1} s", begin.elapsed().as_secs_f64());
        let object = cluster.ready(seconds(60)).await;
        databases::assert_one_replica_set(&databases::observe(world, &object).await, 3);
        let after = claims(world).await;
        let changed: Vec<_> = before.keys().filter(|pod| before[*pod] != after[*pod]).collect();
        assert_eq!(changed, [&target], "exactly one volume is another");

        ask(world, json!(target)).await;
        phase(&cluster, "Served", "was replaced before").await;
        stopped_beside(world, &other, async || {
            ask(world, json!(format!("{target}/{}", after[&target]))).await;
            phase(&cluster, "Refused", &format!("{other} is ")).await;
            ask(world, Value::Null).await;
        })
        .await;
        cluster.ready(seconds(90)).await;
        assert_eq!(claims(world).await, after, "nothing else was emptied");
        let verdict = writer.finish().await;
        println!("{verdict:?}");
        assert!(verdict.lost.is_empty(), "acknowledged and lost: {:?}", verdict.lost);
        println!("{}", world.kubectl(&["get", "events", "--field-selector", "reason=ReplaceMember"]));
    });
}

/// Another member hangs meanwhile, which puts the majority at risk.
async fn stopped_beside(world: &World, pod: &str, body: impl AsyncFnOnce()) {
    lab::output(&["pod", "signal", &world.namespace, pod, "mongodb", "SIGSTOP"]);
    body().await;
    lab::output(&["pod", "signal", &world.namespace, pod, "mongodb", "SIGCONT"]);
}

async fn ask(world: &World, value: Value) {
    let patch = json!({"metadata": {"annotations": {ANNOTATION_REPLACE: value}}});
    world.merge::<EaiserCluster>(NAME, patch).await;
}

async fn phase(cluster: &Cluster, phase: &str, words: &str) {
    until(&format!("the replacement is {phase}: {words}"), seconds(60), async || {
        let replacement = mongodb(&cluster.get().await).replacement.unwrap_or_default();
        let found = replacement.phase == phase && replacement.message.contains(words);
        if found { Ok(()) } else { Err(format!("{replacement:?}")) }
    })
    .await;
}

fn mongodb(object: &EaiserCluster) -> MongoDbStatus {
    object.status.clone().unwrap_or_default().mongodb.unwrap_or_default()
}

/// Uids of MongoDB's volume claims, by pod.
async fn claims(world: &World) -> BTreeMap<String, String> {
    let of_tier = ListParams::default().labels("app.kubernetes.io/component=mongodb");
    let claims = world.api::<PersistentVolumeClaim>().list(&of_tier).await.unwrap().items;
    let pod = |claim: &PersistentVolumeClaim| claim.name_any().trim_start_matches("data-").to_owned();
    claims.iter().map(|claim| (pod(claim), claim.uid().unwrap())).collect()
}
