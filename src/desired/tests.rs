//! Properties of the rendered objects that no single builder owns.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;

use super::*;
use crate::names::Identity;
use crate::settings::Settings;
use crate::snapshot::ServedKinds;

mod pod_settings;

const SPEC: &str = "{capacity: {users: 100000}, api: {image: registry.example.com/backend:1.0.0}}";

fn plan_of(yaml: &str) -> Plan {
    let identity =
        Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u-1".to_owned() };
    crate::plan::plan(identity, &serde_saphyr::from_str(yaml).unwrap(), &Settings::default()).unwrap()
}

fn rendered(yaml: &str) -> Desired {
    build(&plan_of(yaml), &Snapshot::offline(ServedKinds::default()))
}

fn pod_specs(desired: &Desired) -> BTreeMap<String, PodSpec> {
    let mut specs = BTreeMap::new();
    for set in &desired.stateful_sets {
        specs.insert(set.metadata.name.clone().unwrap(), set.spec.clone().unwrap().template.spec.unwrap());
    }
    for deployment in &desired.deployments {
        specs.insert(
            deployment.metadata.name.clone().unwrap(),
            deployment.spec.clone().unwrap().template.spec.unwrap(),
        );
    }
    specs
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let bytes = |desired: &Desired| format!("{desired:?}");
    assert_eq!(bytes(&rendered(SPEC)), bytes(&rendered(SPEC)));
}

#[test]
fn every_container_has_a_read_only_root_and_no_capability() {
    for (name, spec) in pod_specs(&rendered(SPEC)) {
        assert_eq!(spec.automount_service_account_token, Some(false), "{name}");
        for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
            let security = container.security_context.as_ref().unwrap();
            assert_eq!(security.read_only_root_filesystem, Some(true), "{name}/{}", container.name);
            assert_eq!(security.capabilities.as_ref().unwrap().drop, Some(vec!["ALL".to_owned()]));
        }
    }
}

#[test]
fn every_container_leaves_the_end_of_its_log_in_its_status() {
    for (name, spec) in pod_specs(&rendered(SPEC)) {
        for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
            let policy = container.termination_message_policy.as_deref();
            assert_eq!(policy, Some("FallbackToLogsOnError"), "{name}/{}", container.name);
        }
    }
}

#[test]
fn no_password_is_an_argument_or_a_plain_variable() {
    let mut snapshot = Snapshot::offline(ServedKinds::default());
    let canary = crate::password::Password::new("canary");
    snapshot.credentials = crate::snapshot::Credentials {
        mongodb_keyfile: canary.clone(),
        mongodb_next_key: canary.clone(),
        mongodb_password: canary.clone(),
        redis_password: canary.clone(),
        mongodb_users: [("reporting".to_owned(), Ok(canary))].into(),
        ..crate::snapshot::Credentials::placeholder()
    };
    let desired = Desired { secrets: Vec::new(), ..build(&plan_of(SPEC), &snapshot) };
    assert!(!format!("{desired:?}").contains("canary"));
}

#[test]
fn an_autoscaled_deployment_has_no_replicas() {
    let replicas = |yaml: &str| {
        let desired = rendered(yaml);
        let api =
            desired.deployments.iter().find(|found| found.metadata.name.as_deref() == Some("eaiser-api"));
        (api.unwrap().spec.as_ref().unwrap().replicas, desired.autoscalers.len())
    };
    assert_eq!(replicas(SPEC), (None, 1));
    assert_eq!(
        replicas("{capacity: {users: 10}, api: {image: a, replicas: 4, autoscaling: {enabled: false}}}"),
        (Some(4), 0)
    );
}

#[test]
fn every_child_is_owned_and_labelled() {
    let desired = rendered(SPEC);
    let mut metadata = Vec::new();
    metadata.extend(desired.secrets.iter().map(|object| &object.metadata));
    metadata.extend(desired.services.iter().map(|object| &object.metadata));
    metadata.extend(desired.stateful_sets.iter().map(|object| &object.metadata));
    metadata.extend(desired.deployments.iter().map(|object| &object.metadata));
    metadata.extend(desired.config_maps.iter().map(|object| &object.metadata));
    for metadata in metadata {
        let owner = &metadata.owner_references.as_ref().unwrap()[0];
        assert_eq!((owner.kind.as_str(), owner.uid.as_str()), ("EaiserCluster", "u-1"));
        assert_eq!(metadata.labels.as_ref().unwrap()["app.kubernetes.io/managed-by"], "eaiser-operator");
    }
}

#[test]
fn rules_go_into_a_config_map_unless_prometheus_operator_is_served() {
    let served = ServedKinds { prometheus_rules: true, service_monitors: true };
    let with = build(&plan_of(SPEC), &Snapshot::offline(served));
    let without = rendered(SPEC);
    let rules_map = |desired: &Desired| {
        desired.config_maps.iter().any(|map| map.metadata.name.as_deref() == Some("eaiser-rules"))
    };
    assert!((with.prometheus_rules.len(), with.service_monitors.len(), rules_map(&with)) == (1, 1, false));
    assert!(
        (without.prometheus_rules.len(), without.service_monitors.len(), rules_map(&without)) == (0, 0, true)
    );
}

#[test]
fn a_users_dollar_sign_reaches_the_backend_unexpanded() {
    let desired = rendered(
        "{capacity: {users: 10}, api: {image: a, env: [{name: TEMPLATE, value: '$(MONGODB_URI)'}]}}",
    );
    let specs = pod_specs(&desired);
    let variables = specs["eaiser-api"].containers[0].env.clone().unwrap();
    let value = variables.into_iter().find(|variable| variable.name == "TEMPLATE").unwrap().value;
    assert_eq!(value.as_deref(), Some("$$(MONGODB_URI)"));
}

#[test]
fn every_shard_has_its_own_stateful_set() {
    let names: Vec<_> =
        rendered(SPEC).stateful_sets.into_iter().filter_map(|set| set.metadata.name).collect();
    assert_eq!(names, ["eaiser-mongodb", "eaiser-redis-0", "eaiser-redis-1", "eaiser-redis-2"]);
}
