//! Wrong situations: each is looked for in a condition, noted with its words, and written down.

use std::time::{Duration, Instant};

use kube::api::PostParams;
use serde_json::{Value, json};

use super::cluster::condition;
use super::{Cluster, World, lab, until};

/// Kubernetes itself takes up to half a minute to find out about some of them.
const NAMED_WITHIN: Duration = Duration::from_secs(60);

/// What was wrong and how it was told.
pub struct Row {
    situation: &'static str,
    condition: &'static str,
    reason: String,
    message: String,
    seconds: f64,
}

/// Looks for one verdict after the other and notes it.
pub struct Look<'a> {
    /// The cluster that is wrong.
    pub cluster: &'a Cluster,
    /// What was found so far.
    pub table: &'a mut Vec<Row>,
}

impl Look<'_> {
    /// Waits until a condition has this reason and its message holds all the words.
    pub async fn sees(&mut self, situation: &'static str, type_: &'static str, reason: &str, words: &[&str]) {
        let begin = Instant::now();
        let found = until(&format!("{type_} is {reason} and names {words:?}"), NAMED_WITHIN, async || {
            let object = self.cluster.get().await;
            let found = condition(&object, type_).cloned().ok_or("no such condition")?;
            let named = found.reason == reason && words.iter().all(|word| found.message.contains(word));
            if named { Ok(found) } else { Err(format!("{}: {}", found.reason, found.message)) }
        })
        .await;
        self.note(situation, type_, begin, (found.reason, found.message));
    }

    /// Sends a change that the API server has to refuse with these words.
    pub async fn is_refused(&mut self, situation: &'static str, spec: Value, words: &[&str]) {
        let begin = Instant::now();
        let message = self.cluster.try_change(spec).await.unwrap_err();
        assert!(words.iter().all(|word| message.contains(word)), "{situation}: {message}");
        self.note(situation, "none: refused at admission", begin, ("Invalid".to_owned(), message));
    }

    fn note(
        &mut self,
        situation: &'static str,
        condition: &'static str,
        begin: Instant,
        (reason, message): (String, String),
    ) {
        let seconds = (begin.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        println!("{situation}: after {seconds} s {condition} {reason}: {message}");
        self.table.push(Row { situation, condition, reason, message, seconds });
    }
}

/// Prints the table and writes it below `target/measurements`.
pub fn record(table: &[Row], name: &str) {
    println!("| situation | condition | reason | message | named after |\n|---|---|---|---|---|");
    let mut rows = Vec::new();
    for Row { situation, condition, reason, message, seconds } in table {
        println!("| {situation} | {condition} | {reason} | {message} | {seconds} s |");
        rows.push(json!({
            "situation": situation, "condition": condition, "reason": reason, "message": message,
            "secondsUntilNamed": seconds,
        }));
    }
    let directory = lab::target().join("measurements");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join(format!("{name}.json"));
    std::fs::write(&file, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
    println!("{} situations, each named and corrected; in {}", table.len(), file.display());
    assert!(table.len() >= 10);
}

/// Creates an object that the situation needs, once one of its name that an earlier cluster left is gone.
pub async fn create<K>(world: &World, object: Value)
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::Serialize
        + serde::de::DeserializeOwned,
{
    let object: K = serde_json::from_value(object).unwrap();
    until("the name is free", NAMED_WITHIN, async || {
        match world.api::<K>().create(&PostParams::default(), &object).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Err(status.message),
            created => created.map(drop).map_err(|error| panic!("{error}")),
        }
    })
    .await;
}
