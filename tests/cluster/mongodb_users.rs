//! Database users of a spec, and a new password for the API while requests come in.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::cluster::{FORMED_WITHIN, NAME, condition, example_with, holds};
use crate::support::http::{self, Tally};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, scenario, until};

/// A settled cluster is looked at every 20 s.
const NOTICED_WITHIN: Duration = seconds(40);
/// The API's Secret.
const CONNECTION: &str = "eaiser-mongodb-connection";
/// Every character that a connection string gives a meaning.
const HOSTILE: &str = "p@ss:w/rd %41?#[]&=+$";

#[test]
#[ignore = "needs a cluster: make test"]
fn mongodb_users_are_as_specified_and_the_api_gets_a_new_password_without_a_failed_request() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let _operator = Operator::start(world);
        let manifest = example_with(json!({"mongodb": {"users": users("no-such-role")}}));
        let cluster = Cluster::apply(world, manifest).await;
        cluster.ready(FORMED_WITHIN).await;
        wrong_from_the_start_and_corrected(world, &cluster).await;
        a_changed_secret_is_a_changed_password(world, &cluster).await;
        what_is_changed_by_hand_is_changed_back(world).await;
        who_leaves_the_spec_stays_until_pruned(world, &cluster).await;
        a_new_password_for_the_api(world, &cluster).await;
    });
}

/// One user of each kind; the auditor's role is given.
fn users(role: &str) -> Value {
    json!([
        {"name": "auditor", "roles": [{"role": role}]},
        {"name": "billing", "database": "bank", "passwordSecretRef": {"name": "billing-login", "key": "password"}},
        {"name": "dba", "database": "admin", "roles": [{"role": "userAdminAnyDatabase"}]},
        {"name": "reporting", "roles": [{"role": "read"}]},
    ])
}

/// A role and a Secret that do not exist hold up nobody else, least of all the cluster.
async fn wrong_from_the_start_and_corrected(world: &World, cluster: &Cluster) {
    told(
        cluster,
        false,
        &["user auditor: ", "no-such-role", "user billing: Secret billing-login does not exist"],
    )
    .await;
    assert!(holds(&cluster.get().await, "Ready"), "users hold up the cluster");
    let reporting = uri(world, "reporting").await;
    ask(&reporting, "eaiser", doc! { "count": "items" }).await.unwrap();
    let refused = ask(&reporting, "eaiser", doc! { "insert": "items", "documents": [{}] }).await.unwrap_err();
    assert!(refused.contains("13"), "a reader may write: {refused}");

    let secret = json!({"metadata": {"name": "billing-login"}, "stringData": {"password": HOSTILE}});
    let secret: Secret = serde_json::from_value(secret).unwrap();
    world.api::<Secret>().create(&PostParams::default(), &secret).await.unwrap();
    cluster.change(json!({"mongodb": {"users": users("read")}})).await;
    told(cluster, true, &["4 of 4 users are as specified"]).await;
    ask(&uri(world, "billing").await, "bank", doc! { "insert": "bills", "documents": [{}] }).await.unwrap();
}

/// A Secret of somebody else is followed; one that is no password changes nothing.
async fn a_changed_secret_is_a_changed_password(world: &World, cluster: &Cluster) {
    let earlier = uri(world, "billing").await;
    world.merge::<Secret>("billing-login", json!({"stringData": {"password": "another one"}})).await;
    refused_soon(&earlier, "bank").await;
    world.merge::<Secret>("billing-login", json!({"data": {"password": ""}})).await;
    told(cluster, false, &["user billing: key password of Secret billing-login is empty"]).await;
    ask(&uri(world, "billing").await, "bank", doc! { "count": "bills" }).await.unwrap();
    world.merge::<Secret>("billing-login", json!({"stringData": {"password": HOSTILE}})).await;
    told(cluster, true, &["4 of 4"]).await;
    ask(&earlier, "bank", doc! { "count": "bills" }).await.unwrap();
    let theirs: Secret = world.get("billing-login").await;
    assert_eq!(theirs.metadata.owner_references, None, "it is owned by nobody");
    assert_eq!(theirs.metadata.labels, None);
}

async fn what_is_changed_by_hand_is_changed_back(world: &World) {
    let (reporting, dba) = (uri(world, "reporting").await, uri(world, "dba").await);
    let by_hand = doc! { "updateUser": "reporting", "pwd": "by hand", "roles": ["readWrite"] };
    ask(&dba, "eaiser", by_hand).await.unwrap();
    until("password and role of reporting are as before", NOTICED_WITHIN, async || {
        ask(&reporting, "eaiser", doc! { "count": "items" }).await?;
        match ask(&reporting, "eaiser", doc! { "insert": "items", "documents": [{}] }).await {
            Err(_) => Ok(()),
            Ok(_) => Err("it may write".to_owned()),
        }
    })
    .await;
}

async fn who_leaves_the_spec_stays_until_pruned(world: &World, cluster: &Cluster) {
    let auditor = uri(world, "auditor").await;
    let mut fewer = users("read");
    fewer.as_array_mut().unwrap().remove(0);
    cluster.change(json!({"mongodb": {"users": fewer}})).await;
    let object = told(cluster, true, &["3 of 3", "auditor@eaiser left the spec and can still log in"]).await;
    let listed = object.status.unwrap().mongodb.unwrap().users;
    assert!(listed.iter().any(|user| user.name == "auditor" && user.state == "Left"), "{listed:?}");
    ask(&auditor, "eaiser", doc! { "count": "items" }).await.unwrap();
    assert_eq!(uri(world, "auditor").await, auditor, "its Secret stays as it is");
    cluster.change(json!({"mongodb": {"pruneUsers": true}})).await;
    refused_soon(&auditor, "eaiser").await;
    until("its Secret is gone", seconds(20), async || {
        match world.api::<Secret>().get_opt("eaiser-mongodb-user-auditor").await.unwrap() {
            None => Ok(()),
            Some(_) => Err("it is there".to_owned()),
        }
    })
    .await;
}

/// Asked by an annotation, twice with the same value, as a pipeline would.
async fn a_new_password_for_the_api(world: &World, cluster: &Cluster) {
    let before = value(world, CONNECTION, "uri").await;
    let (stop, stopped) = watch::channel(false);
    let traffic = tokio::spawn(traffic(http::gateway(world, "/items"), stopped));
    let begin = std::time::Instant::now();
    annotate(cluster, "1").await;
    until("the API's other user is in its Secret", seconds(30), async || {
        match value(world, CONNECTION, "username").await.as_str() {
            "eaiser-app-b" => Ok(()),
            other => Err(format!("it is {other}")),
        }
    })
    .await;
    // Both work while the API rolls.
    ask(&before, "eaiser", doc! { "count": "items" }).await.unwrap();
    until("the API's earlier user is gone", seconds(120), async || {
        match ask(&before, "eaiser", doc! { "count": "items" }).await {
            Ok(_) => Err(condition(&cluster.get().await, "MongoDBUsersReady").unwrap().message.clone()),
            Err(_) => Ok(()),
        }
    })
    .await;
    let took = begin.elapsed().as_secs_f32();
    annotate(cluster, "1").await;
    told(cluster, true, &["3 of 3"]).await;
    tokio::time::sleep(seconds(3)).await;
    stop.send_replace(true);
    let Tally { sent, failed } = traffic.await.unwrap();
    println!(
        "a new password for the API within {took:.1} s; {sent} GETs and POSTs meanwhile, {} failed",
        failed.len()
    );
    assert!(sent > 200, "{sent} requests are no load");
    assert!(failed.is_empty(), "{} of {sent} failed: {:?}", failed.len(), &failed[..failed.len().min(5)]);
    let after = value(world, CONNECTION, "uri").await;
    assert_ne!(after, before);
    ask(&after, "eaiser", doc! { "count": "items" }).await.unwrap();
    let left = world.api::<Secret>().get_opt("eaiser-mongodb-next-login").await.unwrap();
    assert!(left.is_none(), "the Secret of the change is left over");
}

/// Alternately a POST and a GET of what it made, 20 of each a second, until told to stop.
async fn traffic(url: String, mut stopped: watch::Receiver<bool>) -> Tally {
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut requests = Vec::new();
    while !*stopped.borrow_and_update() {
        tick.tick().await;
        let url = url.clone();
        requests.push(tokio::spawn(async move {
            let made = http::post(&url, &json!({"name": "kept", "value": 7})).await?;
            let id = made.body["id"].as_str().ok_or_else(|| format!("POST: {made:?}"))?;
            http::read_back(&format!("{url}/{id}")).await
        }));
    }
    let mut tally = Tally { sent: 2 * requests.len(), failed: Vec::new() };
    for request in requests {
        tally.failed.extend(request.await.unwrap().err());
    }
    tally
}

async fn annotate(cluster: &Cluster, value: &str) {
    let patch = json!({"metadata": {"annotations": {"mongodb.eaiser.io/rotate-password": value}}});
    cluster.api.patch(NAME, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// Waits until the condition about users has this state and names every word.
async fn told(cluster: &Cluster, is: bool, words: &[&str]) -> eaiser_operator::crd::EaiserCluster {
    until(&format!("MongoDBUsersReady is {is} and names {words:?}"), NOTICED_WITHIN, async || {
        let object = cluster.get().await;
        let found = condition(&object, "MongoDBUsersReady").ok_or("no such condition")?;
        let named = words.iter().all(|word| found.message.contains(word));
        if named && holds(&object, "MongoDBUsersReady") == is {
            return Ok(object);
        }
        Err(format!("{} {}: {}", found.status, found.reason, found.message))
    })
    .await
}

async fn refused_soon(uri: &str, database: &str) {
    until("the login is refused", NOTICED_WITHIN, async || {
        match ask(uri, database, doc! { "count": "items" }).await {
            Err(_) => Ok(()),
            Ok(_) => Err("it works".to_owned()),
        }
    })
    .await;
}

/// Connection string of a user of the spec.
async fn uri(world: &World, user: &str) -> String {
    value(world, &format!("eaiser-mongodb-user-{user}"), "uri").await
}

async fn value(world: &World, secret: &str, key: &str) -> String {
    let secret: Secret = world.get(secret).await;
    String::from_utf8(secret.data.unwrap()[key].0.clone()).unwrap()
}

/// Logs in anew with nothing but the connection string.
async fn ask(uri: &str, database: &str, command: Document) -> Result<Document, String> {
    let mut options = ClientOptions::parse(uri).await.map_err(|error| error.to_string())?;
    options.server_selection_timeout = Some(seconds(10));
    let client = mongodb::Client::with_options(options).map_err(|error| error.to_string())?;
    client.database(database).run_command(command).await.map_err(|error| error.to_string())
}
