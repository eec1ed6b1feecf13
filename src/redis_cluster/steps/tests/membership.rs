//! Identities, addresses, introductions, farewells.

use super::*;
use crate::redis_cluster::topology::{EntryFlags, NodeAddress};

fn elsewhere() -> NodeAddress {
    NodeAddress { ip: "10.9.9.9".parse().unwrap(), port: 6379, bus_port: 16379 }
}

/// An id that every node holds for dead: failed, without slots.
fn with_dead_entry(mut topology: Topology) -> Topology {
    for pod in pods(&topology) {
        let mut dead = entry(&mut topology, &pod, "shard-0-1").clone();
        dead.id = someone('e');
        dead.primary_id = None;
        dead.flags = EntryFlags { primary: true, failed: true, ..EntryFlags::default() };
        view(&mut topology, &pod).entries.push(dead);
    }
    topology
}

fn dead_entry<'a>(topology: &'a mut Topology, pod: &str) -> &'a mut NodeEntry {
    let mut entries = view(topology, pod).entries.iter_mut();
    entries.find(|entry| entry.id == someone('e')).unwrap()
}

fn meetings(topology: &Topology) -> Vec<(String, String)> {
    let (Step::Heal(meetings) | Step::Meet(meetings)) = step(topology) else { panic!() };
    meetings.iter().map(|meeting| (meeting.via.pod.clone(), meeting.to.pod.clone())).collect()
}

#[test]
fn two_pods_with_one_id_are_copies_of_one_volume() {
    let mut topology = fresh();
    let id = id(&topology, "shard-0-0");
    view(&mut topology, "shard-2-0").id = id;
    assert_waits(&topology, WaitReason::SameIdentity, &["shard-0-0, shard-2-0", "volumes"]);
}

#[test]
fn a_known_id_under_an_old_address_is_met_again_by_whoever_has_the_old_address() {
    let mut topology = settled();
    entry(&mut topology, "shard-2-0", "shard-0-0").address = Some(elsewhere());
    assert!(matches!(step(&topology), Step::Heal(_)));
    assert_eq!(meetings(&topology), [("shard-2-0".to_owned(), "shard-0-0".to_owned())]);
}

#[test]
fn a_known_id_without_address_is_met_again() {
    let mut topology = settled();
    let entry = entry(&mut topology, "shard-0-0", "shard-1-1");
    entry.address = None;
    entry.flags.no_address = true;
    assert_eq!(meetings(&topology), [("shard-0-0".to_owned(), "shard-1-1".to_owned())]);
}

#[test]
fn after_a_full_restart_every_pair_is_healed_once() {
    let mut model = Model::settled(3, 2);
    (0..6).for_each(|index| model.restart(index));
    let topology = model.topology();
    assert!(matches!(step(&topology), Step::Heal(_)));
    assert_eq!(meetings(&topology).len(), 15);
}

#[test]
fn healing_comes_before_forgetting_and_despite_silent_pods() {
    let mut topology = with_dead_entry(settled());
    entry(&mut topology, "shard-2-0", "shard-0-0").address = None;
    silence(&mut topology, "shard-1-1", unreachable());
    assert!(matches!(step(&topology), Step::Heal(_)));
}

#[test]
fn a_heal_under_way_is_not_repeated() {
    let mut topology = settled();
    let mut greeting = entry(&mut topology, "shard-2-0", "shard-0-0").clone();
    entry(&mut topology, "shard-2-0", "shard-0-0").address = None;
    greeting.id = someone('d');
    greeting.flags = EntryFlags { handshake: true, ..EntryFlags::default() };
    view(&mut topology, "shard-2-0").entries.push(greeting);
    assert_waits(&topology, WaitReason::Handshake, &["shard-0-0"]);
}

#[test]
fn a_leaving_pod_is_not_healed() {
    let mut topology = settled();
    entry(&mut topology, "shard-2-0", "shard-0-0").address = None;
    topology.nodes[0].target.terminating = true;
    assert!(!matches!(next(&wanted(), &topology), Next::Do(Step::Heal(_))));
}

#[test]
fn an_announced_address_that_works_is_not_stale() {
    let mut topology = settled();
    everywhere(&mut topology, "shard-0-0", |entry| {
        entry.address = Some(elsewhere());
    });
    assert_eq!(next(&wanted(), &topology), Next::Settled);
}

#[test]
fn introductions_start_with_the_first_node() {
    let mut topology = fresh();
    for (index, pod) in pods(&topology).iter().enumerate() {
        entry(&mut topology, pod, pod).config_epoch = index as u64 + 1;
    }
    let meetings = meetings(&topology);
    assert_eq!(meetings.len(), 15);
    assert!(meetings[..5].iter().all(|(via, _)| via == "shard-0-0"));
}

#[test]
fn one_step_makes_a_bounded_number_of_introductions() {
    let mut model = Model::fresh(20, 3);
    model.operate(usize::MAX);
    let Next::Do(Step::Meet(meetings)) = next(&model.wanted(), &model.topology()) else { panic!() };
    assert_eq!(meetings.len(), MAX_MEETINGS);
}

#[test]
fn a_pod_with_an_empty_volume_is_introduced_to_the_cluster() {
    let mut model = Model::settled(3, 2);
    model.wipe(3);
    let meetings = meetings(&model.topology());
    assert_eq!(meetings.len(), 5);
    assert!(meetings.iter().all(|(via, to)| via != "shard-1-1" && to == "shard-1-1"));
}

#[test]
fn one_sided_acquaintance_is_repaired_by_the_side_that_forgot() {
    let mut topology = settled();
    let forgotten = id(&topology, "shard-2-1");
    view(&mut topology, "shard-0-0").entries.retain(|entry| entry.id != forgotten);
    assert_eq!(meetings(&topology), [("shard-0-0".to_owned(), "shard-2-1".to_owned())]);
}

#[test]
fn two_clusters_with_slots_are_never_joined() {
    let mut topology = settled();
    let strangers = Model::settled(3, 2).topology();
    let renamed = |text: &NodeId| NodeId::parse(&format!("ffff{}", &text.as_str()[4..])).unwrap();
    for index in 4..6 {
        topology.nodes[index].view = strangers.nodes[index].view.clone();
        let pod = topology.nodes[index].target.pod.clone();
        let view = view(&mut topology, &pod);
        view.id = renamed(&view.id);
        for entry in &mut view.entries {
            entry.id = renamed(&entry.id);
        }
    }
    assert_waits(&topology, WaitReason::Strangers, &["shard-0-0", "shard-2-0, shard-2-1", "mix their data"]);
}

#[test]
fn an_empty_node_of_another_cluster_is_not_joined() {
    let mut model = Model::settled(3, 2);
    model.wipe(3);
    let mut topology = model.topology();
    let mut stranger = entry(&mut topology, "shard-0-0", "shard-0-1").clone();
    stranger.id = someone('e');
    stranger.slots = SlotSet::new();
    view(&mut topology, "shard-1-1").entries.push(stranger);
    assert_waits(&topology, WaitReason::Strangers, &["shard-1-1", "merge two clusters"]);
}

#[test]
fn a_dead_id_that_nobody_needs_is_forgotten_everywhere() {
    let Step::Forget(forgets) = step(&with_dead_entry(settled())) else { panic!() };
    assert_eq!(forgets.len(), 6);
    assert!(forgets.iter().all(|forget| forget.id == someone('e')));
}

#[test]
fn an_id_is_kept_while_it_may_still_matter() {
    type Change = fn(&mut Topology);
    let cases: [(&str, Change); 5] = [
        ("a pod is silent", |topology| {
            silence(topology, "shard-1-1", unreachable());
        }),
        ("one view holds it for alive", |topology| {
            dead_entry(topology, "shard-1-0").flags.failed = false;
        }),
        ("it is only suspected", |topology| {
            let flags = EntryFlags { primary: true, suspected: true, ..EntryFlags::default() };
            dead_entry(topology, "shard-1-0").flags = flags;
        }),
        ("one view gives it slots", |topology| {
            dead_entry(topology, "shard-2-1").slots = SlotSet::parse("7").unwrap();
        }),
        ("somebody follows it", |topology| {
            entry(topology, "shard-0-0", "shard-2-1").primary_id = Some(someone('e'));
        }),
    ];
    for (case, change) in cases {
        let mut topology = with_dead_entry(settled());
        change(&mut topology);
        assert!(!matches!(next(&wanted(), &topology), Next::Do(Step::Forget(_))), "{case}");
    }
}

#[test]
fn the_id_of_a_pod_that_answers_is_never_forgotten() {
    let mut topology = settled();
    for viewer in pods(&topology) {
        let entry = entry(&mut topology, &viewer, "shard-0-1");
        entry.flags.failed = true;
    }
    assert!(!matches!(next(&wanted(), &topology), Next::Do(Step::Forget(_))));
}
