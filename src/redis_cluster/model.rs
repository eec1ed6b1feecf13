//! A small exact model of Redis Cluster for tests: every node with its own view, the handshake,
//! gossip, claims to slots by epoch, roles, failover, and addresses that change. No time: whatever
//! may happen is an action, in any order.
//!
//! It follows `cluster.c` of Redis 7.0 where that decides who owns a slot or who knows whom, and
//! leaves out what does not: packet formats, link buffers, probabilities.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::command::Command;
use super::slots::SlotSet;
use super::steps::{Member, Next, next};
use super::topology::{NodeAddress, NodeId, Wanted, WantedShard};

mod answers;
mod bus;
mod tests;

/// The last byte of a pod address.
type Host = u8;

/// All pods of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    pods_per_shard: usize,
    ids_given: u16,
    hosts_given: Host,
}

/// One server and its volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) host: Host,
    pub(super) up: bool,
    /// The primary it follows; none while it is one.
    pub(super) primary: Option<NodeId>,
    pub(super) epoch: u64,
    current_epoch: u64,
    pub(super) slots: SlotSet,
    /// Slots in which it holds a key.
    pub(super) keys: BTreeSet<u16>,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    /// Addresses it is shaking hands with.
    greetings: BTreeSet<Host>,
}

/// What one node believes about another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    /// None is `noaddr`.
    host: Option<Host>,
    primary: Option<NodeId>,
    epoch: u64,
    pub(super) slots: SlotSet,
    failed: bool,
}

impl Model {
    /// Fresh pods that know nobody.
    pub(super) fn fresh(shards: usize, pods_per_shard: usize) -> Self {
        let mut model = Self { nodes: Vec::new(), pods_per_shard, ids_given: 0, hosts_given: 0 };
        for _ in 0..shards * pods_per_shard {
            let node = model.blank_node();
            model.nodes.push(node);
        }
        model
    }

    fn blank_node(&mut self) -> Node {
        self.ids_given += 1;
        self.hosts_given += 1;
        // Ids that do not follow pod order: collisions of epochs are settled by comparing ids.
        let id = format!("{:04x}{:036x}", self.ids_given.wrapping_mul(40_503), self.ids_given);
        Node {
            id: NodeId::parse(&id).unwrap(),
            host: self.hosts_given,
            up: true,
            primary: None,
            epoch: 0,
            current_epoch: 0,
            slots: SlotSet::new(),
            keys: BTreeSet::new(),
            peers: BTreeMap::new(),
            greetings: BTreeSet::new(),
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        let shards = self.nodes.len() / self.pods_per_shard;
        let shard = |shard: usize| WantedShard {
            name: format!("shard-{shard}"),
            pods: (0..self.pods_per_shard).map(|pod| format!("shard-{shard}-{pod}")).collect(),
        };
        Wanted { shards: (0..shards).map(shard).collect() }
    }

    /// The same volume under a new address; a node that was down is up again.
    pub(super) fn restart(&mut self, index: usize) {
        self.hosts_given += 1;
        let host = self.hosts_given;
        let node = &mut self.nodes[index];
        (node.host, node.up) = (host, true);
        node.greetings.clear();
    }

    /// Every pod restarts and gets the address another pod had.
    pub(super) fn rotate_addresses(&mut self) {
        let hosts: Vec<Host> = self.nodes.iter().map(|node| node.host).collect();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            node.host = hosts[(index + 1) % hosts.len()];
            node.up = true;
            node.greetings.clear();
        }
    }

    pub(super) fn stop(&mut self, index: usize) {
        self.nodes[index].up = false;
    }

    /// A new pod of the same name with an empty volume.
    pub(super) fn wipe(&mut self, index: usize) {
        self.nodes[index] = self.blank_node();
    }

    /// A client writes a key to every primary that serves, and replicas that follow get it. With
    /// `cluster-require-full-coverage` a node serves once it knows an owner for every slot.
    pub(super) fn write(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let serves = node.up && node.known_slots() == SlotSet::full();
            let Some(range) = node.slots.ranges().next().filter(|_| serves) else {
                continue;
            };
            let slot = range.start();
            let id = node.id.clone();
            for copy in
                self.nodes.iter_mut().filter(|copy| copy.id == id || copy.primary.as_ref() == Some(&id))
            {
                copy.keys.insert(slot);
            }
        }
    }

    /// Fresh pods after everything came to rest and clients wrote to every shard.
    pub(super) fn settled(shards: usize, pods_per_shard: usize) -> Self {
        let mut model = Self::fresh(shards, pods_per_shard);
        model.settle();
        model.write();
        model
    }

    /// Everything is up, talks, and the operator passes until settled; returns the passes.
    pub(super) fn settle(&mut self) -> usize {
        for index in 0..self.nodes.len() {
            if !self.nodes[index].up {
                self.restart(index);
            }
        }
        for pass in 1..=40 {
            self.gossip_all();
            self.fail_over();
            if self.operate(usize::MAX) == Next::Settled {
                return pass;
            }
        }
        panic!("does not settle, last verdict {:?}\n{self:#?}", self.operate(0));
    }

    /// One pass of the operator, killed after `limit` commands. Returns the verdict.
    pub(super) fn operate(&mut self, limit: usize) -> Next {
        let verdict = next(&self.wanted(), &self.topology());
        if let Next::Do(step) = &verdict {
            for order in step.orders().iter().take(limit) {
                let witnessed = order.witness.is_none_or(|witness| self.at(witness).is_some());
                let Some(index) = self.at(order.at).filter(|_| witnessed) else {
                    break;
                };
                if !self.command(index, &order.command) {
                    break;
                }
            }
        }
        verdict
    }

    /// How many commands the operator would send now.
    pub(super) fn pending_commands(&self) -> usize {
        match next(&self.wanted(), &self.topology()) {
            Next::Do(step) => step.orders().len(),
            Next::Wait(_) | Next::Settled => 0,
        }
    }

    /// The index of the member, if it still is who it was.
    fn at(&self, member: &Member) -> Option<usize> {
        let lives = |node: &Node| node.up && node.id == member.id && address(node.host) == member.address;
        self.nodes.iter().position(lives)
    }

    /// What the server does with a command; false when it refuses.
    fn command(&mut self, index: usize, command: &Command) -> bool {
        if *command == Command::ClusterFailover {
            return self.take_over(index);
        }
        let node = &mut self.nodes[index];
        match command {
            Command::ClusterMeet(to) => {
                node.greetings.insert(host(*to));
                true
            }
            Command::ClusterSetConfigEpoch(epoch) => {
                let fresh = node.peers.is_empty() && node.greetings.is_empty() && node.epoch == 0;
                if fresh {
                    node.epoch = *epoch;
                    node.current_epoch = node.current_epoch.max(*epoch);
                }
                fresh
            }
            Command::ClusterAddSlotsRange(slots) => {
                let free = node.known_slots().intersection(slots).is_empty();
                if free {
                    node.slots = node.slots.union(slots);
                }
                free
            }
            Command::ClusterReplicate(id) => {
                let is_primary = node.peers.get(id).is_some_and(|peer| peer.primary.is_none());
                let free = node.primary.is_some() || (node.slots.is_empty() && node.keys.is_empty());
                if is_primary && free {
                    node.primary = Some(id.clone());
                }
                is_primary && free
            }
            Command::ClusterForget(id) => {
                let mine = node.primary.as_ref() == Some(id);
                !mine && node.peers.remove(id).is_some()
            }
            Command::Ping
            | Command::DbSize
            | Command::Info(_)
            | Command::ClusterNodes
            | Command::ClusterInfo
            | Command::ClusterMyId
            | Command::ClusterFailover => true,
        }
    }
}

impl Node {
    /// Slots it knows an owner of, itself included.
    fn known_slots(&self) -> SlotSet {
        self.peers.values().fold(self.slots.clone(), |sum, peer| sum.union(&peer.slots))
    }
}

fn address(host: Host) -> NodeAddress {
    NodeAddress { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), port: 6379, bus_port: 16379 }
}

fn host(address: NodeAddress) -> Host {
    match address.ip {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(_) => 0,
    }
}
