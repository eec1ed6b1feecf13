//! An API server that refuses, fails, hangs, resets or goes away, for one class of requests at a
//! time: meanwhile the operator asks seldom, and afterwards everything is as it should be.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::rig::{Rig, Run, change, changed, create, with_rigs};
use crate::support::proxy::Call;
use crate::support::proxy::asked::Verb;
use crate::support::proxy::fault::{Fault, Matching, Rule};
use crate::support::until::seconds;
use crate::support::{Needs, operator, sample, scenario};

/// Namespaces in which cells are tried at the same time.
const RIGS: usize = 8;
/// How long a fault lasts.
const FAULT_LASTS: Duration = Duration::from_secs(20);
/// Requests a second that a cluster may cause while they fail.
const MOST_REQUESTS: f64 = 2.0;
/// The same for lists and watches, which serve every cluster at once: with a dozen kinds, each is asked
/// for four times in twenty seconds at most, and a watch that is Gone costs a list as well.
const MOST_READS: f64 = 4.0;
/// Longest time until all is well after the fault.
const CONVERGED_WITHIN: u64 = 60;
/// A fault may leave a request without an answer, and the operator waits 30 s before it gives up.
const DEADLINE: u64 = 1200;

/// What a cluster is doing when the fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// The operator starts, then the cluster is created.
    Start,
    /// The cluster is created.
    Creation,
    /// The cluster is changed; its pods are replaced.
    Change,
}

/// A class of requests.
struct Class {
    name: &'static str,
    matching: Matching,
    when: When,
}

const CONFIG_MAPS: Class = class("apply ConfigMap", When::Creation, &[Verb::Patch], &["configmaps"], "");
const STATEFUL_SETS: Class =
    class("apply StatefulSet", When::Creation, &[Verb::Patch], &["statefulsets"], "");
const STATUS: Class = class("status", When::Creation, &[Verb::Patch], &["eaiserclusters"], "status");
const EVENTS: Class = class("event", When::Change, &[Verb::Create, Verb::Patch], &["events"], "");
const PODS: Class = class("delete Pod", When::Change, &[Verb::Delete], &["pods"], "");
const LISTS: Class = class("list at start", When::Start, &[Verb::List], &[], "");
const WATCHES: Class = class("watch", When::Change, &[Verb::Watch], &[], "");
const WRITES: Class = Class {
    name: "every write",
    matching: Matching {
        verbs: &[Verb::Create, Verb::Patch, Verb::Update, Verb::Delete],
        resources: &[],
        subresource: None,
    },
    when: When::Creation,
};
const ALL: Class = Class { name: "everything", matching: Matching::ALL, when: When::Change };

const fn class(
    name: &'static str,
    when: When,
    verbs: &'static [Verb],
    resources: &'static [&'static str],
    subresource: &'static str,
) -> Class {
    Class { name, when, matching: Matching { verbs, resources, subresource: Some(subresource) } }
}

const fn refusal(code: u16) -> Fault {
    Fault::Answer { code, retry_after: None }
}

const TOO_MANY: Fault = Fault::Answer { code: 429, retry_after: Some(4) };

/// Every fault with every class of requests that it can meet.
fn cells() -> VecDeque<(Fault, &'static Class)> {
    let answers = [
        refusal(409),
        refusal(422),
        TOO_MANY,
        refusal(500),
        refusal(503),
        Fault::HangBefore,
        Fault::HangAfter,
        Fault::ResetBefore,
        Fault::ResetAfter,
    ];
    let single = [&CONFIG_MAPS, &STATEFUL_SETS, &STATUS, &EVENTS, &PODS, &LISTS];
    let broad = [TOO_MANY, refusal(500), refusal(503), Fault::HangAfter, Fault::ResetAfter];
    let streams = [
        TOO_MANY,
        refusal(500),
        Fault::HangBefore,
        Fault::ResetBefore,
        Fault::EndWatch,
        Fault::BreakWatch,
        Fault::Gone,
    ];
    let outages = [TOO_MANY, refusal(500), refusal(503), Fault::ResetBefore, Fault::Partition];
    let pairs = |faults: &[Fault], class: &'static Class| {
        faults.iter().map(|fault| (*fault, class)).collect::<Vec<_>>()
    };
    let mut cells = VecDeque::new();
    cells.extend(single.iter().flat_map(|class| pairs(&answers, class)));
    cells.extend(pairs(&broad, &WRITES));
    cells.extend(pairs(&streams, &WATCHES));
    cells.extend(pairs(&outages, &ALL));
    cells
}

/// End states and costs without any fault.
struct References {
    created: Run,
    changed: Run,
    /// Requests of a start and a creation, of a creation, of a change.
    costs: [usize; 3],
}

/// What one cell showed.
struct Outcome {
    fault: Fault,
    class: &'static Class,
    per_second: f64,
    converged: Result<Duration, String>,
}

#[test]
#[ignore = "needs a cluster: make test"]
fn whatever_the_api_server_does_wrong_it_is_asked_seldom_and_all_is_well_afterwards() {
    scenario(Needs::Lab, seconds(DEADLINE), async |_| {
        let outcomes = Mutex::new(Vec::new());
        with_rigs("faults", RIGS, async |rigs| {
            let references = references(&rigs[0]).await;
            let cells = Mutex::new(VecDeque::from(sample::of("API faults", cells())));
            let next = || cells.lock().unwrap().pop_front();
            let work = rigs.iter().map(async |rig| {
                while let Some((fault, class)) = next() {
                    let outcome = try_cell(rig, fault, class, &references).await;
                    outcomes.lock().unwrap().push(outcome);
                    rig.wipe().await;
                }
            });
            join_all(work).await;
        })
        .await;
        report(&outcomes.into_inner().unwrap());
    });
}

async fn references(rig: &Rig) -> References {
    let mut costs = [0; 3];
    rig.kill();
    rig.proxy.restart_record();
    rig.revive();
    let created = rig.run(create, None, None).await.unwrap();
    costs[When::Start as usize] = rig.proxy.calls().len();
    rig.wipe().await;
    rig.run(create, None, Some(&created.footprint)).await.unwrap();
    costs[When::Creation as usize] = rig.proxy.calls().len();
    let spec = changed();
    let changed = rig.run(async |world| change(world, &spec).await, None, None).await.unwrap();
    costs[When::Change as usize] = rig.proxy.calls().len();
    rig.wipe().await;
    References { created, changed, costs }
}

async fn try_cell(rig: &Rig, fault: Fault, class: &'static Class, references: &References) -> Outcome {
    let expected = if class.when == When::Change { &references.changed } else { &references.created };
    match class.when {
        When::Start => rig.kill(),
        When::Creation => {}
        When::Change => drop(rig.run(create, None, Some(&references.created.footprint)).await.unwrap()),
    }
    rig.proxy.restart_record();
    let rule = |fault| vec![Rule { matching: class.matching.clone(), fault }];
    if class.matching.verbs.contains(&Verb::Watch) {
        // Watches that run would never ask again.
        rig.proxy.inject(rule(Fault::BreakWatch));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    rig.proxy.inject(rule(fault));
    operator::remark(&rig.world, &format!("{fault:?}, {}", class.name));
    let begin = Instant::now();
    match class.when {
        When::Start => {
            rig.revive();
            create(&rig.world).await;
        }
        When::Creation => create(&rig.world).await,
        When::Change => change(&rig.world, &changed()).await,
    }
    tokio::time::sleep(FAULT_LASTS.saturating_sub(begin.elapsed())).await;
    let meanwhile = rig.proxy.calls();
    rig.proxy.heal();
    operator::remark(&rig.world, "the fault is over");
    let healed = Instant::now();
    let settled = rig.settle(Some(&expected.footprint)).await;
    let converged = settled.and_then(|_| twice_created(&rig.proxy.calls())).map(|()| {
        rig.proxy.last_write().map_or(Duration::ZERO, |last| last.saturating_duration_since(healed))
    });
    let cost = references.costs[class.when as usize];
    Outcome { fault, class, per_second: rate(&meanwhile, cost), converged }
}

/// Requests a second that the fault kept from the server, and those beyond what is needed without it.
#[allow(clippy::cast_precision_loss, reason = "a few hundred requests")]
fn rate(meanwhile: &[Call], cost: usize) -> f64 {
    let failed = meanwhile.iter().filter(|call| call.met && call.code.is_none()).count();
    let others = meanwhile.len() - failed;
    (failed + others.saturating_sub(cost)) as f64 / FAULT_LASTS.as_secs_f64()
}

/// An answer that got lost must not make anything twice.
fn twice_created(calls: &[Call]) -> Result<(), String> {
    let created = calls.iter().filter(|call| call.code == Some(201) && call.asked.resource != "events");
    let mut names: Vec<_> = created.map(|call| call.asked.object()).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} was created twice", pair[0])),
        None => Ok(()),
    }
}

fn report(outcomes: &[Outcome]) {
    println!("{:<22} {:<18} {:>10} {:>12}", "fault", "requests", "met /s", "converged s");
    let mut problems = Vec::new();
    for Outcome { fault, class, per_second, converged } in outcomes {
        let fault = match fault {
            Fault::Answer { code, retry_after: None } => code.to_string(),
            Fault::Answer { code, retry_after: Some(after) } => format!("{code}, Retry-After {after}"),
            other => format!("{other:?}"),
        };
        let cell = format!("{fault:<22} {:<18}", class.name);
        let after = converged
            .as_ref()
            .map_or_else(|_| "never".to_owned(), |after| format!("{:.1}", after.as_secs_f32()));
        println!("{cell} {per_second:>10.2} {after:>12}");
        let reads = class.matching.verbs.iter().any(|verb| matches!(verb, Verb::List | Verb::Watch));
        if *per_second > if reads { MOST_READS } else { MOST_REQUESTS } {
            problems.push(format!("{cell}: {per_second:.2} requests/s"));
        }
        match converged {
            Ok(after) if after.as_secs() <= CONVERGED_WITHIN => {}
            Ok(after) => problems.push(format!("{cell}: converged after {} s", after.as_secs())),
            Err(problem) => problems.push(format!("{cell}: {problem}")),
        }
    }
    println!("{} cells, {} problems", outcomes.len(), problems.len());
    assert_eq!(outcomes.len(), sample::of("API faults", cells()).len(), "cells were left out");
    assert!(problems.is_empty(), "{problems:#?}");
}
