//! A client of the replica set that writes all the while, as an application that must not lose
//! anything: majority writes, retried by the driver, every identifier used once. It keeps a journal of
//! what was acknowledged and when, and reads everything back in the end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, ReadConcern, ReadPreference, SelectionCriteria};
use mongodb::{Client, Collection};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::cluster::NAME;
use super::until::seconds;
use super::{World, until};

/// Between two writes: how finely the time without any is measured.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for one write; then the next identifier is tried.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon the driver gives up what does not answer, and how often it looks at each member: as set by
/// an application that cares about failovers.
const CONNECT: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Gaps that are listed one by one.
const NOTABLE: Duration = Duration::from_secs(1);

/// The client at work.
pub struct Writer {
    journal: Arc<Mutex<Journal>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
    collection: Collection<Document>,
}

/// What is known of the writes.
#[derive(Debug, Default)]
struct Journal {
    attempts: i64,
    acknowledged: Vec<(i64, Instant)>,
    /// Errors, without what they have in common.
    last_error: Option<String>,
}

/// A time without any acknowledged write.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The last acknowledgement before it.
    pub begin: Instant,
    /// Until the next one.
    pub length: Duration,
}

/// What was found in the end.
#[derive(Debug)]
pub struct Verdict {
    /// Writes sent.
    pub attempts: i64,
    /// Those acknowledged.
    pub acknowledged: usize,
    /// Those acknowledged and not found.
    pub lost: Vec<i64>,
    /// Those found although no acknowledgement arrived.
    pub unannounced: usize,
}

impl Writer {
    /// Logs in with the application's own connection string and begins.
    pub async fn start(world: &World) -> Self {
        let secret: Secret = world.get(&format!("{NAME}-mongodb-connection")).await;
        let uri = String::from_utf8(secret.data.unwrap()["uri"].0.clone()).unwrap();
        let mut options = ClientOptions::parse(&uri).await.unwrap();
        options.connect_timeout = Some(CONNECT);
        options.heartbeat_freq = Some(HEARTBEAT);
        options.server_selection_timeout = Some(PATIENCE);
        let collection =
            Client::with_options(options).unwrap().default_database().unwrap().collection("journal");
        let journal = Arc::new(Mutex::new(Journal::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(write(collection.clone(), Arc::clone(&journal), Arc::clone(&stop)));
        let writer = Self { journal, stop, task, collection };
        writer.writes_again(seconds(30)).await;
        writer
    }

    /// Waits until a write that begins from now on is acknowledged.
    pub async fn writes_again(&self, within: Duration) {
        let next = self.journal.lock().unwrap().attempts;
        until("writes are acknowledged", within, async || {
            let journal = self.journal.lock().unwrap();
            match journal.acknowledged.last() {
                Some((id, _)) if *id > next => Ok(()),
                _ => Err(journal.last_error.clone().unwrap_or_else(|| "none yet".to_owned())),
            }
        })
        .await;
    }

    /// The longest time without a write since then, one that still lasts included.
    pub fn longest_gap(&self, since: Instant) -> Gap {
        let gaps = self.gaps(since);
        gaps.into_iter().max_by_key(|gap| gap.length).unwrap_or(Gap { begin: since, length: Duration::ZERO })
    }

    /// Every gap longer than a second since then, with the time of day.
    pub fn notable_gaps(&self, since: Instant) -> Vec<Value> {
        let (now, time) = (Instant::now(), Timestamp::now());
        let gaps = self.gaps(since).into_iter().filter(|gap| gap.length >= NOTABLE);
        gaps.map(|gap| {
            let begin = time - now.duration_since(gap.begin);
            json!({"begin": begin.to_string(), "seconds": round(gap.length)})
        })
        .collect()
    }

    fn gaps(&self, since: Instant) -> Vec<Gap> {
        let journal = self.journal.lock().unwrap();
        let first = journal.acknowledged.partition_point(|(_, at)| *at < since).saturating_sub(1);
        let times: Vec<Instant> =
            journal.acknowledged[first..].iter().map(|(_, at)| *at).chain([Instant::now()]).collect();
        times.windows(2).map(|pair| Gap { begin: pair[0], length: pair[1] - pair[0] }).collect()
    }

    /// Ends the writing and looks every identifier up at the primary, by what a majority has.
    pub async fn finish(self) -> Verdict {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        let found = until("everything is read back", seconds(60), async || {
            read_all(&self.collection).await.map_err(|error| error.to_string())
        })
        .await;
        let journal = self.journal.lock().unwrap();
        let acknowledged: BTreeSet<i64> = journal.acknowledged.iter().map(|(id, _)| *id).collect();
        Verdict {
            attempts: journal.attempts,
            acknowledged: acknowledged.len(),
            lost: acknowledged.difference(&found).copied().collect(),
            unannounced: found.difference(&acknowledged).count(),
        }
    }
}

/// Seconds with two decimals.
pub fn round(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100.0).round() / 100.0
}

async fn write(collection: Collection<Document>, journal: Arc<Mutex<Journal>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let id = {
            let mut journal = journal.lock().unwrap();
            journal.attempts += 1;
            journal.attempts
        };
        let answer =
            tokio::time::timeout(PATIENCE, collection.insert_one(doc! { "_id": id }).into_future()).await;
        {
            let mut journal = journal.lock().unwrap();
            match answer {
                Ok(Ok(_)) => journal.acknowledged.push((id, Instant::now())),
                Ok(Err(error)) => journal.last_error = Some(error.to_string()),
                Err(_) => journal.last_error = Some("no answer in time".to_owned()),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn read_all(collection: &Collection<Document>) -> Result<BTreeSet<i64>, mongodb::error::Error> {
    let cursor = collection
        .find(doc! {})
        .projection(doc! { "_id": 1 })
        .read_concern(ReadConcern::majority())
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .await?;
    cursor.map_ok(|document| document.get_i64("_id").unwrap()).try_collect().await
}
