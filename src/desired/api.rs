//! Objects of the FastAPI tier. Pure.

mod autoscaler;
mod deployment;

use k8s_openapi::api::core::v1::{Service, ServiceAccount, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::stage::Stage;
use super::{Desired, meta};
use crate::names::{LABEL_METRICS, Tier};
use crate::plan::{Plan, Replicas};
use crate::snapshot::Snapshot;

pub use deployment::configuration_digest;

/// Name of the HTTP port.
pub const PORT: &str = "http";

/// Adds the API's objects.
pub fn build(plan: &Plan, snapshot: &Snapshot, stage: Stage, desired: &mut Desired) {
    let identity = &plan.identity;
    desired.service_accounts.push(ServiceAccount {
        metadata: meta::object(identity, Tier::Api, identity.tier(Tier::Api)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    });
    desired.services.push(service(plan, identity.tier(Tier::Api), false));
    desired.services.push(service(plan, identity.api_pods(), true));
    desired.disruption_budgets.push(super::mongodb::disruption_budget(identity, Tier::Api));
    desired.deployments.push(deployment::build(plan, snapshot, stage));
    // It stays while the API is stopped: Kubernetes disables an autoscaler whose target asks for zero
    // pods, and one that is in the middle of scaling loses by resourceVersion.
    if let Replicas::Autoscaled { min, max } = plan.api.replicas {
        desired.autoscalers.push(autoscaler::build(plan, min, max));
    }
}

/// The headless one is what the gateway resolves: ready pods only.
fn service(plan: &Plan, name: String, headless: bool) -> Service {
    let identity = &plan.identity;
    let mut metadata = meta::object(identity, Tier::Api, name);
    if headless {
        let (key, value) = LABEL_METRICS;
        metadata.labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    }
    Service {
        metadata,
        spec: Some(ServiceSpec {
            cluster_ip: headless.then(|| "None".to_owned()),
            selector: Some(identity.selector(Tier::Api)),
            ports: Some(vec![ServicePort {
                name: Some(PORT.to_owned()),
                port: plan.api.port,
                target_port: Some(IntOrString::String(PORT.to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
