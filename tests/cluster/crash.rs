//! The operator dies before and after every single write of an operation; another one takes over,
//! and everything ends as if nothing had happened.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use eaiser_operator::crd::EaiserCluster;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::rig::{Run, change, changed, create, manifest, reverted, with_rigs};
use crate::support::cluster::{NAME, merge};
use crate::support::proxy::fault::Point;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, World, sample, scenario};

/// Namespaces in which points are tried at the same time.
const RIGS: usize = 5;
/// Goal for one operation, with room for a busy machine.
const DEADLINE: u64 = 900;

async fn delete(world: &World) {
    world.delete::<EaiserCluster>(NAME).await;
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_every_write_of_a_creation_leaves_the_same_cluster() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        let tally = Tally::default();
        with_rigs("crash-create", RIGS, async |rigs| {
            let reference = rigs[0].run(create, None, None).await.unwrap();
            rigs[0].wipe().await;
            let points = Queue::of(&reference);
            let work = rigs.iter().map(async |rig| {
                while let Some(point) = points.next() {
                    let run = rig.run(create, Some(&point), Some(&reference.footprint)).await;
                    tally.note(&point, run, &reference);
                    rig.wipe().await;
                }
            });
            join_all(work).await;
        })
        .await;
        assert!(tally.tried() > 0, "no write of the creation was met");
        tally.conclude("creation");
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_every_write_of_a_change_and_its_reversal_leaves_the_same_cluster() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        there_and_back("crash-change", [changed(), reverted()], ["change", "reversal"]).await;
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_every_write_of_a_deletion_leaves_nothing_but_volumes() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        let tally = Tally::default();
        with_rigs("crash-delete", RIGS, async |rigs| {
            let rig = &rigs[0];
            let created = rig.run(create, None, None).await.unwrap();
            let remains = rig.blank.with_claims_of(&created.footprint);
            let reference = rig.run(delete, None, Some(&remains)).await.unwrap();
            let points = Queue::of(&reference);
            while let Some(point) = points.next() {
                rig.run(create, None, Some(&created.footprint)).await.unwrap();
                let run = rig.run(delete, Some(&point), Some(&remains)).await;
                tally.note(&point, run, &reference);
            }
            // An operator that was away finds what is left half-way and must not fill it up again.
            rig.run(create, None, Some(&created.footprint)).await.unwrap();
            rig.kill();
            rig.run(delete, None, Some(&remains)).await.unwrap();
            println!("deletion while the operator is away: nothing is left but the claims");
        })
        .await;
        tally.conclude("deletion");
    });
}

/// A cluster whose volumes go with it: its deletion is the operator's work.
async fn create_to_purge(world: &World) {
    let mut object = manifest();
    merge(&mut object["spec"], json!({"operation": {"deletionPolicy": "Delete"}}));
    Cluster::apply(world, object).await;
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_every_write_of_a_deletion_with_the_volumes_leaves_nothing() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        let tally = Tally::default();
        with_rigs("crash-purge", RIGS, async |rigs| {
            let created = rigs[0].run(create_to_purge, None, None).await.unwrap();
            let reference = rigs[0].run(delete, None, Some(&rigs[0].blank)).await.unwrap();
            let points = Queue::of(&reference);
            let work = rigs.iter().map(async |rig| {
                while let Some(point) = points.next() {
                    rig.run(create_to_purge, None, Some(&created.footprint)).await.unwrap();
                    let run = rig.run(delete, Some(&point), Some(&rig.blank)).await;
                    tally.note(&point, run, &reference);
                    rig.wipe().await;
                }
            });
            join_all(work).await;
        })
        .await;
        assert!(tally.tried() > 0, "no write of the deletion was met");
        tally.conclude("deletion with the volumes");
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_every_write_of_a_stop_and_a_start_leaves_the_same_cluster() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        let stopped = |stopped: bool| json!({"operation": {"stopped": stopped}});
        there_and_back("crash-stop", [stopped(true), stopped(false)], ["stop", "start"]).await;
    });
}

/// Tries every point of a change and of the change back, one of each in a cluster made for them.
async fn there_and_back(name: &str, ways: [Value; 2], operations: [&str; 2]) {
    let tallies = [Tally::default(), Tally::default()];
    with_rigs(name, RIGS, async |rigs| {
        let created = rigs[0].run(create, None, None).await.unwrap();
        let mut references = Vec::new();
        for way in &ways {
            references.push(rigs[0].run(async |world| change(world, way).await, None, None).await.unwrap());
        }
        rigs[0].wipe().await;
        let queues = [Queue::of(&references[0]), Queue::of(&references[1])];
        let work = rigs.iter().map(async |rig| {
            while queues.iter().any(|queue| !queue.is_empty()) {
                rig.run(create, None, Some(&created.footprint)).await.unwrap();
                for (index, way) in ways.iter().enumerate() {
                    let (point, reference) = (queues[index].next(), &references[index]);
                    let begin = async |world: &World| change(world, way).await;
                    let run = rig.run(begin, point.as_ref(), Some(&reference.footprint)).await;
                    match point {
                        Some(point) => tallies[index].note(&point, run, reference),
                        None => drop(run.unwrap()),
                    }
                }
                rig.wipe().await;
            }
        });
        join_all(work).await;
    })
    .await;
    assert!(tallies.iter().all(|tally| tally.tried() > 0), "no write was met");
    let problems = tallies.iter().zip(operations).flat_map(|(tally, operation)| tally.report(operation));
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Points that no rig has taken yet.
struct Queue(Mutex<VecDeque<Point>>);

impl Queue {
    fn of(reference: &Run) -> Self {
        Self(Mutex::new(sample::of("crash points", reference.points()).into()))
    }

    fn next(&self) -> Option<Point> {
        self.0.lock().unwrap().pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

/// What the runs of one operation showed.
struct Tally {
    begin: Instant,
    state: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    tried: usize,
    unreached: Vec<String>,
    problems: Vec<String>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { begin: Instant::now(), state: Mutex::default() }
    }
}

impl Tally {
    fn note(&self, point: &Point, run: Result<Run, String>, reference: &Run) {
        let mut state = self.state.lock().unwrap();
        let found = match run {
            Err(problem) => vec![problem],
            Ok(run) if !run.died => {
                let writes: Vec<_> =
                    run.writes.iter().map(|(write, count)| format!("{write} #{count}")).collect();
                println!("not reached {point}: {writes:?}");
                state.unreached.push(point.to_string());
                return;
            }
            Ok(run) => run.deviations(reference),
        };
        state.tried += 1;
        if !found.is_empty() {
            println!("died {point}: {found:?}");
            state.problems.push(format!("died {point}: {}", found.join("; ")));
        }
    }

    fn tried(&self) -> usize {
        self.state.lock().unwrap().tried
    }

    /// Prints the counts and hands out what was wrong.
    fn report(&self, operation: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        println!(
            "{operation} of {NAME}: {} crash points, {} with differences, {:.0} s; not reached: {:?}",
            state.tried,
            state.problems.len(),
            self.begin.elapsed().as_secs_f32(),
            state.unreached,
        );
        let mut problems = state.problems.clone();
        // How often the status is written, or a write repeated, depends on what is seen when;
        // everything else must come.
        let may_miss = |point: &&String| {
            point.contains("/status") || point.contains("events") || !point.ends_with(" #1")
        };
        let missed = state.unreached.iter().filter(|point| !may_miss(point));
        problems.extend(missed.map(|point| format!("never came: {point}")));
        problems
    }

    fn conclude(&self, operation: &str) {
        let problems = self.report(operation);
        assert!(problems.is_empty(), "{problems:#?}");
    }
}
