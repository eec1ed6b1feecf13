//! `eaiser fields`: every field of spec and status as Markdown, out of the CustomResourceDefinition.

use std::fmt::Write;
use std::process::ExitCode;

use kube::CustomResourceExt;
use serde_json::Value;

use crate::crd::EaiserCluster;

const PREFACE: &str = "\
# Fields of an EaiserCluster

Written from the CustomResourceDefinition by `make docs`; a test fails when the two differ. The same
texts are at hand in a terminal: `kubectl explain eaisercluster.spec.api`. Fields in **bold** are
required; all others have a default.
";

/// Prints the page.
pub(super) fn run() -> ExitCode {
    print!("{}", page());
    ExitCode::SUCCESS
}

/// The page.
fn page() -> String {
    // The definition is built from types, so serialization cannot fail.
    let definition = serde_json::to_value(EaiserCluster::crd()).unwrap_or_default();
    let root = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().unwrap_or_default();
    let mut text = PREFACE.to_owned();
    for part in ["spec", "status"] {
        let schema = &root["properties"][part];
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {part}\n\n{}\n", sentence(schema));
        let blocks = schema["properties"].as_object().into_iter().flatten();
        let (blocks, plain): (Vec<_>, Vec<_>) = blocks.partition(|(_, property)| has_fields(property));
        if !plain.is_empty() {
            table(&mut text, schema, &plain, "");
        }
        for (name, block) in blocks {
            let _ = write!(text, "\n### {part}.{name}\n\n{}\n", sentence(block));
            let fields: Vec<_> = inner(block)["properties"].as_object().into_iter().flatten().collect();
            let list = if block["type"] == "array" { format!("{name}[].") } else { String::new() };
            table(&mut text, inner(block), &fields, &list);
            rules(&mut text, inner(block));
        }
    }
    text
}

fn table(text: &mut String, parent: &Value, fields: &[(&String, &Value)], prefix: &str) {
    let _ = write!(text, "\n| field | type | meaning |\n|---|---|---|\n");
    for (name, field) in fields {
        row(text, parent, (prefix, name), field);
    }
}

/// A field, and below it those inside of it.
fn row(text: &mut String, parent: &Value, (prefix, name): (&str, &str), field: &Value) {
    let path = format!("{prefix}{name}");
    let required = parent["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let shown = if required { format!("**`{path}`**") } else { format!("`{path}`") };
    let _ = writeln!(text, "| {shown} | {} | {} |", kind(field), sentence(field).replace('|', "\\|"));
    let list = if field["type"] == "array" { "[]" } else { "" };
    for (child, schema) in inner(field)["properties"].as_object().into_iter().flatten() {
        row(text, inner(field), (&format!("{path}{list}."), child), schema);
    }
}

/// What admission checks beyond types.
fn rules(text: &mut String, block: &Value) {
    let messages: Vec<&str> = block["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["message"].as_str())
        .collect();
    if !messages.is_empty() {
        let _ = write!(text, "\nAdmission also checks: {}.\n", messages.join("; "));
    }
}

/// Elements of a list, or the value itself.
fn inner(schema: &Value) -> &Value {
    if schema["type"] == "array" { &schema["items"] } else { schema }
}

fn has_fields(schema: &Value) -> bool {
    inner(schema)["properties"].is_object()
}

fn sentence(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Type with its bounds.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`"));
        return values.collect::<Vec<_>>().join(", ");
    }
    let type_ = schema["type"].as_str().unwrap_or("any");
    let number = |key: &str| schema[key].as_f64().map(|number| number.to_string());
    match (type_, number("minimum"), number("maximum")) {
        ("array", ..) => format!("list of {}", kind(&schema["items"])),
        ("object", ..) if schema["additionalProperties"].is_object() => "map".to_owned(),
        (_, Some(least), Some(most)) => format!("{type_}, {least} to {most}"),
        _ => type_.to_owned(),
    }
}
