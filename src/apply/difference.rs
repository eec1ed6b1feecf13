//! In which fields a live object differs from what we render, for people. Pure.
//!
//! What counts as a difference is decided by [`super::drift`] alone; here it only gets a path.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value};

use super::drift::{covers, covers_field, element_name, is_empty};
use crate::names::OPERATOR;

/// One field that would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Path from the object's root, such as `spec.template.spec.containers[api].image`.
    pub path: String,
    /// What is there now; none when the field would be added.
    pub old: Option<Value>,
    /// What would be there; none when the field would be removed.
    pub new: Option<Value>,
}

/// Every field of `rendered` that `live` lacks or says otherwise; empty exactly when `live` covers
/// `rendered`.
pub fn differences(live: &Value, rendered: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    if !covers(live, rendered) {
        walk(live, rendered, &mut String::new(), &mut found);
    }
    found
}

/// Every difference between two complete texts of the same kind, removals included.
pub fn between(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut found = differences(old, new);
    let lost = differences(new, old).into_iter().filter(|change| change.old.is_none());
    found.extend(lost.map(|change| FieldChange { path: change.path, old: change.new, new: None }));
    found
}

/// Fields that an earlier apply of ours set, that nobody else claims, and that are rendered no more:
/// the next apply removes them. The API server's own record of ownership tells.
pub fn removals(live: &Value, rendered: &Value) -> Vec<FieldChange> {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let entries = || entries.into_iter().flatten();
    let is_ours = |entry: &&Value| {
        entry["manager"] == OPERATOR && entry["operation"] == "Apply" && entry.get("subresource").is_none()
    };
    let others: Vec<&Value> =
        entries().filter(|entry| !is_ours(entry)).filter_map(|entry| entry.get("fieldsV1")).collect();
    let mut found = Vec::new();
    for fields in entries().filter(is_ours).filter_map(|entry| entry["fieldsV1"].as_object()) {
        Ownership { owned: fields, others: others.clone() }.walk(
            live,
            rendered,
            &mut String::new(),
            &mut found,
        );
    }
    found
}

fn walk(live: &Value, rendered: &Value, path: &mut String, found: &mut Vec<FieldChange>) {
    match (live, rendered) {
        (Value::Object(live), Value::Object(rendered)) => {
            for (key, new) in rendered.iter().filter(|(key, new)| !covers_field(live, key, new)) {
                at(path, &segment(key), |path| step(live.get(key), new, path, found));
            }
        }
        (Value::Array(live), Value::Array(rendered)) if are_named(rendered) => {
            for new in rendered {
                let name = element_name(new).unwrap_or_default();
                let mut same = live.iter().filter(|old| element_name(old) == Some(name));
                if !same.clone().any(|old| covers(old, new)) {
                    at(path, &format!("[{name}]"), |path| step(same.next(), new, path, found));
                }
            }
        }
        (Value::Array(live), Value::Array(rendered)) if live.len() == rendered.len() => {
            for (index, (old, new)) in live.iter().zip(rendered).enumerate() {
                if !covers(old, new) {
                    at(path, &format!("[{index}]"), |path| step(Some(old), new, path, found));
                }
            }
        }
        _ => found.push(change(path, Some(live), Some(rendered))),
    }
}

fn step(old: Option<&Value>, new: &Value, path: &mut String, found: &mut Vec<FieldChange>) {
    match old {
        Some(old) => walk(old, new, path, found),
        None => found.push(change(path, None, Some(new))),
    }
}

fn are_named(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|element| element_name(element).is_some())
}

fn change(path: &str, old: Option<&Value>, new: Option<&Value>) -> FieldChange {
    FieldChange { path: path.trim_start_matches('.').to_owned(), old: old.cloned(), new: new.cloned() }
}

/// Runs `inner` with the path one step longer.
fn at(path: &mut String, segment: &str, inner: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push_str(segment);
    inner(path);
    path.truncate(length);
}

/// Keys with dots, such as those of labels and files, are put in brackets.
fn segment(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain { format!(".{key}") } else { format!("[{key}]") }
}

/// A walk over the fields that one manager owns: `f:NAME` is a field, `k:{…}` an element of a list
/// by its keys, `v:…` an element of a set (structured-merge-diff, `fieldsV1`).
struct Ownership<'a> {
    /// What we own here.
    owned: &'a Map<String, Value>,
    /// The same place in the entries of the other managers.
    others: Vec<&'a Value>,
}

impl<'a> Ownership<'a> {
    fn walk(&self, live: &Value, rendered: &Value, path: &mut String, found: &mut Vec<FieldChange>) {
        for (key, inner) in self.owned.iter().filter(|(key, _)| *key != ".") {
            let Some((segment, old)) = look_up(live, key) else { continue };
            let others: Vec<&'a Value> = self.others.iter().filter_map(|entry| entry.get(key)).collect();
            at(path, &segment, |path| match look_up(rendered, key) {
                None if others.is_empty() && !is_empty(old) => found.push(change(path, Some(old), None)),
                None => {}
                Some((_, new)) => {
                    if let Some(owned) = inner.as_object() {
                        Ownership { owned, others }.walk(old, new, path, found);
                    }
                }
            });
        }
    }
}

/// What a key of `fieldsV1` names in `value`, with its path segment.
fn look_up<'a>(value: &'a Value, key: &str) -> Option<(String, &'a Value)> {
    let (kind, text) = key.split_once(':')?;
    match kind {
        "f" => value.get(text).map(|found| (segment(text), found)),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(text).ok()?;
            // Keys that we leave to their default, such as a port's protocol, are not rendered.
            let fits = |element: &&Value| {
                keys.iter().all(|(key, wanted)| element.get(key).is_none_or(|found| found == wanted))
                    && keys.keys().any(|key| element.get(key).is_some())
            };
            let names = keys.values().fold(String::new(), |mut names, value| {
                let separator = if names.is_empty() { "" } else { "/" };
                // Writing to a String cannot fail.
                let _ = write!(
                    names,
                    "{separator}{}",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                );
                names
            });
            value.as_array()?.iter().find(fits).map(|found| (format!("[{names}]"), found))
        }
        "v" => {
            let wanted: Value = serde_json::from_str(text).ok()?;
            value.as_array()?.iter().find(|found| **found == wanted).map(|found| (format!("[{text}]"), found))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
