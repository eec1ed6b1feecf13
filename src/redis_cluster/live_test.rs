//! The whole module against real servers on loopback: six `redis-server` processes per cluster.
//!
//! `cargo test --lib redis_cluster::live_test -- --ignored --nocapture --test-threads 1`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::steps::{Next, next};
use super::topology::{NodeView, Topology};
use super::{SLOT_COUNT, SlotSet, WaitReason, client, observe, run};

mod servers;

use servers::Cluster;

/// What driving a cluster took.
#[derive(Debug, Default)]
struct Drive {
    passes: usize,
    steps: Vec<&'static str>,
    orders: usize,
    covered_after: Option<Duration>,
    settled_after: Duration,
    last_wait: String,
}

/// Looks, decides and acts until settled; panics with the last wait when that takes too long.
async fn drive(cluster: &Cluster, limit: Duration) -> Drive {
    let connections = cluster.connections();
    let started = Instant::now();
    let mut drive = Drive::default();
    while started.elapsed() < limit {
        let topology = observe::topology(&cluster.targets(), &connections).await;
        assert_no_doubled_slot(&topology);
        drive.passes += 1;
        if drive.covered_after.is_none() && topology.summary(&cluster.wanted()).slots_assigned == SLOT_COUNT {
            drive.covered_after = Some(started.elapsed());
        }
        match next(&cluster.wanted(), &topology) {
            Next::Settled => {
                drive.settled_after = started.elapsed();
                return drive;
            }
            Next::Do(step) => {
                drive.steps.push(step.reason());
                drive.orders += step.orders().len();
                if let Err(error) = run(&connections, &step).await {
                    println!("    {}: {error}", step.reason());
                }
            }
            Next::Wait(waiting) => {
                let words = format!("{}: {}", waiting.reason.as_str(), waiting.message);
                if words != drive.last_wait {
                    println!("    {:>6.2} s wait {words}", started.elapsed().as_secs_f32());
                    drive.last_wait = words;
                }
                pause(Duration::from_millis(100)).await;
            }
        }
    }
    panic!("not settled after {limit:?}: {drive:?}");
}

/// Executes the first `orders` commands of a formation and then vanishes, as a killed operator does.
async fn crash_after(cluster: &Cluster, orders: usize) {
    let connections = cluster.connections();
    let mut left = orders;
    let deadline = Instant::now() + Duration::from_secs(60);
    while left > 0 && Instant::now() < deadline {
        let topology = observe::topology(&cluster.targets(), &connections).await;
        match next(&cluster.wanted(), &topology) {
            Next::Settled => return,
            Next::Wait(_) => pause(Duration::from_millis(50)).await,
            Next::Do(step) => {
                let mut verified = BTreeSet::new();
                for order in step.orders().iter().take(left) {
                    client::execute(&connections, order, &mut verified).await.unwrap();
                    left -= 1;
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "real servers need real time")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

fn views(topology: &Topology) -> impl Iterator<Item = &NodeView> {
    topology.nodes.iter().filter_map(|node| node.view.node())
}

fn assert_no_doubled_slot(topology: &Topology) {
    let mut held = SlotSet::new();
    for view in views(topology) {
        let own = view.own_slots();
        assert!(held.intersection(&own).is_empty(), "slots {} are owned twice", held.intersection(&own));
        held = held.union(&own);
    }
}

/// Every node names exactly one owner for every slot, and three primaries own them.
async fn assert_whole(cluster: &Cluster) {
    let topology = observe::topology(&cluster.targets(), &cluster.connections()).await;
    assert_eq!(views(&topology).count(), 6);
    for view in views(&topology) {
        assert_eq!(view.cluster.slots_assigned, SLOT_COUNT);
        let counts: Vec<u16> = view.known().map(|entry| entry.slots.count()).collect();
        assert_eq!(counts.iter().sum::<u16>(), SLOT_COUNT);
        assert_eq!(counts.iter().filter(|count| **count > 0).count(), 3);
        assert_eq!(view.known().count(), 6);
    }
    let summary = topology.summary(&cluster.wanted());
    assert!(summary.is_healthy(), "{summary:?}");
    assert!(summary.shards.iter().all(|shard| shard.replicas.len() == 1), "{summary:?}");
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn six_fresh_servers_become_one_cluster() {
    let cluster = Cluster::start(3, 2).await;
    let drive = drive(&cluster, Duration::from_secs(60)).await;
    println!("formation: {drive:?}");
    assert_whole(&cluster).await;
    assert!(drive.steps.len() <= 6, "{drive:?}");
    let topology = observe::topology(&cluster.targets(), &cluster.connections()).await;
    assert_eq!(next(&cluster.wanted(), &topology), Next::Settled, "a settled cluster stays settled");
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER; minutes"]
async fn an_operator_killed_at_any_command_of_formation_finishes_after_its_restart() {
    let orders = {
        let cluster = Cluster::start(3, 2).await;
        drive(&cluster, Duration::from_secs(60)).await.orders
    };
    println!("formation sends {orders} commands");
    let mut slowest = Duration::ZERO;
    for crash in 0..=orders {
        let cluster = Cluster::start(3, 2).await;
        crash_after(&cluster, crash).await;
        let drive = drive(&cluster, Duration::from_secs(60)).await;
        assert_whole(&cluster).await;
        slowest = slowest.max(drive.settled_after);
        println!("  crash after {crash}: settled in {:?}, steps {:?}", drive.settled_after, drive.steps);
    }
    println!("{} crashes, slowest recovery {slowest:?}", orders + 1);
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn six_restarted_servers_with_new_addresses_heal_by_node_id() {
    let mut cluster = Cluster::start(3, 2).await;
    drive(&cluster, Duration::from_secs(60)).await;
    cluster.write("marker", "still here").await;
    let ids: Vec<_> = cluster.ids().await;
    cluster.restart_all_with_new_ports().await;
    let drive = drive(&cluster, Duration::from_secs(60)).await;
    println!("full restart: {drive:?}");
    assert_eq!(cluster.ids().await, ids, "no node was replaced or forgotten");
    assert_whole(&cluster).await;
    assert_eq!(cluster.read("marker").await.as_deref(), Some("still here"));
    assert!(drive.steps.iter().all(|step| *step == "HealRedisAddresses"), "{drive:?}");
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn six_restarted_servers_with_each_others_addresses_heal_by_node_id() {
    let mut cluster = Cluster::start(3, 2).await;
    drive(&cluster, Duration::from_secs(60)).await;
    cluster.write("marker", "still here").await;
    let ids = cluster.ids().await;
    cluster.restart_all_with_rotated_ports().await;
    let drive = drive(&cluster, Duration::from_secs(60)).await;
    println!("full restart, addresses rotated: {drive:?}");
    assert_eq!(cluster.ids().await, ids);
    assert_whole(&cluster).await;
    assert_eq!(cluster.read("marker").await.as_deref(), Some("still here"));
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn one_restarted_primary_with_a_new_address_is_found_again() {
    let mut cluster = Cluster::start(3, 2).await;
    drive(&cluster, Duration::from_secs(60)).await;
    cluster.write("marker", "still here").await;
    cluster.restart_with_new_port(0).await;
    let drive = drive(&cluster, Duration::from_secs(60)).await;
    println!("one restart: {drive:?}");
    assert_whole(&cluster).await;
    assert_eq!(cluster.read("marker").await.as_deref(), Some("still here"));
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn a_primary_that_lost_its_disk_comes_back_as_replica_of_its_successor() {
    let mut cluster = Cluster::start(3, 2).await;
    drive(&cluster, Duration::from_secs(60)).await;
    cluster.write("marker", "still here").await;
    cluster.stop(0);
    cluster.wipe(0);
    cluster.restart_with_new_port(0).await;
    let drive = drive(&cluster, Duration::from_secs(90)).await;
    println!("lost disk: {drive:?}");
    assert_whole(&cluster).await;
    assert_eq!(cluster.read("marker").await.as_deref(), Some("still here"));
    assert!(drive.steps.contains(&"ForgetRedisNodes"), "{drive:?}");
    let summary =
        observe::topology(&cluster.targets(), &cluster.connections()).await.summary(&cluster.wanted());
    assert_eq!(summary.shards[0].primary.as_deref(), Some("shard-0-1"));
}

/// Redis 7.0 does not fail over here, and the replica copies the empty node at its primary's
/// address. The operator must not make it worse, and must say what a person can do.
#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn a_primary_that_lost_its_disk_and_kept_its_address_needs_a_person() {
    let mut cluster = Cluster::start(3, 2).await;
    drive(&cluster, Duration::from_secs(60)).await;
    cluster.stop(0);
    cluster.wipe(0);
    cluster.restart(0).await;
    let connections = cluster.connections();
    let (started, mut last) = (Instant::now(), Next::Settled);
    while started.elapsed() < Duration::from_secs(15) {
        let topology = observe::topology(&cluster.targets(), &connections).await;
        last = next(&cluster.wanted(), &topology);
        if let Next::Do(step) = &last {
            assert_eq!(step.reason(), "MeetRedisNodes");
            run(&connections, step).await.unwrap();
        }
        pause(Duration::from_millis(200)).await;
    }
    let Next::Wait(waiting) = last else { panic!("{last:?}") };
    println!("    {}", waiting.message);
    assert_eq!(waiting.reason, WaitReason::OwnerGone);
    assert!(waiting.message.contains("pod shard-0-1") && waiting.message.contains("CLUSTER FAILOVER FORCE"));
    cluster.promote_by_hand("shard-0-1").await;
    drive(&cluster, Duration::from_secs(60)).await;
    assert_whole(&cluster).await;
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn a_primary_without_data_that_returns_after_the_failover_becomes_a_replica() {
    let mut cluster = Cluster::start(3, 2).await;
    drive(&cluster, Duration::from_secs(60)).await;
    cluster.write("marker", "still here").await;
    cluster.stop(0);
    cluster.lose_data_but_not_identity(0);
    pause(Duration::from_secs(12)).await;
    cluster.restart(0).await;
    let drive = drive(&cluster, Duration::from_secs(60)).await;
    println!("late return without data: {drive:?}");
    assert_whole(&cluster).await;
    assert_eq!(cluster.read("marker").await.as_deref(), Some("still here"));
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or $REDIS_SERVER"]
async fn a_wrong_password_is_named_and_nothing_is_sent() {
    let cluster = Cluster::start(3, 2).await;
    let connections = cluster.connections_with("wrong-password-9");
    let topology = observe::topology(&cluster.targets(), &connections).await;
    let verdict = next(&cluster.wanted(), &topology);
    let words = format!("{verdict:?}");
    assert!(words.contains("WRONGPASS") && words.contains("shard-0-0"), "{words}");
    assert!(!words.contains("wrong-password-9") && !words.contains(servers::PASSWORD), "{words}");
}
