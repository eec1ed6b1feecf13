//! What the spec adds to the pods of a tier.

use super::*;

const SETTINGS: &str = "{
    labels: {team: shop},
    annotations: {sidecar.istio.io/inject: 'false'},
    nodeSelector: {disk: ssd},
    tolerations: [{key: dedicated, value: eaiser, effect: NoSchedule}, {operator: Exists, effect: NoExecute, tolerationSeconds: 30}],
    priorityClassName: database,
    imagePullSecrets: [{name: registry}],
}";

/// The pod template of every workload, as JSON.
fn templates(yaml: &str) -> BTreeMap<String, serde_json::Value> {
    let desired = rendered(yaml);
    let sets = desired.stateful_sets.iter().map(|set| (&set.metadata, &set.spec.as_ref().unwrap().template));
    let deployments = desired
        .deployments
        .iter()
        .map(|deployment| (&deployment.metadata, &deployment.spec.as_ref().unwrap().template));
    let named = sets.chain(deployments);
    named.map(|(metadata, template)| (metadata.name.clone().unwrap(), serde_json::json!(template))).collect()
}

#[test]
fn every_tier_takes_them_and_no_other_tier_changes() {
    let plain = templates(SPEC);
    for (tier, image) in [
        ("api", "image: registry.example.com/backend:1.0.0, "),
        ("gateway", ""),
        ("mongodb", ""),
        ("redis", ""),
    ] {
        let api = if tier == "api" { "" } else { "api: {image: registry.example.com/backend:1.0.0}, " };
        let with =
            templates(&format!("{{capacity: {{users: 100000}}, {api}{tier}: {{{image}pods: {SETTINGS}}}}}"));
        for (name, template) in with {
            if !name.starts_with(&format!("eaiser-{tier}")) {
                assert_eq!(template, plain[&name], "{name} has nothing to do with {tier}");
                continue;
            }
            let at = |pointer: &str| template.pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(at("/metadata/labels/team"), "shop", "{name}");
            assert_eq!(at("/metadata/annotations/sidecar.istio.io~1inject"), "false", "{name}");
            assert_eq!(at("/spec/nodeSelector/disk"), "ssd", "{name}");
            assert_eq!(at("/spec/tolerations/0/operator"), "Equal", "{name}");
            assert_eq!(at("/spec/tolerations/1/tolerationSeconds"), 30, "{name}");
            assert_eq!(at("/spec/priorityClassName"), "database", "{name}");
            assert_eq!(at("/spec/imagePullSecrets/0/name"), "registry", "{name}");
        }
    }
}

#[test]
fn a_label_that_selects_the_pods_stays_the_operators() {
    let stolen = "{capacity: {users: 100000}, api: {image: registry.example.com/backend:1.0.0}, redis: {pods: {labels: {app.kubernetes.io/component: api}}}}";
    assert_eq!(templates(stolen), templates(SPEC));
}
