//! A small exact model of a replica set, to search what [`super::steps::next`] can lead to. Tests only.
//!
//! Between any two moves of the operator the world may move: members crash, return, lose their disk,
//! sync, elect, are cut off from the others while they go on claiming to be primary; primaries hand
//! over, as in a roll; the spec asks for another size; a configuration becomes known to a majority; the
//! operator itself may crash with a command still under way, which then arrives late or never. At most
//! one pod is away at a time. Sets have up to seven members, and may be listed by other names.

mod search;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use mongodb::bson::{Bson, Document, doc};

use super::config::ReplicaSetConfig;
use super::fixture::{alias, host, wanted};
use super::steps::mutants::{self, Mutant};
use super::steps::{Next, Step, command, next};
use super::topology::{Member, MemberState, Observed, Optime, Peer, Topology, UserState, View};
use world::{Disk, PODS, Pod, Role, World};

/// The operator's decision, with hosts as pod numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Initiate(usize),
    Add(usize),
    FixHost(usize),
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
    /// A check it does without.
    mutant: Option<Mutant>,
    decided: HashMap<Seen, Decision>,
}

/// Everything that [`observe`] and [`World::assert_safe`] look at.
type Seen = ([Pod; PODS], [Option<usize>; 3], bool, usize);

impl Operator {
    fn without(mutant: Mutant) -> Self {
        Self { mutant: Some(mutant), ..Self::default() }
    }

    fn decide(&mut self, world: &World) -> Decision {
        let seen = (world.pods, [world.primary, world.cut, world.stale], world.user, world.target);
        let mutant = self.mutant;
        *self.decided.entry(seen).or_insert_with(|| decide(mutant, world))
    }
}

fn decide(mutant: Option<Mutant>, world: &World) -> Decision {
    let (wanted, seen) = (wanted(world.target), observe(world));
    let decided = match mutant {
        None => next(&wanted, &seen),
        Some(mutant) => mutants::next(mutant, &wanted, &seen),
    };
    match decided {
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
fn assert_one_small_change(step: &Step, seen: &Topology, document: &Document) {
    assert!(!document.contains_key("force"), "{step} is forced");
    let Ok(new) = document.get_document("replSetReconfig") else {
        return;
    };
    let (new, old) = (ReplicaSetConfig::parse(new.clone()).unwrap(), &seen.primary().unwrap().1.config);
    assert_eq!(new.version, old.version + 1, "{step}");
    let votes = |config: &ReplicaSetConfig, pod: usize| {
        let mut members = config.members.iter();
        members.any(|member| usize::try_from(member.id) == Ok(pod) && member.votes > 0)
    };
    let changed = (0..PODS).filter(|pod| votes(&new, *pod) != votes(old, *pod)).count();
    assert!(changed <= 1, "{step} changes {changed} votes");
}

fn act(step: &Step) -> Act {
    let pod = |wanted: &str| (0..PODS).find(|pod| host(*pod) == wanted || alias(*pod) == wanted).unwrap();
    match step {
        Step::Initiate { host } => Act::Initiate(pod(host)),
        Step::AddMember { host, .. } => Act::Add(pod(host)),
        Step::FixHost { from, to } => {
            assert_eq!(pod(from), pod(to), "another pod's name");
            Act::FixHost(pod(to))
        }
        Step::GrantVote { host } => Act::Grant(pod(host)),
        Step::RevokeVote { host } => Act::Revoke(pod(host)),
        Step::RemoveMember { host } => Act::Remove(pod(host)),
        Step::StepDown { host } => Act::StepDown(pod(host)),
        Step::CreateUser { .. } => Act::CreateUser,
        Step::UpdateUser { .. } | Step::DropUser { .. } => panic!("the model's user never differs"),
    }
}

/// Hosts by number and by whether it is the other name.
static HOSTS: LazyLock<Vec<[String; 2]>> =
    LazyLock::new(|| (0..PODS).map(|pod| [host(pod), alias(pod)]).collect());

fn listed_as(world: &World, pod: usize) -> &'static str {
    &HOSTS[pod][usize::from(world.pods[pod].misnamed)]
}

/// What the operator sees of a world.
fn observe(world: &World) -> Topology {
    let config = config(world);
    let listed = |pod: &usize| world.pods[*pod].role != Role::Outside;
    let peers: BTreeMap<String, Peer> = (0..world.existing())
        .filter(listed)
        .map(|pod| (listed_as(world, pod).to_owned(), peer(world, pod)))
        .collect();
    let observed = |pod: usize| {
        let seen = world.pods[pod];
        let view = match (seen.up, seen.disk) {
            (false, _) => View::Unreachable { reason: "connection refused".to_owned() },
            (true, Disk::Empty) => View::NotInitialized,
            (true, _) => View::Member(Box::new(Member {
                config: config.clone(),
                state: state(world, pod),
                term: if world.stale == Some(pod) { 1 } else { 2 },
                own_host: listed(&pod).then(|| listed_as(world, pod).to_owned()),
                peers: peers.clone(),
            })),
        };
        Observed { pod: format!("db-{pod}"), host: HOSTS[pod][0].clone(), terminating: false, view }
    };
    let application_user = match (world.claimant(), world.user) {
        (None, _) => UserState::Unknown,
        (_, false) => UserState::Missing,
        (_, true) => UserState::Matches,
    };
    let members = (0..world.existing()).map(observed).collect();
    Topology { members, application_user, users: None }
}

/// A primary that is cut off hears of the others what it heard last, and is believed while nobody
/// claims a newer term.
fn peer(world: &World, pod: usize) -> Peer {
    let by_the_cut_off = world.primary.is_none() && world.stale.is_some();
    let heard = world.pods[pod].up && (by_the_cut_off || world.cut != Some(pod));
    let empty = world.pods[pod].disk == Disk::Empty;
    Peer {
        state: if heard && !empty { state(world, pod) } else { MemberState::Down },
        healthy: heard && !empty,
        optime: (heard && !empty).then_some(Optime { term: 1, seconds: 1_000, increment: 1 }),
    }
}

fn state(world: &World, pod: usize) -> MemberState {
    match (world.pods[pod].role, world.pods[pod].disk) {
        (Role::Outside, _) => MemberState::Removed,
        (_, Disk::Empty | Disk::Syncing) => MemberState::Startup2,
        (_, Disk::Current) if world.primary == Some(pod) || world.stale == Some(pod) => MemberState::Primary,
        (_, Disk::Current) => MemberState::Secondary,
    }
}

fn config(world: &World) -> ReplicaSetConfig {
    let member = |pod: usize| {
        let votes = i32::from(world.pods[pod].role == Role::Voter);
        let id = i32::try_from(pod).unwrap();
        Bson::Document(
            doc! { "_id": id, "host": listed_as(world, pod), "votes": votes, "priority": f64::from(votes) },
        )
    };
    let listed = (0..PODS).filter(|pod| world.pods[*pod].role != Role::Outside);
    let members: Vec<Bson> = listed.map(member).collect();
    ReplicaSetConfig::parse(doc! { "_id": "db", "version": 5, "term": 1, "members": members }).unwrap()
}
