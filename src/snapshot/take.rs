//! Reads the world: watch caches for Kubernetes, the wire for the databases. IO.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::Resource;

use super::{Children, Credentials, ServedKinds, Snapshot, certificates};
use crate::desired::mongodb::pods_to_keep;
use crate::desired::mongodb::tls::mode_of;
use crate::drive;
use crate::mongo;
use crate::names::MONGODB_PORT;
use crate::plan::Plan;
use crate::redis_cluster;

/// Open connections to one cluster's databases, kept from pass to pass.
#[derive(Default)]
pub struct Connections {
    /// To the members of the replica set.
    pub mongodb: mongo::Connections,
    /// To the nodes of the Redis Cluster; replaced when the password changes.
    pub redis: Option<redis_cluster::Connections>,
}

/// Takes the snapshot of a planned cluster. Never fails: what does not answer is recorded as such.
pub async fn take(
    plan: &Plan,
    children: Children,
    credentials: Credentials,
    served: ServedKinds,
    connections: &mut Connections,
) -> Snapshot {
    let offline = Snapshot::offline(served);
    let mut snapshot = Snapshot { children, credentials, ..offline };
    let mongodb_targets = mongodb_targets(plan, &snapshot);
    let redis_targets = redis_targets(plan, &snapshot.children);
    let redis_credentials =
        redis_cluster::Credentials { username: None, password: snapshot.credentials.redis_password.clone() };
    let redis = match connections.redis.take() {
        Some(open) if *open.credentials() == redis_credentials => open,
        _ => redis_cluster::Connections::new(redis_credentials),
    };
    let mongodb_credentials = mongo::Credentials {
        keyfile: snapshot.credentials.mongodb_keyfile.clone(),
        application_user: drive::application_user(&snapshot.credentials),
        users: drive::database_users(plan, &snapshot.credentials),
        asked_for: drive::users_asked_for(plan, &snapshot),
    };
    if let Err(error) = connections.mongodb.set_trust(mongodb_trust(plan, &snapshot, &mongodb_targets)) {
        tracing::warn!(%error, "connections to MongoDB stay as they are");
    }
    let (mongodb_topology, redis_topology) = tokio::join!(
        mongo::observe::topology(&mongodb_targets, &mongodb_credentials, &connections.mongodb),
        redis_cluster::observe::topology(&redis_targets, &redis),
    );
    connections.redis = Some(redis);
    snapshot.mongodb_logins = connections.mongodb.logins();
    let requests = &plan.mongodb.requests;
    snapshot.mongodb_facts = mongo::inspect::facts(requests, &mongodb_topology, &connections.mongodb).await;
    snapshot.mongodb = mongodb_topology;
    snapshot.redis = redis_topology;
    snapshot
}

/// Every pod that is or shall be a member; those to be removed are asked too.
fn mongodb_targets(plan: &Plan, snapshot: &Snapshot) -> Vec<mongo::Target> {
    let identity = &plan.identity;
    (0..pods_to_keep(plan, snapshot))
        .map(|ordinal| {
            let name = identity.mongodb_pod(ordinal);
            let pod = snapshot.children.pod(&name);
            mongo::Target {
                host: identity.mongodb_host(&name, &plan.cluster_domain),
                address: address(pod).map(|ip| SocketAddr::new(ip, port(MONGODB_PORT))),
                terminating: is_terminating(pod),
                pod: name,
            }
        })
        .collect()
}

/// Members that were made to take TLS, once there is an authority to judge them by.
fn mongodb_trust(plan: &Plan, snapshot: &Snapshot, targets: &[mongo::Target]) -> mongo::Trust {
    let Some(held) = certificates::held(&plan.identity, &snapshot.children) else {
        return mongo::Trust::default();
    };
    let takes_tls = |target: &&mongo::Target| {
        let spec = snapshot.children.pod(&target.pod).and_then(|pod| pod.spec.as_ref());
        spec.is_some_and(|spec| mode_of(spec).takes_tls())
    };
    let hosts = targets.iter().filter(takes_tls).map(|target| target.host.clone()).collect();
    mongo::Trust { authorities: held.authorities, hosts }
}

fn redis_targets(plan: &Plan, children: &Children) -> Vec<redis_cluster::Target> {
    let wanted = drive::redis_wanted(plan);
    wanted
        .pods()
        .map(|(shard, name)| {
            let pod = children.pod(name);
            redis_cluster::Target {
                pod: name.to_owned(),
                shard,
                address: address(pod),
                port: port(crate::names::REDIS_PORT),
                host_node: pod.and_then(|pod| pod.spec.as_ref()?.node_name.clone()),
                terminating: is_terminating(pod),
            }
        })
        .collect()
}

/// Ports are constants below 65536.
fn port(number: i32) -> u16 {
    u16::try_from(number).unwrap_or_default()
}

fn address(pod: Option<&Pod>) -> Option<IpAddr> {
    pod?.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

fn is_terminating(pod: Option<&Pod>) -> bool {
    pod.is_some_and(|pod| pod.meta().deletion_timestamp.is_some())
}
