//! Whole statuses of a cluster's life, as golden files. The kstatus library reads the same files
//! (tests/kstatus).

use std::sync::Arc;

use eaiser_operator::apply::Applied;
use eaiser_operator::crd::EaiserClusterStatus;
use eaiser_operator::desired;
use eaiser_operator::drive::{Driven, Roll, Rolls};
use eaiser_operator::mongo::forced::Verdict;
use eaiser_operator::mongo::upkeep::{IndexState, State, Upkeep};
use eaiser_operator::plan::{Mode, Plan, Problem, Problems};
use eaiser_operator::redis_cluster::{WaitReason, Waiting};
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{Children, Credentials, Reference, References, ServedKinds, Snapshot};
use eaiser_operator::status::{self, Pass};
use eaiser_operator::{manifest, mongo, redis_cluster};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

const GENERATION: i64 = 2;

fn plan_of(operation: Value) -> Plan {
    let text = std::fs::read_to_string("examples/eaiser.yaml").unwrap();
    let mut document = manifest::clusters(&text).unwrap().remove(0);
    document["spec"]["operation"] = operation;
    manifest::plan(&document, &Settings::default()).unwrap()
}

fn now() -> Time {
    Time("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())
}

fn pod(tier: &str, name: &str, status: Value) -> Arc<Pod> {
    let labels = json!({"app.kubernetes.io/component": tier});
    let metadata = json!({"name": name, "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"});
    Arc::new(serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap())
}

fn ready_pod(tier: &str, name: &str) -> Arc<Pod> {
    pod(tier, name, json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}))
}

/// Deployments and pods of a cluster that is as the example wants it.
fn running(plan: &Plan) -> Children {
    let mut children = Children::default();
    for live in desired::build(plan, &Snapshot::offline(ServedKinds::default())).deployments {
        let name = live.metadata.name.unwrap();
        let status = json!({
            "observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
        });
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": name, "generation": 1},
            "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": status,
        }))
        .unwrap();
        children.deployments.push(Arc::new(deployment));
    }
    children.deployments.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    children.pods.extend((0..2).map(|n| ready_pod("api", &format!("eaiser-api-{n}"))));
    children.pods.extend((0..3).map(|n| ready_pod("mongodb", &format!("eaiser-mongodb-{n}"))));
    children.pods.extend((0..6).map(|n| ready_pod("redis", &format!("eaiser-redis-{}-{}", n / 2, n % 2))));
    children
}

fn driven(mongodb: mongo::Next, redis: redis_cluster::Next) -> Driven {
    let rolls = Rolls { mongodb: Roll::Done, redis: Roll::Done };
    let forced = Verdict::Unasked { token: "uid".to_owned() };
    let upkeep = Upkeep::default();
    let (done, failed, took) = (Vec::new(), Vec::new(), Vec::new());
    Driven { mongodb, mongodb_user: None, redis, rolls, forced, upkeep, done, failed, took }
}

fn settled() -> Driven {
    driven(mongo::Next::Settled, redis_cluster::Next::Settled)
}

fn compute(plan: &Plan, children: Children, applied: &Applied, driven: &Driven) -> EaiserClusterStatus {
    let snapshot = Snapshot { children, ..Snapshot::offline(ServedKinds::default()) };
    let pass = Pass { plan, snapshot: &snapshot, applied: Ok(applied), driven };
    status::compute(&pass, Some(GENERATION), None, &now())
}

/// The object as the API server would hold it, so that a reader of objects can judge it.
fn check(name: &str, status: &EaiserClusterStatus, deleted: bool) {
    let mut metadata = json!({"name": "eaiser", "namespace": "shop", "generation": GENERATION});
    if deleted {
        metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    }
    let object = json!({
        "apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster",
        "metadata": metadata, "status": status,
    });
    insta::assert_snapshot!(name, serde_saphyr::to_string(&object).unwrap());
}

fn running_plan() -> Plan {
    plan_of(json!({}))
}

#[test]
fn forming() {
    let waiting =
        Waiting { reason: WaitReason::PodsUnreachable, message: "no pod has an address yet".to_owned() };
    let driven = driven(
        mongo::Next::Wait("eaiser-mongodb-0 has no address yet".to_owned()),
        redis_cluster::Next::Wait(waiting),
    );
    let applied = Applied { created: vec!["Secret/eaiser-mongodb-keyfile".to_owned()], ..Applied::default() };
    check("forming", &compute(&running_plan(), Children::default(), &applied, &driven), false);
}

#[test]
fn ready_and_then_deleted() {
    let plan = running_plan();
    let status = compute(&plan, running(&plan), &Applied::default(), &settled());
    check("ready", &status, false);
    check("deleting", &status, true);
}

#[test]
fn ready_while_a_change_has_yet_to_take_effect() {
    let plan = running_plan();
    let applied = Applied { changed: vec!["StatefulSet/eaiser-mongodb".to_owned()], ..Applied::default() };
    check("changing", &compute(&plan, running(&plan), &applied, &settled()), false);
}

#[test]
fn degraded_by_an_image() {
    let plan = running_plan();
    let mut children = running(&plan);
    let mut api = Deployment::clone(&children.deployments[0]);
    api.status.as_mut().unwrap().updated_replicas = Some(1);
    children.deployments[0] = Arc::new(api);
    let state = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
    let container = json!({
        "name": "api", "image": "backend:2", "imageID": "", "ready": false, "restartCount": 0, "state": state,
    });
    children.pods.push(pod("api", "eaiser-api-2", json!({"containerStatuses": [container]})));
    check("degraded", &compute(&plan, children, &Applied::default(), &settled()), false);
}

#[test]
fn blocked_by_an_object_of_somebody_else() {
    let applied = Applied { foreign: vec!["Secret/eaiser-mongodb-keyfile".to_owned()], ..Applied::default() };
    let waits = mongo::Next::Wait("eaiser-mongodb-0 has no address yet".to_owned());
    let driven = driven(waits, redis_cluster::Next::Settled);
    check("foreign", &compute(&running_plan(), Children::default(), &applied, &driven), false);
}

#[test]
fn ready_and_the_password_of_a_user_missing() {
    let text = std::fs::read_to_string("examples/eaiser.yaml").unwrap();
    let mut document = manifest::clusters(&text).unwrap().remove(0);
    let reference = json!({"name": "reporting-login", "key": "password"});
    document["spec"]["mongodb"]["users"] = json!([{"name": "reporting", "passwordSecretRef": reference}]);
    let plan = manifest::plan(&document, &Settings::default()).unwrap();
    let children = running(&plan);
    let missing = References([("reporting-login".to_owned(), Reference::Missing)].into());
    let credentials = Credentials::placeholder().with_users(
        &plan.mongodb.users,
        (&plan.identity, &children),
        &missing,
        |_| {},
    );
    let snapshot = Snapshot { children, credentials, ..Snapshot::offline(ServedKinds::default()) };
    let (applied, driven) = (Applied::default(), settled());
    let pass = Pass { plan: &plan, snapshot: &snapshot, applied: Ok(&applied), driven: &driven };
    check("users", &status::compute(&pass, Some(GENERATION), None, &now()), false);
}

#[test]
fn ready_without_an_index_that_cannot_be_built() {
    let plan = running_plan();
    let index = IndexState {
        name: "email_1".to_owned(),
        collection: "eaiser.users".to_owned(),
        state: State::Failed,
        message: "DuplicateKey (11000): E11000 duplicate key error (values not shown)".to_owned(),
    };
    let upkeep = Upkeep { indexes: vec![index], ..Upkeep::default() };
    let driven = Driven { upkeep, ..settled() };
    check("index", &compute(&plan, running(&plan), &Applied::default(), &driven), false);
}

#[test]
fn invalid() {
    let problems = Problems(vec![Problem::new("spec.api.maxReplicas", "is 1, the plan needs at least 2")]);
    check("invalid", &status::invalid(&problems, Mode::Running, Some(GENERATION), None, &now()), false);
}

#[test]
fn unreadable() {
    let error = "spec.api.replicas: \"many\" is not of type \"integer\"";
    check("unreadable", &status::unreadable(error, Some(GENERATION), None, &now()), false);
}

#[test]
fn paused() {
    let plan = plan_of(json!({"paused": true}));
    check("paused", &compute(&plan, running(&plan), &Applied::default(), &settled()), false);
}

#[test]
fn stopped() {
    let plan = plan_of(json!({"stopped": true}));
    check("stopped", &compute(&plan, Children::default(), &Applied::default(), &settled()), false);
}
