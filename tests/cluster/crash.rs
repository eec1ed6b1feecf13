//! The operator dies before and after every single write of an operation; another one takes over,
//! and everything ends as if nothing had happened.

mod bench;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Mutex;
use std::time::Instant;

use eaiser_operator::crd::EaiserCluster;
use eaiser_operator::names::REPLICAS_HANDOVER;
use futures::FutureExt;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::cluster::{NAME, example_with};
use crate::support::proxy::fault::Point;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, World, scenario};
use bench::{Bench, Run};

/// Namespaces in which points are tried at the same time.
const BENCHES: usize = 5;
/// Goal for one operation, with room for a busy machine.
const DEADLINE: u64 = 900;

/// A cluster whose pods no node can hold: its objects are what is looked at, and the nodes stay idle.
fn manifest() -> Value {
    let huge = json!({"requests": {"cpu": "64"}});
    example_with(json!({
        "capacity": {"users": 100, "baselineUsers": null},
        "api": {"replicas": 2, "autoscaling": {"enabled": false}, "resources": huge},
        "gateway": {"resources": huge},
        "mongodb": {"resources": huge},
        "redis": {"resources": huge},
    }))
}

/// Another image, another configuration file, another variable, and the autoscaler takes over the
/// count: creates, changes and deletes objects and replaces pods.
fn changed() -> Value {
    json!({
        "api": {"env": [{"name": "FLAVOUR", "value": "sour"}], "autoscaling": {"enabled": true}},
        "gateway": {"image": "localhost/eaiser/nginx:other"},
        "redis": {"maxmemoryPolicy": "allkeys-lru"},
    })
}

/// Back to [`manifest`].
fn reverted() -> Value {
    json!({
        "api": {"env": null, "autoscaling": {"enabled": false}},
        "gateway": {"image": null},
        "redis": {"maxmemoryPolicy": null},
    })
}

async fn create(world: &World) {
    Cluster::apply(world, manifest()).await;
}

async fn delete(world: &World) {
    world.delete::<EaiserCluster>(NAME).await;
}

async fn change(world: &World, spec: &Value) {
    Cluster { api: world.api() }.change(spec.clone()).await;
}

/// Lets go of the count that an earlier round handed over, while the operator owns it too: the next
/// round would find it handed over already.
async fn forget_handover(world: &World) {
    let name = format!("{NAME}-api");
    let nothing = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}});
    let parameters = PatchParams::apply(REPLICAS_HANDOVER);
    world.api::<Deployment>().patch(&name, &parameters, &Patch::Apply(nothing)).await.unwrap();
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_every_write_of_a_creation_leaves_the_same_cluster() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        let tally = Tally::default();
        with_benches("crash-create", async |benches| {
            let reference = benches[0].run(create, None, None).await.unwrap();
            benches[0].wipe().await;
            let points = Queue::of(&reference);
            let work = benches.iter().map(async |bench| {
                while let Some(point) = points.next() {
                    let run = bench.run(create, Some(&point), Some(&reference.footprint)).await;
                    tally.note(&point, run, &reference);
                    bench.wipe().await;
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
        there_and_back("crash-change", changed(), reverted(), ["change", "reversal"]).await;
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_every_write_of_a_deletion_leaves_nothing_but_volumes() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        let tally = Tally::default();
        with_benches("crash-delete", async |benches| {
            let bench = &benches[0];
            let created = bench.run(create, None, None).await.unwrap();
            let remains = bench.blank.with_claims_of(&created.footprint);
            let reference = bench.run(delete, None, Some(&remains)).await.unwrap();
            let points = Queue::of(&reference);
            while let Some(point) = points.next() {
                bench.run(create, None, Some(&created.footprint)).await.unwrap();
                let run = bench.run(delete, Some(&point), Some(&remains)).await;
                tally.note(&point, run, &reference);
            }
            // An operator that was away finds what is left half-way and must not fill it up again.
            bench.run(create, None, Some(&created.footprint)).await.unwrap();
            bench.kill();
            bench.run(delete, None, Some(&remains)).await.unwrap();
            println!("deletion while the operator is away: nothing is left but the claims");
        })
        .await;
        tally.conclude("deletion");
    });
}

/// Tries every point of a change and of the change back, alternately.
async fn there_and_back(name: &str, there: Value, back: Value, operations: [&str; 2]) {
    let tallies = [Tally::default(), Tally::default()];
    with_benches(name, async |benches| {
        let ways = [there, back];
        let starts = join_all(benches.iter().map(async |bench| bench.run(create, None, None).await.unwrap()));
        starts.await;
        let mut references = Vec::new();
        for way in &ways {
            let begin = async |world: &World| change(world, way).await;
            references.push(benches[0].run(begin, None, None).await.unwrap());
        }
        let queues = [Queue::of(&references[0]), Queue::of(&references[1])];
        let work = benches.iter().map(async |bench| {
            while queues.iter().any(|queue| !queue.is_empty()) {
                forget_handover(&bench.world).await;
                for (index, way) in ways.iter().enumerate() {
                    let point = queues[index].next();
                    let reference = &references[index];
                    let begin = async |world: &World| change(world, way).await;
                    let run = bench.run(begin, point.as_ref(), Some(&reference.footprint)).await;
                    match point {
                        Some(point) => tallies[index].note(&point, run, reference),
                        None => drop(run.unwrap()),
                    }
                }
            }
        });
        join_all(work).await;
    })
    .await;
    let problems = tallies.iter().zip(operations).flat_map(|(tally, operation)| tally.report(operation));
    let problems: Vec<_> = problems.collect();
    assert!(tallies.iter().all(|tally| tally.tried() > 0), "no write of a change was met");
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Runs `body` with several namespaces and removes them whatever happens.
async fn with_benches(name: &str, body: impl AsyncFnOnce(&[Bench])) {
    let names: Vec<String> = (0..BENCHES).map(|index| format!("{name}-{index}")).collect();
    let benches = join_all(names.iter().map(|name| Bench::start(name))).await;
    let result = AssertUnwindSafe(body(&benches)).catch_unwind().await;
    join_all(benches.into_iter().map(Bench::remove)).await;
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// Points that no bench has taken yet.
struct Queue(Mutex<VecDeque<Point>>);

impl Queue {
    fn of(reference: &Run) -> Self {
        Self(Mutex::new(reference.points().into()))
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
        // How often the status is written depends on what is seen when; everything else must come.
        let missed =
            state.unreached.iter().filter(|point| !point.contains("/status") && !point.contains("events"));
        problems.extend(missed.map(|point| format!("never came: {point}")));
        problems
    }

    fn conclude(&self, operation: &str) {
        let problems = self.report(operation);
        assert!(problems.is_empty(), "{problems:#?}");
    }
}
