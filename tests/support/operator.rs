//! The operator under test: a process of the built binary, with the rights the chart gives it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::{World, http, lab};

/// Name of the operator's ServiceAccount.
pub const ACCOUNT: &str = "eaiser-operator";
/// File with what every operator of a scenario logged.
pub const LOG: &str = "operator.log";
/// Redis of the lab; its image has a shell too.
pub const REDIS_IMAGE: &str = "localhost/eaiser/redis:8.0";

/// A running operator; it is killed when this is dropped.
pub struct Operator {
    process: Child,
    address: String,
}

impl Operator {
    /// Starts one that looks after the scenario's namespace.
    pub fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    /// The same with further arguments.
    pub fn start_with(world: &World, further: &[&str]) -> Self {
        Self::spawn(world, &operator_kubeconfig(world), further)
    }

    /// Starts one that finds the API server at another address.
    pub fn start_through(world: &World, server: &str) -> Self {
        Self::spawn(world, &redirected_kubeconfig(world, server), &[])
    }

    /// Starts one in a group of its own, by which a packet filter can tell its connections apart.
    pub fn start_in_group(world: &World, group: u32) -> Self {
        remark(world, "an operator starts");
        let address = free_address();
        let process = command(world, &operator_kubeconfig(world), &address, LOG).gid(group).spawn().unwrap();
        Self { process, address }
    }

    fn spawn(world: &World, kubeconfig: &Path, further: &[&str]) -> Self {
        remark(world, "an operator starts");
        let address = free_address();
        let process = command(world, kubeconfig, &address, LOG).args(further).spawn().unwrap();
        Self { process, address }
    }

    /// Id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Address and port of its metrics, on loopback.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it serves to Prometheus.
    pub async fn metrics(&self) -> String {
        http::text(&format!("http://{}/metrics", self.address)).await.unwrap()
    }

    /// SIGKILL: no clean-up runs.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command of an operator for the scenario's namespace that appends to a log of that name.
pub fn command(world: &World, kubeconfig: &Path, address: &str, log: &str) -> Command {
    let log = OpenOptions::new().create(true).append(true).open(world.directory.join(log)).unwrap();
    let mut command = Command::new(binary());
    command
        .args(["operator", "--namespace", &world.namespace, "--http-address", address])
        .args(["--log-format", "text", "--gateway-image", "localhost/eaiser/nginx:1.30"])
        .args(["--mongodb-image", mongodb_image(), "--redis-image", REDIS_IMAGE])
        .args(address_block(world))
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    command
}

/// The program: the one built with the tests, or the one that `EAISER_OPERATOR_BINARY` names, for
/// measurements of a release build.
pub fn binary() -> PathBuf {
    std::env::var_os("EAISER_OPERATOR_BINARY")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_eaiser")), PathBuf::from)
}

/// Name that the audit log knows the operator by.
pub fn user(world: &World) -> String {
    format!("system:serviceaccount:{}:{ACCOUNT}", world.namespace)
}

/// Flag that lets the network policies admit an operator that is no pod: in the lab it runs where the
/// API server does.
pub fn address_block(world: &World) -> Option<String> {
    api_server_address(world).map(|address| format!("--operator-address-block={address}/32"))
}

/// Where the lab's API server runs, its name server, and this process.
pub fn api_server_address(world: &World) -> Option<&'static str> {
    static ADDRESS: OnceLock<Option<String>> = OnceLock::new();
    let address = ADDRESS.get_or_init(|| {
        lab::name()?;
        let path = "jsonpath={.endpoints[0].addresses[0]}";
        Some(world.kubectl(&["--namespace=default", "get", "endpointslices/kubernetes", "--output", path]))
    });
    address.as_deref()
}

/// A kubeconfig with a token of the ServiceAccount and the rights of the chart: the one place that
/// decides as whom the operator acts.
pub fn operator_kubeconfig(world: &World) -> PathBuf {
    let path = world.directory.join("operator.kubeconfig");
    if path.exists() {
        return path;
    }
    install_account(world);
    std::fs::write(&path, kubeconfig_of(world, ACCOUNT).to_string()).unwrap();
    path
}

/// A kubeconfig with a token of a ServiceAccount in the scenario's namespace.
pub fn kubeconfig_of(world: &World, account: &str) -> Value {
    let token = world.kubectl(&["create", "token", account, "--duration=4h"]);
    let admin = Kubeconfig::read().unwrap();
    let cluster = admin.clusters.first().unwrap();
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": cluster.name, "user": "operator"}}],
        "current-context": "operator",
    })
}

/// The same with another address of the server.
fn redirected_kubeconfig(world: &World, server: &str) -> PathBuf {
    let direct = std::fs::read_to_string(operator_kubeconfig(world)).unwrap();
    let mut content: Value = serde_json::from_str(&direct).unwrap();
    content["clusters"][0]["cluster"]["server"] = json!(server);
    let path = world.directory.join("redirected.kubeconfig");
    std::fs::write(&path, content.to_string()).unwrap();
    path
}

/// The chart's ServiceAccount, `Role` and `RoleBinding`, and nothing else of it.
fn install_account(world: &World) {
    let chart = lab::repository().join("charts/eaiser-operator");
    let mut template = Command::new("helm");
    template.args(["template", ACCOUNT]).arg(&chart).args(["--namespace", &world.namespace]);
    template.args(["--set", "namespaced=true"]);
    template.args(["--show-only", "templates/rbac.yaml", "--show-only", "templates/service-account.yaml"]);
    let manifest = world.directory.join("account.yaml");
    std::fs::write(&manifest, lab::run(template)).unwrap();
    world.kubectl(&["apply", "--filename", text(&manifest)]);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Values of the chart that make it use the lab's images.
pub fn chart_images() -> Vec<String> {
    let values = [
        "image.repository=localhost/eaiser/operator".to_owned(),
        "image.tag=dev".to_owned(),
        "images.gateway=localhost/eaiser/nginx:1.30".to_owned(),
        format!("images.mongodb={}", mongodb_image()),
        format!("images.redis={REDIS_IMAGE}"),
    ];
    values.into_iter().flat_map(|value| ["--set".to_owned(), value]).collect()
}

/// The MongoDB that the lab has: the real one or its stand-in.
pub fn mongodb_image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| match lab::name() {
        Some(_) => lab::output(&["image", "mongod-name"]),
        None => "mongo:8.0".to_owned(),
    })
}

pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Puts a line of the scenario's own between those of its operators.
pub fn remark(world: &World, line: &str) {
    let mut log = OpenOptions::new().create(true).append(true).open(world.directory.join(LOG)).unwrap();
    writeln!(log, "--- {line}").unwrap();
}

/// Everything the scenario's operators logged.
pub fn log(world: &World) -> String {
    File::open(world.directory.join(LOG))
        .and_then(std::io::read_to_string)
        .unwrap_or_else(|error| format!("no log: {error}"))
}
