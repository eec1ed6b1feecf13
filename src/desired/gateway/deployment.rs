//! The Deployment of the Nginx pods. Pure.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Container, ExecAction, Lifecycle, LifecycleHandler, PodSpec, PodTemplateSpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::configuration::{FILE, FOLDER, HEALTH_PATH, RESOLVER_FILE, SCRATCH};
use crate::desired::{meta, pod};
use crate::names::{ANNOTATION_CONFIGURATION, GATEWAY_PORT, GATEWAY_STATUS_PORT, Tier};
use crate::plan::Plan;

/// User of the unprivileged image.
const USER: i64 = 101;
/// Endpoints of a terminating pod are withdrawn within this time.
const DRAIN_SECONDS: i64 = 5;
/// Drain, then the longest proxied request.
const GRACE_SECONDS: i64 = 75;

/// Writes nginx' `resolver` line from the pod's own /etc/resolv.conf; IPv6 addresses get brackets.
/// The text is constant: nothing of a spec enters a shell.
const WRITE_RESOLVER: &str = r#"servers=""
while read -r key value rest; do
  [ "$key" = nameserver ] || continue
  case "$value" in *:*) value="[$value]" ;; esac
  servers="$servers $value"
done < /etc/resolv.conf
[ -n "$servers" ] || { echo "no nameserver in /etc/resolv.conf" >&2; exit 1; }
echo "resolver$servers valid=2s;" > "$1"
"#;

/// Renders the Deployment; `digest` rolls it when the configuration changes.
pub fn build(plan: &Plan, replicas: i64, digest: String) -> Deployment {
    let identity = &plan.identity;
    let selector = meta::selector(identity, Tier::Gateway);
    Deployment {
        metadata: meta::object(identity, Tier::Gateway, identity.tier(Tier::Gateway)),
        spec: Some(DeploymentSpec {
            replicas: i32::try_from(replicas).ok(),
            selector: selector.clone(),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::Int(1)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(meta::template(
                    identity.labels(Tier::Gateway),
                    [(ANNOTATION_CONFIGURATION.to_owned(), digest)].into(),
                )),
                spec: Some(PodSpec {
                    affinity: Some(pod::anti_affinity(vec![pod::apart(selector, 100)])),
                    automount_service_account_token: Some(false),
                    containers: vec![nginx(plan)],
                    enable_service_links: Some(false),
                    init_containers: Some(vec![resolver(plan)]),
                    security_context: Some(pod::security(USER)),
                    termination_grace_period_seconds: Some(GRACE_SECONDS),
                    volumes: Some(vec![
                        pod::config_map_volume("configuration", identity.gateway_configuration()),
                        pod::scratch("scratch"),
                    ]),
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn resolver(plan: &Plan) -> Container {
    Container {
        name: "resolver".to_owned(),
        image: Some(plan.gateway.image.clone()),
        command: Some(["sh", "-ec", WRITE_RESOLVER, "resolver", RESOLVER_FILE].map(str::to_owned).into()),
        resources: Some(pod::resources(&plan.gateway.resources)),
        security_context: Some(pod::container_security()),
        termination_message_policy: pod::last_words(),
        volume_mounts: Some(vec![pod::mount("scratch", SCRATCH)]),
        ..Container::default()
    }
}

/// TERM would drop requests in flight, QUIT finishes them; so the hook waits until the pod has left
/// every list of endpoints, asks nginx to quit and stays until the container ends with it.
fn drain() -> ExecAction {
    let script = format!(
        "sleep {DRAIN_SECONDS}; nginx -e /dev/stderr -c {FOLDER}/{FILE} -s quit; sleep {GRACE_SECONDS}"
    );
    ExecAction { command: Some(vec!["sh".to_owned(), "-c".to_owned(), script]) }
}

fn nginx(plan: &Plan) -> Container {
    Container {
        name: Tier::Gateway.as_str().to_owned(),
        image: Some(plan.gateway.image.clone()),
        // -e: the compiled-in error log would be opened on the read-only root before the file is read.
        command: Some(
            ["nginx", "-e", "/dev/stderr", "-g", "daemon off;", "-c", &format!("{FOLDER}/{FILE}")]
                .map(str::to_owned)
                .into(),
        ),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler { exec: Some(drain()), ..LifecycleHandler::default() }),
            ..Lifecycle::default()
        }),
        ports: Some(vec![pod::port("http", GATEWAY_PORT), pod::port("status", GATEWAY_STATUS_PORT)]),
        resources: Some(pod::resources(&plan.gateway.resources)),
        security_context: Some(pod::container_security()),
        termination_message_policy: pod::last_words(),
        readiness_probe: Some(pod::timed(pod::http_probe(HEALTH_PATH, "status"), 2, 2, 2)),
        liveness_probe: Some(pod::timed(pod::http_probe(HEALTH_PATH, "status"), 10, 5, 3)),
        volume_mounts: Some(vec![
            pod::mount_read_only("configuration", FOLDER),
            pod::mount("scratch", SCRATCH),
        ]),
        ..Container::default()
    }
}
