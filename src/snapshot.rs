//! Step 1 of a pass: what it knows of the world, as plain data. [`mod@take`] is the only reader.

pub mod certificates;
pub mod children;
pub mod complaints;
pub mod credentials;
pub mod pods;
pub mod prometheuses;
pub mod references;
pub mod served;
pub mod take;

pub use certificates::Certificates;
pub use children::Children;
pub use complaints::Complaint;
pub use credentials::Credentials;
pub use pods::{PodRevision, StatefulPods};
pub use prometheuses::{Prometheuses, Sight};
pub use references::{Reference, References};
pub use served::ServedKinds;

use std::collections::BTreeMap;

use crate::mongo;
use crate::password::Password;
use crate::redis_cluster;

/// The world as one pass sees it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Optional kinds the API server serves.
    pub served: ServedKinds,
    /// Live objects that belong to the cluster.
    pub children: Children,
    /// Who may take up the cluster's rules and monitors.
    pub prometheuses: Prometheuses,
    /// Passwords and keyfile: read from live Secrets, or freshly drawn where there is none yet.
    pub credentials: Credentials,
    /// What members encrypt with.
    pub certificates: Certificates,
    /// What annotations of the cluster ask for, by name.
    pub requests: BTreeMap<String, String>,
    /// The replica set, as each member sees it.
    pub mongodb: mongo::Topology,
    /// The key of the keyfile that each member accepted, by host.
    pub mongodb_logins: BTreeMap<String, Password>,
    /// Versions and indexes of the replica set.
    pub mongodb_facts: mongo::Facts,
    /// The Redis Cluster, as each node sees it.
    pub redis: redis_cluster::Topology,
}

impl Snapshot {
    /// An empty world, for planning offline; secrets read `<generated>`.
    pub fn offline(served: ServedKinds) -> Self {
        Self {
            served,
            children: Children::default(),
            prometheuses: Prometheuses::default(),
            credentials: Credentials::placeholder(),
            mongodb: mongo::Topology {
                members: Vec::new(),
                application_user: mongo::UserState::Unknown,
                users: None,
            },
            certificates: Certificates::default(),
            requests: BTreeMap::new(),
            mongodb_logins: BTreeMap::new(),
            mongodb_facts: mongo::Facts::default(),
            redis: redis_cluster::Topology::default(),
        }
    }
}
