//! A small exact model of a replica set, to search what [`super::steps::next`] can lead to. Tests only.
//!
//! Between any two moves of the operator the world may move: members crash, return, lose their disk,
//! sync, elect; a configuration becomes known to a majority; the operator itself may crash with a
//! command still under way, which then arrives late or never. At most one pod is down at a time.

mod search;
mod world;

use std::collections::HashMap;

use super::config::ReplicaSetConfig;
use super::fixture::{host, topology, wanted};
use super::steps::{Next, Step, command, next};
use super::topology::{Topology, UserState};
use world::{Disk, PODS, Role, World};

/// The operator's decision, with hosts as pod numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Initiate(usize),
    Add(usize),
    Grant(usize),
    Revoke(usize),
    Remove(usize),
    StepDown(usize),
    CreateUser,
}

/// What the operator made of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Act(Act),
    Wait,
    Settled,
}

/// Decides as the operator does; each thing seen is decided once and then remembered.
#[derive(Default)]
struct Operator {
    decided: HashMap<Seen, Decision>,
}

type Seen = ([world::Pod; PODS], Option<usize>, bool, usize);

impl Operator {
    fn decide(&mut self, world: &World) -> Decision {
        let seen = (world.pods, world.primary, world.user, world.target);
        *self.decided.entry(seen).or_insert_with(|| decide(world))
    }
}

fn decide(world: &World) -> Decision {
    let (wanted, seen) = (wanted(world.target), observe(world));
    match next(&wanted, &seen) {
        Next::Settled => {
            world.assert_settled();
            Decision::Settled
        }
        Next::Wait(reason) => {
            assert!(!reason.is_empty());
            Decision::Wait
        }
        Next::Do(step) => {
            assert_one_small_change(&step, &seen, &command(&step, &wanted, &seen).unwrap().unwrap().document);
            let act = act(&step);
            world.assert_safe(act);
            Decision::Act(act)
        }
    }
}

/// Consecutive configurations differ in one vote at most, by one version, and are never forced.
fn assert_one_small_change(step: &Step, seen: &Topology, document: &mongodb::bson::Document) {
    assert!(!document.contains_key("force"), "{step} is forced");
    let Ok(new) = document.get_document("replSetReconfig") else {
        return;
    };
    let (new, old) = (ReplicaSetConfig::parse(new.clone()).unwrap(), &seen.primary().unwrap().1.config);
    assert_eq!(new.version, old.version + 1, "{step}");
    let votes =
        |config: &ReplicaSetConfig, pod| config.member(&host(pod)).is_some_and(|member| member.votes > 0);
    let changed = (0..PODS).filter(|pod| votes(&new, *pod) != votes(old, *pod)).count();
    assert!(changed <= 1, "{step} changes {changed} votes");
}

fn act(step: &Step) -> Act {
    let pod = |wanted: &str| (0..PODS).find(|pod| host(*pod) == wanted).unwrap();
    match step {
        Step::Initiate { host } => Act::Initiate(pod(host)),
        Step::AddMember { host, .. } => Act::Add(pod(host)),
        Step::GrantVote { host } => Act::Grant(pod(host)),
        Step::RevokeVote { host } => Act::Revoke(pod(host)),
        Step::RemoveMember { host } => Act::Remove(pod(host)),
        Step::StepDown { host } => Act::StepDown(pod(host)),
        Step::CreateUser { .. } => Act::CreateUser,
        Step::UpdateUser { .. } | Step::DropUser { .. } => panic!("the model's user never differs"),
    }
}

/// What the operator sees of a world.
fn observe(world: &World) -> Topology {
    let line = |pod: usize| {
        let seen = world.pods[pod];
        let state = match (seen.up, seen.disk, seen.role) {
            (false, ..) => "unreachable",
            (_, Disk::Empty, _) => "new",
            (_, _, Role::Outside) => "REMOVED",
            (_, Disk::Syncing, _) => "STARTUP2",
            (_, Disk::Current, _) if world.primary == Some(pod) => "PRIMARY",
            (_, Disk::Current, _) => "SECONDARY",
        };
        let vote = match seen.role {
            Role::Outside => "",
            Role::Silent => "no-vote",
            Role::Voter => "vote",
        };
        format!("{pod} {state} {vote}\n")
    };
    let mut seen = topology(&(0..world.existing()).map(line).collect::<String>());
    seen.application_user = match (world.primary, world.user) {
        (None, _) => UserState::Unknown,
        (_, false) => UserState::Missing,
        (_, true) => UserState::Matches,
    };
    seen
}
