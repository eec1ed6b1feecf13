//! `eaiser plan --cluster` and `eaiser status` beside a real operator: what they say comes true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, NAME, condition, example, example_with};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, operator, scenario, until};

/// Runs the program as somebody at a shell would, with the caller's rights or with `kubeconfig`.
fn eaiser(world: &World, kubeconfig: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eaiser"));
    command.args(arguments).args(["--namespace", &world.namespace]);
    if let (Some(&"plan"), Some(address)) = (arguments.first(), operator::api_server_address(world)) {
        // The scenario's operator is no pod, so nothing in the cluster tells its settings.
        command.arg(format!("--operator-address-block={address}/32"));
    }
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn file(world: &World, name: &str, manifest: &Value) -> String {
    let path = world.directory.join(name);
    std::fs::write(&path, manifest.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// uid of every pod that stays, by name: old API pods still answer their last requests.
async fn pods(world: &World) -> BTreeMap<String, String> {
    let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
    let stays = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
    pods.into_iter().filter(stays).map(|pod| (pod.name_any(), pod.uid().unwrap())).collect()
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_plan_against_the_cluster_foretells_what_the_operator_does() {
    scenario(Needs::Lab, seconds(420), async |world| {
        let _operator = Operator::start(world);
        let first = file(world, "first.yaml", &example());
        let planned = eaiser(world, None, &["plan", "--cluster", "--filename", &first]);
        assert_eq!(planned.status.code(), Some(2), "{}", said(&planned));
        assert!(said(&planned).contains("+ StatefulSet/eaiser-mongodb"), "{}", said(&planned));

        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        // The operator's images are not this program's defaults: they are found out.
        until("nothing would change", seconds(30), async || {
            let settled = eaiser(world, None, &["plan", "--cluster", NAME]);
            if settled.status.code() == Some(0) { Ok(()) } else { Err(said(&settled)) }
        })
        .await;

        let changed = example_with(json!({
            "capacity": {"users": 6000},
            "mongodb": {"resources": {"requests": {"cpu": "110m"}}},
        }));
        let second = file(world, "second.yaml", &changed);
        let planned = eaiser(world, None, &["plan", "--cluster", "--filename", &second, "--output", "json"]);
        assert_eq!(planned.status.code(), Some(2), "{}", said(&planned));
        let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
        let restarts = planned[0]["restarts"].as_array().unwrap();
        let foretold: BTreeSet<String> = restarts
            .iter()
            .flat_map(|restart| restart["pods"].as_array().unwrap())
            .map(|pod| pod.as_str().unwrap().to_owned())
            .collect();

        let before = pods(world).await;
        Cluster::apply(world, changed).await;
        settled(&cluster).await;
        let after = pods(world).await;
        let replaced: BTreeSet<String> = before
            .iter()
            .filter(|(name, uid)| after.get(*name) != Some(*uid))
            .map(|(name, _)| name.clone())
            .collect();
        println!("foretold to restart: {foretold:?}\nreplaced:            {replaced:?}");
        assert!(foretold.len() >= 5, "MongoDB and the API restart: {foretold:?}");
        assert_eq!(foretold, replaced);
        let again = eaiser(world, None, &["plan", "--cluster", "--filename", &second]);
        assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    });
}

/// Ready, and nothing is under way any more.
async fn settled(cluster: &Cluster) {
    until("the change is carried out", FORMED_WITHIN, async || {
        let object = cluster.get().await;
        let status = object.status.clone().unwrap_or_default();
        let progressing =
            condition(&object, "Progressing").is_none_or(|condition| condition.status == "True");
        let ready = condition(&object, "Ready").is_some_and(|condition| condition.status == "True");
        if status.observed_generation == object.metadata.generation && ready && !progressing {
            Ok(())
        } else {
            Err(status.message.unwrap_or_default())
        }
    })
    .await;
}

#[test]
#[ignore = "needs a cluster: make test"]
fn status_tells_forming_from_ready_and_a_reader_without_secrets_sees_the_rest() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let nothing = eaiser(world, None, &["status"]);
        assert_eq!(nothing.status.code(), Some(1), "{}", said(&nothing));
        assert!(said(&nothing).contains("there is no EaiserCluster in namespace"), "{}", said(&nothing));

        let cluster = Cluster::apply(world, example()).await;
        let unseen = eaiser(world, None, &["status"]);
        assert_eq!(unseen.status.code(), Some(3), "{}", said(&unseen));
        assert!(said(&unseen).contains("no operator has looked at this cluster yet"), "{}", said(&unseen));

        let _operator = Operator::start(world);
        until("the operator has looked", seconds(30), async || {
            let forming = eaiser(world, None, &["status", NAME, "--output", "json"]);
            let found: Value = serde_json::from_slice(&forming.stdout).unwrap_or_default();
            match (forming.status.code(), found[0]["phase"].as_str()) {
                (Some(3), Some("Forming" | "Degraded")) => Ok(()),
                _ => Err(said(&forming)),
            }
        })
        .await;

        cluster.ready(FORMED_WITHIN).await;
        let ready = eaiser(world, None, &["status"]);
        let screen = said(&ready);
        println!("{screen}");
        assert_eq!(ready.status.code(), Some(0), "{screen}");
        for expected in [
            "Ready",
            "bound by connections",
            "primary, 546",
            "secondary",
            "1 may be evicted",
            "eaiser-gateway",
        ] {
            assert!(screen.contains(expected), "no {expected:?} in:\n{screen}");
        }
        assert!(screen.lines().count() <= 45, "{screen}");
        assert!(screen.lines().all(|line| line.chars().count() <= 100), "{screen}");

        let missing = eaiser(world, None, &["status", "nope"]);
        assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
        assert!(said(&missing).contains("there is eaiser"), "{}", said(&missing));

        let reader = reader(world);
        let seen = eaiser(world, Some(&reader), &["status"]);
        assert_eq!(seen.status.code(), Some(0), "{}", said(&seen));
        let planned = eaiser(world, Some(&reader), &["plan", "--cluster"]);
        assert!(said(&planned).contains("you may not list them: Secret"), "{}", said(&planned));
        assert!(
            !said(&planned).contains("Restarts"),
            "what it cannot read is not changed: {}",
            said(&planned)
        );
    });
}

/// A kubeconfig of somebody with Kubernetes' own `view` role, which has no Secrets, and the right to
/// read clusters.
fn reader(world: &World) -> PathBuf {
    let namespace = &world.namespace;
    world.kubectl(&["create", "serviceaccount", "reader"]);
    let subject = format!("--serviceaccount={namespace}:reader");
    world.kubectl(&["create", "rolebinding", "reader", "--clusterrole=view", &subject]);
    world.kubectl(&["create", "role", "clusters", "--verb=get,list", "--resource=eaiserclusters.eaiser.io"]);
    world.kubectl(&["create", "rolebinding", "clusters", "--role=clusters", &subject]);
    let token = world.kubectl(&["create", "token", "reader"]);
    let view = world.kubectl(&["config", "view", "--raw", "--output", "json"]);
    let mut config: Value = serde_json::from_str(&view).unwrap();
    for user in config["users"].as_array_mut().unwrap() {
        user["user"] = json!({"token": token});
    }
    let path = world.directory.join("reader.kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}
