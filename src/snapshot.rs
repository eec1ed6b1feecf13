//! Step 1 of a pass: what it knows of the world, as plain data. [`mod@take`] is the only reader.

pub mod children;
pub mod complaints;
pub mod credentials;
pub mod pods;
pub mod prometheuses;
pub mod references;
pub mod requests;
pub mod served;
pub mod take;

pub use children::Children;
pub use complaints::Complaint;
pub use credentials::Credentials;
pub use pods::{PodRevision, StatefulPods};
pub use prometheuses::{Prometheuses, Sight};
pub use references::{Reference, References};
pub use requests::Requests;
pub use served::ServedKinds;

use crate::mongo;
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
    /// What annotations of the cluster ask for.
    pub requests: Requests,
    /// Passwords and keyfile: read from live Secrets, or freshly drawn where there is none yet.
    pub credentials: Credentials,
    /// The replica set, as each member sees it.
    pub mongodb: mongo::Topology,
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
            requests: Requests::default(),
            credentials: Credentials::placeholder(),
            mongodb: mongo::Topology {
                members: Vec::new(),
                application_user: mongo::UserState::Unknown,
                users: None,
            },
            redis: redis_cluster::Topology::default(),
        }
    }
}
