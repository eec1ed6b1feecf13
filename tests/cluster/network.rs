//! What the network policies let through, tried from real pods with real connections.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::{Command, Stdio};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, NAME};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, example, lab, operator, processes, scenario, until};

/// A dropped connection attempt is given up after so many seconds; an allowed one takes milliseconds.
const PATIENCE: &str = "3";
/// Time for the enforcement to know the last pod's address.
const ENFORCED_WITHIN: u64 = 60;

/// The table of tests/data.
#[derive(Deserialize)]
struct Table {
    targets: Vec<String>,
    sources: BTreeMap<String, Vec<String>>,
}

/// Whose network a connection is tried from.
enum Place {
    Pod(u32),
    ThisProcess,
}

/// Verdict of each `(source, target)`.
type Verdicts = BTreeMap<(String, String), bool>;

#[test]
#[ignore = "needs the lab: make test"]
fn every_pair_of_pods_is_open_or_closed_as_the_table_says() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let table = lab::repository().join("tests/data/reachability.yaml");
        let table: Table = serde_saphyr::from_str(&std::fs::read_to_string(table).unwrap()).unwrap();
        let elsewhere = world.second_namespace().await;
        let _operator = Operator::start_with(world, &["--operator-namespace", &elsewhere]);
        let cluster = Cluster::apply(world, example()).await;
        let mut places = bystanders(world, &elsewhere).await;
        cluster.ready(FORMED_WITHIN).await;
        let (outside, _listener) = Outside::open().await;
        let addresses = addresses(world, &outside).await;
        for tier in ["gateway", "api", "mongodb", "redis"] {
            places.insert(tier.to_owned(), place(&members(world, tier).await[0]));
        }
        places.insert("operator-outside".to_owned(), Place::ThisProcess);

        assert_eq!(table.sources.keys().collect::<Vec<_>>(), places.keys().collect::<Vec<_>>());
        let wanted = wanted(&table);
        assert!(wanted.len() >= 40, "{} pairs", wanted.len());
        let found = until("every pair is as the table says", seconds(ENFORCED_WITHIN), async || {
            let found = attempts(&places, &addresses);
            let wrong: Vec<_> = found.iter().filter(|(pair, open)| wanted[*pair] != **open).collect();
            if wrong.is_empty() { Ok(found) } else { Err(format!("{wrong:?}")) }
        })
        .await;
        println!("{}", text(&table, &found));
    });
}

fn wanted(table: &Table) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for (source, open) in &table.sources {
        assert!(open.iter().all(|target| table.targets.contains(target)), "{source}: {open:?}");
        for target in &table.targets {
            verdicts.insert((source.clone(), target.clone()), open.contains(target));
        }
    }
    verdicts
}

/// Tries every pair at once.
fn attempts(places: &BTreeMap<String, Place>, addresses: &BTreeMap<String, String>) -> Verdicts {
    let mut running = Vec::new();
    for (source, place) in places {
        for (target, address) in addresses {
            running.push(((source.clone(), target.clone()), connection(place, address)));
        }
    }
    running.into_iter().map(|(pair, mut child)| (pair, child.wait().unwrap().success())).collect()
}

/// A shell of this machine that opens a TCP connection inside the pod's network namespace.
fn connection(place: &Place, address: &str) -> std::process::Child {
    let mut command = match place {
        Place::Pod(process) => {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{process}/ns/net")).args(["--", "timeout"]);
            command
        }
        Place::ThisProcess => Command::new("timeout"),
    };
    command.args([PATIENCE, "bash", "-c", "exec 3<>\"/dev/tcp/${1%:*}/${1##*:}\"", "connect", address]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn text(table: &Table, found: &Verdicts) -> String {
    let mut text = format!("{} pairs\n{:<18}", found.len(), "");
    for target in &table.targets {
        let _ = write!(text, "{target:>15}");
    }
    for source in table.sources.keys() {
        let _ = write!(text, "\n{source:<18}");
        for target in &table.targets {
            let open = found[&(source.clone(), target.clone())];
            let _ = write!(text, "{:>15}", if open { "open" } else { "." });
        }
    }
    text
}

/// Pods that belong to no cluster.
async fn bystanders(world: &World, elsewhere: &str) -> BTreeMap<String, Place> {
    let here = world.namespace.as_str();
    let api_of = |cluster: &str| {
        json!({
            "app.kubernetes.io/instance": cluster,
            "app.kubernetes.io/component": "api",
            "app.kubernetes.io/managed-by": "eaiser-operator",
        })
    };
    let named = |name: &str| json!({"app.kubernetes.io/name": name});
    let pods = [
        ("stranger", here, json!({})),
        ("foreigner", elsewhere, json!({})),
        ("neighbour", here, api_of("other")),
        ("impostor", elsewhere, api_of("eaiser")),
        ("prometheus", elsewhere, named("prometheus")),
        ("operator", elsewhere, named("eaiser-operator")),
        ("false-operator", here, named("eaiser-operator")),
    ];
    let mut places = BTreeMap::new();
    for (name, namespace, labels) in &pods {
        let api: Api<Pod> = Api::namespaced(world.client.clone(), namespace);
        let pod = serde_json::from_value(sleeper(name, labels)).unwrap();
        api.create(&PostParams::default(), &pod).await.unwrap();
    }
    for (name, namespace, _) in pods {
        let api: Api<Pod> = Api::namespaced(world.client.clone(), namespace);
        let running = until("a bystander runs", seconds(90), async || {
            let pod = api.get(name).await.unwrap();
            let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
            if phase.as_deref() == Some("Running") { Ok(pod) } else { Err(format!("{name}: {phase:?}")) }
        });
        places.insert(name.to_owned(), place(&running.await));
    }
    places
}

fn sleeper(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "sleep",
                "image": operator::REDIS_IMAGE,
                "command": ["sleep", "3600"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

fn place(pod: &Pod) -> Place {
    let process = processes::of(pod).into_iter().next();
    Place::Pod(process.unwrap_or_else(|| panic!("{} has no process here", pod.name_any())))
}

/// Pods of the cluster's own tier; the neighbour has the tier's label too.
async fn members(world: &World, tier: &str) -> Vec<Pod> {
    let mut pods = world.pods(tier).await;
    pods.retain(|pod| pod.labels()["app.kubernetes.io/instance"] == NAME);
    pods
}

/// Address and port of every target; of a tier its last pod, so that no pod is asked about itself.
async fn addresses(world: &World, outside: &Outside) -> BTreeMap<String, String> {
    let mut addresses = BTreeMap::new();
    for (tier, ports) in
        [("gateway", &[8080, 8081][..]), ("api", &[8000]), ("mongodb", &[27017]), ("redis", &[6379, 16379])]
    {
        let pod = members(world, tier).await.pop().unwrap();
        let address = pod.status.and_then(|status| status.pod_ip).unwrap();
        for port in ports {
            addresses.insert(format!("{tier}:{port}"), format!("{address}:{port}"));
        }
    }
    let server = operator::api_server_address(world).unwrap();
    addresses.insert("dns:53".to_owned(), format!("{server}:53"));
    addresses.insert("private:6443".to_owned(), format!("{server}:6443"));
    addresses.insert("outside:443".to_owned(), format!("{}:443", outside.address));
    addresses
}

/// An address of no private network that answers in the lab: one of those reserved for documentation,
/// on the loopback device of the host that every node routes to.
struct Outside {
    address: String,
}

impl Outside {
    async fn open() -> (Self, tokio::net::TcpListener) {
        let address = format!("203.0.113.{}", 1 + std::process::id() % 250);
        Self::ip("add", &address);
        let outside = Self { address };
        let listener = tokio::net::TcpListener::bind((outside.address.as_str(), 443)).await.unwrap();
        (outside, listener)
    }

    fn ip(verb: &str, address: &str) {
        let mut command = Command::new("ip");
        command.args(["address", verb, &format!("{address}/32"), "dev", "lo"]);
        lab::run(command);
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        Self::ip("del", &self.address);
    }
}
