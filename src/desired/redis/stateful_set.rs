//! The StatefulSet of one shard. Pure.
//!
//! One StatefulSet per shard, because only then can a rule keep a shard's pods on different hosts.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{Container, ExecAction, PodSpec, PodTemplateSpec, Probe};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::configuration::{AUTHENTICATION_FOLDER, CONFIGURATION_FILE, CONFIGURATION_FOLDER};
use crate::desired::{meta, pod};
use crate::names::{ANNOTATION_CONFIGURATION, Identity, LABEL_SHARD, REDIS_BUS_PORT, REDIS_PORT, Tier};
use crate::plan::Plan;
use crate::snapshot::credentials::KEY_PASSWORD;

/// User of the official image.
const USER: i64 = 999;
/// Time a node gets to write its append-only file.
const GRACE_SECONDS: i64 = 30;

/// Renders the StatefulSet of `shard` with `replicas` pods; `digest` changes when they must restart.
pub fn build(plan: &Plan, shard: i32, replicas: i32, digest: &str) -> StatefulSet {
    let identity = &plan.identity;
    let name = identity.redis_shard(shard);
    let mut labels = identity.labels(Tier::Redis);
    labels.insert(LABEL_SHARD.to_owned(), name.clone());
    StatefulSet {
        metadata: meta::object(identity, Tier::Redis, name.clone()),
        spec: Some(StatefulSetSpec {
            replicas: Some(replicas),
            service_name: Some(identity.redis_nodes()),
            selector: shard_selector(identity, &name),
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            template: PodTemplateSpec {
                metadata: Some(meta::template(
                    labels,
                    [(ANNOTATION_CONFIGURATION.to_owned(), digest.to_owned())].into(),
                )),
                spec: Some(pod_spec(plan, shard_selector(identity, &name))),
            },
            volume_claim_templates: Some(vec![super::claim(identity, Tier::Redis, &plan.redis.storage)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn shard_selector(identity: &Identity, shard: &str) -> LabelSelector {
    let mut labels = identity.selector(Tier::Redis);
    labels.insert(LABEL_SHARD.to_owned(), shard.to_owned());
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

fn pod_spec(plan: &Plan, shard: LabelSelector) -> PodSpec {
    let identity = &plan.identity;
    PodSpec {
        // A primary and its replica on one host die together; two shards on one host do not matter.
        affinity: Some(pod::anti_affinity(vec![
            pod::apart(shard, 100),
            pod::apart(meta::selector(identity, Tier::Redis), 10),
        ])),
        automount_service_account_token: Some(false),
        containers: vec![node(plan)],
        enable_service_links: Some(false),
        security_context: Some(pod::security(USER)),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        volumes: Some(vec![
            pod::config_map_volume("configuration", identity.redis_configuration()),
            pod::secret_volume("authentication", identity.redis_credentials()),
        ]),
        ..PodSpec::default()
    }
}

fn node(plan: &Plan) -> Container {
    let identity = &plan.identity;
    let host =
        format!("$(POD_NAME).{}.{}.svc.{}", identity.redis_nodes(), identity.namespace, plan.cluster_domain);
    Container {
        name: "redis".to_owned(),
        image: Some(plan.redis.image.clone()),
        command: Some(vec!["redis-server".to_owned()]),
        args: Some(
            [
                &format!("{CONFIGURATION_FOLDER}/{CONFIGURATION_FILE}"),
                "--cluster-announce-ip",
                "$(POD_IP)",
                "--cluster-announce-hostname",
                &host,
            ]
            .map(str::to_owned)
            .into(),
        ),
        env: Some(vec![
            pod::field_variable("POD_IP", "status.podIP"),
            pod::field_variable("POD_NAME", "metadata.name"),
            // Read by redis-cli in the probes, so that no password appears among the arguments.
            pod::secret_variable("REDISCLI_AUTH", identity.redis_credentials(), KEY_PASSWORD),
        ]),
        ports: Some(vec![pod::port("redis", REDIS_PORT), pod::port("bus", REDIS_BUS_PORT)]),
        resources: Some(pod::resources(&plan.redis.resources)),
        security_context: Some(pod::container_security()),
        termination_message_policy: pod::last_words(),
        readiness_probe: Some(pod::timed(ping(), 5, 3, 3)),
        liveness_probe: Some(pod::timed(pod::tcp_probe("redis"), 10, 5, 6)),
        // A long append-only file may take minutes to load; the port is open meanwhile.
        startup_probe: Some(pod::timed(ping(), 1, 3, 1800)),
        volume_mounts: Some(vec![
            pod::mount("data", "/data"),
            pod::mount_read_only("configuration", CONFIGURATION_FOLDER),
            pod::mount_read_only("authentication", AUTHENTICATION_FOLDER),
        ]),
        ..Container::default()
    }
}

/// `-e` makes redis-cli exit with an error when the server answers with one, such as LOADING.
fn ping() -> Probe {
    let command = ["redis-cli", "-e", "-p", &REDIS_PORT.to_string(), "ping"].map(str::to_owned).into();
    Probe { exec: Some(ExecAction { command: Some(command) }), ..Probe::default() }
}
