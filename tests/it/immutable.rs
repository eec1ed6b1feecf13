//! Fields that cannot be changed in place, against a scripted API server.

use std::sync::Arc;

use eaiser_operator::apply::{self, Applied, Memory};
use eaiser_operator::desired::Desired;
use eaiser_operator::snapshot::Children;
use http::{Method, StatusCode};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::Client;
use serde_json::{Value, json};

use crate::apply::{Server, answer, identity, next, nothing, with_server};

fn workload(kind: &str, policy: &str, selector: &Value) -> Value {
    let owner = json!({"apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster", "name": "eaiser", "uid": "u-1", "controller": true});
    let mut object = json!({
        "metadata": {"name": "eaiser-x", "namespace": "shop", "uid": "x-1", "resourceVersion": "7", "ownerReferences": [owner]},
        "spec": {"replicas": 3, "selector": {"matchLabels": selector}, "template": {"metadata": {"labels": {"a": "b", "c": "d"}}}},
    });
    if kind == "StatefulSet" {
        object["spec"]["podManagementPolicy"] = json!(policy);
    }
    object
}

/// Without what only a live object has.
fn rendered(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("uid");
    metadata.remove("resourceVersion");
    object
}

async fn apply_set<S>(live: Option<Value>, server: impl FnOnce(Server) -> S) -> Applied
where
    S: Future<Output = ()> + Send + 'static,
{
    let ours = rendered(workload("StatefulSet", "Parallel", &json!({"a": "b"})));
    let desired =
        Desired { stateful_sets: vec![serde_json::from_value(ours).unwrap()], ..Desired::default() };
    let live: Option<StatefulSet> = live.map(|live| serde_json::from_value(live).unwrap());
    let children =
        Children { stateful_sets: live.into_iter().map(Arc::new).collect(), ..Children::default() };
    let act = async move |client: Client| {
        apply::apply(&client, &identity(), desired, &children, &Memory::default()).await.unwrap()
    };
    with_server(act, server).await
}

#[tokio::test]
async fn a_stateful_set_with_another_policy_is_deleted_around_its_pods_and_never_patched() {
    let live = workload("StatefulSet", "OrderedReady", &json!({"a": "b"}));
    let applied = apply_set(Some(live), |mut server| async move {
        let (request, body, respond) = next(&mut server).await;
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(request.uri().path(), "/apis/apps/v1/namespaces/shop/statefulsets/eaiser-x");
        assert_eq!(body["propagationPolicy"], "Orphan", "its pods must not be deleted");
        assert_eq!(body["preconditions"], json!({"uid": "x-1", "resourceVersion": "7"}));
        respond.send_response(answer(StatusCode::OK, &json!({"kind": "Status", "status": "Success"})));
        nothing(server).await;
    })
    .await;
    let [sentence] = applied.recreated.as_slice() else { panic!("{applied:?}") };
    assert!(
        sentence.contains("StatefulSet/eaiser-x") && sentence.contains("spec.podManagementPolicy"),
        "{sentence}"
    );
}

#[tokio::test]
async fn the_next_pass_finds_it_missing_and_creates_it() {
    let applied = apply_set(None, |mut server| async move {
        let (request, body, respond) = next(&mut server).await;
        assert_eq!(
            (request.method(), &body["spec"]["podManagementPolicy"]),
            (&Method::PATCH, &json!("Parallel"))
        );
        respond.send_response(answer(StatusCode::CREATED, &body));
    })
    .await;
    assert_eq!(applied.created, ["StatefulSet/eaiser-x"]);
}

#[tokio::test]
async fn one_that_changed_since_we_looked_is_left_for_the_next_pass() {
    let live = workload("StatefulSet", "OrderedReady", &json!({"a": "b"}));
    let applied = apply_set(Some(live), |mut server| async move {
        let (_, _, respond) = next(&mut server).await;
        let status = json!({"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409});
        respond.send_response(answer(StatusCode::CONFLICT, &status));
    })
    .await;
    assert_eq!(applied, Applied::default());
}

#[tokio::test]
async fn a_deployment_with_another_selector_is_reported_with_object_and_field_and_left_alone() {
    let ours = rendered(workload("Deployment", "", &json!({"a": "b"})));
    let live = workload("Deployment", "", &json!({"a": "b", "c": "d"}));
    let desired = Desired { deployments: vec![serde_json::from_value(ours).unwrap()], ..Desired::default() };
    let live: Deployment = serde_json::from_value(live).unwrap();
    let children = Children { deployments: vec![Arc::new(live)], ..Children::default() };
    let act = async move |client: Client| {
        apply::apply(&client, &identity(), desired, &children, &Memory::default()).await.unwrap()
    };
    let applied = with_server(act, nothing).await;
    assert_eq!(applied.immutable, [("Deployment/eaiser-x".to_owned(), "spec.selector")]);
}
