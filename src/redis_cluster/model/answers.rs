//! What the nodes of the model answer when asked.

use super::{Host, Model, Node, address};
use crate::redis_cluster::slots::SlotSet;
use crate::redis_cluster::topology::{
    ClusterInfo, EntryFlags, LinkStatus, NodeEntry, NodeId, NodeView, Observed, Replication, Target,
    Topology, View,
};

impl Model {
    /// What every node would answer.
    pub(in crate::redis_cluster) fn topology(&self) -> Topology {
        let wanted = self.wanted();
        let observe = |((shard, pod), node): ((usize, &str), &Node)| Observed {
            target: Target {
                pod: pod.to_owned(),
                shard,
                address: Some(address(node.host).ip),
                port: 6379,
                host_node: None,
                terminating: false,
            },
            view: if node.up {
                View::Node(Box::new(self.view(node)))
            } else {
                View::Unreachable { reason: "connection refused".to_owned() }
            },
        };
        Topology { nodes: wanted.pods().zip(&self.nodes).map(observe).collect() }
    }

    fn view(&self, node: &Node) -> NodeView {
        let mut entries =
            vec![entry(&node.id, Some(node.host), node.primary.as_ref(), node.epoch, &node.slots)];
        entries[0].flags.myself = true;
        for (id, peer) in &node.peers {
            let mut known = entry(id, peer.host, peer.primary.as_ref(), peer.epoch, &peer.slots);
            known.flags.failed = peer.failed;
            entries.push(known);
        }
        for host in &node.greetings {
            let id = NodeId::parse(&format!("{:040x}", 0xffff_0000_u32 + u32::from(*host))).unwrap();
            let mut greeting = entry(&id, Some(*host), None, 0, &SlotSet::new());
            greeting.flags = EntryFlags { handshake: true, ..EntryFlags::default() };
            entries.push(greeting);
        }
        let assigned = node.known_slots().count();
        let in_step = node.primary.as_ref().is_some_and(|id| {
            let primary = self.nodes.iter().find(|other| other.id == *id && other.up);
            let reaches = node.peers.get(id).and_then(|peer| peer.host);
            primary.is_some_and(|primary| reaches == Some(primary.host) && primary.keys == node.keys)
        });
        let link = if in_step { LinkStatus::Up } else { LinkStatus::Down { dialing: None } };
        NodeView {
            id: node.id.clone(),
            cluster: ClusterInfo {
                state_ok: assigned == SlotSet::full().count(),
                slots_assigned: assigned,
                current_epoch: node.current_epoch,
            },
            replication: if node.primary.is_some() {
                Replication::Replica { link }
            } else {
                Replication::Primary
            },
            keys: node.keys.len() as u64,
            version: Some("7.0.15".to_owned()),
            entries,
        }
    }
}

fn entry(id: &NodeId, at: Option<Host>, primary: Option<&NodeId>, epoch: u64, slots: &SlotSet) -> NodeEntry {
    NodeEntry {
        id: id.clone(),
        address: at.map(address),
        hostname: None,
        flags: EntryFlags {
            primary: primary.is_none(),
            replica: primary.is_some(),
            no_address: at.is_none(),
            ..EntryFlags::default()
        },
        primary_id: primary.cloned(),
        ping_sent: 0,
        pong_received: 0,
        config_epoch: epoch,
        link_connected: at.is_some(),
        slots: slots.clone(),
        open_slots: Vec::new(),
    }
}
