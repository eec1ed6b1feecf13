//! Somebody who writes all the time through the gateway, and asks for every acknowledged write later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;

use super::until::seconds;
use super::{World, http, until};

/// Time between two writes.
const PAUSE: Duration = Duration::from_millis(50);

/// A writer at work; its backend writes with `w=majority`.
pub struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Written>,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// Paths of what was acknowledged.
    pub acknowledged: Vec<String>,
    /// Writes that were not acknowledged.
    pub failed: usize,
}

impl Writer {
    /// Begins.
    pub fn start(world: &World) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = http::gateway(world, "/items");
        let task = tokio::spawn(write(url, Arc::clone(&stop)));
        Self { stop, task }
    }

    /// Ends, and waits until every acknowledged write has been read.
    pub async fn finish(self, world: &World) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        let written = self.task.await.unwrap();
        let mut missing = Vec::new();
        for path in &written.acknowledged {
            let url = http::gateway(world, path);
            let status = until("the item is asked for", seconds(20), async || match http::get(&url).await {
                Ok(answer) if answer.status < 500 => Ok(answer.status),
                other => Err(format!("{other:?}")),
            });
            if status.await != 200 {
                missing.push(path);
            }
        }
        println!(
            "{} writes acknowledged, {} refused or unanswered, {} acknowledged and lost",
            written.acknowledged.len(),
            written.failed,
            missing.len()
        );
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
        assert!(!written.acknowledged.is_empty(), "nothing was written");
        written
    }
}

async fn write(url: String, stop: Arc<AtomicBool>) -> Written {
    let mut written = Written::default();
    let mut value = 0;
    while !stop.load(Ordering::Relaxed) {
        value += 1;
        match http::post(&url, &json!({"name": "written", "value": value})).await {
            Ok(answer) if answer.status == 201 => {
                let id = answer.body["id"].as_str().unwrap();
                written.acknowledged.push(format!("/items/{id}"));
            }
            _ => written.failed += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
    written
}
