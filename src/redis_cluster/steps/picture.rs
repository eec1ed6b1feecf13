//! The topology arranged for the rules: who answers, who is silent, which nodes know each other. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::Member;
use crate::redis_cluster::slots::SlotSet;
use crate::redis_cluster::topology::{NodeAddress, NodeId, NodeView, Observed, Topology, View, Wanted};

/// Redis listens for its own kind this far above the client port unless told otherwise.
const BUS_PORT_OFFSET: u16 = 10_000;

/// Everything the rules look at.
pub(super) struct Picture<'a> {
    pub(super) wanted: &'a Wanted,
    /// Pods that answered: the wanted ones in spec order, then any others by name.
    pub(super) live: Vec<Live<'a>>,
    /// Wanted pods without an answer, in spec order; `None` when nobody asked them.
    pub(super) silent: Vec<(&'a str, Option<&'a View>)>,
    /// Live nodes that know each other, directly or through others.
    pub(super) groups: Vec<Group>,
}

/// A pod that answered.
#[derive(Clone, Copy)]
pub(super) struct Live<'a> {
    pub(super) pod: &'a str,
    /// Its shard, when it is wanted.
    pub(super) shard: Option<usize>,
    pub(super) terminating: bool,
    pub(super) view: &'a NodeView,
    endpoint: SocketAddr,
}

/// Indices into [`Picture::live`], and what the members hold together.
pub(super) struct Group {
    pub(super) members: Vec<usize>,
    pub(super) kind: GroupKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupKind {
    /// Some view gives somebody a slot.
    Established,
    /// No slots and no keys: free to join.
    Blank,
    /// Keys without slots: the data of a cluster that is not here.
    Stray,
}

impl<'a> Picture<'a> {
    pub(super) fn new(wanted: &'a Wanted, topology: &'a Topology) -> Self {
        let mut live = Vec::new();
        let mut silent = Vec::new();
        let mut named = BTreeSet::new();
        for (shard, pod) in wanted.pods() {
            named.insert(pod);
            let observed = topology.pod(pod);
            match observed.and_then(|observed| Live::of(observed, Some(shard))) {
                Some(node) => live.push(node),
                None => silent.push((pod, observed.map(|observed| &observed.view))),
            }
        }
        let others = topology.nodes.iter().filter(|node| !named.contains(node.target.pod.as_str()));
        let mut others: Vec<_> = others.filter_map(|observed| Live::of(observed, None)).collect();
        others.sort_by_key(|node| node.pod);
        live.extend(others);
        let groups = groups(&live);
        Self { wanted, live, silent, groups }
    }

    /// Live nodes the spec asks for.
    pub(super) fn members(&self) -> impl Iterator<Item = &Live<'a>> {
        self.live.iter().filter(|node| node.shard.is_some())
    }

    pub(super) fn by_id(&self, id: &NodeId) -> Option<&Live<'a>> {
        self.live.iter().find(|node| node.view.id == *id)
    }

    pub(super) fn of_kind(&self, kind: GroupKind) -> impl Iterator<Item = &Live<'a>> {
        let groups = self.groups.iter().filter(move |group| group.kind == kind);
        groups.flat_map(|group| group.members.iter().map(|index| &self.live[*index]))
    }

    pub(super) fn is_established(&self) -> bool {
        self.groups.iter().any(|group| group.kind == GroupKind::Established)
    }

    /// The node of the shard that owns slots now: the most, if several do.
    pub(super) fn primary(&self, shard: usize) -> Option<&Live<'a>> {
        let nodes = self.members().filter(|node| node.shard == Some(shard) && node.view.is_primary());
        let owners = nodes.filter(|node| !node.view.own_slots().is_empty());
        // `min_by_key` keeps the first of equals, so spec order breaks a tie.
        owners.min_by_key(|node| Reverse(node.view.own_slots().count()))
    }

    /// Slots that some view gives somebody, dead or alive.
    pub(super) fn claimed(&self) -> SlotSet {
        let entries = self.live.iter().flat_map(|node| node.view.known());
        entries.fold(SlotSet::new(), |sum, entry| sum.union(&entry.slots))
    }

    /// Slots that a live node claims for itself.
    pub(super) fn owned(&self) -> SlotSet {
        self.live.iter().fold(SlotSet::new(), |sum, node| sum.union(&node.view.own_slots()))
    }
}

impl<'a> Live<'a> {
    fn of(observed: &'a Observed, shard: Option<usize>) -> Option<Self> {
        Some(Self {
            pod: &observed.target.pod,
            shard,
            terminating: observed.target.terminating,
            view: observed.view.node()?,
            endpoint: observed.target.endpoint()?,
        })
    }

    /// Where it answers, with the bus port it announces.
    pub(super) fn address(&self) -> NodeAddress {
        let announced = self.view.myself().and_then(|entry| entry.address);
        let port = self.endpoint.port();
        let bus_port = match announced {
            Some(address) if address.port == port => address.bus_port,
            _ => port.saturating_add(BUS_PORT_OFFSET),
        };
        NodeAddress { ip: self.endpoint.ip(), port, bus_port }
    }

    pub(super) fn member(&self) -> Member {
        Member { pod: self.pod.to_owned(), id: self.view.id.clone(), address: self.address() }
    }

    pub(super) fn knows(&self, other: &Live<'_>) -> bool {
        self.view.entry(&other.view.id).is_some()
    }

    /// Whether it is being introduced to the other right now.
    pub(super) fn is_greeting(&self, other: &Live<'_>) -> bool {
        let mut handshakes = self.view.entries.iter().filter(|entry| entry.flags.handshake);
        handshakes.any(|entry| entry.address.is_some_and(|address| lives_at(address, other.endpoint)))
    }

    /// Whether it would look for the other where the other does not live.
    pub(super) fn has_stale_address_of(&self, other: &Live<'_>) -> bool {
        let Some(entry) = self.view.entry(&other.view.id) else {
            return false;
        };
        let Some(address) = entry.address else { return true };
        let announced = other.view.myself().and_then(|entry| entry.address);
        // Behind address translation a node announces what is not its pod's address, and works.
        let works_elsewhere = announced == Some(address) && entry.link_connected && entry.is_healthy();
        !lives_at(address, other.endpoint) && !works_elsewhere
    }

    /// Whether it shares a cluster with a healthy node that is none of the given ones.
    pub(super) fn talks_to_strangers(&self, live: &[Live<'_>]) -> bool {
        let mut connected = self.view.known().filter(|entry| entry.link_connected && entry.is_healthy());
        connected.any(|entry| live.iter().all(|node| node.view.id != entry.id))
    }
}

fn lives_at(address: NodeAddress, endpoint: SocketAddr) -> bool {
    address.ip == endpoint.ip() && address.port == endpoint.port()
}

/// Connected components of "knows the id of", which outlives every change of address.
fn groups(live: &[Live<'_>]) -> Vec<Group> {
    let mut seen = vec![false; live.len()];
    let mut groups = Vec::new();
    for start in 0..live.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let mut members = vec![start];
        let mut position = 0;
        while let Some(&index) = members.get(position) {
            position += 1;
            for (other, node) in live.iter().enumerate() {
                if !seen[other] && (live[index].knows(node) || node.knows(&live[index])) {
                    seen[other] = true;
                    members.push(other);
                }
            }
        }
        members.sort_unstable();
        groups.push(Group { kind: kind(live, &members), members });
    }
    groups
}

fn kind(live: &[Live<'_>], members: &[usize]) -> GroupKind {
    let nodes = || members.iter().map(|index| live[*index].view);
    if nodes().flat_map(NodeView::known).any(|entry| !entry.slots.is_empty()) {
        GroupKind::Established
    } else if nodes().any(|view| view.keys > 0) {
        GroupKind::Stray
    } else {
        GroupKind::Blank
    }
}
