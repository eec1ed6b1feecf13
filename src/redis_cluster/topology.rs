//! What was asked for and what every node says: plain data, no client. Pure.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::slots::SlotSet;

mod summary;

pub use summary::{ShardSummary, Summary};

/// The cluster the spec asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// In spec order: shard `i` of `n` gets the `i`-th of `n` even shares of the slots at creation.
    pub shards: Vec<WantedShard>,
}

/// One shard: a primary and its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedShard {
    /// The name messages use, such as the StatefulSet's.
    pub name: String,
    /// Pod names. The first becomes primary at creation; afterwards roles are live and any may be.
    pub pods: Vec<String>,
}

/// One pod to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Pod name.
    pub pod: String,
    /// Index into [`Wanted::shards`].
    pub shard: usize,
    /// The pod's address now; none while it has not been given one.
    pub address: Option<IpAddr>,
    /// The client port.
    pub port: u16,
    /// The Kubernetes node the pod runs on.
    pub host_node: Option<String>,
    /// Whether the pod is being deleted.
    pub terminating: bool,
}

/// One answer, or the reason for none, per pod asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// In the order of the targets.
    pub nodes: Vec<Observed>,
}

/// What one pod said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Who was asked, and where.
    pub target: Target,
    /// What came back.
    pub view: View,
}

/// A pod's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// No answer in time, or no address yet.
    Unreachable {
        /// In words, without credentials.
        reason: String,
    },
    /// The server answered but would not say: wrong password, cluster mode off, unreadable text.
    Refused {
        /// In words, without credentials.
        reason: String,
    },
    /// Reading its data set from disk; it answers nothing else until done.
    Loading,
    /// The node's whole view.
    Node(Box<NodeView>),
}

/// One node's view of itself and of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its own id, which survives restarts as long as its volume does.
    pub id: NodeId,
    /// `CLUSTER NODES`, its own entry included.
    pub entries: Vec<NodeEntry>,
    /// `CLUSTER INFO`.
    pub cluster: ClusterInfo,
    /// `INFO replication`.
    pub replication: Replication,
    /// `DBSIZE`.
    pub keys: u64,
    /// The server's version, such as `7.0.15`.
    pub version: Option<String>,
}

/// A node's identity: 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

/// One line of `CLUSTER NODES`: what the asked node believes about another, or about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEntry {
    /// Random and temporary while the entry is a handshake.
    pub id: NodeId,
    /// Where the asked node would connect; none when it does not know.
    pub address: Option<NodeAddress>,
    /// `cluster-announce-hostname`, once gossip has brought it.
    pub hostname: Option<String>,
    /// Role and health.
    pub flags: EntryFlags,
    /// The primary a replica follows.
    pub primary_id: Option<NodeId>,
    /// Unix milliseconds of the ping not yet answered, 0 when none is.
    pub ping_sent: u64,
    /// Unix milliseconds of the last pong.
    pub pong_received: u64,
    /// Which claim to a slot wins: the higher.
    pub config_epoch: u64,
    /// Whether the link to that node stands.
    pub link_connected: bool,
    /// Slots it owns, all closed and open-migrating ones.
    pub slots: SlotSet,
    /// Slots being moved; Redis tells them in a node's own entry only.
    pub open_slots: Vec<OpenSlot>,
}

/// Client address and bus port as gossip carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    /// IPv4 or IPv6.
    pub ip: IpAddr,
    /// Client port.
    pub port: u16,
    /// Port of the cluster bus.
    pub bus_port: u16,
}

/// The flags of an entry that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags Redis prints, in any combination")]
pub struct EntryFlags {
    /// The entry is about the asked node.
    pub myself: bool,
    /// `master`.
    pub primary: bool,
    /// `slave`.
    pub replica: bool,
    /// `fail?`: this node gets no answer from it.
    pub suspected: bool,
    /// `fail`: the majority gets no answer from it.
    pub failed: bool,
    /// Not yet known by its real id.
    pub handshake: bool,
    /// `noaddr`: another node answered at its address. Redis neither contacts nor fails it then.
    pub no_address: bool,
}

/// A slot on the move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSlot {
    /// Which end this node is.
    pub kind: OpenSlotKind,
    /// The slot.
    pub slot: u16,
    /// The other end.
    pub peer: NodeId,
}

/// Which end of a slot move a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenSlotKind {
    /// It gives the slot to the peer.
    Migrating,
    /// It takes the slot from the peer.
    Importing,
}

/// `CLUSTER INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterInfo {
    /// `cluster_state:ok`: this node serves clients.
    pub state_ok: bool,
    /// Slots it knows an owner of.
    pub slots_assigned: u16,
    /// The highest epoch it has seen.
    pub current_epoch: u64,
}

/// `INFO replication`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// Takes writes.
    Primary,
    /// Copies a primary.
    Replica {
        /// `master_link_status`.
        link: LinkStatus,
    },
}

/// A replica's link to its primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// In step.
    Up,
    /// Receiving the first full copy.
    Syncing,
    /// No link.
    Down {
        /// `master_host`: where it tries to reach its primary, when that is an address.
        dialing: Option<IpAddr>,
    },
}

impl Wanted {
    /// Every pod with its shard's index, in spec order.
    pub fn pods(&self) -> impl Iterator<Item = (usize, &str)> {
        let shards = self.shards.iter().enumerate();
        shards.flat_map(|(index, shard)| shard.pods.iter().map(move |pod| (index, pod.as_str())))
    }

    /// The slots shard `index` gets at creation.
    pub fn share(&self, index: usize) -> SlotSet {
        SlotSet::even_share(index, self.shards.len())
    }
}

impl Target {
    /// Where the server listens for clients, once the pod has an address.
    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.address.map(|ip| SocketAddr::new(ip, self.port))
    }
}

impl Topology {
    /// What the pod said; none when it was not asked.
    pub fn pod(&self, pod: &str) -> Option<&Observed> {
        self.nodes.iter().find(|node| node.target.pod == pod)
    }

    /// Whether every slot has a live owner, and every owner serves. Replicas may be away.
    pub fn serves(&self) -> bool {
        let views = self.nodes.iter().filter_map(|node| node.view.node());
        let owners: Vec<_> = views.filter(|view| !view.own_slots().is_empty()).collect();
        let owned = owners.iter().fold(SlotSet::new(), |sum, view| sum.union(&view.own_slots()));
        owned == SlotSet::full() && owners.iter().all(|view| view.cluster.state_ok)
    }
}

impl View {
    /// The node's view when it gave one.
    pub fn node(&self) -> Option<&NodeView> {
        match self {
            Self::Node(view) => Some(view),
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Loading => None,
        }
    }
}

impl NodeView {
    /// The node's entry about itself.
    pub fn myself(&self) -> Option<&NodeEntry> {
        self.entries.iter().find(|entry| entry.flags.myself)
    }

    /// What this node believes about `id`, handshakes left out.
    pub fn entry(&self, id: &NodeId) -> Option<&NodeEntry> {
        self.known().find(|entry| entry.id == *id)
    }

    /// Every entry under its real id, the node's own included.
    pub fn known(&self) -> impl Iterator<Item = &NodeEntry> {
        self.entries.iter().filter(|entry| !entry.flags.handshake)
    }

    /// Whether the node claims to be a primary.
    pub fn is_primary(&self) -> bool {
        self.myself().is_some_and(|entry| entry.flags.primary)
    }

    /// The primary it claims to follow.
    pub fn primary_id(&self) -> Option<&NodeId> {
        self.myself()?.primary_id.as_ref()
    }

    /// The slots it claims for itself.
    pub fn own_slots(&self) -> SlotSet {
        self.myself().map(|entry| entry.slots.clone()).unwrap_or_default()
    }
}

impl NodeEntry {
    /// Whether the viewing node holds it for alive and well.
    pub fn is_healthy(&self) -> bool {
        !(self.flags.suspected || self.flags.failed || self.flags.no_address || self.flags.handshake)
    }
}

impl NodeId {
    /// Takes 40 hexadecimal digits, nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        well_formed.then(|| Self(text.to_owned()))
    }

    /// All 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first eight digits: enough to find it in a log, short enough for a message.
impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0[..8])
    }
}
