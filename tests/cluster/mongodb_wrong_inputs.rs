//! Wrong inputs for MongoDB: refused or told in a condition that names the cause and the way out,
//! nothing lost, and Ready again once corrected.

use std::net::SocketAddr;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use mongodb::bson::{Document, doc};
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress};
use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, ROLLED_WITHIN, condition, example_with, holds};
use crate::support::databases;
use crate::support::situation::{Look, Row, create, record};
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, World, example, scenario, until};

/// A build that failed is tried again after ten seconds, and the settled cluster looked at every twenty.
const RETRIED_WITHIN: std::time::Duration = seconds(60);
/// The collection whose indexes are wrong.
const ACCOUNTS: &str = "accounts";

#[test]
#[ignore = "needs a cluster: make test"]
fn mongodb_wrong_inputs_are_named_lose_nothing_and_can_be_corrected() {
    scenario(Needs::Lab, seconds(900), async |world| {
        let _operator = Operator::start(world);
        let mut table = Vec::new();
        without_storage_class(world, &mut table).await;
        let cluster = over_foreign_objects(world, &mut table).await;
        cluster.ready(FORMED_WITHIN).await;
        let item = Kept::item(world).await;
        let before = database_pods(world).await;
        refused_at_once(&cluster, &mut table).await;
        wrong_versions(&cluster, &mut table).await;
        wrong_indexes(world, &cluster, &mut table).await;
        assert_eq!(database_pods(world).await, before, "what is refused restarts no member");
        wrong_images(&cluster, &mut table).await;
        item.is_still_there(world).await;
        record(&table, "mongodb-wrong-inputs");
    });
}

/// The class of a volume is for good: the cluster is deleted with its empty claims, and made anew.
async fn without_storage_class(world: &World, table: &mut Vec<Row>) {
    let storage = json!({"mongodb": {"storage": {"className": "missing"}}});
    let cluster = Cluster::apply(world, example_with(storage)).await;
    let words = ["PersistentVolumeClaim data-eaiser-mongodb-", "\"missing\" not found"];
    let mut look = Look { cluster: &cluster, table };
    look.sees("StorageClass does not exist", "MongoDBReady", "ClaimPending", &words).await;
    cluster.delete().await;
    let claims = world.api::<PersistentVolumeClaim>();
    claims.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
}

async fn over_foreign_objects(world: &World, table: &mut Vec<Row>) -> Cluster {
    create::<Secret>(world, json!({"metadata": {"name": "eaiser-mongodb-keyfile"}})).await;
    let labels = json!({"app": "somebody-elses"});
    create::<StatefulSet>(
        world,
        json!({
            "metadata": {"name": "eaiser-mongodb"},
            "spec": {
                "replicas": 0, "serviceName": "else", "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "x"}]}},
            },
        }),
    )
    .await;
    let cluster = Cluster::apply(world, example()).await;
    let mut look = Look { cluster: &cluster, table };
    look.sees("foreign Secret", "MongoDBReady", "ForeignObject", &["Secret/eaiser-mongodb-keyfile"]).await;
    world.delete::<Secret>("eaiser-mongodb-keyfile").await;
    look.sees("foreign StatefulSet", "MongoDBReady", "ForeignObject", &["StatefulSet/eaiser-mongodb"]).await;
    world.delete::<StatefulSet>("eaiser-mongodb").await;
    cluster
}

/// What admission can know never gets into the cluster.
async fn refused_at_once(cluster: &Cluster, table: &mut Vec<Row>) {
    let mut look = Look { cluster, table };
    let members = json!({"mongodb": {"members": 4}});
    look.is_refused("even number of members", members, &["mongodb.members must be odd"]).await;
    let smaller = json!({"mongodb": {"storage": {"size": "512Mi"}}});
    look.is_refused("volumes shrunk", smaller, &["spec.mongodb.storage.size"]).await;
    let unknown = json!({"mongodb": {"featureCompatibilityVersion": "newest"}});
    let words = ["spec.mongodb.featureCompatibilityVersion", "two numbers"];
    look.is_refused("featureCompatibilityVersion is no version", unknown, &words).await;
}

/// What the members run decides; none of them is restarted.
async fn wrong_versions(cluster: &Cluster, table: &mut Vec<Row>) {
    let status = cluster.get().await.status.unwrap().mongodb.unwrap();
    let (runs, feature) = (status.version.unwrap(), status.feature_compatibility_version.unwrap());
    let major: u32 = runs.split('.').next().unwrap().parse().unwrap();
    let mut look = Look { cluster, table };

    let image = |tag: &str| json!({"mongodb": {"image": format!("localhost/eaiser/mongod:{tag}")}});
    cluster.change(image(&format!("{}.0.1", major + 2))).await;
    let way = format!("go through {}.0", major + 1);
    let words = [runs.as_str(), "more than one major version away", way.as_str()];
    look.sees("major version skipped", "MongoDBReady", "VersionRefused", &words).await;
    cluster.change(image("newest")).await;
    let words = ["localhost/eaiser/mongod:newest", "set spec.mongodb.version"];
    look.sees("image of an unknown version", "MongoDBReady", "VersionRefused", &words).await;
    cluster.change(json!({"mongodb": {"image": "localhost/eaiser/mongod:9.0.1", "version": "7.0"}})).await;
    let words = ["spec.mongodb.version", "is 7.0", "says 9.0.1"];
    look.sees("version against the image's tag", "SpecValid", "SpecInvalid", &words).await;
    cluster.change(json!({"mongodb": {"image": null, "version": null}})).await;
    cluster.ready(FORMED_WITHIN).await;

    let asks = |version: &str| json!({"mongodb": {"featureCompatibilityVersion": version}});
    cluster.change(asks(&format!("{}.0", major + 1))).await;
    let words = [runs.as_str(), "which does not know", "set spec.mongodb.image"];
    look.sees("featureCompatibilityVersion above the binary", "MongoDBReady", "VersionRefused", &words).await;
    if feature != "4.4" {
        cluster.change(asks("4.4")).await;
        let words = [feature.as_str(), "4.4 is lower", "never lowered"];
        look.sees("featureCompatibilityVersion lowered", "MongoDBReady", "VersionRefused", &words).await;
    }
    cluster.change(asks("4.9")).await;
    let words = ["spec.mongodb.featureCompatibilityVersion", "4.9 is no feature compatibility version"];
    look.sees("featureCompatibilityVersion that never was", "SpecValid", "SpecInvalid", &words).await;
    cluster.change(asks(&feature)).await;
    cluster.ready(FORMED_WITHIN).await;

    cluster.change(json!({"mongodb": {"resources": {"requests": {"memory": "12Mi"}}}})).await;
    let words = ["spec.mongodb.resources.limits.memory", "raise"];
    look.sees("memory too small for the connections", "SpecValid", "SpecInvalid", &words).await;
    cluster.change(json!({"mongodb": {"resources": example()["spec"]["mongodb"]["resources"]}})).await;
    cluster.ready(FORMED_WITHIN).await;
}

async fn wrong_indexes(world: &World, cluster: &Cluster, table: &mut Vec<Row>) {
    let database = primary(world, cluster).await;
    let insert = doc! { "insert": ACCOUNTS, "documents": [
        { "_id": 1, "email": "ada@example.com" }, { "_id": 2, "email": "ada@example.com" },
    ]};
    database.run_command(insert).await.unwrap();
    let mut look = Look { cluster, table };

    cluster.change(indexes(&json!([email(&json!({})), email(&json!({"unique": true}))]))).await;
    let words = ["spec.mongodb.indexes[1]", "email_1", "second time"];
    look.sees("index declared twice with different options", "SpecValid", "SpecInvalid", &words).await;

    cluster.change(indexes(&json!([email(&json!({"unique": true}))]))).await;
    let words = ["email_1 of eaiser.accounts", "DuplicateKey (11000)", "values not shown"];
    look.sees("unique index on duplicate keys", "IndexesReady", "IndexFailed", &words).await;
    let told = format!("{:?}", cluster.get().await.status);
    assert!(!told.contains("ada@"), "the status shows values of documents: {told}");
    assert_eq!(count(&database).await, 2, "the duplicates are the user's to remove");
    database
        .run_command(doc! { "delete": ACCOUNTS, "deletes": [{ "q": { "_id": 2 }, "limit": 1 }] })
        .await
        .unwrap();
    built(cluster).await;

    cluster.change(indexes(&json!([email(&json!({"name": "other", "unique": true}))]))).await;
    let words = ["other of eaiser.accounts", "the same index exists under the name email_1"];
    look.sees("index that exists under another name", "IndexesReady", "IndexFailed", &words).await;
    cluster.change(indexes(&json!([email(&json!({}))]))).await;
    let words = ["an index of this name exists with unique true", "drop it"];
    look.sees("index that exists with other options", "IndexesReady", "IndexFailed", &words).await;
    cluster.change(indexes(&json!([email(&json!({"unique": true}))]))).await;
    built(cluster).await;
    assert_eq!(count(&database).await, 1, "nothing else was removed");
}

/// These are taken up, one member at a time: two go on serving until the correction.
async fn wrong_images(cluster: &Cluster, table: &mut Vec<Row>) {
    let version = cluster.get().await.status.unwrap().mongodb.unwrap().version.unwrap();
    let mut look = Look { cluster, table };
    let none = format!("localhost/eaiser/none:{version}");
    cluster.change(json!({"mongodb": {"image": none}})).await;
    let words = ["pod eaiser-mongodb-", none.as_str()];
    look.sees("image does not exist", "MongoDBReady", "ImagePullFailed", &words).await;
    // The pod that waits for an image is replaced at once by each correction.
    let backend = example()["spec"]["api"]["image"].clone();
    cluster.change(json!({"mongodb": {"image": backend, "version": version}})).await;
    look.sees(
        "image is not MongoDB",
        "MongoDBReady",
        "PodCrashing",
        &["\"mongod\": executable file not found"],
    )
    .await;
    cluster.change(json!({"mongodb": {"image": null, "version": null}})).await;
    cluster.ready(ROLLED_WITHIN).await;
}

fn indexes(list: &Value) -> Value {
    json!({"mongodb": {"indexes": list}})
}

/// An index on one field of the accounts.
fn email(options: &Value) -> Value {
    let mut index = json!({"collection": ACCOUNTS, "keys": [{"field": "email"}]});
    index.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    index
}

async fn built(cluster: &Cluster) {
    until("every index is there", RETRIED_WITHIN, async || {
        let object = cluster.get().await;
        if holds(&object, "IndexesReady") && holds(&object, "Ready") {
            return Ok(());
        }
        Err(condition(&object, "IndexesReady").map_or_else(String::new, |one| one.message.clone()))
    })
    .await;
}

async fn count(database: &mongodb::Database) -> i64 {
    let reply: Document = database.run_command(doc! { "count": ACCOUNTS }).await.unwrap();
    reply.get_i32("n").map(i64::from).or_else(|_| reply.get_i64("n")).unwrap()
}

/// Names and identities of the members' pods.
async fn database_pods(world: &World) -> Vec<(String, Option<String>)> {
    let pods = world.pods("mongodb").await;
    let mut pods: Vec<_> = pods.into_iter().map(|pod| (pod.name_any(), pod.metadata.uid)).collect();
    pods.sort();
    pods
}

/// The applications' database on the primary, as the members themselves would log in.
async fn primary(world: &World, cluster: &Cluster) -> mongodb::Database {
    let seen = databases::observe(world, &cluster.get().await).await;
    let (primary, _) = seen.mongodb.primary().unwrap();
    let pod: Pod = world.get(&primary.pod).await;
    let address = SocketAddr::new(pod.status.unwrap().pod_ip.unwrap().parse().unwrap(), 27017);
    let keyfile: Secret = world.get("eaiser-mongodb-keyfile").await;
    let key = String::from_utf8(keyfile.data.unwrap()["keyfile"].0.clone()).unwrap();
    let credential = Credential::builder()
        .username("__system".to_owned())
        .source("local".to_owned())
        .password(key.split_whitespace().collect::<String>())
        .mechanism(AuthMechanism::ScramSha256)
        .build();
    let options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp { host: address.ip().to_string(), port: Some(address.port()) }])
        .direct_connection(true)
        .credential(credential)
        .build();
    mongodb::Client::with_options(options).unwrap().database("eaiser")
}
