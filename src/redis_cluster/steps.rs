//! What to do next with a cluster: one step, a reason to wait, or nothing. Pure.
//!
//! [`next`] walks an ordered list of small rules, each of which looks at every node's view and
//! either settles the matter or passes. Same input, same answer; nodes are taken in spec order.
//! A step holds commands of one kind that do not depend on each other: after a crash between any
//! two of them the next pass finds a state that the same rules lead to the same end.

use super::command::Command;
use super::slots::SlotSet;
use super::topology::{NodeAddress, NodeId, Topology, Wanted};

mod failover;
mod formation;
mod membership;
mod picture;
mod replicas;
mod waiting;

pub use failover::fail_over;
pub use waiting::{WaitReason, Waiting};

use picture::Picture;

/// The most introductions one step makes; what is left is for the next pass.
const MAX_MEETINGS: usize = 64;

/// The verdict of one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Carry this out, then look again.
    Do(Step),
    /// Nothing may or need be done now; look again later.
    Wait(Waiting),
    /// Every wanted pod is a healthy member, all slots are owned, all views agree.
    Settled,
}

/// Commands of one kind. Every variant says what must hold before, what is sent, what it brings
/// about, why repeating it is harmless, and what a crash in the middle leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// *Before:* `via` knows the node id of `to` under an address where `to` does not live, as
    /// after a restart with a new pod IP. *Sent:* `CLUSTER MEET` to `via`. *Effect:* `via`
    /// recognises the id in the handshake and corrects the address; `to` learns the address of
    /// `via` from the ping that follows. No membership, slot or role changes. *Repeat:* the
    /// handshake ends the same way. *Crash:* the other pairs are still stale and healed next pass.
    ///
    /// It comes before every other step: a node that looks dead under an old address must never
    /// be taken for a lost one.
    Heal(Vec<Meeting>),
    /// *Before:* no node anywhere owns a slot, every wanted pod answers, and the node knows no
    /// other and has epoch 0. *Sent:* `CLUSTER SET-CONFIG-EPOCH` with distinct numbers. *Effect:*
    /// later claims to slots are ordered from the start, instead of by collision. *Repeat:* Redis
    /// refuses a second number, and a node that has one is passed over. *Crash:* the others get
    /// numbers not yet taken.
    SetEpoch(Vec<SetEpoch>),
    /// *Before:* both nodes answer, at least one does not know the other, neither group holds data
    /// of another cluster. *Sent:* `CLUSTER MEET` to `via`. *Effect:* both become members of one
    /// cluster, without slots or role. *Repeat:* known nodes recognise each other and drop the
    /// handshake. *Crash:* several groups without slots, which the next pass introduces again.
    Meet(Vec<Meeting>),
    /// *Before:* every wanted pod is an empty member, and the slots without owner are exactly the
    /// even shares of primaries that own none. *Sent:* `CLUSTER ADDSLOTSRANGE`. *Effect:* the
    /// primary owns its share. *Repeat:* Redis refuses the whole command when one slot has an
    /// owner. *Crash:* some primaries have their share; the rest get theirs next pass, since all
    /// nodes are still empty.
    AddSlots(Vec<AddSlots>),
    /// *Before:* all slots have an owner; the node owns none, holds no keys unless it is a replica
    /// already, knows its shard's live primary, and follows another or nobody. *Sent:* `CLUSTER
    /// REPLICATE`. *Effect:* the node copies that primary. *Repeat:* the same link stays. *Crash:*
    /// the others follow next pass. Redis itself refuses it to a node with keys or slots.
    Replicate(Vec<Replicate>),
    /// *Before:* every wanted pod answers under another id, all slots have live owners, no view
    /// gives the id slots or replicas, and every view that has it calls it failed or without
    /// address. *Sent:* `CLUSTER FORGET` to each of those nodes. *Effect:* the entry goes, and may
    /// not come back through gossip for 60 seconds. *Repeat:* a node without the entry is not
    /// asked. *Crash:* the others may gossip the entry back after a minute; it is forgotten again.
    Forget(Vec<Forget>),
    /// *Before:* the primary is to restart, the node is a replica of it and in step; never part of
    /// [`next`], only of a roll. *Sent:* `CLUSTER FAILOVER` to the replica. *Effect:* the primary
    /// holds its clients for a moment, the replica catches up, is elected and owns the slots; the
    /// old primary follows it. *Repeat:* a node that is primary by then refuses it; one still busy
    /// starts anew, so the client does not repeat it for a while. *Crash:* the servers finish it, or
    /// give up after five seconds and stay as they were.
    FailOver(FailOver),
}

/// A node as the step was decided upon. The client checks the id before it sends anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Pod name.
    pub pod: String,
    /// The id it answered with.
    pub id: NodeId,
    /// Where it answered.
    pub address: NodeAddress,
}

/// An introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The node that gets the command.
    pub via: Member,
    /// The node it is told about.
    pub to: Member,
}

/// A first configuration epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEpoch {
    /// The fresh node.
    pub at: Member,
    /// Distinct over the cluster, from 1.
    pub epoch: u64,
}

/// First slots for a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddSlots {
    /// The primary.
    pub at: Member,
    /// Its even share.
    pub slots: SlotSet,
}

/// A node that is to follow a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicate {
    /// The node.
    pub at: Member,
    /// The live primary of its shard.
    pub primary: Member,
}

/// A dead entry to drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forget {
    /// The node whose view has it.
    pub at: Member,
    /// The dead id.
    pub id: NodeId,
}

/// A replica that is to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailOver {
    /// The replica.
    pub at: Member,
    /// The primary it follows.
    pub primary: Member,
}

/// One command on its way to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// Who gets it.
    pub at: &'a Member,
    /// What it says.
    pub command: Command,
    /// Another node whose id must still be what it was, too.
    pub witness: Option<&'a Member>,
}

type Rule = fn(&Picture<'_>) -> Option<Next>;

/// The order is the argument: recognise before healing, heal before joining, join before giving
/// slots, slots before roles, roles before forgetting, and only then say what is still missing.
const RULES: [Rule; 14] = [
    membership::one_id_per_pod,
    membership::heal,
    membership::one_cluster,
    formation::contested,
    formation::begin,
    membership::meet,
    formation::cover,
    replicas::replicate,
    membership::forget,
    waiting::silent_pods,
    waiting::stray_data,
    waiting::owners,
    waiting::agreement,
    waiting::links,
];

/// The next step towards the wanted cluster, decided from what every node says.
pub fn next(wanted: &Wanted, topology: &Topology) -> Next {
    let picture = Picture::new(wanted, topology);
    RULES.iter().find_map(|rule| rule(&picture)).unwrap_or(Next::Settled)
}

impl Step {
    /// A stable word for events, conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Heal(_) => "HealRedisAddresses",
            Self::SetEpoch(_) => "SetRedisEpochs",
            Self::Meet(_) => "MeetRedisNodes",
            Self::AddSlots(_) => "AssignRedisSlots",
            Self::Replicate(_) => "ReplicateRedisPrimaries",
            Self::Forget(_) => "ForgetRedisNodes",
            Self::FailOver(_) => "FailOverRedisPrimary",
        }
    }

    /// What the step does, in words that name the pods.
    pub fn describe(&self) -> String {
        match self {
            Self::Heal(meetings) => {
                format!("correct addresses: {}", list(meetings, |m| format!("{} of {}", m.via.pod, m.to.pod)))
            }
            Self::SetEpoch(epochs) => {
                format!("set first epochs: {}", list(epochs, |e| format!("{} {}", e.at.pod, e.epoch)))
            }
            Self::Meet(meetings) => {
                format!("introduce {}", list(meetings, |m| format!("{} to {}", m.to.pod, m.via.pod)))
            }
            Self::AddSlots(shares) => {
                format!("assign slots: {}", list(shares, |s| format!("{} to {}", s.slots, s.at.pod)))
            }
            Self::Replicate(replicas) => {
                list(replicas, |r| format!("let {} replicate {}", r.at.pod, r.primary.pod))
            }
            Self::Forget(forgets) => list(forgets, |f| format!("let {} forget dead node {}", f.at.pod, f.id)),
            Self::FailOver(f) => format!("let {} take over from {}", f.at.pod, f.primary.pod),
        }
    }

    /// The commands in the order they are sent.
    pub fn orders(&self) -> Vec<Order<'_>> {
        let meeting = |meeting: &'_ Meeting| Command::ClusterMeet(meeting.to.address);
        match self {
            Self::Heal(meetings) | Self::Meet(meetings) => meetings
                .iter()
                .map(|m| Order { at: &m.via, command: meeting(m), witness: Some(&m.to) })
                .collect(),
            Self::SetEpoch(epochs) => {
                let command = |e: &SetEpoch| Command::ClusterSetConfigEpoch(e.epoch);
                epochs.iter().map(|e| Order { at: &e.at, command: command(e), witness: None }).collect()
            }
            Self::AddSlots(shares) => {
                let command = |s: &AddSlots| Command::ClusterAddSlotsRange(s.slots.clone());
                shares.iter().map(|s| Order { at: &s.at, command: command(s), witness: None }).collect()
            }
            Self::Replicate(replicas) => {
                let command = |r: &Replicate| Command::ClusterReplicate(r.primary.id.clone());
                replicas.iter().map(|r| Order { at: &r.at, command: command(r), witness: None }).collect()
            }
            Self::Forget(forgets) => {
                let command = |f: &Forget| Command::ClusterForget(f.id.clone());
                forgets.iter().map(|f| Order { at: &f.at, command: command(f), witness: None }).collect()
            }
            Self::FailOver(f) => {
                vec![Order { at: &f.at, command: Command::ClusterFailover, witness: Some(&f.primary) }]
            }
        }
    }
}

/// The first few in words, the rest as a count.
fn list<T>(items: &[T], describe: impl Fn(&T) -> String) -> String {
    const SHOWN: usize = 6;
    let mut words: Vec<String> = items.iter().take(SHOWN).map(describe).collect();
    if items.len() > SHOWN {
        words.push(format!("and {} more", items.len() - SHOWN));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests;
