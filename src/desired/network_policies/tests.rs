//! What the policies let through, read as a firewall would.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::*;
use crate::names::{Identity, LABEL_COMPONENT};
use crate::settings::Settings;

fn policies(settings: &Settings) -> Vec<NetworkPolicy> {
    let identity =
        Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u-1".to_owned() };
    let spec = serde_saphyr::from_str("{capacity: {users: 10}, api: {image: a, port: 9000}}").unwrap();
    let plan = crate::plan::plan(identity, &spec, settings).unwrap();
    let mut desired = Desired::default();
    build(&plan, &mut desired);
    desired.network_policies
}

fn settings(change: impl FnOnce(&mut crate::settings::NetworkSettings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings.network);
    settings
}

fn labels(selector: Option<&LabelSelector>) -> String {
    let labels = selector.and_then(|selector| selector.match_labels.clone()).unwrap_or_default();
    labels.get(LABEL_COMPONENT).cloned().unwrap_or_else(|| crate::names::selector_text(&labels))
}

fn peer(peer: &NetworkPolicyPeer) -> String {
    match (&peer.ip_block, &peer.namespace_selector) {
        (Some(block), _) => block.cidr.clone(),
        (None, Some(namespace)) => {
            format!("{} in [{}]", labels(peer.pod_selector.as_ref()), labels(Some(namespace)))
        }
        (None, None) => labels(peer.pod_selector.as_ref()),
    }
}

fn openings(peers: Option<&Vec<NetworkPolicyPeer>>, ports: Option<&Vec<NetworkPolicyPort>>) -> Vec<String> {
    let peers = peers.map_or_else(|| vec!["anyone".to_owned()], |peers| peers.iter().map(peer).collect());
    let number = |port: &NetworkPolicyPort| match port.port {
        Some(IntOrString::Int(number)) => number.to_string(),
        ref other => panic!("{other:?}"),
    };
    let ports = ports.map_or_else(|| vec!["any".to_owned()], |ports| ports.iter().map(number).collect());
    peers.iter().flat_map(|peer| ports.iter().map(move |port| format!("{peer}:{port}"))).collect()
}

fn incoming(policies: &[NetworkPolicy], tier: Tier) -> BTreeSet<String> {
    let spec = spec(policies, tier);
    let rules = spec.ingress.iter().flatten();
    rules.flat_map(|rule| openings(rule.from.as_ref(), rule.ports.as_ref())).collect()
}

fn outgoing(policies: &[NetworkPolicy], tier: Tier) -> BTreeSet<String> {
    let spec = spec(policies, tier);
    let rules = spec.egress.iter().flatten();
    rules.flat_map(|rule| openings(rule.to.as_ref(), rule.ports.as_ref())).collect()
}

fn spec(policies: &[NetworkPolicy], tier: Tier) -> &NetworkPolicySpec {
    let name = format!("eaiser-{tier}");
    let policy = policies.iter().find(|policy| policy.metadata.name.as_deref() == Some(&name)).unwrap();
    policy.spec.as_ref().unwrap()
}

fn set<const N: usize>(openings: [&str; N]) -> BTreeSet<String> {
    openings.into_iter().map(str::to_owned).collect()
}

const OPERATOR_PODS: &str =
    "app.kubernetes.io/name=eaiser-operator in [kubernetes.io/metadata.name=eaiser-system]";

#[test]
fn every_tier_with_pods_is_isolated_both_ways() {
    let policies = policies(&Settings::default());
    for tier in [Tier::Api, Tier::Gateway, Tier::MongoDb, Tier::Redis] {
        let spec = spec(&policies, tier);
        assert_eq!(labels(spec.pod_selector.as_ref()), tier.as_str());
        assert_eq!(spec.policy_types, Some(vec!["Ingress".to_owned(), "Egress".to_owned()]), "{tier}");
    }
}

#[test]
fn only_the_api_the_members_and_the_operator_reach_mongodb() {
    let policies =
        policies(&settings(|network| network.operator_namespace = Some("eaiser-system".to_owned())));
    let operator = format!("{OPERATOR_PODS}:27017");
    assert_eq!(incoming(&policies, Tier::MongoDb), set(["api:27017", "mongodb:27017", &operator]));
    assert_eq!(outgoing(&policies, Tier::MongoDb), set(["mongodb:27017", "anyone:53"]));
}

#[test]
fn only_nodes_reach_the_redis_bus_and_a_node_asks_no_name_server() {
    let policies =
        policies(&settings(|network| network.operator_namespace = Some("eaiser-system".to_owned())));
    let operator = format!("{OPERATOR_PODS}:6379");
    assert_eq!(incoming(&policies, Tier::Redis), set(["api:6379", "redis:6379", "redis:16379", &operator]));
    assert_eq!(outgoing(&policies, Tier::Redis), set(["redis:6379", "redis:16379"]));
}

#[test]
fn anyone_reaches_the_gateways_front_but_not_its_status() {
    let policies = policies(&settings(|network| {
        network.operator_namespace = Some("eaiser-system".to_owned());
        network.prometheus_namespace = Some("monitoring".to_owned());
    }));
    let operator = format!("{OPERATOR_PODS}:8081");
    let prometheus = "app.kubernetes.io/name=prometheus in [kubernetes.io/metadata.name=monitoring]:8081";
    assert_eq!(incoming(&policies, Tier::Gateway), set(["anyone:8080", &operator, prometheus]));
    assert_eq!(outgoing(&policies, Tier::Gateway), set(["api:9000", "anyone:53"]));
}

#[test]
fn the_api_calls_its_databases_and_the_outside_but_no_private_network() {
    let policies = policies(&Settings::default());
    assert_eq!(
        incoming(&policies, Tier::Api),
        set(["gateway:9000", "app.kubernetes.io/name=prometheus in []:9000"])
    );
    assert_eq!(
        outgoing(&policies, Tier::Api),
        set(["mongodb:27017", "redis:6379", "anyone:53", "0.0.0.0/0:any", "::/0:any"])
    );
    let blocks = spec(&policies, Tier::Api).egress.iter().flatten().flat_map(|rule| rule.to.iter().flatten());
    let except: Vec<_> = blocks.filter_map(|peer| peer.ip_block.clone()?.except).flatten().collect();
    assert!(except.contains(&"169.254.0.0/16".to_owned()), "a node's credentials: {except:?}");
    assert!(
        except.contains(&"10.0.0.0/8".to_owned()) && except.contains(&"fc00::/7".to_owned()),
        "{except:?}"
    );
}

#[test]
fn an_operator_outside_the_cluster_is_known_by_its_addresses_alone() {
    let outside = settings(|network| network.operator_address_blocks = vec!["10.87.0.1/32".parse().unwrap()]);
    let reach = incoming(&policies(&outside), Tier::MongoDb);
    assert_eq!(reach, set(["api:27017", "mongodb:27017", "10.87.0.1/32:27017"]));
}

#[test]
fn switched_off_there_is_no_policy() {
    assert!(policies(&settings(|network| network.enabled = false)).is_empty());
}
