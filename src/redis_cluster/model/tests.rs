//! The decisions against the model: exhaustively to a stated depth, then at random.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// Something that happens to the cluster or to the operator.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// A pass, killed after so many commands; `usize::MAX` is never.
    Operate(usize),
    /// One node greets and pings all it knows.
    Gossip(usize),
    /// Everybody gossips.
    GossipAll,
    /// A pod comes back under a new address.
    Restart(usize),
    /// All pods come back under each other's addresses.
    Rotate,
    /// A pod goes away for now.
    Stop(usize),
    /// A pod comes back with an empty volume.
    Wipe(usize),
    /// Clients write to every shard.
    Write,
    /// Replicas of failed primaries take over.
    FailOver,
}

fn act(model: &mut Model, action: Action) {
    match action {
        Action::Operate(limit) => {
            model.operate(limit);
        }
        Action::Gossip(index) => model.gossip(index),
        Action::GossipAll => model.gossip_all(),
        Action::Restart(index) => model.restart(index),
        Action::Rotate => model.rotate_addresses(),
        Action::Stop(index) => model.stop(index),
        Action::Wipe(index) => model.wipe(index),
        Action::Write => model.write(),
        Action::FailOver => model.fail_over(),
    }
}

/// Every slot has one owner, in every view; every shard has one primary and its replicas.
fn assert_whole(model: &Model) {
    assert_disjoint(model);
    let owned = model.nodes.iter().fold(SlotSet::new(), |sum, node| sum.union(&node.slots));
    assert_eq!(owned, SlotSet::full());
    for node in &model.nodes {
        for other in model.nodes.iter().filter(|other| other.id != node.id) {
            assert_eq!(node.peers[&other.id].slots, other.slots, "views agree");
        }
    }
    for pods in model.nodes.chunks(model.pods_per_shard) {
        let primaries: Vec<_> = pods.iter().filter(|node| node.primary.is_none()).collect();
        assert_eq!(primaries.len(), 1);
        assert!(pods.iter().all(|node| node.primary.as_ref().is_none_or(|id| *id == primaries[0].id)));
    }
}

fn assert_disjoint(model: &Model) {
    let mut held = SlotSet::new();
    for node in &model.nodes {
        assert!(held.intersection(&node.slots).is_empty(), "a slot is owned twice: {model:#?}");
        held = held.union(&node.slots);
    }
}

fn keys(model: &Model) -> BTreeSet<u16> {
    model.nodes.iter().filter(|node| node.primary.is_none()).flat_map(|node| node.keys.clone()).collect()
}

/// Walks every sequence of actions up to `depth`, states met before left out. Every state is
/// checked as it is, and again after everything has come to rest.
fn explore(
    start: &Model,
    depth: usize,
    actions: impl Fn(&Model) -> Vec<Action>,
    check: impl Fn(&Model),
) -> usize {
    let mut seen = HashSet::from([start.clone()]);
    let mut frontier = vec![start.clone()];
    for _ in 0..depth {
        let mut reached = Vec::new();
        for model in frontier {
            for action in actions(&model) {
                let mut after = model.clone();
                act(&mut after, action);
                if seen.insert(after.clone()) {
                    check(&after);
                    reached.push(after);
                }
            }
        }
        frontier = reached;
    }
    seen.len()
}

fn kills(model: &Model) -> impl Iterator<Item = Action> {
    (1..=model.pending_commands()).map(Action::Operate)
}

#[test]
fn six_fresh_nodes_settle_in_few_passes() {
    let mut model = Model::fresh(3, 2);
    let passes = model.settle();
    assert_whole(&model);
    assert!(passes <= 8, "{passes} passes");
}

#[test]
fn formation_survives_every_crash_and_restart_to_depth_six() {
    let start = Model::fresh(2, 2);
    let actions = |model: &Model| {
        let restarted = model.hosts_given > 4;
        let nodes = 0..model.nodes.len();
        let gossip = nodes.clone().map(Action::Gossip).chain([Action::GossipAll]);
        let restarts = nodes.map(Action::Restart).filter(|_| !restarted);
        kills(model).chain(gossip).chain(restarts).collect()
    };
    let states = explore(&start, 6, actions, |model| {
        assert_disjoint(model);
        let mut rested = model.clone();
        rested.settle();
        assert_whole(&rested);
    });
    println!("formation: {states} distinct states to depth 6, all settle whole");
    assert!(states > 1000);
}

#[test]
fn a_running_cluster_survives_restarts_and_a_lost_disk_to_depth_four() {
    let start = Model::settled(3, 2);
    let written = keys(&start);
    let actions = |model: &Model| {
        let calm = model.hosts_given < 8;
        let whole = model.nodes.iter().all(|node| node.up) && model.ids_given == 6;
        // A primary, its replica, and a primary of another shard: the rest is symmetry.
        let nodes = 0..3;
        let gossip = [Action::GossipAll, Action::Gossip(0), Action::Gossip(3), Action::FailOver];
        let restarts = nodes.clone().map(Action::Restart).filter(|_| calm);
        // One disk is lost at a time, after its replica has every key.
        let wipes = nodes.clone().map(Action::Wipe).filter(|_| whole && model.hosts_given == 6);
        let stops = nodes.map(Action::Stop).filter(|_| whole);
        let operate = [Action::Operate(1), Action::Operate(usize::MAX)];
        operate.into_iter().chain(gossip).chain(restarts).chain(wipes).chain(stops).collect()
    };
    let states = explore(&start, 4, actions, |model| {
        let mut rested = model.clone();
        rested.settle();
        assert_whole(&rested);
        assert_eq!(keys(&rested), written, "no acknowledged key is lost");
    });
    println!("running cluster: {states} distinct states to depth 4, all settle whole with every key");
    assert!(states > 1000);
}

fn any_action(nodes: usize) -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0_usize..16).prop_map(Action::Operate),
        3 => Just(Action::Operate(usize::MAX)),
        6 => (0..nodes).prop_map(Action::Gossip),
        3 => Just(Action::GossipAll),
        2 => (0..nodes).prop_map(Action::Restart),
        1 => Just(Action::Rotate),
        1 => (0..nodes).prop_map(Action::Stop),
        1 => Just(Action::Write),
        1 => Just(Action::FailOver),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_fresh_nodes_ends_whole(actions in prop::collection::vec(any_action(6), 0..60)) {
        let mut model = Model::fresh(3, 2);
        for action in actions {
            act(&mut model, action);
        }
        model.settle();
        assert_whole(&model);
    }

    #[test]
    fn any_history_of_a_running_cluster_keeps_every_key(actions in prop::collection::vec(any_action(9), 0..60)) {
        let mut model = Model::settled(3, 3);
        let written = keys(&model);
        for action in actions.into_iter().filter(|action| !matches!(action, Action::Write)) {
            act(&mut model, action);
        }
        model.settle();
        assert_whole(&model);
        prop_assert_eq!(keys(&model), written);
    }
}
