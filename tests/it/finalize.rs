//! The finalizer and the deletion of claims, against a scripted API server.

use std::sync::Arc;

use eaiser_operator::crd::DeletionPolicy;
use eaiser_operator::names::FINALIZER;
use eaiser_operator::reconcile::finalize::{self, Next};
use eaiser_operator::snapshot::Children;
use http::{Method, StatusCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use serde_json::{Value, json};

use crate::apply::{Server, answer, identity, next, with_server};

fn metadata(finalizers: &[&str]) -> ObjectMeta {
    ObjectMeta {
        name: Some("eaiser".to_owned()),
        namespace: Some("shop".to_owned()),
        uid: Some("u-1".to_owned()),
        resource_version: Some("7".to_owned()),
        finalizers: Some(finalizers.iter().map(|&finalizer| finalizer.to_owned()).collect()),
        ..ObjectMeta::default()
    }
}

/// What a change of the finalizers sends.
async fn sent(finalizers: &[&str], kept: bool) -> Value {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let metadata = metadata(finalizers);
    let act = async move |client: Client| finalize::keep(&client, &metadata, kept).await.unwrap();
    with_server(act, |mut server: Server| async move {
        let (request, body, respond) = next(&mut server).await;
        assert_eq!(request.method(), Method::PATCH);
        assert_eq!(request.uri().path(), "/apis/eaiser.io/v1alpha1/namespaces/shop/eaiserclusters/eaiser");
        assert_eq!(request.headers()["content-type"], "application/merge-patch+json");
        // The answer is metadata alone, so an object that does not parse can be released as well.
        respond.send_response(answer(StatusCode::OK, &json!({"metadata": {"name": "eaiser"}})));
        sender.send(body).unwrap();
    })
    .await;
    receiver.await.unwrap()
}

#[tokio::test]
async fn the_patch_holds_finalizers_with_preconditions_and_nothing_of_the_spec() {
    let body = sent(&["example.com/audit"], true).await;
    let expected = json!({"metadata": {"uid": "u-1", "resourceVersion": "7", "finalizers": ["example.com/audit", FINALIZER]}});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn ours_goes_and_those_of_others_stay() {
    let body = sent(&[FINALIZER, "example.com/audit"], false).await;
    assert_eq!(body["metadata"]["finalizers"], json!(["example.com/audit"]));
}

#[tokio::test]
async fn an_object_that_changed_or_went_meanwhile_is_no_error() {
    for (code, reason) in [(StatusCode::CONFLICT, "Conflict"), (StatusCode::NOT_FOUND, "NotFound")] {
        let act = async move |client: Client| finalize::keep(&client, &metadata(&[]), true).await;
        let result = with_server(act, move |mut server: Server| async move {
            let (_, _, respond) = next(&mut server).await;
            let status =
                json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code.as_u16()});
            respond.send_response(answer(code, &status));
        })
        .await;
        assert!(result.is_ok(), "{result:?}");
    }
}

fn claims(names: &[&str]) -> Children {
    let claim = |name: &&str| {
        let labels = json!({"app.kubernetes.io/component": "mongodb"});
        let object = json!({"metadata": {"name": name, "uid": format!("uid-of-{name}"), "labels": labels}});
        Arc::new(serde_json::from_value(object).unwrap())
    };
    Children { claims: names.iter().map(claim).collect(), ..Children::default() }
}

#[tokio::test]
async fn claims_are_deleted_by_uid_and_one_that_is_gone_already_holds_nothing_up() {
    let children = claims(&["data-eaiser-mongodb-0", "data-eaiser-mongodb-1"]);
    let metadata = metadata(&[FINALIZER]);
    let todo = finalize::next(&identity(), DeletionPolicy::Delete, &metadata, &children);
    assert!(matches!(&todo, Next::DeleteClaims(claims) if claims.len() == 2), "{todo:?}");
    let act =
        async move |client: Client| finalize::run(&client, &identity(), &metadata, &todo).await.unwrap();
    with_server(act, |mut server: Server| async move {
        for name in ["data-eaiser-mongodb-0", "data-eaiser-mongodb-1"] {
            let (request, body, respond) = next(&mut server).await;
            assert_eq!(request.method(), Method::DELETE);
            assert_eq!(
                request.uri().path(),
                format!("/api/v1/namespaces/shop/persistentvolumeclaims/{name}")
            );
            assert_eq!(body["preconditions"], json!({"uid": format!("uid-of-{name}")}));
            let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
            respond.send_response(answer(StatusCode::NOT_FOUND, &status));
        }
    })
    .await;
}
