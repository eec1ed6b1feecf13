//! The CRD's own schema as an offline judge. Pure.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::crd::EaiserCluster;
use crate::plan::{Problem, Problems};

/// Checks an object against the schema.
///
/// # Errors
/// Every violation, with the path of its field. Unknown fields count: the API server would drop them
/// in silence unless asked to validate strictly.
pub(super) fn check(document: &Value) -> Result<(), Problems> {
    // The schema comes from our own types; were it malformed, the API server would have said so.
    let Some(validator) = VALIDATOR.as_ref() else { return Ok(()) };
    let spec = document.get("spec").cloned().unwrap_or(Value::Null);
    let problems: Vec<Problem> = validator.iter_errors(&spec).flat_map(|error| problems(&error)).collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Made once: the schema never changes while the program runs.
static VALIDATOR: LazyLock<Option<Validator>> = LazyLock::new(|| {
    let mut schema = spec_schema();
    close(&mut schema);
    jsonschema::validator_for(&schema).ok()
});

fn spec_schema() -> Value {
    let definition = serde_json::to_value(EaiserCluster::crd()).unwrap_or_default();
    definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").cloned().unwrap_or_default()
}

/// Objects with known properties get no others; `nullable` becomes what JSON Schema calls it.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
            if map.remove("nullable").is_some()
                && let Some(type_) = map.get("type").cloned()
            {
                map.insert("type".to_owned(), json!([type_, "null"]));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// One problem per violation, in words that say what would be right.
fn problems(error: &ValidationError<'_>) -> Vec<Problem> {
    let at = path(error.instance_path().as_str());
    let one = |message: String| vec![Problem::new(at.clone(), message)];
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![Problem::new(format!("{at}.{name}"), "is required")]
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| Problem::new(format!("{at}.{name}"), "is no known field")).collect()
        }
        ValidationErrorKind::Pattern { pattern } => {
            one(format!("{} does not match the pattern {pattern}", error.instance()))
        }
        // Limits are floats in the schema; nobody writes a port as 1024.0.
        _ => one(error.to_string().trim_end_matches(".0").to_owned()),
    }
}

/// `/api/env/0/name` becomes `spec.api.env[0].name`.
fn path(pointer: &str) -> String {
    let mut path = "spec".to_owned();
    for part in pointer.split('/').skip(1) {
        if part.chars().all(|c| c.is_ascii_digit()) {
            path.extend(["[", part, "]"]);
        } else {
            path.push('.');
            path.push_str(part);
        }
    }
    path
}
