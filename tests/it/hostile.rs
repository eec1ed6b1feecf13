//! Hostile texts in every string of the spec: refused, or carried unchanged. None can end a line of a
//! configuration or start a command.

mod programs;

use std::collections::BTreeSet;

use eaiser_operator::crd;
use eaiser_operator::desired::{self, Desired};
use eaiser_operator::manifest;
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{ServedKinds, Snapshot};
use serde_json::{Value, json};

/// What ends an argument, a line, a quotation, a block or a document somewhere.
fn hostile() -> Vec<String> {
    let texts = [
        "a\"b",
        "a'b",
        "a`id`b",
        "{",
        "}",
        "a; } server { listen 1; }",
        "a\nb",
        "a\r\nmaxmemory 1",
        "a\tb",
        "${HOME}",
        "$(id)",
        "$(POD_IP)",
        "$$(A)",
        "$",
        "$host",
        "#c",
        "a # b",
        "a\\b",
        "\\",
        "\\n",
        "é漢😀",
        "\u{202e}a",
        "{{ $value }}",
        "%s%n",
        " a",
        "a ",
        "- a: b",
        "a: b",
        "!!binary x",
        "*a",
        "&a",
        "null",
        "true",
        "1e3",
        "~",
        "|",
        ">",
        "@a",
        "../../etc/passwd",
        "--flag",
        "a,b",
        "a=b",
        "---",
        "...",
        "",
    ];
    let mut all: Vec<String> = texts.map(str::to_owned).into();
    all.push("x".repeat(5000));
    all
}

/// Every text of the spec: its path in the schema, and where it stands in `complete`.
const TEXTS: [(&str, &str); 50] = [
    ("api.env[].name", "/spec/api/env/0/name"),
    ("api.env[].value", "/spec/api/env/0/value"),
    ("api.env[].valueFrom.configMapKeyRef.key", "/spec/api/env/2/valueFrom/configMapKeyRef/key"),
    ("api.env[].valueFrom.configMapKeyRef.name", "/spec/api/env/2/valueFrom/configMapKeyRef/name"),
    ("api.env[].valueFrom.secretKeyRef.key", "/spec/api/env/1/valueFrom/secretKeyRef/key"),
    ("api.env[].valueFrom.secretKeyRef.name", "/spec/api/env/1/valueFrom/secretKeyRef/name"),
    ("api.envFrom[].configMapRef.name", "/spec/api/envFrom/1/configMapRef/name"),
    ("api.envFrom[].secretRef.name", "/spec/api/envFrom/0/secretRef/name"),
    ("api.image", "/spec/api/image"),
    ("api.pods.annotations{}", "/spec/api/pods/annotations/a"),
    ("api.pods.imagePullSecrets[].name", "/spec/api/pods/imagePullSecrets/0/name"),
    ("api.pods.labels{}", "/spec/api/pods/labels/a"),
    ("api.pods.nodeSelector{}", "/spec/api/pods/nodeSelector/a"),
    ("api.pods.priorityClassName", "/spec/api/pods/priorityClassName"),
    ("api.pods.tolerations[].key", "/spec/api/pods/tolerations/0/key"),
    ("api.pods.tolerations[].value", "/spec/api/pods/tolerations/0/value"),
    ("api.probes.liveness", "/spec/api/probes/liveness"),
    ("api.probes.readiness", "/spec/api/probes/readiness"),
    ("api.resources.limits.cpu", "/spec/api/resources/limits/cpu"),
    ("api.resources.limits.memory", "/spec/api/resources/limits/memory"),
    ("api.resources.requests.cpu", "/spec/api/resources/requests/cpu"),
    ("api.resources.requests.memory", "/spec/api/resources/requests/memory"),
    ("capacity.objectives.latencyP95", "/spec/capacity/objectives/latencyP95"),
    ("gateway.image", "/spec/gateway/image"),
    ("gateway.resources.limits.cpu", "/spec/gateway/resources/limits/cpu"),
    ("gateway.resources.limits.memory", "/spec/gateway/resources/limits/memory"),
    ("gateway.resources.requests.cpu", "/spec/gateway/resources/requests/cpu"),
    ("gateway.resources.requests.memory", "/spec/gateway/resources/requests/memory"),
    ("gateway.service.annotations{}", "/spec/gateway/service/annotations/a"),
    ("mongodb.featureCompatibilityVersion", "/spec/mongodb/featureCompatibilityVersion"),
    ("mongodb.image", "/spec/mongodb/image"),
    ("mongodb.indexes[].collection", "/spec/mongodb/indexes/0/collection"),
    ("mongodb.indexes[].database", "/spec/mongodb/indexes/0/database"),
    ("mongodb.indexes[].keys[].field", "/spec/mongodb/indexes/0/keys/0/field"),
    ("mongodb.indexes[].name", "/spec/mongodb/indexes/0/name"),
    ("mongodb.storage.className", "/spec/mongodb/storage/className"),
    ("mongodb.storage.size", "/spec/mongodb/storage/size"),
    ("mongodb.tls.secretName", "/spec/mongodb/tls/secretName"),
    ("mongodb.users[].database", "/spec/mongodb/users/0/database"),
    ("mongodb.users[].name", "/spec/mongodb/users/0/name"),
    ("mongodb.users[].passwordSecretRef.key", "/spec/mongodb/users/0/passwordSecretRef/key"),
    ("mongodb.users[].passwordSecretRef.name", "/spec/mongodb/users/0/passwordSecretRef/name"),
    ("mongodb.users[].roles[].database", "/spec/mongodb/users/0/roles/0/database"),
    ("mongodb.users[].roles[].role", "/spec/mongodb/users/0/roles/0/role"),
    ("mongodb.version", "/spec/mongodb/version"),
    ("monitoring.ruleLabels{}", "/spec/monitoring/ruleLabels/a"),
    ("monitoring.runbookBaseUrl", "/spec/monitoring/runbookBaseUrl"),
    ("redis.image", "/spec/redis/image"),
    ("redis.storage.className", "/spec/redis/storage/className"),
    ("redis.storage.size", "/spec/redis/storage/size"),
];
/// Databases take the same resources as the other tiers, and every tier the same settings of pods.
const SAME: [&str; 5] =
    ["mongodb.resources.", "redis.resources.", "gateway.pods.", "mongodb.pods.", "redis.pods."];

/// A cluster with every text set.
fn complete() -> Value {
    let amounts = json!({"cpu": "1", "memory": "4Gi"});
    let resources = json!({"requests": amounts, "limits": amounts});
    let storage = json!({"size": "1Gi", "className": "fast"});
    let reference = json!({"name": "a", "key": "k"});
    let pods = json!({
        "annotations": {"a": "x"}, "labels": {"a": "x"}, "nodeSelector": {"a": "x"}, "priorityClassName": "a",
        "tolerations": [{"key": "a", "value": "x"}], "imagePullSecrets": [{"name": "a"}],
    });
    json!({
        "apiVersion": "eaiser.io/v1alpha1",
        "kind": "EaiserCluster",
        "metadata": {"name": "eaiser", "namespace": "shop"},
        "spec": {
            "capacity": {"users": 4000, "objectives": {"latencyP95": "500ms"}},
            "api": {
                "image": "a", "resources": resources, "pods": pods, "probes": {"liveness": "/a", "readiness": "/b"},
                "env": [
                    {"name": "A", "value": "x"},
                    {"name": "B", "valueFrom": {"secretKeyRef": reference}},
                    {"name": "C", "valueFrom": {"configMapKeyRef": reference}},
                ],
                "envFrom": [{"secretRef": {"name": "a"}}, {"configMapRef": {"name": "a"}}],
            },
            "gateway": {"image": "a", "resources": resources, "service": {"annotations": {"a": "x"}}},
            "mongodb": {
                "image": "a", "storage": storage, "version": "7.0", "featureCompatibilityVersion": "7.0",
                "indexes": [{"collection": "c", "database": "d", "name": "n", "keys": [{"field": "f"}]}],
                "tls": {"mode": "Require", "secretName": "a"},
                "users": [{
                    "name": "u", "database": "d", "passwordSecretRef": reference,
                    "roles": [{"role": "read", "database": "d"}],
                }],
            },
            "redis": {"image": "a", "storage": storage},
            "monitoring": {"ruleLabels": {"a": "x"}, "runbookBaseUrl": "https://a"},
        },
    })
}

fn texts_of(schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    if schema["type"] == "string" && schema.get("enum").is_none() {
        into.insert(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        texts_of(property, &format!("{path}{dot}{name}"), into);
    }
    texts_of_inner(&schema["items"], &format!("{path}[]"), into);
    texts_of_inner(&schema["additionalProperties"], &format!("{path}{{}}"), into);
}

fn texts_of_inner(schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    if schema.is_object() {
        texts_of(schema, path, into);
    }
}

#[test]
fn every_text_of_the_schema_is_among_those_tried() {
    let definition: Value = serde_saphyr::from_str(&crd::definition_yaml().unwrap()).unwrap();
    let spec = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let mut found = BTreeSet::new();
    texts_of(spec, "", &mut found);
    found.retain(|path| !SAME.iter().any(|same| path.starts_with(same)));
    let tried: BTreeSet<String> = TEXTS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, tried);
}

/// The objects of a document, or none when it is refused.
fn rendered(document: &Value) -> Option<Desired> {
    let plan = manifest::plan(document, &Settings::default()).ok()?;
    Some(desired::build(&plan, &Snapshot::offline(ServedKinds::default())))
}

fn configuration(desired: &Desired, name: &str) -> String {
    let map = desired.config_maps.iter().find(|map| map.metadata.name.as_deref() == Some(name)).unwrap();
    serde_json::to_string(&map.data).unwrap()
}

/// What the kubelet makes of a variable's value: `$(NAME)` of a known name is replaced, `$$` is `$`.
fn expanded(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some(start) = rest.find('$') {
        text.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        match rest.chars().next() {
            Some('$') => {
                text.push('$');
                rest = &rest[1..];
            }
            Some('(') if rest.contains(')') => {
                text.push_str("<EXPANDED>");
                rest = &rest[rest.find(')').unwrap() + 1..];
            }
            _ => text.push('$'),
        }
    }
    text + rest
}

#[test]
#[ignore = "takes minutes, as every value is judged by every rule: tests/run.sh hostile"]
fn a_hostile_text_is_refused_or_arrives_unchanged_and_alone() {
    let plain = rendered(&complete()).unwrap();
    let (mut refused, mut admitted) = (0, 0);
    for (path, pointer) in TEXTS {
        for text in hostile() {
            let mut document = complete();
            *document.pointer_mut(pointer).unwrap() = json!(text);
            let Some(desired) = rendered(&document) else {
                refused += 1;
                continue;
            };
            admitted += 1;
            for object in desired.objects() {
                let yaml = serde_saphyr::to_string(&object).unwrap();
                let back: Value = serde_saphyr::from_str(&yaml).unwrap();
                assert_eq!(back, serde_json::to_value(&object).unwrap(), "{path} = {text:?}");
            }
            if path == "api.env[].value" {
                let spec = desired.deployments[0].spec.clone().unwrap().template.spec.unwrap();
                let variables = spec.containers[0].env.clone().unwrap();
                let found = variables.iter().find(|variable| variable.name == "A").unwrap();
                assert_eq!(expanded(found.value.as_deref().unwrap()), text);
            }
            for name in ["eaiser-gateway-configuration", "eaiser-redis-configuration"] {
                let same = configuration(&desired, name) == configuration(&plain, name);
                assert!(same || path.contains("resources"), "{path} = {text:?} reaches {name}");
            }
        }
    }
    println!(
        "{} texts × {} hostile values: {refused} refused, {admitted} carried unchanged",
        TEXTS.len(),
        hostile().len()
    );
    assert!(refused > 500 && admitted > 50, "{refused} refused, {admitted} admitted");
}
