//! The cluster bus of the model: handshakes, pings, claims to slots, failure and failover.

use super::{Host, Model, Node, Peer};
use crate::redis_cluster::slots::SlotSet;
use crate::redis_cluster::topology::NodeId;

/// What a node says about itself in every packet.
struct Header {
    id: NodeId,
    host: Host,
    primary: Option<NodeId>,
    epoch: u64,
    current_epoch: u64,
    slots: SlotSet,
}

/// "Somebody else owns these slots with a higher epoch than yours."
struct Correction {
    owner: NodeId,
    epoch: u64,
    slots: SlotSet,
}

impl Model {
    /// Node `index` finishes its handshakes and pings everyone it knows.
    pub(in crate::redis_cluster) fn gossip(&mut self, index: usize) {
        let greetings: Vec<Host> = self.nodes[index].greetings.iter().copied().collect();
        for host in greetings {
            self.greet(index, host);
        }
        let peers: Vec<NodeId> = self.nodes[index].peers.keys().cloned().collect();
        for id in peers {
            self.ping(index, &id);
        }
    }

    /// Everybody in turn.
    pub(in crate::redis_cluster) fn gossip_all(&mut self) {
        (0..self.nodes.len()).for_each(|index| self.gossip(index));
    }

    /// One handshake: both learn each other's id; a known id gets the new address.
    pub(in crate::redis_cluster) fn greet(&mut self, index: usize, host: Host) {
        let node = &mut self.nodes[index];
        if !node.up || !node.greetings.remove(&host) {
            return;
        }
        let Some(other) = self.nodes.iter().position(|other| other.up && other.host == host) else {
            return;
        };
        if other == index {
            return;
        }
        let (mine, theirs) = (self.header(index), self.header(other));
        self.nodes[index].admit(&theirs);
        if !self.nodes[other].peers.contains_key(&mine.id) {
            self.nodes[other].greetings.insert(mine.host);
        }
    }

    /// One ping and its pong, over the address the sender believes in.
    pub(in crate::redis_cluster) fn ping(&mut self, index: usize, id: &NodeId) {
        if !self.nodes[index].up {
            return;
        }
        let Some(host) = self.nodes[index].peers.get(id).and_then(|peer| peer.host) else {
            return;
        };
        let Some(other) = self.nodes.iter().position(|other| other.up && other.host == host) else {
            if let Some(peer) = self.nodes[index].peers.get_mut(id) {
                peer.failed = true;
            }
            return;
        };
        if self.nodes[other].id != *id {
            // Another node answers there: the address is dropped and the id neither pinged nor failed.
            if let Some(peer) = self.nodes[index].peers.get_mut(id) {
                peer.host = None;
            }
            return;
        }
        self.deliver(index, other);
        self.deliver(other, index);
    }

    fn deliver(&mut self, from: usize, to: usize) {
        let header = self.header(from);
        if !self.nodes[to].peers.contains_key(&header.id) {
            return;
        }
        let corrections = self.nodes[to].receive(&header);
        for correction in corrections {
            self.nodes[from].hear_claim(&correction.owner, correction.epoch, &correction.slots);
        }
        self.share_peers(from, to);
        if self.nodes[to].primary.as_ref() == Some(&header.id) {
            self.nodes[to].keys = self.nodes[from].keys.clone();
        }
    }

    /// The gossip section: unknown nodes are greeted, unreachable ones looked for elsewhere.
    fn share_peers(&mut self, from: usize, to: usize) {
        let told: Vec<(NodeId, Host)> = {
            let healthy = self.nodes[from].peers.iter().filter(|(_, peer)| !peer.failed);
            healthy.filter_map(|(id, peer)| Some((id.clone(), peer.host?))).collect()
        };
        let node = &mut self.nodes[to];
        for (id, host) in told {
            match node.peers.get_mut(&id) {
                Some(peer) if peer.failed && peer.host.is_some() => peer.host = Some(host),
                None if id != node.id => {
                    node.greetings.insert(host);
                }
                Some(_) | None => {}
            }
        }
    }

    fn header(&self, index: usize) -> Header {
        let node = &self.nodes[index];
        Header {
            id: node.id.clone(),
            host: node.host,
            primary: node.primary.clone(),
            epoch: node.epoch,
            current_epoch: node.current_epoch,
            slots: node.slots.clone(),
        }
    }

    /// Replicas of failed primaries take over where a majority of primaries answers.
    pub(in crate::redis_cluster) fn fail_over(&mut self) {
        for index in 0..self.nodes.len() {
            if self.may_take_over(index) {
                self.nodes[index].promote();
            }
        }
    }

    /// `CLUSTER FAILOVER`: refused by a primary and by a replica whose primary is away; it waits for
    /// the last write.
    pub(in crate::redis_cluster) fn take_over(&mut self, index: usize) -> bool {
        let primary = self.nodes[index].primary.clone();
        let Some(primary) = self.nodes.iter().position(|node| node.up && Some(&node.id) == primary.as_ref())
        else {
            return false;
        };
        self.nodes[index].keys = self.nodes[primary].keys.clone();
        self.nodes[index].promote();
        true
    }

    fn may_take_over(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        let failed = node.primary.as_ref().and_then(|id| node.peers.get(id));
        let owners: Vec<_> = node.peers.iter().filter(|(_, peer)| !peer.slots.is_empty()).collect();
        let votes = owners.iter().filter(|(id, peer)| {
            !peer.failed && self.nodes.iter().any(|n| n.up && n.id == **id && Some(n.host) == peer.host)
        });
        let majority = votes.count() > owners.len() / 2;
        node.up && majority && failed.is_some_and(|peer| peer.failed && !peer.slots.is_empty())
    }
}

impl Node {
    /// Elected: it owns what its primary owned, in a new epoch.
    fn promote(&mut self) {
        let Some(primary) = self.primary.take() else { return };
        self.current_epoch += 1;
        self.epoch = self.current_epoch;
        if let Some(peer) = self.peers.get_mut(&primary) {
            self.slots = std::mem::take(&mut peer.slots);
        }
    }

    fn admit(&mut self, header: &Header) {
        let peer = self.peers.entry(header.id.clone()).or_insert_with(|| Peer {
            host: None,
            primary: None,
            epoch: 0,
            slots: SlotSet::new(),
            failed: false,
        });
        peer.host = Some(header.host);
        peer.failed = false;
    }

    /// `clusterProcessPacket` for a known sender.
    fn receive(&mut self, header: &Header) -> Vec<Correction> {
        self.current_epoch = self.current_epoch.max(header.current_epoch).max(header.epoch);
        self.admit(header);
        let Some(peer) = self.peers.get_mut(&header.id) else {
            return Vec::new();
        };
        peer.primary.clone_from(&header.primary);
        if header.primary.is_some() {
            peer.slots = SlotSet::new();
            return Vec::new();
        }
        peer.epoch = header.epoch;
        // Two primaries with one epoch: the one with the smaller id takes the next.
        if self.primary.is_none() && self.epoch == header.epoch && self.id < header.id {
            self.current_epoch += 1;
            self.epoch = self.current_epoch;
        }
        let corrections = self.corrections(header);
        self.hear_claim(&header.id, header.epoch, &header.slots);
        corrections
    }

    fn corrections(&self, header: &Header) -> Vec<Correction> {
        let own = std::iter::once((&self.id, self.epoch, &self.slots));
        let peers = self.peers.iter().map(|(id, peer)| (id, peer.epoch, &peer.slots));
        let better = own.chain(peers).filter(|(id, epoch, slots)| {
            **id != header.id && *epoch > header.epoch && !slots.intersection(&header.slots).is_empty()
        });
        let correct = |(id, epoch, slots): (&NodeId, u64, &SlotSet)| Correction {
            owner: id.clone(),
            epoch,
            slots: slots.clone(),
        };
        better.map(correct).collect()
    }

    /// `clusterUpdateSlotsConfigWith`: the higher epoch wins, and who loses its last slot to the
    /// claimant follows it.
    fn hear_claim(&mut self, sender: &NodeId, epoch: u64, slots: &SlotSet) {
        if *sender == self.id {
            return;
        }
        let leader = self.primary.clone().unwrap_or_else(|| self.id.clone());
        let led = |node: &Self| {
            if leader == node.id { node.slots.clone() } else { node.peer_slots(&leader) }
        };
        let before = led(self);
        if self.epoch < epoch {
            self.slots = self.slots.difference(slots);
        }
        let mut free = slots.difference(&self.slots);
        for (id, peer) in &mut self.peers {
            if id != sender {
                if peer.epoch < epoch {
                    peer.slots = peer.slots.difference(slots);
                }
                free = free.difference(&peer.slots);
            }
        }
        let Some(peer) = self.peers.get_mut(sender) else {
            return;
        };
        peer.slots = peer.slots.union(&free);
        peer.epoch = peer.epoch.max(epoch);
        if !before.is_empty() && led(self).is_empty() && leader != *sender {
            if let Some(peer) = self.peers.get_mut(sender) {
                peer.primary = None;
            }
            self.primary = Some(sender.clone());
        }
    }

    fn peer_slots(&self, id: &NodeId) -> SlotSet {
        self.peers.get(id).map(|peer| peer.slots.clone()).unwrap_or_default()
    }
}
