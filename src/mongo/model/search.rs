//! The search through the model: everything to a depth, and random walks beyond it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::world::{Event, PODS, World};
use super::{Decision, Operator};

/// Longest chain of moves searched, and most worlds looked at from one start.
const DEPTH: usize = 64;
const WORLDS: usize = 5_000;
/// Decisions a world may take to settle once it is calm.
const PATIENCE: usize = 60;

/// From here on nothing goes wrong: the operator must get there, whoever wins the elections.
fn assert_converges(operator: &mut Operator, world: World, last_wins: bool, known: &mut HashSet<World>) {
    let (mut world, mut path) = (world, Vec::new());
    world.calm();
    for _ in 0..PATIENCE {
        if !known.insert(world) {
            return;
        }
        path.push(world);
        let healing = world.healing();
        if let Some(event) = if last_wins { healing.last() } else { healing.first() } {
            world.apply(*event);
            continue;
        }
        match operator.decide(&world) {
            Decision::Settled => return,
            Decision::Wait => panic!("waits for ever: {world:?}"),
            Decision::Act(act) => {
                world.send(act);
                world.apply(Event::Execute);
                world.assert_sound();
            }
        }
    }
    panic!("not settled after {PATIENCE} moves: {path:#?}");
}

struct Found {
    worlds: usize,
    depth: usize,
    complete: bool,
}

fn search(operator: &mut Operator, start: World) -> Found {
    let mut depths = HashMap::from([(start, 0)]);
    let mut queue = VecDeque::from([start]);
    let mut known = [HashSet::new(), HashSet::new()];
    let mut found = Found { worlds: 0, depth: 0, complete: true };
    while let Some(world) = queue.pop_front() {
        let depth = depths[&world];
        (found.worlds, found.depth) = (found.worlds + 1, depth);
        assert_converges(operator, world, false, &mut known[0]);
        assert_converges(operator, world, true, &mut known[1]);
        for after in successors(operator, &world) {
            if depth >= DEPTH || depths.len() >= WORLDS {
                found.complete = false;
                break;
            }
            depths.entry(after).or_insert_with(|| {
                queue.push_back(after);
                depth + 1
            });
        }
    }
    found
}

fn successors(operator: &mut Operator, world: &World) -> Vec<World> {
    let mut all = Vec::new();
    if world.pending.is_none()
        && let Decision::Act(act) = operator.decide(world)
    {
        let mut after = *world;
        after.send(act);
        all.push(after);
    }
    for event in world.events() {
        let mut after = *world;
        after.apply(event);
        after.assert_sound();
        all.push(after);
    }
    all
}

#[test]
fn every_way_from_any_size_to_any_size_is_safe_and_leads_there() {
    let mut operator = Operator::default();
    let (mut worlds, mut incomplete) = (0, 0);
    for members in 0..=PODS {
        for target in [1, 3, 5] {
            for primary in BTreeSet::from([0, members.saturating_sub(1)]) {
                let found = search(&mut operator, World::start(members, primary, target));
                println!(
                    "{members} members to {target}, primary {primary}: {} worlds, depth {}, complete {}",
                    found.worlds, found.depth, found.complete
                );
                worlds += found.worlds;
                incomplete += usize::from(!found.complete);
            }
        }
    }
    println!(
        "{worlds} worlds, {} decisions, {incomplete} searches cut at the bounds",
        operator.decided.len()
    );
    assert!(worlds > 10_000, "the search has become trivial: {worlds} worlds");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn long_histories_with_changing_targets_are_safe_and_settle(
        members in 0..=PODS,
        moves in prop::collection::vec((any::<prop::sample::Index>(), 0..40_u8), 50..400),
    ) {
        let mut operator = Operator::default();
        let mut world = World::start(members, 0, 3);
        for (choice, new_target) in moves {
            match new_target {
                0 => world.target = 1,
                1 => world.target = 3,
                2 => world.target = 5,
                _ => world = *choice.get(&successors(&mut operator, &world)),
            }
        }
        assert_converges(&mut operator, world, false, &mut HashSet::new());
        assert_converges(&mut operator, world, true, &mut HashSet::new());
    }
}
