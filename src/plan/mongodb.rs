//! Derived settings of the replica set.

mod tls;
mod users;

pub use tls::{CertificateSource, TlsPlan};
mod indexes;
mod versions;

use super::Problem;
use super::budget::StoreBudget;
use super::quantity::{Bytes, MEBIBYTE};
use super::resources::{self, ContainerResources};
use crate::crd::{MongoDbSpec, Storage};
use crate::mongo::upkeep::Requests;
use crate::settings::Settings;
pub use users::UserPlan;

/// Smallest WiredTiger cache mongod accepts.
const SMALLEST_CACHE: Bytes = Bytes(256 * MEBIBYTE);
/// Memory mongod keeps besides half of the rest for its cache (MongoDB manual, `cacheSizeGB`).
const OUTSIDE_CACHE: i64 = 1024 * MEBIBYTE;
/// Connections kept for members, the operator and humans.
const RESERVED_CONNECTIONS: i64 = 32;

/// The replica set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MongoDbPlan {
    /// Voting, data-bearing members.
    pub members: i32,
    /// Image.
    pub image: String,
    /// Volume of each member.
    pub storage: Storage,
    /// CPU and memory of each member.
    pub resources: ContainerResources,
    /// WiredTiger cache: half of what exceeds 1 GiB of memory, at least 256 MiB.
    pub cache: Bytes,
    /// `net.maxIncomingConnections`.
    pub max_incoming_connections: i64,
    /// Connections the API may hold on one member: a quarter of the memory at 1 MiB each.
    pub api_connections: i64,
    /// Users besides the API's own, by name.
    pub users: Vec<UserPlan>,
    /// Whether users that left the spec are dropped.
    pub prune_users: bool,
    /// Encryption.
    pub tls: TlsPlan,
    /// Versions and indexes.
    pub requests: Requests,
}

impl MongoDbPlan {
    /// Secrets of other people that the users' passwords and the members' certificate come from.
    pub fn referenced_secrets(&self) -> impl Iterator<Item = &str> {
        let passwords = self.users.iter().filter_map(|user| user.password.as_ref());
        let certificate = match &self.tls.source {
            Some(CertificateSource::Secret(name)) => Some(name.as_str()),
            Some(CertificateSource::SelfSigned) | None => None,
        };
        passwords.map(|reference| reference.name.as_str()).chain(certificate)
    }

    /// This store's side of the connection budget. Two monitoring connections per pool.
    pub fn budget(&self) -> StoreBudget {
        StoreBudget {
            store: "MongoDB",
            field: "spec.mongodb.resources.limits.memory",
            connections: self.api_connections,
            overhead: 2,
            largest_pool: 100,
            kibibytes_per_connection: 1024,
        }
    }
}

/// Plans the replica set.
pub fn plan(spec: &MongoDbSpec, settings: &Settings, problems: &mut Vec<Problem>) -> MongoDbPlan {
    if spec.members % 2 == 0 || !(1..=7).contains(&spec.members) {
        problems.push(Problem::new(
            "spec.mongodb.members",
            format!("{} members cannot vote without ties; use 1, 3, 5 or 7", spec.members),
        ));
    }
    let resources = resources::plan(&spec.resources, "2", "8Gi", "spec.mongodb.resources", problems);
    let memory = resources.memory;
    let cache = Bytes((memory.0 - OUTSIDE_CACHE) / 2).max(SMALLEST_CACHE);
    let api_connections = memory.share(1, 4).mebibytes();
    // The API's share is 80 % of what mongod accepts, so it can never lock the operator out.
    let max_incoming_connections = api_connections * 5 / 4 + RESERVED_CONNECTIONS;
    let image = spec.image.as_ref().unwrap_or(&settings.mongodb_image).clone();
    let requests = Requests {
        feature: versions::feature(spec, problems),
        indexes: indexes::plan(&spec.indexes, problems),
        version: versions::of_image(spec, &image, problems),
    };
    MongoDbPlan {
        members: spec.members,
        image,
        storage: spec.storage.clone(),
        resources,
        cache,
        max_incoming_connections,
        api_connections,
        users: users::plan(&spec.users, problems),
        prune_users: spec.prune_users,
        tls: tls::plan(&spec.tls, problems),
        requests,
    }
}
