//! What a change is called, and that nothing is shown which is no drift.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn lines(changes: &[FieldChange]) -> Vec<String> {
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
    changes
        .iter()
        .map(|change| format!("{}: {} > {}", change.path, text(&change.old), text(&change.new)))
        .collect()
}

#[test]
fn a_change_is_named_by_its_path_and_shows_both_values() {
    let live = json!({"spec": {"containers": [{"name": "log"}, {"name": "api", "image": "a:1", "args": ["x", "y"]}]}});
    let rendered = json!({"spec": {"containers": [{"name": "api", "image": "a:2", "args": ["x", "z"]}], "paused": true}});
    assert_eq!(
        lines(&differences(&live, &rendered)),
        [
            r#"spec.containers[api].args[1]: "y" > "z""#,
            r#"spec.containers[api].image: "a:1" > "a:2""#,
            "spec.paused: - > true",
        ]
    );
}

#[test]
fn keys_with_dots_are_in_brackets() {
    let rendered = json!({"data": {"nginx.conf": "a"}});
    assert_eq!(lines(&differences(&json!({"data": {}}), &rendered)), [r#"data[nginx.conf]: - > "a""#]);
}

#[test]
fn an_amount_written_differently_and_what_others_added_are_not_shown() {
    let live = json!({"limits": {"cpu": "500m", "memory": "1Gi"}, "labels": {"team": "shop"}, "replicas": 3});
    let rendered = json!({"limits": {"cpu": "0.5", "memory": "1024Mi"}, "labels": {}});
    assert_eq!(differences(&live, &rendered), []);
}

#[test]
fn between_two_specs_what_was_taken_out_is_shown_too() {
    let (old, new) =
        (json!({"a": 1, "env": [{"name": "X"}, {"name": "Y"}]}), json!({"b": 2, "env": [{"name": "Y"}]}));
    assert_eq!(lines(&between(&old, &new)), ["b: - > 2", "a: 1 > -", r#"env[X]: {"name":"X"} > -"#]);
}

/// A Deployment as the server stores it after an apply of ours and a hand edit by somebody else.
fn stored() -> Value {
    json!({
        "metadata": {
            "labels": {"a": "1", "b": "2"},
            "managedFields": [
                {"manager": OPERATOR, "operation": "Apply", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:a": {}, "f:b": {}}},
                    "f:spec": {"f:containers": {"k:{\"name\":\"api\"}": {
                        ".": {}, "f:name": {}, "f:image": {}, "f:command": {},
                        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                        "f:env": {"k:{\"name\":\"OLD\"}": {".": {}, "f:name": {}, "f:value": {}}},
                    }}},
                }},
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:b": {}}},
                }},
            ],
        },
        "spec": {"containers": [{
            "name": "api", "image": "a:1", "command": ["run"], "imagePullPolicy": "Always",
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "env": [{"name": "OLD", "value": "x"}],
        }]},
    })
}

#[test]
fn what_we_set_before_and_render_no_more_would_be_removed() {
    let rendered = json!({
        "metadata": {"labels": {}},
        "spec": {"containers": [{"name": "api", "image": "a:1", "ports": [{"containerPort": 80}], "env": []}]},
    });
    assert_eq!(
        lines(&removals(&stored(), &rendered)),
        [
            r#"metadata.labels.a: "1" > -"#,
            r#"spec.containers[api].command: ["run"] > -"#,
            r#"spec.containers[api].env[OLD]: {"name":"OLD","value":"x"} > -"#
        ],
        "label b has another owner, imagePullPolicy was never ours"
    );
}

#[test]
fn nothing_is_removed_while_everything_is_still_rendered() {
    assert_eq!(removals(&stored(), &stored()), []);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3i64).prop_map(Value::from),
        prop::sample::select(vec!["a", "500m", "0.5", "1Gi", "1024Mi"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop::sample::select(vec!["name", "cpu", "memory", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn differences_are_shown_exactly_when_there_is_drift(live in any_json(), rendered in any_json()) {
        prop_assert_eq!(differences(&live, &rendered).is_empty(), covers(&live, &rendered));
        prop_assert!(differences(&live, &live).is_empty());
    }
}
