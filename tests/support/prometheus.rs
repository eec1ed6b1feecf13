//! A real Prometheus in the scenario's namespace, which scrapes its cluster and the operator outside.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::until::seconds;
use super::{Operator, World, http, lab, operator, until};

/// Name of every object it needs.
const NAME: &str = "prometheus";
/// Image of the lab.
const IMAGE: &str = "localhost/eaiser/prometheus:3";
/// Seconds between scrapes, and between evaluations of the rules.
const INTERVAL: &str = "2s";

/// A running Prometheus.
pub struct Prometheus {
    address: String,
    relay: JoinHandle<()>,
}

impl Prometheus {
    /// Starts one with the rules of the scenario's cluster and those of the operator.
    pub async fn start(world: &World, operator: &Operator) -> Self {
        let host = operator::api_server_address(world).unwrap();
        let (port, relay) = relay(operator.address().to_owned()).await;
        let manifest = world.directory.join("prometheus.json");
        let objects =
            json!({"apiVersion": "v1", "kind": "List", "items": objects(world, &format!("{host}:{port}"))});
        std::fs::write(&manifest, objects.to_string()).unwrap();
        world.kubectl(&["apply", "--filename", manifest.to_str().unwrap()]);
        let address = until("Prometheus is ready", seconds(60), async || {
            let pod = world.get::<Pod>(NAME).await;
            let ip = pod.status.and_then(|status| status.pod_ip).ok_or("no address")?;
            let said = http::text(&format!("http://{ip}:9090/-/ready")).await?;
            if said.contains("Ready") { Ok(format!("{ip}:9090")) } else { Err(said) }
        })
        .await;
        Self { address, relay }
    }

    /// The data of an answer of its API, or what it complains about.
    pub async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let pairs: Vec<String> =
            parameters.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let url = format!("http://{}/api/v1/{path}?{}", self.address, pairs.join("&"));
        let answer = http::get(&url).await?;
        match answer.body["status"].as_str() {
            Some("success") => Ok(answer.body["data"].clone()),
            _ => Err(format!("{}: {}", answer.status, answer.body)),
        }
    }

    /// Series that a query finds now.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let data = self.ask("query", &[("query", query)]).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// Names of the metrics that a query reads, as Prometheus' own parser sees it.
    pub async fn metrics_of(&self, query: &str) -> Result<Vec<String>, String> {
        let tree = self.ask("parse_query", &[("query", query)]).await?;
        let mut names = Vec::new();
        selectors(&tree, &mut names);
        Ok(names)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

fn selectors(node: &Value, names: &mut Vec<String>) {
    match node {
        Value::Object(fields) => {
            if matches!(node["type"].as_str(), Some("vectorSelector" | "matrixSelector")) {
                names.push(node["name"].as_str().unwrap_or_default().to_owned());
            }
            fields.values().for_each(|field| selectors(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| selectors(item, names)),
        _ => {}
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The operator of a scenario listens on loopback, where no pod reaches it.
async fn relay(target: String) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((mut inward, _)) = listener.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                if let Ok(mut outward) = TcpStream::connect(target).await {
                    let _ = copy_bidirectional(&mut inward, &mut outward).await;
                }
            });
        }
    });
    (port, task)
}

fn objects(world: &World, operator: &str) -> Vec<Value> {
    let rules = lab::repository().join("charts/eaiser-operator/files/operator-rules.yaml");
    let rules = std::fs::read_to_string(rules).unwrap();
    let binding = json!([{"kind": "ServiceAccount", "name": NAME, "namespace": world.namespace}]);
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": NAME}, "rules": [
            {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
        ]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": NAME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}, "subjects": binding}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME},
            "data": {"prometheus.yaml": configuration(world, operator).to_string(), "operator-rules.yaml": rules}}),
        pod(),
    ]
}

/// YAML is a superset of JSON. The labels are those that a ServiceMonitor sets.
fn configuration(world: &World, operator: &str) -> Value {
    let label = |source: &str, target: &str| json!({"source_labels": [source], "target_label": target});
    json!({
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["/rules/rules.yaml", "/configuration/operator-rules.yaml"],
        "scrape_configs": [
            {
                "job_name": "api",
                "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": [world.namespace]}}],
                "relabel_configs": [
                    {"source_labels": ["__meta_kubernetes_service_label_eaiser_io_metrics"], "regex": "api", "action": "keep"},
                    label("__meta_kubernetes_namespace", "namespace"),
                    label("__meta_kubernetes_service_name", "service"),
                    label("__meta_kubernetes_pod_name", "pod"),
                ],
            },
            {
                "job_name": "operator",
                "honor_labels": true,
                "static_configs": [{"targets": [operator], "labels": {"namespace": "eaiser-system", "service": "eaiser-operator"}}],
            },
        ],
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        // By this label the network policies know who may read metrics.
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": "prometheus"}},
        "spec": {
            "serviceAccountName": NAME,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "fsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "prometheus",
                "image": IMAGE,
                "command": ["prometheus", "--config.file=/configuration/prometheus.yaml", "--storage.tsdb.path=/data", "--web.listen-address=:9090"],
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [
                    {"name": "configuration", "mountPath": "/configuration"},
                    {"name": "rules", "mountPath": "/rules"},
                    {"name": "data", "mountPath": "/data"},
                ],
            }],
            "volumes": [
                {"name": "configuration", "configMap": {"name": NAME}},
                {"name": "rules", "configMap": {"name": "eaiser-rules"}},
                {"name": "data", "emptyDir": {}},
            ],
        },
    })
}
