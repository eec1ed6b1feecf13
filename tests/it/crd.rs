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

/// Paths of the spec's own fields, with their schemas; keys of maps and indices of lists as `[]`.
fn fields(schema: &Value, path: &str, into: &mut Vec<(String, Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        into.push((path.clone(), property.clone()));
        fields(property, &path, into);
        if property["items"].is_object() {
            fields(&property["items"], &format!("{path}[0]"), into);
        }
    }
}

fn spec_fields() -> Vec<(String, Value)> {
    let definition = definition();
    let spec = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let mut found = vec![("spec".to_owned(), spec.clone())];
    fields(spec, "spec", &mut found);
    found
}

/// Nothing of another namespace can be named: there is no field for it.
#[test]
fn no_reference_carries_a_namespace() {
    let named: Vec<_> =
        spec_fields().into_iter().map(|(path, _)| path).filter(|path| path.ends_with("amespace")).collect();
    assert!(named.is_empty(), "{named:?}");
}

/// The API server answers a pattern with the pattern, and a rule with its message.
#[test]
fn every_text_is_judged_by_a_rule_that_says_what_would_be_right() {
    for (path, schema) in spec_fields() {
        assert!(
            schema.get("pattern").is_none() && schema["additionalProperties"]["pattern"].is_null(),
            "{path}"
        );
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            assert!(rule["message"].as_str().is_some_and(|message| message.len() > 20), "{path}: {rule}");
        }
    }
}

/// tests/data/invalid.yaml, which the API server refuses case by case, leaves nothing out.
#[test]
fn every_field_and_every_rule_has_an_object_that_breaks_it() {
    let cases: Vec<Value> =
        serde_saphyr::from_str(&std::fs::read_to_string("tests/data/invalid.yaml").unwrap()).unwrap();
    let text = |case: &Value, key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let mut missing = Vec::new();
    for (path, schema) in spec_fields() {
        let is_tried = |case: &Value| text(case, "field").starts_with(&path);
        // Whether something is on or off can only be wrong in its type, which one switch shows.
        if schema["type"] != "boolean" && !cases.iter().any(is_tried) {
            missing.push(path.clone());
        }
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap();
            let breaks = |case: &Value| {
                let words = text(case, "words");
                !words.is_empty() && message.contains(&words)
            };
            if !cases.iter().any(breaks) {
                missing.push(format!("{path}: {message}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
