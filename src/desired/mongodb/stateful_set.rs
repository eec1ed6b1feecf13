//! The StatefulSet of the members. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, Volume};

use super::{keyfile, tls};
use crate::desired::redis::claim;
use crate::desired::{meta, pod};
use crate::mongo::tls::Mode;
use crate::names::{ANNOTATION_CERTIFICATE, ANNOTATION_KEYFILE, MONGODB_PORT, Tier};
use crate::plan::{MongoDbPlan, Plan};
use crate::snapshot::Snapshot;

/// User of the official image.
const USER: i64 = 999;
/// Where a member keeps its data.
const DATA: &str = "/data/db";
/// Time a primary gets to hand over and flush.
const GRACE_SECONDS: i64 = 60;

/// Renders the StatefulSet with `replicas` pods.
pub fn build(plan: &Plan, snapshot: &Snapshot, replicas: i32) -> StatefulSet {
    let identity = &plan.identity;
    let selector = meta::selector(identity, Tier::MongoDb);
    let mode = tls::now(plan, snapshot).members;
    StatefulSet {
        metadata: meta::object(identity, Tier::MongoDb, identity.tier(Tier::MongoDb)),
        spec: Some(StatefulSetSpec {
            replicas: Some(replicas),
            service_name: Some(identity.mongodb_members()),
            selector: selector.clone(),
            // Ordered start deadlocks after a full stop: the first member waits for a majority.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            template: PodTemplateSpec {
                metadata: Some(meta::template(identity.labels(Tier::MongoDb), annotations(plan, snapshot))),
                spec: Some(PodSpec {
                    affinity: Some(pod::anti_affinity(vec![pod::apart(selector, 100)])),
                    automount_service_account_token: Some(false),
                    containers: vec![member(plan, mode)],
                    enable_service_links: Some(false),
                    init_containers: Some(vec![keyfile_copy(&plan.mongodb)]),
                    security_context: Some(pod::security(USER)),
                    termination_grace_period_seconds: Some(GRACE_SECONDS),
                    volumes: Some(volumes(plan, mode)),
                    ..PodSpec::default()
                }),
            },
            volume_claim_templates: Some(vec![claim(identity, Tier::MongoDb, &plan.mongodb.storage)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn volumes(plan: &Plan, mode: Mode) -> Vec<Volume> {
    let mut volumes = vec![
        pod::secret_volume("keyfile-source", plan.identity.mongodb_keyfile()),
        pod::memory_scratch("keyfile"),
        pod::scratch("tmp"),
    ];
    volumes.extend(
        mode.takes_tls().then(|| pod::secret_volume("certificate", plan.identity.mongodb_certificate())),
    );
    volumes
}

/// Digests of what a member reads at start alone: a change restarts the members, one by one.
fn annotations(plan: &Plan, snapshot: &Snapshot) -> BTreeMap<String, String> {
    let digests = [
        (ANNOTATION_KEYFILE, keyfile::digest(plan, snapshot)),
        (ANNOTATION_CERTIFICATE, tls::digest(plan, snapshot)),
    ];
    digests.into_iter().filter_map(|(key, digest)| Some((key.to_owned(), digest?))).collect()
}

/// mongod refuses a keyfile that its group may read, which is how the kubelet mounts Secrets for a
/// non-root pod; so it is copied with the mode mongod asks for.
fn keyfile_copy(mongodb: &MongoDbPlan) -> Container {
    Container {
        name: "keyfile".to_owned(),
        image: Some(mongodb.image.clone()),
        command: Some(
            ["install", "-m", "0400", "/eaiser/keyfile-source/keyfile", "/eaiser/keyfile/keyfile"]
                .map(str::to_owned)
                .into(),
        ),
        resources: Some(pod::resources(&mongodb.resources)),
        security_context: Some(pod::container_security()),
        termination_message_policy: pod::last_words(),
        volume_mounts: Some(vec![
            pod::mount_read_only("keyfile-source", "/eaiser/keyfile-source"),
            pod::mount("keyfile", "/eaiser/keyfile"),
        ]),
        ..Container::default()
    }
}

fn member(plan: &Plan, mode: Mode) -> Container {
    let mongodb = &plan.mongodb;
    let mut mounts = vec![
        pod::mount("data", DATA),
        pod::mount_read_only("keyfile", "/eaiser/keyfile"),
        pod::mount("tmp", "/tmp"),
    ];
    mounts.extend(mode.takes_tls().then(|| pod::mount_read_only("certificate", tls::MEMBER_FOLDER)));
    Container {
        name: "mongodb".to_owned(),
        image: Some(mongodb.image.clone()),
        command: Some(vec!["mongod".to_owned()]),
        args: Some([arguments(plan), tls::arguments(mode)].concat()),
        ports: Some(vec![pod::port("mongodb", MONGODB_PORT)]),
        resources: Some(pod::resources(&mongodb.resources)),
        security_context: Some(pod::container_security()),
        termination_message_policy: pod::last_words(),
        readiness_probe: Some(pod::timed(pod::tcp_probe("mongodb"), 5, 2, 3)),
        liveness_probe: Some(pod::timed(pod::tcp_probe("mongodb"), 10, 5, 6)),
        startup_probe: Some(pod::timed(pod::tcp_probe("mongodb"), 1, 2, 600)),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// Flags rather than a file: every one is a word of its own, so nothing needs quoting.
fn arguments(plan: &Plan) -> Vec<String> {
    let mongodb = &plan.mongodb;
    [
        "--replSet",
        &plan.identity.name,
        "--bind_ip_all",
        "--port",
        &MONGODB_PORT.to_string(),
        "--dbpath",
        DATA,
        "--keyFile",
        "/eaiser/keyfile/keyfile",
        "--maxConns",
        &mongodb.max_incoming_connections.to_string(),
        "--wiredTigerCacheSizeGB",
        &gibibytes(mongodb.cache.mebibytes()),
        "--setParameter",
        // The operator's first login is the keyfile's own user, so nobody needs the exception.
        "enableLocalhostAuthBypass=false",
    ]
    .map(str::to_owned)
    .into()
}

/// GiB with two decimals, rounded down, exact in integers.
fn gibibytes(mebibytes: i64) -> String {
    let hundredths = mebibytes * 100 / 1024;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
