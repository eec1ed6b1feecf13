//! Carries out what takes longer than a pass may wait: index builds and changes of the feature
//! compatibility version. IO.
//!
//! A task has a connection of its own and is waited for in the background. The server ends what it
//! began whether or not its client is still there, and none of it is remembered that the next look
//! at the set would not show; only how often something failed is, so that it is tried less often.

use std::collections::{BTreeMap, HashMap};
use std::future::IntoFuture;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connections::Connections;
use super::driver::failure::{Failure, passes};
use super::facts::{Failed, Work};
use super::indexes::without_values;
use super::upkeep::Task;

/// Most tasks end while the pass that began them looks on.
const LOOK_ON: Duration = Duration::from_secs(1);
/// Pause after a first failure; it doubles up to [`LONGEST_PAUSE`]. A build reads the whole collection.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Tasks of one cluster.
#[derive(Default)]
pub(super) struct Works {
    running: Option<Job>,
    failures: HashMap<String, Failures>,
}

struct Job {
    key: String,
    host: String,
    since: Instant,
    answers: JoinSet<Result<(), Failure>>,
}

struct Failures {
    message: String,
    count: u32,
    not_before: Instant,
}

/// What became of a task that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is done.
    Done,
    /// It goes on in the background.
    UnderWay,
    /// The server refused it; the sentence holds no values of documents.
    Failed(String),
    /// The set was in the middle of something else.
    Retry,
}

/// Sends a task to the primary.
pub async fn begin(task: &Task, host: &str, connections: &Connections) -> Begun {
    let Some(client) = connections.another(host) else { return Begun::Retry };
    let (database, command) = task.command();
    let database = client.database(database);
    let mut answers = JoinSet::new();
    answers.spawn(async move {
        let answer = database.run_command(command).into_future().await;
        answer.map(|_| ()).map_err(|error| Failure::of(&error))
    });
    let key = task.key();
    let answer = timeout(LOOK_ON, answers.join_next()).await;
    // Whatever became of it, the set is not as it was seen.
    connections.forget_inspected();
    let mut works = connections.works();
    match answer {
        Ok(Some(Ok(answer))) => works.ended(&key, answer, Instant::now()),
        Ok(_) => Begun::Retry,
        Err(_) => {
            works.running = Some(Job { key, host: host.to_owned(), since: Instant::now(), answers });
            Begun::UnderWay
        }
    }
}

impl Works {
    /// What is known now, of the tasks that are still asked for; and whether one has just ended.
    pub(super) fn look(&mut self, asked: &[String], primary: Option<&str>, now: Instant) -> (Work, bool) {
        let mut ended = false;
        if let Some(mut job) = self.running.take() {
            match job.answers.try_join_next() {
                Some(answer) => {
                    self.ended(&job.key, answer.unwrap_or(Ok(())), now);
                    ended = true;
                }
                // Another primary goes on with it, or does not: only a look at that one tells.
                None if primary == Some(job.host.as_str()) => self.running = Some(job),
                None => ended = true,
            }
        }
        self.failures.retain(|key, _| asked.contains(key));
        let failed = self.failures.iter().map(|(key, failures)| {
            (key.clone(), Failed { message: failures.message.clone(), due: failures.not_before <= now })
        });
        let failed: BTreeMap<String, Failed> = failed.collect();
        (Work { running: self.running.as_ref().map(|job| job.key.clone()), failed }, ended)
    }

    /// Gives up waiting for a task that the server shows no trace of after this long.
    pub(super) fn give_up(&mut self, key: &str, after: Duration, now: Instant) {
        let is_lost = |job: &Job| job.key == key && now.duration_since(job.since) > after;
        if self.running.as_ref().is_some_and(is_lost) {
            self.running = None;
        }
    }

    fn ended(&mut self, key: &str, answer: Result<(), Failure>, now: Instant) -> Begun {
        let message = match answer {
            Ok(()) => {
                self.failures.remove(key);
                return Begun::Done;
            }
            Err(Failure::Command { code, .. }) if passes(code) => return Begun::Retry,
            Err(Failure::Unreachable { .. }) => return Begun::Retry,
            Err(Failure::Command { code, name, message }) => {
                format!("{name} ({code}): {}", without_values(&message))
            }
            Err(Failure::Refused { reason }) => reason,
        };
        let count = self.failures.get(key).map_or(0, |failures| failures.count);
        let pause = FIRST_PAUSE.saturating_mul(1 << count.min(10)).min(LONGEST_PAUSE);
        let failures = Failures { message: message.clone(), count: count + 1, not_before: now + pause };
        self.failures.insert(key.to_owned(), failures);
        Begun::Failed(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "index email_1";

    fn refused(code: i32) -> Result<(), Failure> {
        let message =
            "E11000 duplicate key error collection: shop.users index: email_1 dup key: { email: \"a@b\" }";
        Err(Failure::Command { code, name: "DuplicateKey".into(), message: message.into() })
    }

    fn failed(works: &mut Works, now: Instant) -> Option<Failed> {
        works.look(&[KEY.to_owned()], None, now).0.failed.get(KEY).cloned()
    }

    #[test]
    fn what_failed_is_tried_again_later_each_time() {
        let (mut works, begin) = (Works::default(), Instant::now());
        let mut now = begin;
        for pause in [10, 20, 40, 80, 160, 320, 600, 600] {
            works.ended(KEY, refused(11000), now);
            let before = now + Duration::from_secs(pause - 1);
            assert!(!failed(&mut works, before).unwrap().due, "not {} s after a failure", pause - 1);
            now += Duration::from_secs(pause);
            assert!(failed(&mut works, now).unwrap().due, "{pause} s after a failure");
        }
        assert_eq!(works.ended(KEY, Ok(()), now), Begun::Done);
        assert_eq!(failed(&mut works, now), None);
    }

    #[test]
    fn a_failure_is_told_without_values_and_forgotten_when_nobody_asks_for_it() {
        let (mut works, now) = (Works::default(), Instant::now());
        works.ended(KEY, refused(11000), now);
        let message = failed(&mut works, now).unwrap().message;
        assert_eq!(
            message,
            "DuplicateKey (11000): E11000 duplicate key error collection: shop.users index: email_1 (values not shown)"
        );
        works.look(&[], None, now);
        assert_eq!(failed(&mut works, now), None);
    }

    #[test]
    fn an_election_or_a_lost_connection_is_no_failure() {
        let (mut works, now) = (Works::default(), Instant::now());
        for code in [189, 10107, 11602] {
            assert_eq!(works.ended(KEY, refused(code), now), Begun::Retry, "code {code}");
        }
        let lost = Err(Failure::Unreachable { reason: "connection reset".into() });
        assert_eq!(works.ended(KEY, lost, now), Begun::Retry);
        assert_eq!(failed(&mut works, now), None);
    }

    #[tokio::test]
    async fn a_task_in_the_background_ends_once_and_is_dropped_with_its_primary() {
        let (mut works, now) = (Works::default(), Instant::now());
        let job = |answers| Job { key: KEY.to_owned(), host: "a:1".to_owned(), since: now, answers };
        let mut done = JoinSet::new();
        done.spawn(async { Ok(()) });
        tokio::task::yield_now().await;
        works.running = Some(job(done));
        let (work, ended) = works.look(&[], Some("a:1"), now);
        assert_eq!((work.running, ended), (None, true));

        let mut endless = JoinSet::new();
        endless.spawn(std::future::pending());
        works.running = Some(job(endless));
        assert_eq!(works.look(&[], Some("a:1"), now).0.running.as_deref(), Some(KEY));
        assert_eq!(works.look(&[], Some("b:1"), now), (Work::default(), true));
    }
}
