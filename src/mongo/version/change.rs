//! Whether an image of one version may take the place of what runs. Pure.
//!
//! MongoDB reads the files of the major version before its own and no older ones, and starts only on
//! data whose feature compatibility version it knows. A binary that refuses to start takes a member
//! away, so a change that cannot go well is not begun.

use super::{Feature, Series, Version};

/// What is known of the members.
#[derive(Clone, Copy, Debug, Default)]
pub struct Running<'a> {
    /// Version of each member that is known, by pod.
    pub versions: &'a [(String, Version)],
    /// Feature compatibility version of the set.
    pub feature: Option<Feature>,
}

/// Why the image stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Both versions, and the way.
    pub message: String,
    /// It passes by itself; otherwise the spec has to change.
    pub passes: bool,
}

impl Held {
    fn refused(message: String) -> Self {
        Self { message, passes: false }
    }

    fn waits(message: String) -> Self {
        Self { message, passes: true }
    }
}

/// Whether members of `running` may be restarted as `wanted`.
pub fn may_follow(wanted: Version, running: Running<'_>) -> Result<(), Held> {
    let Some((_, lowest)) = running.versions.iter().min_by_key(|(_, version)| *version) else {
        return Err(Held::waits("no member says which version it runs".to_owned()));
    };
    let highest = running.versions.iter().map(|(_, version)| *version).max().unwrap_or(*lowest);
    for (pod, version) in running.versions {
        adjacent(wanted.series, pod, *version)?;
    }
    if wanted.series.major > lowest.series.major {
        return upgrade(wanted.series, *lowest, running.feature);
    }
    if wanted.series < highest.series {
        return downgrade(wanted.series, highest, running.feature);
    }
    Ok(())
}

/// At most one major version up or down.
fn adjacent(wanted: Series, pod: &str, runs: Version) -> Result<(), Held> {
    let (from, to) = (runs.series.major, wanted.major);
    if from.abs_diff(to) <= 1 {
        return Ok(());
    }
    let between = if to > from { stops(from + 1, to - 1) } else { stops(to + 1, from - 1) };
    Err(Held::refused(format!(
        "{pod} runs {runs} and {wanted} is more than one major version away: go through {between}, one after the other"
    )))
}

/// The releases between, in words. Those that were skipped in numbering do not occur: 4.4 was
/// followed by 5.0.
fn stops(first: u16, last: u16) -> String {
    let names = (first..=last).map(|major| match major {
        4 => "4.4".to_owned(),
        _ => format!("{major}.0"),
    });
    names.collect::<Vec<_>>().join(" and ")
}

/// The new binary starts only when the data is that of the version before.
fn upgrade(wanted: Series, lowest: Version, feature: Option<Feature>) -> Result<(), Held> {
    let Some(feature) = feature else {
        return Err(Held::waits(format!(
            "from {lowest} to {wanted} only when a primary tells the feature compatibility version"
        )));
    };
    let (least, _) = feature.range();
    if least.major + 1 >= wanted.major {
        return Ok(());
    }
    Err(Held::refused(format!(
        "the feature compatibility version is {least} and {wanted} would not start on it: set spec.mongodb.featureCompatibilityVersion to {} first",
        lowest.series
    )))
}

/// The old binary starts only when the data was never raised above it.
fn downgrade(wanted: Series, highest: Version, feature: Option<Feature>) -> Result<(), Held> {
    let Some(feature) = feature else {
        return Err(Held::waits(format!(
            "from {highest} back to {wanted} only when a primary tells the feature compatibility version"
        )));
    };
    let (_, most) = feature.range();
    if most <= wanted {
        return Ok(());
    }
    Err(Held::refused(format!(
        "the feature compatibility version is {most} and {wanted} would not start on it: go back to an image of {most}, or restore a backup into a cluster of {wanted}"
    )))
}
