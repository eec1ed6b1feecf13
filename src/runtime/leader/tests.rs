//! The election against a scripted API server and a scripted watch.

use futures::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

use super::*;

type Server = Handle<Request<Body>, Response<Body>>;

const ME: &str = "operator-a";

fn lease(version: u64, holder: Option<&str>) -> Lease {
    let object = json!({
        "metadata": {"name": "eaiser-operator", "namespace": "shop", "resourceVersion": version.to_string()},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3},
    });
    serde_json::from_value(object).unwrap()
}

fn candidate() -> (Election, Fence, Server) {
    let (service, server) = mock::pair::<Request<Body>, Response<Body>>();
    let fence = Fence::closed();
    let client = Client::new(service, "shop");
    (Election::new(client, "shop", "eaiser-operator", ME, fence.clone()), fence, server)
}

fn listed(lease: Option<Lease>) -> Vec<Event<Lease>> {
    let mut events = vec![Event::Init];
    events.extend(lease.map(Event::InitApply));
    events.push(Event::InitDone);
    events
}

/// Runs the election over what the watch brings until `stop`.
fn follow(
    mut election: Election,
    events: Vec<Event<Lease>>,
    stop: tokio::sync::oneshot::Receiver<()>,
) -> tokio::task::JoinHandle<Election> {
    tokio::spawn(async move {
        let events = stream::iter(events.into_iter().map(Ok)).chain(stream::pending());
        election.follow(events, async move { _ = stop.await }, || ()).await;
        election
    })
}

async fn next(server: &mut Server) -> (Method, Value, mock::SendResponse<Response<Body>>) {
    let (request, respond) = server.next_request().await.unwrap();
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.method, serde_json::from_slice(&bytes).unwrap(), respond)
}

fn answer(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    Response::builder().status(status).body(Body::from(serde_json::to_vec(body).unwrap())).unwrap()
}

fn conflict() -> Response<Body> {
    let status = json!({"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409, "message": "changed"});
    answer(StatusCode::CONFLICT, &status)
}

#[tokio::test]
async fn a_missing_lease_is_created_and_opens_the_fence() {
    let (election, fence, mut server) = candidate();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let election = follow(election, listed(None), stopped);
    let (method, body, respond) = next(&mut server).await;
    assert_eq!(method, Method::POST);
    assert_eq!(body["spec"]["holderIdentity"], ME);
    assert_eq!(body["spec"]["leaseDurationSeconds"], 15);
    assert!(!fence.holds(), "open before the server said yes");
    respond.send_response(answer(StatusCode::CREATED, &lease(1, Some(ME))));
    fence.opened().await;
    stop.send(()).unwrap();
    election.await.unwrap();
}

#[tokio::test]
async fn a_released_lease_is_taken_in_the_version_that_was_seen() {
    let (election, fence, mut server) = candidate();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let election = follow(election, listed(Some(lease(7, None))), stopped);
    let (method, body, respond) = next(&mut server).await;
    assert_eq!(method, Method::PUT);
    assert_eq!(body["metadata"]["resourceVersion"], "7");
    assert_eq!(body["spec"]["leaseTransitions"], 4);
    respond.send_response(answer(StatusCode::OK, &lease(8, Some(ME))));
    fence.opened().await;
    stop.send(()).unwrap();
    election.await.unwrap();
}

#[tokio::test]
async fn a_conflict_gives_no_right_to_write() {
    let (election, fence, mut server) = candidate();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let election = follow(election, listed(Some(lease(7, None))), stopped);
    let (_, _, respond) = next(&mut server).await;
    respond.send_response(conflict());
    tokio::task::yield_now().await;
    stop.send(()).unwrap();
    let election = election.await.unwrap();
    assert!(!fence.holds());
    assert!(election.attempt.is_some(), "the next attempt is not put off");
}

#[tokio::test]
async fn somebody_elses_lease_is_left_alone() {
    let (election, fence, mut server) = candidate();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let election = follow(election, listed(Some(lease(7, Some("operator-b")))), stopped);
    tokio::task::yield_now().await;
    stop.send(()).unwrap();
    let election = election.await.unwrap();
    assert!(!fence.holds());
    election.release().await;
    assert!(server.next_request().await.is_none(), "a foreign lease was written");
}

#[tokio::test]
async fn a_holder_that_sees_another_in_its_place_stops_writing_at_once() {
    let (mut election, fence, _server) = candidate();
    election.remember(lease(7, Some(ME)), Instant::now());
    fence.hold_until(Instant::now() + claim::WRITE);
    election.note(Event::Apply(lease(8, Some("operator-b"))));
    assert!(!fence.holds());
    assert!(!election.holds());
}

#[tokio::test]
async fn what_a_holder_overtook_and_sees_late_changes_nothing() {
    let (mut election, fence, _server) = candidate();
    election.remember(lease(7, Some(ME)), Instant::now());
    fence.hold_until(Instant::now() + claim::WRITE);
    election.note(Event::Apply(lease(6, Some("operator-b"))));
    assert!(fence.holds());
    assert!(election.holds());
}

#[tokio::test]
async fn stopping_closes_the_fence_before_it_releases_the_lease() {
    let (mut election, fence, mut server) = candidate();
    election.remember(lease(7, Some(ME)), Instant::now());
    fence.hold_until(Instant::now() + claim::WRITE);
    let released = tokio::spawn(election.release());
    let (method, body, respond) = next(&mut server).await;
    assert!(!fence.holds(), "released while it could still write");
    assert_eq!((method, &body["metadata"]["resourceVersion"]), (Method::PUT, &json!("7")));
    assert_eq!(body["spec"].get("holderIdentity"), None);
    respond.send_response(answer(StatusCode::OK, &lease(8, None)));
    released.await.unwrap();
}
