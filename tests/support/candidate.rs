//! An operator that takes part in the leader election, behind a wire of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};

use super::operator::{ACCOUNT, free_address, operator_kubeconfig};
use super::wire::Wire;
use super::{World, http, lab, operator, until};

/// Time from start until the caches are filled.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// One of several operators of a scenario; it is killed when this is dropped.
pub struct Candidate {
    /// First part of its identity, as lease and audit log show it.
    pub name: String,
    /// Its connection to the API server.
    pub wire: Wire,
    process: Child,
    address: String,
}

impl Candidate {
    /// Starts one and waits until it could take over.
    pub async fn start(world: &World, name: &str) -> Self {
        let (kubeconfig, server) = kubeconfig(world, name);
        let wire = Wire::to(server).await;
        let path = world.directory.join(format!("{name}.kubeconfig"));
        std::fs::write(&path, through(kubeconfig, wire.address).to_string()).unwrap();
        let address = free_address();
        let process = operator::command(world, &path, &address, &format!("{name}.log"))
            .args(["--leader-election=true", "--identity", name])
            .spawn()
            .unwrap();
        let candidate = Self { name: name.to_owned(), wire, process, address };
        candidate.ready(READY_WITHIN).await;
        candidate
    }

    /// Waits until it says that its caches are filled.
    pub async fn ready(&self, within: Duration) {
        let url = format!("http://{}/readyz", self.address);
        until(&format!("{} is ready", self.name), within, async || match http::get(&url).await {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("{answer:?}")),
            Err(error) => Err(error),
        })
        .await;
    }

    /// What it exposes under that metric name.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = http::text(&format!("http://{}/metrics", self.address)).await.ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let mut kill = Command::new("kill");
        kill.args([signal, &pid]);
        lab::run(kill);
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self, within: Duration) -> ExitStatus {
        until(&format!("{} has ended", self.name), within, async || {
            self.process.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
        })
        .await
    }

    /// What it logged.
    pub fn log(&self, world: &World) -> String {
        let path = world.directory.join(format!("{}.log", self.name));
        File::open(path).and_then(std::io::read_to_string).unwrap_or_else(|error| error.to_string())
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The operator's own kubeconfig, and the address of the server in it.
fn kubeconfig(world: &World, name: &str) -> (Value, SocketAddr) {
    let text = std::fs::read_to_string(operator_kubeconfig(world)).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap();
    let url = content["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let server = url.trim_start_matches("https://");
    (content.clone(), server.parse().unwrap_or_else(|error| panic!("{name}: {url}: {error}")))
}

/// The same through a wire; the certificate is the server's all the same.
fn through(mut kubeconfig: Value, wire: SocketAddr) -> Value {
    let cluster = &mut kubeconfig["clusters"][0]["cluster"];
    let server = cluster["server"].as_str().unwrap().trim_start_matches("https://").to_owned();
    cluster["tls-server-name"] = json!(server.rsplit_once(':').unwrap().0);
    cluster["server"] = json!(format!("https://{wire}"));
    kubeconfig
}

/// Who holds the lease, by the first part of the identity.
pub async fn holder(world: &World) -> Option<String> {
    let lease = world.api::<Lease>().get_opt(ACCOUNT).await.unwrap()?;
    let identity = lease.spec?.holder_identity?;
    Some(identity.split('_').next().unwrap_or_default().to_owned())
}
