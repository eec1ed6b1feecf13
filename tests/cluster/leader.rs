//! Several operators and one lease: whatever happens to the leader, one writes at a time.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use serde_json::json;

use crate::support::audit::{Audit, Call};
use crate::support::candidate::{Candidate, holder};
use crate::support::cluster::example;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, World, operator, sample, scenario, until};

/// Acceptance bound: from the loss of the leader to the first write of the next.
const TAKE_OVER: Duration = Duration::from_secs(17);
/// The same when the leader was asked to stop.
const HAND_OVER: Duration = Duration::from_secs(3);
/// How long a stopped process sleeps: twice the lease.
const SLEEP: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    Kill,
    Terminate,
    Sleep,
    Partition,
}

use Disturbance::{Kill, Partition, Sleep, Terminate};

/// What happens to the leader in each round.
const ROUNDS: [Disturbance; 20] = [
    Kill, Terminate, Sleep, Terminate, Partition, Kill, Terminate, Partition, Sleep, Terminate, Kill,
    Partition, Terminate, Kill, Sleep, Terminate, Partition, Kill, Terminate, Partition,
];

/// As many rounds hold each disturbance once.
const FEWEST: usize = 5;

/// What was seen of a round.
struct Round {
    disturbance: Disturbance,
    begin: Timestamp,
    old: String,
    new: String,
}

#[test]
#[ignore = "needs a cluster: make test"]
fn one_operator_writes_at_a_time_however_often_the_leader_is_lost() {
    scenario(Needs::Lab, seconds(560), async |world| {
        without_pods(world).await;
        let audit = Audit::begin();
        let mut standby = Candidate::start(world, "operator-a").await;
        until("the first operator leads", seconds(20), async || leads(world, "operator-a").await).await;
        let mut leader = std::mem::replace(&mut standby, Candidate::start(world, "operator-b").await);
        let cluster = Cluster::apply(world, example()).await;
        let edits = tokio::spawn(edit_without_end(cluster));

        let mut rounds = Vec::new();
        let wanted = if sample::thorough() { ROUNDS.len() } else { FEWEST };
        println!("{wanted} of {} rounds; all of them by make endurance", ROUNDS.len());
        for (number, disturbance) in ROUNDS.into_iter().take(wanted).enumerate() {
            let (old, new) = (leader.name.clone(), standby.name.clone());
            let begin = Timestamp::now();
            let after = disturb(world, disturbance, leader, &new).await;
            rounds.push(Round { disturbance, begin, old, new });
            let next = match after {
                Some(survivor) => survivor,
                None => Candidate::start(world, &format!("operator-{}", number + 2)).await,
            };
            leader = std::mem::replace(&mut standby, next);
        }
        edits.abort();
        judge(&audit.calls(&operator::user(world)), &rounds);
    });
}

/// Nothing runs: what is proven needs writes, not pods.
async fn without_pods(world: &World) {
    let quota = json!({"metadata": {"name": "no-pods"}, "spec": {"hard": {"pods": "0"}}});
    let quota: ResourceQuota = serde_json::from_value(quota).unwrap();
    world.api().create(&PostParams::default(), &quota).await.unwrap();
}

async fn leads(world: &World, name: &str) -> Result<(), String> {
    match holder(world).await {
        Some(holder) if holder == name => Ok(()),
        other => Err(format!("the lease is held by {other:?}")),
    }
}

/// Keeps whoever leads busy: every edit changes one rendered object and the status.
async fn edit_without_end(cluster: Cluster) {
    for round in 0_u32.. {
        let availability = if round % 2 == 0 { 99.5 } else { 99.9 };
        cluster.change(json!({"capacity": {"objectives": {"availability": availability}}})).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Takes the leader out, waits for `next` to hold the lease, and gives back what survives.
async fn disturb(
    world: &World,
    disturbance: Disturbance,
    leader: Candidate,
    next: &str,
) -> Option<Candidate> {
    let begin = Instant::now();
    match disturbance {
        Kill => {
            drop(leader);
            until("the standby leads", seconds(20), async || leads(world, next).await).await;
            None
        }
        Terminate => {
            leader.signal("-TERM");
            let status = leader.ended(seconds(10)).await;
            assert!(status.success(), "asked to stop, it ended with {status}");
            until("the standby leads", seconds(5), async || leads(world, next).await).await;
            None
        }
        Sleep => {
            leader.signal("-STOP");
            until("the standby leads", seconds(20), async || leads(world, next).await).await;
            tokio::time::sleep(SLEEP.saturating_sub(begin.elapsed())).await;
            leader.signal("-CONT");
            stands_by(&leader).await;
            Some(leader)
        }
        Partition => {
            leader.wire.cut();
            until("the standby leads", seconds(20), async || leads(world, next).await).await;
            tokio::time::sleep(seconds(2)).await;
            leader.wire.mend();
            stands_by(&leader).await;
            Some(leader)
        }
    }
}

/// Waits until a former leader has noticed, and gives its watches time to come back.
async fn stands_by(former: &Candidate) {
    until("the former leader stands by", seconds(10), async || {
        match former.metric("eaiser_operator_leader ").await {
            Some(0.0) => Ok(()),
            other => Err(format!("eaiser_operator_leader is {other:?}")),
        }
    })
    .await;
    tokio::time::sleep(seconds(3)).await;
}

/// Whether the lease allowed every write, and how long each take-over took.
fn judge(calls: &[Call], rounds: &[Round]) {
    let foreign = foreign_writes(calls);
    println!("{:>2}  {:10}  {:12} {:12} {:>8} {:>9}", "", "", "from", "to", "seconds", "writes");
    let mut late = Vec::new();
    for (number, round) in rounds.iter().enumerate() {
        let end = rounds.get(number + 1).map_or(Timestamp::MAX, |next| next.begin);
        let writes = calls.iter().filter(|call| by(call, &round.new) && is_write(call));
        let writes: Vec<&Call> =
            writes.filter(|call| call.received >= round.begin && call.received < end).collect();
        let first = writes.iter().map(|call| call.received).min();
        let took = first.map(|first| first.duration_since(round.begin));
        let seconds = took.map_or(f64::NAN, |took| took.as_secs_f64());
        let Round { disturbance, old, new, .. } = round;
        println!(
            "{:>2}  {:10}  {old:12} {new:12} {seconds:>8.1} {:>9}",
            number + 1,
            format!("{disturbance:?}"),
            writes.len()
        );
        let bound = if *disturbance == Terminate { HAND_OVER } else { TAKE_OVER };
        let bound = SignedDuration::try_from(bound).unwrap();
        if took.is_none_or(|took| took > bound) {
            late.push(format!("round {}: {disturbance:?}: {seconds:.1} s", number + 1));
        }
    }
    let all = calls.iter().filter(|call| is_write(call)).count();
    println!("{all} writes, {} of them without the lease", foreign.len());
    assert_eq!(foreign, Vec::<String>::new(), "writes by an operator that did not hold the lease");
    assert_eq!(late, Vec::<String>::new(), "take-overs beyond their bound");
    assert!(all > 20 * rounds.len(), "only {all} writes: the rounds proved little");
}

/// Writes that the server received from somebody who was not the last to write the lease.
fn foreign_writes(calls: &[Call]) -> Vec<String> {
    let mut leases: Vec<&Call> = calls.iter().filter(|call| is_lease(call) && call.code < 300).collect();
    leases.sort_by_key(|call| call.answered);
    let holder =
        |at: Timestamp| leases.iter().rev().find(|lease| lease.answered <= at).map(|lease| &lease.agent);
    let writes = calls.iter().filter(|call| is_write(call));
    let foreign = writes.filter(|call| holder(call.received) != Some(&call.agent));
    foreign
        .map(|call| {
            let holder = holder(call.received);
            format!("{} {} {} at {}, lease of {holder:?}", call.agent, call.verb, call.object, call.received)
        })
        .collect()
}

fn is_lease(call: &Call) -> bool {
    call.writes() && call.object.starts_with("leases")
}

fn is_write(call: &Call) -> bool {
    call.writes() && !is_lease(call)
}

fn by(call: &Call, candidate: &str) -> bool {
    call.agent.contains(&format!("({candidate}_"))
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_leader_renews_its_lease_at_most_fourteen_times_a_minute_and_a_standby_writes_nothing() {
    scenario(Needs::Lab, seconds(150), async |world| {
        let leader = Candidate::start(world, "operator-a").await;
        until("the first operator leads", seconds(20), async || leads(world, "operator-a").await).await;
        let standby = Candidate::start(world, "operator-b").await;
        tokio::time::sleep(seconds(3)).await;
        let audit = Audit::begin();
        tokio::time::sleep(seconds(60)).await;
        let calls: Vec<Call> =
            audit.calls(&operator::user(world)).into_iter().filter(|call| !call.watches()).collect();
        let (renewals, others): (Vec<Call>, Vec<Call>) =
            calls.into_iter().partition(|call| by(call, &leader.name) && is_lease(call));
        println!("{} renewals in 60 s; other calls: {others:?}", renewals.len());
        assert!((10..=14).contains(&renewals.len()), "{} renewals", renewals.len());
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(standby.metric("eaiser_operator_leader ").await, Some(0.0), "{}", standby.log(world));
    });
}
