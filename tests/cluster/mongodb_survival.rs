//! The replica set lives through everything while a client writes to it and the operator dies at
//! random moments: no acknowledged write is lost, and writes go on within the promised time.
//!
//! `make test` tries a few disasters, `make e2e-mongo` all of them on a lab of its own.

mod changes;
mod disasters;
mod isolation;
mod report;
mod set;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, condition, example_with, holds, is_current};
use crate::support::until::seconds;
use crate::support::{Cluster, Mortal, Needs, World, Writer, operator, sample, scenario, until};
use set::Set;

/// Longest time without a write after a member was lost.
const LOST: Duration = Duration::from_secs(15);
/// The same when the primary is told to hand over.
const PLANNED: Duration = Duration::from_secs(3);
/// Primaries that are killed in all.
const KILLS: usize = 20;

/// Primaries that are killed by `make test`.
const SAMPLE: usize = 6;

#[test]
#[ignore = "needs a cluster: make test"]
fn acknowledged_writes_survive_every_change_and_failure() {
    let (deadline, file) =
        if sample::thorough() { (3600, "mongodb.json") } else { (500, "mongodb-sample.json") };
    scenario(Needs::Lab, seconds(deadline), async |world| {
        Box::pin(survive(world, file, async |set, operator| {
            if sample::thorough() {
                changes::scale(set, &[5, 3, 1, 3]).await;
                changes::roll_images(set).await;
                changes::change_while_primaries_die(set).await;
                disasters::kill_each_member(set).await;
                disasters::kill_primaries(set, KILLS).await;
            } else {
                println!("{SAMPLE} of {KILLS} kills, no scaling, no roll, no lost node; all of it by make e2e-mongo");
                disasters::kill_primaries(set, SAMPLE).await;
            }
            disasters::empty_the_first_member(set).await;
            disasters::delete_all_pods(set).await;
            if sample::thorough() {
                isolation::stop_a_node(set).await;
                isolation::partition_a_node(set).await;
                isolation::stop_the_majority(set).await;
                isolation::cut_off_the_operator(set, operator).await;
            }
        }))
        .await;
    });
}

/// Forms a set, starts the client, runs `body` with an operator that dies again and again, and reads
/// everything back.
async fn survive(world: &World, file: &str, body: impl AsyncFnOnce(&Set<'_>, &Mortal<'_>)) {
    let image = operator::mongodb_image();
    println!("MongoDB: {image}");
    let operator = Mortal::start(world);
    let cluster = Cluster::apply(world, manifest()).await;
    formed(&cluster).await;
    let writer = Writer::start(world).await;
    let begin = Instant::now();
    let set = Set::of(world, &cluster, &writer).await;
    tokio::select! {
        never = operator.dies_again_and_again() => match never {},
        () = body(&set, &operator) => {}
    }
    let mut report = set.report.into_inner().unwrap();
    let gaps = writer.notable_gaps(begin);
    let verdict = writer.finish().await;
    let tally = json!({
        "sent": verdict.attempts, "acknowledged": verdict.acknowledged, "lost": verdict.lost.len(),
        "found without an acknowledgement": verdict.unannounced,
    });
    let facts = [
        ("MongoDB", json!(image)),
        ("seed", json!(operator.seed)),
        ("operator killed", json!(operator.deaths())),
        ("seconds", json!(begin.elapsed().as_secs())),
        ("writes", tally),
        ("gaps of a second and more", Value::Array(gaps)),
        (
            "measured by the operators",
            json!(operator.measured().await.into_iter().map(measurement).collect::<Vec<_>>()),
        ),
    ];
    report.facts.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    let missed = report.conclude(file);
    println!("{} acknowledged writes, {} lost", verdict.acknowledged, verdict.lost.len());
    assert_eq!(verdict.lost, Vec::<i64>::new(), "acknowledged writes were lost");
    assert!(missed.is_empty(), "bounds missed: {missed:#?}");
}

/// What one histogram of the operators says.
fn measurement((labels, count, mean): (String, f64, f64)) -> Value {
    let mean = (mean * 1000.0).round() / 1000.0;
    json!(format!("{labels}: {count} times, {mean} s on average"))
}

/// The example with as little besides MongoDB as there can be.
fn manifest() -> Value {
    example_with(json!({
        "capacity": {"users": 500, "baselineUsers": null},
        "api": {"autoscaling": {"enabled": false}},
        "redis": {"replicasPerShard": 0},
    }))
}

async fn formed(cluster: &Cluster) {
    until("MongoDB is ready", FORMED_WITHIN, async || {
        let object = cluster.get().await;
        if is_current(&object) && holds(&object, "MongoDBReady") {
            return Ok(());
        }
        Err(condition(&object, "MongoDBReady").map(|ready| ready.message.clone()).unwrap_or_default())
    })
    .await;
}
