//! The Deployment of the API pods. Pure.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    ConfigMapEnvSource, ConfigMapKeySelector, Container, EnvFromSource, EnvVar, EnvVarSource, Lifecycle,
    LifecycleHandler, PodSpec, PodTemplateSpec, SecretEnvSource, SecretKeySelector, SleepAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::PORT;
use crate::crd::{EnvironmentSource, EnvironmentVariable};
use crate::desired::mongodb::tls;
use crate::desired::stage::Stage;
use crate::desired::{meta, mongodb, pod, redis};
use crate::names::{ANNOTATION_CONFIGURATION, APPLICATION_DATABASE, Tier};
use crate::plan::{ApiPlan, Plan, Replicas};
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;

/// An unprivileged user without a name in the image.
const USER: i64 = 65_532;
/// Longer than the gateway takes to forget a pod: it resolves names every 2 s.
const DRAIN_SECONDS: i64 = 6;
/// Until a ready pod counts as available: the gateway has found it by then, and answers 502 before
/// when it knows no other. It resolves names every 2 s.
const TAKEN_UP_SECONDS: i32 = 5;
/// Drain, then the longest request.
const GRACE_SECONDS: i64 = 45;

/// Renders the Deployment. With autoscaling on it has no `replicas`: that field is the autoscaler's.
pub fn build(plan: &Plan, snapshot: &Snapshot, stage: Stage) -> Deployment {
    let identity = &plan.identity;
    let replicas = replicas(plan, snapshot, stage).and_then(|count| i32::try_from(count).ok());
    Deployment {
        metadata: meta::object(identity, Tier::Api, identity.tier(Tier::Api)),
        spec: Some(DeploymentSpec {
            min_ready_seconds: Some(TAKEN_UP_SECONDS),
            replicas,
            selector: meta::selector(identity, Tier::Api),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::String("25%".to_owned())),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(meta::template(
                    identity.labels(Tier::Api),
                    [(ANNOTATION_CONFIGURATION.to_owned(), configuration_digest(plan, snapshot))].into(),
                )),
                spec: Some(pod_spec(plan, snapshot)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// The backend reads its connection Secrets once, at start. What is meant is what the live Secret
/// holds: a pod must not start for a new login before it can read it.
pub fn configuration_digest(plan: &Plan, snapshot: &Snapshot) -> String {
    let credentials = &snapshot.credentials;
    let user = mongodb::rotation::name(credentials.mongodb_application.user);
    let uri = mongodb::uri(plan, snapshot, &user, &credentials.mongodb_password);
    let authorities = tls::api_authorities(plan, snapshot);
    let texts = [uri.as_str(), credentials.redis_password.expose()];
    meta::digest(texts.into_iter().chain(authorities.as_deref()))
}

/// The exact count, where it is ours to say. An autoscaler does nothing about a Deployment at zero,
/// so the floor brings it back; from there on the count is the autoscaler's again.
fn replicas(plan: &Plan, snapshot: &Snapshot, stage: Stage) -> Option<i64> {
    let live = find(&snapshot.children.deployments, &plan.identity.tier(Tier::Api));
    let at_zero = live.and_then(|live| live.spec.as_ref()?.replicas) == Some(0);
    match plan.api.replicas {
        _ if !stage.api => Some(0),
        Replicas::Fixed(count) => Some(count),
        Replicas::Autoscaled { min, .. } => at_zero.then_some(min),
    }
}

fn pod_spec(plan: &Plan, snapshot: &Snapshot) -> PodSpec {
    let identity = &plan.identity;
    let selector = meta::selector(identity, Tier::Api);
    let mut spread = vec![pod::spread(selector.clone(), pod::HOST)];
    if plan.api.zones > 1 {
        spread.push(pod::spread(selector, pod::ZONE));
    }
    let mut spec = PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(plan)],
        enable_service_links: Some(false),
        security_context: Some(pod::security(USER)),
        service_account_name: Some(identity.tier(Tier::Api)),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        topology_spread_constraints: Some(spread),
        volumes: Some(vec![pod::scratch("tmp")]),
        ..PodSpec::default()
    };
    tls::mount_authorities(plan, tls::now(plan, snapshot), &mut spec);
    spec
}

fn container(plan: &Plan) -> Container {
    let api = &plan.api;
    Container {
        name: Tier::Api.as_str().to_owned(),
        image: Some(api.image.clone()),
        env: Some(variables(plan)),
        env_from: (!api.env_from.is_empty()).then(|| api.env_from.iter().map(environment_source).collect()),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: DRAIN_SECONDS }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        ports: Some(vec![pod::port(PORT, api.port)]),
        resources: Some(pod::resources(&api.resources)),
        security_context: Some(pod::container_security()),
        termination_message_policy: pod::last_words(),
        readiness_probe: Some(pod::timed(pod::http_probe(&api.probes.readiness, PORT), 2, 2, 2)),
        liveness_probe: Some(pod::timed(pod::http_probe(&api.probes.liveness, PORT), 10, 5, 6)),
        startup_probe: Some(pod::timed(pod::http_probe(&api.probes.liveness, PORT), 1, 5, 300)),
        volume_mounts: Some(vec![pod::mount("tmp", "/tmp")]),
        ..Container::default()
    }
}

/// The documented variables, then the user's; a user's variable cannot bear one of our names.
fn variables(plan: &Plan) -> Vec<EnvVar> {
    let ApiPlan { workers, max_in_flight, mongodb_pool, redis_pool, .. } = plan.api;
    let identity = &plan.identity;
    let mut variables = vec![
        pod::secret_variable("MONGODB_URI", identity.mongodb_connection(), mongodb::KEY_URI),
        pod::variable("MONGODB_DATABASE", APPLICATION_DATABASE),
        pod::variable("MONGODB_MAX_POOL_SIZE", mongodb_pool.to_string()),
        pod::secret_variable("REDIS_URL", identity.redis_connection(), redis::KEY_URL),
        pod::secret_variable("REDIS_NODES", identity.redis_connection(), redis::KEY_NODES),
        pod::variable("REDIS_MAX_CONNECTIONS", redis_pool.to_string()),
        pod::variable("MAX_IN_FLIGHT", max_in_flight.to_string()),
        pod::variable("WEB_CONCURRENCY", workers.to_string()),
    ];
    variables.extend(plan.api.env.iter().map(user_variable));
    variables
}

fn user_variable(given: &EnvironmentVariable) -> EnvVar {
    let source = given.value_from.as_ref().map(|source| EnvVarSource {
        secret_key_ref: source.secret_key_ref.as_ref().map(|reference| SecretKeySelector {
            name: reference.name.clone(),
            key: reference.key.clone(),
            optional: None,
        }),
        config_map_key_ref: source.config_map_key_ref.as_ref().map(|reference| ConfigMapKeySelector {
            name: reference.name.clone(),
            key: reference.key.clone(),
            optional: None,
        }),
        ..EnvVarSource::default()
    });
    // `$(NAME)` in a literal would be expanded by the kubelet; `$$` keeps it as written.
    let value = given.value.as_ref().map(|value| value.replace('$', "$$"));
    EnvVar { name: given.name.clone(), value, value_from: source }
}

fn environment_source(given: &EnvironmentSource) -> EnvFromSource {
    EnvFromSource {
        secret_ref: given
            .secret_ref
            .as_ref()
            .map(|reference| SecretEnvSource { name: reference.name.clone(), optional: None }),
        config_map_ref: given
            .config_map_ref
            .as_ref()
            .map(|reference| ConfigMapEnvSource { name: reference.name.clone(), optional: None }),
        prefix: None,
    }
}
