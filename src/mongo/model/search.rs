//! The search through the model: everything to a depth, and random walks beyond it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

use super::world::{Event, PODS, TARGETS, World};
use super::{Decision, Operator};
use crate::mongo::steps::mutants::{self, Mutant};

/// Longest chain of moves searched, and most worlds looked at from one start.
const DEPTH: usize = 64;
const WORLDS: usize = 3_000;
/// Moves a world may take to settle once it is calm.
const PATIENCE: usize = 120;

/// From here on nothing goes wrong: the operator must get there, whoever wins the elections.
fn assert_converges(operator: &mut Operator, world: World, last_wins: bool, known: &mut HashSet<World>) {
    let (mut world, mut path) = (world, Vec::new());
    world.calm();
    for _ in 0..PATIENCE {
        assert!(!path.contains(&world), "goes round in circles: {path:?}");
        if !known.insert(world) {
            return;
        }
        path.push(world);
        let mut healing = world.healing();
        // Who stepped down keeps out of it for ten seconds, and an election takes one or two.
        if healing.iter().any(|event| matches!(event, Event::Elect(_))) {
            healing.retain(|event| *event != Event::Thaw);
        }
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
    panic!("not settled after {PATIENCE} moves: {path:?}");
}

struct Found {
    worlds: usize,
    depth: usize,
    complete: bool,
}

fn search(operator: &mut Operator, start: World, most: usize) -> Found {
    let start = start.canonical();
    let mut depths = HashMap::from([(start, 0)]);
    let mut queue = VecDeque::from([start]);
    let mut known = [HashSet::new(), HashSet::new()];
    let mut found = Found { worlds: 0, depth: 0, complete: true };
    while let Some(world) = queue.pop_front() {
        let depth = depths[&world];
        (found.worlds, found.depth) = (found.worlds + 1, depth);
        assert_converges(operator, world, false, &mut known[0]);
        assert_converges(operator, world, true, &mut known[1]);
        let mut after = successors(operator, &world);
        after.extend(successors(operator, &world.reversed()));
        for after in after {
            if depth >= DEPTH || depths.len() >= most {
                found.complete = false;
                break;
            }
            depths.entry(after.canonical()).or_insert_with(|| {
                queue.push_back(after.canonical());
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

/// Sets of every size, led by the first or the last member, on the way to every size.
fn starts() -> Vec<(String, World)> {
    let mut starts = Vec::new();
    for members in 0..=PODS {
        for target in TARGETS {
            for primary in BTreeSet::from([0, members.saturating_sub(1)]) {
                let what = format!("{members} members to {target}, primary {primary}");
                starts.push((what, World::start(members, primary, target)));
            }
            if members > 0 {
                let what = format!("{members} members under other names to {target}");
                starts.push((what, World::start_misnamed(members, 0, target)));
            }
        }
    }
    starts
}

#[test]
fn every_way_from_any_size_to_any_size_is_safe_and_leads_there() {
    let mut operator = Operator::default();
    let most = if thorough() { 20 * WORLDS } else { WORLDS };
    let (mut worlds, mut incomplete) = (0, 0);
    for (what, start) in starts() {
        let found = search(&mut operator, start, most);
        println!("{what}: {} worlds, depth {}, complete {}", found.worlds, found.depth, found.complete);
        worlds += found.worlds;
        incomplete += usize::from(!found.complete);
    }
    println!(
        "{worlds} worlds, {} decisions, {incomplete} of {} searches cut at {most} worlds or {DEPTH} moves",
        operator.decided.len(),
        starts().len(),
    );
    assert!(worlds > 100_000, "the search has become trivial: {worlds} worlds");
}

/// The model is worth something only if it notices what is missing.
#[test]
fn a_planner_without_one_of_its_checks_is_found_out() {
    let cases = [
        (Mutant::InitiatesInDoubt, World::start(0, 0, 3)),
        (Mutant::VotesBeforeTheSyncEnds, World::start(1, 0, 3)),
        (Mutant::RevokesRegardless, World::start(4, 3, 1)),
        (Mutant::RemovesVoters, World::start(3, 0, 1)),
        (Mutant::IgnoresALostMajority, World::start(2, 0, 3)),
        (Mutant::NeverHandsOver, World::start(3, 2, 1)),
        (Mutant::RenamesThePrimary, World::start_misnamed(3, 0, 3)),
        (Mutant::RenamesRegardless, World::start_misnamed(3, 0, 3)),
    ];
    assert_eq!(cases.map(|(mutant, _)| mutant), mutants::ALL);
    for (mutant, start) in cases {
        let mut operator = Operator::without(mutant);
        let search = AssertUnwindSafe(|| search(&mut operator, start, WORLDS));
        let Err(violation) = catch_unwind(search) else { panic!("{mutant:?} does no harm") };
        let words = violation.downcast_ref::<String>().map_or("", String::as_str);
        println!("{mutant:?}: {}", words.split(": ").next().unwrap_or_default());
    }
}

fn thorough() -> bool {
    std::env::var_os("EAISER_THOROUGH").is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if thorough() { 4_000 } else { 64 }, ..ProptestConfig::default() })]

    #[test]
    fn long_histories_with_changing_targets_are_safe_and_settle(
        members in 0..=PODS,
        misnamed in any::<bool>(),
        moves in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize), 50..400),
    ) {
        let mut operator = Operator::default();
        let start = if misnamed { World::start_misnamed } else { World::start };
        let mut world = start(members, 0, 3);
        for (choice, edit) in moves {
            match TARGETS.get(edit) {
                Some(target) => world.target = *target,
                None => world = *choice.get(&successors(&mut operator, &world)),
            }
        }
        assert_converges(&mut operator, world, false, &mut HashSet::new());
        assert_converges(&mut operator, world, true, &mut HashSet::new());
    }
}
