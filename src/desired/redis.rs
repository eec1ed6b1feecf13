//! Objects of the Redis Cluster. Pure.

mod configuration;
mod stateful_set;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, PersistentVolumeClaimSpec, Secret, Service, ServicePort, ServiceSpec,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::stage::Stage;
use super::{Desired, meta};
use crate::crd::Storage;
use crate::names::{DATA_VOLUME, Identity, REDIS_BUS_PORT, REDIS_PORT, Tier};
use crate::password::Password;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::credentials::KEY_PASSWORD;

pub use crate::snapshot::credentials::KEY_URL;
pub use configuration::{AUTHENTICATION_FILE, CONFIGURATION_FILE, authentication, configuration};

/// Key of the start nodes in the same Secret.
pub const KEY_NODES: &str = "nodes";

/// Adds the Redis Cluster's objects.
pub fn build(plan: &Plan, snapshot: &Snapshot, stage: Stage, desired: &mut Desired) {
    let identity = &plan.identity;
    let password = &snapshot.credentials.redis_password;
    let configuration = configuration(&plan.redis);
    let authentication = authentication(password);
    let digest = meta::digest([configuration.as_str(), authentication.as_str()]);
    desired.secrets.push(secret(
        identity,
        identity.redis_credentials(),
        [(KEY_PASSWORD, password.expose().to_owned()), (AUTHENTICATION_FILE, authentication)],
    ));
    desired.secrets.push(secret(
        identity,
        identity.redis_connection(),
        [(KEY_URL, url(plan, password)), (KEY_NODES, start_nodes(plan))],
    ));
    desired.config_maps.push(ConfigMap {
        metadata: meta::object(identity, Tier::Redis, identity.redis_configuration()),
        data: Some([(CONFIGURATION_FILE.to_owned(), configuration)].into()),
        ..ConfigMap::default()
    });
    desired.services.push(nodes_service(identity));
    desired.disruption_budgets.push(super::mongodb::disruption_budget(identity, Tier::Redis));
    let replicas = if stage.redis { plan.redis.pods_per_shard() } else { 0 };
    for shard in 0..plan.redis.shards {
        desired.stateful_sets.push(stateful_set::build(plan, shard, replicas, &digest));
    }
}

fn secret<const N: usize>(identity: &Identity, name: String, data: [(&str, String); N]) -> Secret {
    Secret {
        metadata: meta::object(identity, Tier::Redis, name),
        type_: Some("Opaque".to_owned()),
        data: Some(
            data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes()))).collect(),
        ),
        ..Secret::default()
    }
}

/// `redis://` URL of the headless Service. The generated password is letters and digits only.
fn url(plan: &Plan, password: &Password) -> String {
    let identity = &plan.identity;
    format!(
        "redis://:{}@{}.{}.svc.{}:{REDIS_PORT}",
        password.expose(),
        identity.redis_nodes(),
        identity.namespace,
        plan.cluster_domain
    )
}

/// Every pod as `host:port`, for clients that start from a list.
fn start_nodes(plan: &Plan) -> String {
    let identity = &plan.identity;
    let mut nodes = Vec::new();
    for shard in 0..plan.redis.shards {
        for ordinal in 0..plan.redis.pods_per_shard() {
            let pod = identity.redis_pod(shard, ordinal);
            let service = identity.redis_nodes();
            nodes.push(format!(
                "{pod}.{service}.{}.svc.{}:{REDIS_PORT}",
                identity.namespace, plan.cluster_domain
            ));
        }
    }
    nodes.join(",")
}

/// Headless: names every node of every shard, also before it is ready.
fn nodes_service(identity: &Identity) -> Service {
    let port = |name: &str, number: i32| ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: meta::object(identity, Tier::Redis, identity.redis_nodes()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(identity.selector(Tier::Redis)),
            ports: Some(vec![port("redis", REDIS_PORT), port("bus", REDIS_BUS_PORT)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Template of a database volume. Its labels carry no version: the template is immutable.
pub fn claim(identity: &Identity, tier: Tier, storage: &Storage) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(DATA_VOLUME.to_owned()),
            labels: Some(identity.labels(tier)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(storage.size.clone()))].into()),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}
