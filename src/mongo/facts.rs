//! What was found out about a set besides its members' states. Pure data.

use std::collections::BTreeMap;

use super::indexes::{Listed, Namespace};
use super::version::{Feature, Version};

/// Versions and indexes, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Version of each member that answers, by pod.
    pub versions: Vec<(String, Version)>,
    /// Feature compatibility version, by the primary's word.
    pub feature: Option<Feature>,
    /// What the status before said, for when nobody answers.
    pub remembered: Remembered,
    /// Indexes of each collection that was asked about, or why they are not known.
    pub collections: BTreeMap<Namespace, Result<Vec<Listed>, String>>,
    /// Commands that take longer than a pass.
    pub work: Work,
}

/// What an earlier pass knew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// The set was initiated once, so there is data.
    pub initiated: bool,
    /// Version the members ran.
    pub version: Option<Version>,
    /// Feature compatibility version of the set.
    pub feature: Option<Feature>,
}

/// How the commands stand that take longer than a pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// What is under way, by [`super::upkeep::Task::key`].
    pub running: Option<String>,
    /// What failed last time, by the same key.
    pub failed: BTreeMap<String, Failed>,
}

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The server's sentence, without values of documents.
    pub message: String,
    /// It may be tried again now.
    pub due: bool,
}

impl Facts {
    /// With what an earlier pass knew.
    #[must_use]
    pub fn remembering(self, remembered: Remembered) -> Self {
        Self { remembered, ..self }
    }

    /// Versions of the members that answer, else the one they ran before.
    pub fn known_versions(&self) -> Vec<(String, Version)> {
        if !self.versions.is_empty() {
            return self.versions.clone();
        }
        self.remembered.version.map(|version| ("the set".to_owned(), version)).into_iter().collect()
    }

    /// Feature compatibility version, else the one it was.
    pub fn known_feature(&self) -> Option<Feature> {
        self.feature.or(self.remembered.feature)
    }
}
