//! Objects of the Nginx tier. Pure.

pub mod configuration;
mod deployment;
pub mod nginx;

use k8s_openapi::api::core::v1::{ConfigMap, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::stage::Stage;
use super::{Desired, meta};
use crate::names::Tier;
use crate::plan::Plan;

/// Port of the gateway's Service.
pub const SERVICE_PORT: i32 = 80;

/// Adds the gateway's objects.
pub fn build(plan: &Plan, stage: Stage, desired: &mut Desired) {
    let identity = &plan.identity;
    let configuration = configuration::render(plan);
    let digest = meta::digest([configuration.as_str()]);
    desired.config_maps.push(ConfigMap {
        metadata: meta::object(identity, Tier::Gateway, identity.gateway_configuration()),
        data: Some([(configuration::FILE.to_owned(), configuration)].into()),
        ..ConfigMap::default()
    });
    desired.services.push(service(plan));
    desired.disruption_budgets.push(super::mongodb::disruption_budget(identity, Tier::Gateway));
    let replicas = if stage.gateway { plan.gateway.replicas } else { 0 };
    desired.deployments.push(deployment::build(plan, replicas, digest));
}

fn service(plan: &Plan) -> Service {
    let identity = &plan.identity;
    let mut metadata = meta::object(identity, Tier::Gateway, identity.tier(Tier::Gateway));
    if !plan.gateway.service_annotations.is_empty() {
        metadata.annotations = Some(plan.gateway.service_annotations.clone());
    }
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(plan.gateway.service_type.as_str().to_owned()),
            selector: Some(identity.selector(Tier::Gateway)),
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                port: SERVICE_PORT,
                target_port: Some(IntOrString::String("http".to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
