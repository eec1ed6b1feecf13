//! `spec.gateway`: the Nginx pods in front of the API.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PodSettings, Resources, rules};

/// The Nginx tier.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Number of Nginx pods. Default: derived from the users, at least 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: Option<i32>,
    /// Nginx 1.27.3 or newer: older ones cannot follow pods by name. Default: the operator's
    /// `--gateway-image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::image()), length(min = 1, max = 512))]
    pub image: Option<String>,
    /// How the gateway is reached.
    #[serde(default)]
    pub service: GatewayServiceSpec,
    /// CPU and memory of each pod. Default: requests of 500m CPU and 256Mi.
    #[serde(default)]
    pub resources: Resources,
    /// Where the pods run and what they carry besides.
    #[serde(default)]
    pub pods: PodSettings,
}

/// The Service in front of the gateway pods.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayServiceSpec {
    /// Service type. Default: `ClusterIP`.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Annotations of the Service, for example those a cloud load balancer reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[schemars(extend("x-kubernetes-validations" = rules::annotations()))]
    pub annotations: BTreeMap<String, String>,
}

/// How a Service is exposed.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceType {
    /// Reachable inside the cluster.
    #[default]
    ClusterIP,
    /// Reachable on a port of every node.
    NodePort,
    /// Reachable through the provider's load balancer.
    LoadBalancer,
}

impl ServiceType {
    /// The value Kubernetes expects in `Service.spec.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}
