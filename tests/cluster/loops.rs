//! Somebody who undoes what the operator writes, again and again.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::audit::Audit;
use crate::support::cluster::{NAME, example};
use crate::support::until::seconds;
use crate::support::world::TESTER;
use crate::support::{Cluster, Needs, Operator, World, operator, scenario, until};

/// A child that no pod depends on.
const CHILD: &str = "eaiser-rules";
/// Time between two edits of the adversary.
const EDITS: Duration = Duration::from_millis(200);

#[test]
#[ignore = "needs a cluster: make test"]
fn a_tug_of_war_over_a_child_is_reported_once_and_slowed_down_and_an_edit_is_carried_out_at_once() {
    scenario(Needs::Lab, seconds(300), async |world| {
        without_pods(world).await;
        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        until("the child exists", seconds(30), async || {
            let child = world.api::<ConfigMap>().get_opt(CHILD).await.unwrap();
            child.map(drop).ok_or_else(|| "missing".to_owned())
        })
        .await;

        // The first minute of a cluster brings news; the loop counts from the last of it.
        let (before, mut tugged) = (Audit::begin(), Duration::ZERO);
        while hot_loops(world).await == 0 {
            assert!(tugged < seconds(150), "the loop is not reported after {} s", tugged.as_secs());
            tug(world, seconds(5)).await;
            tugged += seconds(5);
        }
        let hot = writes(world, &before);
        let after = Audit::begin();
        tug(world, seconds(30)).await;
        let slowed = writes(world, &after);
        println!(
            "repairs of {CHILD}: {hot} in {} s until it was put off, then {slowed} in 30 s",
            tugged.as_secs()
        );
        assert!(slowed <= 10, "{slowed} writes in 30 s after the loop was noticed");
        assert_eq!(hot_loops(world).await, 1, "events of one episode");
        let metrics = operator.metrics().await;
        assert!(metrics.contains("\neaiser_operator_hot_loops_total 1\n"), "{metrics}");

        let edit = json!({"capacity": {"objectives": {"availability": 99.5}}});
        cluster.change(edit).await;
        until("the edit is observed although the loop was put off", seconds(5), async || {
            let object = cluster.get().await;
            let observed = object.status.as_ref().and_then(|status| status.observed_generation);
            if observed == object.metadata.generation { Ok(()) } else { Err(format!("{observed:?}")) }
        })
        .await;
    });
}

async fn without_pods(world: &World) {
    let quota = json!({"metadata": {"name": "no-pods"}, "spec": {"hard": {"pods": "0"}}});
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    world.api().create(&PostParams::default(), &quota).await.unwrap();
}

/// Writes nonsense into the child for that long.
async fn tug(world: &World, duration: Duration) {
    let api = world.api::<ConfigMap>();
    let parameters = PatchParams { field_manager: Some(TESTER.to_owned()), ..PatchParams::default() };
    let end = tokio::time::Instant::now() + duration;
    while tokio::time::Instant::now() < end {
        let child = api.get(CHILD).await.unwrap();
        let keys = child.data.into_iter().flatten().map(|(key, _)| (key, json!("undone")));
        let data: serde_json::Map<_, _> = keys.collect();
        api.patch(CHILD, &parameters, &Patch::Merge(json!({"data": data}))).await.unwrap();
        tokio::time::sleep(EDITS).await;
    }
}

fn writes(world: &World, audit: &Audit) -> usize {
    let child = format!("configmaps/{CHILD}");
    audit.calls(&operator::user(world)).iter().filter(|call| call.writes() && call.object == child).count()
}

async fn hot_loops(world: &World) -> usize {
    let events = world.api::<Event>().list(&ListParams::default()).await.unwrap().items;
    let ours = events.iter().filter(|event| {
        event.reason.as_deref() == Some("HotLoop")
            && event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(NAME)
    });
    ours.count()
}
