//! Who the rules mean. Pure.

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::desired::meta;
use crate::names::{LABEL_NAME, LABEL_NAMESPACE, OPERATOR, Tier};
use crate::plan::Plan;
use crate::settings::NetworkSettings;

/// Addresses that are nobody's outside: private networks (RFC 1918), carrier-grade NAT (RFC 6598, the
/// pods of some clouds), and link-local ones, where clouds answer with a node's credentials.
const INSIDE_V4: [&str; 5] =
    ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];
/// The same of IPv6: unique local (RFC 4193) and link-local.
const INSIDE_V6: [&str; 2] = ["fc00::/7", "fe80::/10"];

/// Pods of a tier of the same cluster.
pub fn tier(plan: &Plan, tier: Tier) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(meta::selector(&plan.identity, tier)),
        ..NetworkPolicyPeer::default()
    }
}

/// The operator: its pods in its own namespace, and whatever address blocks it runs at outside.
/// With neither known, pods labelled as the operator in any namespace.
pub fn operator(network: &NetworkSettings) -> Vec<NetworkPolicyPeer> {
    let blocks = &network.operator_address_blocks;
    let mut peers = Vec::new();
    if network.operator_namespace.is_some() || blocks.is_empty() {
        let labels = [(LABEL_NAME.to_owned(), OPERATOR.to_owned())].into();
        peers.push(NetworkPolicyPeer {
            namespace_selector: Some(namespace(network.operator_namespace.as_deref())),
            pod_selector: Some(LabelSelector { match_labels: Some(labels), match_expressions: None }),
            ip_block: None,
        });
    }
    peers.extend(blocks.iter().map(|address| block(&address.to_string(), &[])));
    peers
}

/// Prometheus' pods.
pub fn prometheus(network: &NetworkSettings) -> NetworkPolicyPeer {
    let labels = network.prometheus_pod_labels.as_map().clone();
    NetworkPolicyPeer {
        namespace_selector: Some(namespace(network.prometheus_namespace.as_deref())),
        pod_selector: Some(LabelSelector { match_labels: Some(labels), match_expressions: None }),
        ip_block: None,
    }
}

/// Every address but those of private networks.
pub fn outside() -> Vec<NetworkPolicyPeer> {
    vec![block("0.0.0.0/0", &INSIDE_V4), block("::/0", &INSIDE_V6)]
}

/// The namespace of that name, or all: an empty selector means everything.
fn namespace(name: Option<&str>) -> LabelSelector {
    let labels = name.map(|name| [(LABEL_NAMESPACE.to_owned(), name.to_owned())].into());
    LabelSelector { match_labels: labels, match_expressions: None }
}

fn block(cidr: &str, except: &[&str]) -> NetworkPolicyPeer {
    let except = (!except.is_empty()).then(|| except.iter().map(ToString::to_string).collect());
    NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.to_owned(), except }),
        ..NetworkPolicyPeer::default()
    }
}
