//! Applying against a scripted API server: verbs, paths, managers, preconditions.

use std::sync::Arc;
use std::time::Duration;

use eaiser_operator::apply::{self, Applied, Memory};
use eaiser_operator::desired::Desired;
use eaiser_operator::names::Identity;
use eaiser_operator::snapshot::Children;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

pub(crate) type Server = Handle<Request<Body>, Response<Body>>;

pub(crate) fn identity() -> Identity {
    Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u-1".to_owned() }
}

fn config_map(value: &str) -> ConfigMap {
    let body = json!({
        "metadata": {"name": "eaiser-rules", "namespace": "shop", "ownerReferences": [
            {"apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster", "name": "eaiser", "uid": "u-1", "controller": true}
        ]},
        "data": {"key": value},
    });
    serde_json::from_value(body).unwrap()
}

/// As the watch would show it after a write of `written`.
fn live(written: &Value, change: impl FnOnce(&mut Value)) -> Children {
    let mut object = written.clone();
    object["metadata"]["resourceVersion"] = json!("7");
    object["metadata"]["uid"] = json!("cm-1");
    change(&mut object);
    Children { config_maps: vec![Arc::new(serde_json::from_value(object).unwrap())], ..Children::default() }
}

/// Applies one ConfigMap while `server` plays the API server.
async fn apply_one<S>(value: Option<&str>, children: Children, server: impl FnOnce(Server) -> S) -> Applied
where
    S: Future<Output = ()> + Send + 'static,
{
    let desired = Desired { config_maps: value.map(config_map).into_iter().collect(), ..Desired::default() };
    let act = async move |client: Client| {
        apply::apply(&client, &identity(), desired, &children, &Memory::default()).await.unwrap()
    };
    with_server(act, server).await
}

/// Acts while `server` plays the API server, to the end of its part and no further.
pub(crate) async fn with_server<T, S>(
    act: impl AsyncFnOnce(Client) -> T,
    server: impl FnOnce(Server) -> S,
) -> T
where
    S: Future<Output = ()> + Send + 'static,
{
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    let script = tokio::spawn(server(handle));
    let done = act(Client::new(service, "default")).await;
    tokio::time::timeout(Duration::from_secs(5), script)
        .await
        .expect("a request was expected and not sent")
        .unwrap();
    done
}

pub(crate) async fn next(server: &mut Server) -> (Request<()>, Value, mock::SendResponse<Response<Body>>) {
    let (request, respond) = server.next_request().await.expect("no request came");
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (Request::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap_or_default(), respond)
}

pub(crate) fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    Response::builder().status(status).body(Body::from(serde_json::to_vec(body).unwrap())).unwrap()
}

pub(crate) async fn nothing(mut server: Server) {
    assert!(server.next_request().await.is_none(), "a request was sent although nothing is to do");
}

/// What the operator writes for a missing object.
async fn written() -> Value {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    apply_one(Some("a"), Children::default(), |mut server| async move {
        let (_, body, respond) = next(&mut server).await;
        respond.send_response(answer(StatusCode::CREATED, &body));
        sender.send(body).unwrap();
    })
    .await;
    receiver.await.unwrap()
}

#[tokio::test]
async fn a_missing_object_is_created_by_an_apply_that_cannot_hit_an_existing_one() {
    let applied = apply_one(Some("a"), Children::default(), |mut server| async move {
        let (request, body, respond) = next(&mut server).await;
        assert_eq!(request.method(), Method::PATCH);
        assert_eq!(request.uri().path(), "/api/v1/namespaces/shop/configmaps/eaiser-rules");
        assert_eq!(request.uri().query(), Some("&force=true&fieldManager=eaiser-operator"));
        assert_eq!(request.headers()["content-type"], "application/apply-patch+yaml");
        assert_eq!(body["metadata"]["resourceVersion"], "1");
        respond.send_response(answer(StatusCode::CREATED, &body));
    })
    .await;
    assert_eq!(applied.created, ["ConfigMap/eaiser-rules"]);
}

#[tokio::test]
async fn an_object_of_our_name_that_is_not_ours_is_reported_and_left_alone() {
    let applied = apply_one(Some("a"), Children::default(), |mut server| async move {
        let (_, _, respond) = next(&mut server).await;
        let status = json!({"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409, "message": "exists"});
        respond.send_response(answer(StatusCode::CONFLICT, &status));
    })
    .await;
    assert_eq!(applied.foreign, ["ConfigMap/eaiser-rules"]);
}

#[tokio::test]
async fn an_unchanged_object_causes_no_request() {
    let children = live(&written().await, |object| object["metadata"]["labels"] = json!({"team": "shop"}));
    assert_eq!(apply_one(Some("a"), children, nothing).await, Applied::default());
}

#[tokio::test]
async fn a_field_of_ours_that_drifted_is_applied_again() {
    let children = live(&written().await, |object| object["data"]["key"] = json!("edited by hand"));
    let applied = apply_one(Some("a"), children, |mut server| async move {
        let (request, body, respond) = next(&mut server).await;
        assert_eq!(request.method(), Method::PATCH);
        assert_eq!(body["data"]["key"], "a");
        assert_eq!(body["metadata"].get("resourceVersion"), None, "an existing object is applied as it is");
        respond.send_response(answer(StatusCode::OK, &body));
    })
    .await;
    assert_eq!(applied.changed, ["ConfigMap/eaiser-rules"]);
}

#[tokio::test]
async fn an_object_of_an_earlier_cluster_of_the_same_name_is_waited_for() {
    let children =
        live(&written().await, |object| object["metadata"]["ownerReferences"][0]["uid"] = json!("u-0"));
    let applied = apply_one(Some("a"), children, nothing).await;
    assert_eq!(applied.leftover, ["ConfigMap/eaiser-rules"]);
}

#[tokio::test]
async fn a_stray_is_deleted_with_its_uid_as_precondition() {
    let children = live(&written().await, |_| ());
    let applied = apply_one(None, children, |mut server| async move {
        let (request, body, respond) = next(&mut server).await;
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(body["preconditions"], json!({"uid": "cm-1", "resourceVersion": "7"}));
        respond.send_response(answer(StatusCode::OK, &json!({"kind": "Status", "status": "Success"})));
    })
    .await;
    assert_eq!(applied.deleted, ["ConfigMap/eaiser-rules"]);
}

#[tokio::test]
async fn a_stray_of_somebody_else_is_not_deleted() {
    let children =
        live(&written().await, |object| object["metadata"]["ownerReferences"][0]["uid"] = json!("u-0"));
    assert_eq!(apply_one(None, children, nothing).await, Applied::default());
}

#[tokio::test]
async fn a_stray_that_changed_or_went_meanwhile_is_left_for_the_next_pass() {
    for (code, reason) in [(StatusCode::CONFLICT, "Conflict"), (StatusCode::NOT_FOUND, "NotFound")] {
        let children = live(&written().await, |_| ());
        let applied = apply_one(None, children, move |mut server| async move {
            let (_, _, respond) = next(&mut server).await;
            let status =
                json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code.as_u16()});
            respond.send_response(answer(code, &status));
        })
        .await;
        assert_eq!(applied, Applied::default());
    }
}

#[tokio::test]
async fn a_stray_without_an_owner_is_not_deleted_although_it_bears_our_labels() {
    let children = live(&written().await, |object| object["metadata"]["ownerReferences"] = json!([]));
    assert_eq!(apply_one(None, children, nothing).await, Applied::default());
}
