//! An API server that knows nothing but what a test gives it, for commands that only read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What is served: lists of objects by their path, such as `/api/v1/namespaces/shop/pods`.
#[derive(Clone, Default)]
pub struct World {
    lists: BTreeMap<String, Vec<Value>>,
    refused: BTreeMap<String, u16>,
    groups: BTreeMap<String, Vec<String>>,
}

impl World {
    /// A world in which the custom resource is installed.
    pub fn new() -> Self {
        let mut world = Self::default();
        world.serves("eaiser.io/v1alpha1", "eaiserclusters");
        world
    }

    /// Makes a kind known to discovery.
    pub fn serves(&mut self, group: &str, plural: &str) {
        self.groups.entry(format!("/apis/{group}")).or_default().push(plural.to_owned());
    }

    /// Adds an object.
    pub fn add(&mut self, path: &str, object: Value) {
        self.lists.entry(path.to_owned()).or_default().push(object);
    }

    /// Everything listed under a path.
    pub fn objects(&mut self, path: &str) -> &mut Vec<Value> {
        self.lists.entry(path.to_owned()).or_default()
    }

    /// Answers every request whose path ends so with an error.
    pub fn refuse(&mut self, path: &str, code: u16) {
        self.refused.insert(path.to_owned(), code);
    }

    fn answer(&self, request: &Request) -> Response {
        let path = request.uri().path();
        // These commands promise to write nothing.
        if request.method() != Method::GET {
            return status(405, "this server only reads");
        }
        if let Some((_, code)) = self.refused.iter().find(|(refused, _)| path.ends_with(refused.as_str())) {
            return status(*code, "refused by the test");
        }
        if let Some(plurals) = self.groups.get(path) {
            let resources: Vec<Value> = plurals
                .iter()
                .map(|plural| json!({"name": plural, "singularName": "", "kind": "", "namespaced": true, "verbs": ["list"]}))
                .collect();
            return body(&json!({"kind": "APIResourceList", "groupVersion": "", "resources": resources}));
        }
        if let Some(objects) = self.lists.get(path) {
            let items: Vec<&Value> = objects.iter().filter(|object| selects(request, object)).collect();
            return body(&json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}));
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or_default();
        let named = |object: &&Value| object["metadata"]["name"] == name;
        match self.lists.get(parent).and_then(|objects| objects.iter().find(named)) {
            Some(object) => body(object),
            None if path.contains("/namespaces/")
                && !path.contains("eaiser.io")
                && parent.ends_with("shop") =>
            {
                body(&json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}))
            }
            None => status(404, "not found"),
        }
    }
}

/// Honours the label selector, or an object without labels would be found by it.
fn selects(request: &Request, object: &Value) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let selector = query.split('&').find_map(|pair| pair.strip_prefix("labelSelector="));
    let Some(selector) = selector else { return true };
    let selector = selector.replace("%2F", "/").replace("%3D", "=").replace("%2C", ",");
    selector.split(',').all(|term| {
        let (key, value) = term.split_once('=').unwrap_or_default();
        object["metadata"]["labels"][key] == value
    })
}

fn body(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

fn status(code: u16, message: &str) -> Response {
    let reason = if code == 403 { "Forbidden" } else { "NotFound" };
    let value = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code});
    (StatusCode::from_u16(code).unwrap(), body(&value)).into_response()
}

/// A running server and a kubeconfig that leads to it.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    kubeconfig: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Serves a world; the kubeconfig's context has namespace `shop`.
    pub fn start(world: World) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = move |request: Request| {
            let answer = world.answer(&request);
            async move { answer }
        };
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let kubeconfig = std::env::temp_dir().join(format!("eaiser-it-{}-{number}.json", std::process::id()));
        let content = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "shop"}}],
        });
        std::fs::write(&kubeconfig, content.to_string()).unwrap();
        Self { runtime, kubeconfig }
    }

    /// Runs the built program against it.
    pub fn eaiser(&self, arguments: &[&str]) -> Output {
        run(&self.kubeconfig, arguments)
    }
}

/// Runs the built program with a kubeconfig and no other environment.
pub fn run(kubeconfig: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eaiser"))
        .args(arguments)
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.kubeconfig);
        let _ = &self.runtime;
    }
}
