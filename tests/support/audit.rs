//! The API server's audit log: who asked for what, told by the server and not by the operator.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::lab;

/// A place in the log.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    start: u64,
}

/// One request that the server answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// `get`, `list`, `watch`, `create`, `patch`, …
    pub verb: String,
    /// `resource/name/subresource`.
    pub object: String,
    /// HTTP status.
    pub code: u64,
    /// When it came.
    pub received: Timestamp,
    /// When its answer was sent.
    pub answered: Timestamp,
    /// User agent, in which an operator names itself.
    pub agent: String,
}

impl Audit {
    /// Begins here: only later requests are read.
    pub fn begin() -> Self {
        let path = PathBuf::from(lab::output(&["audit"]));
        let start = path.metadata().unwrap().len();
        Self { path, start }
    }

    /// Lines since the beginning that hold every one of `texts`: cheap, and roughly right.
    pub fn count(&self, texts: &[&str]) -> usize {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.start)).unwrap();
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        lines.filter(|line| texts.iter().all(|text| line.contains(text))).count()
    }

    /// Everything since the lab came up.
    pub fn whole() -> Self {
        Self { path: PathBuf::from(lab::output(&["audit"])), start: 0 }
    }

    /// The log's own entries about the users that `is_wanted` picks.
    pub fn events(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Value> {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.start)).unwrap();
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        // The last line may still be growing.
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        events.filter(|event| event["user"]["username"].as_str().is_some_and(&is_wanted)).collect()
    }

    /// Requests of a user since the beginning. A watch is reported when it ends too.
    pub fn calls(&self, user: &str) -> Vec<Call> {
        self.events(|name| name == user).iter().map(call).collect()
    }
}

fn call(event: &Value) -> Call {
    let object = &event["objectRef"];
    let part = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let time = |key: &str| event[key].as_str().unwrap_or_default().parse().unwrap();
    let parts: Vec<String> =
        ["resource", "name", "subresource"].map(part).into_iter().filter(|part| !part.is_empty()).collect();
    let object = if parts.is_empty() { event["requestURI"].to_string() } else { parts.join("/") };
    Call {
        verb: event["verb"].as_str().unwrap_or_default().to_owned(),
        object,
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
        received: time("requestReceivedTimestamp"),
        answered: time("stageTimestamp"),
        agent: event["userAgent"].as_str().unwrap_or_default().to_owned(),
    }
}

impl Call {
    /// Whether it changed, or tried to change, something.
    pub fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// Whether it is about a child of a cluster, and not about events, the lease or the cluster itself.
    pub fn is_child(&self) -> bool {
        !["events/", "leases/", "eaiserclusters/"].iter().any(|other| self.object.starts_with(other))
    }

    /// Whether it only watches.
    pub fn watches(&self) -> bool {
        self.verb == "watch"
    }
}
