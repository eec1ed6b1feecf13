//! Whether a live object still says what we rendered. Pure.

use serde_json::{Map, Value};

use crate::plan::quantity::{Bytes, Millicores};

/// Whether every field of `rendered` is in `live` with the same meaning. Fields that others added
/// (defaults, an autoscaler's replicas, foreign labels, injected containers) do not count.
pub fn covers(live: &Value, rendered: &Value) -> bool {
    match (live, rendered) {
        (Value::Object(live), Value::Object(rendered)) => {
            rendered.iter().all(|(key, rendered)| covers_field(live, key, rendered))
        }
        (Value::Array(live), Value::Array(rendered)) => covers_list(live, rendered),
        (Value::Number(live), Value::Number(rendered)) => {
            live == rendered || live.as_f64() == rendered.as_f64()
        }
        (live, rendered) => live == rendered,
    }
}

pub(super) fn covers_field(live: &Map<String, Value>, key: &str, rendered: &Value) -> bool {
    match (live.get(key), rendered) {
        (None, rendered) => is_empty(rendered),
        (Some(Value::String(live)), Value::String(rendered)) => {
            live == rendered || same_quantity(key, live, rendered)
        }
        (Some(live), rendered) => covers(live, rendered),
    }
}

/// The server drops empty maps and lists.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Lists of named elements match by name, as server-side apply merges them; others by position.
fn covers_list(live: &[Value], rendered: &[Value]) -> bool {
    let named = !rendered.is_empty() && rendered.iter().all(|element| element_name(element).is_some());
    if named {
        return rendered.iter().all(|element| {
            let same = |candidate: &&Value| element_name(candidate) == element_name(element);
            live.iter().filter(same).any(|candidate| covers(candidate, element))
        });
    }
    live.len() == rendered.len() && live.iter().zip(rendered).all(|(live, rendered)| covers(live, rendered))
}

/// What an element of a list is called.
pub(super) fn element_name(element: &Value) -> Option<&str> {
    element.get("name").and_then(Value::as_str)
}

/// The server rewrites quantities: `0.5` CPU comes back as `500m`, `1024Mi` as `1Gi`.
fn same_quantity(key: &str, live: &str, rendered: &str) -> bool {
    match key {
        "cpu" => Millicores::parse(live).is_some_and(|live| Some(live) == Millicores::parse(rendered)),
        "memory" | "storage" | "sizeLimit" => {
            Bytes::parse(live).is_some_and(|live| Some(live) == Bytes::parse(rendered))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_no_drift() {
        let rendered = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{"name": "api", "image": "x"}]}});
        let live = json!({
            "metadata": {"labels": {"a": "1", "team": "shop"}, "uid": "1"},
            "spec": {"replicas": 7, "containers": [{"name": "sidecar"}, {"name": "api", "image": "x", "terminationMessagePath": "/dev"}]},
            "status": {},
        });
        assert!(covers(&live, &rendered));
    }

    #[test]
    fn a_changed_value_a_missing_field_and_a_missing_element_are_drift() {
        let rendered =
            json!({"spec": {"image": "x", "args": ["a", "b"], "ports": [{"name": "http", "port": 80}]}});
        for live in [
            json!({"spec": {"image": "y", "args": ["a", "b"], "ports": [{"name": "http", "port": 80}]}}),
            json!({"spec": {"args": ["a", "b"], "ports": [{"name": "http", "port": 80}]}}),
            json!({"spec": {"image": "x", "args": ["a"], "ports": [{"name": "http", "port": 80}]}}),
            json!({"spec": {"image": "x", "args": ["a", "b"], "ports": []}}),
        ] {
            assert!(!covers(&live, &rendered), "{live}");
        }
    }

    #[test]
    fn quantities_are_compared_by_amount() {
        let rendered = json!({"requests": {"cpu": "0.5", "memory": "1024Mi"}});
        assert!(covers(&json!({"requests": {"cpu": "500m", "memory": "1Gi"}}), &rendered));
        assert!(!covers(&json!({"requests": {"cpu": "501m", "memory": "1Gi"}}), &rendered));
        assert!(covers(&json!({"limits": {"cpu": "1k"}}), &json!({"limits": {"cpu": "1000"}})));
    }

    #[test]
    fn an_empty_map_that_the_server_dropped_is_no_drift() {
        assert!(covers(&json!({"spec": {}}), &json!({"spec": {"emptyDir": {}, "list": []}})));
        assert!(covers(&json!({"emptyDir": {}}), &json!({"emptyDir": {}})));
    }
}
