//! One NetworkPolicy per tier: nothing may come in or go out but what is listed here. Pure.
//!
//! Policies add up: what a cluster needs besides, such as a backend's own peers in a private network,
//! is a further policy that selects the same pods.

mod peers;

#[cfg(test)]
mod tests;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Desired, meta};
use crate::names::{GATEWAY_PORT, GATEWAY_STATUS_PORT, MONGODB_PORT, REDIS_BUS_PORT, REDIS_PORT, Tier};
use crate::plan::Plan;

/// Port of name servers.
const DNS_PORT: i32 = 53;

/// Adds the policies, unless they are somebody else's business.
pub fn build(plan: &Plan, desired: &mut Desired) {
    if plan.network.enabled {
        desired.network_policies.extend([mongodb(plan), redis(plan), api(plan), gateway(plan)]);
    }
}

fn mongodb(plan: &Plan) -> NetworkPolicy {
    let members = peers::tier(plan, Tier::MongoDb);
    let clients =
        [vec![peers::tier(plan, Tier::Api), members.clone()], peers::operator(&plan.network)].concat();
    let incoming = vec![from(clients, &[MONGODB_PORT])];
    // Members find each other by name.
    let outgoing = vec![to(vec![members], &[MONGODB_PORT]), names()];
    policy(plan, Tier::MongoDb, incoming, outgoing)
}

fn redis(plan: &Plan) -> NetworkPolicy {
    let nodes = peers::tier(plan, Tier::Redis);
    let clients = [vec![peers::tier(plan, Tier::Api)], peers::operator(&plan.network)].concat();
    let incoming =
        vec![from(clients, &[REDIS_PORT]), from(vec![nodes.clone()], &[REDIS_PORT, REDIS_BUS_PORT])];
    // Nodes know each other by address, so they need no name server.
    let outgoing = vec![to(vec![nodes], &[REDIS_PORT, REDIS_BUS_PORT])];
    policy(plan, Tier::Redis, incoming, outgoing)
}

fn api(plan: &Plan) -> NetworkPolicy {
    // The backend serves its metrics on the port of its answers.
    let clients = vec![peers::tier(plan, Tier::Gateway), peers::prometheus(&plan.network)];
    let incoming = vec![from(clients, &[plan.api.port])];
    let outgoing = vec![
        to(vec![peers::tier(plan, Tier::MongoDb)], &[MONGODB_PORT]),
        to(vec![peers::tier(plan, Tier::Redis)], &[REDIS_PORT]),
        names(),
        // Services a backend calls, such as a model behind an API; nothing of this network.
        to(peers::outside(), &[]),
    ];
    policy(plan, Tier::Api, incoming, outgoing)
}

fn gateway(plan: &Plan) -> NetworkPolicy {
    // Clients behind a load balancer or a node port arrive from addresses nobody can list.
    let anyone = NetworkPolicyIngressRule { from: None, ports: Some(vec![tcp(GATEWAY_PORT)]) };
    let observers = [peers::operator(&plan.network), vec![peers::prometheus(&plan.network)]].concat();
    let incoming = vec![anyone, from(observers, &[GATEWAY_STATUS_PORT])];
    // The API's addresses come from DNS, anew every two seconds.
    let outgoing = vec![to(vec![peers::tier(plan, Tier::Api)], &[plan.api.port]), names()];
    policy(plan, Tier::Gateway, incoming, outgoing)
}

fn policy(
    plan: &Plan,
    tier: Tier,
    incoming: Vec<NetworkPolicyIngressRule>,
    outgoing: Vec<NetworkPolicyEgressRule>,
) -> NetworkPolicy {
    let identity = &plan.identity;
    NetworkPolicy {
        metadata: meta::object(identity, tier, identity.tier(tier)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(meta::selector(identity, tier)),
            // Both named: a direction that is not is left open.
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(incoming),
            egress: Some(outgoing),
        }),
    }
}

fn from(peers: Vec<NetworkPolicyPeer>, ports: &[i32]) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from: Some(peers), ports: Some(ports.iter().copied().map(tcp).collect()) }
}

/// No ports means every port.
fn to(peers: Vec<NetworkPolicyPeer>, ports: &[i32]) -> NetworkPolicyEgressRule {
    let ports = (!ports.is_empty()).then(|| ports.iter().copied().map(tcp).collect());
    NetworkPolicyEgressRule { to: Some(peers), ports }
}

/// Name servers, wherever they are: as pods of kube-system, as a cache on the node (169.254.20.10) or
/// as a process of the host, which no selector means. A name server forwards what it is asked in any
/// case, so naming its address would close nothing.
fn names() -> NetworkPolicyEgressRule {
    let ports = vec![port("UDP", DNS_PORT), port("TCP", DNS_PORT)];
    NetworkPolicyEgressRule { to: None, ports: Some(ports) }
}

fn tcp(number: i32) -> NetworkPolicyPort {
    port("TCP", number)
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(number)),
        end_port: None,
    }
}
