//! The committed `CustomResourceDefinition`.

use eaiser_operator::crd;
use serde_json::Value;

fn definition() -> Value {
    serde_saphyr::from_str(&crd::definition_yaml().unwrap()).unwrap()
}

#[test]
fn the_committed_files_are_what_the_types_say() {
    for file in ["crds/eaiserclusters.yaml", "charts/eaiser-operator/files/eaiserclusters.yaml"] {
        let committed = std::fs::read_to_string(file).unwrap();
        assert!(committed == crd::definition_yaml().unwrap(), "{file} has drifted: run `make crds`");
    }
}

/// CEL cost grows with what it may have to look at; a bound everywhere keeps it far below the limit.
#[test]
fn every_string_list_and_map_of_the_spec_is_bounded() {
    let definition = definition();
    let spec = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let mut unbounded = Vec::new();
    walk(spec, "spec", &mut unbounded);
    assert!(unbounded.is_empty(), "{unbounded:#?}");
}

fn walk(schema: &Value, path: &str, unbounded: &mut Vec<String>) {
    let has = |key: &str| schema.get(key).is_some();
    let bounded = match schema["type"].as_str() {
        Some("string") => has("maxLength") || has("enum"),
        Some("array") => has("maxItems"),
        Some("object") => has("properties") || has("maxProperties"),
        Some("integer" | "number") => has("minimum") && has("maximum"),
        _ => true,
    };
    if !bounded {
        unbounded.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), unbounded);
    }
    for (key, name) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            walk(inner, &format!("{path}{name}"), unbounded);
        }
    }
}

/// Doc comments become what `kubectl explain` prints.
#[test]
fn every_field_of_spec_and_status_is_explained() {
    let definition = definition();
    let root = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
    let mut silent = Vec::new();
    explained(root, "", &mut silent);
    assert!(silent.is_empty(), "{silent:#?}");
}

fn explained(schema: &Value, path: &str, silent: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if property["description"].as_str().is_none_or(str::is_empty) {
            silent.push(path.clone());
        }
        explained(property, &path, silent);
        explained(&property["items"], &path, silent);
    }
}

/// The API server knows no `uint32` and would complain about each.
#[test]
fn no_unsigned_format_is_used() {
    assert!(!crd::definition_yaml().unwrap().contains("format: uint"));
}
