//! What is asked of a set that runs besides its members: a feature compatibility version and indexes.
//! Pure.
//!
//! Neither holds the set back: it serves, rolls and scales whether or not they can be had. One task
//! runs at a time, only on a settled set, because a build waits for every voting member to end it.

#[cfg(test)]
mod tests;

use std::fmt;

use mongodb::bson::{Document, doc};

use super::facts::{Facts, Failed};
use super::indexes::{Index, Standing};
use super::version::{Series, Version};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Feature compatibility version; none leaves it as it is.
    pub feature: Option<Series>,
    /// Indexes, in the order in which they are built.
    pub indexes: Vec<Index>,
    /// Version the members are on their way to; none where it is not known.
    pub version: Option<Version>,
}

/// How the requests stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upkeep {
    /// What to begin now.
    pub task: Option<Task>,
    /// Why the feature compatibility version is not what is asked for; none when it is, or is becoming.
    pub feature_refused: Option<String>,
    /// Every declared index.
    pub indexes: Vec<IndexState>,
    /// Something is under way.
    pub busy: bool,
}

/// One command that takes as long as the data is large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Precondition: every member answers and runs a binary of this version, and the set's is lower.
    /// Command: `setFeatureCompatibilityVersion`, majority write; with `confirm` from 7.0 on.
    /// Effect: the data may be used in ways that the version before does not know.
    /// Idempotent: it states the outcome; one that was interrupted goes on.
    /// Crash right after: the next pass reads what became of it.
    SetFeatureVersion {
        /// Version to set.
        version: Series,
        /// Whether the server wants the step confirmed.
        confirm: bool,
    },
    /// Precondition: the collection has no such index, and none in its way.
    /// Command: `createIndexes` with this one index, majority write.
    /// Effect: all voting members build it and commit it together; reads and writes go on.
    /// Idempotent: an index that exists is answered with a note, one being built is waited for.
    /// Crash right after: the build goes on without its client; the next pass sees it listed.
    BuildIndex(Index),
}

/// How one declared index stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexState {
    /// Name of the index.
    pub name: String,
    /// Its collection.
    pub collection: String,
    /// How far it is.
    pub state: State,
    /// What it waits for, or why it cannot be built.
    pub message: String,
}

/// How far an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Ready,
    /// It is being built.
    Building,
    /// It is not begun.
    Waiting,
    /// It cannot be had as things are.
    Failed,
}

/// How `requests` stand, and what to begin; `hold` says why nothing may be begun now.
pub fn next(requests: &Requests, facts: &Facts, hold: Option<&str>) -> Upkeep {
    let mut upkeep = Upkeep { busy: facts.work.running.is_some(), ..Upkeep::default() };
    let under_way = facts.work.running.as_ref().map(|_| "another task is under way");
    let wait = hold.or(under_way);
    let feature = requests.feature.map_or(Feature::AsAsked, |asked| feature(asked, requests.version, facts));
    match feature {
        Feature::AsAsked | Feature::Waits => {}
        Feature::Refused(why) => upkeep.feature_refused = Some(why),
        Feature::Set(task) => upkeep.offer(task, facts, wait.is_some()),
    }
    for index in &requests.indexes {
        let (state, message) = match facts.collections.get(&index.collection) {
            Some(Ok(listed)) => upkeep.index(index, index.standing(listed), facts, wait),
            Some(Err(why)) => (State::Failed, why.clone()),
            None => (State::Waiting, "no primary was asked about it yet".to_owned()),
        };
        let (name, collection) = (index.name.clone(), index.collection.to_string());
        upkeep.indexes.push(IndexState { name, collection, state, message });
    }
    upkeep
}

impl Upkeep {
    /// Takes up a task, unless another comes first, or it failed a moment ago.
    fn offer(&mut self, task: Task, facts: &Facts, waits: bool) {
        if let Some(Failed { message, due }) = facts.work.failed.get(&task.key()) {
            if let Task::SetFeatureVersion { version, .. } = task {
                self.feature_refused = Some(format!("{version} could not be set: {message}"));
            }
            if !due {
                return;
            }
        }
        if !waits && self.task.is_none() {
            self.task = Some(task);
            self.busy = true;
        }
    }

    fn index(
        &mut self,
        index: &Index,
        standing: Standing,
        facts: &Facts,
        wait: Option<&str>,
    ) -> (State, String) {
        let task = Task::BuildIndex(index.clone());
        let key = task.key();
        let begun = facts.work.running.as_ref() == Some(&key);
        let failed = facts.work.failed.get(&key).map(|failed| failed.message.clone());
        match standing {
            Standing::Ready => (State::Ready, String::new()),
            Standing::Blocked(why) => (State::Failed, why),
            Standing::Building => {
                self.busy = true;
                (State::Building, String::new())
            }
            Standing::Missing if begun => (State::Building, String::new()),
            Standing::Missing => {
                let first = self.task.is_none();
                self.offer(task, facts, wait.is_some());
                match failed {
                    Some(message) => (State::Failed, message),
                    None if first && self.task.is_some() => (State::Building, String::new()),
                    None => (State::Waiting, wait.unwrap_or("another task comes first").to_owned()),
                }
            }
        }
    }
}

enum Feature {
    AsAsked,
    Waits,
    Refused(String),
    Set(Task),
}

fn feature(asked: Series, on_the_way_to: Option<Version>, facts: &Facts) -> Feature {
    let Some(current) = facts.feature else { return Feature::Waits };
    if current.version > asked {
        return Feature::Refused(format!(
            "it is {} and {asked} is lower: it is never lowered from the spec. Ask for {} or nothing; to lower it, run setFeatureCompatibilityVersion by hand, knowing what the manual says of lost features",
            current.version, current.version
        ));
    }
    if current.version == asked && current.target.is_none() {
        return Feature::AsAsked;
    }
    let Some((pod, lowest)) = facts.versions.iter().min_by_key(|(_, version)| *version) else {
        return Feature::Waits;
    };
    if lowest.series >= asked {
        let confirm = lowest.series.major >= 7;
        return Feature::Set(Task::SetFeatureVersion { version: asked, confirm });
    }
    if on_the_way_to.is_some_and(|version| version.series >= asked) {
        return Feature::Waits;
    }
    Feature::Refused(format!(
        "{pod} runs {lowest}, which does not know {asked}: set spec.mongodb.image to an image of {asked} first"
    ))
}

impl Task {
    /// Tells tasks apart; the same task has the same key in every pass.
    pub fn key(&self) -> String {
        match self {
            Self::SetFeatureVersion { version, .. } => format!("feature {version}"),
            Self::BuildIndex(index) => format!("index {index:?}"),
        }
    }

    /// A stable word for events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::SetFeatureVersion { .. } => "SetFeatureVersion",
            Self::BuildIndex(_) => "BuildIndex",
        }
    }

    /// The command and the database it runs on.
    pub fn command(&self) -> (&str, Document) {
        match self {
            Self::SetFeatureVersion { version, confirm } => {
                let mut command = doc! { "setFeatureCompatibilityVersion": version.to_string() };
                if *confirm {
                    command.insert("confirm", true);
                }
                command.insert("writeConcern", doc! { "w": "majority" });
                ("admin", command)
            }
            Self::BuildIndex(index) => (&index.collection.database, index.command()),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetFeatureVersion { version, .. } => {
                write!(formatter, "set the feature compatibility version to {version}")
            }
            Self::BuildIndex(index) => {
                write!(formatter, "build index {} of {}", index.name, index.collection)
            }
        }
    }
}

impl State {
    /// As the status has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Building => "Building",
            Self::Waiting => "Waiting",
            Self::Failed => "Failed",
        }
    }
}
