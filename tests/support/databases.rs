//! Asks every member of both databases over the wire, and checks what must hold of their answers.

use std::collections::BTreeSet;

use eaiser_operator::crd::EaiserCluster;
use eaiser_operator::names::{Identity, MANAGED_SELECTOR};
use eaiser_operator::plan::{self, Plan};
use eaiser_operator::redis_cluster::{SLOT_COUNT, SlotSet};
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::take::{self, Connections};
use eaiser_operator::snapshot::{Children, Credentials, ServedKinds, Snapshot};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::ListParams;

use super::until::seconds;
use super::{World, until};

/// What both databases say, once every member answers: a busy machine may keep one silent for seconds.
pub async fn observe(world: &World, cluster: &EaiserCluster) -> Snapshot {
    until("every database pod answers", seconds(60), async || {
        let seen = look(world, cluster, &mut Connections::default()).await;
        let silent = seen.mongodb.members.len() - seen.mongodb.configured().count();
        let answering = seen.redis.nodes.iter().filter_map(|node| node.view.node()).count();
        if silent == 0 && answering == seen.redis.nodes.len() {
            Ok(seen)
        } else {
            Err(format!("{silent} members and {} Redis nodes are silent", seen.redis.nodes.len() - answering))
        }
    })
    .await
}

/// What both databases say now, over connections that may be kept for the next look.
pub async fn look(world: &World, cluster: &EaiserCluster, connections: &mut Connections) -> Snapshot {
    let plan = plan_of(world, cluster);
    let ours = ListParams::default().labels(MANAGED_SELECTOR);
    let pods = world.api::<Pod>().list(&ours).await.unwrap().items;
    let secrets = world.api::<Secret>().list(&ours).await.unwrap().items;
    let children = Children {
        pods: pods.into_iter().map(Into::into).collect(),
        secrets: secrets.into_iter().map(Into::into).collect(),
        ..Children::default()
    };
    let credentials = Credentials::placeholder().or_live(&plan.identity, &children);
    take::take(&plan, children, credentials, ServedKinds::default(), connections).await
}

fn plan_of(world: &World, cluster: &EaiserCluster) -> Plan {
    let identity = Identity {
        namespace: world.namespace.clone(),
        name: cluster.name_any(),
        uid: cluster.metadata.uid.clone().unwrap(),
    };
    plan::plan(identity, &cluster.spec, &Settings::default()).unwrap()
}

/// One replica set of exactly `members` voters, and no more of it anywhere.
pub fn assert_one_replica_set(snapshot: &Snapshot, members: usize) {
    let configured: Vec<_> = snapshot.mongodb.configured().collect();
    let said: Vec<_> = snapshot.mongodb.members.iter().map(|member| (&member.pod, &member.view)).collect();
    assert_eq!(configured.len(), members, "not every member has a configuration: {said:?}");
    let sets: BTreeSet<_> =
        configured.iter().map(|(_, member)| member.config.replica_set_id.clone().unwrap()).collect();
    assert_eq!(sets.len(), 1, "the members belong to different replica sets: {sets:?}");
    for (observed, member) in &configured {
        let voters = member.config.members.iter().filter(|member| member.votes == 1).count();
        assert_eq!(
            (voters, member.config.members.len()),
            (members, members),
            "voters and members as {} knows them: {:?}",
            observed.pod,
            member.config.members
        );
    }
    assert!(snapshot.mongodb.primary().is_some(), "no primary: {said:?}");
}

/// Every slot has exactly one owner, all nodes agree on it, and each is `shards` primaries' own.
pub fn assert_slots_whole(snapshot: &Snapshot, shards: usize) {
    let views: Vec<_> = snapshot.redis.nodes.iter().filter_map(|node| node.view.node()).collect();
    assert_eq!(views.len(), snapshot.redis.nodes.len(), "a Redis node does not answer: {:?}", snapshot.redis);
    let owners: Vec<_> = views.iter().filter(|view| !view.own_slots().is_empty()).collect();
    assert_eq!(owners.len(), shards, "primaries that own slots");
    let mut all = SlotSet::new();
    let mut sum = 0;
    for owner in &owners {
        let slots = owner.own_slots();
        sum += u32::from(slots.count());
        all = all.union(&slots);
    }
    assert_eq!((sum, all), (u32::from(SLOT_COUNT), SlotSet::full()), "slots lost or owned twice");
    for view in &views {
        let assigned: u32 = view.entries.iter().map(|entry| u32::from(entry.slots.count())).sum();
        let ids: BTreeSet<_> = view.entries.iter().map(|entry| &entry.id).collect();
        assert_eq!(
            (assigned, ids.len(), view.cluster.state_ok),
            (u32::from(SLOT_COUNT), views.len(), true),
            "slots, nodes and state as node {} sees them: {:?}",
            view.id,
            view.entries
        );
        assert!(view.entries.iter().all(|entry| entry.open_slots.is_empty()), "slots left open");
    }
}
