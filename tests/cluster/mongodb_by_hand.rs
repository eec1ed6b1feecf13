//! What somebody did to the replica set by hand: a pod under another name is put right, a member that
//! is no pod is left alone.

use eaiser_operator::mongo::ReplicaSetConfig;
use k8s_openapi::api::core::v1::{Pod, Secret};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress};

use crate::support::cluster::{FORMED_WITHIN, condition};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, example, scenario, until};

const STRANGER: &str = "reports.example.com:27017";

#[test]
#[ignore = "needs a cluster: make test"]
fn a_pod_gets_its_right_name_back_and_a_member_added_by_hand_stays() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        let object = cluster.ready(FORMED_WITHIN).await;
        let primary = object.status.unwrap().mongodb.unwrap().primary.unwrap();
        let renamed = if primary == "eaiser-mongodb-2" { "eaiser-mongodb-1" } else { "eaiser-mongodb-2" };
        let before = config(world, &primary).await;
        let (id, host) = member(&before, renamed);
        reconfigure(world, &primary, |members| {
            let mut members = members.iter_mut().map(|member| member.as_document_mut().unwrap());
            let member =
                members.find(|member| member.get_str("host").is_ok_and(|listed| listed == host)).unwrap();
            member.insert("host", host.replace(".cluster.local", ""));
        })
        .await;
        reconfigure(world, &primary, |members| {
            let stranger = doc! { "_id": 77, "host": STRANGER, "votes": 0, "priority": 0, "hidden": true };
            members.push(stranger.into());
        })
        .await;

        let after = until("the member has its right name again", seconds(90), async || {
            let now = config(world, &primary).await;
            let listed = now.members.iter().map(|member| member.host.clone()).collect::<Vec<_>>();
            if listed.contains(&host) { Ok(now) } else { Err(listed.join(", ")) }
        })
        .await;
        assert_eq!(member(&after, renamed), (id, host), "the member is another one now");
        assert_eq!(after.members.len(), 4, "{:?}", after.members);
        let object = cluster.ready(FORMED_WITHIN).await;
        let message = &condition(&object, "MongoDBReady").unwrap().message;
        assert!(message.contains(STRANGER), "{message}");
        println!("{message}");
        let stays = config(world, &primary).await;
        assert!(stays.members.iter().any(|member| member.host == STRANGER), "{:?}", stays.members);
    });
}

fn member(config: &ReplicaSetConfig, pod: &str) -> (i64, String) {
    let member = config.members.iter().find(|member| member.host.starts_with(pod)).unwrap();
    (member.id, member.host.clone())
}

async fn config(world: &World, pod: &str) -> ReplicaSetConfig {
    let reply = command(world, pod, doc! { "replSetGetConfig": 1 }).await.unwrap();
    ReplicaSetConfig::parse(reply.get_document("config").unwrap().clone()).unwrap()
}

/// As a person would, with what the shell's `rs.reconfig` does.
async fn reconfigure(world: &World, primary: &str, edit: impl Fn(&mut Vec<Bson>)) {
    until("the set takes the configuration", seconds(30), async || {
        let mut config = config(world, primary).await.document().clone();
        let version = config.get_i32("version").unwrap();
        config.insert("version", version + 1);
        edit(config.get_array_mut("members").unwrap());
        command(world, primary, doc! { "replSetReconfig": config }).await
    })
    .await;
}

async fn command(world: &World, pod: &str, command: Document) -> Result<Document, String> {
    let secret: Secret = world.get("eaiser-mongodb-keyfile").await;
    let keyfile = secret.data.unwrap().remove("keyfile").unwrap().0;
    let key: String = String::from_utf8(keyfile).unwrap().split_whitespace().collect();
    let pod: Pod = world.get(pod).await;
    let credential = Credential::builder()
        .username("__system".to_owned())
        .source("local".to_owned())
        .password(key)
        .mechanism(AuthMechanism::ScramSha256)
        .build();
    let host = pod.status.unwrap().pod_ip.unwrap();
    let options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp { host, port: Some(27017) }])
        .direct_connection(true)
        .credential(credential)
        .server_selection_timeout(seconds(10))
        .build();
    let client = mongodb::Client::with_options(options).unwrap();
    client.database("admin").run_command(command).await.map_err(|error| error.to_string())
}
