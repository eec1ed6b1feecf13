//! Stops and starts of a small world: workloads ask, controllers follow one pod at a time.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;

use super::*;
use crate::desired::{self, Desired};
use crate::mongo::fixture;
use crate::names::Identity;
use crate::redis_cluster::topology::{NodeView, Observed, Replication, Target, View};
use crate::redis_cluster::{self, parser};
use crate::settings::Settings;
use crate::snapshot::{Children, ServedKinds};

const MEMBERS: &str = "0 PRIMARY vote\n1 SECONDARY vote\n2 SECONDARY vote";

fn plan(operation: &str) -> Plan {
    plan_with(operation, "")
}

fn plan_with(operation: &str, more: &str) -> Plan {
    let identity = Identity { namespace: "shop".to_owned(), name: "db".to_owned(), uid: "u-1".to_owned() };
    let spec = format!("{{capacity: {{users: 4000}}, api: {{image: a}}, operation: {{{operation}}}{more}}}");
    crate::plan::plan(identity, &serde_saphyr::from_str(&spec).unwrap(), &Settings::default()).unwrap()
}

/// One node that owns every slot.
fn redis_that_serves() -> redis_cluster::Topology {
    let id = "a".repeat(40);
    let nodes = format!("{id} 10.0.0.1:6379@16379,h myself,master - 0 0 1 connected 0-16383\n");
    let view = NodeView {
        id: redis_cluster::topology::NodeId::parse(&id).unwrap(),
        cluster: parser::cluster_info("cluster_state:ok\ncluster_slots_assigned:16384\ncluster_known_nodes:1\ncluster_size:1\ncluster_current_epoch:1\n").unwrap(),
        replication: Replication::Primary,
        keys: 0,
        version: None,
        entries: parser::cluster_nodes(&nodes).unwrap(),
    };
    let target = Target {
        pod: "db-redis-0-0".to_owned(),
        shard: 0,
        address: None,
        port: 6379,
        host_node: None,
        terminating: false,
    };
    redis_cluster::Topology { nodes: vec![Observed { target, view: View::Node(Box::new(view)) }] }
}

/// A workload's name, its tier, what it asks for, and the pods it has.
#[derive(Clone, Debug)]
struct Workload {
    name: String,
    tier: Tier,
    asked: i32,
    pods: i32,
}

/// A cluster that runs: 2 API and 2 gateway pods, 3 members, 3 shards of 2.
fn running() -> Vec<Workload> {
    let workload = |name: &str, tier, pods| Workload { name: name.to_owned(), tier, asked: pods, pods };
    vec![
        workload("db-api", Tier::Api, 2),
        workload("db-gateway", Tier::Gateway, 2),
        workload("db-redis-0", Tier::Redis, 2),
        workload("db-redis-1", Tier::Redis, 2),
        workload("db-redis-2", Tier::Redis, 2),
        workload("db-mongodb", Tier::MongoDb, 3),
    ]
}

fn stopped() -> Vec<Workload> {
    running().into_iter().map(|workload| Workload { asked: 0, pods: 0, ..workload }).collect()
}

fn count(world: &[Workload], tier: Tier) -> i32 {
    world.iter().filter(|workload| workload.tier == tier).map(|workload| workload.pods).sum()
}

/// What the operator sees of the world; the databases do not answer.
fn seen(world: &[Workload]) -> Snapshot {
    let mut children = Children::default();
    for Workload { name, tier, asked, pods } in world {
        let object = format!(
            "{{metadata: {{name: {name}, generation: 1}}, spec: {{replicas: {asked}, selector: {{}}, template: {{}}}}, status: {{observedGeneration: 1, replicas: {pods}}}}}"
        );
        match tier {
            Tier::Api | Tier::Gateway => {
                children.deployments.push(Arc::new(serde_saphyr::from_str(&object).unwrap()));
            }
            _ => children.stateful_sets.push(Arc::new(serde_saphyr::from_str(&object).unwrap())),
        }
        for ordinal in 0..*pods {
            let mut pod = Pod::default();
            pod.metadata.name = Some(format!("{name}-{ordinal}"));
            pod.metadata.labels = Some([("app.kubernetes.io/component".to_owned(), tier.to_string())].into());
            children.pods.push(Arc::new(pod));
        }
    }
    Snapshot { children, ..Snapshot::offline(ServedKinds::default()) }
}

fn replicas(desired: &Desired, name: &str) -> Option<i32> {
    let sets = desired.stateful_sets.iter().map(|set| (&set.metadata, set.spec.as_ref().unwrap().replicas));
    let deployments =
        desired.deployments.iter().map(|set| (&set.metadata, set.spec.as_ref().unwrap().replicas));
    let mut found = sets.chain(deployments).filter(|(metadata, _)| metadata.name.as_deref() == Some(name));
    found.find_map(|(_, replicas)| replicas)
}

/// What an apply would leave, and one pod fewer or more where a workload has not got what it asks for.
fn step(plan: &Plan, snapshot: &Snapshot, world: &mut [Workload]) {
    let desired = desired::build(plan, snapshot);
    for workload in world {
        workload.asked = replicas(&desired, &workload.name).unwrap_or(workload.asked);
        workload.pods += (workload.asked - workload.pods).signum();
    }
}

#[test]
fn a_stop_takes_each_tier_only_when_no_pod_of_its_users_is_left() {
    let plan = plan("stopped: true");
    let mut world = running();
    for _ in 0..30 {
        let snapshot = seen(&world);
        let stage = Stage::of(&plan, &snapshot);
        let counts = [Tier::Api, Tier::Redis, Tier::MongoDb].map(|tier| count(&world, tier));
        assert!(!(counts[0] > 0 && counts[1] < 6), "Redis went before the API: {counts:?}");
        assert!(!(counts[1] > 0 && counts[2] < 3), "MongoDB went before Redis: {counts:?}");
        if stage.progress == Progress::Stopped {
            assert_eq!(count(&world, Tier::Gateway) + counts.iter().sum::<i32>(), 0);
            return;
        }
        assert_eq!(stage.progress, Progress::Stopping);
        step(&plan, &snapshot, &mut world);
    }
    panic!("not stopped: {world:?}");
}

#[test]
fn the_gateway_outlives_the_api() {
    let plan = plan("stopped: true");
    let mut world = running();
    let snapshot = seen(&world);
    step(&plan, &snapshot, &mut world);
    assert_eq!((count(&world, Tier::Api), count(&world, Tier::Gateway)), (1, 2));
}

#[test]
fn a_count_the_controller_has_not_looked_at_yet_is_not_gone() {
    let plan = plan("stopped: true");
    let mut world = running();
    world[0] = Workload { asked: 0, pods: 0, ..world[0].clone() };
    let mut snapshot = seen(&world);
    let api = Arc::make_mut(&mut snapshot.children.deployments[0]);
    api.metadata.generation = Some(2);
    assert!(Stage::of(&plan, &snapshot).redis, "its pods may still be on their way");
}

#[test]
fn a_start_goes_from_mongodb_to_redis_to_the_api() {
    let plan = plan("");
    let mut world = stopped();
    let mut snapshot = seen(&world);
    let stage = Stage::of(&plan, &snapshot);
    assert_eq!((stage.mongodb, stage.redis, stage.gateway, stage.api), (true, false, false, false));
    assert_eq!(stage.progress, Progress::Starting);
    step(&plan, &snapshot, &mut world);
    assert_eq!((world[5].asked, world[2].asked, world[0].asked), (3, 0, 0));

    snapshot = seen(&world);
    assert!(!Stage::of(&plan, &snapshot).redis, "MongoDB does not serve yet");
    snapshot.mongodb = fixture::topology(MEMBERS);
    step(&plan, &snapshot, &mut world);
    assert_eq!((world[2].asked, world[3].asked, world[4].asked, world[0].asked), (2, 2, 2, 0));

    snapshot = seen(&world);
    snapshot.mongodb = fixture::topology(MEMBERS);
    snapshot.redis = redis_that_serves();
    step(&plan, &snapshot, &mut world);
    assert!(world[0].asked >= 2 && world[1].asked >= 2, "{world:?}");
    assert_eq!(Stage::of(&plan, &seen(&world)).progress, Progress::Running);
}

#[test]
fn a_tier_that_runs_is_never_held_back_by_a_database_that_fails() {
    let stage = Stage::of(&plan(""), &seen(&running()));
    assert_eq!(stage, Stage::RUNNING);
}

#[test]
fn a_new_cluster_starts_all_tiers_at_once_and_one_created_stopped_starts_none() {
    assert_eq!(Stage::of(&plan(""), &seen(&[])), Stage::RUNNING);
    let desired = desired::build(&plan("stopped: true"), &seen(&[]));
    for workload in running() {
        assert_eq!(replicas(&desired, &workload.name), Some(0), "{}", workload.name);
    }
}

#[test]
fn the_autoscaler_stays_and_gets_the_count_back_once_the_floor_is_reached() {
    let plan = plan("");
    let mut snapshot = seen(&stopped());
    snapshot.mongodb = fixture::topology(MEMBERS);
    snapshot.redis = redis_that_serves();
    let desired = desired::build(&plan, &snapshot);
    assert_eq!(replicas(&desired, "db-api"), Some(2), "the floor of the plan");
    let desired = desired::build(&plan, &seen(&running()));
    assert_eq!((replicas(&desired, "db-api"), desired.autoscalers.len()), (None, 1));
}

#[test]
fn every_member_of_a_stopped_set_comes_back_although_the_spec_asks_for_fewer() {
    let mut world = running();
    for workload in &mut world {
        if workload.tier == Tier::MongoDb {
            (workload.asked, workload.pods) = (5, 5);
        } else {
            (workload.asked, workload.pods) = (0, 0);
        }
    }
    let members = |plan: &Plan, snapshot: &Snapshot| {
        desired::build(plan, snapshot).stateful_sets.into_iter().next().unwrap()
    };
    let at_zero = members(&plan("stopped: true"), &seen(&world));
    assert_eq!(at_zero.spec.as_ref().unwrap().replicas, Some(0));

    let mut snapshot = seen(&stopped());
    let live = snapshot
        .children
        .stateful_sets
        .iter_mut()
        .find(|set| set.metadata.name.as_deref() == Some("db-mongodb"));
    Arc::make_mut(live.unwrap()).metadata.annotations = at_zero.metadata.annotations.clone();
    let again = members(&plan_with("stopped: true", ", mongodb: {members: 1}"), &snapshot);
    assert_eq!(
        again.metadata.annotations, at_zero.metadata.annotations,
        "remembered for as long as it stops"
    );
    let started = members(&plan_with("", ", mongodb: {members: 1}"), &snapshot);
    assert_eq!(started.spec.unwrap().replicas, Some(5), "one of five has no majority");
    assert_eq!(started.metadata.annotations, None);
}

#[test]
fn a_set_that_is_made_anew_gets_as_many_members_as_there_are_pods() {
    let mut world = running();
    for workload in &mut world {
        if workload.tier == Tier::MongoDb {
            (workload.asked, workload.pods) = (5, 5);
        }
    }
    let mut snapshot = seen(&world);
    snapshot.children.stateful_sets.clear();
    let desired = desired::build(&plan_with("", ", mongodb: {members: 3}"), &snapshot);
    assert_eq!(replicas(&desired, "db-mongodb"), Some(5), "members 3 and 4 may still vote");
}

#[test]
fn a_pause_holds_nothing_back() {
    assert_eq!(Stage::of(&plan("stopped: true, paused: true"), &seen(&running())), Stage::RUNNING);
}
