//! A small model of pods, roles and a watch that lags, to see where the decisions lead. Tests only.
//!
//! Between any two passes pods come up slowly, elections happen, hosts are drained by somebody else,
//! and the operator dies before it could act. What it does is judged against what is, not against
//! what it saw.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::mongo::fixture;
use crate::redis_cluster::{ShardSummary, WaitReason, Waiting};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Stopping,
    Starting,
    CatchingUp,
}

#[derive(Clone, Copy, Debug)]
struct ModelPod {
    generation: usize,
    new: bool,
    state: State,
}

#[derive(Clone, Debug)]
struct Set {
    pods: Vec<ModelPod>,
    primary: Option<usize>,
    /// Stepped down, and does not stand for election until another is elected.
    abstains: Option<usize>,
    /// The pods as the watch last showed them.
    shown: Vec<ModelPod>,
}

/// One set is a replica set; several are the shards of a Redis Cluster.
#[derive(Clone, Debug)]
struct World {
    tier: Tier,
    sets: Vec<Set>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A pass; a pod may be drained between its look and its deed, and it may die before the deed.
    Operate {
        dies: bool,
        drained: Option<usize>,
    },
    Watch(usize),
    Advance(usize),
    Elect(usize),
    Drain(usize),
}

impl World {
    fn outdated(tier: Tier, sets: usize, pods: usize, primary: usize) -> Self {
        let pods = vec![ModelPod { generation: 0, new: false, state: State::Up }; pods];
        let set = Set { shown: pods.clone(), primary: Some(primary % pods.len()), abstains: None, pods };
        Self { tier, sets: vec![set; sets] }
    }

    fn all(&self) -> Vec<(usize, usize)> {
        let sets = self.sets.iter().enumerate();
        sets.flat_map(|(set, pods)| (0..pods.pods.len()).map(move |pod| (set, pod))).collect()
    }

    fn any(&self, choice: usize) -> (usize, usize) {
        let all = self.all();
        all[choice % all.len()]
    }

    fn down(&self) -> usize {
        self.sets.iter().flat_map(|set| &set.pods).filter(|pod| pod.state != State::Up).count()
    }

    fn take_down(&mut self, (set, pod): (usize, usize)) {
        let set = &mut self.sets[set];
        if matches!(set.pods[pod].state, State::Up | State::CatchingUp) {
            set.pods[pod].state = State::Stopping;
            if set.primary == Some(pod) {
                set.primary = None;
            }
        }
    }

    fn advance(&mut self, (set, pod): (usize, usize)) {
        let pod = &mut self.sets[set].pods[pod];
        *pod = match pod.state {
            State::Stopping => ModelPod { generation: pod.generation + 1, new: true, state: State::Starting },
            State::Starting => ModelPod { state: State::CatchingUp, ..*pod },
            State::CatchingUp | State::Up => ModelPod { state: State::Up, ..*pod },
        };
    }

    /// A member of a replica set needs a majority; a replica the other shards, which are there.
    fn elect(&mut self, (set, pod): (usize, usize)) {
        let majority =
            |set: &Set| set.pods.iter().filter(|pod| pod.state == State::Up).count() > set.pods.len() / 2;
        let set = &mut self.sets[set];
        let may = set.pods[pod].state == State::Up && (self.tier == Tier::Redis || majority(set));
        if set.primary.is_none() && set.abstains != Some(pod) && may {
            (set.primary, set.abstains) = (Some(pod), None);
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Operate { dies, drained } => {
                let roll = self.decide();
                if let Some(choice) = drained {
                    self.take_down(self.any(choice));
                }
                if let Some(action) = roll.action().filter(|_| !dies) {
                    self.carry_out(action);
                }
            }
            Event::Watch(choice) => {
                let (set, _) = self.any(choice);
                self.sets[set].shown = self.sets[set].pods.clone();
            }
            Event::Advance(choice) => self.advance(self.any(choice)),
            Event::Elect(choice) => self.elect(self.any(choice)),
            Event::Drain(choice) => self.take_down(self.any(choice)),
        }
    }

    /// Decides as a pass does: pods by the watch, roles by the wire.
    fn decide(&self) -> Roll {
        let pods =
            self.sets.iter().enumerate().map(|(index, set)| stateful_pods(&name(self.tier, index), set));
        let pods: Vec<StatefulPods> = pods.collect();
        if self.tier == Tier::MongoDb {
            let (wanted, seen) = (fixture::wanted(self.sets[0].pods.len()), topology(&self.sets[0]));
            return mongodb::roll(Some(&pods[0]), &seen, &mongo::steps::next(&wanted, &seen));
        }
        let shards: Vec<_> = self.sets.iter().enumerate().map(|(index, set)| summary(index, set)).collect();
        let verdict = match shards.iter().find_map(|shard| shard.problems.first()) {
            None => redis_cluster::Next::Settled,
            Some(problem) => redis_cluster::Next::Wait(Waiting {
                reason: WaitReason::ReplicaBehind,
                message: problem.clone(),
            }),
        };
        redis::roll(&pods.into_iter().map(Some).collect::<Vec<_>>(), &shards, &verdict)
    }

    fn find(&self, wanted: &str) -> (usize, usize) {
        let named = |(set, pod): &(usize, usize)| format!("{}-{pod}", name(self.tier, *set)) == wanted;
        self.all().into_iter().find(named).unwrap()
    }

    /// Judges the deed against the world as it is, then does it.
    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::Delete(deletion) => {
                let live: Vec<Pod> = self.all().into_iter().map(|at| self.live(at)).collect();
                if still_holds(deletion, &live).is_err() {
                    return;
                }
                let (set, pod) = self.find(&deletion.pod);
                let others = self.sets[set].pods.len() > 1;
                assert!(deletion.ready_pods.is_some(), "nothing stalls here: {deletion:?}");
                assert_eq!(self.down(), 0, "{deletion:?} although another pod is away");
                assert!(!others || self.sets[set].primary != Some(pod), "{deletion:?} is a primary");
                assert!(!self.sets[set].pods[pod].new, "{deletion:?} is new");
                self.take_down((set, pod));
            }
            Action::StepDown { pod, .. } => {
                let (set, pod) = self.find(pod);
                self.assert_others_new(set, pod);
                // The server refuses while nobody can follow.
                let follower =
                    self.sets[set].pods.iter().enumerate().any(|(i, p)| i != pod && p.state == State::Up);
                if self.sets[set].primary == Some(pod) && follower {
                    (self.sets[set].primary, self.sets[set].abstains) = (None, Some(pod));
                }
            }
            Action::FailOver { from, to, .. } => {
                let ((set, from), (_, to)) = (self.find(from), self.find(to));
                self.assert_others_new(set, from);
                let set = &mut self.sets[set];
                if set.primary == Some(from) && set.pods[to].state == State::Up {
                    set.primary = Some(to);
                }
            }
        }
    }

    fn assert_others_new(&self, set: usize, primary: usize) {
        let mut others = self.sets[set].pods.iter().enumerate().filter(|(pod, _)| *pod != primary);
        assert!(
            others.all(|(_, pod)| pod.new),
            "a primary hands over before every other pod is new: {self:?}"
        );
    }

    fn live(&self, (set, pod): (usize, usize)) -> Pod {
        let seen = &self.sets[set].pods[pod];
        let revision = revision(&name(self.tier, set), pod, seen);
        let deletion = if revision.terminating { ", deletionTimestamp: '2030-01-01T00:00:00Z'" } else { "" };
        let ready = if revision.ready { "True" } else { "False" };
        let text = format!(
            "{{metadata: {{name: {}, uid: {}{deletion}}}, status: {{conditions: [{{type: Ready, status: '{ready}'}}]}}}}",
            revision.name, revision.uid
        );
        serde_saphyr::from_str(&text).unwrap()
    }

    /// From here on nothing goes wrong and everything gets its turn.
    fn assert_converges(mut self) {
        for _ in 0..20 * self.all().len() {
            for index in 0..self.all().len() {
                self.apply(Event::Advance(index));
                self.apply(Event::Elect(index));
                self.apply(Event::Watch(index));
            }
            if self.decide() == Roll::Done {
                assert!(
                    self.sets.iter().flat_map(|set| &set.pods).all(|pod| pod.new),
                    "done too early: {self:?}"
                );
                return;
            }
            self.apply(Event::Operate { dies: false, drained: None });
        }
        panic!("does not end: {:?} in {self:?}", self.decide());
    }
}

fn name(tier: Tier, set: usize) -> String {
    if tier == Tier::MongoDb { "db".to_owned() } else { format!("shard-{set}") }
}

/// Readiness probes know nothing of replication: a pod is ready while it still catches up.
fn revision(set: &str, pod: usize, seen: &ModelPod) -> PodRevision {
    PodRevision {
        name: format!("{set}-{pod}"),
        uid: format!("uid-{set}-{pod}-{}", seen.generation),
        ready: matches!(seen.state, State::Up | State::CatchingUp),
        terminating: seen.state == State::Stopping,
        stalled: false,
        outdated: (!seen.new).then(|| "image changes from a to b".to_owned()),
    }
}

fn stateful_pods(name: &str, set: &Set) -> StatefulPods {
    let pods = set.shown.iter().enumerate().map(|(index, pod)| revision(name, index, pod));
    StatefulPods {
        stateful_set: name.to_owned(),
        wanted: set.pods.len(),
        is_current: true,
        pods: pods.collect(),
    }
}

fn topology(set: &Set) -> mongo::Topology {
    let mut lines = String::new();
    for (index, pod) in set.pods.iter().enumerate() {
        let state = match pod.state {
            State::Up if set.primary == Some(index) => "PRIMARY vote",
            State::Up => "SECONDARY vote",
            State::CatchingUp => "SECONDARY vote lag=30",
            State::Stopping | State::Starting => "unreachable vote",
        };
        writeln!(lines, "{index} {state}").unwrap();
    }
    fixture::topology(&lines)
}

fn summary(index: usize, set: &Set) -> ShardSummary {
    let name = name(Tier::Redis, index);
    let mut summary = ShardSummary { name: name.clone(), ..ShardSummary::default() };
    for (index, pod) in set.pods.iter().enumerate() {
        let pod_name = format!("{name}-{index}");
        match pod.state {
            State::Up if set.primary == Some(index) => summary.primary = Some(pod_name),
            State::Up => summary.replicas.push(pod_name),
            _ => summary.problems.push(format!("pod {pod_name} is away")),
        }
    }
    if summary.primary.is_none() {
        summary.problems.push("no pod owns slots".to_owned());
    }
    summary
}

fn event() -> impl Strategy<Value = Event> {
    let pod = 0..16_usize;
    prop_oneof![
        4 => (prop::bool::weighted(0.2), prop::option::weighted(0.1, pod.clone()))
            .prop_map(|(dies, drained)| Event::Operate { dies, drained }),
        4 => pod.clone().prop_map(Event::Advance),
        3 => pod.clone().prop_map(Event::Watch),
        2 => pod.clone().prop_map(Event::Elect),
        1 => pod.prop_map(Event::Drain),
    ]
}

/// Events without drains: then every pod that is away was taken by the operator.
fn own_event() -> impl Strategy<Value = Event> {
    event().prop_filter("no drains", |event| {
        !matches!(event, Event::Drain(_) | Event::Operate { drained: Some(_), .. })
    })
}

fn start() -> impl Strategy<Value = World> {
    let replica_set = (prop::sample::select(vec![1, 3, 5, 7]), 0..7_usize)
        .prop_map(|(pods, primary)| World::outdated(Tier::MongoDb, 1, pods, primary));
    let shards = (3..5_usize, 1..4_usize, 0..3_usize)
        .prop_map(|(sets, pods, primary)| World::outdated(Tier::Redis, sets, pods, primary));
    prop_oneof![replica_set, shards]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn at_most_one_pod_is_away_and_every_pod_ends_new(
        world in start(),
        events in prop::collection::vec(own_event(), 0..200),
    ) {
        let mut world = world;
        for event in events {
            world.apply(event);
            prop_assert!(world.down() <= 1, "{world:?} after {event:?}");
        }
        world.assert_converges();
    }

    #[test]
    fn a_pod_taken_by_somebody_else_counts_as_the_one_that_is_away(
        world in start(),
        events in prop::collection::vec(event(), 0..200),
    ) {
        let mut world = world;
        for event in events {
            world.apply(event);
        }
        world.assert_converges();
    }
}

#[test]
fn a_roll_of_three_members_goes_secondaries_step_down_old_primary() {
    let mut world = World::outdated(Tier::MongoDb, 1, 3, 1);
    let mut moves = Vec::new();
    while world.decide() != Roll::Done {
        match world.decide().action() {
            Some(Action::Delete(deletion)) => moves.push(format!("delete {}", deletion.pod)),
            Some(Action::StepDown { pod, .. }) => moves.push(format!("step down {pod}")),
            Some(Action::FailOver { .. }) | None => {}
        }
        world.apply(Event::Operate { dies: false, drained: None });
        for pod in [0, 1, 2].repeat(3) {
            world.apply(Event::Advance(pod));
        }
        world.apply(Event::Elect(0));
        world.apply(Event::Watch(0));
    }
    assert_eq!(moves, ["delete db-2", "delete db-0", "step down db-1", "delete db-1"]);
}
