//! Each condition that turns is told in one event; a restarted operator tells nothing again.

use std::collections::BTreeMap;

use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, NAME, condition};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, example, scenario, until};

/// Longer than any pause between two looks at a cluster.
const SEVERAL_PASSES: std::time::Duration = seconds(25);

#[test]
#[ignore = "needs a cluster: make test"]
fn a_condition_that_turns_is_one_event_and_two_restarts_are_none() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        assert_eq!(told(world, "AllTiersReady").await, 1, "forming ends once");

        cluster.change(json!({"api": {"image": "localhost/eaiser/none:1"}})).await;
        degraded(&cluster, "True").await;
        let before = events(world).await;
        let operator = restarted(world, operator).await;
        assert_eq!(events(world).await, before, "a restart while something fails tells nothing");
        assert_eq!(told(world, "ImagePullFailed").await, 1);

        cluster.change(json!({"api": {"image": example()["spec"]["api"]["image"]}})).await;
        cluster.ready(FORMED_WITHIN).await;
        degraded(&cluster, "False").await;
        tokio::time::sleep(SEVERAL_PASSES).await;
        let before = events(world).await;
        let _operator = restarted(world, operator).await;
        assert_eq!(events(world).await, before, "a restart while all is well tells nothing");
        assert_eq!((told(world, "ImagePullFailed").await, told(world, "NothingFails").await), (1, 1));
        println!("{} events of a cluster's life, none added by two restarts:", before.len());
        for (name, (count, note)) in &before {
            println!("  {count} × {name}: {note}");
        }
    });
}

async fn degraded(cluster: &Cluster, status: &str) {
    until(&format!("Degraded is {status}"), seconds(60), async || {
        let object = cluster.get().await;
        let found = condition(&object, "Degraded").ok_or("no condition yet")?;
        if found.status == status { Ok(()) } else { Err(found.message.clone()) }
    })
    .await;
}

async fn restarted(world: &World, operator: Operator) -> Operator {
    operator.kill();
    let successor = Operator::start(world);
    tokio::time::sleep(SEVERAL_PASSES).await;
    successor
}

/// Count and note by event, of those about the cluster. The count of a series includes the first.
async fn events(world: &World) -> BTreeMap<String, (i32, String)> {
    let about = ListParams::default().fields(&format!("regarding.kind=EaiserCluster,regarding.name={NAME}"));
    let list = world.api::<Event>().list(&about).await.unwrap();
    let count = |event: &Event| event.series.as_ref().map_or(1, |series| series.count);
    let row = |event: Event| {
        let name = format!("{} {}", event.reason.clone().unwrap_or_default(), event.name_any());
        (name, (count(&event), event.note.unwrap_or_default()))
    };
    list.items.into_iter().map(row).collect()
}

/// How often a reason was told.
async fn told(world: &World, reason: &str) -> i32 {
    let events = events(world).await;
    events
        .iter()
        .filter(|(name, _)| name.split(' ').next() == Some(reason))
        .map(|(_, (count, _))| count)
        .sum()
}
